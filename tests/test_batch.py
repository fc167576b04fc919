"""The engine for many runs: constants worked out once change no bit, and a run of many steps is tried anew."""

from dataclasses import replace

import numpy as np
import pytest

import metaflammation as mf
from metaflammation.compile import compile_file
from metaflammation.engines import Phase, Plan
from metaflammation.engines import batch as batches
from metaflammation.engines.batch import RoadRunnerBatch
from metaflammation.engines.hoisting import hoisted
from metaflammation.engines.roadrunner import RoadRunnerEngine
from metaflammation.ensembles.work import arms
from metaflammation.records import Solver
from metaflammation.sbml import document

MODEL = """
model constants()
  compartment cell = 2;
  species A in cell, B in cell, $P in cell;
  k = 0.3; K = 1.7; n = 2.5; dose = 0; s = 0.4;
  basal := K^n/(K^n + 1);
  twice := 2*basal;
  drive := A^n/(K^n + A^n) + twice;
  three := 3;
  late = k*K;
  var total = 2;
  offer := total*twice;  A = 1 + offer; B = 0.1*twice;
  J1: A -> B; k*basal*A/(1 + exp(-k*K));
  J2: B -> ; k/cell*late*drive*B;
  J3: -> A; piecewise(k*s + B, dose > k, 0.1*three);
  J4: $P -> B; s*P; P = 0.2;
  x = 1; x' = -x*sqrt(k*K) + total*K^2;
  at (x > 5): total = 0.5;
end
"""
TIMES = (0.0, 1.0, 4.0, 9.0)
PLANS = {
    "as it is": Plan({}, 0.0, (Phase(0.0),), TIMES),
    "constants set": Plan({"k": 0.7, "n": 3.1, "cell": 5.0}, 0.0, (Phase(0.0),), TIMES),
    "constants and state set": Plan({"K": 0.9, "A": 4.0}, 0.0, (Phase(0.0),), TIMES),
    "what a rule moves is set": Plan({"s": 2.0, "total": 1.0}, 0.0, (Phase(0.0),), TIMES),
    "equilibration": Plan({"k": 0.4}, 7.0, (Phase(0.0, {"K": 2.0}),), TIMES),
    "periods": Plan(
        {}, 0.0, (Phase(0.0, {"k": 0.1}), Phase(2.0, {"dose": 1.0, "n": 1.0}), Phase(6.0, {"k": 2.0})), TIMES
    ),
    "initial assignment replaced": Plan({"late": 1.0}, 0.0, (Phase(0.0),), TIMES),
    "boundary set": Plan({"P": 0.7}, 0.0, (Phase(0.0, {"k": 0.2}), Phase(3.0, {"P": 0.1})), TIMES),
}


EVENT = "  at (x > 5): total = 0.5;\n"


@pytest.fixture(scope="module", params=[EVENT, ""], ids=["event", "no event"])
def sbml(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("constants") / "constants.ant"
    assert EVENT in MODEL
    path.write_text(MODEL.replace(EVENT, request.param), "utf-8")
    return compile_file(path).sbml


def engines(model, relative=1e-9, absolute=1e-12):
    solver = Solver(relative_tolerance=relative, absolute_tolerance=absolute)
    return [kind(model.sbml, model.elements, solver) for kind in (RoadRunnerEngine, RoadRunnerBatch)]


def batch(engine, plan, columns):
    return engine.run_batch(plan, [], np.empty((1, 0)), columns).values[0]


@pytest.fixture(scope="module")
def both(sbml):
    return engines(mf.Model("constants", sbml, None))


@pytest.mark.parametrize("plan", PLANS)
def test_no_bit_changes(both, plan):
    single, many = both
    expected = single.run(PLANS[plan])
    np.testing.assert_array_equal(batch(many, PLANS[plan], single.columns), expected)
    np.testing.assert_array_equal(many.run(PLANS[plan]), expected)


@pytest.mark.parametrize("before", PLANS)
def test_what_an_earlier_run_set_is_undone(both, before):
    single, many = both
    for plan in PLANS.values():
        expected = single.run(plan)
        batch(many, PLANS[before], single.columns)
        np.testing.assert_array_equal(batch(many, plan, single.columns), expected)


def test_rates_name_parameters_for_what_is_constant(sbml):
    import libsbml

    found = hoisted(sbml)
    model = document(found.sbml, "hoisted").getModel()
    formula = {r.getVariable(): libsbml.formulaToL3String(r.getMath()) for r in model.getListOfRules()}
    stands_for = {value: formula.get(name) for name, value in zip(found.formulas, found.values, strict=True)}

    def written_out(text):
        for value, meaning in stands_for.items():
            text = text.replace(value, f"<{meaning}>")
        return text

    laws = {r.getId(): libsbml.formulaToL3String(r.getKineticLaw().getMath()) for r in model.getListOfReactions()}
    assert {name: written_out(text) for name, text in laws.items()} == {
        "J1": "<k * basal> * A / <1 + exp(-k * K)>",
        "J2": "<k / cell> * late * drive * B",
        "J3": "piecewise(<k * s> + B, dose > k, 0.1 * three)",
        "J4": "s * P",
    }
    assert written_out(formula["drive"]) == "A^n / (<K^n> + A^n) + <2 * basal>"
    assert written_out(formula["x"]) == "-x * <sqrt(k * K)> + total * <K^2>"


@pytest.mark.parametrize("name", ["insulin_cascade", "cytokine_crosstalk", "er_stress", "hormone_axis"])
def test_no_bit_of_a_model_changes(name):
    model = mf.load(name)
    single, many = engines(model)
    shortest = min((e for e in model.experiments.values() if not e.doses), key=lambda e: e.duration)
    [(_, plan)] = arms(shortest, model.population(1, spread=1.5).named_conditions(), [None], {}, {})
    assert many._values
    np.testing.assert_array_equal(batch(many, plan, single.columns), single.run(plan))


OSCILLATOR = """
model oscillator()
  x = 2; y = 0; w = 0.06; d = 0.01;
  x' = w*y; y' = -w*(x - 1) - d*y;
end
"""
LATE = (0.0, 1e6, 2e6)
ORDERS = {
    # At fifth order it needs 2000 steps to the first output point, at second 14 000.
    "many steps at fifth order": (Plan({}, 0.0, (Phase(0.0),), LATE), 1500, 2),
    "equilibration": (Plan({}, 1e6, (Phase(0.0),), LATE), 1500, 2),
    "few steps": (Plan({}, 0.0, (Phase(0.0),), LATE), 3000, 5),
    # An oscillation that lasts: 7000 steps at fifth order, 89 000 at second.
    "more steps at second order": (Plan({"d": 0.0}, 0.0, (Phase(0.0),), (0.0, 1e4, 2e4)), 1500, 5),
    "second order asked for": (Plan({}, 0.0, (Phase(0.0),), LATE, maximum_order=2), 1500, 2),
}


@pytest.fixture(scope="module")
def oscillator(tmp_path_factory):
    path = tmp_path_factory.mktemp("oscillator") / "oscillator.ant"
    path.write_text(OSCILLATOR, "utf-8")
    return mf.Model("oscillator", compile_file(path).sbml, None)


@pytest.mark.parametrize("case", ORDERS)
def test_a_run_of_many_steps_is_tried_at_second_order(case, oscillator, monkeypatch):
    plan, few, order = ORDERS[case]
    monkeypatch.setattr(batches, "FEW", few)
    single, many = engines(oscillator, 1e-6, 1e-10)
    expected = single.run(replace(plan, maximum_order=order))
    np.testing.assert_array_equal(batch(many, plan, single.columns), expected)
    # What went before does not matter.
    np.testing.assert_array_equal(batch(many, plan, single.columns), expected)


def test_a_failure_to_equilibrate_is_that_of_one_individual(oscillator):
    solver = Solver(relative_tolerance=1e-6, absolute_tolerance=1e-10)
    engine = RoadRunnerBatch(oscillator.sbml, oscillator.elements, solver, steps=500)
    shorter, longer = (Plan({"d": "d"}, 1e4, (Phase(0.0),), (0.0, end)) for end in (1.0, 2.0))
    individuals = {"lasts": np.array([[0.0]]), "damped": np.array([[1.0]])}

    def fails(plan, individual):
        failures = engine.run_batch(plan, ["d"], individuals[individual], ["x"]).failures
        return "CV_TOO_MUCH_WORK" in failures.get(0, "")

    asked = [(shorter, "lasts"), (longer, "lasts"), (longer, "damped"), (shorter, "damped"), (longer, "lasts")]
    assert [fails(*a) for a in asked] == [True, True, False, False, True]


LASTS = {"d": 0.0}
RUNS = {
    # 7000 steps from one output point to the next.
    "few points": (Plan(LASTS, 0.0, (Phase(0.0),), (0.0, 1e4, 2e4)), True),
    "many points": (Plan(LASTS, 0.0, (Phase(0.0),), tuple(1e4 * n for n in range(21))), False),
    "many points close together": (Plan(LASTS, 0.0, (Phase(0.0),), tuple(10.0 * n for n in range(21))), True),
    "equilibration before them": (Plan(LASTS, 1e4, (Phase(0.0),), tuple(10.0 * n for n in range(21))), True),
}


@pytest.mark.parametrize("case", RUNS)
def test_a_run_is_given_up_after_so_many_steps_in_all(case, oscillator, monkeypatch):
    plan, ends = RUNS[case]
    monkeypatch.setattr(batches, "FEW", 100)
    solver = Solver(relative_tolerance=1e-6, absolute_tolerance=1e-10)
    engine = RoadRunnerBatch(oscillator.sbml, oscillator.elements, solver, steps=8000)
    found = engine.run_batch(plan, [], np.empty((1, 0)), ["x"])
    assert ends == (not found.failures)
    assert ends or "CV_TOO_MUCH_WORK" in found.failures[0]


@pytest.mark.parametrize(
    ("damping", "end", "tried"),
    [
        pytest.param(0.0, 1e3, [1000], id="few steps"),
        pytest.param(0.0, 1e4, [1000, 10_000, 5000, 50_000], id="many steps"),
        pytest.param(0.0, 1e6, [1000, 10_000, 5000], id="far too many steps"),
        pytest.param(0.003, 4.5e5, [1000, 10_000, 5000, 50_000], id="an oscillation that settles"),
    ],
)
@pytest.mark.parametrize("where", ["run", "equilibration"])
def test_a_run_without_hope_is_given_up_early(where, damping, end, tried, oscillator, monkeypatch):
    asked = []
    attempt = RoadRunnerBatch._attempt

    def recorded(self, prepared, individual, order, steps):
        asked.append(steps)
        return attempt(self, prepared, individual, order, steps)

    monkeypatch.setattr(RoadRunnerBatch, "_attempt", recorded)
    _, engine = engines(oscillator, 1e-6, 1e-10)
    plan = Plan({"d": damping}, 0.0, (Phase(0.0),), (0.0, end))
    if where == "equilibration":
        plan = Plan({"d": damping}, end, (Phase(0.0),), (0.0, 1.0))
    found = engine.run_batch(plan, [], np.empty((1, 0)), ["x"])
    assert asked == tried
    assert bool(found.failures) == (50_000 not in tried and len(tried) > 1)
