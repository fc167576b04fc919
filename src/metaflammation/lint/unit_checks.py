"""Checks of units beyond libSBML's: prefixes where a value is set, and levels that are no concentrations."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from metaflammation import sbml

if TYPE_CHECKING:
    from collections.abc import Iterator

LEVEL_3 = 3
"""From this level on nothing has a unit by default."""

INCONSISTENT_SUM = 10501
"""libSBML's number for a sum or comparison of different units."""

TINY = 1e-12
"""Below this an exponent of a unit is zero."""

_Size = tuple[float, dict[str, float]]
"""A unit as its factor and its exponents of SI base units."""


def unit_findings(model: Any) -> list[tuple[str, str]]:
    """Return where a rule, initial assignment or rate law has another unit than what it sets, prefixes included.

    Where a unit is not declared nothing is compared: that is a finding of its own.
    libSBML compares only dimensions there: a rate constant per day in a model in minutes is no finding of it.
    """
    return list(_mismatches(model))


def compared(model: Any) -> Iterator[str]:
    """Return every formula that sets something, by what it is called."""
    yield from (_rule(r) for r in model.getListOfRules() if not r.isAlgebraic())
    yield from (f"initialAssignment {a.getSymbol()}" for a in model.getListOfInitialAssignments())
    yield from (f"reaction {r.getId()}" for r in model.getListOfReactions() if r.isSetKineticLaw())


def _rule(rule: Any) -> str:
    return f"{rule.getElementName()} {rule.getVariable()}"


def _mismatches(model: Any) -> Iterator[tuple[str, str]]:
    time = _named_size(model, model.getTimeUnits() or ("time" if model.getLevel() < LEVEL_3 else ""))
    for rule in model.getListOfRules():
        if rule.isAlgebraic():
            continue
        own = _own(model, rule.getVariable())
        if not _same(_told(rule), _over(own, time) if rule.isRate() else own):
            yield _rule(rule), f"has another unit than {rule.getVariable()}{' per time' if rule.isRate() else ''}"
    for assignment in model.getListOfInitialAssignments():
        if not _same(_told(assignment), _own(model, assignment.getSymbol())):
            yield f"initialAssignment {assignment.getSymbol()}", "has another unit than what it sets"
    for reaction in model.getListOfReactions():
        others = ", ".join(dict.fromkeys(_others(model, reaction, time)))
        if others:
            yield f"reaction {reaction.getId()}", f"its rate law has another unit than {others} per time"


def _own(model: Any, element: str) -> _Size | None:
    found = model.getElementBySId(element)
    return _size(found.getDerivedUnitDefinition()) if hasattr(found, "getDerivedUnitDefinition") else None


def _told(formula: Any) -> _Size | None:
    """Return the unit of a formula; None if something in it has none."""
    unclear = formula is None or not formula.isSetMath() or formula.containsUndeclaredUnits()
    return None if unclear else _size(formula.getDerivedUnitDefinition())


def _others(model: Any, reaction: Any, time: _Size | None) -> Iterator[str]:
    """Return the species of a reaction whose unit per time is not that of its rate law."""
    law = _told(reaction.getKineticLaw())
    for side in (*reaction.getListOfReactants(), *reaction.getListOfProducts()):
        species = model.getSpecies(side.getSpecies())
        if species is None or species.isSetConversionFactor() or model.isSetConversionFactor():
            continue
        default = "substance" if model.getLevel() < LEVEL_3 else ""
        amount = _named_size(model, species.getSubstanceUnits() or model.getSubstanceUnits() or default)
        if not _same(law, _over(amount, time)):
            yield species.getId()


def _named_size(model: Any, name: str) -> _Size | None:
    """Return the size of a unit by its id: of the model, of SBML's base units, or predefined in Level 2."""
    import libsbml

    if model.getUnitDefinition(name) is not None:
        return _size(model.getUnitDefinition(name))
    kind = libsbml.UnitKind_forName({"substance": "mole", "time": "second"}.get(name, name))
    if kind == libsbml.UNIT_KIND_INVALID:
        return None
    definition = libsbml.UnitDefinition(model.getLevel(), model.getVersion())
    unit = definition.createUnit()
    unit.initDefaults()
    unit.setKind(kind)
    return _size(definition)


def relative_findings(text: str, where: str = "SBML") -> list[str]:
    """Return where a level relative to basal meets a physical amount without a reference level between them.

    The unit of a level is formally a concentration, so libSBML sees nothing. Here a copy is checked in which the units
    whose id contains ``relative`` have a dimension of their own.
    """
    import libsbml

    parsed = sbml.document(text, where)
    for definition in parsed.getModel().getListOfUnitDefinitions():
        if "relative" in definition.getId():
            for unit in definition.getListOfUnits():
                if unit.getKind() == libsbml.UNIT_KIND_MOLE:
                    unit.setKind(libsbml.UNIT_KIND_CANDELA)
    shadow = str(libsbml.writeSBMLToString(parsed))
    sums = [f.message for f in sbml.findings(shadow, where) if f.code == INCONSISTENT_SUM]
    copy = sbml.document(shadow, where)
    return [f"{element}: {message}" for element, message in unit_findings(copy.getModel())] + sums


def _size(definition: Any) -> _Size | None:
    import libsbml

    if definition is None:
        return None

    factor, exponents = 1.0, Counter[str]()
    # Kept in a variable: a libSBML object dies with the one that owns it.
    converted = libsbml.UnitDefinition.convertToSI(definition)
    for unit in converted.getListOfUnits():
        exponent = unit.getExponentAsDouble()
        factor *= (unit.getMultiplier() * 10.0 ** unit.getScale()) ** exponent
        if unit.getKind() != libsbml.UNIT_KIND_DIMENSIONLESS:
            exponents[sbml.kind_of(unit)] += exponent
    return factor, {kind: e for kind, e in exponents.items() if abs(e) > TINY}


def _over(unit: _Size | None, other: _Size | None) -> _Size | None:
    if unit is None or other is None:
        return None
    exponents = Counter(unit[1])
    exponents.subtract(other[1])
    return unit[0] / other[0], {kind: e for kind, e in exponents.items() if abs(e) > TINY}


def _same(first: _Size | None, second: _Size | None) -> bool:
    if first is None or second is None:
        return True
    return first[1] == second[1] and math.isclose(first[0], second[0], rel_tol=1e-9)
