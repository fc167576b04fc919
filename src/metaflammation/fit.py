"""Measurements against simulations: predictions, residuals and agreement of each data set."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from metaflammation.errors import DataError, unknown
from metaflammation.tables import MEASUREMENT_COLUMNS, OBSERVABLE_COLUMNS, PETAB_PARAMETER_COLUMNS, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metaflammation.model import Model
    from metaflammation.runs import Runs

BASAL = "basal_"
"""In an observable's formula, ``basal_X`` is the value of X at time zero of the same run."""

COLUMNS = ["use", "n", "chi2", "r2"]


def measurements(model: Model) -> pd.DataFrame:
    """Return the measurements of a model, with the formula of each; empty for a model without."""
    if model.files is None or not model.files.has_validation("measurements.tsv"):
        return pd.DataFrame(columns=[*MEASUREMENT_COLUMNS, "observableFormula"])
    text = model.files.validation_text
    rows = read_table(text("measurements.tsv"), f"{model.id}/measurements.tsv", MEASUREMENT_COLUMNS)
    observables = read_table(text("observables.tsv"), f"{model.id}/observables.tsv", OBSERVABLE_COLUMNS)
    formulas = observables.set_index("observableId")["observableFormula"]
    for name in rows["observableId"].unique():
        if name not in formulas:
            raise DataError(f"{model.id}/measurements.tsv: {unknown('observable', name, formulas.index)}")
    return rows.assign(observableFormula=rows["observableId"].map(formulas))


def nuisances(model: Model) -> list[str]:
    """Return the scales and offsets of the observables, which are estimated along with the simulations."""
    if model.files is None or not model.files.has_validation("petab_parameters.tsv"):
        return []
    text = model.files.validation_text("petab_parameters.tsv")
    table = read_table(text, f"{model.id}/petab_parameters.tsv", PETAB_PARAMETER_COLUMNS)
    return [str(p) for p in table["parameterId"]]


def predictions(model: Model, runs: Runs) -> pd.DataFrame:
    """Return the measurements with a column ``prediction``.

    Scales and offsets are estimated by weighted linear least squares from the rows that are fitted; those that occur
    in no fitted row, from the rows that are compared.
    """
    rows = measurements(model)
    names = nuisances(model)
    if rows.empty:
        return rows.assign(prediction=[])
    states = _states(runs, rows)
    constant, slopes = _linear(rows, states, names)
    values = np.full(len(names), np.nan)
    for use in ("fit", "compare"):
        chosen = (rows["use"] == use).to_numpy()
        _estimate(
            values,
            slopes[chosen],
            (rows["measurement"] - constant)[chosen].to_numpy(),
            rows["noiseParameters"][chosen].to_numpy(),
        )
    return rows.assign(prediction=constant + slopes @ np.nan_to_num(values))


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
        r2 = 1 - (residual**2).sum() / spread if len(group) > 2 and spread > 0 else np.nan  # noqa: PLR2004
        table[name] = [group["use"].iloc[0], len(group), float(((residual / group["noiseParameters"]) ** 2).sum()), r2]
    return pd.DataFrame.from_dict(table, orient="index", columns=COLUMNS).rename_axis("datasetId")


def times(rows: pd.DataFrame, arms: Iterable[str]) -> set[float]:
    """Return the times at which the runs of an experiment were measured."""
    return set(rows.loc[rows["experimentId"].isin(list(arms)), "time"])


def _states(runs: Runs, rows: pd.DataFrame) -> pd.DataFrame:
    """Return, for each measurement, all variables at its time and, as ``basal_``, at time zero."""
    parts = []
    for arm, group in rows.groupby("experimentId"):
        data = runs.arm(str(arm)).data
        now = data.loc[group["time"].round(9)].set_axis(group.index)
        parts.append(now.assign(**data.iloc[0].add_prefix(BASAL)))
    return pd.concat(parts).loc[rows.index]


def _linear(rows: pd.DataFrame, states: pd.DataFrame, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return each prediction without scales and offsets, and its slope in each of them."""
    constant = pd.Series(0.0, index=rows.index)
    slopes = pd.DataFrame(0.0, index=rows.index, columns=names)
    for formula, group in rows.groupby("observableFormula"):
        words = set(re.findall(r"[A-Za-z_]\w*", str(formula)))
        missing = words - set(states.columns) - set(names)
        if missing:
            raise DataError(f"observable formula {formula!r}: {unknown('id', min(missing), states.columns)}")
        zero = dict.fromkeys(words & set(names), 0.0)
        frame = states.loc[group.index, sorted(words - zero.keys())]
        try:
            at_zero = frame.assign(**zero).eval(str(formula))
            constant[group.index] = at_zero
            for name in zero:
                slopes.loc[group.index, name] = frame.assign(**zero | {name: 1.0}).eval(str(formula)) - at_zero
        except (SyntaxError, TypeError, ValueError) as error:
            raise DataError(f"observable formula {formula!r}: {error}") from None
    return constant.to_numpy(), slopes.to_numpy()


def _estimate(values: np.ndarray, slopes: np.ndarray, target: np.ndarray, noise: np.ndarray) -> None:
    """Fill in the nuisance values that are still open and occur here."""
    open_here = np.isnan(values) & (np.abs(slopes).sum(axis=0) > 0)
    if not open_here.any():
        return
    known = slopes @ np.nan_to_num(values)
    solved, *_ = np.linalg.lstsq(slopes[:, open_here] / noise[:, None], (target - known) / noise, rcond=None)
    values[open_here] = solved
