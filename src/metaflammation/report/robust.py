"""In which share of plausible parameter sets each expectation holds, from a file that ensembles write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaflammation import tables

if TYPE_CHECKING:
    from metaflammation.library import ModelFiles

FILE = "robustness.tsv"
COLUMNS: dict[str, type] = {
    "expectation": str, "spread": str, "sets": float, "holding": float, "share": float, "lower": float, "upper": float,
    "broken_by": str,
}  # fmt: skip


@dataclass(frozen=True)
class Share:
    """How often an expectation holds.

    Attributes
    ----------
    spread : str
        How the parameters were drawn: ``bounds``, or a number.
    sets : int
        How many sets could be evaluated.
    share, lower, upper : float
        Share in which it holds, with its 95 % interval.
    broken_by : str
        The parameters that tell sets in which it fails from the others, with the direction.
    """

    spread: str
    sets: int
    share: float
    lower: float
    upper: float
    broken_by: str

    @property
    def drawn(self) -> str:
        """Return how the parameters were drawn, in words."""
        return "within their bounds" if self.spread == "bounds" else f"within a factor of {self.spread}"


def robustness(files: ModelFiles | None) -> dict[str, list[Share]]:
    """Return the shares of each expectation, one for each spread; nothing for a model without the file.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    if files is None or not files.has_validation(FILE):
        return {}
    rows = tables.read_table(files.validation_text(FILE), f"{files.id}: {FILE}", COLUMNS)
    found: dict[str, list[Share]] = {}
    for row in rows.itertuples():
        if row.sets > 0:
            share = Share(row.spread, int(row.sets), row.share, row.lower, row.upper, row.broken_by or "")
            found.setdefault(row.expectation, []).append(share)
    return found
