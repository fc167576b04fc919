"""Rules for any document: libSBML's remarks, units and names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaflammation.lint.subject import Offence, Rule, Subject
from metaflammation.lint.unit_checks import unit_findings

if TYPE_CHECKING:
    from collections.abc import Iterator

LEVEL_WITHOUT_UNITS = 3
"""From this level on nothing has a unit by default."""

DIMENSIONS = {3: "Volume", 2: "Area", 1: "Length"}


def remarks(subject: Subject) -> Iterator[Offence]:
    """Return libSBML's remarks with the elements on whose lines they are."""
    severities = {"Fatal": "error", "Error": "error", "Warning": "warning"}
    for f in subject.findings:
        element = subject.outline.at(f.line)
        severity = severities.get(f.severity, "info")
        yield Offence("LIBSBML", severity, element, f.message, f.line, f.code, f.category)


def _remarks(subject: Subject) -> Iterator[tuple[str, str]]:
    yield from ((r.element, r.message) for r in remarks(subject))


def values(subject: Subject) -> Iterator[tuple[str, bool]]:
    """Return every element that has a value, and whether its unit is declared."""
    for prefix, model in subject.models:
        needed = model.getLevel() >= LEVEL_WITHOUT_UNITS
        for c in model.getListOfCompartments():
            dimensions = c.getSpatialDimensions()
            if dimensions in DIMENSIONS:
                own = c.isSetUnits() or getattr(model, f"isSet{DIMENSIONS[dimensions]}Units")()
                yield f"{prefix}compartment {c.getId()}", own or not needed
        for s in model.getListOfSpecies():
            own = s.isSetSubstanceUnits() or model.isSetSubstanceUnits()
            yield f"{prefix}species {s.getId()}", own or not needed
        for p in model.getListOfParameters():
            yield f"{prefix}parameter {p.getId()}", p.isSetUnits()
        for r in model.getListOfReactions():
            for p in local_parameters(r):
                yield f"{prefix}parameter {p.getId()} of reaction {r.getId()}", p.isSetUnits()
            if r.isSetKineticLaw():
                yield (
                    f"{prefix}reaction {r.getId()}",
                    not needed or (model.isSetExtentUnits() and model.isSetTimeUnits()),
                )


def local_parameters(reaction: Any) -> list[Any]:
    """Return the parameters of a reaction's own rate law."""
    law = reaction.getKineticLaw()
    return [] if law is None else [*law.getListOfParameters(), *law.getListOfLocalParameters()]


def _declared(subject: Subject) -> Iterator[tuple[str, str]]:
    yield from ((element, "has no unit") for element, has in values(subject) if not has)


def _units(subject: Subject) -> Iterator[tuple[str, str]]:
    for prefix, model in subject.models:
        yield from ((f"{prefix}{element}", message) for element, message in unit_findings(model))


def _names(subject: Subject) -> Iterator[tuple[str, str]]:
    if subject.level[0] == 1:
        return
    yield from ((element, "has no display name") for element, _, item in subject.quantities() if not item.isSetName())


def _same_names(subject: Subject) -> Iterator[tuple[str, str]]:
    seen: dict[tuple[str, ...], str] = {}
    for element, kind, item in subject.quantities():
        module = element.partition(": ")[0] if ": " in element else ""
        place = item.getCompartment() if kind == "species" else ""
        first = seen.setdefault((module, kind, place, item.getName()), item.getId())
        if item.isSetName() and first != item.getId():
            yield element, f"has the display name of {first}: {item.getName()!r}"


RULES = (
    Rule(
        "LIBSBML",
        "libSBML has no remark",
        "A remark on units or practice is what a modeller meets first. All eight categories of checks are on, and each "
        "remark has the severity that libSBML gives it.",
        _remarks,
    ),
    Rule(
        "UNIT",
        "every value has a unit",
        "A number without a unit cannot be compared or converted; from Level 3 on nothing has one by default.",
        _declared,
    ),
    Rule(
        "UNITS",
        "what is set has the unit of what sets it",
        "libSBML compares dimensions, not prefixes: a rate constant per day in a model in minutes is no remark of it.",
        _units,
    ),
    Rule(
        "NAME",
        "every element has a display name",
        "Programs show names, and readers do not guess what an id abbreviates.",
        _names,
        severity="info",
    ),
    Rule(
        "TWINS",
        "no two elements of a kind share a display name in one place",
        "COPASI finds elements by their names.",
        _same_names,
    ),
)
"""The rules, in the order in which they are checked."""
