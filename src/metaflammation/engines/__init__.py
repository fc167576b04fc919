"""Simulation engines: each runs the same plan and returns the same array."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from metaflammation.errors import SimulationError, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from metaflammation.records import Solver
    from metaflammation.sbml import Element

ENGINES = ("roadrunner", "copasi")


@dataclass(frozen=True)
class Phase:
    """From ``start`` (min) on, the values in ``changes`` (id to value in model units) hold."""

    start: float
    changes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """One run, in model units and minutes.

    Attributes
    ----------
    initial : mapping
        Values set before initial assignments are evaluated, so that what is computed from them follows.
    equilibration : float
        Minutes simulated before time zero.
    phases : tuple of Phase
        In order, the first at time zero.
    times : tuple of float
        Output times, increasing; at the start of a phase the output shows its changes.
    maximum_order : int, optional
        Largest order of CVODE's method, where not that of the model.
    """

    initial: Mapping[str, float]
    equilibration: float
    phases: tuple[Phase, ...]
    times: tuple[float, ...]
    maximum_order: int | None = None

    def in_units_of(self, minute: float) -> Plan:
        """Return the plan with its times in another unit, of which ``minute`` make a minute."""
        if minute == 1.0:
            return self
        phases = tuple(Phase(p.start * minute, p.changes) for p in self.phases)
        times = tuple(t * minute for t in self.times)
        return replace(self, equilibration=self.equilibration * minute, phases=phases, times=times)

    def spans(self) -> list[tuple[Phase, float, list[float]]]:
        """Return each phase with its end and the output times within it."""
        ends = [p.start for p in self.phases[1:]] + [self.times[-1]]
        last = self.phases[-1]
        return [
            (phase, end, [t for t in self.times if phase.start <= t < end or (phase is last and t == end)])
            for phase, end in zip(self.phases, ends, strict=True)
        ]


class Engine(Protocol):
    """Runs plans on one model; a result never depends on what was run before."""

    name: str
    columns: tuple[str, ...]

    def run(self, plan: Plan) -> np.ndarray:
        """Return an array of shape (times, columns), concentrations and values in model units."""
        ...


def columns_of(elements: Mapping[str, Element]) -> tuple[str, ...]:
    """Return the ids of all variables: species, and parameters and compartments that are not constant."""
    return tuple(e.id for e in elements.values() if e.kind == "species" or (e.kind != "reaction" and not e.constant))


def keeping_concentrations(initial: Mapping[str, float], elements: Mapping[str, Element]) -> dict[str, float]:
    """Return initial values in which a change of a compartment leaves the concentrations in it as they are."""
    changed = {i for i in initial if elements[i].kind == "compartment"}
    kept = {e.id: e.value for e in elements.values() if e.compartment in changed and e.value is not None}
    return {**kept, **initial}


def only_throughout(plan: Plan, elements: Mapping[str, Element]) -> None:
    """Raise an error if a compartment changes in the course of a plan: amounts or concentrations would have to jump.

    Raises
    ------
    SimulationError
        If a phase changes a compartment to another value than the initial one.
    """
    for phase in plan.phases:
        for element, value in phase.changes.items():
            if elements[element].kind == "compartment" and plan.initial.get(element) != value:
                raise SimulationError(f"compartment {element} can only be set throughout: use overrides")


def load(name: str, sbml: str, elements: Mapping[str, Element], solver: Solver) -> Engine:
    """Return the engine of that name with the model compiled.

    Raises
    ------
    SimulationError
        If there is no such engine, it cannot load the model, or an element has no value.
    """
    without = next((e.id for e in elements.values() if e.value is not None and math.isnan(e.value)), None)
    if without is not None:
        raise SimulationError(f"{without} has no value: give it one in the model")
    if name == "roadrunner":
        from metaflammation.engines.roadrunner import RoadRunnerEngine

        return RoadRunnerEngine(sbml, elements, solver)
    if name == "copasi":
        from metaflammation.engines.copasi import CopasiEngine

        return CopasiEngine(sbml, elements, solver)
    raise SimulationError(unknown("engine", name, ENGINES))
