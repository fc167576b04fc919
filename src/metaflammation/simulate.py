"""From experiments and changes to runs of an engine; steady states, scans and dose-responses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from metaflammation.engines import Phase, Plan
from metaflammation.errors import DataError, ModelError, SimulationError, unknown
from metaflammation.timecourse import TimeCourse
from metaflammation.units import QuantityLike, in_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metaflammation.engines import Engine
    from metaflammation.records import Experiment
    from metaflammation.sbml import Element

LONGEST_EQUILIBRATION = 1e7
"""Minutes (19 years) after which a model that still moves counts as having no steady state."""

DENSER = 10
"""How much finer the output grid is in the dense beginning of an experiment."""

STEADY = 1e-7
"""Largest relative change over a doubling of time that counts as steady."""


@dataclass(frozen=True)
class Protocol:
    """An experiment with its conditions resolved to numbers, in minutes and model units."""

    equilibration: float
    equilibration_changes: Mapping[str, float]
    phases: tuple[Phase, ...]
    duration: float
    points: int
    dense_until: float = 0.0
    maximum_order: int | None = None
    rest: float = 0.0

    @classmethod
    def of(
        cls, experiment: Experiment, conditions: Mapping[str, Mapping[str, float]], dose: float | None = None
    ) -> Protocol:
        """Return the protocol of a named experiment, or of one dose of it.

        Raises
        ------
        DataError
            If a condition does not exist, or a dose is given to an experiment without doses.
        """

        def merged(names: Iterable[str]) -> dict[str, float]:
            return merge_conditions(names, conditions, f"experiment {experiment.id}")

        phases = [Phase(p.start, merged(p.conditions)) for p in experiment.timeline]
        if experiment.doses and dose is not None:
            phases[0] = Phase(phases[0].start, {**phases[0].changes, experiment.doses.target: dose})
        elif (experiment.doses is None) != (dose is None):
            raise DataError(
                f"experiment {experiment.id}: {'takes no dose' if dose is not None else 'a dose is needed'}"
            )
        equilibration = experiment.equilibration
        return cls(
            equilibration.duration if equilibration else 0.0,
            merged(equilibration.conditions) if equilibration else {},
            tuple(phases),
            experiment.duration,
            experiment.points,
            experiment.dense_until,
            experiment.maximum_order,
            experiment.rest,
        )

    def plan(
        self,
        overrides: Mapping[str, float],
        times: Iterable[float] = (),
        *,
        base: Mapping[str, float] | None = None,
        grid: bool = True,
    ) -> Plan:
        """Return the run of an engine.

        An override replaces the value of an element wherever the protocol sets it; one that the protocol never sets
        holds throughout, equilibration included. A value of ``base`` stands for the model's own: the protocol wins
        over it, and begins after the time ``rest``. ``grid`` adds the output points of the protocol to ``times``.
        """
        equilibration = self.equilibration or (self.rest if base else 0.0)
        named = set(self.equilibration_changes).union(*(p.changes for p in self.phases))

        def overridden(changes: Mapping[str, float]) -> dict[str, float]:
            return {i: overrides.get(i, value) for i, value in changes.items()}

        initial = dict(base or {}) | {i: value for i, value in overrides.items() if i not in named}
        initial |= overridden(self.equilibration_changes if equilibration else self.phases[0].changes)
        points = {*times, *(p.start for p in self.phases)}
        if grid:
            points.update(np.linspace(0.0, self.duration, self.points))
            step = self.duration / (self.points - 1) / DENSER
            points.update(np.arange(0.0, self.dense_until, step))
        return Plan(
            initial=initial,
            equilibration=equilibration,
            phases=tuple(Phase(p.start, overridden(p.changes)) for p in self.phases),
            times=tuple(sorted({round(float(t), 9) for t in points})),
            maximum_order=self.maximum_order,
        )


def merge_conditions(
    names: Iterable[str], conditions: Mapping[str, Mapping[str, float]], where: str
) -> dict[str, float]:
    """Return the values that several conditions set together; a later one wins."""
    merged: dict[str, float] = {}
    for name in names:
        if name not in conditions:
            raise DataError(f"{where}: {unknown('condition', name, conditions)}")
        merged |= conditions[name]
    return merged


def settable(elements: Mapping[str, Element], changes: Mapping[str, QuantityLike] | None) -> dict[str, float]:
    """Return changes as numbers in model units.

    Raises
    ------
    ModelError
        If an element does not exist or is computed by the model.
    DataError
        If a value is no quantity or has the wrong dimension.
    """
    numbers = {}
    for element, value in (changes or {}).items():
        if element not in elements:
            raise ModelError(unknown("id", element, elements))
        if elements[element].assigned:
            raise ModelError(f"{element!r} is computed by the model and cannot be set; change what it is computed from")
        if elements[element].kind == "reaction":
            raise ModelError(f"{element!r} is a reaction and has no value to set; change a parameter of its rate law")
        numbers[element] = in_unit(value, elements[element].unit, element)
        if elements[element].kind in {"species", "compartment"} and numbers[element] < 0:
            raise DataError(f"{element}: {value} is negative")
    return numbers


def run(
    engine: Engine,
    elements: Mapping[str, Element],
    plan: Plan,
    origin: Mapping[str, object],
) -> TimeCourse:
    """Return the time course of one plan.

    Raises
    ------
    SimulationError
        If the engine fails, or a value is not finite.
    """
    values = engine.run(plan)
    data = pd.DataFrame(values, index=pd.Index(plan.times, name="time"), columns=_index(tuple(engine.columns)))
    if not np.isfinite(values).all():
        first = _first_not_finite(engine.columns, values)
        raise SimulationError(f"{engine.name}: {first} is not a finite number in the course of the simulation")
    columns = {c: elements[c] for c in data.columns}
    return TimeCourse(
        data,
        {i: e.unit.label for i, e in columns.items()},
        {i: e.name or i for i, e in columns.items()},
        {"engine": engine.name, **origin},
    )


@lru_cache
def _index(columns: tuple[str, ...]) -> pd.Index[str]:
    return pd.Index(columns)


def steady_state(engine: Engine, changes: Mapping[str, float]) -> pd.Series[float]:
    """Return the state that a simulation reaches under constant conditions.

    Raises
    ------
    SimulationError
        If the model still moves after ``LONGEST_EQUILIBRATION``.
    """
    duration = 1e4
    while duration <= LONGEST_EQUILIBRATION:
        plan = Plan(changes, 0.0, (Phase(0.0, {}),), (0.0, duration, 2 * duration))
        _, before, after = engine.run(plan)
        if not np.isfinite(after).all():
            raise SimulationError(
                f"no steady state: {_first_not_finite(engine.columns, after[None])} grows without bound"
            )
        scale = np.maximum(np.abs(after), 1e-6 * np.abs(after).max(initial=1e-300))
        if (np.abs(after - before) <= STEADY * scale).all():
            return pd.Series(after, index=list(engine.columns), name="value")
        duration *= 10
    worst = engine.columns[int(np.argmax(np.abs(after - before) / scale))]
    raise SimulationError(f"no steady state within {LONGEST_EQUILIBRATION:g} min: {worst} still moves")


def _first_not_finite(columns: Sequence[str], values: np.ndarray) -> str:
    return columns[int(np.argmin(np.isfinite(values).all(axis=0)))]


def numbers_in(values: Sequence[QuantityLike], element: Element) -> list[float]:
    """Return the values of a scan in the unit of the scanned element.

    Raises
    ------
    DataError
        If there is none, or one is no quantity of the right dimension.
    """
    if isinstance(values, str) or not isinstance(values, Iterable) or not (listed := list(values)):
        raise DataError(f"{element.id}: give a list of values to scan over")
    return [settable({element.id: element}, {element.id: v})[element.id] for v in listed]
