"""SBML derived from a model and one experiment: it starts equilibrated, and later periods are events."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from metaflammation import expectations, sbml
from metaflammation.engines import Plan
from metaflammation.errors import ExportError, unknown
from metaflammation.simulate import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from metaflammation.model import Model
    from metaflammation.records import Experiment
    from metaflammation.sbml import Element


ROUND_OFF = 1e-6
"""A variable that changes less than this, relative to its size, stays as it is."""

FEW = 12
"""Curves that one can tell apart."""


def document(model: Model, experiment: Experiment) -> str:
    """Return SBML that gives the curves of the experiment from one plain time course.

    The highest dose is taken from a series of doses.
    """
    import libsbml

    plan = _plan(model, experiment, grid=False)
    beginning = Plan(plan.initial, plan.equilibration, plan.phases[:1], (0.0,))
    start = dict(zip(model.engine().columns, model.engine().run(beginning)[0], strict=True))
    parsed = sbml.document(model.sbml, model.id)
    derived = parsed.getModel()
    minute = sbml.minute(model.sbml, model.id)
    for element, value in ({**plan.initial, **plan.phases[0].changes, **start}).items():
        derived.removeInitialAssignment(element)
        _set(derived, model, element, float(value))
    for number, (phase, period) in enumerate(zip(plan.phases[1:], experiment.timeline[1:], strict=True), start=2):
        event = _event(derived, f"period_{number}", phase.start * minute, phase.changes, model)
        event.setName(f"at {phase.start:g} min: {', '.join(period.conditions)}")
    note = (
        f"Derived from the model {model.id} for its experiment {experiment.id}: initial values are the equilibrated "
        f"state with the conditions of the first period, and later periods are events."
    )
    if experiment.doses:
        note += f" Of the doses of {experiment.doses.target} it holds the highest, {highest_dose(experiment)}."
    derived.appendNotes(f'<p xmlns="http://www.w3.org/1999/xhtml">{note}</p>')
    return str(libsbml.writeSBMLToString(parsed))


@dataclass(frozen=True)
class Derived:
    """An experiment as files tell it; what has to be simulated for it is simulated once."""

    model: Model
    experiment: Experiment

    @cached_property
    def document(self) -> str:
        """Return the SBML; see :func:`document`."""
        return document(self.model, self.experiment)

    @cached_property
    def shown(self) -> list[str]:
        """Return the variables worth a plot; see :func:`shown`."""
        return shown(self.model, self.experiment)


def duration(model: Model, experiment: Experiment) -> float:
    """Return the length of an experiment in the model's unit of time."""
    return experiment.duration * sbml.minute(model.sbml, model.id)


def highest_dose(experiment: Experiment) -> str:
    """Return the dose that the document of a series holds, with its unit; nothing for a single run."""
    return f"{experiment.doses.values[-1]:g} {experiment.doses.unit}" if experiment.doses else ""


def experiment(model: Model, name: str) -> Experiment:
    """Return a named experiment.

    Raises
    ------
    ExportError
        If the model has none of that name.
    """
    if name not in model.experiments:
        raise ExportError(f"{model.id}: {unknown('experiment', name, model.experiments)}")
    return model.experiments[name]


def moving(model: Model, experiment: Experiment | None) -> set[str]:
    """Return the variables that change in the course of an experiment; all of them without one."""
    engine = model.engine()
    if experiment is None:
        return set(engine.columns)
    values = engine.run(_plan(model, experiment))
    changes = values.max(axis=0) - values.min(axis=0) > ROUND_OFF * abs(values).max(axis=0)
    return {c for c, changes_here in zip(engine.columns, changes, strict=True) if changes_here}


def shown(model: Model, experiment: Experiment | None) -> list[str]:
    """Return the variables worth a plot: those that move and that expectations read, or else all that move.

    An expectation that reads more variables than one can tell apart, such as that the whole state returns, does not
    say which are worth it.
    """
    together = [{r.observable for r in expectations.readings(e.value)} for e in model.expectations.values()]
    read = {name for names in together if len(names) <= FEW for name in names}
    found = moving(model, experiment)
    chosen = found & read or found
    return [i for i in model.elements if i in chosen]


def by_unit(model: Model, names: Iterable[str]) -> dict[str, list[Element]]:
    """Return variables grouped by their unit, as text: what shares an axis."""
    groups: dict[str, list[Element]] = {}
    for name in names:
        element = model.elements[name]
        groups.setdefault(element.unit.label or "dimensionless", []).append(element)
    return groups


def _plan(model: Model, experiment: Experiment, *, grid: bool = True) -> Plan:
    dose = experiment.doses.values[-1] if experiment.doses else None
    return Protocol.of(experiment, model.conditions, dose).plan({}, grid=grid)


def _set(derived: Any, model: Model, element: str, value: float) -> None:
    item = derived.getElementBySId(element)
    if abs(value) < sys.float_info.min:
        # What has decayed for years; libSBML writes such numbers and refuses to read them.
        value = 0.0
    if model.elements[element].assigned:
        return
    if model.elements[element].kind == "species":
        code = item.setInitialAmount(value) if item.getHasOnlySubstanceUnits() else item.setInitialConcentration(value)
    elif model.elements[element].kind == "compartment":
        code = item.setSize(value)
    else:
        code = item.setValue(value)
    if code != 0:
        raise ExportError(f"{model.id}: libSBML refused the initial value of {element}")


def _event(derived: Any, name: str, start: float, changes: Mapping[str, float], model: Model) -> Any:
    import libsbml

    event = derived.createEvent()
    event.setId(name)
    event.setUseValuesFromTriggerTime(True)
    trigger = event.createTrigger()
    trigger.setInitialValue(True)
    trigger.setPersistent(True)
    unit = derived.getTimeUnits()
    trigger.setMath(libsbml.parseL3Formula(f"time >= {start!r} {unit}".strip()))
    for element, value in changes.items():
        item = derived.getElementBySId(element)
        if model.elements[element].kind == "parameter" and item.getConstant():
            item.setConstant(False)
        assignment = event.createEventAssignment()
        assignment.setVariable(element)
        assignment.setMath(libsbml.parseL3Formula(f"{value!r} {_unit_of(derived, item)}"))
    return event


def _unit_of(derived: Any, item: Any) -> str:
    """Return the id of a unit definition with the unit of an element: a bare number would be a finding of libSBML."""
    name = f"unit_of_{item.getId()}"
    if derived.getUnitDefinition(name) is None:
        definition = item.getDerivedUnitDefinition().clone()
        definition.setId(name)
        derived.addUnitDefinition(definition)
    return name
