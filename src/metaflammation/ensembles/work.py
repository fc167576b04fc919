"""What is done for each batch of individuals, wherever it is done."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from metaflammation.engines.batch import STEPS, BatchEngine, RoadRunnerBatch
from metaflammation.expectations import TIMES
from metaflammation.records import Solver, arm_id
from metaflammation.simulate import Protocol as Course
from metaflammation.statistics import OF_A_COURSE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from metaflammation.engines import Plan
    from metaflammation.ensembles.draws import Draws
    from metaflammation.ensembles.sketch import Sketch
    from metaflammation.sbml import Element


@dataclass(frozen=True)
class Part:
    """The result of one batch.

    Attributes
    ----------
    start : int
        Number of the first individual.
    columns : dict
        Name to array with one entry an individual; drawn parameters come first.
    failures : list of (str or None)
        Why an individual could not be simulated.
    sketches : dict
        Statistics of the curves, by run.
    curves : dict
        The curves themselves, by run, shape (individuals, times, observables), where they were asked for.
    """

    start: int
    columns: Mapping[str, np.ndarray]
    failures: Sequence[str | None]
    sketches: Mapping[str, Sketch] = field(default_factory=dict)
    curves: Mapping[str, np.ndarray] = field(default_factory=dict)


class Work(Protocol):
    """Work on individuals, batch by batch: what processes on this machine or another are handed."""

    @property
    def draws(self) -> Draws:
        """Return the individuals."""
        ...

    @property
    def size(self) -> int:
        """Return the number of individuals in a batch."""
        ...

    @property
    def fingerprint(self) -> str:
        """Return what decides the numbers, as a hash."""
        ...

    def batch(self, number: int) -> Part:
        """Return the result of one batch."""
        ...


@dataclass(frozen=True, eq=False)
class Subject:
    """A model without its files, as workers need it."""

    sbml: str
    elements: Mapping[str, Element]
    solver: Solver
    exact: Solver | None = None
    """Tolerances of the model itself, for what needs them."""

    def engine(self, *, exact: bool = False) -> BatchEngine:
        """Return the engine of this thread for this model, compiled once."""
        solver, steps = (self.exact, 2 * STEPS) if exact and self.exact else (self.solver, STEPS)
        kept: dict[Any, BatchEngine] = _here.__dict__.setdefault("engines", {})
        key = hash(self.sbml), solver, steps
        if key not in kept:
            if len(kept) >= ENGINES:
                kept.clear()
            kept[key] = RoadRunnerBatch(self.sbml, self.elements, solver, steps)
        return kept[key]


_here = threading.local()

ENGINES = 4
"""Compiled models that a worker keeps."""


def batches(draws: Draws, size: int) -> int:
    """Return the number of batches."""
    return -(-draws.n // size)


def digest(*parts: object) -> str:
    """Return the hash of texts, numbers and arrays."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return found.hexdigest()


def symbols(draws: Draws) -> dict[str, Any]:
    """Return the values of a plan that are drawn: each parameter of the model, and the name of its draw."""
    return {i: i for i in draws.in_model} | dict(draws.joint.twins)


@dataclass(frozen=True)
class Readout:
    """A statistic of one observable: ``final:testosterone``."""

    statistic: str
    observable: str

    def unit(self, elements: Mapping[str, Element]) -> str:
        """Return the unit of the number."""
        own = elements[self.observable].unit.label
        if self.statistic in TIMES:
            return "min"
        if self.statistic == "auc":
            return f"{own} min".strip()
        return "" if self.statistic in {"fold", "fall_from_max", "damping"} else own

    def __str__(self) -> str:
        return f"{self.statistic}:{self.observable}"


@dataclass(frozen=True, eq=False)
class Simulation:
    """The runs of one experiment, and what is read from them.

    Attributes
    ----------
    subject : Subject
        The model.
    draws : Draws
        The individuals.
    size : int
        Individuals in a batch.
    arms : tuple of (str, Plan)
        The runs: one, or one for each dose; drawn values stand in them by name.
    readouts : tuple of Readout
        What is kept of each run.
    observables : tuple of str
        Of these, curves are summarised, or kept.
    """

    subject: Subject
    draws: Draws
    size: int
    arms: tuple[tuple[str, Plan], ...]
    readouts: tuple[Readout, ...]
    observables: tuple[str, ...]
    statistics: bool = False
    curves: bool = False

    @property
    def fingerprint(self) -> str:
        """Return what decides the numbers, as a hash."""
        plans = [(name, _plain(plan)) for name, plan in self.arms]
        asked = self.readouts, self.observables, self.statistics, self.curves
        return digest(self.subject.sbml, self.subject.solver, plans, *self.draws.joint.identity, asked)

    def batch(self, number: int) -> Part:
        """Return the readouts of one batch, and its curves."""
        from metaflammation.ensembles.sketch import Sketch

        start = number * self.size
        drawn = self.draws.rows(start, min(start + self.size, self.draws.n))
        names = self.draws.names
        columns = {n: drawn[:, k] for k, n in enumerate(names)}
        wanted = tuple(dict.fromkeys([*(r.observable for r in self.readouts), *self.observables]))
        reasons: list[str | None] = [None] * len(drawn)
        sketches, kept = {}, {}
        for arm, plan in self.arms:
            found = self.subject.engine().run_batch(plan, names, drawn, wanted)
            for row, reason in found.failures.items():
                reasons[row] = reasons[row] or reason
            times = np.array(plan.times)
            for readout in self.readouts:
                read = OF_A_COURSE[readout.statistic]
                curve = found.values[:, :, wanted.index(readout.observable)]
                columns[self.column(readout, arm)] = _read(read, times, curve)
            if self.statistics or self.curves:
                some = found.values[:, :, [wanted.index(o) for o in self.observables]]
                good = np.isfinite(some).all(axis=(1, 2))
                sketch = Sketch.of(some[good]) if self.statistics else None
                if sketch:
                    sketches[arm] = sketch
                if self.curves:
                    kept[arm] = some
        return Part(start, columns, reasons, sketches, kept)

    def column(self, readout: Readout, arm: str) -> str:
        """Return the name of the column of a readout."""
        return str(readout) if len(self.arms) == 1 else f"{readout}@{arm}"


def _read(read: Callable[..., float], times: np.ndarray, curves: np.ndarray) -> np.ndarray:
    if read is OF_A_COURSE["final"]:
        return curves[:, -1].copy()
    return np.array([read(times, y) if np.isfinite(y).all() else np.nan for y in curves])


def _plain(plan: Plan) -> Any:
    phases = [(p.start, sorted(p.changes.items())) for p in plan.phases]
    return sorted(plan.initial.items()), plan.equilibration, phases, plan.times


def arms(
    experiment: Any,
    conditions: Mapping[str, Mapping[str, Any]],
    doses: Sequence[float | None],
    overrides: Mapping[str, Any],
    base: Mapping[str, Any],
) -> tuple[tuple[str, Plan], ...]:
    """Return the runs of an experiment with drawn values by name."""
    return tuple(
        (arm_id(experiment.id, dose), Course.of(experiment, conditions, dose).plan(overrides, base=base))
        for dose in doses
    )
