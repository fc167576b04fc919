"""Rules on what elements are said to be: SBO terms and MIRIAM annotations."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from metaflammation import sbml
from metaflammation.errors import missing
from metaflammation.lint.subject import Rule, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_WITH_SBO = (2, 2)
"""Level and version from which on elements can have SBO terms."""

FIRST_WITH_ANNOTATIONS = (2, 1)

ANNOTATED = ("compartment", "species")
"""Kinds of elements that are annotated: what they stand for lies outside of the model."""

BRANCHES = {
    "model": ("modelling framework or process", ("isModellingFramework", "isOccurringEntityRepresentation")),
    "functionDefinition": ("mathematical expression", ("isMathematicalExpression",)),
    "compartment": ("material entity", ("isMaterialEntity", "isPhysicalEntityRepresentation")),
    "species": ("material entity", ("isMaterialEntity", "isPhysicalEntityRepresentation")),
    "parameter": ("parameter", ("isQuantitativeParameter", "isSystemsDescriptionParameter")),
    "localParameter": ("parameter", ("isQuantitativeParameter", "isSystemsDescriptionParameter")),
    "initialAssignment": ("mathematical expression", ("isMathematicalExpression",)),
    "assignmentRule": ("mathematical expression", ("isMathematicalExpression",)),
    "rateRule": ("mathematical expression", ("isMathematicalExpression",)),
    "algebraicRule": ("mathematical expression", ("isMathematicalExpression",)),
    "constraint": ("mathematical expression", ("isMathematicalExpression",)),
    "reaction": ("process", ("isOccurringEntityRepresentation",)),
    "event": ("process", ("isOccurringEntityRepresentation",)),
    "kineticLaw": ("rate law", ("isRateLaw",)),
    "speciesReference": ("participant role", ("isParticipantRole",)),
    "modifierSpeciesReference": ("modifier", ("isModifier",)),
    "trigger": ("mathematical expression", ("isMathematicalExpression",)),
    "delay": ("mathematical expression", ("isMathematicalExpression",)),
    "priority": ("mathematical expression", ("isMathematicalExpression",)),
    "eventAssignment": ("mathematical expression", ("isMathematicalExpression",)),
}
"""The branch of the ontology from which the SBML specification lets each element take its term."""

LAST_TERM, OBSOLETE = 1000, "isObselete"
"""The highest number of a term that libSBML knows, and how it spells its test."""


def described(subject: Subject) -> Iterator[tuple[str, str, Any]]:
    """Return every element of core SBML: what it is called, its kind, and itself."""
    for prefix, model in subject.models:
        yield f"{prefix}model {model.getId()}".strip(), "model", model
        for item in model.getListOfAllElements():
            if item.getPackageName() == "core" and not item.getElementName().startswith("listOf"):
                yield f"{prefix}{_called(item)}", item.getElementName(), item


def _called(item: Any) -> str:
    if item.isSetIdAttribute():
        return f"{item.getElementName()} {item.getIdAttribute()}"
    named = next((getattr(item, get)() for get in ("getVariable", "getSymbol", "getSpecies") if hasattr(item, get)), "")
    if named:
        return f"{item.getElementName()} {named}"
    owner = item.getParentSBMLObject()
    while owner is not None and not owner.isSetIdAttribute():
        owner = owner.getParentSBMLObject()
    return f"{item.getElementName()} of {_called(owner)}" if owner is not None else str(item.getElementName())


@cache
def _known(term: int) -> bool:
    import libsbml

    tests = [t for t in dir(libsbml.SBO) if t.startswith("is")]
    return 0 <= term <= LAST_TERM and (term == 0 or any(getattr(libsbml.SBO, t)(term) for t in tests))


def fault(kind: str, term: int) -> str:
    """Return what is wrong with the SBO term of an element; empty if nothing is."""
    import libsbml

    name = f"SBO:{term:07d}"
    if not _known(term):
        return f"{name} is no term of the ontology"
    if getattr(libsbml.SBO, OBSOLETE)(term):
        return f"{name} is deprecated"
    branch, tests = BRANCHES.get(kind, ("", ()))
    if tests and not any(getattr(libsbml.SBO, t)(term) for t in tests):
        return f"{name} is of another branch than {branch}"
    return ""


def _sbo(subject: Subject) -> Iterator[tuple[str, str]]:
    if subject.level < FIRST_WITH_SBO:
        return
    yield from ((e, "has no SBO term") for e, _, item in subject.quantities() if not item.isSetSBOTerm())


def _terms(subject: Subject) -> Iterator[tuple[str, str]]:
    for element, kind, item in described(subject):
        wrong = fault(kind, item.getSBOTerm()) if item.isSetSBOTerm() else ""
        if wrong:
            yield element, wrong


def _miriam(subject: Subject) -> Iterator[tuple[str, str]]:
    if subject.level < FIRST_WITH_ANNOTATIONS:
        return
    for element, kind, item in subject.quantities():
        if kind in ANNOTATED and not any(True for _ in sbml.resources(item)):
            yield element, "has no annotation"


COLLECTION = re.compile(r"urn:miriam:([\w.]+):(.+)|https?://identifiers\.org/([\w.-]+)[:/](.+)")
"""The forms of identifiers.org, of any age. bioregistry's own reader takes what it does not know for a word of IDOT."""


@cache
def resolved(uri: str) -> tuple[str, str] | None:
    """Return the collection and the accession that an annotation names, in identifiers.org's forms of any age."""
    registry = _registry()
    old = COLLECTION.fullmatch(uri)
    if old:
        name, accession = old[1] or old[3], unquote(old[2] or old[4])
        prefix = registry.normalize_prefix(name) or registry.normalize_prefix(name.removeprefix("obo."))
        return (prefix, registry.standardize_identifier(prefix, accession)) if prefix else None
    prefix, accession = registry.parse_iri(unquote(uri))
    return (prefix, accession) if prefix else None


@cache
def misnamed(uri: str) -> str:
    """Return what is wrong with an annotation; empty if nothing is."""
    found = resolved(uri)
    if found is None:
        return f"{uri} names no collection of the registry"
    if not _registry().is_valid_identifier(*found):
        pattern = _registry().get_pattern(found[0])
        return f"{uri} is no accession of {found[0]}" + (f" (they look like {pattern})" if pattern else "")
    return ""


def _registry() -> Any:
    try:
        import bioregistry
    except ImportError:
        raise missing("bioregistry") from None

    return bioregistry


def statements(subject: Subject) -> Iterator[tuple[str, str]]:
    """Return every annotation: the element, and the URI."""
    for element, _, item in described(subject):
        yield from ((element, uri) for _, uri in sbml.resources(item))


def _accessions(subject: Subject) -> Iterator[tuple[str, str]]:
    for element, uri in statements(subject):
        wrong = misnamed(uri)
        if wrong:
            yield element, wrong


RULES = (
    Rule(
        "SBO",
        "every element has an SBO term",
        "Programs and pictures read the role of an element from it.",
        _sbo,
        severity="info",
    ),
    Rule(
        "SBOTERM",
        "SBO terms exist, are not deprecated, and fit their elements",
        "A term of another branch says that a species is a number, or a parameter a molecule.",
        _terms,
    ),
    Rule(
        "MIRIAM",
        "species and compartments are annotated",
        "An id alone does not say which protein is meant.",
        _miriam,
        severity="info",
    ),
    Rule(
        "ACCESSION",
        "annotations name a collection and an accession of its pattern",
        "An identifier that is mistyped leads nowhere, or to another molecule.",
        _accessions,
    ),
)
"""The rules, in the order in which they are checked."""
