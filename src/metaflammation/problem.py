"""The estimation problem of a model: residuals of its data and targets as a function of its free parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from metaflammation import measurements, targets
from metaflammation.engines import load as load_engine
from metaflammation.errors import DataError, SimulationError, unknown
from metaflammation.records import Solver
from metaflammation.runs import Runs
from metaflammation.simulate import Protocol

if TYPE_CHECKING:
    from metaflammation.engines import Engine
    from metaflammation.model import Model
    from metaflammation.records import EstimatedParameter

SOLVER = Solver(relative_tolerance=1e-7, absolute_tolerance=1e-12)
"""Tolerances during the search; the result is evaluated with those of the model."""

STEP = 1e-3
"""Step of the finite differences, in decades: far above the error of the solver."""

DUST = 1e-3
"""Share of a parameter in an open direction that is numerical error."""

DETERMINED = 0.5
"""Standard error in decades below which 95 % lie within a factor of ten either way."""

FAILED = 1e3
"""Residual of every point of a parameter set that cannot be simulated."""


@dataclass
class Problem:
    """The measurements and targets that are fitted, and the parameters that are free.

    Parameters
    ----------
    model : Model
        The model.
    left_out : tuple of str
        Data sets and targets that do not count.
    """

    model: Model
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rows = measurements.read(self.model)
        fitted = set(rows.loc[rows["use"] == "fit", "datasetId"])
        for name in self.left_out:
            if name not in fitted | self.model.targets.keys():
                known = [*fitted, *self.model.targets]
                raise DataError(f"{self.model.id}: {unknown('fitted data set or target', name, known)}")
        self.rows = rows[(rows["use"] == "fit") & ~rows["datasetId"].isin(self.left_out)].reset_index(drop=True)
        self.targets = [t for t in self.model.targets.values() if t.id not in self.left_out]
        if self.rows.empty and not self.targets:
            raise DataError(f"{self.model.id}: has no measurements or targets to fit")
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
    def points(self) -> int:
        """Return the number of measured points and targets."""
        return len(self.rows) + len(self.targets)

    @property
    def names(self) -> list[str]:
        """Return the ids of the free parameters."""
        return [p.id for p in self.free]

    def residuals(self, x: np.ndarray, *, priors: bool = True) -> np.ndarray:
        """Return the residuals in units of the noise at log10 parameters ``x``.

        Those of the measurements come first, then those of the targets, then those of the priors.
        """
        try:
            found = np.concatenate([self.scaled(x)[0], targets.residuals(self.targets, self._runs(x))])
        except SimulationError:
            found = np.full(self.points, FAILED)
        if priors:
            found = np.concatenate([found, [(x[k] - mean) / sd for k, mean, sd in self._priors]])
        return np.where(np.isfinite(found), found, FAILED)

    def scaled(self, x: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
        """Return the residuals of the measurements in units of the noise, and the scales and offsets they have."""
        constant, slopes = self._linear(x)
        values = np.full(len(self.nuisances), np.nan)
        target = self.rows["measurement"].to_numpy() - constant
        measurements.estimate(values, slopes, target, self.noise)
        return (target - slopes @ values) / self.noise, dict(zip(self.nuisances, values.tolist(), strict=True))

    def chi2(self, x: np.ndarray) -> float:
        """Return the sum of squared residuals of measurements and targets, without the priors."""
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

    def _setting(self, x: np.ndarray) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
        """Return the values of the model's parameters, and the conditions with those that they name."""
        values = dict(zip(self.names, (10.0**x).tolist(), strict=True))
        base = {i: v for i, v in values.items() if i in self.model.elements}
        return base, self.model.conditions_with({i: v for i, v in values.items() if i not in base})

    def _runs(self, x: np.ndarray) -> Runs:
        base, conditions = self._setting(x)
        return Runs(self.engine, self.model.elements, self.model.experiments, conditions, base=base)

    def _linear(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each prediction without scales and offsets, and its slope in each of them."""
        base, conditions = self._setting(x)
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
        touched = (vectors[:, open_direction] ** 2).sum(axis=1) > DUST
        deviations[name] = np.where(touched, np.inf, np.sqrt(spread))
    table = pd.DataFrame(
        {"value": 10.0**x, "lower": 10.0**problem.lower, "upper": 10.0**problem.upper, **deviations},
        index=pd.Index(problem.names, name="parameter"),
    )
    return table.assign(determined=table["sd_data"] < DETERMINED)
