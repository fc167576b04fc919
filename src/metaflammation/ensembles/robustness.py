"""Which expectations hold in how many parameter sets, and which parameters break them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation.ensembles import population as populations
from metaflammation.ensembles.breaking import breakers
from metaflammation.ensembles.claims import FAILED, Claims
from metaflammation.ensembles.distributions import BOUNDS
from metaflammation.ensembles.ensemble import describe, gathered, tolerances
from metaflammation.ensembles.work import Subject
from metaflammation.errors import DataError
from metaflammation.expectations import margin_of
from metaflammation.records import Solver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes

    from metaflammation.ensembles.population import VirtualPopulation
    from metaflammation.model import Model

    Progress = Callable[[int, int], None]

SOLVER = Solver(relative_tolerance=1e-6, absolute_tolerance=1e-10)
"""Tolerances, where those of the model are tighter and its metadata give none for this: no verdict on the committed
models changes at them."""

STARTS = 100
"""Sets in which expectations are evaluated that simulate from many random starts themselves."""

BATCH, COMPOSED = 20, 2
"""Sets in a batch; of a composed model, of which one may take a minute, fewer."""

COLUMNS = ["sets", "failed", "holding", "share", "lower", "upper", "nominal", "broken_by"]


@dataclass(frozen=True, eq=False)
class Robustness:
    """How far each expectation of a model holds when its parameters move.

    The sets are points of one Sobol sequence, which lie more evenly than independent ones: the interval, which is for
    those, is rather too wide. It tells how sure the share is for so many sets, not whether the model is right.

    Attributes
    ----------
    table : pandas.DataFrame
        Index expectation; columns sets (that could be evaluated), failed (that could not), holding, share, lower and
        upper (95 % interval of the share, Wilson), nominal (verdict of the model's own values), broken_by (text: the
        parameters that best tell sets in which it fails from those in which it holds, where in their range it fails,
        and the distance between their distributions in both).
    about : dict
        Seed, number, spread, tolerances and versions.
    """

    model: str
    table: pd.DataFrame
    about: Mapping[str, Any]

    def as_json(self) -> list[dict[str, Any]]:
        """Return the table as plain data."""
        rows = self.table.reset_index().astype(object).to_dict("records")
        return [{k: None if v != v else v for k, v in row.items()} for row in rows]  # noqa: PLR0124 - not a number

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share of sets in which each expectation holds, with its interval."""
        from metaflammation.forest import forest

        return forest({str(self.about["spread"]): self.table}, ax)


def run(
    model: Model,
    n: int,
    *,
    spread: float | str = BOUNDS,
    seed: int = 1,
    starts: int = STARTS,
    workers: int = 1,
    scheduler: str | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress = lambda _done, _failed: None,
) -> Robustness:
    """Evaluate every expectation in ``n`` parameter sets; see :meth:`metaflammation.Model.robustness`."""
    if not model.expectations:
        raise DataError(f"{model.id}: has no expectations")
    population = populations.make(model, n, seed, None, spread, "sobol")
    work = claims(population, starts)
    about = settings(population, work, spread)
    data = gathered(work, about, output, workers, scheduler, progress, overwrite=overwrite)
    return evaluate(model, work, data, about)


def claims(population: VirtualPopulation, starts: int = STARTS) -> Claims:
    """Return the work: every expectation in every set of a population."""
    model = population.model
    asked = model.metadata.robustness_solver if model.metadata else None
    return Claims(
        subject=Subject(model.sbml, model.elements, asked or tolerances(model.solver, SOLVER), model.solver),
        draws=population.draws,
        size=COMPOSED if model.files and model.files.modules() else BATCH,
        expectations=tuple(model.expectations.values()),
        experiments=model.experiments,
        conditions=population.named_conditions(),
        starts=starts,
    )


def settings(population: VirtualPopulation, work: Claims, spread: float | str) -> dict[str, Any]:
    """Return what decides the table: its manifest."""
    return describe(population, work) | {
        "spread": spread,
        "starts": work.starts,
        "solver": work.subject.solver.model_dump(),
    }


def outdated(model: Model, about: Mapping[str, Any]) -> bool:
    """Return whether a table was made of another state of the model, its experiments or expectations."""
    people = populations.make(model, 1, about["seed"], None, about["spread"], about["sampler"])
    return bool(claims(people, about["starts"]).fingerprint != about["fingerprint"])


def evaluate(model: Model, work: Claims, data: pd.DataFrame, about: Mapping[str, Any]) -> Robustness:
    """Return how far each expectation holds, from its values in sets (index individual)."""
    import pandas as pd

    names = list(work.draws.names)
    nominal = work.nominal()
    holds: dict[str, np.ndarray] = {}
    asked: dict[str, np.ndarray] = {}
    known: dict[str, np.ndarray] = {}
    for e in model.expectations.values():
        values = data[e.id].to_numpy()
        asked[e.id] = np.array([work.evaluated(e, individual) for individual in data.index])
        known[e.id] = asked[e.id] & ~data[f"{FAILED}{e.id}"].to_numpy(dtype=bool)
        holds[e.id] = np.array([margin_of(e, v) >= 0 for v in values]) & known[e.id]
    breaking = breakers(data[names].to_numpy(), names, holds, known)
    rows = {}
    for e in model.expectations.values():
        sets, held = int(known[e.id].sum()), int(holds[e.id].sum())
        lower, upper = wilson(held, sets)
        value = nominal[e.id]
        verdict = "not simulated" if value is None else "holds" if margin_of(e, value) >= 0 else "fails"
        rows[e.id] = [
            sets,
            int(asked[e.id].sum()) - sets,
            held,
            held / sets if sets else np.nan,
            lower,
            upper,
            f"known failure ({verdict})" if e.known_failure else verdict,
            ", ".join(f"{where} {p} ({d:.2f})".strip() for p, d, where in breaking[e.id]),
        ]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS).rename_axis("expectation")
    return Robustness(model.id, table, about)


def wilson(held: int, sets: int) -> tuple[float, float]:
    """Return the 95 % interval of a share by Wilson's method; everything from nothing."""
    from scipy.stats import binomtest

    if not sets:
        return 0.0, 1.0
    found = binomtest(held, sets).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)
