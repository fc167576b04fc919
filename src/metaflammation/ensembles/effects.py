"""The effect in a trial: difference of the arms, its size, intervals, and how it stands to a published one."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from metaflammation.records import EndPoint, Published

LEVEL = 0.95
SIGNIFICANT = 0.05

NORMAL = 1.959964
"""Standard errors on either side of a 95 % interval."""

RESAMPLES = 2000
"""Bootstrap samples behind the interval of Hedges' g."""

WITHIN, OVERLAP, APART = "within", "overlap", "apart"

COLUMNS = (
    "title", "unit", "n", "treated", "sd_treated", "control", "sd_control",
    "difference", "lower", "upper", "p", "g", "g_lower", "g_upper", "expected", "power",
    "published", "published_lower", "published_upper", "published_g", "citation", "interval", "fitted", "verdict",
)  # fmt: skip
"""Columns of the table of a trial."""


def row(point: EndPoint, unit: str, treated: np.ndarray, control: np.ndarray, *, paired: bool, seed: int) -> list[Any]:
    """Return the row of an end point.

    Parameters
    ----------
    treated, control : numpy.ndarray
        Shape (repeats, persons); the first repeat is the trial, the others say what it could have been.
    """
    first = difference(treated[0], control[0], paired=paired)
    all_of = [first, *(difference(t, c, paired=paired) for t, c in zip(treated[1:], control[1:], strict=True))]
    repeated = len(all_of) > 1
    published = point.published
    return [
        point.title,
        unit,
        treated.shape[1],
        *(f(x[0]) for x in (treated, control) for f in (np.mean, _sd)),
        *first,
        hedges(treated[0], control[0]),
        *hedges_interval(treated[0], control[0], paired=paired, seed=seed),
        float(np.mean([d[0] for d in all_of])) if repeated else np.nan,
        float(np.mean([d[3] < SIGNIFICANT for d in all_of])) if repeated else np.nan,
        *((published.value, published.lower, published.upper) if published else [np.nan] * 3),
        published_size(published),
        published.citation if published else "",
        ("reported" if published.reported else "rule") if published else "",
        ", ".join(point.rests_on_fit),
        verdict(first[0], first[1:3], (published.lower, published.upper)) if published else "",
    ]


def difference(treated: np.ndarray, control: np.ndarray, *, paired: bool) -> tuple[float, float, float, float]:
    """Return treated less control, its 95 % interval, and P, by Welch's test or that of pairs."""
    from scipy import stats

    with warnings.catch_warnings():
        # Persons without any treatment stay as they are: an arm may be without variance.
        warnings.simplefilter("ignore", RuntimeWarning)
        found = stats.ttest_rel(treated, control) if paired else stats.ttest_ind(treated, control, equal_var=False)
        interval = found.confidence_interval(LEVEL)
    middle = float(np.mean(treated) - np.mean(control))
    if not np.isfinite(found.pvalue):
        return middle, middle, middle, 1.0 if middle == 0 else 0.0
    return middle, float(interval.low), float(interval.high), float(found.pvalue)


def hedges(treated: np.ndarray, control: np.ndarray) -> float:
    """Return Hedges' g: the difference over the pooled standard deviation, corrected for small groups."""
    return float(_hedges(treated, control, axis=-1))


def _hedges(treated: np.ndarray, control: np.ndarray, axis: int = -1) -> np.ndarray:
    n, m = treated.shape[axis], control.shape[axis]
    free = n + m - 2
    squares = (n - 1) * np.var(treated, axis=axis, ddof=1) + (m - 1) * np.var(control, axis=axis, ddof=1)
    with np.errstate(all="ignore"):
        d = (np.mean(treated, axis=axis) - np.mean(control, axis=axis)) / np.sqrt(squares / free)
    return np.asarray(d * (1 - 3 / (4 * free - 1)))


def hedges_interval(treated: np.ndarray, control: np.ndarray, *, paired: bool, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of Hedges' g by resampling persons."""
    from scipy import stats

    if not (np.ptp(treated) or np.ptp(control)):
        return np.nan, np.nan
    with np.errstate(all="ignore"):
        found = stats.bootstrap(
            (treated, control), _hedges, paired=paired, vectorized=True, n_resamples=RESAMPLES,
            method="percentile", rng=np.random.default_rng(seed),
        ).bootstrap_distribution  # fmt: skip
    # In small groups a sample may hold one person only, again and again: it has no standard deviation.
    low, high = np.percentile(found[np.isfinite(found)], [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)


def published_size(published: Published | None) -> float:
    """Return Hedges' g of a published effect, from the width of a reported interval and the number of persons."""
    if published is None or published.persons is None:
        return np.nan
    n = published.persons
    sd = (published.upper - published.lower) / 2 / NORMAL / np.sqrt(2 / n)
    return float(published.value / sd * (1 - 3 / (4 * (2 * n - 2) - 1)))


def verdict(effect: float, interval: tuple[float, float], published: tuple[float, float]) -> str:
    """Return how an effect stands to a published interval.

    ``within`` if it lies in it, ``overlap`` if only the intervals overlap, ``apart`` if not even they do.
    """
    if published[0] <= effect <= published[1]:
        return WITHIN
    return OVERLAP if interval[0] <= published[1] and published[0] <= interval[1] else APART


def _sd(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1))
