import math

import numpy as np
import pytest

from metaflammation import statistics
from metaflammation.errors import DataError
from metaflammation.statistics import OF_A_COURSE, crossing, dose_for, ec50, smallest_gap

TIME = [0, 1, 2, 4, 8]
COURSES = {
    "up and down": [1, 3, 5, 3, 2],
    "down": [8, 4, 2, 1, 0],
    "flat": [2, 2, 2, 2, 2],
    "zero": [0, 0, 0, 0, 0],
    "from zero": [0, 1, 2, 3, 4],
}
NONE = math.nan
TABLE = {
    "initial": (1, 8, 2, 0, 0),
    "final": (2, 0, 2, 0, 4),
    "max": (5, 8, 2, 0, 4),
    "min": (1, 0, 2, 0, 0),
    "auc": (2 + 4 + 8 + 10, 6 + 3 + 3 + 2, 16, 0, 0.5 + 1.5 + 5 + 14),
    "mean": (3.0, 1.75, 2, 0, 2.625),
    "time_to_max": (2.5, 0, NONE, NONE, 8),
    "time_to_min": (0, 8, NONE, NONE, 0),
    "period": (NONE, NONE, NONE, NONE, NONE),
    "damping": (NONE, NONE, NONE, NONE, NONE),
    "half_time": (1, 1, NONE, NONE, 2),
    "full_time": (1.9, 6.4, NONE, NONE, 7.2),
    "rise": (4, 0, 0, 0, 4),
    "fold": (2, 0, 1, NONE, NONE),
}
CASES = [
    pytest.param(name, course, expected, id=f"{name} of {label}")
    for name, row in TABLE.items()
    for (label, course), expected in zip(COURSES.items(), row, strict=True)
]


@pytest.mark.parametrize(("name", "course", "expected"), CASES)
def test_statistic_of_a_course(name, course, expected):
    value = OF_A_COURSE[name](TIME, course)
    assert isinstance(value, float)
    assert value == pytest.approx(expected, rel=1e-12, abs=1e-15, nan_ok=True)


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        pytest.param([1, 3, 5, 3, 2], 0.25, id="a quarter is left"),
        pytest.param([1, 3, 5, 3, 0], -0.25, id="below the start"),
        pytest.param([1, 2, 3, 4, 5], 1.0, id="nothing lost"),
        pytest.param([2, 2, 2, 2, 2], math.nan, id="no course"),
        pytest.param([8, 4, 2, 1, 0], math.nan, id="never above the start"),
    ],
)
def test_fall_from_max(course, expected):
    assert statistics.fall_from_max(TIME, course) == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_every_statistic_of_a_course_is_tested():
    assert set(OF_A_COURSE) == {*TABLE, "fall_from_max"}


@pytest.mark.parametrize("name", ["time_to_max", "half_time", "full_time", "fall_from_max"])
@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_course_that_moves_by_rounding_alone_does_not_move(name, size):
    course = size * (1 + 2e-16 * np.array([0, 1, 2, 1, 0]))
    assert math.isnan(OF_A_COURSE[name](TIME, course))


@pytest.mark.parametrize("name", ["time_to_max", "half_time"])
def test_small_course_that_moves_counts(name):
    course = 1e-15 * np.array([0, 1, 2, 2, 2])
    assert not math.isnan(OF_A_COURSE[name](TIME, course))


RING = np.linspace(0, 400, 801)


def ring(start=1.0, height=4.0, *, period=100.0, decay=200.0):
    """Return a damped oscillation that starts at its first minimum."""
    return start + height * np.exp(-RING / decay) * (1 - np.cos(2 * np.pi * RING / period))


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_period_of_a_damped_oscillation(size):
    assert OF_A_COURSE["period"](RING, size * ring()) == pytest.approx(100, rel=1e-4)


def test_damping_of_a_damped_oscillation():
    assert OF_A_COURSE["damping"](RING, ring()) == pytest.approx(math.exp(-0.5), rel=1e-4)


def test_ripple_of_the_solver_is_no_oscillation():
    course = ring(decay=20.0) + 1e-6 * np.cos(RING * 3)
    assert OF_A_COURSE["period"](RING, course) == pytest.approx(100, rel=0.01)


def test_time_of_a_maximum_lies_between_output_points():
    course = ring(decay=1e9)
    coarse = OF_A_COURSE["time_to_max"](RING[::10], course[::10] - 1e-6 * RING[::10])
    assert coarse == pytest.approx(50, abs=0.01)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        pytest.param(2, 1.5, id="between points"),
        pytest.param(5, 5, id="at the maximum"),
        pytest.param(6, math.inf, id="never"),
    ],
)
def test_time_for_a_level(level, expected):
    assert statistics.time_for([0, 1, 2, 5, 8], [1, 1, 3, 5, 0], level) == pytest.approx(expected, rel=1e-12)


def test_half_time_of_an_exponential_is_its_half_life():
    time = np.linspace(0, 40, 4001)
    assert OF_A_COURSE["half_time"](time, np.exp(-0.5 * time)) == pytest.approx(math.log(2) / 0.5, rel=1e-4)


def test_statistics_do_not_change_their_input():
    time, course = np.array(TIME, dtype=float), np.array([1.0, 3, 5, 3, 2])
    for statistic in OF_A_COURSE.values():
        statistic(time, course)
    assert course.tolist() == [1, 3, 5, 3, 2]
    assert time.tolist() == TIME


def hill(dose, ec, n=1.0, base=0.0, top=1.0):
    dose = np.asarray(dose, dtype=float)
    return base + (top - base) * dose**n / (ec**n + dose**n)


@pytest.mark.parametrize("n", [1.0, 2.5])
@pytest.mark.parametrize(("base", "top"), [(0.0, 1.0), (3.0, 10.0), (1.0, 0.2)], ids=["rise", "from a base", "fall"])
def test_ec50_of_a_hill_curve(n, base, top):
    doses = np.array([0, *np.geomspace(1e-5, 1e5, 401)])
    assert ec50(doses, hill(doses, 0.3, n, base, top)) == pytest.approx(0.3, rel=2e-3)


def test_ec50_is_interpolated_on_a_logarithmic_scale():
    assert ec50([0, 1, 100], [0, 0, 4]) == pytest.approx(10, rel=1e-12)


def test_ec50_of_a_flat_response_does_not_exist():
    assert math.isnan(ec50([0, 1, 10], [2, 2, 2]))


@pytest.mark.parametrize(
    ("level", "dose"),
    [
        pytest.param(1.0, 1.0, id="at a dose"),
        pytest.param(2.0, 10**0.5, id="between doses"),
        pytest.param(-1.0, 0.1, id="below the lowest"),
        pytest.param(3.0, 10.0, id="at the highest"),
        pytest.param(3.1, math.inf, id="beyond the range"),
    ],
)
def test_dose_for(level, dose):
    assert dose_for([0, 0.1, 1, 10], [0, 0.5, 1, 3], level) == pytest.approx(dose, rel=1e-12)


@pytest.mark.parametrize("doses", [[0, 2, 1], [0, 1, 1], [3, 2, 1]])
def test_doses_that_do_not_increase_are_refused(doses):
    with pytest.raises(DataError, match="must increase"):
        dose_for(doses, [0, 1, 2], 1.0)


def test_crossing_is_the_first_one():
    assert crossing(np.arange(5.0), np.array([0.0, 2, 0, 2, 2]), 1.0) == pytest.approx(0.5, rel=1e-15)


@pytest.mark.parametrize(
    ("values", "gap"),
    [([1, 2, 4], 1), ([1, 4, 3], -1), ([5, 5], 0)],
    ids=["in order", "out of order", "equal"],
)
def test_smallest_gap(values, gap):
    assert smallest_gap(values) == pytest.approx(gap, abs=1e-15)
