"""Evaluate every expectation of every model in many parameter sets, and write the table and its picture.

Models take turns, so that all of them have some sets if the time runs out; what is finished is kept in the folder
given, and the next call goes on from there.

    python benchmarks/robustness.py FOLDER [--sets 2000] [--minutes 60] [--only MODEL ...] [--spread bounds 1.5]
    python benchmarks/robustness.py --draw [--only MODEL ...]    # the pictures again, from the committed tables
"""

import argparse
import subprocess
import time
from pathlib import Path

import pandas as pd

import metaflammation as mf
from metaflammation import figures, library
from metaflammation.ensembles import committed, population, robustness
from metaflammation.ensembles.ensemble import describe
from metaflammation.ensembles.storage import Folder
from metaflammation.forest import forest

TURN = 60.0
"""Seconds after which the next model has its turn."""


class Job:
    """One model with one spread."""

    def __init__(self, folder, name, sets, spread):
        self.model, self.spread = mf.load(name), spread if spread == "bounds" else float(spread)
        people = population.make(self.model, sets, 1, None, self.spread, "sobol")
        self.work = robustness.claims(people)
        self.about = describe(people, self.work) | {
            "spread": self.spread,
            "starts": self.work.starts,
            "solver": self.work.subject.solver.model_dump(),
        }
        self.folder = Folder(folder / f"{name}_{spread}.parts", self.about)

    def left(self):
        """Return the batches that are not done, in order: what is done is the beginning of the sequence."""
        total = -(-self.work.draws.n // self.work.size)
        return [n for n in range(total) if n not in self.folder.done()]

    def turn(self, seconds):
        """Work for a while."""
        end = time.monotonic() + seconds
        for number in self.left():
            self.folder.write(number, self.work.batch(number))
            if time.monotonic() > end:
                return

    def found(self):
        """Return what the finished sets say."""
        parts = sorted(self.folder.path.glob("batch-*.parquet"))
        data = pd.concat([pd.read_parquet(p) for p in parts]).reset_index(drop=True)
        about = {k: v for k, v in self.about.items() if k not in {"batch", "conditions", "population"}}
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)  # noqa: S607
        return robustness.evaluate(
            self.model, self.work, data, about | {"n": len(data), "commit": commit.stdout.strip()}
        )


def draw(name):
    """Draw the committed tables of a model."""
    tables, _ = committed.read(library.find(name))
    if tables:
        picture = Path("docs") / "robustness" / f"{name}.png"
        picture.parent.mkdir(exist_ok=True)
        figures.save(forest(tables), picture)
        print(f"wrote {picture}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--draw", action="store_true")
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--only", nargs="+", default=list(library.catalogue()))
    parser.add_argument("--spread", nargs="+", default=["bounds", "1.5"])
    asked = parser.parse_args()
    if asked.draw:
        for name in asked.only:
            draw(name)
        return
    if asked.folder is None:
        parser.error("a folder is needed, for what is finished")
    asked.folder.mkdir(exist_ok=True)
    end = time.monotonic() + 60 * asked.minutes
    jobs = [Job(asked.folder, name, asked.sets, s) for s in asked.spread for name in asked.only]
    while time.monotonic() < end and any(job.left() for job in jobs):
        for job in jobs:
            if time.monotonic() < end:
                job.turn(min(TURN, end - time.monotonic()))
                print(
                    f"{time.strftime('%H:%M:%S')} {job.model.id} {job.spread}: {len(job.left())} batches left",
                    flush=True,
                )
    for name in asked.only:
        found = [job.found() for job in jobs if job.model.id == name and job.folder.done()]
        if found:
            for path in committed.write(Path("validation") / name, found):
                print(f"wrote {path}")
            draw(name)


if __name__ == "__main__":
    main()
