"""Composed models: whether the flat and the hierarchical form say the same."""

from __future__ import annotations

from typing import Any

from metaflammation import sbml


def differences(first: str, second: str) -> list[str]:
    """Return the elements, rules, laws and values that two documents state differently.

    A double underscore counts as a single one: libSBML and Antimony name the elements of submodels so.
    """
    one, other = _contents(first), _contents(second)
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


def _contents(text: str) -> dict[str, Any]:
    """Return what decides the dynamics of a model, by kind and id."""
    parsed = sbml.document(text, "SBML")
    model = parsed.getModel()
    stated: dict[str, Any] = {
        f"compartment {_plain(c.getId())}": (c.getSize(), c.getConstant()) for c in model.getListOfCompartments()
    }
    for s in model.getListOfSpecies():
        place = _plain(s.getCompartment()), s.getBoundaryCondition(), s.getSubstanceUnits()
        stated[f"species {_plain(s.getId())}"] = *place, _start(model, s, s.getInitialConcentration())
    for p in model.getListOfParameters():
        start = _start(model, p, p.getValue())
        stated[f"parameter {_plain(p.getId())}"] = _plain(p.getUnits()), p.getConstant(), start
    for a in model.getListOfInitialAssignments():
        stated[f"initial assignment {_plain(a.getSymbol())}"] = _formula(a)
    for r in model.getListOfRules():
        stated[f"{'rate' if r.isRate() else 'assignment'} rule {_plain(r.getVariable())}"] = _formula(r)
    for r in model.getListOfReactions():
        sides = [_side(x) for x in (r.getListOfReactants(), r.getListOfProducts(), r.getListOfModifiers())]
        stated[f"reaction {_plain(r.getId())}"] = sides, _formula(r.getKineticLaw())
    return stated


def _plain(name: str) -> str:
    return name.replace("__", "_")


def _formula(element: Any) -> str:
    import libsbml

    return _plain(libsbml.formulaToL3String(element.getMath()))


def _side(references: Any) -> list[tuple[str, float]]:
    return sorted((_plain(r.getSpecies()), getattr(r, "getStoichiometry", lambda: 1.0)()) for r in references)


def _start(model: Any, element: Any, value: float) -> float | None:
    name = element.getId()
    computed = model.getInitialAssignmentBySymbol(name) or model.getAssignmentRuleByVariable(name)
    return None if computed else value
