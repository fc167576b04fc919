"""Models, experiments and engines held against expectations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation import __version__, children, expectations, measurements, targets
from metaflammation.engines import load as load_engine
from metaflammation.errors import DataError
from metaflammation.expectations import NOISE, Outcome, evaluate, judge
from metaflammation.records import Solver
from metaflammation.runs import Runs
from metaflammation.simulate import merge_conditions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from metaflammation.model import Model
    from metaflammation.records import Control, Expectation

    Progress = Callable[[str], None]

AGREEMENT = 1e-6
"""Largest difference between engines, of an observable's range over all experiments."""

STEP = 0.01
"""Relative step with which each parameter is moved to see which expectations rest on it."""

COARSE = Solver(relative_tolerance=1e-7, absolute_tolerance=1e-11)
"""Tolerances for those small moves: three times as fast, and still far more exact than the moves are large."""

INSENSITIVE = 1e-3
"""An expectation whose value moves less than this over all parameters, of its size, rests on none of them."""


@dataclass(frozen=True)
class Checked:
    """The result of checking one model.

    Attributes
    ----------
    outcomes : dict
        For each engine the outcome of every expectation.
    assumed : dict
        For each expectation the share of assumed parameters among those that its value rests on.
    disagreement : float or None
        Largest difference between the engines, of an observable's range; None with one engine.
    where : str
        Observable and run of that difference.
    fit : pandas.DataFrame
        Agreement with the measured series, by data set.
    targets : pandas.DataFrame
        The model's value beside each calibration target that is no series.
    runs : int
        Number of runs simulated in each engine.
    bench : Runs or None
        The runs of the first engine, for who wants to draw them.
    """

    model: str
    outcomes: Mapping[str, tuple[Outcome, ...]]
    assumed: Mapping[str, float]
    disagreement: float | None
    where: str
    fit: pd.DataFrame
    targets: pd.DataFrame
    runs: int
    bench: Runs | None = None

    @property
    def agreed(self) -> bool:
        """Return whether the engines agree to ``AGREEMENT``."""
        return self.disagreement is None or self.disagreement <= AGREEMENT

    def resting_on_fit(self) -> int:
        """Return how many expectations that hold restate data to which parameters were fitted."""
        held = {o.expectation for found in self.outcomes.values() for o in found if o.verdict == expectations.HOLDS}
        return sum(bool(e.rests_on_fit) for e in held)

    def count(self, verdict: str) -> int:
        """Return how many expectations have this verdict in at least one engine."""
        return len({o.expectation.id for found in self.outcomes.values() for o in found if o.verdict == verdict})

    def passed(self, *, strict: bool = False) -> bool:
        """Return whether nothing fails and nothing holds unexpectedly (strict: and there is no known failure)."""
        bad = [expectations.FAILS, expectations.UNEXPECTED, *([expectations.KNOWN] if strict else [])]
        return self.agreed and not any(self.count(v) for v in bad)


def outcomes(model: Model, engine: str = "roadrunner") -> list[Outcome]:
    """Return the outcome of every expectation of a model in one engine."""
    runs = model.runs(engine)
    return [judge(e, runs) for e in model.expectations.values()]


def to_frame(found: list[Outcome]) -> pd.DataFrame:
    """Return outcomes as a table; see :meth:`metaflammation.Model.check`."""
    import pandas as pd

    rows = [
        {
            "id": o.expectation.id,
            "claim": o.expectation.claim,
            "kind": o.expectation.kind,
            "value": o.value,
            "unit": o.unit,
            "lower": o.expectation.lower,
            "upper": o.expectation.upper,
            "margin": o.margin,
            "verdict": o.verdict,
            "statement": o.expectation.statement,
        }
        for o in found
    ]
    columns = ["id", "claim", "kind", "value", "unit", "lower", "upper", "margin", "verdict", "statement"]
    return pd.DataFrame(rows, columns=columns).set_index("id")


def check_model(
    model: Model,
    engines: tuple[str, ...],
    progress: Progress = lambda _: None,
    workers: int = 1,
    *,
    all_shares: bool = False,
) -> Checked:
    """Simulate every experiment in every engine and evaluate every expectation.

    Of a model whose metadata name experiments to compare, the engines after the first repeat those only.

    Parameters
    ----------
    model : Model
        The model.
    engines : tuple of str
        Names of engines; the first one is also used for what rests on assumed parameters.
    progress : callable, optional
        Told the name of each piece of work before it begins; :func:`steps` is their number.
    workers : int, optional
        Processes that move parameters.
    all_shares : bool, optional
        Whether to find what rests on assumed parameters in a composed model too, where it takes minutes.
    """
    benches = {name: model.runs(name) for name in engines}
    found: dict[str, tuple[Outcome, ...]] = {}
    compared = model.metadata.compared if model.metadata else ()
    for name, runs in benches.items():
        found.setdefault(name, ())
        if compared and name != engines[0]:
            continue
        for expectation in model.expectations.values():
            progress(f"{name}: {expectation.id}")
            found[name] = (*found[name], judge(expectation, runs))
        for arm, _ in runs.everything():
            progress(f"{name}: {arm}")
    disagreement, where = compare(benches, compared)
    return Checked(
        model=model.id,
        outcomes=found,
        assumed=assumed_shares(model, engines[0], progress, workers) if has_shares(model, all_shares) else {},
        disagreement=disagreement,
        where=where,
        fit=measurements.agreement(model, benches[engines[0]]),
        targets=targets.agreement(model.targets.values(), benches[engines[0]]),
        runs=len(benches[engines[0]].done),
        bench=benches[engines[0]],
    )


def has_shares(model: Model, all_shares: bool) -> bool:
    """Return whether a check of this model finds what rests on assumed parameters."""
    return all_shares or not (model.files and model.files.modules())


def steps(model: Model, engines: tuple[str, ...], *, all_shares: bool = False) -> int:
    """Return how often :func:`check_model` reports progress."""
    arms = sum(len(e.arms) for e in model.experiments.values())
    moved = len(movable(model)) if has_shares(model, all_shares) else 0
    return len(engines) * (len(model.expectations) + arms) + moved


def compare(benches: Mapping[str, Runs], compared: Sequence[str] = ()) -> tuple[float | None, str]:
    """Return the largest difference between the first engine and the others, and where it is.

    ``compared`` names the experiments that the others repeat; all that the first one ran, if it is empty.

    The difference is taken relative to the range of the observable over all runs, or, where it hardly moves, to a
    millionth of its size; where it is zero but for errors of the solver, as it is.
    """
    if len(benches) < 2:  # noqa: PLR2004
        return None, ""
    first, *others = benches.values()
    if not first.done:
        return None, ""
    low, high = _range(first)
    size = np.maximum(np.abs(low), np.abs(high))
    span = np.maximum(high - low, 1e-6 * size)
    span[size < NOISE] = 1.0
    worst, where = 0.0, ""
    for other in others:
        for key, course in first.done.items():
            if compared and key[0] not in compared:
                continue
            difference = np.abs(course.data.to_numpy() - other.course(*key).data.to_numpy()) / span
            if difference.max() > worst:
                worst = float(difference.max())
                column = course.data.columns[int(difference.max(axis=0).argmax())]
                where = f"{column} in {key[0]}" + (f" at dose {key[1]:g}" if key[1] is not None else "")
    return worst, where


def _range(runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    tables = [course.data.to_numpy() for course in runs.done.values()]
    return np.min([t.min(axis=0) for t in tables], axis=0), np.max([t.max(axis=0) for t in tables], axis=0)


def movable(model: Model) -> list[str]:
    """Return the parameters on which expectations can rest.

    Those are all but zeros, and scales (``f_``) and strengths of links (``w_``), also of modules, that are one by
    definition: what they multiply is moved itself.
    """
    modules = model.files.modules() if model.files else {}
    scales = tuple(f"{prefix}{role}" for prefix in ("", *(f"{m}_" for m in modules)) for role in ("f_", "w_"))
    return [
        e.id
        for e in model.elements.values()
        if e.id in model.parameters and e.value and not (e.id.startswith(scales) and e.value == 1)
    ]


def assumed_shares(
    model: Model, engine: str, progress: Progress = lambda _: None, workers: int = 1
) -> dict[str, float]:
    """Return, for each expectation, the share of assumed parameters in what its value rests on.

    Each parameter is moved by one percent; the share is the sum of the absolute changes of the value that assumed
    parameters cause, over the sum of all. Laws, and values that no parameter moves, are left out.
    """
    bench = _Bench(model, engine)
    base = bench.values({})
    size = {e.id: e.scale or 0.0 for e in bench.wanted}
    total, assumed = dict.fromkeys(base, 0.0), dict.fromkeys(base, 0.0)
    for parameter, values in _moved(bench, workers):
        progress(f"what rests on {parameter}")
        for i, value in values.items():
            change = abs(value - base[i])
            if np.isfinite(change):
                total[i] += change
                if model.parameters[parameter].evidence == "assumed":
                    assumed[i] += change
    return {i: assumed[i] / total[i] for i in base if total[i] > INSENSITIVE * max(abs(base[i]), size[i])}


@dataclass
class _Bench:
    """The expectations of a model in a coarse engine, with parameters moved; workers have one each."""

    model: Model
    engine: str

    def __post_init__(self) -> None:
        self.wanted = [e for e in self.model.expectations.values() if e.kind != "law"]
        self.coarse = load_engine(self.engine, self.model.sbml, self.model.elements, COARSE)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Bench, (self.model, self.engine)

    def values(self, base: Mapping[str, float]) -> dict[str, float]:
        """Return the value of each expectation with other values of parameters."""
        runs = Runs(self.coarse, self.model.elements, self.model.experiments, self.model.conditions, base=base)
        return {e.id: evaluate(e.value, runs) for e in self.wanted}

    def moved(self, parameter: str) -> dict[str, float]:
        """Return the value of each expectation with one parameter moved."""
        return self.values({parameter: (self.model.elements[parameter].value or 0.0) * (1 + STEP)})


def _moved(bench: _Bench, workers: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Return each parameter with the values of the expectations when it is moved, in order."""
    parameters = movable(bench.model)
    if workers == 1:
        yield from ((p, bench.moved(p)) for p in parameters)
        return
    with children.pool(bench, workers) as pool:
        yield from zip(parameters, pool.map(_move, parameters), strict=True)


def _move(parameter: str) -> dict[str, float]:
    bench: _Bench = children.kept()
    return bench.moved(parameter)


def control_outcomes(
    model: Model, expectation: Expectation, engine: str = "roadrunner", benches: dict[str, Runs] | None = None
) -> Iterator[tuple[Control, Outcome]]:
    """Return the outcome of an expectation under each of its controls, in which it must fail.

    ``benches`` keeps the runs under each control for the next expectation of the same model.
    """
    kept = {} if benches is None else benches
    for control in expectation.fails_when:
        if str(control) not in kept:
            if control.add:
                kept[str(control)] = model.extended(control.add).runs(engine)
            else:
                held = merge_conditions(control.conditions, model.conditions, f"expectation {expectation.id}")
                kept[str(control)] = model.runs(engine, held)
        yield control, judge(expectation, kept[str(control)])


def as_json(checked: Checked) -> dict[str, Any]:
    """Return a check as plain data for JSON; numbers that are not finite become null."""

    def number(x: float) -> float | None:
        return float(x) if np.isfinite(x) else None

    return {
        "model": checked.model,
        "engines": list(checked.outcomes),
        "engine_disagreement": checked.disagreement,
        "engine_disagreement_at": checked.where,
        "engine_limit": AGREEMENT,
        "engines_agree": checked.agreed,
        "runs": checked.runs,
        "counts": {
            v: checked.count(v)
            for v in (expectations.HOLDS, expectations.FAILS, expectations.KNOWN, expectations.UNEXPECTED)
        },
        "expectations": [
            {
                "id": o.expectation.id,
                "engine": engine,
                "kind": o.expectation.kind,
                "claim": o.expectation.claim,
                "citation": o.expectation.citation,
                "statement": o.expectation.statement,
                "value": number(o.value),
                "unit": o.unit,
                "lower": o.expectation.lower,
                "upper": o.expectation.upper,
                "margin": number(o.margin),
                "verdict": o.verdict,
                "assumed_share": checked.assumed.get(o.expectation.id),
                "rests_on_fit": list(o.expectation.rests_on_fit),
                "known_failure": o.expectation.known_failure.reason if o.expectation.known_failure else None,
            }
            for engine, found in checked.outcomes.items()
            for o in found
        ],
        "fit": [
            {"data_set": row.Index, "use": row.use, "points": row.n, "chi2": number(row.chi2), "r2": number(row.r2)}
            for row in checked.fit.itertuples()
        ],
        "targets": [
            {
                "id": row.Index,
                "basis": row.basis,
                "aim": row.aim,
                "value": number(row.value),
                "sd": row.sd,
                "scale": row.scale,
                "residual": number(row.residual),
            }
            for row in checked.targets.itertuples()
        ],
    }


def from_json(path: Path) -> dict[str, dict[str, Any]]:
    """Return the checks that ``metaflammation check --json`` wrote, by model.

    Raises
    ------
    DataError
        If the file is missing, holds something else, or was written by another version.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
        models = {m["model"]: m for m in found["models"]}
        written_by = found["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is not what 'metaflammation check --json' writes ({error})") from None
    if written_by != __version__ or any("engines_agree" not in m for m in models.values()):
        raise DataError(f"{path}: was written by version {written_by}, this is {__version__}; run the check again")
    return models
