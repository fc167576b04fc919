"""Tables and the README of a PEtab problem."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from metaflammation.exchange.petab.fitted import Fitted

_TARGETS = """
Our fit also aims at {number} numbers that are no series, such as the time of a peak. PEtab cannot say them: this
problem lacks them, and its optimum is another one.
"""


def readme(fitted: Fitted, words: str, version: int) -> str:
    """Return the README of a problem: what it holds, and the words of its version."""
    problem, series = fitted.problem, {p.dataset for p in fitted.points}
    residuals = problem.scaled(problem.start)[0]
    targets = _TARGETS.format(number=len(problem.targets)) if problem.targets else ""
    held = f"""
    It holds what is fitted: {len(fitted.points)} measured points in {len(series)} series, with
    {len(fitted.parameters) - len(problem.nuisances)} kinetic parameters and {len(problem.nuisances)} scales and
    offsets. Measurements that are only compared with the model are not in it.

    At the nominal values the sum of squared residuals, in units of the noise and without priors, is
    {float(residuals @ residuals):.2f}.
    """
    title = fitted.model.metadata.title if fitted.model.metadata else fitted.model.id
    return lines(
        f"# PEtab problem: {title}",
        "",
        f"PEtab version {version}, written by metaflammation. Begin with `problem.yaml`.",
        "",
        *(
            textwrap.fill(" ".join(paragraph.split()), 100, initial_indent="- ", subsequent_indent="  ")
            for text in (held, targets, words)
            for paragraph in text.split("\n\n")
            if paragraph.strip()
        ),
    )


def lines(*texts: str) -> str:
    """Return lines as one text."""
    return "\n".join(texts) + "\n"


def table(columns: str, rows: Iterable[Sequence[object]]) -> str:
    """Return a table of tab-separated values; the columns are separated by spaces."""
    return lines("\t".join(columns.split()), *("\t".join(map(cell, row)) for row in rows))


def cell(value: object) -> str:
    """Return a number in as few digits as give it back, and text as it is."""
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)
