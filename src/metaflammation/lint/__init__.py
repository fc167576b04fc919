"""Lint: what is wrong or missing in a model, by rules with reasons, and a score whose parts are explained."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from metaflammation.errors import DataError, unknown
from metaflammation.lint import general, network
from metaflammation.lint.rules import RULES
from metaflammation.lint.score import Part, parts, score
from metaflammation.lint.subject import SEVERITIES, Offence, Rule, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["RULES", "SEVERITIES", "Offence", "Part", "Report", "Rule", "Subject", "examine", "lint", "switched"]


def lint(subject: Subject) -> list[Offence]:
    """Return every offence of a document against the rules."""
    found = []
    for rule in applicable(subject):
        if rule.id == "LIBSBML":
            found += list(general.remarks(subject))
        else:
            found += [Offence(rule.id, rule.severity, element, message) for element, message in rule.offenders(subject)]
    return found


def applicable(subject: Subject) -> list[Rule]:
    """Return the rules that hold for a document."""
    return [r for r in RULES if subject.files or not r.catalogue]


@dataclass(frozen=True)
class Report:
    """What lint found in one document.

    Attributes
    ----------
    name : str
        The model, or the path of the file.
    level, version : int
        Of SBML.
    packages : tuple of str
        Packages that the document declares.
    sizes : dict
        How many compartments, species, parameters and reactions it has.
    findings : tuple of Offence
        Of the rules that are on.
    switched_off : tuple of (str, str, int)
        Rule, reason, and how many findings were left out for it.
    parts : tuple of Part
        Of the score; rules that are switched off count in it all the same.
    conserved : tuple of (str, float or None)
        Sums that no reaction changes, and their totals at the start in units of substance.
    rules : int
        How many rules were on.
    held_to_all : bool
        Whether the model is of a collection of our shape: there even ``info`` makes the answer negative.
    seconds : float
        How long it took.
    """

    name: str
    level: int
    version: int
    packages: tuple[str, ...]
    sizes: dict[str, int]
    findings: tuple[Offence, ...]
    switched_off: tuple[tuple[str, str, int], ...]
    parts: tuple[Part, ...]
    conserved: tuple[tuple[str, float | None], ...]
    rules: int
    held_to_all: bool
    seconds: float = field(compare=False)

    @property
    def score(self) -> float:
        """Return the weighted mean of the parts, in percent."""
        return score(self.parts)

    @property
    def negative(self) -> bool:
        """Return whether there are errors or warnings; for a model of a collection of our shape, anything at all."""
        return any(self.held_to_all or f.severity != "info" for f in self.findings)

    def count(self, severity: str) -> int:
        """Return the number of findings of a severity."""
        return sum(f.severity == severity for f in self.findings)

    def to_frame(self) -> pd.DataFrame:
        """Return the findings as a table.

        Returns
        -------
        pandas.DataFrame
            Columns rule, severity, element, message, line, code, category.
        """
        import pandas as pd

        columns = ["rule", "severity", "element", "message", "line", "code", "category"]
        return pd.DataFrame([[getattr(f, c) for c in columns] for f in self.findings], columns=columns)


def switched(off: Mapping[str, str]) -> dict[str, str]:
    """Return the rules that are switched off, checked.

    Raises
    ------
    DataError
        If there is no such rule, or no reason.
    """
    for rule, reason in off.items():
        name, colon, code = rule.partition(":")
        if name not in {r.id for r in RULES} or (colon and not (name == "LIBSBML" and code.isdigit())):
            raise DataError(unknown("rule", rule, (r.id for r in RULES)))
        if not isinstance(reason, str) or not reason.strip():
            raise DataError(f"rule {rule} is switched off without a reason; write {rule}=REASON")
    return {rule: reason.strip() for rule, reason in off.items()}


def examine(subject: Subject, off: Mapping[str, str] | None = None) -> Report:
    """Lint a document.

    Parameters
    ----------
    subject : Subject
        The document.
    off : mapping, optional
        Rule to the reason why it is switched off; ``LIBSBML:99505`` is one remark of libSBML.

    Raises
    ------
    ModelError
        If the text is not SBML, or cannot be read.
    DataError
        If ``off`` names no rule, or gives no reason.
    """
    begin = time.perf_counter()
    off = switched(off or {})
    # Before libSBML reads the document: what the screen refuses can crash it.
    _ = subject.outline
    found = lint(subject)
    model = subject.document.getModel()
    report = Report(
        name=subject.name,
        level=subject.level[0],
        version=subject.level[1],
        packages=subject.packages,
        sizes={
            "compartments": model.getNumCompartments(),
            "species": model.getNumSpecies(),
            "parameters": model.getNumParameters(),
            "reactions": model.getNumReactions(),
        },
        findings=tuple(f for f in found if not _named(f, off)),
        switched_off=tuple((rule, off[rule], sum(_named(f, {rule}) for f in found)) for rule in off),
        parts=parts(subject, found),
        conserved=tuple((str(m), m.total) for m in network.moieties(subject)),
        rules=len([r for r in applicable(subject) if r.id not in off]),
        held_to_all=subject.files is not None,
        seconds=0.0,
    )
    return replace(report, seconds=time.perf_counter() - begin)


def _named(finding: Offence, off: Mapping[str, str] | set[str]) -> bool:
    return finding.rule in off or f"{finding.rule}:{finding.code}" in off
