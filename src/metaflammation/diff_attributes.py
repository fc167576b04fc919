"""What an SBML document says of its elements in attributes, notes and constraints, by the names that people use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from metaflammation import sbml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Facets = dict[str, str]

ELEMENTS = frozenset({"compartment", "species", "parameter", "reaction", "event", "model"})

TOLD = frozenset({
    "id", "metaid", "name", "sboTerm", "value", "size", "volume", "units", "substanceUnits", "initialConcentration",
    "initialAmount", "constant", "compartment", "reversible", "boundaryCondition", "hasOnlySubstanceUnits",
})  # fmt: skip
"""Attributes that are compared by what they mean: a value with its unit, a reaction with its arrow."""

DEFAULTS = {"fast": "false", "spatialDimensions": "3", "spatialSizeUnits": "", "useValuesFromTriggerTime": "true"}
"""What an attribute means where it is not written, as Level 2 allows."""

CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
PACKAGE = re.compile(r"\{http://www\.sbml\.org/sbml/level3/version1/(\w+)/version\d\}(\w+)")


def attributes(text: str, new: Callable[[str], str]) -> Iterator[tuple[tuple[str, str], Facets]]:
    """Return the further attributes and the notes of each element, by kind and id, under the ids that ``new`` gives."""
    from lxml import etree

    root = etree.fromstring(text.encode())
    core = root.tag.removesuffix("sbml")
    for kind in sorted(ELEMENTS):
        for element in root.iter(f"{core}{kind}"):
            name = element.get("id") or element.get("name") or ""
            identifier = "" if kind == "model" else new(name)
            facets = {_words(key): new(value) for key, value in element.attrib.items() if _further(key, value, kind)}
            trigger = element.find(f"{core}trigger") if kind == "event" else None
            if trigger is not None:
                facets |= {f"trigger {_words(key)}": value for key, value in trigger.attrib.items()}
            notes = element.find(f"{core}notes")
            if notes is not None:
                facets["notes"] = " ".join("".join(notes.itertext()).split())
            yield (kind, identifier), facets


def _further(key: str, value: str, kind: str) -> bool:
    if kind == "model":
        return key not in {"metaid", "sboTerm"}
    return key not in TOLD and DEFAULTS.get(key) != value


def _words(key: str) -> str:
    """Return an attribute's name as words: ``timeUnits`` is ``time units``, and one of a package names it."""
    package = PACKAGE.fullmatch(key)
    words = CAPITAL.sub(" ", package[2] if package else key).lower()
    return f"{words} ({package[1]})" if package else words


def document(text: str, where: str) -> Facets:
    """Return level, version and packages."""
    parsed = sbml.document(text, where)
    level = f"Level {parsed.getLevel()} Version {parsed.getVersion()}"
    return {"SBML": level, "packages": ", ".join(sbml.packages(parsed))}


def constraints(model: Any, formula: Callable[[Any], str]) -> Iterator[tuple[tuple[str, str], Facets]]:
    """Return what must hold while a model is simulated."""
    for number, constraint in enumerate(model.getListOfConstraints(), start=1):
        message = " ".join(re.sub(r"<[^>]*>", " ", constraint.getMessageString()).split())
        yield ("constraint", str(number)), {"rule": formula(constraint), "message": message}
