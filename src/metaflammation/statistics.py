"""The closed set of statistics that expectations may use: pure functions of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metaflammation.errors import DataError, SimulationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike

NO_CHANGE = 1e-12
"""A course that moves by less than this share of its size does not move: times of its events do not exist."""

RIPPLE = 1e-4
"""Share of a course's range below which a local maximum is error of the solver."""


def initial(time: ArrayLike, values: ArrayLike) -> float:  # noqa: ARG001 - all statistics of a course take both
    """Return the first value."""
    return float(np.asarray(values)[0])


def final(time: ArrayLike, values: ArrayLike) -> float:  # noqa: ARG001
    """Return the last value."""
    return float(np.asarray(values)[-1])


def highest(time: ArrayLike, values: ArrayLike) -> float:  # noqa: ARG001
    """Return the largest value."""
    return float(np.max(values))


def lowest(time: ArrayLike, values: ArrayLike) -> float:  # noqa: ARG001
    """Return the smallest value."""
    return float(np.min(values))


def auc(time: ArrayLike, values: ArrayLike) -> float:
    """Return the area under the curve (trapezoids), in the unit of the values times min."""
    return float(np.trapezoid(np.asarray(values, dtype=float), np.asarray(time, dtype=float)))


def mean(time: ArrayLike, values: ArrayLike) -> float:
    """Return the mean over time."""
    t = np.asarray(time)
    return auc(time, values) / float(t[-1] - t[0])


def time_to_max(time: ArrayLike, values: ArrayLike) -> float:
    """Return the time of the largest value, refined by a parabola; not a number if the course does not move."""
    if not _moves(values):
        return float("nan")
    t, y = np.asarray(time, dtype=float), np.asarray(values, dtype=float)
    return _peak(t, y, int(np.argmax(y)))[0]


def time_to_min(time: ArrayLike, values: ArrayLike) -> float:
    """Return the time of the smallest value, refined by a parabola; not a number if the course does not move."""
    return time_to_max(time, -np.asarray(values, dtype=float))


def period(time: ArrayLike, values: ArrayLike) -> float:
    """Return the time from the first local maximum to the second; not a number with fewer than two."""
    peaks = _peaks(time, values)
    return peaks[1][0] - peaks[0][0] if len(peaks) > 1 else float("nan")


def damping(time: ArrayLike, values: ArrayLike) -> float:
    """Return the second local maximum over the first, both above the first value; not a number with fewer than two."""
    peaks, first = _peaks(time, values), float(np.asarray(values)[0])
    return (peaks[1][1] - first) / (peaks[0][1] - first) if len(peaks) > 1 else float("nan")


def half_time(time: ArrayLike, values: ArrayLike) -> float:
    """Return the time of half the largest change from the first value; not a number if the course does not move."""
    if not _moves(values):
        return float("nan")
    change = np.abs(np.asarray(values) - np.asarray(values)[0])
    return crossing(np.asarray(time), change, float(change.max()) / 2)


def full_time(time: ArrayLike, values: ArrayLike) -> float:
    """Return the time of 95 % of the largest change from the first value; not a number if the course does not move."""
    if not _moves(values):
        return float("nan")
    change = np.abs(np.asarray(values) - np.asarray(values)[0])
    return crossing(np.asarray(time), change, 0.95 * float(change.max()))


def rise(time: ArrayLike, values: ArrayLike) -> float:  # noqa: ARG001
    """Return the largest value less the first."""
    y = np.asarray(values)
    return float(y.max() - y[0])


def fall_from_max(time: ArrayLike, values: ArrayLike) -> float:  # noqa: ARG001
    """Return the last value as a fraction of the largest, both above the first value."""
    y = np.asarray(values)
    if y.max() == y[0] or not _moves(y):
        return float("nan")
    return float((y[-1] - y[0]) / (y.max() - y[0]))


def fold(time: ArrayLike, values: ArrayLike) -> float:  # noqa: ARG001
    """Return the last value over the first; not a number if the first is zero."""
    y = np.asarray(values)
    return float(y[-1] / y[0]) if y[0] else float("nan")


OF_A_COURSE: Mapping[str, Callable[[ArrayLike, ArrayLike], float]] = {
    "initial": initial,
    "final": final,
    "max": highest,
    "min": lowest,
    "mean": mean,
    "auc": auc,
    "time_to_max": time_to_max,
    "time_to_min": time_to_min,
    "period": period,
    "damping": damping,
    "half_time": half_time,
    "full_time": full_time,
    "rise": rise,
    "fall_from_max": fall_from_max,
    "fold": fold,
}
"""Statistics of one observable over time, by the names used in expectations."""


def at(time: ArrayLike, values: ArrayLike, when: float) -> float:
    """Return the value at a time, interpolated linearly.

    Raises
    ------
    SimulationError
        If the time lies outside the course.
    """
    t = np.asarray(time, dtype=float)
    if not t[0] <= when <= t[-1]:
        raise SimulationError(f"time {when:g} min lies outside the simulation ({t[0]:g} to {t[-1]:g} min)")
    return float(np.interp(when, t, np.asarray(values, dtype=float)))


def time_for(time: ArrayLike, values: ArrayLike, level: float) -> float:
    """Return the first time at which the course rises to ``level``; infinite if it never does."""
    y = np.asarray(values, dtype=float)
    return crossing(np.asarray(time, dtype=float), y, level) if y.max() >= level else float("inf")


def ec50(doses: ArrayLike, responses: ArrayLike) -> float:
    """Return the dose of half the largest change from the response at the lowest dose.

    The dose is interpolated on a logarithmic scale between the doses of the series. Not a number if the response does
    not move.
    """
    if not _moves(responses):
        return float("nan")
    change = np.abs(np.asarray(responses) - np.asarray(responses)[0])
    return dose_for(doses, change, float(change.max()) / 2)


def dose_for(doses: ArrayLike, responses: ArrayLike, level: float) -> float:
    """Return the lowest dose at which the response reaches ``level``; infinite if none of the series does."""
    d, r = np.asarray(doses, dtype=float), np.asarray(responses, dtype=float)
    if (np.diff(d) <= 0).any():
        raise DataError("the doses of a series must increase")
    positive = d > 0
    if r[positive].max() < level:
        return float("inf")
    return float(10 ** crossing(np.log10(d[positive]), r[positive], level))


def crossing(x: np.ndarray, y: np.ndarray, level: float) -> float:
    """Return the first ``x`` at which ``y`` rises to ``level``, interpolated linearly."""
    k = int(np.argmax(y >= level))
    if k == 0:
        return float(x[0])
    return float(x[k - 1] + (x[k] - x[k - 1]) * (level - y[k - 1]) / (y[k] - y[k - 1]))


def smallest_gap(values: ArrayLike) -> float:
    """Return the smallest step from one value to the next: positive if they are in order."""
    return float(np.min(np.diff(np.asarray(values))))


def _peaks(time: ArrayLike, values: ArrayLike) -> list[tuple[float, float]]:
    """Return time and height of each local maximum that stands out from the course's rounding error."""
    t, y = np.asarray(time, dtype=float), np.asarray(values, dtype=float)
    if not _moves(y):
        return []
    inside = np.arange(1, len(y) - 1)
    tops = inside[(y[inside] > y[inside - 1]) & (y[inside] >= y[inside + 1])]
    kept: list[int] = []
    for k in tops:
        # Between two maxima of a real oscillation the course falls by more than the solver's error.
        if not kept or y[kept[-1] : k].min() < min(y[k], y[kept[-1]]) - RIPPLE * np.ptp(y):
            kept.append(int(k))
    return [_peak(t, y, k) for k in kept]


def _peak(t: np.ndarray, y: np.ndarray, k: int) -> tuple[float, float]:
    """Return time and height of the parabola through the point ``k`` and its neighbours; of the point at an end."""
    if not 0 < k < len(y) - 1:
        return float(t[k]), float(y[k])
    left, right = t[k] - t[k - 1], t[k + 1] - t[k]
    slope_left, slope_right = (y[k] - y[k - 1]) / left, (y[k + 1] - y[k]) / right
    bend = (slope_right - slope_left) / (left + right)
    if bend >= 0:
        return float(t[k]), float(y[k])
    slope = slope_left + bend * left
    return float(t[k] - slope / (2 * bend)), float(y[k] - slope**2 / (4 * bend))


def _moves(values: ArrayLike) -> bool:
    y = np.asarray(values)
    return bool(np.ptp(y) > NO_CHANGE * max(np.abs(y).max(), 1e-300))
