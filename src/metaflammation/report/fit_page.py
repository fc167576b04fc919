"""The report of a fit: a page in Markdown with its pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation import files, measurements
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

With the committed values chi2 is {chi2:.2f} on {points} points, with {free} free parameters and {nuisances} scales and
offsets. Made by `metaflammation fit {model} --seed N -o seedN.json` for each seed, then
`metaflammation fit-report {model} seed1.json seed2.json -o FOLDER --leave-one-out`.

## Reproducibility

{reproducibility}

![Where each start ended](waterfall.png)

## Data sets

{data_sets}

![Every fitted data set with its errors and the model's curve](data_sets.png)

![Residuals](residuals.png)

## Estimates

The factors hold 95 %, from the Hessian; *open* means that no such factor exists. *Determined* means that the data
alone, without the priors, hold 95 % within a factor of ten either way.

{estimates}

![Estimates within their bounds](estimates.png)

## What each data set contributes

Refits from the optimum with one data set left out.

{contributions}

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
    figures = {
        "data_sets.png": fits.data_sets(model, "fit"),
        "compared.png": fits.data_sets(model, "compare"),
        "residuals.png": fits.residuals(model),
        "waterfall.png": fits.waterfall(ends, best["objective"]),
        "estimates.png": fits.estimates(best),
    }
    for name in (*figures, "README.md"):
        files.check_free(folder / name, overwrite=overwrite)
    for name, figure in figures.items():
        with files.whole_file(folder / name, overwrite=overwrite) as temporary:
            figure.savefig(temporary)
    files.write_text(folder / "README.md", _page(model, results, best, left_out), overwrite=overwrite)
    return [folder / name for name in ("README.md", *figures)]


def _page(model: Model, results: list[dict[str, Any]], best: dict[str, Any], left_out: dict[str, Fit]) -> str:
    table = measurements.agreement(model, model.runs())
    fitted = table[table["use"] == "fit"]
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
    return PAGE.format(
        model=model.id,
        chi2=fitted["chi2"].sum(),
        points=fitted["n"].sum(),
        free=len(best["parameters"]),
        nuisances=len(best["scales_and_offsets"]),
        reproducibility=_markdown(seeds, (_reproduced(model, r) for r in results)),
        data_sets=_data_sets(model, fitted),
        estimates=_markdown(estimate, (_estimate(p) for p in best["parameters"])),
        contributions=_markdown(contribution, (_contribution(model, n, r, fitted) for n, r in left_out.items())),
    )


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
