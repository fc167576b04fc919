"""The reader gauntlet: do other programs that open our SBML give our curves?

For each model and experiment the SBML that holds the experiment (it starts equilibrated, later periods are events, the
highest dose of a series) goes to each reader as one plain uniform time course. ``readers.toml`` says who reads what and
how near it must come; ``readers/read_*.py`` are the readers, each a few lines that run in the reader's own Python.

What is stored in ``readers/results`` and not out of date is not run again, so that a new model costs its own runs only.
An interrupted run keeps what is done.

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
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import click
import libsbml
import numpy as np
import pandas as pd
import readers_page as pages
from readers_page import AT_REST, SMALLEST_RANGE, Entry, Result
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import metaflammation as mf
from metaflammation import library, sbml
from metaflammation.exchange import derived

HERE = Path(__file__).parent
PATIENCE = 180.0
"""Seconds after which a reader counts as stuck on one experiment; it is not asked again with other tolerances."""
STUCK = f"no result within {PATIENCE:g} s"

KINDS = ("ours", "own")
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
    experiments: str = "all"
    known: tuple[str, ...] = ()
    """Runs that are known to fail, as "model experiment"; the remark says why."""

    def python(self, environments):
        """Return the interpreter of the reader, in one of the environments or the one that runs this."""
        return environments / self.runner.split("_")[0] / "bin" / "python" if self.environment else Path(sys.executable)

    def of(self, model):
        """Return the ids of the experiments of a model that it runs."""
        return {"all": [e.id for e in eligible(model)], "telling": telling(model), "first": telling(model)[:1]}[
            self.experiments
        ]


def eligible(model):
    """Return the experiments that other solvers manage: all, or those that the model's second engine repeats."""
    return [e for e in model.experiments.values() if not model.metadata.compared or e.id in model.metadata.compared]


def telling(model):
    """Return the first experiment of a model, the longest and the one of most periods."""
    named = eligible(model)
    chosen = [named[0], max(named, key=lambda e: e.duration), max(named, key=lambda e: len(e.timeline))]
    return list(dict.fromkeys(e.id for e in chosen))


@cache
def usual_sizes(name):
    """Return the largest size of each variable over the experiments of a model, which are simulated."""
    model = mf.load(name)
    runs = model.runs()
    courses = [
        runs.course(e, dose).data
        for e in model.metadata.compared or model.experiments
        for dose in list(model.experiments[e].arms.values())[-1:]
    ]
    return pd.concat([np.abs(course).max() for course in courses], axis=1).max(axis=1)


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
        least = np.maximum(SMALLEST_RANGE * size, AT_REST * usual_sizes(self.model.id))
        self.ranges = np.maximum(moves, least).replace(0.0, 1.0)
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
            return {"error": STUCK}
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
    """Return what a reader made of some experiments of a model."""
    entry = Entry(pages.digest(cases[0].model))
    if not Path(python).exists():
        entry.absent = "its environment is missing; --install makes it"
        return entry
    process = Process(reader, python)
    try:
        entry.versions, entry.absent = process.hello.get("versions", {}), process.hello.get("error", "")
        if entry.absent:
            entry.absent += f"; {reader.how}" if reader.how else ""
            return entry
        for case in cases:
            for kind in kinds:
                stuck = bool(entry.results) and entry.results[-1].error == STUCK and kind != kinds[0]
                entry.results.append(
                    Result(case.experiment, kind, error=STUCK) if stuck else _result(process, case, kind, folder)
                )
                progress()
        return entry
    finally:
        process.close()


def _result(process, case, kind, folder):
    result = Result(case.experiment, kind)
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


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--model", "names", multiple=True, help="A catalogue model; all of them if not given.")
@click.option("--reader", "wanted", multiple=True, help="A reader of readers.toml; all of them if not given.")
@click.option(
    "--environments", type=click.Path(path_type=Path), default=HERE.parent / ".venv-readers",
    envvar="METAFLAMMATION_READERS", show_envvar=True, help="Folder with an environment for each foreign reader.",
)  # fmt: skip
@click.option("--install", "make", is_flag=True, help="Make the environments that are missing.")
@click.option("--again", is_flag=True, help="Run also what is stored and not out of date.")
@click.option("--write", is_flag=True, help="Store the results, and write docs/readers.md from all that are stored.")
def main(names, wanted, environments, make, again, write):
    """Hold the curves of other programs against ours; exit code 1 if a tested reader is not near enough."""
    known = readers()
    chosen = _chosen(wanted, known)
    models = [mf.load(name) for name in _chosen(names, {n: n for n in library.catalogue()})]
    found = {name: pages.stored(name) for name in library.catalogue()}
    todo = [
        (m, r) for m in models for r in chosen
        if again or r.id not in found[m.id] or found[m.id][r.id].of != pages.digest(m) or found[m.id][r.id].absent
    ]  # fmt: skip
    for reader in dict.fromkeys(r for _, r in todo if make and r.environment):
        install(reader, reader.python(environments))
    bars = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*bars) as progress:
        task = progress.add_task("", total=sum(2 * len(r.of(m)) for m, r in todo))
        for model in dict.fromkeys(m.id for m, _ in todo):
            cases = {}
            with tempfile.TemporaryDirectory() as folder:
                for m, reader in (pair for pair in todo if pair[0].id == model):
                    progress.update(task, description=f"{model}: {reader.title}")
                    cases |= {e: Case(m, e) for e in reader.of(m) if e not in cases}
                    own = [cases[e] for e in reader.of(m)]
                    entry = run(reader, reader.python(environments), own, folder, KINDS, lambda: progress.advance(task))
                    found[model][reader.id] = entry
                    if write:
                        pages.store(model, found[model])
                        pages.PAGE.write_text(_page(found, known), "utf-8")
    if not write:
        click.echo(_page(found, known))
    sys.exit(any(pages.failures(r, found[m.id][r.id]) for m in models for r in chosen if r.id in found[m.id]))


def _page(found, known):
    return pages.page({name: entries for name, entries in found.items() if entries}, list(known.values()))


def _chosen(names, known):
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name}: choose from {', '.join(known)}")
    return [value for name, value in known.items() if not names or name in names]


if __name__ == "__main__":
    main()
