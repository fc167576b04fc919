"""The SBML of a PEtab problem: the model with what the problem adds to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaflammation import sbml
from metaflammation.errors import ExportError
from metaflammation.measurements import BASAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from metaflammation.exchange.petab.fitted import Fitted

IN_RUN = "_in_run"
"""Ending of the id with which the model computes where a parameter is a number in some runs and estimated in others."""

DURATION = "duration_of_equilibration"
"""Version 1: the parameter that says when the experiment begins."""


@dataclass(frozen=True)
class Mixed:
    """A quantity as plain parameters: a number, and for each estimated parameter a share that is one or zero."""

    number: str
    shares: Mapping[str, str]

    @classmethod
    def of(cls, number: str, stem: str, values: Iterable[float | str]) -> Mixed:
        """Return the parts of a quantity that takes these values: numbers, or ids of estimated parameters."""
        return cls(number, {p: f"{stem}_share_of_{p}" for p in sorted({v for v in values if isinstance(v, str)})})

    @property
    def formula(self) -> str:
        """Return the sum of the parts."""
        return " + ".join([self.number, *(f"{share}*{p}" for p, share in self.shares.items())])

    def values(self, value: float | str) -> dict[str, float]:
        """Return what the parameters are where the quantity is a number or an estimated parameter."""
        shares = {share: float(p == value) for p, share in self.shares.items()}
        return {self.number: 0.0 if isinstance(value, str) else value, **shares}


class Document:
    """The model's SBML with what the problem adds to it."""

    def __init__(self, fitted: Fitted) -> None:
        self._fitted = fitted
        self._elements = fitted.model.elements
        self._document = sbml.document(fitted.model.sbml, fitted.model.id)
        self._model = self._document.getModel()
        self._together: dict[str, str] = {}
        for basal in fitted.basal():
            self.parameter(basal, 0.0, like=basal.removeprefix(BASAL), moves=True)

    def text(self, version: int) -> str:
        """Return the SBML text."""
        import libsbml

        for variable, formula in self._together.items():
            rule = self._model.createAssignmentRule()
            rule.setVariable(variable)
            rule.setMath(libsbml.parseL3Formula(formula))
        note = f"Derived from the model {self._model.getId()} for PEtab {version}: the README beside it says how."
        self._model.appendNotes(f'<p xmlns="http://www.w3.org/1999/xhtml">{note}</p>')
        return str(libsbml.writeSBMLToString(self._document))

    def parameter(
        self, new: str, value: float, *, like: str = "", unit: str = "dimensionless", moves: bool = False
    ) -> None:
        """Add a parameter, with the unit of an element or another one."""
        if self._model.getElementBySId(new) is not None:
            raise ExportError(f"{self._model.getId()}: has an element {new}, an id that the PEtab problem needs")
        item = self._model.createParameter()
        item.setId(new)
        item.setValue(value)
        item.setConstant(not moves)
        item.setUnits(self._unit(like) if like else unit)

    def initial(self, target: str) -> float:
        """Return the value that an element has at the beginning where no condition sets it."""
        if self._model.getInitialAssignmentBySymbol(target) is not None:
            raise ExportError(f"{target}: only some runs set it, and its initial value is computed in the others")
        if self._elements[target].kind == "parameter":
            return float(self._model.getParameter(target).getValue())
        return self._elements[target].value or 0.0

    def is_state(self, target: str) -> bool:
        """Return whether an element is a species, or a parameter that a rule moves."""
        return self._elements[target].kind == "species" or self._model.getRuleByVariable(target) is not None

    def mixed(self, target: str, values: Iterable[float | str]) -> Mixed:
        """Return the parts of a parameter; where there are several, the model puts them together under a new id."""
        estimated = target in self._fitted.parameters
        mixed = Mixed.of(f"{target}_fixed" if estimated else target, target, values)
        if not estimated and not mixed.shares:
            return mixed
        if any(a.getVariable() == target for e in self._model.getListOfEvents() for a in e.getListOfEventAssignments()):
            raise ExportError(f"{target}: conditions and an event of the model set it, which PEtab cannot say")
        self.add(mixed, target, target)
        for item in self._formulas():
            item.renameSIdRefs(target, target + IN_RUN)
        self.parameter(target + IN_RUN, 0.0, like=target, moves=True)
        self._together[target + IN_RUN] = mixed.formula
        return mixed

    def _formulas(self) -> Iterator[Any]:
        """Return what holds formulas. libSBML's list of all elements holds None once libSEDML is loaded."""
        yield from self._model.getListOfRules()
        yield from self._model.getListOfInitialAssignments()
        yield from (r.getKineticLaw() for r in self._model.getListOfReactions() if r.isSetKineticLaw())
        for event in self._model.getListOfEvents():
            yield from filter(None, (event.getTrigger(), event.getDelay(), event.getPriority()))
            yield from event.getListOfEventAssignments()

    def has_events(self) -> bool:
        """Return whether the model has events; to be asked before the problem adds its own."""
        return bool(self._model.getNumEvents())

    def reads_time(self) -> bool:
        """Return whether a formula of the model reads the time."""
        return any("symbols/time" in item.toSBML() for item in self._formulas())

    def add(self, mixed: Mixed, target: str, value: str = "") -> None:
        """Add the parameters of a mixed quantity that is of the kind of ``target`` and stands for ``value``."""
        values = mixed.values(value)
        if mixed.number != target:
            self.parameter(mixed.number, 0.0, like=target)
        for estimated, share in mixed.shares.items():
            self.parameter(share, values[share])
            if self._model.getElementBySId(estimated) is None:
                self.parameter(estimated, self._fitted.parameters[estimated].value, like=target)

    def assign_initially(self, target: str, formula: str) -> None:
        """Let a formula give the initial value of an element."""
        import libsbml

        self._model.removeInitialAssignment(target)
        assignment = self._model.createInitialAssignment()
        assignment.setSymbol(target)
        assignment.setMath(libsbml.parseL3Formula(formula))

    def begin(self, assignments: Mapping[str, str]) -> None:
        """Add the event that begins the experiment."""
        import libsbml

        self.parameter(DURATION, 0.0, unit=self._model.getTimeUnits())
        event = self._model.createEvent()
        event.setId("beginning_of_the_experiment")
        event.setUseValuesFromTriggerTime(True)
        trigger = event.createTrigger()
        trigger.setInitialValue(True)
        trigger.setPersistent(True)
        trigger.setMath(libsbml.parseL3Formula(f"time >= {DURATION}"))
        for variable, formula in assignments.items():
            self._model.getElementBySId(variable).setConstant(False)
            assignment = event.createEventAssignment()
            assignment.setVariable(variable)
            assignment.setMath(libsbml.parseL3Formula(formula))

    def unname(self, ids: Iterable[str]) -> None:
        """Remove display names: by those COPASI's importer would look for the parameters."""
        for item in map(self._model.getElementBySId, ids):
            if item is not None:
                item.unsetName()

    def _unit(self, element: str) -> str:
        item = self._model.getElementBySId(element)
        if self._elements[element].kind == "parameter":
            return str(item.getUnits())
        name = f"unit_of_{element}"
        if self._model.getUnitDefinition(name) is None:
            definition = item.getDerivedUnitDefinition().clone()
            definition.setId(name)
            self._model.addUnitDefinition(definition)
        return name
