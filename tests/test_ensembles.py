"""Populations, draws and ensembles: numbers that depend on seed and individual alone, and runs that can be resumed."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from scipy import stats

import metaflammation as mf
from metaflammation import starter
from metaflammation.cli import app
from metaflammation.engines import Phase, Plan
from metaflammation.ensembles import covariance, distributions
from metaflammation.ensembles.draws import Draws
from metaflammation.ensembles.ensemble import Ensemble
from metaflammation.ensembles.sketch import ACCURACY, Sketch
from metaflammation.ensembles.work import Subject
from metaflammation.errors import DataError, MetaflammationError

TIERS = ["insulin_cascade", "cytokine_crosstalk", "er_stress", "hormone_axis"]

POPULATION = {
    "id": "adults",
    "title": "people with more and fewer receptors",
    "varies": [
        {"id": "f_IR_total", "distribution": "log-normal", "cv": 0.3, "evidence": "assumed", "reason": "a test"},
        {"id": "k_off", "distribution": "normal", "sd": 0.02, "evidence": "measured", "source": "X", "place": "here"},
    ],
}


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """The model of the lesson, with a population; IR_ref is drawn log-uniformly from 1 to 100."""
    folder = starter.create(tmp_path_factory.mktemp("own") / "lesson")
    validation = folder / "validation" / "lesson"
    (validation / "populations.yaml").write_text(yaml.safe_dump({"populations": [POPULATION]}), "utf-8")
    return folder


@pytest.fixture
def model(lesson):
    return mf.load(lesson)


def same(first, second):
    """Assert that two tables are equal to the last bit."""
    assert list(first.columns) == list(second.columns)
    for column in first:
        assert first[column].equals(second[column]), column


# --- who moves, and how ------------------------------------------------------------


@pytest.mark.parametrize("name", [*TIERS, "insulin_resistance", "metaflammation"])
@pytest.mark.parametrize("spread", ["bounds", 1.5])
def test_draws_lie_within_bounds_and_inputs_and_definitions_stay(name, spread):
    model = mf.load(name)
    draws = Draws(distributions.of_evidence(model, spread), 64)
    drawn = draws.rows(0, 64)
    for k, part in enumerate(draws.joint.parts):
        row = model.parameters.get(part.id) or model.estimated[part.id]
        assert row.lower <= drawn[:, k].min(), part.id
        assert drawn[:, k].max() <= row.upper, part.id
    held = {i for i, row in model.parameters.items() if row.role in {"input", "definition"}}
    assert not held & (set(draws.names) | draws.joint.twins.keys())
    moving = {i for i, row in model.parameters.items() if i not in held and row.lower < row.upper}
    if spread == "bounds":
        assert moving == set(draws.in_model) | draws.joint.twins.keys()


@pytest.mark.parametrize("name", [*TIERS, "insulin_resistance", "metaflammation"])
def test_what_is_so_by_definition_has_a_role(name):
    rows = mf.load(name).files.own_parameters().values()
    words = re.compile(r"^(Input\b|[01] (or 1 )?by definition|A switch|By definition)|^Integer order")
    assert not [r.id for r in rows if words.search(r.reason or "") and r.role is None]


def test_parameters_of_two_copies_of_a_module_are_drawn_together():
    joint = distributions.of_evidence(mf.load("metaflammation"))
    assert joint.twins["reference_k_on"] == "cascade_k_on"


def test_whole_numbers_are_drawn_where_a_role_asks_for_them():
    draws = Draws(distributions.of_evidence(mf.load("er_stress")), 64)
    drawn = draws.rows(0, 64)[:, draws.names.index("n_IRE1")]
    assert set(drawn) == {1.0, 2.0, 3.0, 4.0}


def test_fitted_parameters_have_the_covariance_of_their_fit():
    model = mf.load("insulin_cascade")
    joint = distributions.of_evidence(model)
    names, matrix = joint.correlated[0]
    drawn = np.log10(Draws(joint, 4096).rows(0, 4096)[:, [[p.id for p in joint.parts].index(n) for n in names]])
    inside = [
        k
        for k, n in enumerate(names)
        if np.ptp(np.log10([model.estimated[n].lower, model.estimated[n].upper])) > 8 * np.sqrt(matrix[k, k])
    ]
    assert len(inside) > 3
    np.testing.assert_allclose(np.cov(drawn[:, inside].T), matrix[np.ix_(inside, inside)], atol=0.15 * matrix.max())
    np.testing.assert_allclose(drawn[:, inside].std(axis=0), np.sqrt(np.diag(matrix))[inside], rtol=0.12)


@pytest.mark.slow
@pytest.mark.parametrize("name", TIERS)
def test_committed_covariance_is_that_of_the_fit(name):
    model = mf.load(name)
    found, committed = covariance.compute(model), covariance.read(model.files)
    size = np.sqrt(np.outer(np.diag(found), np.diag(found)))
    assert (np.abs(found - committed) / size).to_numpy().max() < 0.02


@pytest.mark.parametrize("sampler", ["sobol", "lhs"])
def test_marginals_are_those_declared(model, sampler):
    people = model.population(1024, sampler=sampler, seed=3)
    drawn = people.parameters
    assert stats.kstest(np.log10(drawn["IR_ref"]), stats.uniform(0, 2).cdf).pvalue > 0.01
    sd = np.sqrt(np.log1p(0.25**2)) / np.log(10)
    assert np.log10(drawn["k_off"]).std() == pytest.approx(sd, rel=0.05)
    assert people.units["IR_ref"] == "nM"
    assert "f_IR_total" not in drawn


def test_an_individual_depends_on_seed_and_number_alone(model):
    drawn = model.population(300, seed=7).draws
    np.testing.assert_array_equal(drawn.rows(0, 300)[140:150], model.population(1000, seed=7).draws.rows(140, 150))
    assert not np.array_equal(drawn.rows(0, 5), model.population(300, seed=8).draws.rows(0, 5))


def test_persons_of_a_population_differ_in_what_it_names_alone(model):
    people = model.population(512, "adults")
    drawn = people.parameters
    assert list(drawn.columns) == ["f_IR_total", "k_off"]
    assert drawn["f_IR_total"].mean() == pytest.approx(1, rel=0.02)
    assert drawn["f_IR_total"].std() == pytest.approx(0.3, rel=0.1)
    assert drawn["k_off"].std() == pytest.approx(0.02, rel=0.05)
    found = model.ensemble("step", people, readouts=["final:IR_ins"])
    # In the steady state the bound share follows from k_off alone; the total from the scale.
    expected = 10 * drawn["f_IR_total"] * 0.6 / (0.6 + drawn["k_off"])
    np.testing.assert_allclose(found.data["final:IR_ins"], expected, rtol=1e-5)


@pytest.mark.parametrize("name", TIERS)
def test_named_populations_can_be_drawn(name):
    model = mf.load(name)
    for population in model.populations:
        assert np.isfinite(model.population(8, population).parameters.to_numpy()).all()


# --- the engine for many ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "experiment"), [("hormone_axis", "obese_clamp"), ("insulin_cascade", "insulin_pulse_10nM")]
)
def test_a_batch_gives_what_single_runs_give(name, experiment):
    model = mf.load(name)
    people = model.population(3, spread=1.5)
    curves = model.ensemble(experiment, people, curves=True, batch=2).curves
    for row, individual in people.parameters.iterrows():
        base = individual[list(people.draws.in_model)].to_dict()
        named = individual.drop(base).to_dict()
        single = model.runs(base=base, named=named).course(experiment)
        for observable in single.data.columns[:20]:
            size = np.abs(single[observable]).max() + 1e-6
            difference = np.abs(
                curves[observable].to_numpy()[row] - np.interp(curves["time"], single.times, single[observable])
            )
            assert difference.max() < 1e-4 * size, observable


def test_a_failing_individual_is_recorded_and_the_next_unharmed(model):
    engine = Subject(model.sbml, model.elements, model.solver).engine()
    plan = Plan({"k_on": "k_on", "insulin": 10.0}, 0.0, (Phase(0.0),), (0.0, 10.0))
    good, bad = [0.06], [np.nan]
    alone = engine.run_batch(plan, ["k_on"], np.array([good]), ["IR_ins"])
    mixed = engine.run_batch(plan, ["k_on"], np.array([bad, good, bad, good]), ["IR_ins"])
    assert set(mixed.failures) == {0, 2}
    assert np.isnan(mixed.values[[0, 2]]).all()
    np.testing.assert_array_equal(mixed.values[[1, 3]], np.repeat(alone.values, 2, axis=0))


# --- ensembles ------------------------------------------------------------


def test_numbers_depend_neither_on_workers_nor_on_batches(model):
    asked = {
        "readouts": ["final:occupied", "half_time:occupied"],
        "observables": ["occupied", "IR"],
        "statistics": True,
    }
    first = model.ensemble("step", 100, **asked, batch=100)
    for how in ({"batch": 7}, {"batch": 33, "workers": 2}):
        other = model.ensemble("step", 100, **asked, **how)
        same(first.data, other.data)
        for o in ("occupied", "IR"):
            np.testing.assert_allclose(first.statistics[o], other.statistics[o], rtol=1e-12)
            exact = [s for s in first.statistics["statistic"].to_numpy() if s not in {"mean", "sd"}]
            np.testing.assert_array_equal(
                first.statistics[o].sel(statistic=exact), other.statistics[o].sel(statistic=exact)
            )


def test_statistics_over_time_are_those_of_the_curves(model):
    found = model.ensemble("pulse", 200, observables=["occupied"], statistics=True, curves=True, batch=30)
    curves = found.curves["occupied"].to_numpy()
    over_time = found.statistics["occupied"]
    np.testing.assert_allclose(over_time.sel(statistic="mean"), curves.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(over_time.sel(statistic="sd"), curves.std(axis=0, ddof=1), rtol=1e-9, atol=1e-15)
    exact = np.quantile(curves, 0.05, axis=0, method="inverted_cdf")
    np.testing.assert_allclose(over_time.sel(statistic="q5"), exact, rtol=1.01 * ACCURACY, atol=1e-300)
    assert found.statistics["time"].attrs["units"] == "min"


def test_sketches_merge_into_the_sketch_of_all():
    random = np.random.default_rng(5)
    values = random.normal(size=(501, 4, 3)) * 10.0 ** random.integers(-6, 6, (4, 3))
    values[:, 0, 0] = 0.0
    whole = Sketch.of(values)
    merged = Sketch.of(values[:100]).merged(Sketch.of(values[100:130])).merged(Sketch.of(values[130:]))
    np.testing.assert_array_equal(whole.counts, merged.counts)
    for share in (0.0, 0.025, 0.5, 0.9, 1.0):
        exact = np.quantile(values, share, axis=0, method="inverted_cdf")
        np.testing.assert_allclose(merged.quantile(share), exact, rtol=1.01 * ACCURACY, atol=1e-300)


def test_a_dose_series_has_a_column_for_each_dose(model):
    found = model.ensemble("doses", 4, readouts=["final:occupied"])
    assert list(found.data.filter(like="final:").columns)[:2] == [
        "final:occupied@doses__0",
        "final:occupied@doses__0p1",
    ]
    one = model.ensemble("doses", 4, readouts=["final:occupied"], dose="10 nM")
    np.testing.assert_array_equal(one.data["final:occupied"], found.data["final:occupied@doses__10"])


def test_the_table_is_written_with_units_and_read_back(model, tmp_path):
    path = tmp_path / "out.parquet"
    found = model.ensemble("step", 20, observables=["IR"], statistics=True, output=path)
    read = Ensemble.load(path)
    same(found.data, read.data)
    assert read.units == found.units
    assert read.about["seed"] == 1
    assert read.to_xarray()["final:IR"].attrs["units"] == "nM"
    np.testing.assert_array_equal(read.statistics["IR"], found.statistics["IR"])
    assert not list(tmp_path.glob("*.parts"))


RUN = """
import sys
import metaflammation as mf
from metaflammation.ensembles.work import Simulation
once = Simulation.batch
def slowly(self, number):
    import time
    print(number, flush=True)
    time.sleep(0.15)
    return once(self, number)
Simulation.batch = slowly
mf.load(sys.argv[1]).ensemble("step", 60, readouts=["final:IR"], batch=5, output=sys.argv[2])
"""


def test_a_killed_run_goes_on_with_nothing_lost_or_done_twice(lesson, model, tmp_path):
    path = tmp_path / "out.parquet"
    command = [sys.executable, "-c", RUN, str(lesson), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout:
            if line.strip() == "4":
                run.send_signal(signal.SIGKILL)
                break
    done = {p.name for p in (tmp_path / "out.parquet.parts").glob("batch-*.parquet")}
    assert done == {f"batch-{n:06d}.parquet" for n in range(4)}
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [int(n) for n in again.stdout.split()] == list(range(4, 12))
    same(Ensemble.load(path).data, model.ensemble("step", 60, readouts=["final:IR"]).data)


def test_batches_of_another_run_are_refused(model, tmp_path):
    path = tmp_path / "out.parquet"
    folder = tmp_path / "out.parquet.parts"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"seed": 9}))
    with pytest.raises(DataError, match=r"holds batches of another run .*seed was 9, is 1.*remove the folder"):
        model.ensemble("step", 10, output=path)
    (folder / "manifest.json").unlink()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="holds files of something else"):
        model.ensemble("step", 10, output=path)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        pytest.param({"readouts": ["maximum:IR"]}, "unknown statistic 'maximum'", id="statistic"),
        pytest.param({"readouts": ["max:IRR"]}, "unknown observable 'IRR'.*did you mean", id="readout"),
        pytest.param({"observables": ["IRR"]}, "unknown observable 'IRR'", id="observable"),
        pytest.param({"dose": "1 nM"}, "takes no dose", id="dose"),
        pytest.param({"batch": 0}, "batch: 0", id="batch"),
        pytest.param({"population": 0}, "n: 0 is not a number of individuals", id="nobody"),
        pytest.param({"scheduler": "tcp://127.0.0.1:9"}, "scheduler .* does not answer", id="scheduler"),
        pytest.param({"output": "out.csv"}, "written as parquet; name it out.parquet", id="form of the table"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(model, how, message, monkeypatch, tmp_path):
    monkeypatch.setattr("metaflammation.ensembles.executors.PATIENCE", "1s")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MetaflammationError, match=message):
        model.ensemble("step", **{"population": 5, "output": "out.parquet", **how})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("how", "message"),
    [
        pytest.param({"name": "adult"}, "unknown population 'adult'; did you mean adults", id="name"),
        pytest.param({"sampler": "random"}, "unknown sampler", id="sampler"),
        pytest.param({"spread": 0.5}, "spread 0.5: give a factor above 1", id="spread"),
        pytest.param({"seed": -1}, "seed: -1 is negative", id="seed"),
        pytest.param({"conditions": "nothing"}, "unknown condition 'nothing'", id="condition"),
    ],
)
def test_a_population_that_makes_no_sense_is_refused(model, how, message):
    with pytest.raises(MetaflammationError, match=message):
        model.population(4, **how)


def test_a_text_is_one_readout_or_one_observable(model):
    found = model.ensemble("step", 2, readouts="max:IR", observables="IR_ins", statistics=True)
    assert "max:IR" in found.data
    assert list(found.statistics.data_vars) == ["IR_ins"]


def test_the_command_writes_a_table_and_says_what_is_in_it(lesson, tmp_path):
    runner = CliRunner()
    path = tmp_path / "out.parquet"
    arguments = ["ensemble", str(lesson), "step", "-n", "12", "--readout", "max:occupied", "--workers", "1"]
    done = runner.invoke(app, [*arguments, "-o", str(path)])
    assert done.exit_code == 0, done.output
    assert "12 individuals, 3 parameters drawn" in done.output
    assert len(Ensemble.load(path).data) == 12
    assert "exists already" in str(runner.invoke(app, [*arguments, "-o", str(path)]).exception)


# --- more than one process ------------------------------------------------------------


@pytest.mark.slow
def test_a_killed_worker_costs_nothing(model):
    expected = model.ensemble("step", 60, readouts=["final:IR"])
    killed = []

    def kill_a_child(_done, _failed):
        if not killed:
            # loky's workers are children of this process whose command names its pipe.
            for status in Path("/proc").glob("[0-9]*/stat"):
                parent = int(status.read_text().rpartition(")")[2].split()[1])
                if parent == os.getpid() and b"--pipe" in (status.parent / "cmdline").read_bytes():
                    killed.append(int(status.parent.name))
                    os.kill(killed[0], signal.SIGKILL)
                    break

    found = model.ensemble("step", 60, readouts=["final:IR"], workers=2, batch=3, progress=kill_a_child)
    assert killed
    same(expected.data, found.data)


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_gives_the_same_numbers(model):
    from distributed import LocalCluster

    expected = model.ensemble("step", 60, readouts=["final:IR"])
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        killed = []

        def kill_a_worker(done, _failed):
            if done and not killed:
                killed.append(next(iter(cluster.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

        found = model.ensemble(
            "step", 60, readouts=["final:IR"], scheduler=cluster.scheduler_address, batch=3, progress=kill_a_worker
        )
    assert killed
    same(expected.data, found.data)


PEAK = """
import resource, sys
import metaflammation as mf
n, path = int(sys.argv[2]), sys.argv[3]
mf.load(sys.argv[1]).ensemble("step", n, observables=["IR", "occupied"], statistics=True, output=path)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_population(lesson, tmp_path):
    peaks = []
    for n in (1000, 10_000):
        command = [sys.executable, "-c", PEAK, str(lesson), str(n), str(tmp_path / f"{n}.parquet")]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert peaks[1] < 1.1 * peaks[0]
