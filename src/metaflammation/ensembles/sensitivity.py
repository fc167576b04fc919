"""Which parameters a result depends on: Sobol indices and Morris screening through SALib, and local elasticities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation.ensembles import distributions, ensemble
from metaflammation.ensembles.draws import Draws
from metaflammation.ensembles.population import VirtualPopulation
from metaflammation.errors import DataError, SimulationError, missing, unknown
from metaflammation.statistics import OF_A_COURSE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes

    from metaflammation.ensembles.distributions import Joint
    from metaflammation.model import Model

    Progress = Callable[[int, int], None]

METHODS = ("sobol", "morris", "local")

LEVELS = 4
"""Levels of the grid of Morris' method."""

TAIL = 0.025
"""Share of a distribution on either side into which Morris' grid does not reach: its ends would be the bounds."""

STEP = 0.01
"""Relative step of local elasticities; half of it tells the error."""

STEPS = (STEP, -STEP, STEP / 2, -STEP / 2)

RESAMPLES = 200
"""Bootstrap samples behind confidence intervals."""

MAIN = {"sobol": "ST", "morris": "mu_star", "local": "elasticity"}
"""Column by which parameters are ranked."""

COLUMNS = {
    "sobol": ("S1", "S1_conf", "ST", "ST_conf"),
    "morris": ("mu", "mu_star", "mu_star_conf", "sigma"),
    "local": ("elasticity", "error"),
}
"""Columns of the table of each method."""

FEWEST = 8
"""Complete base samples or trajectories that are needed."""


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """How a number depends on the parameters.

    Attributes
    ----------
    table : pandas.DataFrame
        Index parameter, most important first; see :meth:`metaflammation.Model.sensitivity`.
    method : str
        ``sobol``, ``morris`` or ``local``.
    readout : str
        What the number is: ``statistic:observable``.
    unit : str
        Its unit.
    about : dict
        Model, experiment, seed, numbers and versions.
    """

    table: pd.DataFrame
    method: str
    readout: str
    unit: str
    about: Mapping[str, Any]

    def to_tsv(self) -> str:
        """Return the table as tab-separated text, after a comment with settings and versions."""
        about = self.about
        versions = ", ".join(f"{package} {version}" for package, version in about["versions"].items())
        said = f"{about['model']}, {about['experiment']}, {self.readout}; {self.method}, n {about['samples']}"
        table = self.table.to_csv(sep="\t", float_format="%.5g", lineterminator="\n")
        return f"# {said}, seed {about['seed']}; {versions}\n{table}"

    def plot(self, most: int = 15, ax: Axes | None = None) -> Axes:
        """Draw the ``most`` important parameters with their intervals."""
        from metaflammation.ensembles import bars

        return bars.draw(self, most, ax)


@dataclass(frozen=True, eq=False)
class Listed(Draws):
    """Parameter sets at points that a method asks for, shape (sets, parameters), between 0 and 1."""

    points: np.ndarray | None = None

    def _points(self, start: int, stop: int) -> np.ndarray:
        return np.asarray(self.points)[start:stop]


@dataclass(frozen=True, eq=False)
class Stepped(Draws):
    """The model's own set, and each parameter a step and half a step up and down."""

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Return sets ``start`` to ``stop - 1``, shape (sets, names), in model units."""
        found = np.tile(self.nominal, (stop - start, 1))
        for row, k in enumerate(range(start, stop)):
            if k:
                found[row, (k - 1) // len(STEPS)] *= 1 + STEPS[(k - 1) % len(STEPS)]
        return found


def run(
    model: Model,
    experiment: str,
    observable: str,
    *,
    statistic: str = "final",
    dose: float | None = None,
    method: str = "sobol",
    n: int = 256,
    parameters: Sequence[str] = (),
    population: str | None = None,
    spread: float | str = distributions.BOUNDS,
    conditions: tuple[str, ...] = (),
    seed: int = 1,
    workers: int = 1,
    scheduler: str | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress = lambda _done, _failed: None,
) -> Sensitivity:
    """Find out what a number depends on; see :meth:`metaflammation.Model.sensitivity`."""
    joint, conditions = moving(model, parameters, population, spread, conditions)
    draws, points = designed(joint, method, n, seed)
    people = VirtualPopulation(model, draws, population, conditions)
    if statistic not in OF_A_COURSE:
        raise DataError(unknown("statistic", statistic, OF_A_COURSE))
    found = ensemble.simulate(
        people,
        experiment,
        dose=dose,
        readouts=[f"{statistic}:{observable}"],
        observables=[observable],
        workers=workers,
        scheduler=scheduler,
        output=output,
        overwrite=overwrite,
        progress=progress,
    )
    columns = [c for c in found.data.columns if c.startswith(f"{statistic}:{observable}")]
    if len(columns) > 1:
        raise DataError(f"experiment {experiment} runs over doses: name the dose that is meant")
    numbers = found.data[columns[0]].to_numpy()
    # What belongs together is left out together.
    block = {"sobol": len(draws.names) + 2, "morris": len(draws.names) + 1}.get(method, draws.n)
    whole = np.isfinite(numbers).reshape(-1, block).all(axis=1)
    if whole.sum() < (1 if method == "local" else FEWEST):
        why = f"; the first: {found.failed.iloc[0]}" if len(found.failed) else ""
        raise SimulationError(f"{int((~whole).sum())} of {len(whole)} samples could not be simulated{why}")
    kept = np.repeat(whole, block)
    table = analysed(list(draws.names), method, points[kept], numbers[kept], seed)
    order = table[MAIN[method]].abs().sort_values(ascending=False, kind="stable").index
    about = dict(found.about) | {"method": method, "samples": n, "left_out": int((~whole).sum())}
    return Sensitivity(table.loc[order], method, f"{statistic}:{observable}", found.units[columns[0]], about)


def moving(
    model: Model,
    parameters: Sequence[str],
    population: str | None,
    spread: float | str,
    conditions: tuple[str, ...],
) -> tuple[Joint, tuple[str, ...]]:
    """Return the distributions of what moves, each on its own, and the conditions that hold throughout."""
    if population is None:
        joint = distributions.of_evidence(model, spread)
    else:
        if population not in model.populations:
            raise DataError(f"{model.id}: {unknown('population', population, model.populations)}")
        joint = distributions.of_population(model, model.populations[population])
        conditions = (*model.populations[population].conditions, *conditions)
    known = [p.id for p in joint.parts]
    for name in parameters:
        if name not in known:
            raise DataError(f"{model.id}: {unknown('parameter that moves', name, known)}")
    parts = tuple(p for p in joint.parts if not parameters or p.id in parameters)
    kept = {p.id for p in parts}
    # Indices of variance share it out among independent parameters: each moves within its own error.
    return replace(
        joint, parts=parts, correlated=(), twins={t: o for t, o in joint.twins.items() if o in kept}
    ), conditions


def number(
    model: Model, parameters: Sequence[str], population: str | None, spread: float | str, method: str, n: int
) -> int:
    """Return how many runs a method takes."""
    moved = len(moving(model, parameters, population, spread, ())[0].parts)
    return {"sobol": n * (moved + 2), "morris": n * (moved + 1), "local": 1 + len(STEPS) * moved}.get(method, n)


def designed(joint: Joint, method: str, n: int, seed: int) -> tuple[Draws, np.ndarray]:
    """Return the parameter sets that a method asks for, and its points as SALib knows them."""
    if method not in METHODS:
        raise DataError(unknown("method", method, METHODS))
    names = [p.id for p in joint.parts]
    if method == "local":
        return Stepped(joint, 1 + len(STEPS) * len(names), seed), np.empty((1 + len(STEPS) * len(names), 0))
    if n < FEWEST:
        raise DataError(f"n: {n} is too few; {method} needs at least {FEWEST}")
    salib = _salib()
    problem = _problem(names)
    if method == "sobol":
        if n & (n - 1):
            raise DataError(f"n: {n} is no power of two, which the sequence behind Sobol's method needs")
        points = salib.sobol.sample(problem, n, calc_second_order=False, seed=seed)
        return Listed(joint, len(points), seed, points=points), points
    points = salib.morris.sample(problem, n, num_levels=LEVELS, seed=seed)
    return Listed(joint, len(points), seed, points=TAIL + (1 - 2 * TAIL) * points), points


def analysed(names: list[str], method: str, points: np.ndarray, numbers: np.ndarray, seed: int) -> pd.DataFrame:
    """Return the table of a method from the numbers at its points."""
    import pandas as pd

    index = pd.Index(names, name="parameter")
    if method == "local":
        return pd.DataFrame(_elasticities(numbers), index=index, columns=list(COLUMNS[method]))
    salib = _salib()
    problem = _problem(names)
    if not np.ptp(numbers):
        return pd.DataFrame(0.0, index=index, columns=list(COLUMNS[method]))
    if method == "sobol":
        found = salib.sobol_analyze.analyze(
            problem, numbers, calc_second_order=False, num_resamples=RESAMPLES, conf_level=0.95, seed=seed
        )
        return pd.DataFrame({c: np.asarray(found[c]) for c in COLUMNS[method]}, index=index)
    found = salib.morris_analyze.analyze(
        problem, points, numbers, num_levels=LEVELS, num_resamples=RESAMPLES, conf_level=0.95, seed=seed
    )
    return pd.DataFrame({c: np.asarray(found[c]) for c in COLUMNS[method]}, index=index)


def _elasticities(numbers: np.ndarray) -> np.ndarray:
    """Return d ln y / d ln p by central differences, and how much it changes when the step is halved."""
    middle = numbers[0]
    if middle == 0:
        raise SimulationError("the number is zero with the model's own parameters, so it has no elasticity")
    up, down, half_up, half_down = numbers[1:].reshape(-1, len(STEPS)).T
    whole, half = (up - down) / (2 * STEP * middle), (half_up - half_down) / (STEP * middle)
    return np.column_stack([half, np.abs(whole - half)])


def _problem(names: list[str]) -> dict[str, Any]:
    return {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}


def _salib() -> Any:
    try:
        from SALib.analyze import morris as morris_analyze
        from SALib.analyze import sobol as sobol_analyze
        from SALib.sample import morris, sobol
    except ImportError:
        raise missing("'metaflammation[ensemble]'") from None
    from types import SimpleNamespace

    return SimpleNamespace(sobol=sobol, morris=morris, sobol_analyze=sobol_analyze, morris_analyze=morris_analyze)
