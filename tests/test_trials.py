"""Virtual trials: who takes part, what an effect is, and how it stands to a published one."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy import stats

import metaflammation as mf
from metaflammation.cli import app
from metaflammation.ensembles import effects, trials
from metaflammation.ensembles import population as populations
from metaflammation.errors import DataError

N = 4


@pytest.fixture(scope="module")
def model():
    return mf.load("hormone_axis")


@pytest.fixture(scope="module")
def magnussen(model):
    return model.trial("Magnussen2016", n=N)


# --- effects ------------------------------------------------------------------------


def samples(shift=-1.0, n=400, seed=3):
    random = np.random.default_rng(seed)
    return random.normal(shift, 2.0, n), random.normal(0.0, 2.0, n)


def test_difference_is_that_of_welch():
    treated, control = samples()
    middle, low, high, p = effects.difference(treated, control, paired=False)
    known = stats.ttest_ind(treated, control, equal_var=False)
    assert middle == pytest.approx(treated.mean() - control.mean(), rel=1e-12)
    assert (low, high) == pytest.approx(tuple(known.confidence_interval(0.95)), rel=1e-12)
    assert p == known.pvalue
    assert low < -1 < high


def test_hedges_g_of_half_a_standard_deviation():
    treated, control = samples()
    assert effects.hedges(treated, control) == pytest.approx(-0.5, abs=0.15)
    low, high = effects.hedges_interval(treated, control, paired=False, seed=1)
    assert low < -0.5 < high
    # The usual error of a standardised difference of groups of 400.
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(2 / 400 + 0.5**2 / 1600), rel=0.15)


def test_hedges_g_is_corrected_for_small_groups():
    treated, control = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0])
    assert effects.hedges(treated, control) == pytest.approx(1.0 * (1 - 3 / 15), rel=1e-12)


@pytest.mark.parametrize(
    ("effect", "interval", "expected"),
    [(1.0, (0.5, 1.5), "within"), (2.5, (1.5, 3.5), "overlap"), (2.5, (2.2, 2.8), "apart"), (-1.0, (-3, 3), "overlap")],
)
def test_verdict(effect, interval, expected):
    assert effects.verdict(effect, interval, (0.0, 2.0)) == expected


def test_an_arm_that_does_not_change_has_an_interval():
    middle, low, high, p = effects.difference(np.array([1.0, 2.0, 3.0]), np.zeros(3), paired=False)
    assert middle == 2
    assert low < 2 < high
    assert 0 < p < 0.2


# --- trials -------------------------------------------------------------------------


def test_trial_gives_the_effect_of_its_persons(magnussen):
    table, persons = magnussen.table, magnussen.persons
    assert list(table.index) == ["fat_mass", "lean_mass", "insulin_sensitivity"]
    assert (persons["arm"].value_counts() == N).all()
    treated = persons.loc[persons["arm"] == "treated", "fat_mass@treated"]
    control = persons.loc[persons["arm"] == "control", "fat_mass@control"]
    assert persons.loc[persons["arm"] == "treated", "fat_mass@control"].isna().all()
    assert table.loc["fat_mass", "difference"] == pytest.approx(treated.mean() - control.mean(), rel=1e-12)
    assert (treated < 0).all()
    # Without treatment a settled man stays as he is, but for the rest of a slow approach.
    assert control.abs().max() < 0.2
    assert table.loc["insulin_sensitivity", "unit"] == "%"


def test_person_is_simulated_as_one_would_by_hand(model, magnussen):
    person = magnussen.persons[magnussen.persons["arm"] == "treated"].iloc[0]
    changed = dict(model.conditions["hypogonadal_T2D_man"])
    changed |= {i: person[i] for i in magnussen.persons.columns if i in model.elements}
    course = model.simulate("testosterone_gel_year", overrides=changed)
    expected = course.at("168 d")["fat_mass"] - course.data["fat_mass"].iloc[0]
    assert person["fat_mass@treated"] == pytest.approx(expected, rel=1e-3)


def test_paired_trial_puts_everybody_in_both_arms(model):
    found = model.trial("weight_loss", n=N, paired=True)
    assert len(found.persons) == N
    assert found.persons.filter(like="@").notna().all(axis=None)
    assert list(found.baseline.columns) == ["both mean", "both sd"]


def test_treatment_wins_over_what_makes_the_person(model):
    """The diet sets the drive that also makes the man obese."""
    table = model.trial("weight_loss", n=N, paired=True).table
    assert table.loc["testosterone", "difference"] > 1
    assert table.loc["VAT", "control"] == pytest.approx(0, abs=1)


def test_only_those_who_meet_the_criteria_take_part(model):
    work = trials.of(
        populations.make(model, 20, 1, "hypogonadal_T2D_men", "bounds", "sobol"),
        model.trials["Gianatti2014"],
        paired=False,
    )
    part = work.batch(0)
    at_start = part.columns["start:testosterone"]
    eligible = part.columns["eligible"]
    assert 0 < eligible.sum() < 20
    assert np.isnan(at_start[~eligible]).all()
    assert (at_start[eligible] <= 12).all()


def test_lot_does_not_depend_on_batches(model):
    design = model.trials["weight_loss"]
    people = populations.make(model, 200, 5, design.population, "bounds", "sobol")
    work = trials.of(people, design, paired=False)
    lots = [work.arms(i)[0] for i in range(200)]
    assert lots == [trials.of(people, design, paired=False).arms(i)[0] for i in range(200)]
    assert 70 < lots.count("treated") < 130


def test_unknown_trial_and_too_few_persons(model):
    with pytest.raises(DataError, match="Gianatti2014"):
        model.trial("Gianatti")
    with pytest.raises(DataError, match="at least 2 persons"):
        model.trial("Gianatti2014", n=1)


def test_published_numbers_are_those_of_the_expectations(model):
    """One authority: where an expectation holds the same contrast, interval and citation agree."""
    of = {
        "Gianatti2014_fat_mass": ("Gianatti2014", "fat_mass"),
        "Gianatti2014_lean_mass": ("Gianatti2014", "lean_mass"),
        "Gianatti2014_visceral_fat": ("Gianatti2014", "VAT"),
        "Gianatti2014_HOMA": ("Gianatti2014", "HOMA_IR"),
        "Magnussen2016_fat_mass": ("Magnussen2016", "fat_mass"),
        "Magnussen2016_lean_mass": ("Magnussen2016", "lean_mass"),
        "Corona2013_testosterone": ("weight_loss", "testosterone"),
        "Falutz2007_glycaemia": ("Falutz2007", "glucose"),
    }
    for expectation, (trial, point) in of.items():
        known = model.expectations[expectation]
        published = next(p.published for p in model.trials[trial].end_points if p.id == point)
        assert (published.lower, published.upper) == (known.lower, known.upper), expectation
        assert published.citation == known.citation
        assert next(p.value for p in model.trials[trial].end_points if p.id == point) == known.value


def test_command_writes_table_and_picture(tmp_path):
    table, plot = tmp_path / "effects.tsv", tmp_path / "forest.png"
    args = ["trial", "hormone_axis", "Kalinchenko2010", "-n", "2", "--workers", "1"]
    result = CliRunner().invoke(app, [*args, "-o", str(table), "--plot", str(plot)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "IL6" in result.output
    found = trials.from_tsv(table.read_text("utf-8"))["Kalinchenko2010"]
    assert found.loc["IL6", "published_upper"] == 10
    assert plot.stat().st_size > 10_000
    again = CliRunner().invoke(app, [*args, "-o", str(table)])
    assert "exists" in str(again.exception)


def test_committed_results_are_of_the_committed_trials(model):
    kept = trials.from_tsv(model.files.validation_text(trials.FILE))
    assert list(kept) == list(model.trials)
    for name, table in kept.items():
        design = model.trials[name]
        assert list(table.index) == [p.id for p in design.end_points]
        for point in design.end_points:
            known = table.loc[point.id]
            assert known["fitted"] == ", ".join(point.rests_on_fit)
            if point.published:
                assert known["published"] == pytest.approx(point.published.value, rel=1e-3)
                interval = point.published.lower, point.published.upper
                assert known["verdict"] == effects.verdict(
                    known["difference"], (known["lower"], known["upper"]), interval
                )
            else:
                assert pd.isna(known["published"])


def test_page_of_the_documentation_is_current():
    folder = Path(__file__).parents[1] / "docs"
    spec = importlib.util.spec_from_file_location("docs_trials", folder / "trials.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = script.PAGE.read_text("utf-8")
    assert script.current(page) == page
    assert script.PICTURE.is_file()
