import dataclasses
import math

import numpy as np
import pint
import pytest

from metaflammation.errors import DataError
from metaflammation.units import MINUTE, NUMBER, Unit, from_factors, in_unit, international, minutes, named, registry

NANOMOLAR = Unit.parse("nM")
OTHER_REGISTRY = pint.UnitRegistry()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(30, 30.0, id="int"),
        pytest.param(np.float64(0.25), 0.25, id="numpy number"),
        pytest.param("1.5e2", 150.0, id="text without unit"),
        pytest.param("30 min", 30.0, id="minutes"),
        pytest.param("  90 s ", 1.5, id="seconds with blanks"),
        pytest.param("-0.5h", -30.0, id="negative hours without blank"),
        pytest.param("60 d", 86400.0, id="days"),
        pytest.param("1 week", 10080.0, id="week"),
        pytest.param(registry().Quantity(2, "hour"), 120.0, id="pint quantity"),
        pytest.param(OTHER_REGISTRY.Quantity(2, "hour"), 120.0, id="quantity of another registry"),
    ],
)
def test_minutes(value, expected):
    assert minutes(value) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    ("text", "unit", "substance", "expected"),
    [
        pytest.param("10 mU/L", "nM", "insulin", 0.06, id="insulin in clinical units"),
        pytest.param("10 uU/mL", "nM", "insulin", 0.06, id="insulin per millilitre"),
        pytest.param("10 mIU/L", "nM", "insulin", 0.06, id="insulin in international units"),
        pytest.param("58.08 pg/mL", "nM", "insulin", 0.01, id="insulin by mass"),
        pytest.param("90 mg/dL", "nM", "glucose", 4.99567e6, id="glucose by mass"),
        pytest.param("90 mg/dL", "mmol/l", "glucose_plasma", 4.99567, id="glucose of a compartment"),
        pytest.param("5 mmol/L", "nM", "glucose", 5e6, id="glucose by amount"),
        pytest.param("500 ng/dL", "nmol/l", "testosterone", 17.335229, id="testosterone by mass"),
        pytest.param("1 1/nM/s", "1/(nM min)", "k_on", 60.0, id="second-order rate constant"),
        pytest.param("0.0231 1/s", "1/min", "k", 1.386, id="first-order rate constant"),
        pytest.param("50 %", "", "f_total", 0.5, id="percent of a pure number"),
        pytest.param("1 umol", "nmol", "x", 1000.0, id="amount"),
    ],
)
def test_conversion(text, unit, substance, expected):
    assert in_unit(text, Unit.parse(unit), substance) == pytest.approx(expected, rel=1e-6)


def test_conversion_is_exact_to_thirteen_digits_both_ways():
    there = in_unit("90 mg/dL", NANOMOLAR, "glucose")
    back = in_unit(f"{there!r} nM", Unit.parse("mg/dl"), "glucose")
    assert back == pytest.approx(90, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "substance"),
    [
        pytest.param("90 mg/dL", "IR", id="mass of a substance without molar mass"),
        pytest.param("10 mU/L", "glucose", id="international units of another substance"),
        pytest.param("90 mg/dL", "glucosex", id="name that only begins alike"),
        pytest.param("5 min", "insulin", id="time for a concentration"),
        pytest.param("5 nmol", "insulin", id="amount for a concentration"),
        pytest.param("5 %", "insulin", id="fraction for a concentration"),
    ],
)
def test_wrong_dimension_is_named_with_what_is_needed(text, substance):
    with pytest.raises(DataError, match=rf"{substance}: .* has the wrong dimension; a quantity in nM is needed"):
        in_unit(text, NANOMOLAR, substance)


def test_pure_number_is_asked_for_by_that_name():
    with pytest.raises(DataError, match="a pure number is needed"):
        in_unit("2 nM", NUMBER, "f_total")


@pytest.mark.parametrize(
    "value",
    [
        "abc", "", "  ", "min", "1/min", "3 + 4 min", "5 5 min", "1,5 min", "--5", "5**2 min", "__import__('os')",
        "nan min", [1.0], {}, 5j, np.array([1.0, 2.0]), True, None, np.bool_(True),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_quantity_is_refused(value):
    with pytest.raises(DataError, match=r"duration: .* is not a quantity"):
        minutes(value, "duration")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", math.nan, -math.inf, "1e999", "1e999 min"], ids=repr)
def test_number_that_is_not_finite_is_refused(value):
    with pytest.raises(DataError, match=r"duration: .* is not a finite number"):
        minutes(value, "duration")


def test_quantity_that_is_an_array_is_refused():
    with pytest.raises(DataError, match="duration"):
        minutes(registry().Quantity(np.array([1.0, 2.0]), "hour"), "duration")


def test_unknown_unit_is_named():
    with pytest.raises(DataError, match="k: the unit of '5 foos' is unknown"):
        in_unit("5 foos", MINUTE, "k")
    with pytest.raises(DataError, match="is unknown"):
        Unit.parse("foos")


@pytest.mark.parametrize(
    ("factors", "label"),
    [
        pytest.param([("second", 60.0, 1.0)], "min", id="minute"),
        pytest.param([("mole", 1e-9, 1.0), ("litre", 1.0, -1.0)], "nM", id="nanomolar"),
        pytest.param([("second", 60.0, -1.0)], "1/min", id="per minute"),
        pytest.param([("litre", 1e9, 1.0), ("mole", 1.0, -1.0), ("second", 60.0, -1.0)], "1/(nM min)", id="binding"),
        pytest.param([("mole", 1e-9, 1.0), ("litre", 1.0, -1.0), ("second", 60.0, -1.0)], "nM/min", id="rate"),
        pytest.param([("litre", 1.0, 1.0)], "l", id="litre"),
        pytest.param([("dimensionless", 1.0, 1.0)], "", id="pure number"),
        pytest.param([("item", 1.0, 1.0)], "", id="items"),
        pytest.param([("kilogram", 1.0, 1.0)], "kg", id="mass"),
        pytest.param([("second", 86400.0, -1.0)], "1/day", id="per day"),
    ],
)
def test_label_of_an_sbml_unit(factors, label):
    assert from_factors(factors).label == label


def test_unit_without_label_shows_its_size():
    assert from_factors([("second", 3600.0, 1.0)]).label == "3600 s"


def test_multiplier_is_raised_to_the_exponent():
    assert from_factors([("second", 60.0, -2.0)]).factor == pytest.approx(1 / 3600, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "label"),
    [("uIU_per_mL", "uIU/mL"), ("mIU_per_L_min", "mIU/(L min)"), ("IU", "IU"), ("nmol_per_L", ""), ("per_min", "")],
)
def test_unit_that_counts_international_units_is_named_by_its_id(name, label):
    assert international(name) == label


@pytest.mark.parametrize(
    ("text", "what", "expected"),
    [("5 IU/L", "LH", 5.0), ("5 mIU/mL", "LH", 5.0), ("12 mU/L", "insulin", 0.012), ("60 pM", "insulin", 0.01)],
)
def test_international_units_are_plain_numbers_in_a_model(text, what, expected):
    per_litre = dataclasses.replace(Unit.parse("1/l"), label="IU/L")
    assert in_unit(text, per_litre, what) == pytest.approx(expected, rel=1e-12)


def test_concentration_of_a_hormone_without_a_known_conversion_is_refused():
    with pytest.raises(DataError, match="wrong dimension; a quantity in IU/L is needed"):
        in_unit("5 nM", dataclasses.replace(Unit.parse("1/l"), label="IU/L"), "LH")


def test_only_relative_units_are_named_by_their_id():
    assert named("relative_amount") == named("relative_level") == Unit("relative to basal")
    assert named("nM") is None
