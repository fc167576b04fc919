"""The score of a document: parts that are counted, each with its weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaflammation.lint import general, network, terms, unit_checks
from metaflammation.sbml import CHECK_CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from metaflammation.lint.subject import Offence, Subject


UNIT_CATEGORY = "SBML unit consistency"
"""What libSBML calls its checks of units."""


@dataclass(frozen=True)
class Part:
    """One part of the score.

    Attributes
    ----------
    id, title : str
        What it is called, and what is counted.
    weight : int
        How much it counts.
    total, fulfilled : int
        How many there are, and how many are as they should be.
    """

    id: str
    title: str
    weight: int
    total: int
    fulfilled: int


def _checks(_: Subject, found: list[Offence]) -> tuple[int, int]:
    failed = {o.category for o in found if o.rule == "LIBSBML" and o.severity != "info"}
    return len(CHECK_CATEGORIES), max(len(CHECK_CATEGORIES) - len(failed), 0)


def _declared(subject: Subject, _: list[Offence]) -> tuple[int, int]:
    return _count(has for _, has in general.values(subject))


def _consistent(subject: Subject, found: list[Offence]) -> tuple[int, int]:
    formulas = [f"{prefix}{f}" for prefix, model in subject.models for f in unit_checks.compared(model)]
    unclear = {o.element for o in found if o.rule == "UNITS" or o.category == UNIT_CATEGORY}
    return _count(f not in unclear for f in formulas)


def _named(subject: Subject, _: list[Offence]) -> tuple[int, int]:
    return (0, 0) if subject.level[0] == 1 else _count(i.isSetName() for _, _, i in subject.quantities())


def _termed(subject: Subject, _: list[Offence]) -> tuple[int, int]:
    if subject.level < terms.FIRST_WITH_SBO:
        return 0, 0
    return _count(i.isSetSBOTerm() and not terms.fault(kind, i.getSBOTerm()) for _, kind, i in subject.quantities())


def _annotated(subject: Subject, _: list[Offence]) -> tuple[int, int]:
    if subject.level < terms.FIRST_WITH_ANNOTATIONS:
        return 0, 0
    needed = [element for element, kind, _ in subject.quantities() if kind in terms.ANNOTATED]
    sound = {element for element, uri in terms.statements(subject) if not terms.misnamed(uri)}
    return _count(element in sound for element in needed)


def _accessions(subject: Subject, _: list[Offence]) -> tuple[int, int]:
    return _count(not terms.misnamed(uri) for _, uri in terms.statements(subject))


def _connected(subject: Subject, _: list[Offence]) -> tuple[int, int]:
    return _count(used for listed in (network.orphans, network.unused) for _, used in listed(subject))


def _count(answers: Iterable[bool]) -> tuple[int, int]:
    listed = list(answers)
    return len(listed), sum(listed)


PARTS: tuple[tuple[str, str, int, Callable[[Subject, list[Offence]], tuple[int, int]]], ...] = (
    ("checks", "categories of libSBML's checks without error or warning", 3, _checks),
    ("units", "values with a unit", 2, _declared),
    ("consistency", "formulas whose units are consistent", 2, _consistent),
    ("names", "elements with a display name", 1, _named),
    ("terms", "elements with an SBO term that fits", 1, _termed),
    ("annotations", "species and compartments with a sound annotation", 2, _annotated),
    ("accessions", "annotations that name a collection and an accession of its pattern", 1, _accessions),
    ("use", "species and parameters that are used", 1, _connected),
)
"""Id, title, weight, and what counts: all of them, and those that are as they should be."""


def parts(subject: Subject, found: list[Offence]) -> tuple[Part, ...]:
    """Return the parts of the score that have something to count."""
    counted = [(name, title, weight, *count(subject, found)) for name, title, weight, count in PARTS]
    return tuple(Part(*part) for part in counted if part[3])


def score(found: Iterable[Part]) -> float:
    """Return the weighted mean of the shares, in percent; 100 if nothing can be counted."""
    listed = list(found)
    weight = sum(p.weight for p in listed)
    return 100 * sum(p.weight * p.fulfilled / p.total for p in listed) / weight if weight else 100.0
