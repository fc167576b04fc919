"""Statistics of curves over many individuals in bounded memory: moments, and quantiles from mergeable histograms.

Mean and variance are merged as Chan, Golub and LeVeque do; quantiles come from counts in buckets of equal relative
width (DDSketch, doi 10.14778/3352063.3352135): they are within ``ACCURACY`` of a value of the sample, and do not depend
on how the individuals were divided into batches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ACCURACY = 0.005
"""Largest relative error of a quantile."""

GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
LARGEST = 80_000
"""Buckets reach from ``GAMMA ** -LARGEST`` (below the smallest float) up."""

ZERO = 2 * LARGEST
CODES = 4 * LARGEST + 1


@dataclass
class Sketch:
    """Counts, moments and histogram of each cell of an array, over many arrays.

    Attributes
    ----------
    count : int
        Number of arrays.
    mean, squares, low, high : numpy.ndarray
        Mean, sum of squared deviations, smallest and largest value of each cell.
    keys, counts : numpy.ndarray
        Occupied buckets (cell and bucket in one number, sorted), and how many values lie in each.
    """

    count: int
    mean: np.ndarray
    squares: np.ndarray
    low: np.ndarray
    high: np.ndarray
    keys: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, arrays: np.ndarray) -> Sketch | None:
        """Return the sketch of arrays, shape (individuals, ...); None without any."""
        if not len(arrays):
            return None
        flat = arrays.reshape(len(arrays), -1)
        cells = np.arange(flat.shape[1]) * CODES
        keys, counts = np.unique(_codes(flat) + cells, return_counts=True)
        mean = arrays.mean(axis=0)
        squares = ((arrays - mean) ** 2).sum(axis=0)
        return cls(len(arrays), mean, squares, arrays.min(axis=0), arrays.max(axis=0), keys, counts)

    def merged(self, other: Sketch) -> Sketch:
        """Return the sketch of both samples."""
        n = self.count + other.count
        apart = other.mean - self.mean
        keys, where = np.unique(np.concatenate([self.keys, other.keys]), return_inverse=True)
        counts = np.bincount(where, np.concatenate([self.counts, other.counts])).astype(np.int64)
        return Sketch(
            n,
            self.mean + apart * (other.count / n),
            self.squares + other.squares + apart**2 * (self.count * other.count / n),
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            keys,
            counts,
        )

    @property
    def sd(self) -> np.ndarray:
        """Return the standard deviation of each cell."""
        return np.asarray(np.sqrt(self.squares / max(self.count - 1, 1)))

    def quantile(self, share: float) -> np.ndarray:
        """Return the value below which this share of the sample lies, for each cell."""
        cell, code = np.divmod(self.keys, CODES)
        total = np.cumsum(self.counts)
        rank = cell * self.count + max(int(np.ceil(share * self.count)), 1)
        # Each cell holds ``count`` values, so its first bucket that reaches the rank is found in one search.
        found = np.searchsorted(total, np.unique(rank))
        values = _value(code[found]).reshape(self.mean.shape)
        return np.asarray(np.clip(values, self.low, self.high))


def _codes(values: np.ndarray) -> np.ndarray:
    """Return the bucket of each value, increasing with the value."""
    size = np.abs(values)
    with np.errstate(divide="ignore"):
        power = np.ceil(np.log(size) / np.log(GAMMA))
    index = np.clip(power, 1 - LARGEST, LARGEST - 1).astype(np.int64) + LARGEST
    return np.where(size > 0, ZERO + np.sign(values).astype(np.int64) * index, ZERO)


def _value(codes: np.ndarray) -> np.ndarray:
    sign = np.sign(codes - ZERO)
    power = (np.abs(codes - ZERO) - LARGEST).astype(float)
    return np.where(sign == 0, 0.0, sign * 2 / (1 + GAMMA) * np.exp(power * np.log(GAMMA)))
