"""Checks of units beyond libSBML's: prefixes where a value is set, and levels that are no concentrations."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from metaflammation import sbml

INCONSISTENT_SUM = 10501
"""libSBML's number for a sum or comparison of different units."""

TINY = 1e-12
"""Below this an exponent of a unit is zero."""

_Size = tuple[float, dict[str, float]]
"""A unit as its factor and its exponents of SI base units."""


def unit_findings(text: str, where: str = "SBML") -> list[str]:
    """Return where a rule, initial assignment or rate law has another unit than what it sets, prefixes included.

    Where a unit is not declared nothing is compared: that is a finding of libSBML.
    libSBML compares only dimensions there: a rate constant per day in a model in minutes is no finding of it.
    """
    parsed = sbml.document(text, where)
    model = parsed.getModel()
    time = _size(model.getUnitDefinition(model.getTimeUnits()))
    if time is None:
        return []

    def own(element: str) -> _Size | None:
        return _size(model.getElementBySId(element).getDerivedUnitDefinition())

    found = []
    for rule in model.getListOfRules():
        wanted = _over(own(rule.getVariable()), time) if rule.isRate() else own(rule.getVariable())
        if not _same(_size(rule.getDerivedUnitDefinition()), wanted):
            found.append(f"the rule of {rule.getVariable()} has another unit than {rule.getVariable()}")
    found += [
        f"the initial assignment of {a.getSymbol()} has another unit than what it sets"
        for a in model.getListOfInitialAssignments()
        if not _same(_size(a.getDerivedUnitDefinition()), own(a.getSymbol()))
    ]
    for reaction in model.getListOfReactions():
        if reaction.getKineticLaw() is None:
            continue
        law = _size(reaction.getKineticLaw().getDerivedUnitDefinition())
        for side in (*reaction.getListOfReactants(), *reaction.getListOfProducts()):
            species = model.getSpecies(side.getSpecies())
            amount = _size(model.getUnitDefinition(species.getSubstanceUnits() or model.getSubstanceUnits()))
            if not _same(law, _over(amount, time)):
                found.append(f"the rate law of {reaction.getId()} has another unit than {species.getId()} per time")
    return found


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
    return unit_findings(shadow, where) + sums


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


def _over(unit: _Size | None, other: _Size) -> _Size | None:
    if unit is None:
        return None
    exponents = Counter(unit[1])
    exponents.subtract(other[1])
    return unit[0] / other[0], {kind: e for kind, e in exponents.items() if abs(e) > TINY}


def _same(first: _Size | None, second: _Size | None) -> bool:
    if first is None or second is None:
        return True
    return first[1] == second[1] and math.isclose(first[0], second[0], rel_tol=1e-9)
