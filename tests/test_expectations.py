"""Every expectation of every catalogue model: it holds (or is a known failure), and it fails under each control."""

import math

import pandas as pd
import pytest

import metaflammation as mf
from metaflammation import library, measurements
from metaflammation.check import control_outcomes
from metaflammation.errors import DataError
from metaflammation.expectations import FAILS, HOLDS, KNOWN, UNEXPECTED, judge, margin_of, readings
from metaflammation.records import Expectation
from metaflammation.timecourse import TimeCourse

MODELS = {name: mf.load(name) for name in library.catalogue()}
RUNS = {name: model.runs() for name, model in MODELS.items()}
BENCHES: dict[str, dict] = {name: {} for name in MODELS}
"""Runs under each control: a result does not depend on what ran before, so expectations share them."""
SLOW = {"metaflammation": [pytest.mark.slow]}
"""Years of the integrated model take a second each."""
ALL = [
    pytest.param(m, e, id=f"{m.id}-{e.id}", marks=SLOW.get(m.id, []))
    for m in MODELS.values()
    for e in m.expectations.values()
]


# `metaflammation check`, which CI runs as well, judges the integrated model in minutes.
@pytest.mark.parametrize(("model", "expectation"), [p for p in ALL if p.values[0].id not in SLOW])
def test_expectation_has_its_declared_verdict(model, expectation):
    outcome = judge(expectation, RUNS[model.id])
    assert outcome.verdict == (KNOWN if expectation.known_failure else HOLDS), f"{outcome.value} {outcome.unit}"


@pytest.mark.parametrize(("model", "expectation"), ALL)
def test_expectation_fails_under_each_control_and_one_gives_a_number(model, expectation, request):
    if model.id in SLOW and not request.config.getoption("all_controls"):
        pytest.skip("the controls of the integrated model take half an hour: make controls")
    outcomes = dict(control_outcomes(model, expectation, benches=BENCHES[model.id]))
    for control, outcome in outcomes.items():
        assert outcome.margin < 0, f"still holds with {control}: {outcome.value}"
    assert any(math.isfinite(o.value) for o in outcomes.values()), "no control tests the interval"


def to_which_is_fitted(model):
    return set(measurements.read(model).query("use == 'fit'")["datasetId"]) | model.targets.keys()


@pytest.mark.parametrize(("model", "expectation"), ALL)
def test_expectation_names_what_exists(model, expectation):
    for reading in readings(expectation.value):
        assert reading.observable in model.elements
        assert reading.experiment in model.experiments
        assert set(reading.under) <= model.conditions.keys()
    fitted = to_which_is_fitted(model)
    fitted |= {f"{module}.{i}" for module in model.files.modules().values() for i in to_which_is_fitted(MODELS[module])}
    assert set(expectation.rests_on_fit) <= fitted
    if expectation.citation:
        assert f"{{{expectation.citation}," in library.bibliography()


@pytest.mark.parametrize("name", MODELS)
def test_every_claim_of_the_tier_is_covered(name):
    wanted = {
        "insulin_cascade": {"F1", "F6", "I2", "I3", "I4", "I6", "I7"},
        "cytokine_crosstalk": {"F2", "F3", "F4", "I1", "I5", "I8", "I9", "I10", "I12"},
        "er_stress": {f"A{n}" for n in range(1, 14)},
        "hormone_axis": {"F7", "F8", "F9", *(f"I{n}" for n in range(11, 17)), "A15", "A16", "A17"},
        "insulin_resistance": {"F5", "F6", "I6", "I7"},
        "metaflammation": {
            *["F1", "F3", "F4", "F5", "F6", "F7", "F8", "F9", "I1", "I8", "I9", "I10", "I12", "I13", "I14", "I15"],
            *["A2", "A8", "A10", "A12", "A13", "A14", "A15", "A16", "A17", "A18"],
        },
    }
    assert wanted.get(name, set()) <= {e.claim for e in MODELS[name].expectations.values()}


READING = {"statistic": "final", "experiment": "e", "observable": "x"}


def expectation(**changes):
    entry = {
        "id": "x",
        "kind": "article",
        "claim": "F1",
        "statement": "s",
        "value": READING,
        "interval_from": "rule",
        "fails_when": ["c"],
    }
    return Expectation.model_validate(entry | changes)


@pytest.mark.parametrize(
    ("changes", "value", "margin"),
    [
        pytest.param({"lower": 1, "upper": 3}, 2, 1, id="middle of an interval"),
        pytest.param({"lower": 1, "upper": 3}, 1.5, 0.5, id="half way to a bound"),
        pytest.param({"lower": 1, "upper": 3}, 4, -1, id="half a width outside"),
        pytest.param({"lower": 1, "scale": 2}, 5, 2, id="two effects above"),
        pytest.param({"upper": 1, "scale": 2}, 2, -0.5, id="half an effect too high"),
        pytest.param({"lower": 1, "upper": 3}, math.nan, -math.inf, id="not a number"),
    ],
)
def test_margin(changes, value, margin):
    assert margin_of(expectation(**changes), value) == pytest.approx(margin, rel=1e-12)


RATIO = {"statistic": "ratio", "of": READING, "to": READING}


@pytest.mark.parametrize(
    ("changes", "value", "margin"),
    [
        pytest.param({"lower": 0.1, "upper": 10}, 1, 1, id="geometric middle"),
        pytest.param({"lower": 1, "scale": 100}, 10, 0.5, id="half the effect in log10"),
        pytest.param({"upper": 0.1, "scale": 0.1}, 0, 1, id="linear under an upper bound alone"),
        pytest.param({"lower": 0.1, "scale": 10}, -1, -math.inf, id="negative under a lower bound"),
    ],
)
def test_margin_of_a_ratio_is_logarithmic(changes, value, margin):
    assert margin_of(expectation(value=RATIO, **changes), value) == pytest.approx(margin, rel=1e-12)


def test_scale_of_a_ratio_must_exceed_one():
    with pytest.raises(DataError, match="above 1 for ratios"):
        margin_of(expectation(value=RATIO, lower=1, scale=0.5), 2)


def course_of(values, times):
    return TimeCourse(pd.DataFrame({"x": values}, index=pd.Index(times, name="time")), {"x": "nM"}, {"x": "X"})


class Fixed:
    """Runs that give one value for every reading."""

    def __init__(self, value):
        self.value = value

    def course(self, *_):
        return course_of([0.0, self.value], [0.0, 1.0])

    def unit(self, _):
        return "nM"


class Course(Fixed):
    """Runs whose observable rises from 0 to 4 and falls to 0 in eight minutes."""

    def __init__(self):
        pass

    def course(self, *_):
        return course_of([0.0, 2.0, 4.0, 2.0, 0.0], [0.0, 2.0, 4.0, 6.0, 8.0])


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        pytest.param({"statistic": "mean"}, 2.0, id="no window"),
        pytest.param({"statistic": "mean", "window": [2, 6]}, 3.0, id="mean in a window"),
        pytest.param({"statistic": "final", "window": [0, 2]}, 2.0, id="end of a window"),
        pytest.param({"statistic": "time_for", "level": 3}, 3.0, id="time for a number"),
        pytest.param({"statistic": "time_for", "level": READING | {"statistic": "mean"}}, 2.0, id="time for a reading"),
    ],
)
def test_reading(changes, value):
    entry = expectation(lower=0, scale=1, value=READING | changes)
    assert judge(entry, Course()).value == pytest.approx(value, rel=1e-12)


def test_window_without_points_is_refused():
    with pytest.raises(DataError, match="x in e: no points in the window"):
        judge(expectation(lower=0, scale=1, value=READING | {"window": [9, 10]}), Course())


KNOWN_REASON = {"known_failure": {"reason": "r", "evidence": "e"}}


@pytest.mark.parametrize(
    ("changes", "value", "verdict"),
    [
        pytest.param({}, 2, HOLDS, id="inside"),
        pytest.param({}, 0, FAILS, id="outside"),
        pytest.param(KNOWN_REASON, 0, KNOWN, id="outside as known"),
        pytest.param(KNOWN_REASON, 2, UNEXPECTED, id="inside though known to fail"),
    ],
)
def test_verdict(changes, value, verdict):
    assert judge(expectation(lower=1, upper=3, **changes), Fixed(value)).verdict == verdict
