import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import metaflammation as mf
from metaflammation import fit, library, measurements
from metaflammation.errors import DataError
from metaflammation.problem import FAILED, Problem, search, uncertainty
from metaflammation.records import Target
from metaflammation.statistics import time_to_max

WITH_DATA = [n for n in library.catalogue() if any(p.estimate for p in mf.load(n).estimated.values())]
FREEDOM = {
    "insulin_cascade": (24, 17, 3),
    "cytokine_crosstalk": (28, 0, 0),
    "er_stress": (24, 0, 0),
    "hormone_axis": (18, 0, 0),
}
"""Most free parameters, scales and offsets of each model."""


@pytest.fixture(scope="module")
def problem():
    return Problem(mf.load("insulin_cascade"))


@pytest.mark.parametrize("name", WITH_DATA)
def test_freedom_stays_within_what_was_declared(name):
    problem = Problem(mf.load(name))
    kinetic, scales, offsets = FREEDOM[name]
    assert len(problem.free) <= kinetic
    assert sum(n.startswith("scale_") for n in problem.nuisances) <= scales
    assert sum(n.startswith("offset_") for n in problem.nuisances) <= offsets
    assert all(n.startswith(("scale_", "offset_")) for n in problem.nuisances)


def test_objective_is_the_chi2_that_checks_report(problem):
    model = problem.model
    table = measurements.agreement(model, model.runs())
    assert problem.chi2(problem.start) == pytest.approx(table.query("use == 'fit'")["chi2"].sum(), rel=1e-4)


def test_priors_count_in_the_objective_alone(problem):
    with_priors = float((problem.residuals(problem.start) ** 2).sum())
    terms = [
        ((x - mean) / sd) ** 2
        for x, p in zip(problem.start, problem.free, strict=True)
        for mean, sd in ([p.log10_prior] if p.log10_prior else [])
    ]
    assert len(terms) > 0
    assert with_priors - problem.chi2(problem.start) == pytest.approx(sum(terms), rel=1e-6)


def test_reduced_fit_from_a_seeded_start_arrives_at_the_committed_values(problem):
    moved = problem.start + np.random.default_rng(1).normal(0, 0.1, len(problem.free))
    before = float((problem.residuals(moved) ** 2).sum())
    x, after = search(problem, moved)
    here = float((problem.residuals(problem.start) ** 2).sum())
    assert before > here + 10
    assert after == pytest.approx(here, abs=0.1)
    weak = {"k_Akt_T308_dephos", "k_IRS1_S_dephos"}
    sharp = [k for k, name in enumerate(problem.names) if name not in weak]
    assert x[sharp] == pytest.approx(problem.start[sharp], abs=0.05)


def test_uncertainty_grows_without_the_priors_and_names_what_is_open(problem):
    table = uncertainty(problem, problem.start)
    assert list(table.index) == problem.names
    assert (table["sd"] > 0).all()
    assert (table["sd_data"] >= table["sd"] - 1e-9).all()
    assert table.loc["f_potency_rat", "determined"]
    assert not table.loc["k_IRS1_S_dephos", "determined"]


def test_a_data_set_that_is_left_out_does_not_count(problem):
    without = Problem(problem.model, ("S93_PI3K",))
    assert len(problem.rows) - len(without.rows) == 11
    assert "scale_S93_PI3K" not in without.nuisances


@pytest.fixture
def aimed():
    """Return the problem of the first model with two targets besides its data."""
    peak = {"statistic": "max", "experiment": "insulin_step_10nM", "observable": "IR_pY"}
    entries = [
        {"id": "high", "basis": "recalled", "statement": "s", "value": peak, "target": 1.0, "sd": 2.0},
        {"id": "fast", "basis": "recalled", "statement": "s", "value": peak | {"statistic": "time_to_max"},
         "target": 1.0, "sd": 0.1, "scale": "log10"},
    ]  # fmt: skip
    model = mf.load("insulin_cascade")
    model.targets = {e["id"]: Target.model_validate(e) for e in entries}
    return Problem(model)


def test_targets_count_beside_the_measurements(problem, aimed):
    assert aimed.points == problem.points + 2
    course = aimed.model.simulate("insulin_step_10nM")["IR_pY"]
    terms = [(course.max() - 1) / 2, np.log10(time_to_max(course.index, course)) / 0.1]
    assert aimed.chi2(aimed.start) - problem.chi2(problem.start) == pytest.approx(np.square(terms).sum(), rel=1e-3)


def test_a_target_can_be_left_out(aimed):
    without = Problem(aimed.model, ("fast",))
    assert [t.id for t in without.targets] == ["high"]
    assert without.points == aimed.points - 1


def test_starts_within_a_spread_lie_near_the_committed_values(problem, monkeypatch):
    seen = []

    def screened(_, work, items, *__):
        seen.extend(np.concatenate(list(items)) if work.__name__ == "_screen" else [])
        raise StopIteration

    monkeypatch.setattr(fit, "_ordered", screened)
    with pytest.raises(StopIteration):
        fit.multi_start(problem.model, starts=2, screened=5, spread=0.1)
    assert np.abs(np.array(seen) - problem.start).max() == pytest.approx(0.1, abs=0.03)


def test_a_data_set_that_does_not_exist_cannot_be_left_out(problem):
    with pytest.raises(DataError, match="did you mean S93_PI3K"):
        Problem(problem.model, ("S93_PI3",))


@pytest.mark.parametrize(("factor", "expected"), [(1.0, True), (1.02, False), (0.98, False)])
def test_a_fit_reproduces_the_committed_values_within_one_percent(problem, factor, expected):
    objective = float((problem.residuals(problem.start) ** 2).sum()) * factor
    result = fit.Fit("insulin_cascade", 1, 161, objective, objective, (), pd.DataFrame(), {})
    assert fit.reproduces(result, problem.model) is expected


def test_parameters_that_cannot_be_simulated_count_as_bad_not_as_an_error(problem, monkeypatch):
    from metaflammation.errors import SimulationError

    def refuse(_):
        raise SimulationError("no")

    monkeypatch.setattr(problem.engine, "run", refuse)
    found = problem.residuals(problem.start)
    assert (found[: problem.points] == FAILED).all()


def test_model_without_measurements_cannot_be_fitted(tmp_path):
    path = tmp_path / "x.ant"
    path.write_text("model x()\n  A = 1\nend\n", "utf-8")
    with pytest.raises(DataError, match="has no measurements or targets to fit"):
        Problem(mf.load(path))


def committed(name):
    folder = Path(str(library.files(library.VALIDATION) / name))
    return sorted(folder.glob("fit_seed*.json"))


@pytest.mark.parametrize(
    "path", [p for n in WITH_DATA for p in committed(n)], ids=lambda p: f"{p.parent.name}-{p.stem}"
)
def test_committed_result_of_each_seed_arrived_at_the_committed_values(path):
    model = mf.load(path.parent.name)
    result = fit.from_json(path, model)
    here = float((Problem(model).residuals(np.log10([p.value for p in Problem(model).free])) ** 2).sum())
    assert result["objective"] == pytest.approx(here, abs=0.1)
    assert result["starts_within_one_percent"] >= 2
    for row in result["parameters"]:
        assert np.log10(row["value"] / model.estimated[row["parameter"]].value) == pytest.approx(0, abs=0.05)


def test_two_seeds_are_committed():
    assert all(len({json.loads(p.read_text("utf-8"))["seed"] for p in committed(n)}) >= 2 for n in WITH_DATA)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("{", "cannot be read as the result of a fit", id="not JSON"),
        pytest.param('{"model": "other"}', "is a fit of other", id="of another model"),
        pytest.param('{"model": "insulin_cascade"}', "parameters", id="incomplete"),
    ],
)
def test_file_that_is_no_result_is_refused(tmp_path, text, reason):
    path = tmp_path / "fit.json"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError, match=reason):
        fit.from_json(path, mf.load("insulin_cascade"))


@pytest.mark.slow
def test_multi_start_does_not_depend_on_the_number_of_workers():
    model = mf.load("insulin_cascade")
    said = []
    one = fit.multi_start(model, seed=3, starts=2, screened=2, workers=1, progress=said.append)
    two = fit.multi_start(model, seed=3, starts=2, screened=2, workers=2)
    assert len(said) == fit.steps(2)
    assert [s.last for s in one.starts] == [s.last for s in two.starts]
    pd.testing.assert_frame_equal(one.table, two.table, rtol=1e-12)
    assert fit.as_json(one)["scales_and_offsets"].keys() == one.nuisances.keys()
