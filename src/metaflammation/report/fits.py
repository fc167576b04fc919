"""The fit as pictures: every data set with its errors and the model's curve, residuals, and where the starts ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation import measurements
from metaflammation.figures import COLOURS, time_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from metaflammation.model import Model

COLUMNS = 3


def data_sets(model: Model, use: str) -> Figure:
    """Return a figure with one panel for each data set of one use (``fit`` or ``compare``)."""
    runs = model.runs()
    rows = measurements.predictions(model, runs)
    table = measurements.agreement(model, runs)
    values = measurements.scaling(model, runs)
    wanted = [name for name in table.index if table.loc[name, "use"] == use]
    figure, panels = _grid(len(wanted))
    for panel, name in zip(panels, wanted, strict=False):
        group = rows[rows["datasetId"] == name]
        kind, curve = measurements.curve(runs, group, values)
        x = group["time"] if kind == "time" else [runs.split(arm)[1] for arm in group["experimentId"]]
        unit, length = time_unit(float(np.max(curve.index))) if kind == "time" else ("", 1.0)
        panel.plot(curve.index / length, curve.to_numpy(), color=COLOURS[0], zorder=1)
        points, noise = group["measurement"].to_numpy(), group["noiseParameters"].to_numpy()
        panel.errorbar(np.array(x, dtype=float) / length, points, noise, fmt="o", color="black", ms=3, lw=0.8, zorder=2)
        if kind == "dose":
            _dose_axis(panel, [d for d in curve.index if d > 0])
        else:
            panel.set_xlabel(f"time ({unit})", fontsize="x-small")
        row = table.loc[name]
        fit = f"chi2 {row['chi2']:.1f} / {row['n']}" + ("" if np.isnan(row["r2"]) else f", R2 {row['r2']:.2f}")
        panel.set_title(f"{name}\n{fit}", fontsize="x-small", loc="left")
        panel.tick_params(labelsize="x-small")
    figure.supylabel("as measured", fontsize="small")
    return figure


def residuals(model: Model) -> Figure:
    """Return a figure of the residuals of every fitted data set, in units of the noise."""
    rows = measurements.predictions(model, model.runs())
    fitted = rows[rows["use"] == "fit"]
    names = list(dict.fromkeys(fitted["datasetId"]))
    figure = _figure(7.0, 0.28 * len(names) + 1.0)
    axes = figure.subplots()
    z = (fitted["measurement"] - fitted["prediction"]) / fitted["noiseParameters"]
    axes.axvspan(-2, 2, color="#eeeeee", zorder=0)
    axes.axvline(0, color="grey", lw=0.8, zorder=1)
    axes.scatter(z, [names.index(n) for n in fitted["datasetId"]], s=14, color=COLOURS[0], alpha=0.7, zorder=2)
    axes.set_yticks(range(len(names)), names, fontsize="x-small")
    axes.invert_yaxis()
    axes.set_xlabel("residual (measured less model, in units of the noise; grey: within two)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def targets(agreement: pd.DataFrame) -> Figure:
    """Return a figure of where the model stands to each calibration target, in units of its sd."""
    figure = _figure(7.0, 0.22 * len(agreement) + 1.2)
    axes = figure.subplots()
    axes.axvspan(-2, 2, color="#eeeeee", zorder=0)
    axes.axvline(0, color="grey", lw=0.8, zorder=1)
    for basis, colour, marker in zip(("measured", "words", "recalled"), COLOURS, "osD", strict=False):
        here = np.flatnonzero((agreement["basis"] == basis).to_numpy())
        if not here.size:
            continue
        axes.scatter(agreement["residual"].iloc[here], here, s=16, color=colour, marker=marker, label=basis, zorder=2)
    axes.set_yticks(range(len(agreement)), list(agreement.index), fontsize="x-small")
    axes.invert_yaxis()
    axes.set_xlabel("model less target, in units of its sd (grey: within two)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize="small")
    return figure


def waterfall(starts: Mapping[str, Sequence[float]], best: float) -> Figure:
    """Return a figure of where each start ended, best first, one line for each seed."""
    figure = _figure(6.0, 3.4)
    axes = figure.subplots()
    for n, (label, ends) in enumerate(starts.items()):
        axes.plot(range(1, len(ends) + 1), np.array(ends) - best + 0.01, "o-", ms=3, label=label, color=COLOURS[n])
    axes.set_yscale("log")
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("start, best first")
    axes.set_ylabel("objective above the best + 0.01")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    return figure


def estimates(result: dict[str, Any]) -> Figure:
    """Return a figure of each estimate within its bounds, with 95 % intervals with and without the priors."""
    rows = result["parameters"]
    figure = _figure(7.0, 0.26 * len(rows) + 1.2)
    axes = figure.subplots()
    for y, row in enumerate(rows):
        low, high = np.log10(row["lower"]), np.log10(row["upper"])
        middle = np.log10(row["value"])
        axes.plot([low, high], [y, y], color="#dddddd", lw=7, solid_capstyle="butt", zorder=0)
        for sd, width, colour in ((row["sd_data"], 3, COLOURS[4]), (row["sd"], 1.5, COLOURS[0])):
            reach = 1.96 * sd if sd is not None else np.inf
            axes.plot([max(low, middle - reach), min(high, middle + reach)], [y, y], color=colour, lw=width)
        axes.plot(middle, y, "o", color="black", ms=3)
    axes.set_yticks(range(len(rows)), [r["parameter"] for r in rows], fontsize="x-small")
    axes.invert_yaxis()
    axes.set_xlabel("log10 of the value (grey: bounds; light: 95 % from the data; dark: with priors)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _dose_axis(panel: Axes, doses: Sequence[float]) -> None:
    panel.set_xscale("symlog", linthresh=min(doses), linscale=0.4)
    lowest, highest = np.floor(np.log10(min(doses))), np.ceil(np.log10(max(doses)))
    panel.set_xticks([0.0, *10.0 ** np.arange(lowest + 1, highest + 1, 2)])
    panel.set_xlabel("insulin (nM)", fontsize="x-small")
    panel.minorticks_off()


def _grid(count: int) -> tuple[Figure, list[Axes]]:
    lines = -(-count // COLUMNS)
    figure = _figure(2.4 * COLUMNS, 2.1 * lines)
    panels = list(np.ravel(figure.subplots(lines, COLUMNS, squeeze=False)))
    for panel in panels[count:]:
        panel.set_visible(False)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, panels


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=130, layout="constrained")
