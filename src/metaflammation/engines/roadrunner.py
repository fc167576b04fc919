"""libRoadRunner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation.engines import columns_of
from metaflammation.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metaflammation.engines import Plan
    from metaflammation.sbml import Element
    from metaflammation.tables import Solver


class RoadRunnerEngine:
    """One compiled libRoadRunner instance that is reset to its origin before each run."""

    name = "roadrunner"

    def __init__(self, sbml: str, elements: Mapping[str, Element], solver: Solver) -> None:
        self.rr = load(sbml, solver)
        self.columns = columns_of(elements)
        self._species = {e.id for e in elements.values() if e.kind == "species"}
        self._selections = ["time", *(self._key(c) for c in self.columns)]

    def _key(self, element: str) -> str:
        return f"[{element}]" if element in self._species else element

    def _set(self, values: Mapping[str, float]) -> None:
        for element, value in values.items():
            self.rr[self._key(element)] = value

    def run(self, plan: Plan) -> np.ndarray:
        """Return an array of shape (times, columns)."""
        try:
            return self._run(plan)
        except RuntimeError as error:
            raise SimulationError(f"libRoadRunner: {' '.join(str(error).split())}") from None

    def _run(self, plan: Plan) -> np.ndarray:
        rr = self.rr
        # An event's changes of parameters and boundary species survive reset(); resetToOrigin() undoes all.
        rr.resetToOrigin()
        self._set(plan.initial)
        rr.reset()
        self._set(plan.initial)
        if plan.equilibration:
            rr.simulate(0, plan.equilibration, 2)
        rows = [self._span(phase.start, end, times, phase.changes) for phase, end, times in plan.spans()]
        return np.vstack(rows)

    def _span(self, start: float, end: float, times: list[float], changes: Mapping[str, float]) -> np.ndarray:
        self._set(changes)
        grid = sorted({start, *times, end})
        if len(grid) == 1:
            return np.array([[self.rr[s] for s in self._selections[1:]]])
        result = np.array(self.rr.simulate(times=grid, selections=self._selections))
        return result[np.isin(grid, times), 1:]


def load(sbml: str, solver: Solver) -> Any:
    """Return a ``roadrunner.RoadRunner`` with the model and the tolerances.

    Raises
    ------
    SimulationError
        If libRoadRunner refuses the model.
    """
    import roadrunner

    try:
        rr = roadrunner.RoadRunner(sbml)
    except RuntimeError as error:
        raise SimulationError(f"libRoadRunner cannot load the model: {' '.join(str(error).split())}") from None
    rr.integrator.relative_tolerance = solver.relative_tolerance
    rr.integrator.absolute_tolerance = solver.absolute_tolerance
    return rr
