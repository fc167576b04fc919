import pickle

import numpy as np
import pytest

import metaflammation as mf
from conftest import TINY, exact_b
from metaflammation.compile import compile_file
from metaflammation.errors import DataError, MetaflammationError, ModelError, SimulationError
from metaflammation.records import DoseSeries, Equilibration, Experiment, Period
from metaflammation.simulate import Protocol, merge_conditions

STEP = "insulin_step_10nM"
SERIES = "uptake_dose_response"
STEADY_B = 5.0


def own(folder, text):
    path = folder / "own.ant"
    path.write_text(text)
    return mf.Model("own", compile_file(path).sbml, None)


def test_condition_holds_throughout_and_an_override_wins(insulin_cascade):
    weak = insulin_cascade.simulate(STEP, conditions="t2d_adipocyte")["IR_pY"]
    assert weak.max() < 0.8 * insulin_cascade.simulate(STEP)["IR_pY"].max()
    values = insulin_cascade.conditions["t2d_adipocyte"]
    healthy = {i: insulin_cascade.elements[i].value for i in values}
    back = insulin_cascade.simulate(STEP, conditions=["t2d_adipocyte"], overrides=healthy)
    assert back["IR_pY"].to_numpy() == pytest.approx(insulin_cascade.simulate(STEP)["IR_pY"].to_numpy(), rel=1e-9)


def test_unknown_condition_of_a_model_is_named_with_the_nearest(insulin_cascade):
    with pytest.raises(DataError, match="unknown condition 't2d'; did you mean"):
        insulin_cascade.simulate(STEP, conditions="t2d")


# --- named experiments ----------------------------------------------------------------------------------------------


def test_unknown_model_is_named_with_the_nearest():
    with pytest.raises(ModelError, match=r"unknown model 'insulin_casacde'; did you mean insulin_cascade, "):
        mf.load("insulin_casacde")


def test_unknown_experiment_is_named_with_the_nearest(insulin_cascade):
    with pytest.raises(
        SimulationError, match=r"insulin_cascade: unknown experiment .*did you mean .*insulin_step_10nM"
    ):
        insulin_cascade.simulate("insulin_step_10")


def test_experiment_of_an_own_file_does_not_exist(tiny):
    with pytest.raises(SimulationError, match=r"unknown experiment 'step'; there is none"):
        tiny.simulate("step")


def test_named_experiment_has_its_grid_conditions_and_origin(insulin_cascade):
    course = insulin_cascade.simulate(STEP)
    experiment = insulin_cascade.experiments[STEP]
    assert set(np.linspace(0, 60, experiment.points).round(9)) <= set(course.data.index)
    early = course.data.index[course.data.index <= experiment.dense_until]
    assert np.diff(early) == pytest.approx(60 / (experiment.points - 1) / 10, rel=1e-6)
    assert set(course["insulin"]) == {10.0}
    assert course.origin == {
        "model": "insulin_cascade",
        "experiment": STEP,
        "engine": "roadrunner",
        "overrides": {},
    }
    assert course.units["insulin"] == "nM"
    assert course.names["insulin"] == "insulin, extracellular"


@pytest.mark.parametrize(
    "argument", [{"duration": 1}, {"changes": {}}, {"equilibrate": True}], ids=lambda a: next(iter(a))
)
def test_named_experiment_takes_nothing_ad_hoc(insulin_cascade, argument):
    with pytest.raises(SimulationError, match="without a named experiment"):
        insulin_cascade.simulate(STEP, **argument)


def test_experiment_over_doses_gives_all_of_them_or_one(insulin_cascade):
    series = insulin_cascade.simulate(SERIES)
    one = insulin_cascade.simulate(SERIES, dose="0.1 nM")
    assert tuple(series.runs) == insulin_cascade.experiments[SERIES].doses.values
    assert (series.target, series.unit) == ("insulin", "nM")
    assert one.data.equals(series.runs[0.1].data)
    assert one.origin["dose"] == pytest.approx(0.1, rel=1e-15)


def test_dose_outside_the_series_and_in_clinical_units_is_run(insulin_cascade):
    course = insulin_cascade.simulate(SERIES, dose="60 mU/L")
    assert set(course["insulin"]) == {0.36}


@pytest.mark.parametrize(
    ("dose", "reason"),
    [
        pytest.param("1 min", "wrong dimension", id="dimension"),
        pytest.param("much", "is not a quantity", id="text"),
        pytest.param(-1.0, "negative", id="negative"),
        pytest.param("nan", "not a finite number", id="nan"),
    ],
)
def test_bad_dose_is_refused(insulin_cascade, dose, reason):
    with pytest.raises(DataError, match=rf"insulin: .*{reason}"):
        insulin_cascade.simulate(SERIES, dose=dose)


def test_dose_on_an_experiment_without_doses_is_refused(insulin_cascade):
    with pytest.raises(SimulationError, match=f"experiment {STEP} takes no dose"):
        insulin_cascade.simulate(STEP, dose=1.0)


def test_dose_without_an_experiment_is_refused(tiny):
    with pytest.raises(SimulationError, match="a dose belongs to a named experiment"):
        tiny.simulate(duration=1, dose=1.0)


# --- ad hoc simulations ---------------------------------------------------------------------------------------------


def test_ad_hoc_simulation_is_exact(tiny):
    course = tiny.simulate(duration="30 s", points=3)
    assert course.data.index.tolist() == [0.0, 0.25, 0.5]
    assert course["B"].to_numpy() == pytest.approx(exact_b([0, 0.25, 0.5]), rel=1e-7, abs=1e-9)


def test_changes_come_after_equilibration(tiny):
    course = tiny.simulate(duration=10, changes={"S": "3 nM"}, equilibrate="2 h", points=2)
    assert course["B"].to_numpy() == pytest.approx([STEADY_B, exact_b(10, STEADY_B, signal=3.0)], rel=1e-6)


def test_equilibration_of_true_is_long(tiny):
    slow = {"k_on": 1e-4, "k_off": 1e-4}
    start = tiny.simulate(duration=1, equilibrate=True, overrides=slow)["B"].iloc[0]
    assert start == pytest.approx(exact_b(60 * 24 * 60, k_on=1e-4, k_off=1e-4), rel=1e-6)


@pytest.mark.parametrize("value", [0, -5, "0 min", "-1 h", 0.0])
def test_duration_that_is_not_positive_is_refused(tiny, value):
    with pytest.raises(SimulationError, match=rf"duration: {value} is not positive"):
        tiny.simulate(duration=value)


@pytest.mark.parametrize(
    ("arguments", "error", "reason"),
    [
        pytest.param({}, SimulationError, "name an experiment or give a duration", id="nothing"),
        pytest.param({"duration": "5 nM"}, DataError, "duration: .* wrong dimension", id="duration in nM"),
        pytest.param({"duration": "long"}, DataError, "duration: 'long' is not a quantity", id="duration in words"),
        pytest.param({"duration": float("inf")}, DataError, "duration: inf is not a finite", id="endless"),
        pytest.param({"equilibrate": -1}, SimulationError, "equilibrate: -1 is negative", id="negative equilibration"),
        pytest.param({"equilibrate": "1 nM"}, DataError, "equilibrate: .* wrong dimension", id="equilibration in nM"),
        pytest.param({"points": 1}, SimulationError, "points: 1 is not a number of points", id="one point"),
        pytest.param({"engine": "copsi"}, SimulationError, "did you mean copasi", id="engine"),
    ],
)
def test_bad_ad_hoc_simulation_is_refused(tiny, arguments, error, reason):
    with pytest.raises(error, match=reason):
        tiny.simulate(**({"duration": 1} | arguments if arguments else {}))


@pytest.mark.parametrize("argument", ["changes", "overrides"])
@pytest.mark.parametrize(
    ("element", "value", "error", "reason"),
    [
        pytest.param("k_onn", 1, ModelError, r"unknown id 'k_onn'; did you mean k_on", id="unknown"),
        pytest.param("fraction", 1, ModelError, "'fraction' is computed by the model", id="computed"),
        pytest.param("on", 1, ModelError, "'on' is a reaction", id="reaction"),
        pytest.param("S", "5 min", DataError, "S: .* wrong dimension; a quantity in nM", id="dimension"),
        pytest.param("S", -1, DataError, "S: -1 is negative", id="negative species"),
        pytest.param("cell", "-1 l", DataError, "cell: -1 l is negative", id="negative compartment"),
        pytest.param("S", "high", DataError, "S: 'high' is not a quantity", id="words"),
        pytest.param("S", float("nan"), DataError, "S: nan is not a finite number", id="nan"),
        pytest.param("S", None, DataError, "S: None is not a quantity", id="None"),
    ],
)
def test_what_cannot_be_set_is_refused(tiny, argument, element, value, error, reason):
    with pytest.raises(error, match=reason):
        tiny.simulate(duration=1, **{argument: {element: value}})


def test_value_that_is_not_finite_in_the_course_is_named(tiny):
    with pytest.raises(SimulationError, match="fraction is not a finite number"):
        tiny.simulate(duration=1, overrides={"f_total": 0})


def test_solver_that_gives_up_is_an_error_of_ours(tiny):
    with pytest.raises(SimulationError, match="libRoadRunner"):
        tiny.simulate(duration=1e5, overrides={"k_on": -1, "k_off": -3})


@pytest.mark.parametrize("engine", ["roadrunner", "copasi"])
def test_own_model_in_seconds_is_converted(tmp_path, engine):
    in_seconds = (
        TINY.replace("unit minute = 60 second", "unit minute = second")
        .replace("per_min = 1/(60 second)", "per_min = 1/second")
        .replace("mole*60 second", "mole*second")
    )
    course = own(tmp_path, in_seconds).simulate(duration="1 min", points=2, engine=engine)
    assert course.data.index.tolist() == [0.0, 1.0]
    assert course["B"].iloc[-1] == pytest.approx(exact_b(60.0), rel=1e-6)


# --- overrides ------------------------------------------------------------------------------------------------------


def test_override_that_nothing_sets_holds_throughout(tiny):
    course = tiny.simulate(duration=1, overrides={"S": 3.0}, equilibrate="1 d", points=2)
    assert course["S"].tolist() == [3.0, 3.0]
    assert course["B"].tolist() == pytest.approx([7.5, 7.5], rel=1e-7)


def test_override_replaces_the_value_where_a_change_sets_it(tiny):
    course = tiny.simulate(duration=1, changes={"S": 0}, overrides={"S": 3.0}, equilibrate="1 d", points=2)
    assert course["S"].tolist() == [3.0, 3.0]
    assert course["B"].iloc[0] == pytest.approx(STEADY_B, rel=1e-7)


def test_override_replaces_the_stimulus_of_a_named_experiment_but_not_its_equilibration(insulin_cascade):
    given = insulin_cascade.simulate(STEP)
    course = insulin_cascade.simulate(STEP, overrides={"insulin": "0 nM"})
    assert course["insulin"].to_numpy() == pytest.approx(np.zeros(len(course.data)), abs=1e-12)
    assert course["IR_pY"].to_numpy() == pytest.approx(np.zeros(len(course.data)), abs=1e-6)
    assert course["IRS1"].iloc[0] == pytest.approx(given["IRS1"].iloc[0], rel=1e-9)


def test_override_replaces_the_value_in_every_period_that_sets_it(insulin_cascade):
    course = insulin_cascade.simulate("insulin_pulse_10nM", overrides={"insulin": 2.0})
    assert set(course["insulin"]) == {2.0}


def test_override_of_what_equilibration_sets_replaces_it_there(insulin_cascade):
    name = "t2d_insulin_step_10nM"
    lean = insulin_cascade.simulate(STEP)
    target = insulin_cascade.conditions["t2d_adipocyte"]
    cured = insulin_cascade.simulate(name, overrides={i: insulin_cascade.elements[i].value for i in target})
    assert cured["glucose_uptake"].to_numpy() == pytest.approx(lean["glucose_uptake"].to_numpy(), rel=1e-6)


def test_override_of_the_dosed_element_is_refused(insulin_cascade):
    with pytest.raises(MetaflammationError, match="insulin"):
        insulin_cascade.simulate(SERIES, overrides={"insulin": 5.0})


def test_override_stands_in_the_origin_in_model_units(tiny):
    assert tiny.simulate(duration=1, overrides={"S": "3000 pM"}).origin["overrides"] == {"S": pytest.approx(3.0)}


# --- protocols ------------------------------------------------------------------------------------------------------

CONDITIONS = {"rest": {"x": 0.0}, "high": {"x": 5.0, "k": 2.0}, "low": {"x": 1.0}}
PROTOCOL = Experiment(
    id="e",
    title="t",
    equilibration=Equilibration(duration=100.0, conditions=("rest",)),
    periods=(Period(conditions=("high",)), Period(start=5.0, conditions=("low",))),
    duration=10.0,
    points=3,
)


def test_protocol_becomes_a_plan():
    plan = Protocol.of(PROTOCOL, CONDITIONS).plan({})
    assert (plan.initial, plan.equilibration) == ({"x": 0.0}, 100.0)
    assert [(p.start, p.changes) for p in plan.phases] == [(0.0, {"x": 5.0, "k": 2.0}), (5.0, {"x": 1.0})]
    assert plan.times == (0.0, 5.0, 10.0)


def test_plan_applies_overrides_where_the_protocol_sets_them_and_else_throughout():
    plan = Protocol.of(PROTOCOL, CONDITIONS).plan({"x": 3.0, "k": 7.0, "z": 9.0})
    assert plan.initial == {"x": 3.0, "z": 9.0}
    assert [p.changes for p in plan.phases] == [{"x": 3.0, "k": 7.0}, {"x": 3.0}]


def test_plan_without_equilibration_starts_with_the_first_period():
    plan = Protocol.of(PROTOCOL.model_copy(update={"equilibration": None}), CONDITIONS).plan({})
    assert plan.initial == {"x": 5.0, "k": 2.0}


@pytest.mark.parametrize(
    ("base", "equilibration", "initial"),
    [({}, 0.0, {"x": 5.0, "k": 2.0}), ({"k": 3.0}, 30.0, {"k": 3.0})],
    ids=["own values", "other values"],
)
def test_other_values_than_the_models_come_to_rest_first(base, equilibration, initial):
    resting = PROTOCOL.model_copy(update={"equilibration": None, "rest": 30.0})
    plan = Protocol.of(resting, CONDITIONS).plan({}, base=base)
    assert (plan.equilibration, plan.initial) == (equilibration, initial)
    assert plan.phases[0].changes == {"x": 5.0, "k": 2.0}


def test_plan_shows_measured_times_and_starts_of_periods_besides_the_grid():
    moved = PROTOCOL.model_copy(update={"periods": (Period(), Period(start=7.0))})
    assert Protocol.of(moved, CONDITIONS).plan({}, times=[2.0, 5.0]).times == (0.0, 2.0, 5.0, 7.0, 10.0)


def test_dose_is_set_in_the_first_period():
    dosed = PROTOCOL.model_copy(update={"doses": DoseSeries(target="x", unit="nM", values=(1.0, 2.0))})
    protocol = Protocol.of(dosed, CONDITIONS, 2.0)
    assert [p.changes for p in protocol.phases] == [{"x": 2.0, "k": 2.0}, {"x": 1.0}]
    with pytest.raises(DataError, match="experiment e: a dose is needed"):
        Protocol.of(dosed, CONDITIONS)


def test_dose_for_a_protocol_without_doses_is_refused():
    with pytest.raises(DataError, match="experiment e: takes no dose"):
        Protocol.of(PROTOCOL, CONDITIONS, 2.0)


def test_later_condition_wins():
    assert merge_conditions(["high", "low"], CONDITIONS, "here") == {"x": 1.0, "k": 2.0}


def test_unknown_condition_is_named_with_the_nearest():
    with pytest.raises(DataError, match=r"here: unknown condition 'hihg'; did you mean high"):
        merge_conditions(["rest", "hihg"], CONDITIONS, "here")


# --- steady states, scans, dose responses ---------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["roadrunner", "copasi"])
def test_steady_state_is_the_exact_one(tiny, engine):
    frame = tiny.steady_state(overrides={"S": "3 nM"}, engine=engine)
    assert frame.loc["B", "value"] == pytest.approx(7.5, rel=1e-7)
    assert frame.loc["B", ["unit", "name"]].tolist() == ["nM", "switch, on"]
    assert frame.index.name == "id"


def test_steady_state_of_a_slow_model_is_found(tiny):
    slow = tiny.steady_state(overrides={"k_on": 1e-5, "k_off": 1e-5})
    assert slow.loc["B", "value"] == pytest.approx(STEADY_B, rel=1e-6)


@pytest.mark.parametrize("engine", ["roadrunner", "copasi"])
def test_model_that_grows_has_no_steady_state(tmp_path, engine):
    model = own(tmp_path, "-> x; k; k = 1; x = 0\n")
    with pytest.raises(SimulationError, match=r"no steady state within 1e\+07 min: x still moves"):
        model.steady_state(engine=engine)


@pytest.mark.parametrize("engine", ["roadrunner", "copasi"])
def test_model_that_explodes_has_no_steady_state(tiny, engine):
    with pytest.raises(SimulationError):
        tiny.steady_state(overrides={"k_on": -1, "k_off": -3}, engine=engine)


def test_dose_response_is_exact(tiny):
    series = tiny.dose_response("S", over=[0, "1 nM", 3], duration=10)
    expected = [exact_b(10, STEADY_B, signal=s) for s in (0.0, 1.0, 3.0)]
    assert (series.target, series.unit, tuple(series.runs)) == ("S", "nM", (0.0, 1.0, 3.0))
    assert series.response("B").to_numpy() == pytest.approx(expected, rel=1e-6)


def test_dose_response_without_equilibration_starts_from_the_initial_state(tiny):
    series = tiny.dose_response("S", over=[1.0], duration=10, equilibrate=False)
    assert series.response("B", at=0).tolist() == [0.0]


@pytest.mark.parametrize("over", [[], "1 nM", 1.0, ()], ids=repr)
@pytest.mark.parametrize("method", ["dose_response", "scan"])
def test_what_is_no_list_of_values_is_refused(tiny, method, over):
    with pytest.raises(DataError, match="S: give a list of values to scan over"):
        getattr(tiny, method)("S", over, duration=1)


@pytest.mark.parametrize(
    ("target", "over", "error", "reason"),
    [
        pytest.param("Q", [1], ModelError, "unknown id 'Q'", id="unknown"),
        pytest.param("fraction", [1], ModelError, "is computed by the model", id="computed"),
        pytest.param("S", [1, -1], DataError, "negative", id="negative"),
        pytest.param("S", ["1 min"], DataError, "wrong dimension", id="dimension"),
    ],
)
@pytest.mark.parametrize("method", ["dose_response", "scan"])
def test_bad_target_is_refused(tiny, method, target, over, error, reason):
    with pytest.raises(error, match=reason):
        getattr(tiny, method)(target, over, duration=1)


def test_scan_gives_a_statistic_for_each_value(tiny):
    table = tiny.scan("k_on", [0.1, "0.3 1/(nM min)"], duration=10, observables=["B", "A"])
    assert (table.index.name, list(table.columns)) == ("k_on", ["B", "A"])
    assert table["B"].to_dict() == pytest.approx({0.1: exact_b(10), 0.3: exact_b(10, k_on=0.3)}, rel=1e-6)


def test_scan_holds_other_overrides(tiny):
    table = tiny.scan("k_on", [0.1], duration=10, overrides={"S": 3.0})
    assert table.loc[0.1, "B"] == pytest.approx(exact_b(10, signal=3.0), rel=1e-6)


def test_scan_of_another_statistic(tiny):
    table = tiny.scan("k_on", [0.1], duration=200, points=20001, statistic="half_time", observables=["B"])
    assert table.loc[0.1, "B"] == pytest.approx(np.log(2) / 0.2, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "error", "reason"),
    [
        pytest.param({"statistic": "fnal"}, DataError, "unknown statistic 'fnal'; did you mean final", id="statistic"),
        pytest.param({"observables": ["C"]}, SimulationError, "unknown observable 'C'", id="observable"),
        pytest.param({"duration": None}, SimulationError, "give a duration", id="duration"),
    ],
)
def test_bad_scan_is_refused(tiny, arguments, error, reason):
    with pytest.raises(error, match=reason):
        tiny.scan("k_on", [0.1], **({"duration": 1} | arguments))


def test_scan_over_an_experiment_with_doses_needs_one(insulin_cascade):
    with pytest.raises(SimulationError, match=f"experiment {SERIES} is a series of doses; choose one with dose="):
        insulin_cascade.scan("k_on", [0.1], SERIES)


# --- models as objects ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("warm", [False, True], ids=["new", "used"])
def test_pickled_model_simulates_the_same(tiny, warm):
    if warm:
        tiny.simulate(duration=1)
        tiny.simulate(duration=1, engine="copasi")
    again = pickle.loads(pickle.dumps(tiny))  # noqa: S301 - our own bytes
    assert again.simulate(duration=7, equilibrate=3).data.equals(tiny.simulate(duration=7, equilibrate=3).data)


def test_pickled_catalogue_model_keeps_its_experiments(insulin_cascade):
    again = pickle.loads(pickle.dumps(insulin_cascade))  # noqa: S301 - our own bytes
    assert again.simulate(STEP).data.equals(insulin_cascade.simulate(STEP).data)


def test_engine_is_compiled_once(tiny):
    assert tiny.engine() is tiny.engine("roadrunner")


def test_own_file_is_loaded_by_path_and_text(tiny_ant, tiny_sbml):
    assert mf.load(tiny_ant).sbml == mf.load(str(tiny_ant)).sbml == tiny_sbml
    assert mf.load(tiny_ant).id == "tiny"
    assert repr(mf.load(tiny_ant)) == "<metaflammation.Model tiny>"


def test_own_file_has_no_tables(tiny):
    empty = (tiny.metadata, tiny.parameters, tiny.experiments, tiny.conditions, tiny.expectations)
    assert empty == (None, {}, {}, {}, {})


def test_own_file_cannot_be_extended(tiny):
    with pytest.raises(ModelError, match="only a catalogue model has a source"):
        tiny.extended("k = 1;")


def test_extended_model_has_the_lines_added(insulin_cascade):
    extended = insulin_cascade.extended("k_new = 3; k_new has per_min; k_back := 2*k_new;")
    assert extended.elements["k_new"].value == pytest.approx(3.0, rel=1e-15)
    assert extended.elements["k_back"].assigned
    assert extended.elements.keys() - {"k_new", "k_back"} == insulin_cascade.elements.keys()


# --- handing over to other programs ---------------------------------------------------------------------------------


def curve(rr, course, observable):
    result = rr.simulate(times=list(course.data.index), selections=["time", observable])
    return np.array(result)[:, 1]


@pytest.mark.parametrize("name", [STEP, "t2d_insulin_step_10nM", SERIES])
def test_roadrunner_stands_at_time_zero_of_the_experiment(insulin_cascade, name):
    doses = insulin_cascade.experiments[name].doses
    course = insulin_cascade.simulate(name, dose=doses.values[-1] if doses else None)
    rr = insulin_cascade.roadrunner(name)
    assert curve(rr, course, "glucose_uptake") == pytest.approx(course["glucose_uptake"].to_numpy(), rel=1e-7)


def test_roadrunner_without_an_experiment_stands_at_the_initial_state(tiny):
    rr = tiny.roadrunner()
    assert (rr["[A]"], rr["[B]"]) == (10.0, 0.0)
    assert rr.integrator.relative_tolerance == pytest.approx(tiny.solver.relative_tolerance, rel=1e-12)


def test_roadrunner_that_is_handed_over_is_not_ours(tiny):
    before = tiny.simulate(duration=5).data
    rr = tiny.roadrunner()
    assert rr is not tiny.engine().rr
    rr["k_on"] = 9.0
    rr.simulate(0, 100, 3)
    assert tiny.simulate(duration=5).data.equals(before)


def test_hand_over_of_an_unknown_experiment_is_refused(tiny):
    with pytest.raises(SimulationError, match="unknown experiment 'step'"):
        tiny.roadrunner("step")


TELLURIUM = """
import numpy as np, libsbml, metaflammation as mf
m = mf.load("insulin_cascade")
course = m.simulate("insulin_step_10nM")
rr = m.tellurium("insulin_step_10nM")
result = rr.simulate(0, 60, 241, ["time", "glucose_uptake"])
expected = course["glucose_uptake"].loc[result[:, 0].round(9)].to_numpy()
assert np.allclose(result[:, 1], expected, rtol=1e-7, atol=0), abs(result[:, 1] / expected - 1).max()
assert rr.getCurrentAntimony().strip()
assert abs(rr.integrator.relative_tolerance - m.solver.relative_tolerance) < 1e-20
assert type(rr).__module__.startswith("tellurium.")
try:
    m.tellurium("insulin_step")
except mf.SimulationError as error:
    assert "insulin_step_10nM" in str(error)
else:
    raise AssertionError("an unknown experiment was taken")
"""

INTACT = """
import sys, metaflammation as mf
m = mf.load("insulin_cascade")
m.tellurium()
import libsbml
assert libsbml.LIBSBML_OPERATION_SUCCESS == 0, libsbml.LIBSBML_OPERATION_SUCCESS
assert libsbml.readSBMLFromString(m.sbml).getModel().getNumSpecies() > 10
from metaflammation import sbml
assert sbml.findings(m.sbml) == []
"""

MISSING = """
import sys, metaflammation as mf
sys.modules["tellurium"] = None
try:
    mf.load("insulin_cascade").tellurium()
except mf.MetaflammationError as error:
    print(error)
"""


def test_tellurium_gives_our_curve_by_its_own_calls(fresh_python):
    fresh_python(TELLURIUM)


def test_tellurium_leaves_libsbml_intact(fresh_python):
    fresh_python(INTACT)


def test_missing_tellurium_is_told_with_the_cure(fresh_python):
    out = fresh_python(MISSING)
    assert out.strip() == "the package tellurium is not installed; get it with: pip install tellurium"
