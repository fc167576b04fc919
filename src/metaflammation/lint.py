"""Rules that keep the catalogue models clean; one literal list at the end says what runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from metaflammation import library, sbml, unit_checks, units
from metaflammation.errors import MetaflammationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from metaflammation.records import ParameterEvidence

LN2 = 0.6931471805599453
SOURCE_TOLERANCE = 0.02
"""How far a measured value may lie from its source value: sources give two significant digits."""


@dataclass(frozen=True)
class Subject:
    """What is linted: an SBML text and, for a catalogue model, its files."""

    name: str
    text: str
    files: library.ModelFiles | None = None

    @cached_property
    def elements(self) -> dict[str, sbml.Element]:
        """Return the elements of the model."""
        return sbml.elements(self.text, self.name)

    @cached_property
    def evidence(self) -> dict[str, ParameterEvidence]:
        """Return the evidence of each parameter; empty without files."""
        return self.files.parameters() if self.files else {}

    @property
    def collection(self) -> library.Collection | None:
        """Return the collection whose bibliography and identifiers count; None for the catalogue's."""
        return self.files.collection if self.files else None

    def constants(self) -> list[sbml.Element]:
        """Return the constant parameters."""
        return [e for e in self.elements.values() if e.kind == "parameter" and e.constant]


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes
    ----------
    id : str
        Stable name.
    title, reason : str
        What it asks, and why.
    offenders : callable
        Returns a text for each offence.
    catalogue : bool
        Whether it needs the tables of a catalogue model.
    """

    id: str
    title: str
    reason: str
    offenders: Callable[[Subject], Iterator[str]]
    catalogue: bool = False


@dataclass(frozen=True)
class Offence:
    """A place where a rule is broken."""

    rule: Rule
    where: str

    def __str__(self) -> str:
        return f"{self.rule.id}: {self.where}"


def lint(subject: Subject) -> list[Offence]:
    """Return every offence of a model against the rules."""
    rules = [r for r in RULES if subject.files or not r.catalogue]
    return [Offence(rule, where) for rule in rules for where in rule.offenders(subject)]


def _libsbml(subject: Subject) -> Iterator[str]:
    yield from (str(f) for f in sbml.findings(subject.text, subject.name))


def _units(subject: Subject) -> Iterator[str]:
    yield from unit_checks.unit_findings(subject.text, subject.name)


def _relative(subject: Subject) -> Iterator[str]:
    yield from unit_checks.relative_findings(subject.text, subject.name)


def _level3_version1(subject: Subject) -> Iterator[str]:
    try:
        down = sbml.to_level(subject.text, 3, 1, subject.name)
    except MetaflammationError as error:
        yield str(error)
        return
    yield from (str(f) for f in sbml.findings(down, subject.name))


def _names(subject: Subject) -> Iterator[str]:
    yield from (f"{e.kind} {e.id} has no display name" for e in subject.elements.values() if not e.name)
    seen: dict[str, str] = {}
    for e in subject.elements.values():
        if e.name and seen.setdefault(e.name, e.id) != e.id:
            yield f"{e.kind} {e.id} has the display name of {seen[e.name]}: {e.name!r}"


def _sbo(subject: Subject) -> Iterator[str]:
    yield from (f"{e.kind} {e.id} has no SBO term" for e in subject.elements.values() if not e.sbo)


def _miriam(subject: Subject) -> Iterator[str]:
    needed = [e for e in subject.elements.values() if e.kind in {"species", "compartment"}]
    yield from (f"{e.kind} {e.id} has no annotation" for e in needed if not e.resources)


URI = re.compile(r"https://identifiers\.org/(?P<curie>[A-Za-z][\w.-]*:[^\s/]+)")


def _seen(subject: Subject) -> Iterator[str]:
    table = library.seen_identifiers(subject.collection)
    for e in subject.elements.values():
        for _, uri in e.resources:
            match = URI.fullmatch(uri)
            if not match:
                yield f"{e.kind} {e.id}: {uri} is not of the form https://identifiers.org/prefix:accession"
            elif match["curie"] not in table:
                yield f"{e.kind} {e.id}: {match['curie']} stands in no row of annotations.tsv"


def _evidence(subject: Subject) -> Iterator[str]:
    constants = {e.id for e in subject.constants()}
    yield from (f"parameter {i} has no row in parameters.tsv" for i in sorted(constants - subject.evidence.keys()))
    yield from (
        f"parameters.tsv: {i} is no constant parameter of the model"
        for i in sorted(subject.evidence.keys() - constants)
    )


def _bounds(subject: Subject) -> Iterator[str]:
    for e in subject.constants():
        row = subject.evidence.get(e.id)
        if row and e.value is not None and not row.lower <= e.value <= row.upper:
            yield f"parameter {e.id}: {e.value:g} lies outside its bounds {row.lower:g} to {row.upper:g}"


def _sources(subject: Subject) -> Iterator[str]:
    keys = set(
        re.findall(r"(?m)^@\w+\{([^,\s]+)", library.bibliography(subject.files.collection if subject.files else None))
    )
    for row in subject.evidence.values():
        if row.source and row.source not in keys:
            yield f"parameter {row.id}: source {row.source} stands in no entry of references.bib"
    for citation in subject.files.metadata.citations if subject.files else ():
        if citation not in keys:
            yield f"metadata.toml: citation {citation} stands in no entry of references.bib"


def _source_values(subject: Subject) -> Iterator[str]:
    for e in subject.constants():
        row = subject.evidence.get(e.id)
        if row is None or row.source_value is None or row.source_unit is None:
            continue
        try:
            value = source_value(row, e.unit)
        except MetaflammationError as error:
            yield f"parameter {e.id}: {error}"
            continue
        if row.evidence == "measured" and abs(value / (e.value or 1.0) - 1) > SOURCE_TOLERANCE:
            source = f"{row.source_value:g} {row.source_unit}"
            yield f"parameter {e.id}: {e.value:g} {e.unit} is not the source's {source} ({value:.4g} {e.unit})"


def source_value(row: ParameterEvidence, unit: units.Unit) -> float:
    """Return the value that a source gives, in the model's unit; a time given for a rate constant is a half-life."""
    text = f"{row.source_value!r} {row.source_unit}"
    if unit.label == "1/min" and row.source_unit in {"second", "min", "hour", "day"}:
        return LN2 / units.minutes(text, row.id)
    return units.in_unit(text, unit, row.id)


def _model_units(subject: Subject) -> Iterator[str]:
    parsed = sbml.document(subject.text, subject.name)
    model = parsed.getModel()
    for what, wanted in (("Time", "min"), ("Substance", "nmol"), ("Extent", "nmol"), ("Volume", "l")):
        name = getattr(model, f"get{what}Units")()
        definition = model.getUnitDefinition(name)
        label = sbml.unit_of(definition).label if definition else sbml.base_unit(name).label
        if label != wanted:
            yield f"the model's unit of {what.lower()} is {label or 'not set'}, not {wanted}"


RULES = (
    Rule("LIBSBML", "libSBML has no remark", "A remark on units or practice is what a modeller meets first.", _libsbml),
    Rule("UNITS", "what is set has the unit of what sets it", "libSBML does not compare prefixes there.", _units),
    Rule("RELATIVE", "levels meet amounts only through a reference level", "A level is no concentration.", _relative),
    Rule("L3V1", "the model can be written as Level 3 Version 1", "Older readers know no Version 2.", _level3_version1),
    Rule(
        "NAME", "every element has a display name of its own", "COPASI shows names, and finds elements by them.", _names
    ),
    Rule("SBO", "every element has an SBO term", "Programs and pictures read the role of an element from it.", _sbo),
    Rule(
        "MIRIAM", "species and compartments are annotated", "An id alone does not say which protein is meant.", _miriam
    ),
    Rule("SEEN", "annotations were seen", "Identifiers written from memory are often wrong.", _seen, catalogue=True),
    Rule(
        "TIME",
        "units are minute, nmol and litre",
        "Models of different units do not compose cleanly.",
        _model_units,
        catalogue=True,
    ),
    Rule(
        "EVIDENCE",
        "every parameter has evidence",
        "A number without an origin cannot be judged.",
        _evidence,
        catalogue=True,
    ),
    Rule("BOUNDS", "values lie within their bounds", "The bounds say what is plausible.", _bounds, catalogue=True),
    Rule("SOURCE", "sources stand in the bibliography", "A key must lead to a paper.", _sources, catalogue=True),
    Rule(
        "VALUE",
        "measured values are their sources' values",
        "Unit conversion by hand goes wrong.",
        _source_values,
        catalogue=True,
    ),
)
"""The rules, in the order in which they are checked."""
