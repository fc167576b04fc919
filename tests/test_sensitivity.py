"""Sensitivities against functions whose indices are known in closed form, through the whole engine."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import metaflammation as mf
from metaflammation import library, starter
from metaflammation.build import build
from metaflammation.cli import app
from metaflammation.ensembles import sensitivity
from metaflammation.errors import DataError, MetaflammationError

SOURCE = """
model known()
  unit minute = 60 second; unit dl = dimensionless; unit per_min = 1/(60 second);
  unit nmol = 1e-9 mole; unit vol = litre;
  substance = nmol; extent = nmol; time_unit = minute; volume = vol;
  clock = 0; clock' = rate; clock has dl; clock is "clock";
  const rate = 1; rate has per_min; rate is "speed of the clock";
  const x1 = 1.5; x1 has dl; x1 is "first"; const x2 = 1; x2 has dl; x2 is "second";
  const x3 = 1; x3 has dl; x3 is "third"; const a = 2; a has dl; a is "factor"; const b = 4; b has dl; b is "divisor";
  ishigami := sin(x1) + 7 dl*sin(x2)^2 + 0.1 dl*x3^4*sin(x1); ishigami has dl; ishigami is "Ishigami's function";
  powers := a^2/b*clock; powers has dl; powers is "a power law";
  linear := 3 dl*a + 0.5 dl*b; linear has dl; linear is "a plane";
end
"""
PARAMETERS = """id\tevidence\trole\tsource\tplace\tsource_value\tsource_unit\tlower\tupper\treason
rate\tassumed\tdefinition\t\t\t\t\t0.5\t2\ttest
x1\tassumed\t\t\t\t\t\t-3.141592653589793\t3.141592653589793\ttest
x2\tassumed\t\t\t\t\t\t-3.141592653589793\t3.141592653589793\ttest
x3\tassumed\t\t\t\t\t\t-3.141592653589793\t3.141592653589793\ttest
a\tassumed\t\t\t\t\t\t0\t4\ttest
b\tassumed\t\t\t\t\t\t0\t8\ttest
"""
EXPERIMENTS = """experiments:
  - {id: minute, title: a minute, duration: 1 min, points: 2}
  - {id: rates, title: speeds, duration: 1 min, points: 2, doses: {target: rate, unit: 1/min, values: [1, 2]}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = starter.create(tmp_path_factory.mktemp("own") / "known")
    models, validation = folder / "models" / "known", folder / "validation" / "known"
    for path in validation.iterdir():
        path.unlink()
    (models / "known.ant").write_text(SOURCE, "utf-8")
    (models / "parameters.tsv").write_text(PARAMETERS, "utf-8")
    (validation / "experiments.yaml").write_text(EXPERIMENTS, "utf-8")
    (validation / "conditions.tsv").write_text("conditionId\ttargetId\ttargetValue\n", "utf-8")
    (validation / "expectations.yaml").write_text("expectations: []\n", "utf-8")
    (validation / "petab_parameters.tsv").write_text(
        "parameterId\tlowerBound\tupperBound\tnominalValue\testimate\n", "utf-8"
    )
    build(library.ModelFiles("known", library.collection_in(folder)))
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return mf.load(folder)


def ishigami_indices(a=7.0, b=0.1):
    """Return first-order and total indices (Ishigami and Homma 1990)."""
    first = np.array([0.5 * (1 + b * np.pi**4 / 5) ** 2, a**2 / 8, 0.0])
    together = 8 * b**2 * np.pi**8 / 225
    whole = first.sum() + together
    return first / whole, np.array([first[0] + together, first[1], together]) / whole


def test_sobol_indices_of_ishigami(model):
    table = model.sensitivity("minute", "ishigami", n=512, parameters=["x1", "x2", "x3"]).table
    first, total = ishigami_indices()
    found = table.loc[["x1", "x2", "x3"]]
    assert found["S1"].to_numpy() == pytest.approx(first, abs=0.06)
    assert found["ST"].to_numpy() == pytest.approx(total, abs=0.06)
    assert (np.abs(found["ST"] - total) < 2 * found["ST_conf"]).all()
    assert list(table.index) == ["x1", "x2", "x3"]


def test_morris_effects_of_a_plane(model):
    """From the 2.5 % to the 97.5 % point of a uniform distribution is 95 % of its width."""
    table = model.sensitivity("minute", "linear", method="morris", n=8).table
    assert table["mu_star"]["a"] == pytest.approx(3 * 4 * 0.95, rel=1e-6)
    assert table["mu_star"]["b"] == pytest.approx(0.5 * 8 * 0.95, rel=1e-6)
    assert table["sigma"].max() == pytest.approx(0, abs=1e-6)
    assert table["mu_star"][["x1", "x2", "x3"]].max() == pytest.approx(0, abs=1e-9)


def test_elasticities_of_a_power_law(model):
    table = model.sensitivity("minute", "powers", method="local").table
    assert table["elasticity"]["a"] == pytest.approx(2, abs=1e-4)
    assert table["elasticity"]["b"] == pytest.approx(-1, abs=1e-4)
    assert table["elasticity"]["x1"] == pytest.approx(0, abs=1e-6)
    assert (table["error"] < 1e-3).all()


def test_numbers_do_not_depend_on_workers(model):
    how = {"method": "morris", "n": 8, "parameters": ["x1", "x3"]}
    assert model.sensitivity("minute", "ishigami", **how).table.equals(
        model.sensitivity("minute", "ishigami", workers=2, **how).table
    )


def test_what_does_not_depend_has_no_sensitivity(model):
    table = model.sensitivity("minute", "clock", n=8).table
    assert (table == 0).all(axis=None)


def test_samples_in_which_a_run_failed_are_left_out_whole(model, monkeypatch):
    """A broken run takes the other runs of its sample along, so that indices compare what belongs together."""
    real = sensitivity.ensemble.simulate

    def broken(*args, **how):
        found = real(*args, **how)
        found.data.loc[3, "final:ishigami"] = np.nan
        return found

    monkeypatch.setattr(sensitivity.ensemble, "simulate", broken)
    found = model.sensitivity("minute", "ishigami", n=64, parameters=["x1", "x2", "x3"])
    assert found.about["left_out"] == 1
    assert found.table["ST"].between(0, 1.5).all()


@pytest.mark.parametrize(
    ("experiment", "how", "said"),
    [
        ("minute", {"method": "fast"}, "method"),
        ("minute", {"n": 100}, "power of two"),
        ("minute", {"n": 2}, "at least"),
        ("minute", {"parameters": ["x9"]}, "x1"),
        ("minute", {"parameters": ["rate"]}, "rate"),
        ("minute", {"statistic": "median"}, "statistic"),
        ("minute", {"population": "men"}, "population"),
        ("rates", {"method": "local"}, "name the dose"),
    ],
)
def test_bad_input(model, experiment, how, said):
    with pytest.raises(MetaflammationError, match=said):
        model.sensitivity(experiment, "ishigami", **how)


def test_observable_that_is_zero_has_no_elasticity(model):
    with pytest.raises(MetaflammationError, match="zero"):
        model.sensitivity("minute", "clock", statistic="initial", method="local")


@pytest.mark.parametrize("method", ["sobol", "morris", "local"])
def test_command(folder, tmp_path, method):
    table, plot = tmp_path / "table.tsv", tmp_path / "bars.png"
    args = ["sensitivity", str(folder), "minute", "--observable", "powers", "--method", method, "-n", "8"]
    args += ["--workers", "1", "-o", str(table), "--plot", str(plot)]
    result = CliRunner().invoke(app, args, catch_exceptions=False)
    assert result.exit_code == 0
    assert "powers" in result.output
    found = pd.read_csv(table, sep="\t", comment="#", index_col="parameter")
    assert list(found.columns) == list(sensitivity.COLUMNS[method])
    assert found.index[0] in {"a", "b"}
    assert plot.stat().st_size > 5_000
    with pytest.raises(DataError):
        CliRunner().invoke(app, [*args, "--force", "--population", "men"], catch_exceptions=False)
