"""Forest plots: effects of virtual trials beside the published ones, each end point on its own scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaflammation.ensembles.effects import APART
from metaflammation.figures import COLOURS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.figure import Figure

VIRTUAL, PUBLISHED = COLOURS[0], COLOURS[1]
HEIGHT, HEAD, WIDTH = 0.62, 0.9, 8.5
"""Inches: of an end point, of heading and legend together, and across."""


def draw(trials: Mapping[str, pd.DataFrame]) -> Figure:
    """Return a figure of trials: title to table, as :meth:`metaflammation.Model.trial` gives it."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    rows = [
        (title if not k else "", point)
        for title, table in trials.items()
        for k, (_, point) in enumerate(table.iterrows())
    ]
    # A heading takes the place of half an end point.
    heights = [HEIGHT * (1.6 if title else 1.0) for title, _ in rows]
    total = sum(heights) + HEAD
    figure = Figure(figsize=(WIDTH, total), dpi=150)
    top = total - 0.45
    for (title, point), height in zip(rows, heights, strict=True):
        top -= height
        axes = figure.add_axes((0.33, (top + 0.24) / total, 0.5, (HEIGHT - 0.3) / total))
        _row(axes, point)
        if title:
            figure.text(
                0.02, (top + HEIGHT + 0.06) / total, _short(title), fontsize=9.5, fontweight="bold", va="bottom"
            )
    virtual, reported, rule = (
        Line2D([], [], color=c, marker=m, linestyle=s, markersize=5)
        for c, m, s in ((VIRTUAL, "o", "-"), (PUBLISHED, "s", "-"), (PUBLISHED, "s", ":"))
    )
    figure.legend(
        [virtual, reported, rule],
        ["virtual trial, 95 %", "published, 95 %", "published, interval by rule"],
        loc="upper center", ncols=3, frameon=False, fontsize=9,
    )  # fmt: skip
    return figure


def _row(axes: Any, point: Any) -> None:
    """Draw one end point."""
    _bar(axes, 1, point["difference"], point["lower"], point["upper"], VIRTUAL, "o", "-")
    if point["citation"]:
        style = "-" if point["interval"] == "reported" else ":"
        middle, low, high = (point[f"published{x}"] for x in ("", "_lower", "_upper"))
        _bar(axes, 0, middle, low, high, PUBLISHED, "s", style)
    axes.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    axes.set_ylim(-0.7, 1.7)
    axes.margins(x=0.08)
    axes.set_yticks([])
    axes.tick_params(axis="x", labelsize=7, length=2, pad=1)
    axes.spines[["top", "right", "left"]].set_visible(False)
    name = f"{point['title']} ({point['unit']})" if point["unit"] else point["title"]
    axes.text(-0.02, 0.5, _wrapped(name), transform=axes.transAxes, ha="right", va="center", fontsize=8.5)
    said = point["verdict"] + (", fitted" if point["fitted"] else "")
    colour = COLOURS[1] if point["verdict"] == APART else "black"
    axes.text(1.02, 0.5, said, transform=axes.transAxes, ha="left", va="center", fontsize=8.5, color=colour)


def _bar(axes: Any, y: float, middle: float, low: float, high: float, colour: str, marker: str, style: str) -> None:
    axes.plot([low, high], [y, y], color=colour, linestyle=style, linewidth=1.6)
    axes.plot([middle], [y], color=colour, marker=marker, markersize=5)


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, 30))


def _short(title: str) -> str:
    import textwrap

    return textwrap.shorten(title, 88, placeholder=" ...")
