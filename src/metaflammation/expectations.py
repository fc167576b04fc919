"""From expectations and simulations to outcomes: value, interval, margin, verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaflammation import statistics
from metaflammation.errors import DataError
from metaflammation.records import (
    Comparison,
    Conservation,
    Expectation,
    LowestState,
    Reading,
    Several,
    SteadyStateSpread,
)

if TYPE_CHECKING:
    from metaflammation.records import Value
    from metaflammation.runs import Runs

LOGARITHMIC = {"ratio", "fold", "ec50", "dose_for"}
"""Statistics whose margin is taken on a logarithmic scale, unless only an upper bound says how small they must be."""

TIMES = {"time_to_max", "time_to_min", "half_time", "full_time", "time_for", "period"}
"""Statistics that are times."""

NOISE = 1e-12
"""Below this size, in model units, a number is error of the solver, and a ratio to it means nothing."""

HOLDS, FAILS, KNOWN, UNEXPECTED = "holds", "fails", "known failure", "unexpectedly holds"


@dataclass(frozen=True)
class Outcome:
    """What came out of one expectation in one engine.

    Attributes
    ----------
    expectation : Expectation
        What was expected.
    value : float
        The computed number; not a number where the statistic does not exist.
    unit : str
        Its unit.
    margin : float
        Positive inside the interval, negative outside, zero on a bound.
    verdict : str
        ``holds``, ``fails``, ``known failure`` or ``unexpectedly holds``.
    """

    expectation: Expectation
    value: float
    unit: str
    margin: float
    verdict: str

    @property
    def bad(self) -> bool:
        """Return whether this outcome makes a check fail."""
        return self.verdict in {FAILS, UNEXPECTED}


def judge(expectation: Expectation, runs: Runs) -> Outcome:
    """Return the outcome of an expectation."""
    value = evaluate(expectation.value, runs)
    margin = margin_of(expectation, value)
    if margin >= 0:
        verdict = UNEXPECTED if expectation.known_failure else HOLDS
    else:
        verdict = KNOWN if expectation.known_failure else FAILS
    return Outcome(expectation, value, unit_of(expectation.value, runs), margin, verdict)


def margin_of(expectation: Expectation, value: float) -> float:
    """Return how far a value lies inside the interval (negative: outside).

    Two-sided: distance to the nearest bound over half the width. One-sided: distance to the bound over the declared
    scale, the measured size of the effect. Ratios and doses with a lower bound on a logarithmic scale.
    """
    if math.isnan(value):
        return -math.inf
    lower, upper, scale = expectation.lower, expectation.upper, expectation.scale
    if expectation.value.statistic in LOGARITHMIC and lower is not None:
        if value <= 0:
            return -math.inf
        value = math.log10(value)
        lower, upper, scale = (None if x is None else _log(x, expectation.id) for x in (lower, upper, scale))
    if lower is not None and upper is not None:
        return min(value - lower, upper - value) / ((upper - lower) / 2)
    if scale is None or scale <= 0:
        raise DataError(f"expectation {expectation.id}: the scale must be positive, and above 1 for ratios and doses")
    return (value - lower if lower is not None else (upper or 0.0) - value) / scale


def evaluate(value: Value, runs: Runs) -> float:
    """Return the number that a value of an expectation stands for."""
    if isinstance(value, Reading):
        return _reading(value, runs)
    if isinstance(value, Comparison):
        of, to = evaluate(value.of, runs), evaluate(value.to, runs)
        if value.statistic == "difference":
            return of - to
        return of / to if abs(to) > NOISE else math.nan
    if isinstance(value, Several):
        numbers = [evaluate(v, runs) for v in value.of]
        if any(math.isnan(n) for n in numbers):
            return math.nan
        if value.statistic == "order":
            return statistics.smallest_gap(numbers)
        if value.statistic == "average":
            return sum(numbers) / len(numbers)
        return min(numbers) if value.statistic == "smallest" else max(numbers)
    if isinstance(value, Conservation):
        return runs.drift(value.species)
    if isinstance(value, LowestState):
        return runs.lowest_state()
    return runs.steady_state_spread(value)


def _reading(value: Reading, runs: Runs) -> float:
    if value.statistic in {"ec50", "max_over_doses", "dose_for"}:
        doses, responses = runs.response(value)
        if value.statistic == "ec50":
            return statistics.ec50(doses, responses)
        if value.statistic == "max_over_doses":
            return float(max(responses))
        return statistics.dose_for(doses, responses, _level(value, runs))
    course = runs.course(value.experiment, value.dose, value.under)
    time, values = course.times, course.curves([value.observable])[:, 0]
    if value.statistic == "at":
        return statistics.at(time, values, value.at or 0.0)
    if value.window:
        inside = (time >= value.window[0]) & (time <= value.window[1])
        if inside.sum() < 2:  # noqa: PLR2004
            raise DataError(f"{value.observable} in {value.experiment}: no points in the window {value.window}")
        time, values = time[inside], values[inside]
    if value.statistic == "time_for":
        return statistics.time_for(time, values, _level(value, runs))
    return statistics.OF_A_COURSE[value.statistic](time, values)


def _level(value: Reading, runs: Runs) -> float:
    return evaluate(value.level, runs) if isinstance(value.level, Reading) else float(value.level or 0.0)


def unit_of(value: Value, runs: Runs) -> str:
    """Return the unit of the number that a value stands for."""
    if isinstance(value, Comparison):
        return "" if value.statistic == "ratio" else unit_of(value.of, runs)
    if isinstance(value, Several):
        return unit_of(value.of[0], runs)
    if isinstance(value, Reading):
        if value.statistic in {"ec50", "dose_for"}:
            return runs.dose_unit(value.experiment)
        return unit_of_statistic(value.statistic, runs.unit(value.observable))
    if isinstance(value, LowestState):
        return "of range"
    if isinstance(value, Conservation | SteadyStateSpread):
        return ""
    raise TypeError(value)


def unit_of_statistic(statistic: str, observable: str) -> str:
    """Return the unit of a statistic of a course, from the unit of the observable."""
    if statistic in TIMES:
        return "min"
    if statistic == "auc":
        return f"{observable} min".strip()
    return "" if statistic in {"fold", "fall_from_max", "damping"} else observable


def leaves(value: Value) -> list[Value]:
    """Return what a value is made of, down to what is no longer made of others."""
    if isinstance(value, Comparison):
        return leaves(value.of) + leaves(value.to)
    if isinstance(value, Several):
        return [leaf for v in value.of for leaf in leaves(v)]
    return [value]


def readings(value: Value) -> list[Reading]:
    """Return the readings of which a value is made."""
    found = []
    for leaf in leaves(value):
        if isinstance(leaf, Reading):
            found += [leaf, *(readings(leaf.level) if isinstance(leaf.level, Reading) else [])]
    return found


def _log(number: float, where: str) -> float:
    if number <= 0:
        raise DataError(f"expectation {where}: bounds and scale of ratios and doses must be positive")
    return math.log10(number)
