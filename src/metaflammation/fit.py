"""Estimation: seeded multi-start least squares on data and targets, with uncertainty of each estimate."""

from __future__ import annotations

import json
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation import children
from metaflammation.errors import DataError
from metaflammation.problem import Problem, search, uncertainty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import ProcessPoolExecutor
    from pathlib import Path

    import pandas as pd

    from metaflammation.model import Model

    Progress = Callable[[str], None]

CLOSE = 1.01
"""A start counts as having found the optimum if its objective is within one percent of the best."""


@dataclass(frozen=True)
class Start:
    """Where one local search began and ended."""

    first: float
    last: float
    x: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Fit:
    """The result of a multi-start.

    Attributes
    ----------
    chi2 : float
        Sum of squared residuals of measurements and targets at the optimum.
    objective : float
        The same with the terms of the priors: what was minimised.
    starts : tuple of Start
        Every local search, best first.
    table : pandas.DataFrame
        Index the parameter; columns value, lower, upper, sd (log10, from the Hessian with priors), sd_data (without
        priors), determined (whether the data alone fix it within a factor of ten either way).
    nuisances : dict
        Scales and offsets at the optimum.
    """

    model: str
    seed: int
    points: int
    chi2: float
    objective: float
    starts: tuple[Start, ...]
    table: pd.DataFrame
    nuisances: dict[str, float]
    left_out: tuple[str, ...] = ()
    spread: float | None = None

    @property
    def close(self) -> int:
        """Return how many starts came within one percent of the best objective."""
        return sum(s.last <= CLOSE * self.objective for s in self.starts)


def multi_start(
    model: Model,
    *,
    seed: int = 1,
    starts: int = 24,
    screened: int = 10,
    workers: int = 2,
    spread: float | None = None,
    left_out: tuple[str, ...] = (),
    progress: Progress = lambda _: None,
) -> Fit:
    """Estimate the free parameters of a model from its measurements and targets.

    Latin-hypercube points over the full bounds (or within ``spread`` of the committed values) are screened by their
    objective; from the best ones a coarse local search starts; the best quarter of those is polished. The result does
    not depend on the number of workers.

    Parameters
    ----------
    model : Model
        A model with measurements.
    seed : int
        Seed of the hypercube.
    starts : int
        Number of local searches.
    screened : int
        Points screened for each local search.
    workers : int
        Processes.
    spread : float, optional
        Decades around the committed values within which the points lie: a search for a better optimum nearby, which
        cannot show that there is none elsewhere.
    left_out : tuple of str
        Data sets and targets that do not count.
    progress : callable
        Told after each piece of work; :func:`steps` is their number.

    Raises
    ------
    DataError
        If the model has nothing to fit.
    """
    from scipy.stats import qmc

    problem = Problem(model, left_out)
    cube = qmc.LatinHypercube(len(problem.free), rng=np.random.default_rng(seed)).random(starts * screened)
    lower, upper = problem.lower, problem.upper
    if spread is not None:
        lower, upper = np.maximum(lower, problem.start - spread), np.minimum(upper, problem.start + spread)
    points = lower + cube * (upper - lower)
    with children.pool(problem, workers) as pool:
        first = _ordered(pool, _screen, np.array_split(points, starts), progress, "screening")
        costs = np.concatenate(first)
        best = np.argsort(costs, kind="stable")[:starts]
        coarse = _ordered(pool, _coarse, points[best], progress, "searching")
        ranked = sorted(zip(costs[best], coarse, strict=True), key=lambda c: c[1][1])
        polished = _ordered(pool, _polish, [x for _, (x, _) in ranked[: max(1, starts // 4)]], progress, "polishing")
    ends = polished + [c for _, c in ranked[len(polished) :]]
    found = [Start(float(cost), last, x) for (cost, _), (x, last) in zip(ranked, ends, strict=True)]
    found.sort(key=lambda s: s.last)
    return _result(problem, seed, tuple(found), spread)


def refine(model: Model, left_out: tuple[str, ...] = ()) -> Fit:
    """Return one local search from the committed values."""
    problem = Problem(model, left_out)
    first = float((problem.residuals(problem.start) ** 2).sum())
    x, last = search(problem, problem.start)
    return _result(problem, 0, (Start(first, last, x),))


def reproduces(fit: Fit, model: Model) -> bool:
    """Return whether the best objective is that of the committed values, within one percent."""
    problem = Problem(model)
    committed = float((problem.residuals(problem.start) ** 2).sum())
    return abs(fit.objective / committed - 1) < CLOSE - 1


def steps(starts: int) -> int:
    """Return how often :func:`multi_start` reports progress."""
    return 2 * starts + max(1, starts // 4)


def _result(problem: Problem, seed: int, starts: tuple[Start, ...], spread: float | None = None) -> Fit:
    best = starts[0]
    return Fit(
        model=problem.model.id,
        seed=seed,
        points=problem.points,
        chi2=problem.chi2(best.x),
        objective=best.last,
        starts=starts,
        table=uncertainty(problem, best.x),
        nuisances=problem.scaled(best.x)[1],
        left_out=problem.left_out,
        spread=spread,
    )


def as_json(fit: Fit) -> dict[str, Any]:
    """Return a fit as plain data for JSON, with the versions that it was made with."""
    from importlib.metadata import version

    table = fit.table.replace([np.inf], None)
    return {
        "model": fit.model,
        "seed": fit.seed,
        "left_out": list(fit.left_out),
        "spread": fit.spread,
        "versions": {p: version(p) for p in ("metaflammation", "libroadrunner", "numpy", "scipy")},
        "points": fit.points,
        "chi2": fit.chi2,
        "objective": fit.objective,
        "starts_within_one_percent": fit.close,
        "starts": [{"first": s.first, "last": s.last} for s in fit.starts],
        "parameters": table.reset_index().to_dict("records"),
        "scales_and_offsets": fit.nuisances,
    }


def from_json(path: Path, model: Model) -> dict[str, Any]:
    """Return what ``metaflammation fit -o`` wrote.

    Raises
    ------
    DataError
        If the file is missing or is no such result of this model.
    """
    try:
        result: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if result["model"] != model.id:
            raise DataError(f"{path}: is a fit of {result['model']}, not of {model.id}")
        result["parameters"], result["starts"], result["objective"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: cannot be read as the result of a fit ({error})") from None
    return result


def _screen(points: np.ndarray) -> np.ndarray:
    problem: Problem = children.kept()
    return np.array([float((problem.residuals(x) ** 2).sum()) for x in points])


def _coarse(x: np.ndarray) -> tuple[np.ndarray, float]:
    return search(children.kept(), x, evaluations=25, tolerance=1e-3)


def _polish(x: np.ndarray) -> tuple[np.ndarray, float]:
    return search(children.kept(), x)


def _ordered(
    pool: ProcessPoolExecutor, work: Callable[[Any], Any], items: Iterable[Any], progress: Progress, what: str
) -> list[Any]:
    futures = [pool.submit(work, item) for item in items]
    for _ in as_completed(futures):
        progress(what)
    return [f.result() for f in futures]
