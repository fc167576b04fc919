"""In which share of plausible parameter sets each expectation holds, for who reads a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaflammation.ensembles import committed

if TYPE_CHECKING:
    from metaflammation.library import ModelFiles


@dataclass(frozen=True)
class Share:
    """How often an expectation holds.

    Attributes
    ----------
    spread : str
        How assumed parameters were drawn: within ``bounds``, or within a factor.
    sets, failed : int
        In how many sets it could be evaluated, and in how many not.
    share, lower, upper : float
        Share in which it holds, with its 95 % interval.
    broken_by : str
        The parameters that tell sets in which it fails from the others, with the direction.
    """

    spread: str
    sets: int
    failed: int
    share: float
    lower: float
    upper: float
    broken_by: str

    @property
    def drawn(self) -> str:
        """Return how assumed parameters were drawn, in words."""
        return "within their bounds" if self.spread == "bounds" else f"within a factor of {self.spread}"


def robustness(files: ModelFiles | None) -> dict[str, list[Share]]:
    """Return the shares of each expectation, one for each spread; nothing for a model without committed tables.

    Raises
    ------
    DataError
        If the tables are damaged.
    """
    found: dict[str, list[Share]] = {}
    if files is None:
        return found
    known, _ = committed.read(files)
    for spread, table in known.items():
        for row in table.itertuples():
            if row.sets > 0:
                share = Share(
                    spread, int(row.sets), int(row.failed), row.share, row.lower, row.upper, row.broken_by or ""
                )
                found.setdefault(str(row.Index), []).append(share)
    return found
