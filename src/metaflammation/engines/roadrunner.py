"""libRoadRunner."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation.engines import columns_of, keeping_concentrations, only_throughout
from metaflammation.errors import SimulationError
from metaflammation.sbml import minute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metaflammation.engines import Plan
    from metaflammation.records import Solver
    from metaflammation.sbml import Element

MAXIMUM_STEPS = 500_000
"""Steps that the solver may take between two output points."""

REMEMBERED = 256
"""Equilibrated states that are kept: doses of a series share theirs."""


class RoadRunnerEngine:
    """One compiled libRoadRunner instance that is reset to its origin before each run.

    ``rr`` is an instance that already holds the model, such as Tellurium's; without one the model is loaded.
    """

    name = "roadrunner"

    def __init__(self, sbml: str, elements: Mapping[str, Element], solver: Solver, rr: Any = None) -> None:
        self.rr = load(sbml) if rr is None else rr
        set_tolerances(self.rr, solver)
        self._order = self._order_now = solver.maximum_order
        self.columns = columns_of(elements)
        self._elements = elements
        self._minute = minute(sbml)
        self._concentrations = {e.id for e in elements.values() if e.kind == "species" and not e.in_amounts}
        self._selections = ["time", *(self._key(c) for c in self.columns)]
        moving = [e for e in elements.values() if e.kind != "reaction" and not e.constant and not e.assigned]
        self._state = [self._key(e.id) for e in moving]
        self._equilibrated: dict[tuple[Any, ...], list[float]] = {}

    def _key(self, element: str) -> str:
        return f"[{element}]" if element in self._concentrations else element

    def _set(self, values: Mapping[str, float]) -> None:
        for element, value in values.items():
            self.rr[self._key(element)] = value

    def run(self, plan: Plan) -> np.ndarray:
        """Return an array of shape (times, columns)."""
        only_throughout(plan, self._elements)
        plan = plan.in_units_of(self._minute)
        try:
            self._begin(plan)
            rows = [self._span(phase.start, end, times, phase.changes) for phase, end, times in plan.spans()]
        except RuntimeError as error:
            raise SimulationError(f"libRoadRunner: {' '.join(str(error).split())}") from None
        return np.vstack(rows)

    def begin(self, plan: Plan) -> None:
        """Bring the instance to time zero of a plan: equilibrated, the changes of the first phase made."""
        self._begin(plan.in_units_of(self._minute))
        self._set(plan.phases[0].changes)

    def _begin(self, plan: Plan) -> None:
        rr = self.rr
        self._limit_order(plan.maximum_order)
        # An event's changes of parameters and boundary species survive reset(); resetToOrigin() undoes all.
        rr.resetToOrigin()
        self._set(plan.initial)
        rr.reset()
        self._set(keeping_concentrations(plan.initial, self._elements))
        self._restore_assigned_concentrations(plan.initial)
        if plan.equilibration:
            self._equilibrate(plan)

    def _limit_order(self, maximum: int | None) -> None:
        if (maximum or self._order) != self._order_now:
            self._order_now = maximum or self._order
            self.rr.integrator.setValue("maximum_bdf_order", self._order_now)

    def _restore_assigned_concentrations(self, initial: Mapping[str, float]) -> None:
        """Undo that libRoadRunner turns initial assignments into amounts with the old size of a compartment."""
        for e in self._elements.values():
            size = self._elements[e.compartment].value if e.compartment in initial else None
            if size and e.value is None and not e.assigned and e.id not in initial and not e.in_amounts:
                self.rr[self._key(e.id)] *= initial[e.compartment] / size

    def _equilibrate(self, plan: Plan) -> None:
        """Take the state from an earlier equilibration that was the same, or simulate it."""
        rr = self.rr
        if rr.model.getNumEvents():
            # An event may change more than the state.
            self._settled(plan.equilibration)
            return
        key = (plan.equilibration, plan.maximum_order, *sorted(plan.initial.items()))
        if key not in self._equilibrated:
            self._settled(plan.equilibration)
            if len(self._equilibrated) >= REMEMBERED:
                self._equilibrated.clear()
            self._equilibrated[key] = [rr[s] for s in self._state]
        # Set in both cases, so that a run is the same to the last bit whether its equilibration was new or not.
        rr.model.setTime(0.0)
        for s, value in zip(self._state, self._equilibrated[key], strict=True):
            rr[s] = value

    def _settled(self, duration: float) -> None:
        self.rr.simulate(0, duration, 2)

    def _span(self, start: float, end: float, times: list[float], changes: Mapping[str, float]) -> np.ndarray:
        self._set(changes)
        grid = sorted({start, *times, end})
        if len(grid) == 1:
            return np.array([[self.rr[s] for s in self._selections[1:]]])
        result = np.array(self.rr.simulate(times=grid, selections=self._selections))
        return result[np.isin(grid, times), 1:]


def load(sbml: str) -> Any:
    """Return a ``roadrunner.RoadRunner`` with the model.

    Raises
    ------
    SimulationError
        If libRoadRunner refuses the model.
    """
    import roadrunner

    # CVODE prints every first step below the resolution of a late time to standard output, amid what a command writes.
    os.environ.setdefault("SUNLOGGER_WARNING_FILENAME", os.devnull)
    try:
        return roadrunner.RoadRunner(sbml)
    except RuntimeError as error:
        raise SimulationError(f"libRoadRunner cannot load the model: {' '.join(str(error).split())}") from None


def set_tolerances(rr: Any, solver: Solver) -> None:
    """Set tolerances, the largest order and the step limit of an instance."""
    rr.integrator.relative_tolerance = solver.relative_tolerance
    rr.integrator.absolute_tolerance = solver.absolute_tolerance
    rr.integrator.setValue("maximum_bdf_order", solver.maximum_order)
    # The default of 20 000 steps a call stops long equilibrations of oscillating models.
    rr.integrator.maximum_num_steps = MAXIMUM_STEPS
