"""Rules for models with tables of evidence, sources and identifiers: of the catalogue, and of collections like it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from metaflammation import library, sbml, units
from metaflammation.errors import MetaflammationError
from metaflammation.lint import unit_checks
from metaflammation.lint.subject import Rule, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metaflammation.records import ParameterEvidence

LN2 = 0.6931471805599453
SOURCE_TOLERANCE = 0.02
"""How far a measured value may lie from its source value: sources give two significant digits."""


def _relative(subject: Subject) -> Iterator[tuple[str, str]]:
    yield from (("model", found) for found in unit_checks.relative_findings(subject.text, subject.name))


def _level3_version1(subject: Subject) -> Iterator[tuple[str, str]]:
    try:
        down = sbml.to_level(subject.text, 3, 1, subject.name)
    except MetaflammationError as error:
        yield "document", str(error)
        return
    yield from (("document", str(f)) for f in sbml.findings(down, subject.name))


URI = re.compile(r"https://identifiers\.org/(?P<curie>[A-Za-z][\w.-]*:[^\s/]+)")


def _seen(subject: Subject) -> Iterator[tuple[str, str]]:
    table = library.seen_identifiers(subject.collection)
    for e in subject.elements.values():
        for _, uri in e.resources:
            match = URI.fullmatch(uri)
            if not match:
                yield f"{e.kind} {e.id}", f"{uri} is not of the form https://identifiers.org/prefix:accession"
            elif match["curie"] not in table:
                yield f"{e.kind} {e.id}", f"{match['curie']} stands in no row of annotations.tsv"


def _evidence(subject: Subject) -> Iterator[tuple[str, str]]:
    constants = {e.id for e in subject.constants()}
    yield from ((f"parameter {i}", "has no row in parameters.tsv") for i in sorted(constants - subject.evidence.keys()))
    yield from (
        ("parameters.tsv", f"{i} is no constant parameter of the model")
        for i in sorted(subject.evidence.keys() - constants)
    )


def _bounds(subject: Subject) -> Iterator[tuple[str, str]]:
    for e in subject.constants():
        row = subject.evidence.get(e.id)
        if row and e.value is not None and not row.lower <= e.value <= row.upper:
            yield f"parameter {e.id}", f"{e.value:g} lies outside its bounds {row.lower:g} to {row.upper:g}"


def _sources(subject: Subject) -> Iterator[tuple[str, str]]:
    keys = set(
        re.findall(r"(?m)^@\w+\{([^,\s]+)", library.bibliography(subject.files.collection if subject.files else None))
    )
    for row in subject.evidence.values():
        if row.source and row.source not in keys:
            yield f"parameter {row.id}", f"source {row.source} stands in no entry of references.bib"
    for citation in subject.files.metadata.citations if subject.files else ():
        if citation not in keys:
            yield "metadata.toml", f"citation {citation} stands in no entry of references.bib"


def _source_values(subject: Subject) -> Iterator[tuple[str, str]]:
    for e in subject.constants():
        row = subject.evidence.get(e.id)
        if row is None or row.source_value is None or row.source_unit is None:
            continue
        try:
            value = source_value(row, e.unit)
        except MetaflammationError as error:
            yield f"parameter {e.id}", str(error)
            continue
        if row.evidence == "measured" and abs(value / (e.value or 1.0) - 1) > SOURCE_TOLERANCE:
            source = f"{row.source_value:g} {row.source_unit}"
            told = f"{e.value:g} {e.unit} is not the source's {source} ({value:.4g} {e.unit})"
            yield f"parameter {e.id}", told


def source_value(row: ParameterEvidence, unit: units.Unit) -> float:
    """Return the value that a source gives, in the model's unit; a time given for a rate constant is a half-life."""
    text = f"{row.source_value!r} {row.source_unit}"
    if unit.label == "1/min" and row.source_unit in {"second", "min", "hour", "day"}:
        return LN2 / units.minutes(text, row.id)
    return units.in_unit(text, unit, row.id)


def _model_units(subject: Subject) -> Iterator[tuple[str, str]]:
    parsed = sbml.document(subject.text, subject.name)
    model = parsed.getModel()
    for what, wanted in (("Time", "min"), ("Substance", "nmol"), ("Extent", "nmol"), ("Volume", "l")):
        name = getattr(model, f"get{what}Units")()
        definition = model.getUnitDefinition(name)
        label = sbml.unit_of(definition).label if definition else sbml.base_unit(name).label
        if label != wanted:
            yield "model", f"its unit of {what.lower()} is {label or 'not set'}, not {wanted}"


RULES = tuple(
    Rule(*rule, catalogue=True)
    for rule in (
        ("RELATIVE", "levels meet amounts only through a reference level", "A level is no concentration.", _relative),
        ("L3V1", "the model can be written as Level 3 Version 1", "Older readers know no Version 2.", _level3_version1),
        ("SEEN", "annotations were seen", "Identifiers written from memory are often wrong.", _seen),
        ("TIME", "units are minute, nmol and litre", "Models of different units do not compose cleanly.", _model_units),
        ("EVIDENCE", "every parameter has evidence", "A number without an origin cannot be judged.", _evidence),
        ("BOUNDS", "values lie within their bounds", "The bounds say what is plausible.", _bounds),
        ("SOURCE", "sources stand in the bibliography", "A key must lead to a paper.", _sources),
        ("VALUE", "measured values are their sources' values", "Unit conversion by hand goes wrong.", _source_values),
    )
)
"""The rules, in the order in which they are checked."""
