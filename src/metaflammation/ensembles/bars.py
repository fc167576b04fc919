"""Bars of sensitivities, the most important parameter on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation import figures
from metaflammation.figures import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from metaflammation.ensembles.sensitivity import Sensitivity

LABELS = {
    "sobol": "share of the variance",
    "morris": "mean absolute elementary effect",
    "local": "elasticity, d ln y / d ln p",
}

HEIGHT = 0.3
"""Inches of a parameter."""


def draw(found: Sensitivity, most: int, ax: Axes | None = None) -> Axes:
    """Draw a sensitivity."""
    table = found.table.iloc[:most][::-1]
    axes = ax if ax is not None else figures.empty(width=7.0, height=1.2 + HEIGHT * max(len(table), 3))
    y = np.arange(len(table))
    look: dict[str, Any] = {"error_kw": {"linewidth": 1, "capsize": 2}}
    if found.method == "sobol":
        first: dict[str, Any] = {"label": "alone (first order)", "color": COLOURS[4]}
        axes.barh(
            y + 0.2,
            table["ST"],
            0.38,
            xerr=table["ST_conf"],
            label="with interactions (total)",
            color=COLOURS[0],
            **look,
        )
        axes.barh(y - 0.2, table["S1"], 0.38, xerr=table["S1_conf"], **first, **look)
        axes.legend(frameon=False, fontsize="small", loc="lower right")
    elif found.method == "morris":
        axes.barh(y, table["mu_star"], 0.6, xerr=table["mu_star_conf"], color=COLOURS[0], **look)
    else:
        axes.barh(y, table["elasticity"], 0.6, xerr=table["error"], color=COLOURS[0], **look)
        axes.axvline(0, color="0.4", linewidth=0.8)
    axes.set_yticks(y, list(table.index), fontsize="small")
    unit = f" ({found.unit})" if found.method == "morris" and found.unit else ""
    axes.set_xlabel(LABELS[found.method] + unit)
    axes.set_title(
        f"{found.about['model']}, {found.about['experiment']}: {found.readout}", loc="left", fontsize="medium"
    )
    axes.spines[["top", "right"]].set_visible(False)
    return axes
