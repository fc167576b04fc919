"""In how many parameter sets expectations hold, and which parameters break them."""

import json
import math
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from scipy.stats import ks_2samp

import metaflammation as mf
from metaflammation import library, starter
from metaflammation.cli import app, checks
from metaflammation.ensembles import committed
from metaflammation.ensembles.breaking import FEWEST, breakers
from metaflammation.ensembles.distributions import Distribution, Joint
from metaflammation.ensembles.draws import Draws
from metaflammation.ensembles.population import make
from metaflammation.ensembles.robustness import claims, evaluate, outdated, wilson
from metaflammation.expectations import evaluate as value_of
from metaflammation.expectations import margin_of
from metaflammation.forest import claims as claims_figure
from metaflammation.forest import forest
from metaflammation.records import Solver


def planted(name, lower):
    """An expectation on the receptors before insulin, which are IR_ref: drawn log-uniformly from 1 to 100."""
    return {
        "id": name,
        "kind": "law",
        "statement": "planted",
        "value": {"statistic": "initial", "experiment": "step", "observable": "IR"},
        "lower": lower,
        "scale": 1.0,
        "interval_from": "a test",
        "fails_when": ["receptor_absent"],
    }


SPREAD = {
    "id": "planted_spread",
    "kind": "law",
    "statement": "one steady state",
    "value": {
        "statistic": "steady_state_spread", "target": "insulin", "values": [1.0], "starts": 2, "seed": 1,
        "duration": "600 min", "pools": [["IR", "IR_ins"]],
    },
    "upper": 1e-3,
    "scale": 1e-3,
    "interval_from": "a test",
    "fails_when": ["receptor_absent"],
}  # fmt: skip


QUICK = ("insulin_cascade", "hormone_axis")
"""Models whose expectations are evaluated in a few seconds."""

POOLS = {
    "id": "planted_pools",
    "kind": "law",
    "statement": "no receptor is made or lost",
    "value": {"statistic": "largest", "of": 2 * [{"statistic": "drift", "species": ["IR", "IR_ins"]}]},
    "upper": 1e-6,
    "scale": 1e-6,
    "interval_from": "a test",
    "fails_when": ["receptor_absent"],
}


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    folder = starter.create(tmp_path_factory.mktemp("own") / "lesson")
    path = folder / "validation" / "lesson" / "expectations.yaml"
    raw = yaml.safe_load(path.read_text("utf-8"))
    raw["expectations"] += [planted("planted_half", 10.0), planted("planted_third", 100 ** (2 / 3)), SPREAD, POOLS]
    raw["expectations"] += [{**planted("planted_failure", 150.0), "known_failure": {"reason": "r", "evidence": "e"}}]
    path.write_text(yaml.safe_dump(raw), "utf-8")
    return folder


@pytest.fixture(scope="module")
def found(lesson):
    return mf.load(lesson).robustness(256)


@pytest.mark.parametrize(("name", "share"), [("planted_half", 1 / 2), ("planted_third", 1 / 3), ("planted_failure", 0)])
def test_an_expectation_on_one_parameter_holds_in_the_share_that_follows(found, name, share):
    row = found.table.loc[name]
    # The sequence is balanced: a share of 256 points differs from that of the cube by about one point.
    assert row["holding"] == pytest.approx(256 * share, abs=2)
    assert row["lower"] <= row["share"] <= row["upper"]
    assert (row["sets"], row["failed"]) == (256, 0)


def test_a_law_over_several_pools_is_evaluated_in_every_run(found):
    assert found.table.loc["planted_pools", "holding"] == 256


def test_the_parameter_that_breaks_an_expectation_is_named_and_no_other(found):
    # All sets in which it fails have fewer receptors than all others.
    assert found.table.loc["planted_half", "broken_by"] == "low IR_ref (1.00)"
    assert found.table.loc["planted_failure", "broken_by"] == ""
    # Too much and too little bound insulin break it: neither large nor small values alone.
    assert found.table.loc["most_receptors_occupied_by_a_high_dose", "broken_by"].startswith("k_on (")


def test_the_verdict_of_the_models_own_values_stands_beside_it(found):
    assert found.table.loc["planted_failure", "nominal"] == "known failure (fails)"
    assert found.table.loc["planted_half", "nominal"] == "holds"


def test_expectations_with_starts_of_their_own_are_evaluated_in_fewer_sets(found):
    assert found.table.loc["planted_spread", "sets"] == found.about["starts"] == 100
    assert found.table.loc["planted_spread", "failed"] == 0


def test_what_was_not_asked_of_a_set_did_not_fail(lesson):
    part = claims(make(mf.load(lesson), 120, 1, None, "bounds", "sobol")).batch(5)
    assert part.start == 100
    assert not part.columns["failed:planted_spread"].any()
    assert np.isnan(part.columns["planted_spread"]).all()


def test_the_documentation_is_told_where_an_expectation_changed_since(lesson, found, tmp_path):
    assert not outdated(mf.load(lesson), found.about)
    copy = tmp_path / "lesson"
    shutil.copytree(lesson, copy)
    path = copy / "validation" / "lesson" / "expectations.yaml"
    raw = yaml.safe_load(path.read_text("utf-8"))
    [planted_half] = [e for e in raw["expectations"] if e["id"] == "planted_half"]
    planted_half["value"]["observable"] = "IR_ins"
    path.write_text(yaml.safe_dump(raw), "utf-8")
    assert outdated(mf.load(copy), found.about)


def test_sets_that_cannot_be_simulated_are_counted_and_not_as_holding(lesson, monkeypatch):
    model = mf.load(lesson)
    work = claims(make(model, 20, 1, None, "bounds", "sobol"))
    engine = type(work.subject.engine())
    once = engine._one

    def failing(self, prepared, individual):
        if prepared.plan.equilibration and len(prepared.plan.phases) == 2 and individual[0] > 10:
            raise RuntimeError("too stiff")
        return once(self, prepared, individual)

    monkeypatch.setattr(engine, "_one", failing)
    part = work.batch(0)
    bad = part.columns["IR_ref"] > 10
    assert 0 < bad.sum() < 20
    np.testing.assert_array_equal(part.columns["failed:insulin_leaves_after_wash_out"], bad)
    assert not part.columns["failed:planted_half"].any()
    assert [reason is not None for reason in part.failures] == bad.tolist()
    assert "pulse: libRoadRunner: too stiff" in part.failures


def test_values_are_those_of_a_check_with_these_parameters(lesson):
    model = mf.load(lesson)
    people = make(model, 3, 1, None, "bounds", "sobol")
    part = claims(people).batch(0)
    for row, individual in people.parameters.iterrows():
        runs = model.runs(base=individual.to_dict())
        for e in model.expectations.values():
            if e.value.statistic != "steady_state_spread":
                assert part.columns[e.id][row] == pytest.approx(value_of(e.value, runs), rel=1e-4, abs=1e-9), e.id


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", Solver(relative_tolerance=1e-6, absolute_tolerance=1e-10)),
        (
            "robustness_solver = { relative_tolerance = 1e-8, absolute_tolerance = 1e-9, maximum_order = 2 }",
            Solver(relative_tolerance=1e-8, absolute_tolerance=1e-9, maximum_order=2),
        ),
    ],
    ids=["of all models", "of its own"],
)
def test_tolerances_of_many_sets_are_those_of_the_metadata_if_they_give_any(line, expected, tmp_path):
    folder = starter.create(tmp_path / "lesson")
    path = folder / "models" / "metadata.toml"
    path.write_text(f"{path.read_text('utf-8')}\n{line}\n", "utf-8")
    model = mf.load(folder)
    subject = claims(make(model, 1, 1, None, "bounds", "sobol")).subject
    assert (subject.solver, subject.exact) == (expected, model.solver)


def test_a_model_whose_own_values_take_too_many_steps_is_reported_not_refused(lesson, monkeypatch):
    model = mf.load(lesson)
    work = claims(make(model, 20, 1, None, "bounds", "sobol"))
    part = work.batch(0)
    engine = type(work.subject.engine())
    monkeypatch.setattr(engine, "_one", lambda *_: (_ for _ in ()).throw(RuntimeError("too many steps")))
    table = evaluate(model, work, pd.DataFrame(part.columns), {}).table
    assert table.loc["planted_half", "nominal"] == "not simulated"
    assert table.loc["planted_half", "sets"] == 20


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in QUICK)) for n in library.catalogue()]
)
def test_looser_tolerances_change_no_verdict(name):
    model = mf.load(name)
    work = claims(make(model, 1, 1, None, "bounds", "sobol"))
    values = work.nominal()
    assert {i for i, e in model.expectations.items() if margin_of(e, values[i]) >= 0} == {
        i for i, e in model.expectations.items() if not e.known_failure
    }


@pytest.mark.slow
def test_a_drawn_lean_man_is_at_rest_when_his_cells_are_looked_at():
    model = mf.load("metaflammation")
    work = claims(make(model, 1, 1, None, 1.5, "sobol"))
    runs = work.runs()
    runs.become(work.draws.rows(0, 1)[0])
    begun, rested = runs.course("two_years_lean").curves(["cascade_Akt_pT308pS473"])[[0, -1]]
    assert runs.course("lean_clamp").curves(["cascade_Akt_pT308pS473"])[0] == pytest.approx(rested, rel=1e-4)
    assert begun != pytest.approx(rested, rel=1e-1)


@pytest.mark.parametrize(
    ("held", "sets", "interval"),
    # Newcombe 1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, Table I, method 3.
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_intervals_are_those_of_wilson(held, sets, interval):
    assert wilson(held, sets) == pytest.approx(interval, abs=5e-5)


def test_chance_names_no_parameter():
    random = np.random.default_rng(1)
    values = random.uniform(size=(500, 40))
    holds = {f"e{k}": random.uniform(size=500) < 0.5 for k in range(50)}
    known = {name: np.ones(500, dtype=bool) for name in holds}
    found = breakers(values, [f"p{k}" for k in range(40)], holds, known)
    assert sum(map(len, found.values())) == 0
    few = {"e": np.arange(500) >= FEWEST - 1}
    assert breakers(np.arange(500.0)[:, None], ["p"], few, {"e": known["e0"]}) == {"e": []}


@pytest.fixture(scope="module")
def tied():
    """1000 sets of 400 parameters, of which every tenth is an integer and the last two are of one fit."""
    parts = [
        Distribution(f"p{k}", "assumed", "uniform" if k % 10 else "integer", False, 2.5, 1.0, 4.0) for k in range(398)
    ]
    parts += [Distribution(f"p{k}", "fitted", "normal", True, 1.0, 1e-3, 1e3, 0.2) for k in (398, 399)]
    covariance = 0.04 * np.array([[1, 0.8], [0.8, 1]])
    return Draws(Joint(tuple(parts), ((("p398", "p399"), covariance),)), 1000)


def test_only_what_breaks_an_expectation_is_named_among_parameters_that_draws_tie(tied):
    values, names = tied.rows(0, 1000), list(tied.names)
    low = {f"p{k}": values[:, k] < np.quantile(values[:, k], 0.3) for k in range(1, 400, 6)}
    everywhere = {p: np.ones(1000, dtype=bool) for p in low}
    found = breakers(values, names, {p: ~fails for p, fails in low.items()}, everywhere)
    assert {p: [(name, where) for name, _, where in named] for p, named in found.items()} == {
        p: [(p, "low")] for p in low
    }


def test_each_of_two_parameters_that_break_an_expectation_is_named(tied):
    values, names = tied.rows(0, 1000), list(tied.names)
    fails = (values[:, 7] > 3.4) | (values[:, 399] < 0.6)
    [named] = breakers(values, names, {"e": ~fails}, {"e": np.ones(1000, dtype=bool)}).values()
    assert {(name, where) for name, _, where in named} == {("p7", "high"), ("p399", "low")}


def test_distances_are_those_of_kolmogorov_and_smirnov_and_equal_values_count_together(tied):
    values, names = tied.rows(0, 1000), list(tied.names)
    fails = values[:, 10] > 2
    [[(name, distance, where)]] = breakers(values, names, {"e": ~fails}, {"e": np.ones(1000, dtype=bool)}).values()
    expected = ks_2samp(values[fails, 10], values[~fails, 10]).statistic
    assert (name, where, distance) == ("p10", "high", pytest.approx(expected, rel=1e-12))
    same, first_half = np.ones((1000, 1)), np.arange(1000) < 500
    assert breakers(same, ["p"], {"e": first_half}, {"e": np.ones(1000, dtype=bool)}) == {"e": []}


def test_no_parameter_is_named_where_sets_are_fewer_than_twice_the_parameters(tied):
    values, names = tied.rows(0, 799), list(tied.names)
    assert breakers(values, names, {"e": values[:, 1] > 2}, {"e": np.ones(799, dtype=bool)}) == {"e": []}


def test_sets_that_could_not_be_simulated_leave_a_range_open():
    row = {"share": 0.5, "lower": 0.3, "upper": 0.7, "nominal": "holds"}
    table = pd.DataFrame(
        [row | {"sets": 60, "failed": 40, "holding": 30}, row | {"sets": 100, "failed": 0, "holding": 50}],
        index=["some_failed", "all_ran"],
    )
    [bars] = [c for c in forest({"bounds": table}).collections if "could not be simulated" in c.get_label()]
    np.testing.assert_allclose(bars.get_segments(), [[[30, 0], [70, 0]]], rtol=1e-12)


def test_each_claim_has_a_row_with_a_mark_for_each_expectation():
    found = pd.DataFrame(
        [("F1", "a", "bounds", 10, 0, 0.9), ("F1", "b", "1.5", 10, 0, 0.2), ("I2", "a", "bounds", 6, 2, 0.5)],
        columns=["claim", "model", "spread", "sets", "failed", "share"],
    ).assign(lower=0.1, upper=0.95)
    axes = claims_figure(found)
    marks = {c.get_label(): c for c in axes.collections if not c.get_label().startswith("_")}
    assert list(marks) == ["a, within bounds", "b, within a factor of 1.5"]
    np.testing.assert_allclose(marks["a, within bounds"].get_offsets(), [[90, -0.15], [50, 0.85]], rtol=1e-12)
    np.testing.assert_allclose(marks["a, within bounds"].get_alpha(), [1, 0.75], rtol=1e-12)
    assert [t.get_text() for t in axes.get_yticklabels()] == ["F1", "I2"]


def test_claims_are_those_of_expectations_that_hold():
    found = committed.of_claims()
    for (model, claim), rows in found.groupby(["model", "claim"]):
        expected = library.find(model).expectations()
        assert {expected[i].claim for i in rows["expectation"]} == {claim}
        assert not any(expected[i].known_failure for i in rows["expectation"])
    assert list(found["claim"].unique()) == [c for c in library.claims() if c in set(found["claim"])]


def test_the_command_writes_what_the_report_reads(lesson):
    done = CliRunner().invoke(
        app, ["check", str(lesson), "--engine", "roadrunner", "--robust", "20", "--workers", "1", "--write"]
    )
    assert "20 parameter sets, assumed parameters within their bounds" in done.output
    model = mf.load(lesson)
    tables, settings = committed.read(model.files)
    assert list(tables) == ["bounds"]
    assert list(tables["bounds"].index) == list(model.expectations)
    assert settings["bounds"]["n"] == 20
    again = CliRunner().invoke(app, ["check", str(lesson), "--robust", "20", "--write"])
    assert "has a table of spread bounds already; use --force to replace it" in str(again.exception)
    assert not again.output
    again = model.robustness(20, spread=1.5)
    committed.write(lesson / "validation" / "lesson", [again])
    tables, _ = committed.read(model.files)
    assert list(tables) == ["bounds", "1.5"]
    assert tables["1.5"].loc["planted_half", "holding"] == again.table.loc["planted_half", "holding"]


def test_plain_data_holds_nothing_that_json_lacks(found):
    rows = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert rows[0]["expectation"] == found.table.index[0]
    assert math.isclose(rows[0]["share"], found.table["share"].iloc[0])


@pytest.mark.parametrize("option", [["--spread", "2"], ["--write"], ["--sets", "x.parquet"]])
def test_options_of_robustness_ask_for_it(lesson, option):
    done = CliRunner().invoke(app, ["check", str(lesson), *option])
    assert "belong to --robust" in str(done.exception)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--spread", "0.5"], "write a factor above 1"),
        (["--sets", "x.csv"], "name it x.parquet"),
        (["--plot", "/proc/x.png"], "/proc/x.png: cannot be written"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(lesson, option, said, monkeypatch):
    monkeypatch.setattr(checks, "_sound", lambda _model: pytest.fail("work began"))
    done = CliRunner().invoke(app, ["check", str(lesson), "--robust", "1", *option])
    assert said in str(done.exception)


@pytest.mark.parametrize("name", library.catalogue())
def test_committed_tables_are_of_expectations_that_exist(name):
    files = library.find(name)
    tables, settings = committed.read(files)
    for spread, table in tables.items():
        assert set(table.index) <= files.expectations().keys()
        assert (table["sets"] + table["failed"]).max() == settings[spread]["n"]
        assert ((table["lower"] <= table["share"]) & (table["share"] <= table["upper"]))[table["sets"] > 0].all()
