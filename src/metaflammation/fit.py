"""Estimation: seeded multi-start least squares on the measurements, with uncertainty of each estimate."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from metaflammation import measurements
from metaflammation.engines import load as load_engine
from metaflammation.errors import DataError, SimulationError
from metaflammation.simulate import Protocol
from metaflammation.tables import Solver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from metaflammation.engines import Engine
    from metaflammation.model import Model
    from metaflammation.tables import EstimatedParameter

    Progress = Callable[[str], None]

SOLVER = Solver(relative_tolerance=1e-7, absolute_tolerance=1e-12)
"""Tolerances during the search; the result is evaluated with those of the model."""

STEP = 1e-3
"""Step of the finite differences, in decades: far above the error of the solver."""

FAILED = 1e3
"""Residual of every point of a parameter set that cannot be simulated."""

CLOSE = 1.01
"""A start counts as having found the optimum if its objective is within one percent of the best."""


@dataclass
class Problem:
    """The measurements that are fitted and the parameters that are free.

    Parameters
    ----------
    model : Model
        The model.
    left_out : tuple of str
        Data sets that do not count.
    """

    model: Model
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rows = measurements.read(self.model)
        self.rows = rows[(rows["use"] == "fit") & ~rows["datasetId"].isin(self.left_out)].reset_index(drop=True)
        if self.rows.empty:
            raise DataError(f"{self.model.id}: has no measurements to fit")
        names = measurements.nuisances(self.model)
        words = {w for f in self.rows["observableFormula"].unique() for w in measurements.WORD.findall(str(f))}
        self.nuisances = [n for n in names if n in words]
        self.free: list[EstimatedParameter] = [
            p for i, p in self.model.estimated.items() if p.estimate and i not in names
        ]
        self.lower = np.log10([p.lower for p in self.free])
        self.upper = np.log10([p.upper for p in self.free])
        self.start = np.log10([p.value for p in self.free])
        self.noise = self.rows["noiseParameters"].to_numpy()
        arms = {arm: (e, dose) for e in self.model.experiments.values() for arm, dose in e.arms.items()}
        self._arms = [
            (*arms[str(arm)], group["time"].round(9).to_numpy(), group.index.to_numpy())
            for arm, group in self.rows.groupby("experimentId")
        ]

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in {"engine", "_observables"}}

    @cached_property
    def _observables(self) -> measurements.Observables:
        return measurements.Observables(self.rows, self.nuisances)

    @cached_property
    def engine(self) -> Engine:
        """Return the engine of the search."""
        return load_engine("roadrunner", self.model.sbml, self.model.elements, SOLVER)

    @property
    def names(self) -> list[str]:
        """Return the ids of the free parameters."""
        return [p.id for p in self.free]

    def residuals(self, x: np.ndarray, *, priors: bool = True) -> np.ndarray:
        """Return the residuals in units of the noise at log10 parameters ``x``, those of the priors last."""
        try:
            constant, slopes = self.linear(x)
        except SimulationError:
            return np.full(len(self.rows) + (len(self._priors) if priors else 0), FAILED)
        values = np.full(len(self.nuisances), np.nan)
        target = self.rows["measurement"].to_numpy() - constant
        measurements.estimate(values, slopes, target, self.noise)
        found = (target - slopes @ values) / self.noise
        if priors:
            found = np.concatenate([found, [(x[k] - mean) / sd for k, mean, sd in self._priors]])
        return np.where(np.isfinite(found), found, FAILED)

    def chi2(self, x: np.ndarray) -> float:
        """Return the sum of squared residuals of the measurements alone."""
        found = self.residuals(x, priors=False)
        return float(found @ found)

    def jacobian(self, x: np.ndarray, *, priors: bool = True) -> np.ndarray:
        """Return the derivative of the residuals by forward differences, inward at an upper bound."""
        here = self.residuals(x, priors=priors)
        columns = []
        for k in range(len(x)):
            step = STEP if x[k] + STEP <= self.upper[k] else -STEP
            moved = x.copy()
            moved[k] += step
            columns.append((self.residuals(moved, priors=priors) - here) / step)
        return np.array(columns).T

    @cached_property
    def _priors(self) -> list[tuple[int, float, float]]:
        return [(k, *p.log10_prior) for k, p in enumerate(self.free) if p.log10_prior]

    def linear(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each prediction without scales and offsets, and its slope in each of them."""
        values = dict(zip(self.names, (10.0**x).tolist(), strict=True))
        base = {i: v for i, v in values.items() if i in self.model.elements}
        conditions = self.model.conditions_with({i: v for i, v in values.items() if i not in base})
        columns = self.engine.columns
        now, start = np.empty((len(self.rows), len(columns))), np.empty((len(self.rows), len(columns)))
        for experiment, dose, times, rows in self._arms:
            plan = Protocol.of(experiment, conditions, dose).plan({}, [0.0, *times], base=base, grid=False)
            result = self.engine.run(plan)
            now[rows] = result[np.searchsorted(plan.times, times)]
            start[rows] = result[0]
        states = {c: now[:, k] for k, c in enumerate(columns)}
        states |= {measurements.BASAL + c: start[:, k] for k, c in enumerate(columns)}
        return self._observables.linear(states)


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
        Sum of squared residuals of the measurements at the optimum.
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

    @property
    def close(self) -> int:
        """Return how many starts came within one percent of the best objective."""
        return sum(s.last <= CLOSE * self.objective for s in self.starts)


def search(
    problem: Problem, x: np.ndarray, *, evaluations: int = 60, tolerance: float = 1e-5
) -> tuple[np.ndarray, float]:
    """Return the end of one bounded trust-region search from ``x``, and the objective there."""
    from scipy.optimize import least_squares

    inside = 1e-6 * (problem.upper - problem.lower)
    found = least_squares(
        problem.residuals,
        np.clip(x, problem.lower + inside, problem.upper - inside),
        jac=problem.jacobian,
        bounds=(problem.lower, problem.upper),
        ftol=tolerance,
        xtol=1e-6,
        max_nfev=evaluations,
    )
    return found.x, 2.0 * float(found.cost)


def multi_start(
    model: Model,
    *,
    seed: int = 1,
    starts: int = 24,
    screened: int = 10,
    workers: int = 2,
    left_out: tuple[str, ...] = (),
    progress: Progress = lambda _: None,
) -> Fit:
    """Estimate the free parameters of a model from its measurements.

    Latin-hypercube points over the full bounds are screened by their objective; from the best ones a coarse local
    search starts; the best quarter of those is polished. The result does not depend on the number of workers.

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
    left_out : tuple of str
        Data sets that do not count.
    progress : callable
        Told after each piece of work; :func:`steps` is their number.

    Raises
    ------
    DataError
        If the model has no measurements to fit.
    """
    from scipy.stats import qmc

    problem = Problem(model, left_out)
    cube = qmc.LatinHypercube(len(problem.free), rng=np.random.default_rng(seed)).random(starts * screened)
    points = problem.lower + cube * (problem.upper - problem.lower)
    with ProcessPoolExecutor(workers, get_context("spawn"), _remember, (problem,)) as pool:
        first = _ordered(pool, _screen, np.array_split(points, starts), progress, "screening")
        costs = np.concatenate(first)
        best = np.argsort(costs, kind="stable")[:starts]
        coarse = _ordered(pool, _coarse, points[best], progress, "searching")
        ranked = sorted(zip(costs[best], coarse, strict=True), key=lambda c: c[1][1])
        polished = _ordered(pool, _polish, [x for _, (x, _) in ranked[: max(1, starts // 4)]], progress, "polishing")
    ends = polished + [c for _, c in ranked[len(polished) :]]
    found = [Start(float(cost), last, x) for (cost, _), (x, last) in zip(ranked, ends, strict=True)]
    found.sort(key=lambda s: s.last)
    return _result(problem, seed, tuple(found))


def refine(model: Model, left_out: tuple[str, ...] = ()) -> Fit:
    """Return one local search from the committed values."""
    problem = Problem(model, left_out)
    first = float((problem.residuals(problem.start) ** 2).sum())
    x, last = search(problem, problem.start)
    return _result(problem, 0, (Start(first, last, x),))


def steps(starts: int) -> int:
    """Return how often :func:`multi_start` reports progress."""
    return 2 * starts + max(1, starts // 4)


def uncertainty(problem: Problem, x: np.ndarray) -> pd.DataFrame:
    """Return value, bounds and standard error of each estimate, with and without the priors.

    Standard errors are in decades, from the Gauss-Newton Hessian; infinite where the data leave a direction open.
    """
    deviations = {}
    for name, priors in (("sd", True), ("sd_data", False)):
        jacobian = problem.jacobian(x, priors=priors)
        values, vectors = np.linalg.eigh(jacobian.T @ jacobian)
        open_direction = values < 1e-8 * values[-1]
        spread = (vectors[:, ~open_direction] ** 2 / values[~open_direction]).sum(axis=1)
        touched = (vectors[:, open_direction] ** 2).sum(axis=1) > 1e-3  # noqa: PLR2004 - more than numerical dust
        deviations[name] = np.where(touched, np.inf, np.sqrt(spread))
    table = pd.DataFrame(
        {"value": 10.0**x, "lower": 10.0**problem.lower, "upper": 10.0**problem.upper, **deviations},
        index=pd.Index(problem.names, name="parameter"),
    )
    return table.assign(determined=table["sd_data"] < 0.5)  # noqa: PLR2004 - 95 % within a factor of ten either way


def _result(problem: Problem, seed: int, starts: tuple[Start, ...]) -> Fit:
    best = starts[0]
    constant, slopes = problem.linear(best.x)
    values = np.full(len(problem.nuisances), np.nan)
    measurements.estimate(values, slopes, problem.rows["measurement"].to_numpy() - constant, problem.noise)
    return Fit(
        model=problem.model.id,
        seed=seed,
        points=len(problem.rows),
        chi2=problem.chi2(best.x),
        objective=best.last,
        starts=starts,
        table=uncertainty(problem, best.x),
        nuisances=dict(zip(problem.nuisances, values.tolist(), strict=True)),
        left_out=problem.left_out,
    )


def as_json(fit: Fit) -> dict[str, Any]:
    """Return a fit as plain data for JSON, with the versions that it was made with."""
    from importlib.metadata import version

    table = fit.table.replace([np.inf], None)
    return {
        "model": fit.model,
        "seed": fit.seed,
        "left_out": list(fit.left_out),
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


_problem: Problem | None = None


def _remember(problem: Problem) -> None:
    """Keep the problem in a worker, with its engine compiled once."""
    global _problem  # noqa: PLW0603 - the state of a worker process
    _problem = problem


def _here() -> Problem:
    if _problem is None:
        raise RuntimeError("the worker was started without a problem")
    return _problem


def _screen(points: np.ndarray) -> np.ndarray:
    return np.array([float((_here().residuals(x) ** 2).sum()) for x in points])


def _coarse(x: np.ndarray) -> tuple[np.ndarray, float]:
    return search(_here(), x, evaluations=25, tolerance=1e-3)


def _polish(x: np.ndarray) -> tuple[np.ndarray, float]:
    return search(_here(), x)


def _ordered(
    pool: ProcessPoolExecutor, work: Callable[[Any], Any], items: Iterable[Any], progress: Progress, what: str
) -> list[Any]:
    futures = [pool.submit(work, item) for item in items]
    for _ in as_completed(futures):
        progress(what)
    return [f.result() for f in futures]
