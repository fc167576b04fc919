import numpy as np
import pandas as pd
import pytest

import metaflammation as mf
from metaflammation import library, measurements
from metaflammation.errors import DataError

WITH_DATA = [n for n in library.catalogue() if not measurements.read(mf.load(n)).empty]


def test_scales_and_offsets_are_recovered_from_data_made_with_them():
    rows = pd.DataFrame({"observableFormula": ["offset + scale * x"] * 3 + ["scale * (x - basal_x)"] * 2})
    states = {"x": np.array([1.0, 2.0, 3.0, 5.0, 7.0]), "basal_x": np.ones(5)}
    constant, slopes = measurements.Observables(rows, ["scale", "offset"]).linear(states)
    truth = np.array([2.5, -1.0])
    measured = constant + slopes @ truth
    assert measured == pytest.approx([1.5, 4.0, 6.5, 10.0, 15.0], rel=1e-12)
    values = np.full(2, np.nan)
    measurements.estimate(values, slopes, measured - constant, np.array([1.0, 2.0, 0.5, 1.0, 1.0]))
    assert values == pytest.approx(truth, rel=1e-10)


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        pytest.param("scale * y", "unknown id 'y'", id="unknown word"),
        pytest.param("scale *", "invalid syntax", id="broken"),
        pytest.param("open('x')", "only \\+ - \\* / \\*\\* are allowed, not Call", id="call"),
        pytest.param("x.__class__", "not Attribute", id="attribute"),
    ],
)
def test_formula_that_is_not_arithmetic_on_known_words_is_refused(formula, reason):
    rows = pd.DataFrame({"observableFormula": [formula]})
    with pytest.raises(DataError, match=reason):
        measurements.Observables(rows, ["scale"]).linear({"x": np.ones(1)})


def test_estimate_leaves_values_that_are_known():
    values = np.array([2.0, np.nan])
    measurements.estimate(values, np.array([[1.0, 1.0]]), np.array([5.0]), np.array([1.0]))
    assert values == pytest.approx([2.0, 3.0], rel=1e-12)


@pytest.mark.parametrize("name", WITH_DATA)
def test_committed_parameters_fit_the_data(name):
    bar = {"insulin_cascade": (161, 125.0), "hormone_axis": (0, 0.0)}
    model = mf.load(name)
    table = measurements.agreement(model, model.runs())
    fitted = table[table["use"] == "fit"]
    points, chi2 = bar[name]
    assert fitted["n"].sum() == points
    assert fitted["chi2"].sum() <= chi2


@pytest.mark.parametrize("name", WITH_DATA)
def test_agreement_notices_a_moved_parameter(name):
    change = {"insulin_cascade": {"k_IR_phos": 0.2}, "hormone_axis": {"k_testosterone": 0.003}}
    model = mf.load(name)
    here = measurements.agreement(model, model.runs())["chi2"].sum()
    moved = measurements.agreement(model, model.runs(overrides=change[name]))["chi2"].sum()
    assert moved > here + 10
