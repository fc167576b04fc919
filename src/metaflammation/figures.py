"""Figures in one style: units on the axes, colours that colour-blind people can tell apart."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes

    from metaflammation.timecourse import DoseSeries, TimeCourse

# Okabe and Ito's colours, the yellow left out because it is too light on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
STYLES = ("-", "--", ":", "-.")
MANY = 6


HOUR, DAY, YEAR = 60.0, 1440.0, 525960.0


def time_unit(last: float) -> tuple[str, float]:
    """Return the unit in which an axis that ends at ``last`` (min) is easiest to read, and its length in minutes."""
    for name, length, upto in (("min", 1.0, 12 * HOUR), ("h", HOUR, 4 * DAY), ("d", DAY, 3 * YEAR)):
        if last <= upto:
            return name, length
    return "years", YEAR


def time_course(course: TimeCourse, observables: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draw variables over time.

    Raises
    ------
    SimulationError
        If the variables have different units.
    """
    unit = _one_unit(observables, course.units)
    axes = ax if ax is not None else empty()
    name, length = time_unit(float(course.data.index[-1]))
    for n, observable in enumerate(observables):
        axes.plot(course.data.index / length, course.data[observable], label=course.names[observable], **_look(n))
    axes.set_xlabel(f"time ({name})")
    _finish(axes, [course.names[o] for o in observables], unit)
    return axes


def dose_response(series: DoseSeries, responses: Mapping[str, pd.Series[float]], ax: Axes | None = None) -> Axes:
    """Draw responses over dose; a dose of zero stands at the left, a decade below the smallest."""
    unit = _one_unit(list(responses), series.units)
    axes = ax if ax is not None else empty()
    for n, (observable, response) in enumerate(responses.items()):
        axes.plot(response.index, response, label=series.names[observable], marker="o", markersize=3, **_look(n))
    positive = [d for d in series.runs if d > 0]
    if positive:
        _dose_scale(axes, positive)
    target = series.names.get(series.target, series.target)
    axes.set_xlabel(f"{target} ({series.unit})" if series.unit else target)
    _finish(axes, [series.names[o] for o in responses], unit)
    return axes


def comparison(courses: Mapping[str, TimeCourse], observables: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draw the same variables of several runs: a colour for each run, a stroke for each variable."""
    first = next(iter(courses.values()))
    unit = _one_unit(observables, first.units)
    axes = ax if ax is not None else empty()
    name, length = time_unit(max(float(c.data.index[-1]) for c in courses.values()))
    names = []
    for n, (run, course) in enumerate(courses.items()):
        for k, observable in enumerate(observables):
            label = run if len(observables) == 1 else f"{course.names[observable]}, {run}"
            look: dict[str, Any] = {"color": COLOURS[n % len(COLOURS)], "linestyle": STYLES[k % len(STYLES)]}
            axes.plot(course.data.index / length, course[observable], label=label, **look)
            names.append(label)
    axes.set_xlabel(f"time ({name})")
    _finish(axes, names, unit)
    if len(observables) == 1:
        axes.set_title(first.names[observables[0]], loc="left", fontsize="medium")
    return axes


def measured(curve: pd.Series[float], points: pd.DataFrame, x_label: str, title: str, ax: Axes | None = None) -> Axes:
    """Draw measurements with their errors on what the model predicts.

    Parameters
    ----------
    curve : pandas.Series
        Prediction by time (min) or by dose.
    points : pandas.DataFrame
        Columns x (as the index of the curve), measurement and error.
    x_label : str
        Label of the axis of x; empty for time.
    title : str
        What is measured.
    """
    axes = ax if ax is not None else empty()
    name, length = ("", 1.0) if x_label else time_unit(float(curve.index[-1]))
    axes.plot(curve.index / length, curve, label="model", color=COLOURS[0], zorder=1)
    errors: dict[str, Any] = {"fmt": "o", "color": "black", "markersize": 4, "linewidth": 1, "capsize": 2, "zorder": 2}
    axes.errorbar(points["x"] / length, points["measurement"], points["error"], label="measured", **errors)
    positive = [x for x in curve.index if x > 0]
    if x_label and positive:
        _dose_scale(axes, positive)
    axes.set_xlabel(x_label or f"time ({name})")
    axes.set_ylabel("as measured")
    axes.set_title(title, loc="left", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    return axes


def scan(frame: pd.DataFrame, names: Mapping[str, str], x_label: str, y_label: str, ax: Axes | None = None) -> Axes:
    """Draw a statistic of variables (columns) over the values of a parameter (index)."""
    axes = ax if ax is not None else empty()
    for n, column in enumerate(frame.columns):
        axes.plot(frame.index, frame[column], label=names[column], marker="o", markersize=3, **_look(n))
    if frame.index.min() > 0 and frame.index.max() >= WIDE * frame.index.min():
        axes.set_xscale("log")
    _finish(axes, [names[c] for c in frame.columns], "")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return axes


ROUNDING = 1e-9
"""What a logarithm of a power of ten may be off."""

WIDE = 30
"""Ratio of the ends of a scan from which on its axis is logarithmic."""

VERDICTS = {
    "holds": (COLOURS[0], "o"),
    "known failure": (COLOURS[5], "D"),
    "fails": (COLOURS[1], "X"),
    "unexpectedly holds": (COLOURS[3], "P"),
}
"""Colour and mark of each verdict."""

WIDEST = 2.0
"""Margins beyond this are drawn as an arrow at the edge."""


def margins(
    found: Mapping[str, tuple[float | None, str]],
    *,
    links: str = "",
    shares: Mapping[str, Sequence[tuple[str, float, float, float]]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the margin of each expectation: right of the line it holds, left of it it does not.

    Parameters
    ----------
    found : mapping
        Margin (None where the value does not exist) and verdict of each expectation.
    links : str, optional
        What stands before an expectation's id in a link from its mark (in SVG).
    shares : mapping, optional
        Of an expectation, for each way in which parameter sets were drawn, its name, the share of sets in which the
        expectation holds and the interval of that share: they are drawn beside the margins.
    """
    size = {"height": 0.19 * len(found) + 1.2, "width": 10.5 if shares else 8.5}
    if ax is not None:
        axes = ax
    elif shares:
        axes, beside = _axes_side_by_side([3, 1], **size)
        _shares(list(found), shares, beside)
    else:
        axes = empty(**size)
    for verdict, (colour, mark) in VERDICTS.items():
        rows = [(n, i, m) for n, (i, (m, v)) in enumerate(found.items()) if v == verdict]
        if not rows:
            continue
        axes.scatter([], [], color=colour, marker=mark, s=22, label=f"{verdict} ({len(rows)})")
        for n, name, margin in rows:
            x = -WIDEST if margin is None else min(max(margin, -WIDEST), WIDEST)
            axes.plot([0, x], [n, n], color=colour, lw=1.2, zorder=1)
            beyond = margin is None or abs(margin) > WIDEST
            shape = mark if not beyond else ">" if x > 0 else "<"
            point = axes.scatter([x], [n], color=colour, marker=shape, s=22, zorder=2)
            if links:
                point.set_urls([f"{links}{name}"])
    axes.axvline(0, color="black", lw=0.8, zorder=0)
    axes.set_yticks(range(len(found)), list(found), fontsize="x-small")
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xlim(-WIDEST * 1.05, WIDEST * 1.05)
    axes.set_xlabel(f"margin (positive holds; 1 is the middle of an interval; arrows: beyond {WIDEST:g})")
    axes.grid(axis="x", color="#e5e5e5", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
    return axes


def _shares(rows: Sequence[str], shares: Mapping[str, Sequence[tuple[str, float, float, float]]], axes: Axes) -> None:
    """Draw the share of parameter sets in which each expectation holds, with its interval."""
    spreads = list(dict.fromkeys(s for found in shares.values() for s, *_ in found))
    for n, spread in enumerate(spreads):
        drawn = [(y, s) for y, row in enumerate(rows) for s in shares.get(row, ()) if s[0] == spread]
        x = [share for _, (_, share, _, _) in drawn]
        low = [max(share - lower, 0.0) for _, (_, share, lower, _) in drawn]
        high = [max(upper - share, 0.0) for _, (_, share, _, upper) in drawn]
        y = [row + 0.3 * (n - (len(spreads) - 1) / 2) for row, _ in drawn]
        mark: dict[str, Any] = {
            "fmt": "os^v"[n % 4],
            "color": COLOURS[(2 + n) % len(COLOURS)],
            "markersize": 3.5,
            "lw": 1,
        }
        axes.errorbar(x, y, xerr=[low, high], label=spread, **mark)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xlabel("holds in this share of sets")
    axes.grid(axis="x", color="#e5e5e5", lw=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def check_form(path: Path) -> None:
    """Raise an error if a figure cannot be written with the ending of this path.

    Raises
    ------
    ExportError
        If matplotlib does not know the ending.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    from metaflammation.errors import ExportError

    if path.suffix.removeprefix(".") not in FigureCanvasBase.get_supported_filetypes():
        raise ExportError(f"{path}: a figure cannot be written with the ending {path.suffix!r}; use .png, .svg or .pdf")


def save(axes: Axes, path: Path) -> None:
    """Write the figure of some axes; the ending of the path says in which form."""
    check_form(path)
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.savefig(path)


def svg_text(axes: Axes) -> str:
    """Return the figure of some axes as SVG, with text as text and the same ids each time."""
    import io

    import matplotlib as mpl

    written = io.StringIO()
    figure = axes.get_figure(root=True)
    if figure is not None:
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "metaflammation"}):
            figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue()


def empty(width: float = 6.4, height: float = 4.0) -> Axes:
    """Return axes of a new figure, of this size in inches."""
    return _axes_side_by_side([1], width, height)[0]


def _axes_side_by_side(ratios: list[float], width: float, height: float) -> list[Axes]:
    style: dict[str, Any] = {"figsize": (width, height), "dpi": 150, "layout": "constrained"}
    # A figure of pyplot only in a notebook and for those who use pyplot, so that it is shown: pyplot keeps every figure
    # and could ask for a screen.
    if "matplotlib.pyplot" in sys.modules or "ipykernel" in sys.modules:
        import matplotlib.pyplot as plt

        figure = plt.figure(**style)
    else:
        from matplotlib.figure import Figure

        figure = Figure(**style)
    return list(figure.subplots(1, len(ratios), width_ratios=ratios, squeeze=False)[0])


def _dose_scale(axes: Axes, positive: Sequence[float]) -> None:
    axes.set_xscale("symlog", linthresh=min(positive), linscale=0.5)
    axes.set_xlim(right=max(positive) * 1.3)
    # No power of ten between zero and the smallest dose, where its label would stand on that of zero.
    first, last = math.ceil(math.log10(min(positive)) - ROUNDING), math.floor(math.log10(max(positive)) + ROUNDING)
    axes.set_xticks([0.0, *(10.0**n for n in range(first, last + 1))])
    axes.minorticks_off()


def _look(n: int) -> dict[str, Any]:
    return {"color": COLOURS[n % len(COLOURS)], "linestyle": STYLES[n // len(COLOURS) % len(STYLES)]}


def _one_unit(observables: Sequence[str], units: Mapping[str, str]) -> str:
    from metaflammation.errors import SimulationError

    found = {units[o] for o in observables}
    if not found:
        raise SimulationError("there is nothing to draw: name at least one observable")
    if len(found) > 1:
        listed = ", ".join(f"{o} ({units[o] or 'number'})" for o in observables)
        raise SimulationError(f"one axis cannot show different units: {listed}; draw them one unit at a time")
    return found.pop()


KINDS = {
    "nM": "concentration",
    "": "fraction or fold",
    "relative to basal": "level",
    "1/min": "rate constant",
    "nM/min": "rate",
}


def _finish(axes: Axes, names: Sequence[str], unit: str) -> None:
    kind = KINDS.get(unit, "value")
    axes.set_ylabel(f"{kind} ({unit})" if unit else kind)
    axes.spines[["top", "right"]].set_visible(False)
    if len(names) == 1:
        axes.set_title(names[0], loc="left", fontsize="medium")
    elif len(names) > MANY:
        axes.legend(frameon=False, fontsize="x-small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    else:
        axes.legend(frameon=False, fontsize="small")
