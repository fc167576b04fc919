"""The report of a fit: a page in Markdown with its pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation import files, measurements, targets
from metaflammation.report import fits, tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pandas as pd

    from metaflammation.fit import Fit
    from metaflammation.model import Model

MOVED = 0.05
"""Decades by which an estimate must move to be named."""

PAGE = """\
# Fit of {model}

With the committed values chi2 is {chi2:.2f} on {points} measured points and targets, with {free} free parameters and
{nuisances} scales and offsets. Made by `metaflammation fit {model}{how} --seed N -o seedN.json` for each seed, then
`metaflammation fit-report {model} seed1.json seed2.json -o FOLDER{leave}`.

## Reproducibility

{reproducibility}

![Where each start ended](waterfall.png)
{sections}
## Estimates

The factors hold 95 %, from the Hessian; *open* means that no such factor exists. *Determined* means that the data
alone, without the priors, hold 95 % within a factor of ten either way.

{estimates}

![Estimates within their bounds](estimates.png)
"""

DATA_SETS = """
## Data sets

{data_sets}

![Every fitted data set with its errors and the model's curve](data_sets.png)

![Residuals](residuals.png)
"""

TARGETS = """
## Targets

Numbers that are no points of a series, as their sources give them, as we read a source's words, or as recalled without
a source. *sd* weighs a target; it is in decades for folds.

{targets}

![Where the model stands to each target](targets.png)
"""

CONTRIBUTIONS = """
## What each data set contributes

Refits from the optimum with one data set left out.

{contributions}
"""

COMPARED = """
## Compared, not fitted

![Data sets to which nothing was fitted](compared.png)
"""


def write(
    model: Model, results: list[dict[str, Any]], left_out: dict[str, Fit], folder: Path, *, overwrite: bool
) -> list[Path]:
    """Write the report of a fit into a folder: a page in Markdown and its pictures.

    Parameters
    ----------
    model : Model
        The model with its committed values.
    results : list of dict
        Results of multi-starts, as :func:`metaflammation.fit.as_json` gives them; the best one is shown in detail.
    left_out : dict
        Data set to the refit without it.

    Raises
    ------
    ExportError
        If a file exists and ``overwrite`` is false, or the folder cannot be written.
    """
    best = min(results, key=lambda r: float(r["objective"]))
    ends = {f"seed {r['seed']}": [s["last"] for s in r["starts"]] for r in results}
    runs = model.runs()
    series, aims = measurements.agreement(model, runs), targets.agreement(model.targets.values(), runs)
    figures = {"waterfall.png": fits.waterfall(ends, best["objective"]), "estimates.png": fits.estimates(best)}
    if (series["use"] == "fit").any():
        figures |= {"data_sets.png": fits.data_sets(model, "fit"), "residuals.png": fits.residuals(model)}
    if (series["use"] == "compare").any():
        figures["compared.png"] = fits.data_sets(model, "compare")
    if len(aims):
        figures["targets.png"] = fits.targets(aims)
    for name in (*figures, "README.md"):
        files.check_free(folder / name, overwrite=overwrite)
    for name, figure in figures.items():
        with files.whole_file(folder / name, overwrite=overwrite) as temporary:
            figure.savefig(temporary)
    page = _page(model, results, best, left_out, series, aims)
    files.write_text(folder / "README.md", page, overwrite=overwrite)
    return [folder / name for name in ("README.md", *figures)]


def _page(
    model: Model,
    results: list[dict[str, Any]],
    best: dict[str, Any],
    left_out: dict[str, Fit],
    series: pd.DataFrame,
    aims: pd.DataFrame,
) -> str:
    fitted = series[series["use"] == "fit"]
    seeds = [
        "seed",
        "chi2",
        "objective with priors",
        "starts",
        "within 1 % of the best",
        "largest change of an estimate",
    ]
    estimate = ["parameter", "estimate", "bounds", "with priors, factor", "data alone, factor", "determined"]
    contribution = ["left out", "its chi2 when fitted", "when predicted", "chi2 of the rest", "parameters that move"]
    sections = []
    if len(fitted):
        sections.append(DATA_SETS.format(data_sets=_data_sets(model, fitted)))
    if len(aims):
        sections.append(TARGETS.format(targets=_targets(model, aims)))
    if left_out:
        rows = (_contribution(model, n, r, fitted) for n, r in left_out.items())
        sections.append(CONTRIBUTIONS.format(contributions=_markdown(contribution, rows)))
    if len(series) > len(fitted):
        sections.append(COMPARED)
    spread = best.get("spread")
    return PAGE.format(
        model=model.id,
        chi2=fitted["chi2"].sum() + (aims["residual"] ** 2).sum(),
        points=fitted["n"].sum() + len(aims),
        free=len(best["parameters"]),
        nuisances=len(best["scales_and_offsets"]),
        how=f" --starts {len(best['starts'])}" + (f" --spread {spread:g}" if spread else ""),
        leave=" --leave-one-out" if left_out else "",
        reproducibility=_markdown(seeds, (_reproduced(model, r) for r in results)),
        sections="".join(sections),
        estimates=_markdown(estimate, (_estimate(p) for p in best["parameters"])),
    )


def _targets(model: Model, aims: pd.DataFrame) -> str:
    rows = (
        [
            model.targets[str(row.Index)].statement,
            row.basis,
            model.targets[str(row.Index)].citation or "",
            tables.number(row.aim),
            f"{row.sd:g}",
            tables.number(row.value),
            tables.number(row.residual, signed=True),
        ]
        for row in aims.itertuples()
    )
    return _markdown(["target", "basis", "source", "aim", "sd", "model", "residual (sd)"], rows)


def _data_sets(model: Model, fitted: pd.DataFrame) -> str:
    published = measurements.published(model)
    rows = (
        [name, row.n, f"{row.chi2:.1f}", "" if np.isnan(row.r2) else f"{row.r2:.3f}", published.get(str(name), "")]
        for name, row in zip(fitted.index, fitted.itertuples(), strict=True)
    )
    return _markdown(["data set", "points", "chi2", "R2", "R2 of a published model"], rows)


def _estimate(row: dict[str, Any]) -> list[str]:
    factors = ("open" if row[sd] is None else tables.factor(row[sd]) for sd in ("sd", "sd_data"))
    bounds = f"{row['lower']:g} to {row['upper']:g}"
    return [row["parameter"], f"{row['value']:.4g}", bounds, *factors, "yes" if row["determined"] else "no"]


def _reproduced(model: Model, result: dict[str, Any]) -> list[str]:
    committed = model.estimated
    changes = {
        p["parameter"]: abs(np.log10(p["value"] / committed[p["parameter"]].value)) for p in result["parameters"]
    }
    worst = max(changes, key=lambda name: changes[name])
    return [
        str(result["seed"]),
        f"{result['chi2']:.2f}",
        f"{result['objective']:.2f}",
        str(len(result["starts"])),
        str(result["starts_within_one_percent"]),
        f"{worst} by {10 ** changes[worst] - 1:.1%}",
    ]


def _contribution(model: Model, name: str, refit: Fit, fitted: pd.DataFrame) -> list[str]:
    values = refit.table["value"].to_dict()
    base = {i: v for i, v in values.items() if i in model.elements}
    named = {i: v for i, v in values.items() if i not in base}
    predicted = measurements.agreement(model, model.runs(base=base, named=named)).loc[name, "chi2"]
    moved = {i: np.log10(v / model.estimated[i].value) for i, v in values.items()}
    largest = sorted(moved, key=lambda i: -abs(moved[i]))[:3]
    shown = ", ".join(f"{i} x {10 ** moved[i]:.2g}" for i in largest if abs(moved[i]) > MOVED) or "none"
    rest = f"{fitted['chi2'].sum() - fitted.loc[name, 'chi2']:.1f} to {refit.chi2:.1f}"
    return [name, f"{fitted.loc[name, 'chi2']:.1f}", f"{predicted:.1f}", rest, shown]


def _markdown(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(c) for c in line) + " |" for line in lines)
