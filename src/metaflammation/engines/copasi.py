"""COPASI, through its Python binding."""

from __future__ import annotations

import weakref
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


class CopasiEngine:
    """Two COPASI data models: one evaluates the initial assignments, the other continues from a state."""

    name = "copasi"

    def __init__(self, sbml: str, elements: Mapping[str, Element], solver: Solver) -> None:
        self.columns = columns_of(elements)
        self._elements = elements
        self._minute = minute(sbml)
        self._knows_time = "http://www.sbml.org/sbml/symbols/time" in sbml
        self._origin = DataModel(sbml, elements, solver)
        self._continued = DataModel(_without_initial_assignments(sbml), elements, solver)
        computed = {e.id for e in elements.values() if e.assigned}
        self._settable = [i for i in self._continued.entities if i not in computed]

    def run(self, plan: Plan) -> np.ndarray:
        """Return an array of shape (times, columns)."""
        only_throughout(plan, self._elements)
        if self._knows_time and len(plan.phases) > 1:
            raise SimulationError("COPASI: a model that contains the time can only be run in one period")
        plan = plan.in_units_of(self._minute)
        origin, continued = self._origin, self._continued
        origin.restore()
        origin.set(plan.initial)
        # A value that was set wins over the initial assignment of the same element.
        state = origin.initial_state() | keeping_concentrations(plan.initial, self._elements)
        if plan.equilibration:
            continued.set({i: state[i] for i in self._settable})
            state, _ = continued.simulate(0.0, plan.equilibration, [], self.columns)
        rows = []
        for phase, end, times in plan.spans():
            continued.set({i: state[i] for i in self._settable} | dict(phase.changes))
            state, part = continued.simulate(phase.start, end, times, self.columns)
            rows.append(part)
        return np.vstack(rows)


class DataModel:
    """A COPASI data model whose entities go by their SBML ids.

    Attributes
    ----------
    handle : COPASI.CDataModel
        COPASI's own object; it is removed from COPASI when this one goes.
    """

    def __init__(self, sbml: str, elements: Mapping[str, Element], solver: Solver) -> None:
        import COPASI

        self._copasi = COPASI
        self.handle = COPASI.CRootContainer.addDatamodel()
        weakref.finalize(self, COPASI.CRootContainer.removeDatamodel, self.handle)
        if not self.handle.importSBMLFromString(sbml):
            raise SimulationError(f"COPASI cannot load the model: {COPASI.CCopasiMessage.getAllMessageText()}")
        self._model = self.handle.getModel()
        lists = (self._model.getCompartments(), self._model.getMetabolites(), self._model.getModelValues())
        self.entities = {e.getSBMLId(): e for group in lists for e in (group.get(n) for n in range(group.size()))}
        # COPASI counts in concentrations; a species that is meant as an amount is converted with its compartment.
        self._volume_of = {e.id: e.compartment for e in elements.values() if e.in_amounts}
        self._origin = self.initial_state()
        self._changed: set[str] = set()
        self._task = self.handle.getTask("Time-Course")
        self._task.setMethodType(COPASI.CTaskEnum.Method_deterministic)
        set_tolerances(self._task, solver)

    def set(self, values: Mapping[str, float]) -> None:
        """Set initial values; what initial assignments compute from them follows."""
        references = self._copasi.ObjectStdVector()
        for element, value in values.items():
            entity = self.entities[element]
            if hasattr(entity, "setInitialConcentration"):
                volume = self._volume_of.get(element)
                size = 1.0 if volume is None else values.get(volume, _initial(self.entities[volume]))
                entity.setInitialConcentration(value / size)
                references.append(entity.getInitialConcentrationReference())
            else:
                entity.setInitialValue(value)
                references.append(entity.getInitialValueReference())
        self._changed |= values.keys()
        self._model.updateInitialValues(references)

    def restore(self) -> None:
        """Undo every change since the model was loaded."""
        self.set({i: self._origin[i] for i in self._changed})
        self._changed.clear()

    def initial_state(self) -> dict[str, float]:
        """Return the initial value of every entity."""
        return self._amounts({i: _initial(e) for i, e in self.entities.items()})

    def _amounts(self, state: dict[str, float]) -> dict[str, float]:
        return state | {i: state[i] * state[volume] for i, volume in self._volume_of.items()}

    def simulate(
        self, start: float, end: float, times: list[float], columns: tuple[str, ...]
    ) -> tuple[dict[str, float], np.ndarray]:
        """Return the state at ``end`` and the rows of ``columns`` at ``times``."""
        copasi, task = self._copasi, self._task
        if end == start:
            state = self.initial_state()
            return state, np.array([[state[c] for c in columns] for _ in times]).reshape(len(times), len(columns))
        grid = sorted({start, *times, end})
        problem = task.getProblem()
        problem.setOutputStartTime(0.0)
        problem.setUseValues(True)
        # Each period starts at time zero: COPASI misreads output times where the initial time is another.
        problem.setValues(" ".join(repr(float(t - start)) for t in grid))
        problem.setDuration(end - start)
        problem.setTimeSeriesRequested(True)
        copasi.CCopasiMessage.clearDeque()
        if not task.initializeRaw(copasi.CCopasiTask.OUTPUT_UI) or not task.processRaw(True):
            raise SimulationError(f"COPASI: {' '.join(copasi.CCopasiMessage.getAllMessageText().split())}")
        state = self._amounts({i: _value(e) for i, e in self.entities.items()})
        series = task.getTimeSeries()
        ids = {series.getSBMLId(n, self.handle): n for n in range(series.getNumVariables())}
        rows = [grid.index(t) for t in times]
        part = np.empty((len(times), len(columns)))
        for k, column in enumerate(columns):
            if column in ids:
                values = np.array([series.getConcentrationData(row, ids[column]) for row in rows])
                part[:, k] = values * state.get(self._volume_of.get(column, ""), 1.0)
            else:
                part[:, k] = state[column]
        task.restore()
        return state, part


def set_tolerances(task: Any, solver: Solver) -> None:
    """Set the tolerances of COPASI's deterministic method."""
    method = task.getMethod()
    method.getParameter("Relative Tolerance").setDblValue(solver.relative_tolerance)
    method.getParameter("Absolute Tolerance").setDblValue(solver.absolute_tolerance)
    method.getParameter("Max Internal Steps").setUIntValue(1_000_000)


def _initial(entity: Any) -> float:
    if hasattr(entity, "getInitialConcentration"):
        return float(entity.getInitialConcentration())
    return float(entity.getInitialValue())


def _value(entity: Any) -> float:
    if hasattr(entity, "getConcentration"):
        return float(entity.getConcentration())
    return float(entity.getValue())


def _without_initial_assignments(text: str) -> str:
    import libsbml

    from metaflammation import sbml

    parsed = sbml.document(text, "model")
    parsed.getModel().getListOfInitialAssignments().clear(True)
    return str(libsbml.writeSBMLToString(parsed))
