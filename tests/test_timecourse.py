import json

import numpy as np
import pandas as pd
import pytest

from metaflammation.errors import DataError, ExportError, SimulationError
from metaflammation.timecourse import HEADER, DoseSeries, TimeCourse

UNITS = {"x": "nM", "y": "nM", "f": ""}
NAMES = {"x": "substance x", "y": "substance y", "f": "fraction"}


def course(factor=1.0, times=(0.0, 0.1, 10.0)):
    data = pd.DataFrame(
        {"x": [1 / 3 * factor, 2.0 * factor, 0.1 * factor], "y": [0.0, 4.0, 4.0], "f": [0.5, 0.5, 0.5]},
        index=pd.Index(times, name="time"),
    )
    return TimeCourse(data, UNITS, NAMES, {"model": "m", "experiment": None, "overrides": {"k": 0.1}})


@pytest.fixture
def series():
    return DoseSeries("ins", "nM", {0.0: course(0.0), 0.5: course(), 2.0: course(2.0)})


@pytest.mark.parametrize(
    ("time", "x"),
    [
        pytest.param(0, 1 / 3, id="first"),
        pytest.param(0.1, 2.0, id="output point"),
        pytest.param("10 min", 0.1, id="last"),
        pytest.param("6 s", 2.0, id="output point in another unit"),
        pytest.param(5.05, 1.05, id="half way"),
        pytest.param(0.05, (1 / 3 + 2) / 2, id="between close points"),
    ],
)
def test_value_at_a_time(time, x):
    assert course().at(time)["x"] == pytest.approx(x, rel=1e-14)


@pytest.mark.parametrize("time", [-0.1, 10.001, "1 h"])
def test_time_outside_the_simulation_is_refused(time):
    with pytest.raises(SimulationError, match=r"lies outside the simulation \(0 to 10 min\)"):
        course().at(time)


@pytest.mark.parametrize("time", ["5 nM", "soon", float("nan"), None])
def test_time_that_is_no_time_is_refused(time):
    with pytest.raises(DataError, match="time: "):
        course().at(time)


def test_interpolation_leaves_the_data_alone():
    run = course()
    run.at(5)
    assert list(run.data.index) == [0.0, 0.1, 10.0]


def test_unknown_observable_is_named_with_the_nearest():
    with pytest.raises(SimulationError, match=r"unknown observable 'X'; did you mean x\?"):
        course()["X"]
    with pytest.raises(SimulationError, match="unknown observable 'z'"):
        course().select(["x", "z"])


def test_select_keeps_the_order_asked_for():
    assert list(course().select(["f", "x"]).data.columns) == ["f", "x"]
    assert list(course().select().data.columns) == ["x", "y", "f"]


def test_saved_course_is_loaded_to_the_last_bit(tmp_path):
    random = np.random.default_rng(1)
    awkward = [0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, 1e-17, 123456789.123456789]
    values = np.array(awkward + list(10.0 ** random.uniform(-300, 300, 200)))
    run = TimeCourse(pd.DataFrame({"x": values}, index=pd.Index(values.argsort() / 7, name="time")), {"x": "µM"}, {})
    run.save(tmp_path / "a.csv")
    again = TimeCourse.load(tmp_path / "a.csv")
    assert again.data["x"].to_numpy().tobytes() == values.tobytes()
    assert again.data.index.to_numpy().tobytes() == run.data.index.to_numpy().tobytes()
    assert again.data.index.name == "time"


def test_saved_course_keeps_units_names_and_origin(tmp_path):
    course().save(tmp_path / "a.csv")
    again = TimeCourse.load(tmp_path / "a.csv")
    assert (again.units, again.names, again.origin) == (UNITS, NAMES, dict(course().origin))
    pd.testing.assert_frame_equal(again.data, course().data, check_exact=True)


def test_saved_course_of_whole_numbers_is_loaded_as_floats(tmp_path):
    TimeCourse(pd.DataFrame({"x": [1.0, 2.0]}, index=pd.Index([0.0, 1.0], name="time")), {}, {}).save(tmp_path / "a")
    assert TimeCourse.load(tmp_path / "a").data["x"].dtype == float
    assert TimeCourse.load(tmp_path / "a").data.index.dtype == float


def test_existing_file_is_not_overwritten(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(ExportError, match="exists already"):
        course().save(path)
    assert path.read_text() == "old"
    course().save(path, overwrite=True)
    assert TimeCourse.load(path).units == UNITS


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"time,x\n0,1\n", id="foreign CSV"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="not text"),
        pytest.param(HEADER.encode() + b"{broken\ntime,x\n0,1\n", id="broken header"),
        pytest.param(HEADER.encode() + b"[]\ntime,x\n0,1\n", id="header of another shape"),
        pytest.param(HEADER.encode() + b'{"units": {}}\ntime,x\n0,1\n', id="header without names"),
        pytest.param(HEADER.encode() + b'{"units": {}, "names": {}, "origin": {}}\na,x\n0,1\n', id="no time"),
        pytest.param(HEADER.encode() + b'{"units": {}, "names": {}, "origin": {}}\ntime,x\n0,?\n', id="no number"),
        pytest.param(HEADER.encode() + b'{"units": {}, "names": {}, "origin": {}}\n', id="no table"),
    ],
)
def test_file_that_is_no_saved_course_is_refused(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.csv: (is no saved time course|cannot be read as a time course)"):
        TimeCourse.load(path)


def test_foreign_table_is_told_from_a_damaged_course(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("time,x\n0,1\n")
    with pytest.raises(DataError, match=r"a\.csv: is no saved time course"):
        TimeCourse.load(path)


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_missing_file_and_folder_are_refused(tmp_path, name):
    with pytest.raises(DataError, match="cannot be read as a time course"):
        TimeCourse.load(tmp_path / name)


def test_header_is_one_line_of_json(tmp_path):
    course().save(tmp_path / "a.csv")
    first, second, *_ = (tmp_path / "a.csv").read_text().splitlines()
    assert json.loads(first.removeprefix(HEADER))["units"] == UNITS
    assert second == "time,x,y,f"


@pytest.mark.parametrize(
    ("last", "name"), [(180, "min"), (721, "h"), (5760, "h"), (5761, "d"), (1.5e6, "d"), (6.5e6, "years")]
)
def test_axis_of_a_long_course_is_in_hours_days_or_years(last, name):
    from metaflammation.figures import time_unit

    found, length = time_unit(last)
    assert found == name
    assert 1 < last / length < 1200


def test_plot_labels_axes_with_units_and_curves_with_names():
    axes = course().plot(["x", "y"])
    assert axes.get_xlabel() == "time (min)"
    assert axes.get_ylabel() == "concentration (nM)"
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["substance x", "substance y"]
    assert axes.lines[0].get_xydata()[:, 1].tolist() == course()["x"].tolist()


def test_plot_of_one_variable_has_its_name_as_title():
    axes = course().plot("f")
    assert axes.get_title(loc="left") == "fraction"
    assert axes.get_ylabel() == "fraction or fold"
    assert axes.get_legend() is None


def test_plot_of_all_shows_the_commonest_unit_and_leaves_out_what_does_not_move():
    still = course()
    still.data["still"] = 1.0
    run = TimeCourse(still.data, {**UNITS, "still": "nM"}, {**NAMES, "still": "constant"})
    assert [line.get_label() for line in run.plot().lines] == ["substance x", "substance y"]


def test_plot_of_many_shows_the_eight_that_move_most():
    data = pd.DataFrame({f"x{n}": [0.0, float(n)] for n in range(1, 12)}, index=pd.Index([0.0, 1.0], name="time"))
    run = TimeCourse(data, dict.fromkeys(data, "nM"), {c: c for c in data})
    assert [line.get_label() for line in run.plot().lines] == [f"x{n}" for n in range(4, 12)]


def test_two_runs_stand_side_by_side_by_their_names():
    axes = course().compare({"other": course()}, ["x"], label="mine")
    assert [line.get_label() for line in axes.lines] == ["mine", "other"]
    assert len({line.get_color() for line in axes.lines}) == 2
    assert axes.get_ylabel() == "concentration (nM)"


def test_a_run_that_lacks_the_variable_cannot_be_compared():
    other = course().select(["f"])
    with pytest.raises(SimulationError, match="unknown observable 'x'"):
        course().compare({"other": other}, ["x"])


def test_plot_of_mixed_units_is_refused_with_the_units():
    with pytest.raises(SimulationError, match=r"different units: x \(nM\), f \(number\)"):
        course().plot(["x", "f"])


def test_plot_of_an_unknown_variable_is_refused():
    with pytest.raises(SimulationError, match="unknown observable 'z'"):
        course().plot("z")


def test_plot_of_nothing_is_refused(series):
    with pytest.raises(SimulationError):
        course().plot([])
    with pytest.raises(SimulationError):
        series.plot([])


def test_plot_draws_into_given_axes():
    axes = course().plot("x")
    assert course().plot("y", ax=axes) is axes
    assert len(axes.lines) == 2


def test_data_of_a_series_has_dose_and_time(series):
    assert series.data.index.names == ["dose", "time"]
    assert series.data.loc[(2.0, 0.1), "x"] == pytest.approx(4.0, rel=1e-15)
    assert (series.units, series.names) == (UNITS, NAMES)


@pytest.mark.parametrize(("at", "expected"), [(None, [0.0, 0.1, 0.2]), ("6 s", [0.0, 2.0, 4.0])])
def test_response_over_dose(series, at, expected):
    response = series.response("x", at)
    assert response.index.name == "dose"
    assert list(response.index) == [0.0, 0.5, 2.0]
    assert response.tolist() == pytest.approx(expected, rel=1e-14)


def test_responses_of_all_observables(series):
    assert list(series.responses().columns) == ["x", "y", "f"]
    assert list(series.responses(["f"]).columns) == ["f"]


def test_series_of_selected_observables_keeps_its_doses(series):
    chosen = series.select(["f"])
    assert (list(chosen.data.columns), list(chosen.runs)) == (["f"], [0.0, 0.5, 2.0])


def test_plot_of_a_series_labels_dose_and_response(series):
    axes = series.plot(["x", "y"])
    assert axes.get_xlabel() == "ins (nM)"
    assert axes.get_ylabel() == "concentration (nM)"
    assert axes.get_xscale() == "symlog"
    assert axes.lines[0].get_xydata().tolist() == [[0.0, 0.0], [0.5, 0.1], [2.0, 0.2]]


def test_plot_of_a_series_of_zero_alone_is_drawn():
    axes = DoseSeries("ins", "nM", {0.0: course()}).plot("x")
    assert axes.get_xlabel() == "ins (nM)"


@pytest.mark.parametrize(("first", "kept"), [("", 0), ("import matplotlib.pyplot", 1)], ids=["alone", "pyplot in use"])
def test_a_picture_is_shown_where_pyplot_is_in_use(fresh_python, first, kept):
    code = f"""
import matplotlib
matplotlib.use("agg")
{first}
import sys, metaflammation as mf
mf.load("insulin_cascade").simulate(duration=1).plot("IR_pY")
print("matplotlib.pyplot" in sys.modules and len(sys.modules["matplotlib.pyplot"].get_fignums()))
"""
    assert int(fresh_python(code).strip() == "1") == kept
