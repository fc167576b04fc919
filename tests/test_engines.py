import contextlib
import re
from dataclasses import replace

import numpy as np
import pytest

import metaflammation as mf
from conftest import TINY, exact_b
from metaflammation import engines
from metaflammation.compile import compile_file
from metaflammation.engines import ENGINES, Phase, Plan
from metaflammation.errors import MetaflammationError, SimulationError
from metaflammation.records import Solver

START = Phase(0.0)
TIMES = (0.0, 1.0, 5.0, 20.0)
SOLVER = Solver(relative_tolerance=1e-11, absolute_tolerance=1e-14)
COLUMNS = ("S", "A", "B", "F", "fraction")

EVENT = TINY.replace("A_ref = 10, k_on = 0.1,", "A_ref = 10;  var k_on = 0.1;  const").replace(
    "\nend", "\n  at (time >= 5): k_on = 0.3, F = 7;\nend"
)
RATE_RULES = TINY.replace(
    "\nend", "\n  x = 1; x' = k_x*x; k_x = 0.5; k_x has per_min; x has dl; clock := time; clock has minute;\nend"
)

PLANS = {
    "plain": Plan({}, 0.0, (START,), TIMES),
    "single output time": Plan({}, 0.0, (Phase(0.0, {"S": 3.0}),), (0.0,)),
    "single output time after equilibration": Plan({}, 7.0, (Phase(0.0, {"S": 3.0}),), (0.0,)),
    "initial assignment that follows": Plan({"f_total": 2.0}, 0.0, (START,), TIMES),
    "initial assignment that is replaced": Plan({"A": 4.0, "f_total": 2.0}, 0.0, (START,), TIMES),
    "equilibration": Plan({"S": 0.5}, 30.0, (START,), TIMES),
    "equilibration then step": Plan({}, 5.0, (Phase(0.0, {"S": 3.0}),), TIMES),
    "two periods": Plan({}, 0.0, (Phase(0.0, {"S": 3.0}), Phase(5.0, {"S": 0.0})), TIMES),
    "three periods and equilibration": Plan(
        {}, 4.0, (Phase(0.0, {"S": 3.0}), Phase(2.5, {"k_off": 0.4}), Phase(7.0, {"S": 0.0, "B": 1.0})), TIMES
    ),
    "period without output": Plan({}, 0.0, (START, Phase(2.0, {"S": 2.0}), Phase(3.0, {"S": 0.0})), TIMES),
    "period at the last output": Plan({}, 0.0, (START, Phase(20.0, {"S": 2.0})), TIMES),
    "input species changed": Plan({"F": 5.0}, 3.0, (Phase(0.0, {"F": 20.0}),), TIMES),
    "compartment changed": Plan({"cell": 2.0}, 0.0, (START,), TIMES),
    "late first output": Plan({}, 0.0, (START,), (3.0, 4.0)),
}


def build(folder, text):
    path = folder / "model.ant"
    path.write_text(text)
    return mf.Model("model", compile_file(path).sbml, None)


def engine(name, model):
    return engines.load(name, model.sbml, model.elements, SOLVER)


def column(values, name, columns=COLUMNS):
    return values[:, columns.index(name)]


@pytest.fixture(params=ENGINES)
def name(request):
    return request.param


@pytest.fixture
def tiny_engine(name, tiny):
    return engine(name, tiny)


def test_columns_are_the_variables_in_the_order_of_the_model(tiny_engine):
    assert tiny_engine.columns == COLUMNS


def test_course_is_the_exact_solution(tiny_engine):
    values = tiny_engine.run(PLANS["plain"])
    assert values.shape == (len(TIMES), len(COLUMNS))
    assert column(values, "B") == pytest.approx(exact_b(TIMES), rel=1e-8, abs=1e-12)
    assert column(values, "fraction") == pytest.approx(exact_b(TIMES) / 10, rel=1e-8, abs=1e-12)
    assert column(values, "F") == pytest.approx([2.0] * 4, rel=1e-15)


def test_initial_assignment_follows_an_override(tiny_engine):
    values = tiny_engine.run(PLANS["initial assignment that follows"])
    assert column(values, "A")[0] == pytest.approx(20.0, rel=1e-14)
    assert column(values, "B") == pytest.approx(exact_b(TIMES, total=20.0), rel=1e-8, abs=1e-12)


def test_initial_value_that_is_set_wins_over_its_initial_assignment(tiny_engine):
    values = tiny_engine.run(PLANS["initial assignment that is replaced"])
    assert column(values, "A")[0] == pytest.approx(4.0, rel=1e-14)


def test_equilibration_runs_before_time_zero_without_the_changes(tiny_engine):
    values = tiny_engine.run(PLANS["equilibration then step"])
    start = exact_b(5.0)
    assert column(values, "S").tolist() == [3.0] * 4
    assert column(values, "B") == pytest.approx(exact_b(TIMES, start, signal=3.0), rel=1e-8)


def test_output_at_the_start_of_a_period_shows_its_changes(tiny_engine):
    values = tiny_engine.run(PLANS["two periods"])
    assert column(values, "S").tolist() == [3.0, 3.0, 0.0, 0.0]
    middle = exact_b(5.0, signal=3.0)
    assert column(values, "B")[2:] == pytest.approx([middle, exact_b(15.0, middle, signal=0.0)], rel=1e-8)


def test_computed_value_at_the_start_of_a_period_is_up_to_date(tiny_engine):
    values = tiny_engine.run(Plan({}, 3.0, (Phase(0.0, {"B": 10.0}),), (0.0, 1.0)))
    a, b, fraction = (column(values, c)[0] for c in ("A", "B", "fraction"))
    assert (b, fraction) == pytest.approx((10.0, 10.0 / (a + 10.0)), rel=1e-12)


def test_change_holds_into_later_periods(tiny_engine):
    values = tiny_engine.run(Plan({}, 0.0, (Phase(0.0, {"S": 3.0}), Phase(5.0, {"F": 1.0})), TIMES))
    assert column(values, "S").tolist() == [3.0] * 4
    assert column(values, "B") == pytest.approx(exact_b(TIMES, signal=3.0), rel=1e-7, abs=1e-12)


def test_compartment_that_is_set_keeps_initial_concentrations(tiny_engine):
    values = tiny_engine.run(PLANS["compartment changed"])
    assert values[0] == pytest.approx([1.0, 10.0, 0.0, 2.0, 0.0], rel=1e-12, abs=1e-15)
    assert column(values, "B") == pytest.approx(exact_b(TIMES), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("label", PLANS)
def test_engines_agree(label, tiny):
    first, second = (engine(n, tiny).run(PLANS[label]) for n in ENGINES)
    assert first.shape == second.shape == (len(PLANS[label].times), len(COLUMNS))
    assert first == pytest.approx(second, rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("text", [EVENT, RATE_RULES], ids=["event", "rate rule and time"])
@pytest.mark.parametrize("label", ["plain", "single output time after equilibration", "equilibration then step"])
def test_engines_agree_on_events_rate_rules_and_time(tmp_path, text, label):
    model = build(tmp_path, text)
    first, second = (engine(n, model).run(PLANS[label]) for n in ENGINES)
    assert first == pytest.approx(second, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("text", [EVENT, RATE_RULES], ids=["event", "rate rule and time"])
def test_copasi_refuses_several_periods_of_a_model_that_contains_the_time(tmp_path, text):
    model = build(tmp_path, text)
    with pytest.raises(SimulationError, match="time can only be run in one period"):
        engine("copasi", model).run(PLANS["two periods"])


def test_constant_species_can_be_set(name, tiny):
    species = re.search(r'<species [^>]*id="F"[^>]*>', tiny.sbml)[0]
    fixed = mf.Model("fixed", tiny.sbml.replace(species, species.replace('constant="false"', 'constant="true"')), None)
    assert fixed.elements["F"].constant
    values = engine(name, fixed).run(PLANS["input species changed"])
    assert column(values, "F").tolist() == [20.0] * 4


def test_species_in_amounts_is_shown_in_amounts(name, tmp_path):
    text = TINY.replace("A in cell", "F2 in cell = 0; substanceOnly species A in cell").replace(
        "cell = 1;", "cell = 2;", 1
    )
    model = build(tmp_path, text)
    assert model.elements["A"].unit.label == "nmol"
    bench = engine(name, model)
    assert bench.run(PLANS["plain"])[0, bench.columns.index("A")] == pytest.approx(10.0, rel=1e-12)


@pytest.mark.parametrize("before", [label for label in PLANS if label != "equilibration then step"])
def test_result_does_not_depend_on_what_ran_before(name, tiny, before):
    fresh, used = engine(name, tiny), engine(name, tiny)
    used.run(PLANS[before])
    plan = PLANS["equilibration then step"]
    assert used.run(plan).tobytes() == fresh.run(plan).tobytes()


def test_result_does_not_depend_on_an_event_that_changed_the_model(name, tmp_path):
    model = build(tmp_path, EVENT)
    fresh, used = engine(name, model), engine(name, model)
    for plan in (PLANS["plain"], PLANS["equilibration"]):
        used.run(plan)
    short = Plan({}, 0.0, (START,), (0.0, 1.0, 2.0))
    assert used.run(short).tobytes() == fresh.run(short).tobytes()


def test_comparison_of_bytes_notices_a_parameter_that_an_event_changed(tmp_path):
    model = build(tmp_path, EVENT)
    fresh, used = engine("roadrunner", model), engine("roadrunner", model)
    used.run(PLANS["plain"])
    used.rr.resetToOrigin = used.rr.reset
    short = Plan({}, 0.0, (START,), (0.0, 1.0, 2.0))
    assert used.run(short).tobytes() != fresh.run(short).tobytes()


def test_run_that_failed_leaves_no_trace(name, tiny):
    fresh, used = engine(name, tiny), engine(name, tiny)
    bad = Plan({"k_on": -5.0, "k_off": -3.0}, 0.0, (START,), (0.0, 1e5))
    with contextlib.suppress(SimulationError):
        assert not np.isfinite(used.run(bad)).all()
    assert used.run(PLANS["plain"]).tobytes() == fresh.run(PLANS["plain"]).tobytes()


def test_equilibrations_under_different_conditions_are_not_confused(tiny_engine):
    plans = [Plan({"S": s}, t, (START,), (0.0, 1.0)) for s in (0.5, 3.0) for t in (1.0, 30.0)]
    starts = [column(tiny_engine.run(plan), "B")[0] for plan in plans * 2]
    expected = [exact_b(plan.equilibration, signal=plan.initial["S"]) for plan in plans * 2]
    assert starts == pytest.approx(expected, rel=1e-7)


def test_many_equilibrations_do_not_pile_up(tiny, monkeypatch):
    from metaflammation.engines import roadrunner

    monkeypatch.setattr(roadrunner, "REMEMBERED", 3)
    bench = engine("roadrunner", tiny)
    for s in range(8):
        bench.run(Plan({"S": float(s)}, 1.0, (START,), (0.0, 1.0)))
    assert len(bench._equilibrated) <= 3


def test_tolerances_reach_the_engine(name, tiny):
    coarse = engines.load(name, tiny.sbml, tiny.elements, Solver(relative_tolerance=1e-3, absolute_tolerance=1e-3))
    error = np.abs(column(coarse.run(PLANS["plain"]), "B") - exact_b(TIMES)).max()
    assert error > 1e-6
    fine = engine(name, tiny)
    assert np.abs(column(fine.run(PLANS["plain"]), "B") - exact_b(TIMES)).max() < 1e-8


def test_unknown_engine_is_refused_with_the_nearest(tiny):
    with pytest.raises(SimulationError, match=r"unknown engine 'copsi'; did you mean copasi\?"):
        engines.load("copsi", tiny.sbml, tiny.elements, SOLVER)


def test_model_that_an_engine_cannot_load_is_an_error_of_ours(name):
    with pytest.raises(MetaflammationError, match=r"cannot load the model|not sound SBML"):
        engines.load(name, "<sbml/>", {}, SOLVER)


def test_parameter_without_value_is_refused(name, tmp_path):
    model = build(tmp_path, "A -> B; k*A; A = 10; B = 0\n")
    with pytest.raises(SimulationError, match="k"):
        engine(name, model).run(PLANS["plain"])


def test_spans_cover_every_output_time_once():
    plan = PLANS["three periods and equilibration"]
    assert [(p.start, end, times) for p, end, times in plan.spans()] == [
        (0.0, 2.5, [0.0, 1.0]),
        (2.5, 7.0, [5.0]),
        (7.0, 20.0, [20.0]),
    ]


def test_solver_prints_nothing_amid_what_a_command_writes(name, tmp_path, capfd):
    model = build(tmp_path, "A -> ; k*A; k = 1e10; A = 1; -> B; v; B = 0; v = 1\n")
    engine(name, model).run(Plan({}, 0.0, (Phase(1e7),), (1e7, 1e7 + 1)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("settle", [0.0, 3.0], ids=["at once", "equilibrated"])
def test_order_of_a_plan_holds_for_that_plan_alone(tiny, settle):
    plan = Plan({}, settle, (Phase(0.0, {"S": 3.0}),), TIMES)
    loose = Solver(relative_tolerance=1e-4, absolute_tolerance=1e-6)
    limited = loose.model_copy(update={"maximum_order": 1})
    alone = [engines.load("roadrunner", tiny.sbml, tiny.elements, solver).run(plan) for solver in (loose, limited)]
    shared = engines.load("roadrunner", tiny.sbml, tiny.elements, loose)
    found = [shared.run(replace(plan, maximum_order=order)) for order in (None, 1, None)]
    assert np.array_equal(found[0], alone[0])
    assert np.array_equal(found[1], alone[1])
    assert np.array_equal(found[2], alone[0])
    assert not np.array_equal(alone[0], alone[1])
