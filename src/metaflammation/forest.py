"""The picture of robustness: in which share of parameter sets each expectation holds, with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metaflammation import figures

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes

MARKS = ("o", "s", "^", "D")
"""One for each spread."""

APART = 0.3
"""Rows between the marks of one expectation."""

UNKNOWN = "#bbbbbb"
"""Colour of the range that sets leave open which could not be simulated."""

LONG = 40
"""Rows from which the scale stands above the picture too."""


def forest(tables: Mapping[str, pd.DataFrame], ax: Axes | None = None) -> Axes:
    """Draw the share of parameter sets in which each expectation holds, the most robust ones on top.

    A grey bar beneath spans what the share would be if sets that could not be simulated all failed, or all held.

    Parameters
    ----------
    tables : mapping
        For each spread of the assumed parameters (``bounds`` or a factor) the table of
        :class:`~metaflammation.ensembles.robustness.Robustness`. The first one gives the order.
    """
    first = next(iter(tables.values())).sort_values("share", ascending=False, kind="stable")
    axes = ax if ax is not None else figures.empty(height=0.21 * len(first) + 1.4, width=8.0)
    rows = np.arange(len(first))
    opened = False
    for n, (spread, table) in enumerate(tables.items()):
        here = table.reindex(first.index)
        y = rows + APART * (n - (len(tables) - 1) / 2)
        unknown = here[here["failed"] > 0]
        if len(unknown):
            asked = unknown["sets"] + unknown["failed"]
            least, most = (100 * (unknown["holding"] + more) / asked for more in (0, unknown["failed"]))
            label = "" if opened else "if sets that could not be simulated all fail, or all hold"
            axes.hlines(y[here["failed"] > 0], least, most, color=UNKNOWN, lw=4, alpha=0.6, zorder=1, label=label)
            opened = True
        for known, verdict in ((False, "holds"), (True, "known failure")):
            colour = figures.VERDICTS[verdict][0]
            chosen = (here["nominal"].fillna("") != "holds").to_numpy() == known
            share, low, high = (100 * here[c].to_numpy(dtype=float)[chosen] for c in ("share", "lower", "upper"))
            error = np.clip([share - low, high - share], 0, None)
            label = f"{_named(spread, table)}; {'known failure' if known else 'holds'} with the model's own values"
            if chosen.any():
                axes.errorbar(
                    share, y[chosen], xerr=error, fmt=MARKS[n % len(MARKS)], ms=4, lw=1.2, color=colour,
                    mfc=colour if n == 0 else "white", label=label,
                )  # fmt: skip
    axes.set_yticks(rows, list(first.index), fontsize="small")
    _scale(axes, len(first))
    return axes


def claims(found: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the share of parameter sets in which each expectation about a claim holds, a row for each claim.

    A thin line is the 95 % interval of a share; the larger a part of the sets could not be simulated, the paler a mark.

    Parameters
    ----------
    found : pandas.DataFrame
        Columns claim, model, spread, sets, failed, share, lower, upper, as
        :func:`metaflammation.ensembles.committed.of_claims` gives them; claims stand from top to bottom in this order.
    """
    rows = {claim: n for n, claim in enumerate(found["claim"].unique())}
    axes = ax if ax is not None else figures.empty(height=0.24 * len(rows) + 1.4, width=8.0)
    models = found["model"].nunique()
    for n, ((model, spread), shares) in enumerate(found.groupby(["model", "spread"], sort=False)):
        y = shares["claim"].map(rows) + 0.6 * ((n + 0.5) / models - 0.5)
        colour = figures.COLOURS[n % len(figures.COLOURS)]
        drawn = "bounds" if spread == "bounds" else f"a factor of {spread}"
        axes.hlines(y, 100 * shares["lower"], 100 * shares["upper"], color=colour, lw=1, alpha=0.5)
        simulated = shares["sets"] / (shares["sets"] + shares["failed"])
        axes.scatter(100 * shares["share"], y, s=16, color=colour, alpha=simulated, label=f"{model}, within {drawn}")
    axes.set_yticks(list(rows.values()), list(rows), fontsize="small")
    _scale(axes, len(rows))
    return axes


def _scale(axes: Axes, rows: int) -> None:
    """Give a picture its scale from nothing to all sets, and its legend above."""
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_xlim(-1, 101)
    axes.set_xlabel("holds in % of parameter sets (95 % interval)")
    axes.axvline(50, color="#999999", lw=0.8, ls=":", zorder=0)
    axes.grid(axis="x", color="#e5e5e5", lw=0.6)
    axes.grid(axis="y", color="#f2f2f2", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    above = rows > LONG
    axes.tick_params(axis="x", labeltop=above)
    away = 2.0 if above else 0.5
    axes.legend(frameon=False, fontsize="small", loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=away)


def _named(spread: str, table: pd.DataFrame) -> str:
    sets = int((table["sets"] + table["failed"]).max()) if len(table) else 0
    return f"assumed {'within bounds' if spread == 'bounds' else f'within a factor of {spread}'}, {sets} sets"
