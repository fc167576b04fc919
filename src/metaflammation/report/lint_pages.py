"""What lint found as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from metaflammation.errors import MetaflammationError
from metaflammation.lint import RULES, SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metaflammation.lint import Offence, Report

SHOWN = 5
"""Findings of one kind that are written out in text, unless all are asked for."""

LONGEST = 160
"""Characters of a finding that are written out in text, unless all are asked for."""


def text(answers: list[Report | MetaflammationError], *, everything: bool = False, times: bool = False) -> str:
    """Return the reports for the terminal."""
    lines: list[str] = []
    for answer in answers:
        if isinstance(answer, MetaflammationError):
            continue
        lines.append(f"{answer.name}: {_about(answer)}")
        lines += [f"  {line}" for line in _findings(answer, everything=everything)]
        lines += [f"  off      {off}" for off in _off(answer)]
        lines += [f"  conserved: {sums}" for sums in _conserved(answer)]
        lines.append(f"  score {answer.score:.0f} of 100, the mean of these shares by their weights:")
        lines += [f"    weight {p.weight}: {p.fulfilled} of {p.total} {p.title}" for p in answer.parts]
        took = f", {answer.seconds:.2f} s" if times else ""
        lines.append(f"{answer.name}: {_total(answer)} by {answer.rules} rules{took}")
    return "\n".join([*lines, ""]) if lines else ""


def markdown(answers: list[Report | MetaflammationError]) -> str:
    """Return the reports as Markdown."""
    lines: list[str] = []
    for answer in answers:
        if isinstance(answer, MetaflammationError):
            lines += [f"Could not be read: {_cell(str(answer))}", ""]
            continue
        lines += [f"## {answer.name}", "", f"{_about(answer)}. {_total(answer)} by {answer.rules} rules.", ""]
        if answer.findings:
            lines += ["| severity | rule | element | line | what |", "| --- | --- | --- | --- | --- |"]
            lines += [
                f"| {f.severity} | {_rule(f)} | {_cell(f.element)} | {f.line or ''} | {_cell(f.message)} |"
                for f in answer.findings
            ]
            lines.append("")
        lines += [f"- switched off: {off}" for off in _off(answer)]
        lines += [f"- conserved: {sums}" for sums in _conserved(answer)]
        if answer.switched_off or answer.conserved:
            lines.append("")
        lines += [f"Score {answer.score:.0f} of 100.", ""]
        lines += ["| part | weight | counted | fulfil |", "| --- | ---: | ---: | ---: |"]
        lines += [f"| {p.title} | {p.weight} | {p.total} | {p.fulfilled} |" for p in answer.parts]
        lines.append("")
    return "\n".join(lines)


def as_json(answers: list[Report | MetaflammationError]) -> str:
    """Return the reports as JSON, with the rules and their reasons."""
    used = {f.rule for a in answers if not isinstance(a, MetaflammationError) for f in a.findings}
    rules = {r.id: {"title": r.title, "reason": r.reason} for r in RULES if r.id in used}
    listed = [
        {"error": str(a)} if isinstance(a, MetaflammationError) else {**asdict(a), "score": round(a.score, 2)}
        for a in answers
    ]
    return json.dumps({"rules": rules, "documents": listed}, indent=2, ensure_ascii=False) + "\n"


def _about(report: Report) -> str:
    sizes = ", ".join(f"{number} {what if number != 1 else _one(what)}" for what, number in report.sizes.items())
    packages = f" with {', '.join(report.packages)}" if report.packages else ""
    return f"SBML Level {report.level} Version {report.version}{packages}; {sizes}"


def _one(what: str) -> str:
    return what if what == "species" else what.removesuffix("s")


def _findings(report: Report, *, everything: bool) -> Iterator[str]:
    shown: Counter[tuple[str, int]] = Counter()
    kinds = Counter((f.rule, f.code) for f in report.findings)
    for finding in sorted(report.findings, key=lambda f: SEVERITIES.index(f.severity)):
        kind = finding.rule, finding.code
        shown[kind] += 1
        if everything or shown[kind] <= SHOWN:
            yield _finding(finding, everything=everything)
        if not everything and shown[kind] == SHOWN and kinds[kind] > SHOWN:
            yield f"{finding.severity:<8} {_rule(finding)}: and {kinds[kind] - SHOWN} more (--all shows them)"


def _finding(finding: Offence, *, everything: bool) -> str:
    line = f" (line {finding.line})" if finding.line else ""
    message = finding.message if everything or len(finding.message) <= LONGEST else f"{finding.message[:LONGEST]} ..."
    return f"{finding.severity:<8} {_rule(finding)}: {finding.element}{line}: {message}"


def _rule(finding: Offence) -> str:
    return f"{finding.rule}:{finding.code}" if finding.code else finding.rule


def _off(report: Report) -> Iterator[str]:
    for rule, reason, number in report.switched_off:
        yield f"{rule}: {number} finding{'' if number == 1 else 's'} left out, because: {reason}"


def _conserved(report: Report) -> Iterator[str]:
    for terms, total in report.conserved:
        yield terms if total is None else f"{terms} = {total:.6g}"


def _total(report: Report) -> str:
    number = len(report.findings)
    counts = [f"{report.count(s)} {s}{'' if s == 'info' or report.count(s) == 1 else 's'}" for s in SEVERITIES]
    told = f" ({', '.join(c for c in counts if not c.startswith('0 '))})" if number else ""
    return f"{number} finding{'' if number == 1 else 's'}{told}"


def _cell(content: str) -> str:
    return content.replace("|", "\\|").replace("\n", " ")
