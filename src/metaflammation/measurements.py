"""Measurements against simulations: predictions, residuals and agreement of each data set."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from metaflammation.errors import DataError, unknown
from metaflammation.records import MEASUREMENT_COLUMNS, OBSERVABLE_COLUMNS
from metaflammation.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import CodeType

    from metaflammation.model import Model
    from metaflammation.runs import Runs

BASAL = "basal_"
"""In an observable's formula, ``basal_X`` is the value of X at time zero of the same run."""

WORD = re.compile(r"[A-Za-z_]\w*")

COLUMNS = ["use", "n", "chi2", "r2"]

FEWEST = 3
"""Points from which on a share of explained variance means anything."""


def read(model: Model) -> pd.DataFrame:
    """Return the measurements of a model, with the formula of each; empty for a model without."""
    if model.files is None or not model.files.has_validation("measurements.tsv"):
        return pd.DataFrame(columns=[*MEASUREMENT_COLUMNS, "observableFormula"]).astype(MEASUREMENT_COLUMNS)
    text = model.files.validation_text
    rows = read_table(text("measurements.tsv"), f"{model.id}/measurements.tsv", MEASUREMENT_COLUMNS)
    observables = read_table(text("observables.tsv"), f"{model.id}/observables.tsv", OBSERVABLE_COLUMNS)
    formulas = observables.set_index("observableId")["observableFormula"]
    for name in rows["observableId"].unique():
        if name not in formulas:
            raise DataError(f"{model.id}/measurements.tsv: {unknown('observable', name, formulas.index)}")
    return rows.assign(observableFormula=rows["observableId"].map(formulas))


def fitted(model: Model) -> bool:
    """Return whether a model has measured series to which it is fitted."""
    return bool((read(model)["use"] == "fit").any())


def published(model: Model) -> dict[str, str]:
    """Return, for each data set, how well a published model fits it, as text."""
    if model.files is None or not model.files.has_validation("published_fits.tsv"):
        return {}
    columns = {"datasetId": str, "model": str, "r2": float, "source": str}
    text = model.files.validation_text("published_fits.tsv")
    rows = read_table(text, f"{model.id}/published_fits.tsv", columns)
    return {row.datasetId: f"{row.r2:.3f} ({row.model})" for row in rows.itertuples()}


def nuisances(model: Model) -> list[str]:
    """Return the scales and offsets of the observables, which are estimated along with the simulations."""
    words = {w for formula in read(model)["observableFormula"].unique() for w in WORD.findall(str(formula))}
    return [p for p in model.estimated if p in words]


def predictions(model: Model, runs: Runs) -> pd.DataFrame:
    """Return the measurements with a column ``prediction``, scales and offsets estimated as :func:`scaling` says."""
    rows = read(model)
    return rows.assign(prediction=_estimated(model, runs, rows)[1] if len(rows) else [])


def scaling(model: Model, runs: Runs) -> dict[str, float]:
    """Return the scales and offsets of the observables, by weighted linear least squares.

    They come from the rows that are fitted; those that occur in no fitted row, from the rows that are compared.
    """
    rows = read(model)
    return {} if rows.empty else _estimated(model, runs, rows)[0]


def _estimated(model: Model, runs: Runs, rows: pd.DataFrame) -> tuple[dict[str, float], np.ndarray]:
    """Return scales and offsets, and the predictions with them."""
    names = nuisances(model)
    constant, slopes = Observables(rows, names).linear(_states(runs, rows))
    values = np.full(len(names), np.nan)
    for use in ("fit", "compare"):
        chosen = (rows["use"] == use).to_numpy()
        target = rows["measurement"].to_numpy() - constant
        estimate(values, slopes[chosen], target[chosen], rows["noiseParameters"].to_numpy()[chosen])
    return dict(zip(names, values.tolist(), strict=True)), constant + slopes @ np.nan_to_num(values)


def curve(runs: Runs, dataset: pd.DataFrame, values: Mapping[str, float]) -> tuple[str, pd.Series[float]]:
    """Return what the model predicts between the points of one data set.

    Returns
    -------
    str, pandas.Series
        ``time`` and the prediction over time (min), for a data set from one run; else ``dose`` and the prediction over
        all doses of the series, at the time of the first measurement.
    """
    arms = list(dataset["experimentId"].unique())
    formula = dataset["observableFormula"].iloc[0]
    if len(arms) == 1:
        times = runs.arm(arms[0]).data.index
        times = times[times <= dataset["time"].max()]
        rows = pd.DataFrame({"experimentId": arms[0], "time": times, "observableFormula": formula})
        return "time", pd.Series(_scaled(runs, rows, values), index=times)
    experiment, _ = runs.split(arms[0])
    doses = {arm: dose for arm, dose in runs.experiments[experiment].arms.items() if dose is not None}
    rows = pd.DataFrame({"experimentId": list(doses), "time": dataset["time"].iloc[0], "observableFormula": formula})
    return "dose", pd.Series(_scaled(runs, rows, values), index=list(doses.values()))


def agreement(model: Model, runs: Runs) -> pd.DataFrame:
    """Return how the model agrees with each data set.

    Returns
    -------
    pandas.DataFrame
        Index ``datasetId``; columns use (``fit`` or ``compare``), n (points), chi2 (sum of squared residuals in units
        of the noise), r2 (share of the variance explained; not a number for fewer than three points).
    """
    rows = predictions(model, runs)
    table = {}
    for name, group in rows.groupby("datasetId", sort=False):
        residual = group["measurement"] - group["prediction"]
        spread = ((group["measurement"] - group["measurement"].mean()) ** 2).sum()
        r2 = 1 - (residual**2).sum() / spread if len(group) >= FEWEST and spread > 0 else np.nan
        table[name] = [group["use"].iloc[0], len(group), float(((residual / group["noiseParameters"]) ** 2).sum()), r2]
    return pd.DataFrame.from_dict(table, orient="index", columns=COLUMNS).rename_axis("datasetId")


def times(rows: pd.DataFrame, arms: Iterable[str]) -> set[float]:
    """Return the times at which the runs of an experiment were measured."""
    return set(rows.loc[rows["experimentId"].isin(list(arms)), "time"])


def _states(runs: Runs, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return, for each measurement, all variables at its time and, as ``basal_``, at time zero."""
    parts = []
    for arm, group in rows.groupby("experimentId"):
        data = runs.arm(str(arm)).data
        now = data.loc[group["time"].round(9)].set_axis(group.index)
        start = data.iloc[[0] * len(now)].add_prefix(BASAL).set_axis(now.index)
        parts.append(pd.concat([now, start], axis=1))
    table = pd.concat(parts).loc[rows.index]
    return {str(c): table[c].to_numpy() for c in table.columns}


def _scaled(runs: Runs, rows: pd.DataFrame, values: Mapping[str, float]) -> np.ndarray:
    constant, slopes = Observables(rows, list(values)).linear(_states(runs, rows))
    return np.asarray(constant + slopes @ np.nan_to_num(list(values.values())))


class Observables:
    """The formulas of measurements, each a linear function of scales and offsets.

    Parameters
    ----------
    rows : pandas.DataFrame
        Measurements with a column ``observableFormula``.
    names : sequence of str
        Scales and offsets.

    Raises
    ------
    DataError
        If a formula is more than arithmetic (``+ - * / **``, numbers, names and parentheses).
    """

    def __init__(self, rows: pd.DataFrame, names: Sequence[str]) -> None:
        self.names = list(names)
        formulas = rows["observableFormula"].to_numpy()
        self._parts = [(_compiled(f), np.flatnonzero(formulas == f), WORD.findall(f)) for f in dict.fromkeys(formulas)]

    def linear(self, states: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return each prediction without scales and offsets, and its slope in each of them.

        ``states`` holds, for each variable, its value at each measurement.
        """
        count = sum(len(rows) for _, rows, _ in self._parts)
        constant, slopes = np.empty(count), np.zeros((count, len(self.names)))
        for code, rows, words in self._parts:
            missing = [w for w in words if w not in states and w not in self.names]
            if missing:
                raise DataError(f"observable formula {code.co_filename}: {unknown('id', missing[0], states)}")
            here: dict[str, Any] = {w: states[w][rows] for w in words if w in states}
            here |= {w: 0.0 for w in words if w in self.names}
            constant[rows] = eval(code, {"__builtins__": {}}, here)  # noqa: S307 - only arithmetic is compiled
            for k, name in enumerate(self.names):
                if name in words:
                    moved = eval(code, {"__builtins__": {}}, here | {name: 1.0})  # noqa: S307
                    slopes[rows, k] = moved - constant[rows]
        return constant, slopes


ARITHMETIC = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Name, ast.Constant, ast.Load,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub, ast.UAdd,
)  # fmt: skip


def _compiled(formula: str) -> CodeType:
    try:
        tree = ast.parse(str(formula), mode="eval")
    except SyntaxError as error:
        raise DataError(f"observable formula {formula!r}: {error.msg}") from None
    wrong = next((n for n in ast.walk(tree) if not isinstance(n, ARITHMETIC)), None)
    if wrong is not None:
        raise DataError(f"observable formula {formula!r}: only + - * / ** are allowed, not {type(wrong).__name__}")
    return compile(tree, repr(formula), "eval")


def estimate(values: np.ndarray, slopes: np.ndarray, target: np.ndarray, noise: np.ndarray) -> None:
    """Fill in the nuisance values that are still open and occur here."""
    open_here = np.isnan(values) & (np.abs(slopes).sum(axis=0) > 0)
    if not open_here.any():
        return
    known = slopes @ np.nan_to_num(values)
    solved, *_ = np.linalg.lstsq(slopes[:, open_here] / noise[:, None], (target - known) / noise, rcond=None)
    values[open_here] = solved
