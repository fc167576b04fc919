"""Which expectations hold in how many parameter sets, and which parameters break them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation import files
from metaflammation.ensembles import population as populations
from metaflammation.ensembles.claims import FAILED, Claims
from metaflammation.ensembles.distributions import BOUNDS
from metaflammation.ensembles.ensemble import describe, finished
from metaflammation.ensembles.storage import read
from metaflammation.ensembles.work import Subject
from metaflammation.errors import DataError
from metaflammation.expectations import margin_of
from metaflammation.records import Solver, SteadyStateSpread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from metaflammation.ensembles.population import VirtualPopulation
    from metaflammation.model import Model

    Progress = Callable[[int, int], None]

SOLVER = Solver(relative_tolerance=1e-6, absolute_tolerance=1e-10)
"""Tolerances, where those of the model are tighter: no verdict on the committed models changes at them."""

STARTS = 100
"""Sets in which expectations are evaluated that simulate from many random starts themselves."""

BATCH, COMPOSED = 20, 2
"""Sets in a batch; of a composed model, of which one may take a minute, fewer."""

FEWEST = 10
"""Sets on either side that are needed to say what breaks an expectation."""

FALSE_DISCOVERIES = 0.01
"""Expected share of wrong ones among the parameters that are named, over all expectations of a model."""

NAMED = 3
"""Parameters that are named at most."""

COLUMNS = ["sets", "failed", "holding", "share", "lower", "upper", "nominal", "broken_by"]


@dataclass(frozen=True, eq=False)
class Robustness:
    """How far each expectation of a model holds when its parameters move.

    Attributes
    ----------
    table : pandas.DataFrame
        Index expectation; columns sets (that could be evaluated), failed (that could not), holding, share, lower and
        upper (95 % interval of the share, Wilson), nominal (verdict of the model's own values), broken_by (text: the
        parameters that tell sets in which it fails from those in which it holds, strongest first; ``+`` where it fails
        at large values, with the rank-biserial correlation).
    about : dict
        Seed, number, spread, tolerances and versions.
    """

    model: str
    table: pd.DataFrame
    about: Mapping[str, Any]


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
    about = describe(population, work) | {
        "spread": spread,
        "starts": starts,
        "solver": work.subject.solver.model_dump(),
    }
    path = Path(output) if output is not None else None
    if path is not None:
        files.check_free(path, overwrite=overwrite)
    with finished(work, about, path, workers, scheduler, progress) as folder:
        whole = path or folder.path / "sets"
        folder.assemble(whole, about, overwrite=overwrite)
        data, _ = read(whole)
    return evaluate(model, work, data, about)


def claims(population: VirtualPopulation, starts: int = STARTS) -> Claims:
    """Return the work: every expectation in every set of a population."""
    model = population.model
    own = model.solver
    solver = Solver(
        relative_tolerance=max(own.relative_tolerance, SOLVER.relative_tolerance),
        absolute_tolerance=max(own.absolute_tolerance, SOLVER.absolute_tolerance),
        maximum_order=own.maximum_order,
    )
    return Claims(
        subject=Subject(model.sbml, model.elements, solver, own),
        draws=population.draws,
        size=COMPOSED if model.files and model.files.modules() else BATCH,
        expectations=tuple(model.expectations.values()),
        experiments=model.experiments,
        conditions=population.named_conditions(),
        starts=starts,
    )


def evaluate(model: Model, work: Claims, data: pd.DataFrame, about: Mapping[str, Any]) -> Robustness:
    """Return how far each expectation holds, from its values in all sets."""
    import pandas as pd

    names = list(work.draws.names)
    nominal = work.nominal()
    holds: dict[str, np.ndarray] = {}
    known: dict[str, np.ndarray] = {}
    for e in model.expectations.values():
        values = data[e.id].to_numpy()
        known[e.id] = ~data[f"{FAILED}{e.id}"].to_numpy(dtype=bool)
        holds[e.id] = np.array([margin_of(e, v) >= 0 for v in values]) & known[e.id]
    breaking = breakers(data[names].to_numpy(), names, holds, known)
    rows = {}
    for e in model.expectations.values():
        sets, held = int(known[e.id].sum()), int(holds[e.id].sum())
        lower, upper = wilson(held, sets)
        asked = min(work.starts, len(data)) if isinstance(e.value, SteadyStateSpread) else len(data)
        verdict = "holds" if margin_of(e, nominal[e.id]) >= 0 else "fails"
        rows[e.id] = [
            sets,
            asked - sets,
            held,
            held / sets if sets else np.nan,
            lower,
            upper,
            f"known failure ({verdict})" if e.known_failure else verdict,
            ", ".join(f"{p} {r:+.2f}" for p, r in breaking[e.id][:NAMED]),
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


def breakers(
    values: np.ndarray, names: list[str], holds: Mapping[str, np.ndarray], known: Mapping[str, np.ndarray]
) -> dict[str, list[tuple[str, float]]]:
    """Return, for each expectation, the parameters that tell the sets in which it fails from the others.

    Each parameter is compared between both groups by the rank-sum test; the rank-biserial correlation (from -1 to 1,
    positive where the expectation fails at large values) says how far they are apart. Over all expectations and
    parameters the share of false discoveries is held by the method of Benjamini and Hochberg.
    """
    from scipy.stats import false_discovery_control, norm, rankdata

    found: list[tuple[str, str, float, float]] = []
    for name, held in holds.items():
        among = known[name]
        failing = ~held[among]
        bad, good = int(failing.sum()), int((~failing).sum())
        if min(bad, good) < FEWEST:
            continue
        ranks = rankdata(values[among], axis=0)
        above = ranks[failing].sum(axis=0) - bad * (bad + 1) / 2
        correlation = 2 * above / (bad * good) - 1
        # Ties, as integers have, make the variance smaller: without a correction the test is on the safe side.
        z = (above - bad * good / 2) / np.sqrt(bad * good * (bad + good + 1) / 12)
        chance = 2 * norm.sf(np.abs(z))
        found += [(name, p, float(r), float(c)) for p, r, c in zip(names, correlation, chance, strict=True)]
    result: dict[str, list[tuple[str, float]]] = {name: [] for name in holds}
    if found:
        adjusted = false_discovery_control([c for *_, c in found])
        for (name, parameter, correlation, _), q in zip(found, adjusted, strict=True):
            if q < FALSE_DISCOVERIES:
                result[name].append((parameter, correlation))
    return {name: sorted(pairs, key=lambda p: -abs(p[1])) for name, pairs in result.items()}
