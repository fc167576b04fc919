"""Parameter sets from distributions: seeded, and each the same whoever draws it and in whatever batch."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from metaflammation.errors import DataError, unknown

if TYPE_CHECKING:
    from metaflammation.ensembles.distributions import Distribution, Joint

SAMPLERS = ("sobol", "lhs")

LARGEST = 2**25
"""Numbers in a Latin hypercube, which has to be drawn whole: 270 MB."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Parameter sets 0 to ``n - 1``.

    With ``sobol`` set i depends on the seed and on i alone; with ``lhs`` (Latin hypercube) on n too.

    Attributes
    ----------
    joint : Joint
        What is drawn.
    n, seed : int
        How many, and the seed of the scrambled points.
    sampler : str
        ``sobol`` or ``lhs``.
    """

    joint: Joint
    n: int
    seed: int = 1
    sampler: str = "sobol"

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise DataError(unknown("sampler", self.sampler, SAMPLERS))
        if self.n < 1:
            raise DataError(f"n: {self.n} is not a number of individuals")
        if self.seed < 0:
            raise DataError(f"seed: {self.seed} is negative")
        if self.sampler == "lhs" and self.n * len(self.names) > LARGEST:
            raise DataError("a Latin hypercube of this size does not fit in memory; use the sampler sobol")

    @property
    def names(self) -> tuple[str, ...]:
        """Return the ids of what is drawn."""
        return tuple(p.id for p in self.joint.parts)

    @property
    def in_model(self) -> tuple[str, ...]:
        """Return the ids of the parameters of the model among them."""
        return tuple(p.id for p in self.joint.parts if p.in_model)

    @cached_property
    def nominal(self) -> np.ndarray:
        """Return the centres: the set of the model itself."""
        return np.array([p.centre for p in self.joint.parts])

    def __getstate__(self) -> dict[str, object]:
        return {k: v for k, v in self.__dict__.items() if k != "_whole"}

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Return sets ``start`` to ``stop - 1``, shape (sets, names), in model units."""
        if not self.joint.parts:
            return np.empty((stop - start, 0))
        return self._values(self._points(start, stop))

    def _points(self, start: int, stop: int) -> np.ndarray:
        from scipy.stats import qmc

        if self.sampler == "lhs":
            return self._whole[start:stop]
        sobol = qmc.Sobol(len(self.names), rng=np.random.default_rng(self.seed))
        if start:
            sobol.fast_forward(start)
        with warnings.catch_warnings():
            # Balance asks for a power of two; of each parameter a part of the sequence is evenly drawn as well.
            warnings.simplefilter("ignore", UserWarning)
            return np.asarray(sobol.random(stop - start))

    @cached_property
    def _whole(self) -> np.ndarray:
        from scipy.stats import qmc

        cube = qmc.LatinHypercube(len(self.names), rng=np.random.default_rng(self.seed))
        return np.asarray(cube.random(self.n))

    def _values(self, points: np.ndarray) -> np.ndarray:
        values = np.empty_like(points)
        for k, part in enumerate(self.joint.parts):
            values[:, k] = _drawn(part, points[:, k])
        column = {name: k for k, name in enumerate(self.names)}
        parts = self.joint.parts
        for names, covariance in self.joint.correlated:
            columns = [column[n] for n in names]
            values[:, columns] = _correlated([parts[c] for c in columns], covariance, points[:, columns])
        return values


def _drawn(part: Distribution, points: np.ndarray) -> np.ndarray:
    """Return values of one parameter from points between 0 and 1."""
    if part.shape == "integer":
        return np.minimum(part.lower + np.floor(points * (part.upper - part.lower + 1)), part.upper)
    lower, upper, centre = part.lower, part.upper, part.centre
    if part.logarithmic:
        lower, upper, centre = np.log10(lower), np.log10(upper), np.log10(centre)
    if part.shape == "uniform":
        drawn = lower + points * (upper - lower)
    elif part.sd > 0:
        drawn = centre + part.sd * _normal(points, (lower - centre) / part.sd, (upper - centre) / part.sd)
    else:
        drawn = np.full_like(points, centre)
    return np.clip(10.0**drawn if part.logarithmic else drawn, part.lower, part.upper)


def _normal(points: np.ndarray, lower: np.ndarray | float, upper: np.ndarray | float) -> np.ndarray:
    """Return standard normal numbers between bounds, from points between 0 and 1."""
    from scipy.special import ndtr, ndtri

    below, above = ndtr(lower), ndtr(upper)
    return np.asarray(np.clip(ndtri(below + points * (above - below)), lower, upper))


def _correlated(parts: list[Distribution], covariance: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return log-normal values with a covariance in decades squared, each within its bounds.

    One parameter after the other is drawn given those before it, cut by its bounds: exact where no bound is near.
    """
    factor = np.linalg.cholesky(covariance)
    z = np.zeros_like(points)
    values = np.empty_like(points)
    for k, part in enumerate(parts):
        mean = np.full(len(points), np.log10(part.centre))
        for j in range(k):
            # Element by element: a product of matrices would round otherwise in a batch of another size.
            mean += factor[k, j] * z[:, j]
        sd = factor[k, k]
        z[:, k] = _normal(points[:, k], (np.log10(part.lower) - mean) / sd, (np.log10(part.upper) - mean) / sd)
        values[:, k] = np.clip(10.0 ** (mean + sd * z[:, k]), part.lower, part.upper)
    return values
