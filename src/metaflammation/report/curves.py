"""The simulated experiments of a model as plain data for interactive curves, thinned by a stated rule."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation import expectations, measurements
from metaflammation.figures import time_unit
from metaflammation.report.intervals import marks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from metaflammation.model import Model
    from metaflammation.records import Expectation, Reading
    from metaflammation.runs import Runs
    from metaflammation.timecourse import TimeCourse

STRAY = 0.003
"""How far a thinned curve may stray from its run, of the range of the variable in that run."""

FEWEST = 10
"""Variables shown of an experiment, if so many move; what expectations read is always shown."""

Key = tuple[str, float | None, tuple[str, ...]]
RULE = (
    f"Of each run those output times are kept between which straight lines stray from it by at most {STRAY:.1%} of "
    "each variable's range. Shown are the variables that expectations read, and those that move most. Values are "
    "taken from the full runs."
)


def experiments(model: Model, runs: Runs, progress: Callable[[str], None] = lambda _: None) -> list[dict[str, Any]]:
    """Return each experiment with its runs, thinned as ``RULE`` says.

    Returns
    -------
    list of dict
        For each experiment: id, title, unit of time, dose (target and unit, or None), observables (id, name, unit),
        runs (dose, condition, times, values by observable), measured data sets, and marks: what expectations read on
        which run, and the interval that it must lie in.
    """
    readings = {r for e in model.expectations.values() for r in expectations.readings(e.value)}
    under: dict[str, set[tuple[str, ...]]] = {e: {()} for e in model.experiments}
    wanted: dict[str, dict[str, int]] = {e: {} for e in model.experiments}
    for reading in sorted(readings, key=str):
        under[reading.experiment].add(reading.under)
        wanted[reading.experiment][reading.observable] = wanted[reading.experiment].get(reading.observable, 0) + 1
    found = []
    data = measured(model, runs)
    marked = _marked(model, runs)
    for experiment in model.experiments.values():
        progress(f"curves of {experiment.id}")
        doses: tuple[float | None, ...] = experiment.doses.values if experiment.doses else (None,)
        courses: dict[Key, TimeCourse] = {
            (experiment.id, dose, held): runs.course(experiment.id, dose, held)
            for held in sorted(under[experiment.id])
            for dose in doses
        }
        shown = _shown(model, wanted[experiment.id], courses)
        unit, length = time_unit(experiment.duration)
        lines = []
        for (_, dose, held), course in courses.items():
            kept = thinned(course.data[shown])
            lines.append(
                {
                    "dose": dose,
                    "under": " + ".join(held),
                    "t": [_short(t / length) for t in kept.index],
                    "y": {o: [_short(v) for v in kept[o]] for o in shown},
                }
            )
        found.append(
            {
                "id": experiment.id,
                "title": experiment.title,
                "time": unit,
                "dose": _dose(model, experiment.doses),
                "observables": [{"id": o, "name": _name(model, o, runs.unit(o)), "unit": runs.unit(o)} for o in shown],
                "runs": lines,
                "data": data.get(experiment.id, []),
                "marks": [_placed(mark, list(courses), length) for mark in marked.get(experiment.id, [])],
            }
        )
    return found


def _marked(model: Model, runs: Runs) -> dict[str, list[tuple[str, Reading, dict[str, Any]]]]:
    """Return what expectations read in each experiment."""
    found: dict[str, list[tuple[str, Reading, dict[str, Any]]]] = {}
    for expectation in model.expectations.values():
        for reading, mark in marks(expectation, runs):
            found.setdefault(reading.experiment, []).append((expectation.id, reading, mark))
    return found


def _placed(mark: tuple[str, Reading, dict[str, Any]], runs: list[Key], length: float) -> dict[str, Any]:
    """Return a mark with the number of the run on which it lies, in the unit of time of the experiment."""
    expectation, reading, where = mark
    unit = {"y": 1.0, "time": length, "dose": 1.0}[where["axis"]]
    across = 1.0 if where["axis"] == "dose" else length
    point = where["point"]
    return {
        "id": expectation,
        "observable": reading.observable,
        "axis": where["axis"],
        # A dose stands for the whole series, whose runs differ in nothing else.
        "run": None if where["axis"] == "dose" else runs.index((reading.experiment, reading.dose, reading.under)),
        "under": " + ".join(reading.under),
        "lower": None if where["lower"] is None else _short(where["lower"] / unit),
        "upper": None if where["upper"] is None else _short(where["upper"] / unit),
        "span": [_short(t / length) for t in where.get("span", ())],
        "point": point and [_short(point[0] / across), _short(point[1])],
    }


def measured(model: Model, runs: Runs) -> dict[str, list[dict[str, Any]]]:
    """Return the measured data sets of each experiment, with the model's curve as it would be measured."""
    found: dict[str, list[dict[str, Any]]] = {}
    rows = measurements.read(model)
    if rows.empty:
        return found
    values = measurements.scaling(model, runs)
    table = measurements.agreement(model, runs)
    for name, group in rows.groupby("datasetId", sort=False):
        kind, curve = measurements.curve(runs, group, values)
        experiment = runs.split(group["experimentId"].iloc[0])[0]
        unit, length = time_unit(model.experiments[experiment].duration) if kind == "time" else ("", 1.0)
        x = group["time"] if kind == "time" else [runs.split(arm)[1] for arm in group["experimentId"]]
        kept = thinned(curve.to_frame()) if kind == "time" else curve.to_frame()
        found.setdefault(experiment, []).append(
            {
                "id": name,
                "kind": kind,
                "time": unit,
                "use": table.loc[name, "use"],
                "r2": None if np.isnan(table.loc[name, "r2"]) else round(float(table.loc[name, "r2"]), 3),
                "t": [_short(t / length) for t in kept.index],
                "y": [_short(v) for v in kept.iloc[:, 0]],
                "points": [
                    [_short(float(a) / length), _short(float(m)), _short(float(n))]
                    for a, m, n in zip(x, group["measurement"], group["noiseParameters"], strict=True)
                ],
            }
        )
    return found


def thinned(data: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a run between which straight lines stray by at most ``STRAY`` of each variable's range."""
    time = data.index.to_numpy(dtype=float)
    values = data.to_numpy(dtype=float)
    span = np.ptp(values, axis=0)
    values = (values - values.min(axis=0)) / np.where(span > 0, span, 1.0)
    kept = np.array([0, len(time) - 1])
    while True:
        stray = np.abs(values - _between(time, values, kept)).max(axis=1)
        worst = [lo + int(stray[lo : hi + 1].argmax()) for lo, hi in itertools.pairwise(kept)]
        more = [n for n in worst if stray[n] > STRAY]
        if not more:
            return data.iloc[kept]
        kept = np.union1d(kept, more)


def _between(time: np.ndarray, values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return np.column_stack([np.interp(time, time[kept], column[kept]) for column in values.T])


def _shown(model: Model, wanted: Mapping[str, int], courses: Mapping[Key, TimeCourse]) -> list[str]:
    """Return what expectations read, most read first, and then what moves most."""
    shown = sorted(wanted, key=lambda o: -wanted[o])
    if len(shown) >= FEWEST:
        return shown
    changes: dict[str, float] = {}
    for course in courses.values():
        low, high = course.data.min(), course.data.max()
        size = np.maximum(np.abs(low), np.abs(high))
        for name, change in ((high - low) / size.where(size > 0, 1.0)).items():
            changes[str(name)] = max(changes.get(str(name), 0.0), float(change))
    moving = sorted((c for c in changes if c not in wanted and changes[c] > 0), key=lambda c: -changes[c])
    named = [c for c in moving if c in model.elements and model.elements[c].name]
    return shown + named[: FEWEST - len(shown)] or list(changes)[:1]


def where(expectation: Expectation) -> list[dict[str, Any]]:
    """Return the curves from which an expectation takes its value: experiment, observable and statistic."""
    found = []
    for reading in expectations.readings(expectation.value):
        words = [reading.statistic.replace("_", " "), "of", reading.observable]
        if reading.at is not None:
            words.append(f"at {reading.at:g} min")
        if reading.dose is not None:
            words.append(f"at dose {reading.dose:g}")
        if reading.under:
            words.append(f"under {' + '.join(reading.under)}")
        found.append({"experiment": reading.experiment, "observable": reading.observable, "text": " ".join(words)})
    return [dict(t) for t in dict.fromkeys(tuple(f.items()) for f in found)]


def _dose(model: Model, doses: Any) -> dict[str, str] | None:
    if doses is None:
        return None
    return {"target": doses.target, "name": _name(model, doses.target), "unit": doses.unit}


def _name(model: Model, name: str, unit: str = "") -> str:
    """Return the display name of an element, without a unit that is written beside it."""
    return ((model.elements[name].name if name in model.elements else "") or name).removesuffix(f" ({unit})")


def _short(value: float) -> float:
    """Return a number with five digits: more cannot be seen in a picture."""
    return float(f"{value:.5g}")
