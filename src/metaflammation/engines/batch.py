"""Engines for many individuals: the same plan for a batch of parameter sets.

An engine that integrates many individuals at once needs no more than :class:`BatchEngine`.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from metaflammation.engines import Plan, only_throughout
from metaflammation.engines.hoisting import hoisted
from metaflammation.engines.roadrunner import RoadRunnerEngine
from metaflammation.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from metaflammation.records import Solver
    from metaflammation.sbml import Element

STEPS = 50_000
"""Steps that the solver may take between two output points: one individual must not hold up all others."""

RUN = 5
"""How many times as many steps a run may take. The solver counts between output points: each has its share."""

FEW = 1_000
"""Steps between two output points after which a lower order is tried, with ten times as many. Twice as many are
always allowed, however many output points share those of a run."""

DAMPED = 2
"""The order that is tried: up to it CVODE's method damps every oscillation that the model damps. Above, one that is
weakly damped can go on as noise within the tolerances, in hundreds of times as many steps."""

HOPELESS = 2
"""A run is given up early if, as it went so far, it would take more than so many times the steps that it may take."""

FASTER = 1.2
"""It is not if, after five times as many steps, each went so many times as far: then an oscillation may settle."""

STOPS = {"steps": STEPS, "run": RUN, "few": FEW, "damped": DAMPED, "hopeless": HOPELESS, "faster": FASTER}
"""What decides, besides the tolerances, in which individuals a run comes to its end."""

PLANS = 4096
"""Plans that an engine keeps worked out."""


@dataclass(frozen=True)
class Batch:
    """The runs of one plan for several individuals.

    Attributes
    ----------
    values : numpy.ndarray
        Shape (individuals, times, columns), in model units; not a number in the rows of those that failed.
    failures : dict
        Row of each individual whose simulation failed, and the reason.
    """

    values: np.ndarray
    failures: Mapping[int, str] = field(default_factory=dict)


class BatchEngine(Protocol):
    """Runs one plan for a batch of individuals; a result never depends on what was run before, or on the batch.

    In a plan for a batch a value may be a text: the name of a column of ``draws``.

    Attributes
    ----------
    lanes : int
        How many individuals at once suit the engine best.
    """

    name: str
    lanes: int

    def run_batch(self, plan: Plan, names: Sequence[str], draws: np.ndarray, columns: Sequence[str]) -> Batch:
        """Return the runs.

        Parameters
        ----------
        plan : Plan
            What is simulated.
        names : sequence of str
            Names of the columns of ``draws``.
        draws : numpy.ndarray
            Shape (individuals, names), in model units.
        columns : sequence of str
            The variables that are wanted.
        """
        ...


class RoadRunnerBatch(RoadRunnerEngine):
    """libRoadRunner, one individual after the other in one instance.

    What depends on constants alone is worked out once for each individual, not at every step. Values are set through
    index arrays; only the variables wanted are put out; times and selections are worked out once for each plan. A run
    that takes many steps is tried at second order, and goes on as it began if that takes as many.
    """

    lanes = 1

    def __init__(self, sbml: str, elements: Mapping[str, Element], solver: Solver, steps: int = STEPS) -> None:
        # The solver's library prints what we keep as the reason of a failure; it looks here when it is set up.
        os.environ.setdefault("SUNLOGGER_ERROR_FILENAME", os.devnull)
        fast = hoisted(sbml)
        super().__init__(fast.sbml, elements, solver)
        self._most = steps
        self._limit_steps(steps)
        self._indices = {name: k for k, name in enumerate(self.rr.model.getGlobalParameterIds())}
        self._formulas = [self._indices[name] for name in fast.formulas]
        self._values = [self._indices[name] for name in fast.values]
        own = [e.id for e in elements.values() if e.kind == "parameter" and not e.assigned]
        self._settable = [self._indices[i] for i in own]
        self._own = self.rr.model.getGlobalParameterValues(self._settable)
        self._undone = {*own, *self.rr.model.getFloatingSpeciesIds()}
        self._clean = False
        self._prepared: dict[tuple[int, tuple[str, ...], tuple[str, ...]], _Prepared] = {}
        self._states: dict[tuple[str, int], list[float]] = {}
        self._unsettled: dict[tuple[str, int, int], RuntimeError] = {}
        self._of: bytes = b""
        self._selected: list[str] = []

    def run(self, plan: Plan) -> np.ndarray:
        """Return an array of shape (times, columns)."""
        self._selected = []
        self._clean = False
        self._limit_steps(self._most)
        with _silent():
            return super().run(plan)

    def run_batch(self, plan: Plan, names: Sequence[str], draws: np.ndarray, columns: Sequence[str]) -> Batch:
        """Return the runs of one plan; see :class:`BatchEngine`."""
        prepared = self._prepare(plan, tuple(names), tuple(columns))
        values = np.full((len(draws), len(plan.times), len(columns)), np.nan)
        failures = {}
        for row, individual in enumerate(draws):
            try:
                with _silent():
                    values[row] = self._one(prepared, individual)
            except (RuntimeError, SimulationError) as error:
                failures[row] = f"libRoadRunner: {' '.join(str(error).split())}"
                continue
            if not np.isfinite(values[row]).all():
                first = columns[int(np.argmin(np.isfinite(values[row]).all(axis=0)))]
                failures[row] = f"libRoadRunner: {first} is not a finite number"
                values[row] = np.nan
        return Batch(values, failures)

    def _prepare(self, plan: Plan, names: tuple[str, ...], columns: tuple[str, ...]) -> _Prepared:
        key = (id(plan), names, columns)
        if key not in self._prepared:
            if len(self._prepared) >= PLANS:
                self._prepared.clear()
            only_throughout(plan, self._elements)
            changed = {*plan.initial, *(i for phase in plan.phases for i in phase.changes)}
            self._prepared[key] = _Prepared(
                plan=plan,
                clean=changed <= self._undone and not self.rr.model.getNumEvents(),
                where={name: k for k, name in enumerate(names)},
                selections=["time", *(self._key(c) for c in columns)],
                spans=[_Span.of(*span) for span in plan.in_units_of(self._minute).spans()],
                plain=not any(self._elements[i].kind == "compartment" for i in plan.initial),
                arrays=[i for i in plan.initial if i in self._indices],
                others=[i for i in plan.initial if i not in self._indices],
                state=repr((plan.equilibration, sorted(plan.initial.items()))),
                steps=min(self._most, max(2 * FEW, RUN * self._most // len(plan.times))),
            )
        return self._prepared[key]

    def _limit_steps(self, steps: int) -> None:
        self.rr.integrator.maximum_num_steps = steps

    def _one(self, prepared: _Prepared, individual: np.ndarray) -> np.ndarray:
        order = prepared.plan.maximum_order or self._order
        ladder = [(order, FEW), (DAMPED, 10 * FEW), (order, 5 * FEW)]
        if order <= DAMPED:
            ladder = [(order, 2 * FEW), (order, 10 * FEW)]
        stopped = []
        for tried, steps in ladder:
            try:
                return self._attempt(prepared, individual, tried, steps)
            except _StepsError as error:
                if tried == order:
                    stopped.append(error)
        before, last = stopped
        if last.hopeless(before):
            raise last
        return self._attempt(prepared, individual, order, self._most)

    def _attempt(self, prepared: _Prepared, individual: np.ndarray, order: int, steps: int) -> np.ndarray:
        self._limit_steps(min(steps, self._most))
        initial = prepared.resolved(prepared.plan.initial, individual)
        plan = prepared.plan.in_units_of(self._minute)
        if not prepared.plain:
            self._clean = False
            self._begin(replace(plan, initial=initial, maximum_order=order))
        else:
            numbers = [self._indices[i] for i in prepared.arrays], [initial[i] for i in prepared.arrays]
            others = [(self._key(i), initial[i]) for i in prepared.others]
            self._limit_order(order)
            self._undo()
            self._clean = prepared.clean
            self._assign(numbers, others)
            self.rr.reset()
            self._assign(numbers, others)
            if plan.equilibration:
                self._settle(prepared, plan.equilibration, individual)
        self._limit_steps(min(steps, prepared.steps))
        if self._selected != prepared.selections:
            self.rr.timeCourseSelections = self._selected = prepared.selections
        rows = []
        for span in prepared.spans:
            self._set(prepared.resolved(span.changes, individual))
            if len(span.grid) == 1:
                rows.append(np.array([[self.rr[s] for s in prepared.selections[1:]]]))
            else:
                rows.append(np.array(self._simulate(span.grid, prepared.steps))[span.wanted, 1:])
        return rows[0] if len(rows) == 1 else np.vstack(rows)

    def _simulate(self, times: list[float], most: int) -> Any:
        """Simulate; most is the number of steps between two times that are worth while."""
        try:
            return self.rr.simulate(times=times)
        except RuntimeError as error:
            if "CV_TOO_MUCH_WORK" not in str(error):
                raise
            raise _StepsError(str(error), self.rr.integrator.maximum_num_steps, most, *self._way(times)) from None

    def _settled(self, duration: float) -> None:
        self._simulate([0.0, duration], self._most)

    def _way(self, times: list[float]) -> tuple[tuple[float, float], float]:
        """Return between which times the simulation stopped, and how far it came from the one to the other, 0 to 1."""
        now = float(self.rr.model.getTime())
        following = min(max(bisect_left(times, now), 1), len(times) - 1)
        start, end = times[following - 1 : following + 1]
        return (start, end), (now - start) / (end - start)

    def _undo(self) -> None:
        """Undo what earlier runs set, but for the state, which a reset undoes."""
        if not self._clean:
            self.rr.resetToOrigin()
        elif self._settable:
            self.rr.model.setGlobalParameterValues(self._settable, self._own)

    def _assign(self, numbers: tuple[list[int], list[float]], others: list[tuple[str, float]]) -> None:
        if numbers[0]:
            self.rr.model.setGlobalParameterValues(*numbers)
        for key, value in others:
            self.rr[key] = value
        self._follow()

    def _set(self, values: Mapping[str, float]) -> None:
        super()._set(values)
        self._follow()

    def _follow(self) -> None:
        """Bring what depends on constants alone up to date."""
        if self._values:
            model = self.rr.model
            model.setGlobalParameterValues(self._values, model.getGlobalParameterValues(self._formulas))

    def _settle(self, prepared: _Prepared, duration: float, individual: np.ndarray) -> None:
        """Take the equilibrated state, or the failure, from another plan of the same individual, or simulate it."""
        rr = self.rr
        if rr.model.getNumEvents():
            self._settled(duration)
            return
        of = individual.tobytes()
        if of != self._of:
            self._states.clear()
            self._unsettled.clear()
            self._of = of
        key = prepared.state, self._order_now
        if key not in self._states:
            limited = *key, rr.integrator.maximum_num_steps
            if limited in self._unsettled:
                raise self._unsettled[limited]
            try:
                self._settled(duration)
            except RuntimeError as error:
                self._unsettled[limited] = error
                raise
            self._states[key] = [rr[s] for s in self._state]
        rr.model.setTime(0.0)
        for s, value in zip(self._state, self._states[key], strict=True):
            rr[s] = value


class _StepsError(RuntimeError):
    """A simulation took all the steps that it was allowed, ``most`` being worth while, on a part of the way."""

    def __init__(self, message: str, taken: int, most: int, between: tuple[float, float], way: float) -> None:
        super().__init__(message)
        self.taken, self.most, self.between, self.way = taken, most, between, way

    def hopeless(self, before: _StepsError) -> bool:
        """Return whether more steps would not help, as far as an attempt with fewer of them tells."""
        if self.taken >= self.most:
            return True
        faster = self.between != before.between or self.way / self.taken > FASTER * before.way / before.taken
        return self.taken > HOPELESS * self.most * self.way and not faster


@contextmanager
def _silent() -> Iterator[None]:
    """Keep libRoadRunner from printing errors that it also raises."""
    import roadrunner

    level = roadrunner.Logger.getLevel()
    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
    try:
        yield
    finally:
        roadrunner.Logger.setLevel(level)


@dataclass(frozen=True)
class _Span:
    """A phase of a plan, with the grid of its simulation and which of its points are wanted."""

    changes: Mapping[str, Any]
    grid: list[float]
    wanted: np.ndarray

    @classmethod
    def of(cls, phase: Any, end: float, times: list[float]) -> _Span:
        grid = sorted({phase.start, *times, end})
        return cls(phase.changes, grid, np.isin(grid, times))


@dataclass(frozen=True)
class _Prepared:
    """A plan with all that does not depend on the individual worked out.

    A plan is ``plain`` if it sets no compartment, ``clean`` if it changes nothing but parameters and the state.
    """

    plan: Plan
    clean: bool
    where: Mapping[str, int]
    selections: list[str]
    spans: list[_Span]
    plain: bool
    arrays: list[str]
    others: list[str]
    state: str
    steps: int

    def resolved(self, values: Mapping[str, Any], individual: np.ndarray) -> dict[str, float]:
        """Return values with the names of draws replaced by those of one individual."""
        return {i: float(individual[self.where[v]]) if isinstance(v, str) else v for i, v in values.items()}
