"""Draw docs/overview.png, the picture at the top of README.md: how the tiers act on each other, and a run of each.

Every curve is a named experiment of the catalogue. `python docs/overview.py` (15 s).
"""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

import metaflammation as mf
from metaflammation import measurements
from metaflammation.figures import COLOURS

BLUE, VERMILION, GREEN, PURPLE = COLOURS[:4]
DAY, YEAR = 1440.0, 525960.0
TIERS = {  # x, y of the box, colour, name, what is in it
    "body": (0.0, PURPLE, "body", "diet, visceral fat, muscle,\nhormones, glucose, insulin", "hormone_axis"),
    "tissue": (1.0, VERMILION, "tissue", "macrophages, TNF, IL-6,\nJNK, IKK, NF-kB", "cytokine_crosstalk"),
    "stress": (2.0, GREEN, "cell under stress", "lipids, unfolded protein,\nIRE1, PERK, ATF6", "er_stress"),
    "insulin": (3.0, BLUE, "insulin signal", "receptor, IRS-1, PI3K, Akt,\nGLUT4, glucose uptake", "insulin_cascade"),
}
WIDTH, HEIGHT = 0.74, 0.46


def network(ax):
    ax.set(xlim=(-0.02, 3.76), ylim=(-0.52, 0.78))
    ax.axis("off")
    for x, colour, name, content, model in TIERS.values():
        style = {"boxstyle": "round,pad=0,rounding_size=0.04", "linewidth": 1.5}
        ax.add_patch(FancyBboxPatch((x, 0), WIDTH, HEIGHT, **style, edgecolor=colour, facecolor=f"{colour}14"))
        ax.text(x + WIDTH / 2, HEIGHT - 0.08, name, ha="center", va="center", weight="bold", color=colour, size=11)
        ax.text(x + WIDTH / 2, 0.215, content, ha="center", va="center", size=8.5)
        ax.text(x + WIDTH / 2, 0.055, model, ha="center", va="center", size=7.5, family="monospace", color="0.35")
    for start, text in ((0, "fat"), (1, "cytokines"), (2, "stress,\nlipids")):
        arrow(ax, (start + WIDTH, 0.28), (start + 1, 0.28))
        ax.text(start + (1 + WIDTH) / 2, 0.31, text, ha="center", va="bottom", size=8.5)
    arrow(ax, (WIDTH * 0.8, HEIGHT), (2.0 + WIDTH / 2, HEIGHT), bend=-0.1)
    ax.text(1.5, 0.66, "fatty acids", ha="center", size=8.5)
    arrow(ax, (1 + WIDTH / 2, 0), (3 + WIDTH * 0.25, 0), bend=0.08)
    ax.text(2.2, -0.075, "serine kinases, SOCS3", ha="center", va="center", size=8.5)
    arrow(ax, (3 + WIDTH * 0.6, 0), (WIDTH / 2, 0), bend=-0.13)
    ax.text(
        1.85, -0.39, "less insulin action: more insulin, more fat, less testosterone", ha="center", va="top", size=8.5
    )


def arrow(ax, start, end, bend=0.0):
    style = {"arrowstyle": "-|>", "mutation_scale": 12, "color": "0.3", "linewidth": 1.2}
    ax.add_patch(FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", shrinkA=1, shrinkB=1, **style))


def years_of_obesity(ax):
    course = mf.load("hormone_axis").simulate("becoming_obese_with_weak_beta_cells")
    course = course.data[course.data.index <= 6 * YEAR]
    for name, style in (("glucose", "-"), ("insulin", "--"), ("testosterone", ":")):
        ax.plot(course.index / YEAR, course[name] / course[name].iloc[0], style, color=PURPLE, label=name)
    ax.set(xlabel="time (years)", ylabel="relative to the lean man", ylim=(0, None))
    title(ax, "A dietary surplus: insulin makes up\nfor it, then the beta cells fail")


def fat_and_tissue(ax):
    model = mf.load("cytokine_crosstalk")
    course = model.simulate("obesity_and_back")
    time = course.data.index / DAY
    for name, style, label in (("TNF", "-", "TNF, plasma"), ("IL6", "--", "IL-6, plasma"), ("CRP", ":", "CRP, plasma")):
        ax.plot(time, course[name] / course[name].iloc[0], style, color=VERMILION, label=label)
    back = model.experiments["obesity_and_back"].periods[1].start / DAY
    ax.axvspan(0, back, color="0.93", zorder=0)
    ax.text(back / 2, 0.35, "visceral fat\nthreefold", ha="center", va="center", size=7.5, color="0.35")
    ax.set(xlabel="time (days)", ylabel="relative to lean", ylim=(0, None))
    title(ax, "Visceral fat keeps inflammation up;\nwithout it inflammation fades")


def live_or_die(ax):
    series = mf.load("er_stress").simulate("TG_dose_series")
    share = series.response("death_signal")
    share = share[share.index > 0]
    ax.plot(share.index, share, "-o", color=GREEN, ms=4, label="caspase-3 activated")
    for x, text in ((1.0, "adapts"), (40.0, "dies")):
        ax.text(x, 0.45, text, ha="center", color="0.35")
    ax.set(xscale="log", xlabel="thapsigargin (nM)", ylabel="share after 72 h", ylim=(0, 1.15))
    title(ax, "Stress of the ER: up to a threshold\na cell adapts, above it dies")


def signal_and_data(ax):
    model = mf.load("insulin_cascade")
    runs = model.runs()
    rows, values = measurements.predictions(model, runs), measurements.scaling(model, runs)
    for name, label, marker, style in (
        ("B10_IR_tc100", "receptor", "o", "-"),
        ("B10_IRS1_tc100", "IRS-1", "s", "--"),
    ):
        group = rows[rows["datasetId"] == name]
        _, curve = measurements.curve(runs, group, values)
        top = float(curve.max())
        ax.plot(curve.index, curve / top, style, color=BLUE, label=f"{label}, model")
        noise = group["noiseParameters"].astype(float) / top
        points = {"fmt": marker, "color": "black", "ms": 3.5, "lw": 0.8, "mfc": "white" if marker == "s" else "black"}
        ax.errorbar(group["time"], group["measurement"] / top, noise, **points, label=f"{label}, measured")
    ax.set(xlabel="time with 100 nM insulin (min)", ylabel="tyrosine phosphate (of peak)", ylim=(0, None))
    title(ax, "Insulin signalling in human fat cells,\nwith the data it is fitted to")


def title(ax, text):
    ax.set_title(text, loc="left", size=9.5)
    ax.legend(frameon=False, fontsize=7.5, handlelength=1.8)
    ax.spines[["top", "right"]].set_visible(False)


def main():
    mpl.rcParams.update({"font.size": 8.5, "axes.linewidth": 0.7, "lines.linewidth": 1.6, "savefig.dpi": 160})
    figure, panels = plt.subplot_mosaic(
        [["network"] * 4, ["body", "tissue", "stress", "insulin"]],
        figsize=(12, 5.6), height_ratios=[1.05, 1], layout="constrained",
    )  # fmt: skip
    draw = {"network": network, "body": years_of_obesity, "tissue": fat_and_tissue}
    for name, panel in (draw | {"stress": live_or_die, "insulin": signal_and_data}).items():
        panel(panels[name])
    figure.savefig(Path(__file__).with_name("overview.png"), metadata={"Software": None})


if __name__ == "__main__":
    main()
