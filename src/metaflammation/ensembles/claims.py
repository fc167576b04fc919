"""The value of every expectation in each parameter set, from runs that expectations share."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from metaflammation.engines import columns_of
from metaflammation.ensembles.work import Part, Subject, digest, symbols
from metaflammation.errors import SimulationError
from metaflammation.expectations import evaluate, leaves, readings
from metaflammation.records import Conservation, LowestState, SteadyStateSpread
from metaflammation.runs import Runs
from metaflammation.simulate import Protocol as Course
from metaflammation.simulate import merge_conditions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metaflammation.engines import Plan
    from metaflammation.engines.batch import BatchEngine
    from metaflammation.ensembles.draws import Draws
    from metaflammation.records import Expectation, Experiment
    from metaflammation.sbml import Element

FAILED = "failed:"
"""Prefix of the column that says whether an expectation could not be evaluated, for want of a run. Where it was not
asked for, it did not fail, and its value is not a number."""


_here = threading.local()


@dataclass(frozen=True, eq=False)
class Curves:
    """The variables of one run that expectations read."""

    times: np.ndarray
    columns: Mapping[str, int]
    values: np.ndarray

    def curves(self, observables: Sequence[str]) -> np.ndarray:
        """Return variables as an array of shape (times, observables)."""
        return self.values[:, [self.columns[o] for o in observables]]


@dataclass(frozen=True, eq=False)
class Claims:
    """The expectations of a model, over many parameter sets.

    Attributes
    ----------
    subject : Subject
        The model.
    draws : Draws
        The parameter sets.
    size : int
        Sets in a batch.
    expectations : tuple of Expectation
        What is evaluated.
    experiments, conditions : mapping
        Those of the model; what is drawn stands in conditions by name.
    starts : int
        Expectations that simulate from many random starts are evaluated in so many sets, the first ones.
    """

    subject: Subject
    draws: Draws
    size: int
    expectations: tuple[Expectation, ...]
    experiments: Mapping[str, Experiment]
    conditions: Mapping[str, Mapping[str, Any]]
    starts: int

    @property
    def fingerprint(self) -> str:
        """Return what decides the numbers, as a hash: of an expectation its value, not the interval."""
        values = [(e.id, e.value) for e in self.expectations]
        protocols = [self.experiments, {n: dict(c) for n, c in self.conditions.items()}, self.starts]
        return digest(self.subject.sbml, self.subject.solver, values, protocols, *self.draws.joint.identity)

    def batch(self, number: int) -> Part:
        """Return the value of each expectation in each set of one batch."""
        start = number * self.size
        drawn = self.draws.rows(start, min(start + self.size, self.draws.n))
        columns = {n: drawn[:, k] for k, n in enumerate(self.draws.names)}
        values = {e.id: np.full(len(drawn), np.nan) for e in self.expectations}
        failed = {e.id: np.zeros(len(drawn), dtype=bool) for e in self.expectations}
        reasons: list[str | None] = []
        runs = self.runs()
        for row, individual in enumerate(drawn):
            runs.become(individual)
            reason = None
            for e in self.expectations:
                if not self.evaluated(e, start + row):
                    continue
                try:
                    with np.errstate(all="ignore"):
                        values[e.id][row] = evaluate(e.value, runs)
                except SimulationError as error:
                    failed[e.id][row] = True
                    reason = reason or str(error)
            reasons.append(reason)
        columns |= values | {f"{FAILED}{i}": f for i, f in failed.items()}
        return Part(start, columns, reasons)

    def evaluated(self, expectation: Expectation, individual: int) -> bool:
        """Return whether an expectation is evaluated in a set."""
        return individual < self.starts or not starts_itself(expectation)

    def nominal(self) -> dict[str, float | None]:
        """Return the value of each expectation with the model's own parameters, at the tolerances of this work.

        None where they cannot be simulated in the steps that a set may take.
        """
        runs = self.runs()
        runs.become(self.draws.nominal)
        found: dict[str, float | None] = {}
        for e in self.expectations:
            try:
                found[e.id] = evaluate(e.value, runs)
            except SimulationError:
                found[e.id] = None
        return found

    def runs(self) -> DrawnRuns:
        """Return the runs of this thread, the same for every batch."""
        if getattr(_here, "claims", None) is not self:
            _here.claims, _here.runs = self, DrawnRuns(self)
        found: DrawnRuns = _here.runs
        return found


def starts_itself(expectation: Expectation) -> bool:
    """Return whether an expectation simulates from many random starts."""
    return any(isinstance(leaf, SteadyStateSpread) for leaf in leaves(expectation.value))


class Valued(Protocol):
    """Something with a value to be evaluated."""

    @property
    def value(self) -> Any:
        """Return what is read."""
        ...


class Read(Protocol):
    """What :class:`DrawnRuns` needs to know."""

    @property
    def subject(self) -> Subject:
        """Return the model."""
        ...

    @property
    def draws(self) -> Draws:
        """Return the parameter sets."""
        ...

    @property
    def expectations(self) -> Sequence[Valued]:
        """Return all that is read."""
        ...

    @property
    def experiments(self) -> Mapping[str, Experiment]:
        """Return the experiments of the model."""
        ...

    @property
    def conditions(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the conditions of the model; what is drawn stands in them by name."""
        ...


class DrawnRuns(Runs):
    """Runs of one parameter set after the other; plans are worked out once, and only what is read is put out."""

    def __init__(self, claims: Read) -> None:
        subject = claims.subject
        self.batch: BatchEngine = subject.engine()
        # What starts at random states is no plan for many, and needs the tolerances of the model.
        super().__init__(subject.engine(exact=True), subject.elements, claims.experiments, claims.conditions)  # type: ignore[arg-type]
        self._claims = claims
        self._wanted = _wanted(claims.expectations, subject.elements)
        self._plans: dict[tuple[str, float | None, tuple[str, ...]], tuple[Plan, tuple[str, ...], np.ndarray]] = {}
        self._individual = np.empty(0)
        self._found: dict[Any, Curves | str] = {}

    def become(self, individual: np.ndarray) -> None:
        """Take another parameter set."""
        draws = self._claims.draws
        self._individual = individual
        self._found = {}
        value = dict(zip(draws.names, individual.tolist(), strict=True))
        self.base = {i: value[n] for i, n in symbols(draws).items()}

    def course(self, experiment: str, dose: float | None = None, under: tuple[str, ...] = ()) -> Any:
        """Return the run of an experiment, at a dose, under conditions that hold throughout.

        Raises
        ------
        SimulationError
            If it fails with these parameters.
        """
        key = experiment, dose, under
        if key not in self._found:
            self._found[key] = self._simulated(key)
        found = self._found[key]
        if isinstance(found, str):
            raise SimulationError(found)
        return found

    def plan(self, protocol: Course, held: Mapping[str, float]) -> Plan:
        """Return the plan of a protocol with drawn values by name."""
        return protocol.plan(held, base=symbols(self._claims.draws))

    def _simulated(self, key: tuple[str, float | None, tuple[str, ...]]) -> Curves | str:
        if key not in self._plans:
            experiment, dose, under = key
            protocol = Course.of(self.experiment(experiment), self.conditions, dose)
            held = merge_conditions(under, self.conditions, f"experiment {experiment}")
            plan = self.plan(protocol, held)
            wanted = tuple(sorted(self._wanted[""] | self._wanted.get(experiment, set())))
            self._plans[key] = plan, wanted, np.array(plan.times)
        plan, wanted, times = self._plans[key]
        found = self.batch.run_batch(plan, self._claims.draws.names, self._individual[None], wanted)
        if found.failures:
            return f"{key[0]}: {found.failures[0]}"
        return Curves(times, {o: k for k, o in enumerate(wanted)}, found.values[0])


def _wanted(expectations: Sequence[Valued], elements: Mapping[str, Element]) -> dict[str, set[str]]:
    """Return the variables that are read of each experiment; under an empty name those that are read of all."""
    wanted: dict[str, set[str]] = {"": set()}
    for e in expectations:
        for leaf in leaves(e.value):
            if isinstance(leaf, Conservation):
                wanted[""] |= set(leaf.species)
            elif isinstance(leaf, LowestState):
                wanted[""] |= {x.id for x in elements.values() if x.kind == "species"}
        for reading in readings(e.value):
            wanted.setdefault(reading.experiment, set()).add(reading.observable)
    known = set(columns_of(elements))
    return {experiment: names & known for experiment, names in wanted.items()}
