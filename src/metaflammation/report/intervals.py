"""Where on the curves of a report the interval of an expectation lies, and the point that it reads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation.expectations import NOISE, TIMES, evaluate
from metaflammation.records import Comparison, Expectation, Reading, Several

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from metaflammation.records import Value
    from metaflammation.runs import Runs

Bound = float | None

WHOLE = {"max", "min", "mean", "rise"}
"""Statistics that look at a span of time; the others look at one moment."""

DOSES = {"ec50", "dose_for"}
"""Statistics that are doses."""


def marks(expectation: Expectation, runs: Runs) -> Iterator[tuple[Reading, dict[str, Any]]]:
    """Return what can be drawn of an expectation, each with the reading on whose curve it lies.

    Returns
    -------
    iterator of (Reading, dict)
        ``axis``: ``y``, ``time`` (min) or ``dose``, along which the interval from ``lower`` to ``upper`` (None: open)
        lies; ``span``: the times (min) at which it holds, for ``y``; ``point``: time or dose, and value, of what is
        read, or None if it does not exist.
    """
    for reading, lower, upper in demands(expectation.value, expectation.lower, expectation.upper, runs):
        drawn = _mark(reading, lower, upper, runs)
        if drawn:
            yield reading, drawn


def demands(value: Value, lower: Bound, upper: Bound, runs: Runs) -> Iterator[tuple[Reading, Bound, Bound]]:
    """Return what an interval of a value demands of the readings it is made of.

    A comparison is a demand on what is compared, as long as what it is compared with stays as it is. Where no single
    curve carries the interval (orders, averages), nothing is returned.
    """
    if isinstance(value, Reading):
        yield value, lower, upper
    elif isinstance(value, Comparison):
        to = evaluate(value.to, runs)
        if not math.isfinite(to) or (value.statistic == "ratio" and abs(to) <= NOISE):
            return
        ends = [None if b is None else b * to if value.statistic == "ratio" else b + to for b in (lower, upper)]
        if value.statistic == "ratio" and to < 0:
            ends.reverse()
        yield from demands(value.of, ends[0], ends[1], runs)
    elif isinstance(value, Several) and (value.statistic, None) in {("smallest", upper), ("largest", lower)}:
        for each in value.of:
            yield from demands(each, lower, upper, runs)


def _mark(reading: Reading, lower: Bound, upper: Bound, runs: Runs) -> dict[str, Any] | None:
    if reading.statistic in DOSES:
        return _on_doses(reading, lower, upper, runs)
    if reading.statistic == "max_over_doses" or (runs.experiment(reading.experiment).doses and reading.dose is None):
        return None
    course = runs.course(reading.experiment, reading.dose, reading.under)
    series = course[reading.observable]
    if reading.window:
        series = series[(series.index >= reading.window[0]) & (series.index <= reading.window[1])]
    if reading.statistic in TIMES - {"period"}:
        time = evaluate(reading, runs)
        point = (time, float(np.interp(time, series.index, series))) if math.isfinite(time) else None
        return {"axis": "time", "lower": lower, "upper": upper, "point": point}
    if reading.statistic in {"auc", "period", "damping"}:
        return None
    scale, origin = _of_level(reading, series)
    if scale <= 0:
        return None
    ends = [None if b is None else b * scale + origin for b in (lower, upper)]
    time = _moment(reading, series)
    mean = reading.statistic == "mean"
    level = evaluate(reading, runs) if mean else float(np.interp(time, series.index, series))
    span = (float(series.index[0]), float(series.index[-1])) if reading.statistic in WHOLE else (time, time)
    return {"axis": "y", "lower": ends[0], "upper": ends[1], "span": span, "point": (time, level)}


def _of_level(reading: Reading, series: pd.Series[float]) -> tuple[float, float]:
    """Return scale and origin by which a value of the statistic becomes a level of the observable."""
    first, highest = float(series.iloc[0]), float(series.max())
    return {"fold": (first, 0.0), "rise": (1.0, first), "fall_from_max": (highest - first, first)}.get(
        reading.statistic, (1.0, 0.0)
    )


def _moment(reading: Reading, series: pd.Series[float]) -> float:
    if reading.statistic == "at":
        return reading.at or 0.0
    if reading.statistic in {"max", "rise"}:
        return float(series.idxmax())
    if reading.statistic == "min":
        return float(series.idxmin())
    if reading.statistic == "mean":
        return float(series.index[0] + series.index[-1]) / 2
    return float(series.index[0 if reading.statistic == "initial" else -1])


def _on_doses(reading: Reading, lower: Bound, upper: Bound, runs: Runs) -> dict[str, Any] | None:
    if reading.at not in {None, runs.experiment(reading.experiment).duration}:
        return None
    doses, responses = runs.response(reading)
    dose = evaluate(reading, runs)
    x, y = np.asarray(doses), np.asarray(responses)
    point = None
    if math.isfinite(dose) and dose > 0:
        point = (dose, float(np.interp(math.log10(dose), np.log10(x[x > 0]), y[x > 0])))
    return {"axis": "dose", "lower": lower, "upper": upper, "point": point}
