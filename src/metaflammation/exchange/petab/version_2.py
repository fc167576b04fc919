"""PEtab version 2, which says everything in the words of the format."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from metaflammation.engines import Phase, Plan
from metaflammation.exchange.petab.document import Document
from metaflammation.exchange.petab.texts import lines, readme, table
from metaflammation.measurements import BASAL

if TYPE_CHECKING:
    from metaflammation.exchange.petab.fitted import Fitted, Period, Values

TIME_ZERO = "values_at_time_zero"
"""Version 2: the condition that remembers values at time zero."""

STEADY = 1e-6
"""Largest relative change, were the equilibration twice as long, for which it counts as a steady state."""

WORDS = f"""
The equilibration is the period at minus infinity where it reaches the steady state, and as long as we simulate it where
it does not. `basal_X` is X at time zero; the condition `{TIME_ZERO}` sets it.

Our priors are normal in the logarithm of a value. PEtab counts the density of the value itself; the variance is added
to each mean, so that the optimum is the same.

PEtab cannot say that a parameter X is estimated and set by some conditions. The model then computes with `X_in_run`:
the estimate times `X_share_of_X`, plus `X_fixed`.
"""


def files(fitted: Fitted) -> dict[str, str]:
    """Return the files of the problem by name."""
    name, document = fitted.model.id, Document(fitted)
    conditions, experiments = _conditions_2(fitted, document)
    parts = ("parameter", "condition", "experiment", "observable", "measurement")
    return {
        "problem.yaml": lines(
            "format_version: 2.0.0",
            f"id: {name}",
            f"model_files: {{{name}: {{location: {name}.xml, language: sbml}}}}",
            *(f"{part}_files: [{part}s.tsv]" for part in parts),
        ),
        f"{name}.xml": document.text(2),
        "conditions.tsv": table(
            "conditionId targetId targetValue",
            [(c, target, value) for c, changes in conditions.items() for target, value in changes.items()],
        ),
        "experiments.tsv": table("experimentId time conditionId", experiments),
        "observables.tsv": table(
            "observableId observableName observableFormula noiseFormula noisePlaceholders noiseDistribution",
            [
                (o, fitted.descriptions[o], formula, f"noiseParameter1_{o}", f"noiseParameter1_{o}", "normal")
                for o, formula in fitted.formulas.items()
            ],
        ),
        "measurements.tsv": table(
            "observableId experimentId time measurement noiseParameters datasetId",
            [(p.observable, p.run, p.time, p.value, p.noise, p.dataset) for p in fitted.points],
        ),
        "parameters.tsv": table(
            "parameterId parameterName lowerBound upperBound nominalValue estimate priorDistribution priorParameters",
            [
                (i, fitted.name(i), p.lower, p.upper, p.value, "true", *_prior_2(fitted.priors.get(i)))
                for i, p in fitted.parameters.items()
            ],
        ),
        "README.md": readme(fitted, WORDS, 2),
    }


def _conditions_2(fitted: Fitted, document: Document) -> tuple[dict[str, Values], list[tuple[str, float, str]]]:
    """Return the changes of each condition, and the rows of the experiment table."""
    mixed = {}
    stages = [stage.values for run in fitted.runs.values() for stage in run.stages]
    # PEtab does not allow that a parameter is estimated and set.
    for target in sorted(fitted.parameters.keys() & {t for values in stages for t in values}):
        mixed[target] = document.mixed(target, {target, *(values[target] for values in stages if target in values)})
    conditions: dict[str, Values] = {}
    rows = []
    for name, run in fitted.runs.items():
        for stage in run.stages:
            start, parts = stage.start, _disjoint(stage)
            if stage is run.before and not document.has_events() and _steady(fitted, stage):
                start = -math.inf
            for condition, part in parts.items():
                changes = conditions.setdefault(condition, {})
                for target, value in part.items():
                    changes |= mixed[target].values(value) if target in mixed else {target: value}
            remember = [TIME_ZERO] if start == 0 and fitted.basal(name) else []
            rows += [(name, start, condition) for condition in [*parts, *remember] or [""]]
    if fitted.basal():
        conditions[TIME_ZERO] = {basal: basal.removeprefix(BASAL) for basal in fitted.basal()}
    return conditions, rows


def _disjoint(period: Period) -> dict[str, Values]:
    """Return the conditions of a period, joined into one if two set the same: PEtab does not say which one wins."""
    if sum(map(len, period.parts.values())) == len(period.values):
        return {name: part for name, part in period.parts.items() if part}
    return {"_and_".join(period.parts): period.values}


def _steady(fitted: Fitted, before: Period) -> bool:
    """Return whether an equilibration reaches the steady state, with the committed values."""
    engine, duration = fitted.model.engine(), -before.start / fitted.minute
    values = {t: fitted.parameters[v].value if isinstance(v, str) else v for t, v in before.values.items()}
    _, once, twice = engine.run(Plan(values, 0.0, (Phase(0.0),), (0.0, duration, 2 * duration)))
    return np.allclose(once, twice, rtol=STEADY, atol=1e3 * fitted.model.solver.absolute_tolerance)


def _prior_2(prior: tuple[float, float] | None) -> tuple[str, str]:
    """Return a prior whose density, times the likelihood, is highest where our objective is lowest.

    PEtab takes the density of the value itself, ours is that of its logarithm: they differ by the value as a factor,
    which the mean of the logarithm makes up for when its variance is added.
    """
    if prior is None:
        return "", ""
    mean, deviation = (number * math.log(10) for number in prior)
    return "log-normal", f"{mean + deviation**2:.10g};{deviation:.10g}"
