"""Evaluate every expectation of every model in many parameter sets, and write the table and its picture.

Models take turns, so that all of them have some sets if the time runs out; what is finished is kept in the folder
given, and the next call goes on from there. The value of each expectation in each set is kept in benchmarks/robustness
as well: any machine goes on from there, and where all sets are there only their evaluation is done again.

    python benchmarks/robustness.py FOLDER [--sets 2000] [--minutes 60] [--workers 2] [--only MODEL ...]
        [--spread bounds 1.5]
    python benchmarks/robustness.py --draw [--only MODEL ...]    # the pictures again, from the committed tables
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import metaflammation as mf
from metaflammation import figures, files, forest, library
from metaflammation.ensembles import committed, executors, population, robustness
from metaflammation.ensembles.storage import KEY, REASON, Folder, read
from metaflammation.ensembles.work import batches

TURN = 600.0
"""Seconds after which the next model has its turn: each time its processes load the model anew."""

KEPT = Path("benchmarks") / "robustness"
"""The values behind the tables, without the parameters drawn, which follow from the seed."""

SAME = ("fingerprint", "n", "seed", "sampler", "batch", "solver", "stops", "versions")
"""What must be the same for sets to belong to one table."""


class Job:
    """One model with one spread."""

    def __init__(self, folder, name, sets, spread):
        self.model, self.spread = mf.load(name), spread if spread == "bounds" else float(spread)
        people = population.make(self.model, sets, 1, None, self.spread, "sobol")
        self.work = robustness.claims(people)
        self.about = robustness.settings(people, self.work, self.spread)
        self.folder = Folder(folder / f"{name}_{spread}.parts", self.about)
        self.path = KEPT / f"{name}_{spread}.parquet"
        self.made_by = self.folder.path / "commits"
        self.kept, self.before = self._kept()

    @property
    def commits(self):
        """Return the commits that made the finished sets."""
        here = self.made_by.read_text().splitlines() if self.made_by.is_file() else []
        return list(dict.fromkeys([*self.before, *here]))

    def _kept(self):
        """Return the sets that were finished before, if they are of this work, and the commits that made them."""
        if not self.path.is_file():
            return pd.DataFrame(), []
        data, about = read(self.path)
        for what in SAME:
            if about[what] != self.about[what]:
                raise SystemExit(f"{self.path}: of another {what}; remove it to begin anew")
        return data, about["commits"]

    def left(self):
        """Return the batches that are not done, in order: what is done is the beginning of the sequence."""
        done = self.folder.done() | set(self.kept.index // self.work.size)
        return [n for n in range(batches(self.work.draws, self.work.size)) if n not in done]

    def turn(self, seconds, workers=1):
        """Work for a while."""
        files.write_text(self.made_by, "\n".join(dict.fromkeys([*self.commits, commit()])), overwrite=True)
        end = time.monotonic() + seconds
        for number, part in executors.run(self.work, self.left(), workers):
            self.folder.write(number, part)
            if time.monotonic() > end:
                return

    def data(self):
        """Return the values of the finished sets, without what was drawn."""
        drawn = list(self.work.draws.names)
        parts = sorted(self.folder.path.glob("batch-*.parquet"))
        found = [pd.read_parquet(p).set_index("individual").drop(columns=[*drawn, REASON]) for p in parts]
        data = pd.concat([self.kept, *found]).sort_index()
        return data[~data.index.duplicated()]

    def keep(self):
        """Write the values of the finished sets."""
        KEPT.mkdir(exist_ok=True)
        table = pa.Table.from_pandas(self.data().reset_index(), preserve_index=False)
        table = table.replace_schema_metadata({KEY: json.dumps(self.about | {"commits": self.commits}).encode()})
        with files.whole_file(self.path, overwrite=True) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    def found(self):
        """Return what the finished sets say."""
        draws, data = self.work.draws, self.data()
        drawn = pd.DataFrame(draws.rows(0, draws.n)[data.index], index=data.index, columns=list(draws.names))
        about = {k: v for k, v in self.about.items() if k not in {"batch", "conditions", "population"}}
        about |= {"n": len(data), "commits": self.commits}
        return robustness.evaluate(self.model, self.work, pd.concat([drawn, data], axis=1), about)


def commit():
    """Return what is checked out."""
    asked = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True)
    return found.stdout.strip()


def finish(name, jobs):
    """Write what the finished sets of a model say, and draw it."""
    if jobs:
        for path in committed.write(Path("validation") / name, [job.found() for job in jobs]):
            print(f"wrote {path}")
        for job in jobs:
            job.keep()
        draw(name)


def draw(name):
    """Draw the committed tables of a model."""
    tables, _ = committed.read(library.find(name))
    if tables:
        save(forest.forest(tables), name)


def save(axes, name):
    """Write a picture for the documentation."""
    picture = Path("docs") / "robustness" / f"{name}.png"
    picture.parent.mkdir(exist_ok=True)
    figures.save(axes, picture)
    print(f"wrote {picture}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--draw", action="store_true")
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=list(library.catalogue()))
    parser.add_argument("--spread", nargs="+", default=["bounds", "1.5"])
    asked = parser.parse_args()
    # Killed, it stops its processes as well, as the command line does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if asked.draw:
        for name in asked.only:
            draw(name)
        save(forest.claims(committed.of_claims()), "claims")
        return
    if asked.folder is None:
        parser.error("a folder is needed, for what is finished")
    asked.folder.mkdir(exist_ok=True)
    end = time.monotonic() + 60 * asked.minutes
    jobs = [Job(asked.folder, name, asked.sets, s) for s in asked.spread for name in asked.only]
    while time.monotonic() < end and (open_jobs := [job for job in jobs if job.left()]):
        for job in open_jobs:
            left = end - time.monotonic()
            if left > 0:
                job.turn(left if len(open_jobs) == 1 else min(TURN, left), asked.workers)
                print(
                    f"{time.strftime('%H:%M:%S')} {job.model.id} {job.spread}: {len(job.left())} batches left",
                    flush=True,
                )
    for name in asked.only:
        finish(name, [job for job in jobs if job.model.id == name and (job.folder.done() or len(job.kept))])
    save(forest.claims(committed.of_claims()), "claims")


if __name__ == "__main__":
    main()
