"""Many individuals at matched accuracy: a loop over one Tellurium instance, ours on one core and on two, and COPASI.

Each engine runs at the loosest rung of a common ladder of tolerances at which every state variable of every individual
is within 1e-5 of a tight reference at every output time. Engines take turns in one run. On one core CPU time counts,
since other programs may share the machine; two cores are compared by the clock.

    python benchmarks/ensembles.py [--rounds 5] [--model NAME] [--output docs/benchmarks.md]
"""

import argparse
import os
import platform
import statistics
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tellurium as te  # before anything that imports libsbml, whose enumerations libsedml would ruin
from loky import ProcessPoolExecutor

import metaflammation as mf
from metaflammation import children
from metaflammation.engines.batch import RoadRunnerBatch
from metaflammation.engines.copasi import CopasiEngine
from metaflammation.ensembles import distributions, executors
from metaflammation.ensembles import work as works
from metaflammation.ensembles.draws import Draws
from metaflammation.ensembles.work import Simulation, Subject, arms
from metaflammation.records import Solver

GOAL = 1e-5
"""Largest relative error of any state variable of any individual at any output time."""

FLOOR = 1e-3
"""Share of a variable's largest value in a run below which errors are taken relative to that share."""

LADDER = [m * 10.0**-k for k in range(5, 11) for m in (1, 0.3)]
"""Relative tolerances, the same for all engines."""

ABSOLUTE = 1e-12
"""Absolute tolerance of all engines, in model units: what Tellurium and COPASI have by default."""

LIMIT = 5_000_000
"""Steps that a solver may take between two output points."""

REFERENCE = Solver(relative_tolerance=1e-12, absolute_tolerance=1e-15)
CHECKED = Solver(relative_tolerance=1e-11, absolute_tolerance=1e-14)
"""An individual in which these two differ by more than a tenth of the goal is left out: where the state at rest goes on
oscillating, its phase after thousands of periods is nothing that any engine gets right."""

SPREAD = 1.5
"""Factor within which assumed parameters move."""

EXPERIMENTS = {
    "insulin_cascade": ("insulin_step_10nM", 100),
    "cytokine_crosstalk": ("TNF_infusion_3h", 100),
    "er_stress": ("palmitate_500uM", 100),
    "hormone_axis": ("becoming_massively_obese", 100),
    "insulin_resistance": ("TNF_15min_then_insulin", 20),
    "metaflammation": ("lean_endotoxin_0p6ng", 20),
}
"""Experiment and number of individuals for each model; the whole takes its shortest but for the clamps."""


@dataclass
class Kept:
    """Parameter sets that are written down."""

    names: tuple
    values: np.ndarray

    @property
    def n(self):
        return len(self.values)

    def rows(self, start, stop):
        return self.values[start:stop]


@dataclass
class Case:
    """The individuals of one model, and what is simulated."""

    name: str
    experiment: str
    model: mf.Model
    plan: object
    draws: Draws | Kept
    rows: np.ndarray
    columns: tuple

    def only(self, kept):
        """Return the case with some of its individuals."""
        return replace(self, draws=Kept(self.draws.names, self.rows[kept]), rows=self.rows[kept])

    @classmethod
    def of(cls, name, experiment, n):
        model = mf.load(name)
        draws = Draws(distributions.of_evidence(model, SPREAD), n, 1)
        people = model.population(n, spread=SPREAD)
        [(_, plan)] = arms(model.experiments[experiment], people.named_conditions(), [None], *people.held())
        moving = [e.id for e in model.elements.values() if e.kind != "reaction" and not e.constant and not e.assigned]
        return cls(name, experiment, model, plan, draws, draws.rows(0, n), tuple(moving))

    def numeric(self, row):
        """Return the plan with the numbers of one individual."""
        value = dict(zip(self.draws.names, map(float, row), strict=True))

        def resolved(changes):
            return {i: value[v] if isinstance(v, str) else v for i, v in changes.items()}

        phases = tuple(replace(p, changes=resolved(p.changes)) for p in self.plan.phases)
        return replace(self.plan, initial=resolved(self.plan.initial), phases=phases)


def solver(relative, order=5):
    return Solver(relative_tolerance=relative, absolute_tolerance=ABSOLUTE, maximum_order=order)


class Tellurium:
    """The loop that anybody would write: one instance, reset, values by name, simulate."""

    def __init__(self, case, relative):
        self.case = case
        self.r = te.loadSBMLModel(case.model.sbml)
        self.r.integrator.relative_tolerance = relative
        self.r.integrator.absolute_tolerance = ABSOLUTE
        self.r.integrator.maximum_num_steps = LIMIT
        self.species = {*self.r.model.getFloatingSpeciesIds(), *self.r.model.getBoundarySpeciesIds()}
        self.key = {i: f"[{i}]" if i in self.species else i for i in (*case.columns, *case.model.elements)}
        self.r.timeCourseSelections = ["time", *(self.key[c] for c in case.columns)]

    def __call__(self, rows):
        return np.array([self.one(self.case.numeric(row)) for row in rows])

    def one(self, plan):
        r = self.r
        r.resetToOrigin()
        for k, v in plan.initial.items():
            r[self.key[k]] = v
        # Initial states are computed from parameters: a reset makes that good, but takes species back.
        r.reset()
        for k in self.species & plan.initial.keys():
            r[self.key[k]] = plan.initial[k]
        if plan.equilibration:
            r.simulate(0, plan.equilibration, 2)
            r.model.setTime(0.0)
        found = []
        for phase, end, times in plan.spans():
            for k, v in phase.changes.items():
                r[self.key[k]] = v
            grid = sorted({phase.start, *times, end})
            found.append(np.array(r.simulate(times=grid))[np.isin(grid, times), 1:])
        return np.vstack(found)


class Ours:
    """The engine of the ensembles."""

    def __init__(self, case, relative):
        self.case = case
        # The metadata of a model say which order its solver needs: part of what ours knows.
        how = relative if isinstance(relative, Solver) else solver(relative, case.model.solver.maximum_order)
        self.engine = RoadRunnerBatch(case.model.sbml, case.model.elements, how, LIMIT)

    def __call__(self, rows):
        found = self.engine.run_batch(self.case.plan, self.case.draws.names, rows, self.case.columns)
        if found.failures:
            raise RuntimeError(str(found.failures))
        return found.values


class Copasi:
    """COPASI through its Python binding, one instance reused."""

    def __init__(self, case, relative):
        self.case = case
        self.engine = CopasiEngine(case.model.sbml, case.model.elements, solver(relative))
        self.where = [self.engine.columns.index(c) for c in case.columns]

    def __call__(self, rows):
        return np.array([self.engine.run(self.case.numeric(row))[:, self.where] for row in rows])


ENGINES = {"Tellurium loop": Tellurium, "ours": Ours, "COPASI": Copasi}


def errors(values, reference):
    """Return the largest relative error of each individual."""
    size = np.maximum(np.abs(reference), FLOOR * np.abs(reference).max(axis=1, keepdims=True))
    with np.errstate(invalid="ignore"):
        return np.nanmax(np.abs(values - reference) / np.where(size > 0, size, np.inf), axis=(1, 2))


def determined(case):
    """Return the case with the individuals that have a reference, an even number of them, and the reference."""
    reference = Ours(case, REFERENCE)(case.rows)
    [kept] = np.nonzero(errors(Ours(case, CHECKED)(case.rows), reference) <= GOAL / 10)
    kept = kept[: len(kept) // 2 * 2]
    return case.only(kept), reference[kept]


def loosest(kind, case, reference):
    """Return the first rung that reaches the goal, and its engine; None if none does."""
    for relative in LADDER:
        try:
            engine = kind(case, relative)
            reached = errors(engine(case.rows), reference).max()
        except (RuntimeError, mf.errors.MetaflammationError):
            continue
        if reached <= GOAL:
            return relative, engine
    return None


def patient(work):
    """Keep the work in this process, which gives up on no individual sooner than the other engines."""
    works.STEPS = LIMIT
    children.keep(work)


class TwoCores:
    """Two processes that were started beforehand; each takes half of the individuals again and again."""

    def __init__(self, case, relative):
        how = solver(relative, case.model.solver.maximum_order)
        subject = Subject(case.model.sbml, case.model.elements, how)
        size = len(case.rows) // 2
        work = Simulation(subject, case.draws, size, ((case.experiment, case.plan),), (), case.columns, curves=True)
        self.pool = ProcessPoolExecutor(2, initializer=patient, initargs=(work,))
        self(4)

    def __call__(self, times):
        for future in [self.pool.submit(executors.kept_batch, k % 2) for k in range(2 * times)]:
            if any(future.result().failures):
                raise RuntimeError(str(future.result().failures))

    def close(self):
        self.pool.shutdown(kill_workers=True)


def timed(engine, rows):
    """Return CPU and clock time of an individual in milliseconds."""
    cpu, clock = time.process_time(), time.perf_counter()
    engine(rows)
    return [1e3 * t / len(rows) for t in (time.process_time() - cpu, time.perf_counter() - clock)]


def measure(name, rounds, repeat):
    """Return the row of a model."""
    experiment, n = EXPERIMENTS[name]
    case, reference = determined(Case.of(name, experiment, n))
    found = {label: loosest(kind, case, reference) for label, kind in ENGINES.items()}
    rows = np.tile(case.rows, (repeat, 1))
    if found["ours"] is None:
        raise SystemExit(f"{name}: ours does not reach the goal on any rung")
    two = TwoCores(case, found["ours"][0])
    times = {label: [] for label in (*found, "two")}
    for _ in range(rounds):
        for label, each in found.items():
            if each:
                times[label].append(timed(each[1], rows))
        start = time.perf_counter()
        two(2 * repeat)
        times["two"].append([0.0, 1e3 * (time.perf_counter() - start) / (2 * len(rows))])
    two.close()
    return case, found, times


def row(name, rounds, repeat):
    """Return the cells of a model, and print them."""
    began = time.perf_counter()
    case, found, times = measure(name, rounds, repeat)
    individuals = f"{len(case.rows)} of {EXPERIMENTS[name][1]}"
    cells = [name, case.experiment, str(len(case.columns)), str(len(case.draws.names)), individuals]
    for label, each in found.items():
        middle = statistics.median(t[0] for t in times[label]) if each else None
        cells.append(f"{middle:.2f} ({each[0]:.0e})" if each else "goal not reached")
    ratios = [
        ratios_of(times, "Tellurium loop", "ours", 0),
        ratios_of(times, "Tellurium loop", "two", 1),
        ratios_of(times, "COPASI", "ours", 0),
    ]
    cells += [f"{statistics.median(r):.2f} ({min(r):.2f} to {max(r):.2f})" if r else "" for r in ratios]
    print(" | ".join(cells), f"[{time.perf_counter() - began:.0f} s, load {os.getloadavg()[0]:.1f}]", flush=True)
    return cells, [statistics.median(r) if r else float("nan") for r in ratios]


def ratios_of(times, other, ours, clock):
    """Return the ratio of times in each round; CPU time (0) or time by the clock (1)."""
    return [a[clock] / b[clock] for a, b in zip(times[other], times[ours], strict=True)] if times[other] else []


RATIOS, TIMES = (0, 1, 4, 8, 9, 10), (0, 2, 3, 5, 6, 7)
"""Cells of a row in either table of the page."""


def page(rows, rounds):
    """Return the page of the documentation."""
    packages = ("libroadrunner", "tellurium", "python-copasi", "numpy", "metaflammation")
    versions = ", ".join(f"{p} {version(p)}" for p in packages)
    head = ["model", "experiment", "states", "drawn", "individuals", *(f"{e} (tolerance)" for e in ENGINES)]
    head += ["Tellurium / ours, 1 core", "Tellurium / ours, 2 cores", "COPASI / ours, 1 core"]
    every = (head, ["---"] * len(head), *(cells for cells, _ in rows))
    ratios, times = ("\n".join(f"| {' | '.join(c[k] for k in kept)} |" for c in every) for kept in (RATIOS, TIMES))
    left = [name for name in EXPERIMENTS if name not in [c[0] for c, _ in rows]]
    without = f"Not measured in this run: {', '.join(left)}. " if left else ""
    middle = [np.exp(np.nanmean(np.log([r[k] for _, r in rows]))) for k in range(3)]
    return f"""# Speed

Written by `python benchmarks/ensembles.py`; {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores,
load {os.getloadavg()[0]:.1f} at the end, Python {platform.python_version()}; {versions}.

Engines take turns in {rounds} rounds, each at the loosest relative tolerance of a common ladder at which every state
variable of every individual is within 1e-5 of a tight reference at every output time; the absolute tolerance is 1e-12
everywhere. All engines put out all state variables at all output times of the experiment. The Tellurium loop reuses one
instance: `resetToOrigin`, `r[k] = v` for each parameter drawn, `reset`, `simulate`. COPASI is driven through its Python
binding with one instance, read-out of its series included.

On one core CPU time counts, because other programs may share the machine; two cores are compared by the clock, with
processes that were started beforehand, each of which is handed half of the individuals at a time. Ratios are medians
over the rounds, in brackets the smallest and largest; above 1 ours is faster. Individuals are left out for all engines
alike where two references, a factor of 10 apart in their tolerances, differ by more than 1e-6: in them the state at
rest goes on oscillating, and its phase after thousands of periods is nothing that any engine gets right.

{ratios}

{without}Geometric means: {middle[0]:.2f} on one core, {middle[1]:.2f} on two, {middle[2]:.1f} against COPASI.

Both integrate with libRoadRunner's CVODE. What ours saves on one core is work inside each step: libRoadRunner writes
assignment rules out in every rate that names them, and ours works out once for an individual what depends on constants
alone, to the same bits. A model without such rules (insulin_cascade) gains nothing but the set-up. Beyond that an
ensemble adds the second core, batches that can be resumed, and statistics in bounded memory.

Milliseconds for one individual on one core, median over the rounds, and the relative tolerance:

{times}
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=1, help="how often the individuals are run in a round")
    parser.add_argument("--model", action="append", choices=list(EXPERIMENTS))
    parser.add_argument("--output", type=Path, help="page to write, docs/benchmarks.md")
    asked = parser.parse_args()
    rows = [row(name, asked.rounds, asked.repeat) for name in asked.model or EXPERIMENTS]
    text = page(rows, asked.rounds)
    print(text)
    if asked.output:
        asked.output.write_text(text, "utf-8")
