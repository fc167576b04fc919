"""sbmlode: the R that it writes for the file, integrated by deSolve's LSODA in a process of Rscript."""

import csv
import shutil
import subprocess
import tempfile
from pathlib import Path

from sbmlode import OdeSystem

PACKAGES = ("sbmlode",)

CODE = """
source("model.R")
course <- simulate({arguments})
constants <- initial_values()$p
names(constants) <- PIDS
for (name in setdiff(PIDS, names(course))) course[[name]] <- constants[[name]]
options(digits = 17)
write.csv(course, "course.csv", row.names = FALSE)
"""


def versions():
    """Return the versions of R and deSolve."""
    code = 'cat(paste(R.version$major, R.version$minor, sep = "."), as.character(packageVersion("deSolve")))'
    r, desolve = rscript(["-e", code]).split()
    return {"R": r, "deSolve": desolve}


def simulate(path, end, points, **tolerances):
    """Return the course of every variable and constant."""
    names = {"relative": "rtol", "absolute": "atol"}
    arguments = [f"{end!r}", f"{points}", *(f"{names[k]} = {v!r}" for k, v in tolerances.items())]
    with tempfile.TemporaryDirectory() as folder:
        OdeSystem.from_sbml(Path(path)).write(Path(folder) / "model.R")
        (Path(folder) / "run.R").write_text(CODE.format(arguments=", ".join(arguments)), "utf-8")
        rscript(["run.R"], cwd=folder)
        with (Path(folder) / "course.csv").open(encoding="utf-8", newline="") as lines:
            header, *rows = csv.reader(lines)
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def rscript(arguments, **options):
    """Return the standard output of Rscript."""
    program = shutil.which("Rscript") or "Rscript"
    done = subprocess.run(
        [program, "--vanilla", *arguments], capture_output=True, encoding="utf-8", check=False, **options
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout
