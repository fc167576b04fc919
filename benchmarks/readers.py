"""The reader gauntlet: do other programs that open our SBML give our curves?

For each model and experiment the SBML that holds the experiment (it starts equilibrated, later periods are events, the
highest dose of a series) goes to each reader as one plain uniform time course. ``readers.toml`` says who reads what and
how near it must come; ``readers/read_*.py`` are the readers, each a few lines that run in the reader's own Python.

    .venv/bin/python benchmarks/readers.py --install --write
"""

import json
import queue
import subprocess
import sys
import tempfile
import threading
import tomllib
import venv
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click
import libsbml
import numpy as np
import pandas as pd
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import metaflammation as mf
from metaflammation import library, sbml
from metaflammation.exchange import derived

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "readers.md"
PATIENCE = 180.0
"""Seconds after which a reader counts as stuck on one experiment."""

SMALLEST_RANGE = 0.1
"""A variable that moves less than this fraction of its size is measured against this fraction instead."""

LEVELS = {"sbml": None, "l3v1": (3, 1), "l2v5": (2, 5)}


@dataclass(frozen=True)
class Reader:
    """One way to read our SBML; see ``readers.toml``."""

    id: str
    title: str
    runner: str
    form: str
    tolerance: float
    why: str
    remark: str = ""
    how: str = ""
    environment: tuple[str, ...] = ()
    tested: bool = False
    first: bool = False

    def python(self, environments):
        """Return the interpreter of the reader, in one of the environments or the one that runs this."""
        return environments / self.runner.split("_")[0] / "bin" / "python" if self.environment else Path(sys.executable)


@dataclass
class Result:
    """How one reader did on one experiment."""

    reader: str
    model: str
    experiment: str
    tolerances: str
    difference: float | None = None
    variable: str = ""
    seconds: float | None = None
    error: str = ""


@dataclass
class Case:
    """One experiment of one model, as it goes to the readers."""

    model: mf.Model
    experiment: str
    curves: pd.DataFrame = field(init=False)
    text: str = field(init=False)

    def __post_init__(self):
        """Simulate the experiment here, and write it down for the readers."""
        named = self.model.experiments[self.experiment]
        dose = named.doses.values[-1] if named.doses else None
        self.text = derived.document(self.model, named)
        self.end, self.points = named.duration, named.points
        course = self.model.simulate(self.experiment, dose=dose).data
        # At the start of a later period our output shows its changes; a plain run may show the values before.
        starts = [p.start for p in named.timeline[1:]]
        # As a plan rounds its times: numpy rounds otherwise.
        grid = np.array([round(t, 9) for t in np.linspace(0.0, self.end, self.points).tolist()])
        self.rows = np.flatnonzero(~np.isclose(grid[:, None], starts, rtol=0, atol=1e-9).any(axis=1))
        self.curves = course.loc[grid[self.rows]]
        changed = {i for condition in named.timeline for name in condition.conditions for i in self._targets(name)}
        size = np.abs(course).max()
        moves = np.ptp(course, axis=0)
        self.ranges = np.maximum(moves, SMALLEST_RANGE * size).replace(0.0, 1.0)
        self.noise = self.model.solver.absolute_tolerance
        self.needed = {c for c in course if moves[c] > max(derived.ROUND_OFF * size[c], self.noise)} - changed

    def _targets(self, condition):
        return self.model.conditions[condition]

    def write(self, form, folder):
        """Write the SBML in one form and return its path."""
        path = Path(folder) / f"{self.model.id}_{self.experiment}_{form}.xml"
        if not path.exists():
            level = LEVELS[form]
            path.write_text(convert(self.text, *level, self.model.id) if level else self.text, "utf-8")
        return path

    def tolerances(self, kind):
        """Return the tolerances that a reader is given: the model's own, or none."""
        solver = self.model.solver
        given = {"relative": solver.relative_tolerance, "absolute": solver.absolute_tolerance}
        return given if kind == "ours" else {}

    def compare(self, path):
        """Return the largest difference in ranges of the variable, and the variable."""
        theirs = pd.read_csv(path)
        if missing := self.needed - set(theirs):
            raise ValueError(f"gives no course of {', '.join(sorted(missing))}")
        grid = np.linspace(0.0, self.end, self.points)
        if len(theirs) != self.points or not np.allclose(theirs["time"], grid, rtol=1e-9, atol=1e-9):
            raise ValueError("gives other output times")
        shared = [c for c in self.curves if c in theirs]
        differences = np.abs(theirs[shared].iloc[self.rows].to_numpy() - self.curves[shared].to_numpy()) - self.noise
        if not np.isfinite(differences).all():
            raise ValueError("gives numbers that are not finite")
        worst = pd.Series(differences.max(axis=0).clip(min=0.0), index=shared) / self.ranges[shared]
        return float(worst.max()), str(worst.idxmax())


def convert(text, level, version, where):
    """Return the document in another level; Level 2 has no place for creators that are organisations."""
    if level == LEVELS["l2v5"][0]:
        parsed = sbml.document(text, where)
        parsed.getModel().unsetModelHistory()
        text = libsbml.writeSBMLToString(parsed)
    return sbml.to_level(text, level, version, where)


class Process:
    """A reader at work in its own Python, started again after a crash."""

    def __init__(self, reader, python):
        self.reader = reader
        self.python = python
        self._start()

    def _start(self):
        self.messages = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - see close()
        command = [self.python, HERE / "readers" / "run.py", self.reader.runner]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.messages}
        self.process = subprocess.Popen(command, encoding="utf-8", **pipes)
        self.lines = queue.SimpleQueue()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        self.hello = self._answer()

    def _listen(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def _answer(self):
        try:
            line = self.lines.get(timeout=PATIENCE)
        except queue.Empty:
            self.process.kill()
            return {"error": f"no result within {PATIENCE:g} s"}
        if line:
            return json.loads(line)
        code = self.process.wait()
        self.messages.seek(0)
        last = (self.messages.read().strip().splitlines() or [""])[-1]
        return {"error": f"the process ended with code {code}: {last}"}

    def run(self, case):
        """Return the answer to one case."""
        if "error" in self.hello:
            return self.hello
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        if not self.listener.is_alive():
            self.close()
            self._start()
        return answer

    def close(self):
        """End the process and everything that listens to it."""
        self.process.kill()
        self.process.wait()
        self.listener.join()
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.messages.close()


def readers():
    """Return the readers by id."""
    table = tomllib.loads((HERE / "readers.toml").read_text("utf-8"))["readers"]
    return {
        name: Reader(name, **{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()})
        for name, row in table.items()
    }


def run(reader, python, cases, folder, kinds=("ours",), progress=lambda: None):
    """Return the versions of a reader and its results; None and the reason if it cannot be started."""
    if not Path(python).exists():
        return None, "its environment is missing; --install makes it"
    process = Process(reader, python)
    try:
        if "error" in process.hello:
            return None, process.hello["error"]
        results = []
        for case in cases:
            for kind in kinds:
                results.append(_result(process, case, kind, folder))
                progress()
        return process.hello["versions"], results
    finally:
        process.close()


def _result(process, case, kind, folder):
    result = Result(process.reader.id, case.model.id, case.experiment, kind)
    out = Path(folder) / "course.csv"
    out.unlink(missing_ok=True)
    try:
        path = case.write(process.reader.form, folder)
        settings = {"end": case.end, "points": case.points, "tolerances": case.tolerances(kind)}
        answer = process.run({"sbml": str(path), "csv": str(out), **settings})
        result.seconds, result.error = answer.get("seconds"), answer.get("error", "").replace(f"{folder}/", "")
        if not result.error:
            result.difference, result.variable = case.compare(out)
    except (ValueError, mf.MetaflammationError) as error:
        result.error = str(error)
    return result


def install(reader, python):
    """Make the environment of a foreign reader, or complete it."""
    if not python.exists():
        venv.create(python.parent.parent, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *reader.environment], check=True)


@dataclass
class Gauntlet:
    """What came out: the versions of each reader or why it did not run, and the results."""

    models: dict
    versions: dict = field(default_factory=dict)
    absent: dict = field(default_factory=dict)
    results: list = field(default_factory=list)

    def add(self, reader, versions, results):
        """Add what :func:`run` returned."""
        if versions is None:
            self.absent[reader.id] = results + (f"; {reader.how}" if reader.how else "")
        else:
            self.versions[reader.id] = versions
            self.results += results

    def of(self, reader, model, kind):
        """Return the results of a reader on a model."""
        return [r for r in self.results if (r.reader, r.model, r.tolerances) == (reader, model, kind)]

    def failures(self, chosen):
        """Return what tested readers got wrong."""
        held = {r.id: r.tolerance for r in chosen if r.tested}
        return [
            r for r in self.results
            if r.reader in held and r.tolerances == "ours" and (r.error or not r.difference <= held[r.reader])
        ]  # fmt: skip

    def cell(self, reader, model, kind):
        """Return what stands in the table: the largest difference, bold above the tolerance, and how many ran."""
        results = self.of(reader.id, model, kind)
        if not results:
            return "not run"
        read = [r.difference for r in results if not r.error]
        total = len(self.models[model].experiments)
        count = "" if len(read) == total else f" ({len(read)} of {total})"
        if not read:
            return f"fails{count}"
        text = f"{max(read):.0e}"
        return f"**{text}**{count}" if kind == "ours" and max(read) > reader.tolerance else f"{text}{count}"

    def table(self, chosen, kind):
        """Return the table of readers and models as Markdown."""
        head = ["reader", "tolerance", *self.models] if kind == "ours" else ["reader", *self.models]
        lines = [head, ["---"] * len(head)]
        for reader in chosen:
            tolerance = [f"{reader.tolerance:.0e}"] if kind == "ours" else []
            lines.append([reader.title, *tolerance, *(self.cell(reader, m, kind) for m in self.models)])
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def troubles(self, reader):
        """Return the errors of a reader, each once, with the models and numbers of experiments."""
        found = {}
        for r in self.results:
            if r.reader == reader.id and r.error and r.tolerances == "ours":
                found.setdefault(r.error.replace("`", "'")[:300], Counter())[r.model] += 1
        return [f"`{error}` ({', '.join(f'{m}: {n}' for m, n in where.items())})" for error, where in found.items()]


def page(done, chosen, command):
    """Return ``docs/readers.md``."""

    def versions(reader):
        known = done.versions.get(reader.id)
        return ", ".join(f"{k} {v}" for k, v in known.items()) if known else f"not run: {done.absent[reader.id]}"

    reasons = "\n".join(f"| {r.title} | {r.tolerance:.0e} | {versions(r)} | {r.why} |" for r in chosen)
    limits = []
    for reader in chosen:
        points = [reader.remark] * bool(reader.remark) + done.troubles(reader)
        limits += [f"- **{reader.title}**: {' '.join(points)}"] if points else []
    return PAGE_TEXT.format(
        command=command,
        smallest=f"{SMALLEST_RANGE:g}",
        ours=done.table(chosen, "ours"),
        own=done.table(chosen, "own"),
        reasons=reasons,
        limits="\n".join(limits) or "Nothing was found.",
    )


PAGE_TEXT = """\
# Readers

Do other programs that open our SBML give our curves? Written by `{command}`; do not edit.

For each experiment the SBML goes out that SED-ML and COPASI files use: it starts equilibrated, later periods are
events, and of a series of doses it holds the highest. Each reader runs it as one plain time course with the output
points of the experiment. The number is the largest difference from our curve over all points, variables and
experiments of a model, less the absolute tolerance, divided by the range of the variable in the experiment (a variable
that moves by less than {smallest} of its size is measured against that fraction). Points at the start of a period are
left out: whether they show the values before or after it is up to the program. **Bold** is above the tolerance;
(8 of 9) counts the experiments that could be run.

## With our tolerances

Relative and absolute tolerance of the integrator as in `models/metadata.toml`.

{ours}

## With the tolerances that each reader sets by itself

What someone gets who opens the file and presses Run.

{own}

## Versions, and why these tolerances

| reader | tolerance | versions | why |
| --- | --- | --- | --- |
{reasons}

## What readers cannot do

Messages are those of this run, with the number of experiments of each model in which they came.

{limits}

AMICI has no runner here yet: it is built from source with a compiler, which takes minutes.
"""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--model", "names", multiple=True, help="A catalogue model; all of them if not given.")
@click.option("--reader", "wanted", multiple=True, help="A reader of readers.toml; all of them if not given.")
@click.option(
    "--environments", type=click.Path(path_type=Path), default=HERE.parent / ".venv-readers",
    envvar="METAFLAMMATION_READERS", show_envvar=True, help="Folder with an environment for each foreign reader.",
)  # fmt: skip
@click.option("--install", "make", is_flag=True, help="Make the environments that are missing.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write all results to this file.")
@click.option("--write", is_flag=True, help="Write docs/readers.md (all models and readers).")
def main(names, wanted, environments, make, out, write):
    """Hold the curves of other programs against ours; exit code 1 if a tested reader is not near enough."""
    if write and (names or wanted):
        raise click.UsageError("--write needs all models and readers")
    chosen = _chosen(wanted, readers())
    models = [mf.load(name) for name in _chosen(names, {n: n for n in library.catalogue()})]
    done = Gauntlet({m.id: m for m in models})
    bars = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*bars) as progress, tempfile.TemporaryDirectory() as folder:
        task = progress.add_task("our curves", total=sum(len(m.experiments) for m in models) * (1 + 2 * len(chosen)))
        cases = []
        for model, experiment in [(m, e) for m in models for e in m.experiments]:
            cases.append(Case(model, experiment))
            progress.advance(task)
        for reader in chosen:
            progress.update(task, description=reader.title)
            python = reader.python(environments)
            if make and reader.environment:
                install(reader, python)
            own = [c for c in cases if not reader.first or c.experiment == next(iter(c.model.experiments))]
            done.add(reader, *run(reader, python, own, folder, ("ours", "own"), lambda: progress.advance(task)))
            progress.advance(task, 2 * (len(cases) - len(own)))
    text = page(done, chosen, "python benchmarks/readers.py --install --write")
    click.echo(text)
    if out:
        results = {"versions": done.versions, "absent": done.absent, "results": [asdict(r) for r in done.results]}
        out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    if write:
        PAGE.write_text(text, "utf-8")
    sys.exit(bool(done.failures(chosen)))


def _chosen(names, known):
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name}: choose from {', '.join(known)}")
    return [value for name, value in known.items() if not names or name in names]


if __name__ == "__main__":
    main()
