import math

import pydantic
import pytest
import yaml

from metaflammation import records, tables
from metaflammation.errors import DataError
from metaflammation.records import DoseSeries, Experiment, arm_id

EXPERIMENT = {"id": "step", "title": "a step", "duration": "1 h"}
EXPECTATION = {
    "id": "high",
    "kind": "article",
    "claim": "F1",
    "statement": "it rises",
    "value": {"statistic": "final", "experiment": "step", "observable": "x"},
    "lower": 1,
    "upper": 2,
    "interval_from": "rule",
    "fails_when": ["cut"],
}
PARAMETER = {
    "id": "k",
    "evidence": "measured",
    "source": "Paper2020",
    "place": "Table 1",
    "source_value": "2",
    "source_unit": "1/s",
    "lower": "1",
    "upper": "200",
    "reason": "",
}
METADATA = """\
collection = "c"
creators = ["a"]
organisation = "o"
licence = "l"
licence_url = "u"
[models.m]
title = "t"
description = "d"
taxon = "taxonomy:9606"
created = 2020-01-01
modified = 2020-01-02
version = "1"
"""


def tsv(*rows):
    return "\n".join("\t".join(r) for r in rows) + "\n"


def parameters(**changes):
    row = PARAMETER | changes
    return tables.read_parameters(tsv(row, row.values()), "p.tsv")


def experiments(*entries):
    return tables.read_experiments(yaml.safe_dump({"experiments": list(entries)}), "e.yaml")


def expectations(*entries):
    return tables.read_expectations(yaml.safe_dump({"expectations": list(entries)}), "x.yaml")


def test_parameter_row_is_read():
    row = parameters()["k"]
    assert (row.source_value, row.lower, row.upper, row.reason) == (2.0, 1.0, 200.0, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"evidence": "guessed"}, "evidence: .*'measured', 'fitted' or 'assumed'", id="unknown evidence"),
        pytest.param({"evidence": "assumed"}, "an assumed parameter needs a reason", id="assumed without reason"),
        pytest.param({"source": ""}, "a measured parameter needs a source and a place", id="measured without source"),
        pytest.param({"evidence": "fitted", "place": ""}, "a fitted parameter needs a source", id="fitted, no place"),
        pytest.param({"source_unit": ""}, "source_value and source_unit go together", id="value without unit"),
        pytest.param({"source_value": ""}, "source_value and source_unit go together", id="unit without value"),
        pytest.param({"lower": "200"}, "lower must be below upper", id="empty bounds"),
        pytest.param({"lower": "low"}, "lower: .*valid number", id="bound that is no number"),
        pytest.param({"upper": ""}, "upper: Field required", id="missing bound"),
        pytest.param({"colour": "red"}, "colour: Extra inputs", id="unknown column"),
    ],
)
def test_error_of_a_parameter_names_file_line_id_and_reason(changes, reason):
    with pytest.raises(DataError, match=rf"p\.tsv, line 2 \(k\): {reason}"):
        parameters(**changes)


def test_parameter_that_stands_twice_is_refused():
    row = PARAMETER.values()
    with pytest.raises(DataError, match=r"p\.tsv, line 3: parameter 'k' stands in the table twice"):
        tables.read_parameters(tsv(PARAMETER, row, row), "p.tsv")


@pytest.mark.parametrize("line", ["k\tmeasured", "k" + "\tx" * 9], ids=["too short", "too long"])
def test_line_of_another_length_is_refused(line):
    with pytest.raises(DataError, match=r"p\.tsv, line 2: 9 columns are needed"):
        tables.read_parameters(tsv(PARAMETER) + line + "\n", "p.tsv")


def test_empty_table_is_refused():
    with pytest.raises(DataError, match=r"p\.tsv: the table is empty"):
        tables.read_parameters("", "p.tsv")


def test_records_are_frozen():
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        parameters()["k"].lower = 0.0


REPEAT = {"start": 5, "every": 10, "count": 2, "lasting": 1, "conditions": ["on"], "then": ["off"]}


def test_repeats_stand_among_the_periods_and_win_at_the_same_time():
    periods = [{"conditions": ["a"]}, {"start": 15, "conditions": ["b"]}]
    found = experiments(EXPERIMENT | {"periods": periods, "repeats": [REPEAT]})["step"].timeline
    assert [(p.start, p.conditions) for p in found] == [
        (0, ("a",)), (5, ("on",)), (6, ("off",)), (15, ("b", "on")), (16, ("off",)),
    ]  # fmt: skip


TARGET = {
    "id": "peak", "basis": "measured", "citation": "Brannmark2013", "statement": "s", "target": 10, "sd": 2,
    "value": {"statistic": "max", "experiment": "e", "observable": "x"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "value", "residual"),
    [
        pytest.param({}, 13, 1.5, id="linear"),
        pytest.param({"scale": "log10", "sd": 0.5}, 1, -2, id="in decades"),
        pytest.param({"scale": "log10"}, 0, math.nan, id="nothing on a logarithmic scale"),
    ],
)
def test_residual_of_a_target(changes, value, residual):
    target = tables.read_targets(yaml.safe_dump({"targets": [TARGET | changes]}), "t.yaml")["peak"]
    assert target.residual(value) == pytest.approx(residual, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"citation": None}, "measured needs a citation", id="no source"),
        pytest.param({"sd": 0}, "sd: .*greater than 0", id="no weight"),
        pytest.param({"scale": "log10", "target": -1}, "must be positive", id="negative fold"),
    ],
)
def test_target_without_sense_is_refused(changes, reason):
    with pytest.raises(DataError, match=rf"t\.yaml, entry 1 \(peak\): .*{reason}"):
        tables.read_targets(yaml.safe_dump({"targets": [TARGET | changes]}), "t.yaml")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"statistic": "at"}, "needs a time", id="at without time"),
        pytest.param({"statistic": "time_for"}, "time_for needs a level", id="time without level"),
        pytest.param({"window": [5, 5]}, "ends after it begins", id="empty window"),
    ],
)
def test_reading_without_sense_is_refused(changes, reason):
    with pytest.raises(DataError, match=reason):
        tables.read_targets(yaml.safe_dump({"targets": [TARGET | {"value": TARGET["value"] | changes}]}), "t.yaml")


def test_experiment_is_read_in_minutes():
    found = experiments(EXPERIMENT | {"equilibration": {"duration": "2 d"}})["step"]
    assert (found.duration, found.equilibration.duration, found.periods[0].start) == (60.0, 2880.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"duration": "0 min"}, "duration: .*greater than 0", id="no duration"),
        pytest.param({"duration": "-1 h"}, "duration: .*greater than 0", id="negative duration"),
        pytest.param({"duration": "1 nM"}, "wrong dimension; a quantity in min", id="duration in another dimension"),
        pytest.param({"points": 1}, "points: .*greater than or equal to 2", id="one point"),
        pytest.param({"periods": [{"start": 5}]}, "the first period starts at 0", id="late first period"),
        pytest.param({"periods": []}, "the first period starts at 0", id="no period"),
        pytest.param({"periods": [{}, {"start": 9}, {"start": 5}]}, "one after the other", id="periods out of order"),
        pytest.param({"repeats": [REPEAT | {"lasting": 10}]}, "must end before the next", id="repeat without end"),
        pytest.param({"repeats": [REPEAT | {"count": 9}]}, "repeats must end before the experiment", id="late repeat"),
        pytest.param({"periods": [{}, {"start": 9}, {"start": 9}]}, "one after the other", id="two periods at once"),
        pytest.param({"periods": [{}, {"start": "1 h"}]}, "before the end", id="period at the end"),
        pytest.param({"periods": [{"begin": 0}]}, r"periods\.0\.begin: Extra", id="unknown key of a period"),
        pytest.param({"equilibration": {"duration": 0}}, r"equilibration\.duration: .*greater", id="no equilibration"),
        pytest.param({"equilibration": {"duration": 9}, "rest": 9}, "needs no rest before it", id="rest besides"),
        pytest.param({"doses": {"target": "x", "unit": "nM", "values": [1]}}, r"doses\.values", id="one dose"),
        pytest.param({"title": None}, "title: .*valid string", id="no title"),
    ],
)
def test_error_of_an_experiment_names_file_entry_id_and_reason(changes, reason):
    good = EXPERIMENT | {"id": "other"}
    with pytest.raises(DataError, match=rf"e\.yaml, entry 2 \(step\): .*{reason}"):
        experiments(good, EXPERIMENT | changes)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("experiments: [", "while parsing", id="broken YAML"),
        pytest.param("", "a list named 'experiments' is needed", id="empty file"),
        pytest.param("experiments: {}", "a list named 'experiments' is needed", id="mapping in place of the list"),
        pytest.param("- id: x", "a list named 'experiments' is needed", id="list without name"),
        pytest.param("experiments: [3]", "entry 1: .*valid dictionary", id="entry that is a number"),
    ],
)
def test_file_that_holds_no_experiments_is_refused(text, reason):
    with pytest.raises(DataError, match=rf"e\.yaml.*{reason}"):
        tables.read_experiments(text, "e.yaml")


def test_entry_that_stands_twice_is_refused():
    with pytest.raises(DataError, match=r"e\.yaml: 'step' stands in the file twice"):
        experiments(EXPERIMENT, EXPERIMENT)


@pytest.mark.parametrize(
    ("dose", "arm"),
    [(None, "e"), (0.0, "e__0"), (0.05, "e__0p05"), (100.0, "e__100"), (1e-5, "e__1em05"), (-1.0, "e__m1")],
)
def test_arm_id(dose, arm):
    assert arm_id("e", dose) == arm


def test_arms_are_one_or_one_for_each_dose():
    single = Experiment.model_validate(EXPERIMENT)
    series = single.model_copy(update={"doses": DoseSeries(target="x", unit="nM", values=(0.0, 0.5))})
    assert single.arms == {"step": None}
    assert series.arms == {"step__0": 0.0, "step__0p5": 0.5}


def test_expectation_is_read_with_its_kind_of_value():
    value = {"statistic": "ratio", "of": EXPECTATION["value"], "to": EXPECTATION["value"] | {"at": "1 h"}}
    found = expectations(EXPECTATION | {"value": value})["high"]
    assert isinstance(found.value, records.Comparison)
    assert found.value.to.at == pytest.approx(60.0, rel=1e-15)
    assert found.fails_when[0].conditions == ("cut",)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"lower": None, "upper": None}, "needs lower, upper or both", id="no interval"),
        pytest.param({"lower": 2}, "lower must be below upper", id="empty interval"),
        pytest.param({"upper": None}, "one-sided interval needs a scale", id="one side without scale"),
        pytest.param({"upper": None, "scale": 0}, "scale: .*greater than 0", id="scale of zero"),
        pytest.param({"claim": None}, "an article expectation needs a claim", id="article without claim"),
        pytest.param({"kind": "data"}, "a data expectation needs a citation", id="data without citation"),
        pytest.param({"kind": "idea"}, "kind: ", id="unknown kind"),
        pytest.param({"value": {"statistic": "median"}}, "value: .*does not match", id="unknown statistic"),
        pytest.param({"fails_when": []}, "fails_when", id="no control"),
        pytest.param(
            {"fails_when": [{"conditions": ["a"], "add": "k = 1"}]}, "either conditions or", id="two controls"
        ),
        pytest.param({"fails_when": [{}]}, "either conditions or", id="empty control"),
        pytest.param({"known_failure": {"reason": "r"}}, r"known_failure\.evidence", id="failure without evidence"),
    ],
)
def test_error_of_an_expectation_names_file_entry_id_and_reason(changes, reason):
    with pytest.raises(DataError, match=rf"x\.yaml, entry 1 \(high\): .*{reason}"):
        expectations(EXPECTATION | changes)


CONDITIONS = ("conditionId", "targetId", "targetValue")


def test_conditions_collect_their_targets():
    text = tsv(CONDITIONS, ("a", "x", "1"), ("b", "", ""), ("a", "y", "2.5"))
    assert tables.read_conditions(text, "c.tsv") == {"a": {"x": 1.0, "y": 2.5}, "b": {}}


def test_condition_that_is_no_number_is_refused():
    with pytest.raises(DataError, match=r"c\.tsv, line 3: targetValue '3 nM' is neither a number nor an id"):
        tables.read_conditions(tsv(CONDITIONS, ("a", "x", "1"), ("a", "y", "3 nM")), "c.tsv")


def test_condition_may_name_an_estimated_parameter():
    assert tables.read_conditions(tsv(CONDITIONS, ("a", "x", "f_rat")), "c.tsv") == {"a": {"x": "f_rat"}}


ESTIMATED = {
    "parameterId": "k",
    "lowerBound": "0.1",
    "upperBound": "10",
    "nominalValue": "1",
    "estimate": "true",
    "priorDistribution": "log-normal",
    "priorParameters": "0;2.302585092994046",
}


def test_estimated_parameter_has_its_prior_in_decades():
    row = tables.read_estimated(tsv(ESTIMATED, ESTIMATED.values()), "q.tsv")["k"]
    assert (row.lower, row.upper, row.value, row.estimate) == (0.1, 10.0, 1.0, True)
    assert row.log10_prior == pytest.approx((0.0, 1.0), rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"estimate": "perhaps"}, "estimate: .*valid boolean", id="estimate"),
        pytest.param({"priorDistribution": "laplace"}, "priorDistribution: .*'log-normal'", id="prior"),
        pytest.param({"lowerBound": ""}, "lowerBound: Field required", id="bound"),
    ],
)
def test_error_of_an_estimated_parameter_names_file_line_and_reason(changes, reason):
    row = ESTIMATED | changes
    with pytest.raises(DataError, match=rf"q\.tsv, line 2.*: {reason}"):
        tables.read_estimated(tsv(row, row.values()), "q.tsv")


def test_estimated_parameter_that_stands_twice_is_refused():
    with pytest.raises(DataError, match=r"q\.tsv.*'?k'?.*twice"):
        tables.read_estimated(tsv(ESTIMATED, ESTIMATED.values(), ESTIMATED.values()), "q.tsv")


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_condition_that_is_not_finite_is_refused(value):
    with pytest.raises(DataError, match=r"c\.tsv, line 2"):
        tables.read_conditions(tsv(CONDITIONS, ("a", "x", value)), "c.tsv")


def test_condition_that_sets_a_target_twice_is_refused():
    with pytest.raises(DataError, match=r"c\.tsv, line 3.*'?x"):
        tables.read_conditions(tsv(CONDITIONS, ("a", "x", "1"), ("a", "x", "2")), "c.tsv")


@pytest.mark.parametrize("column", CONDITIONS)
def test_condition_table_without_a_column_is_refused(column):
    kept = [c for c in CONDITIONS if c != column]
    with pytest.raises(DataError, match=rf"c\.tsv: column '{column}' is missing"):
        tables.read_conditions(tsv(kept, ["1" for _ in kept]), "c.tsv")


def test_table_reads_numbers_and_empty_cells():
    frame = tables.read_table(tsv(("id", "x"), ("a", "1e-3"), ("b", "")), "t.tsv", {"id": str, "x": float})
    assert frame["x"][0] == pytest.approx(1e-3, rel=1e-15)
    assert math.isnan(frame["x"][1])
    assert list(frame["id"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        pytest.param([("id", "y"), ("a", "1")], r"t\.tsv: column 'x' is missing", id="missing column"),
        pytest.param([("id", "x")], r"t\.tsv: .*(missing|empty|no row)", id="header alone without rows"),
        pytest.param([("id", "x"), ("a", "1"), ("b", "?")], r"t\.tsv, line 3: x '\?' is not a number", id="no number"),
    ],
)
def test_error_of_a_table_names_file_line_and_reason(rows, reason):
    with pytest.raises(DataError, match=reason):
        tables.read_table(tsv(*rows), "t.tsv", {"id": str, "x": float})


def test_metadata_is_read_with_default_tolerances():
    entry = tables.read_metadata(METADATA, "m.toml").models["m"]
    assert entry.solver.relative_tolerance == pytest.approx(1e-9, rel=1e-12)
    assert entry.created.isoformat() == "2020-01-01"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        pytest.param("collection", "collection =", "Invalid value", id="broken TOML"),
        pytest.param('licence = "l"', "", "licence: Field required", id="missing key"),
        pytest.param("2020-01-01", '"yesterday"', r"models\.m\.created", id="no date"),
        pytest.param('version = "1"', 'version = "1"\nsolver = {rtol = 1}', "Extra inputs", id="unknown solver key"),
    ],
)
def test_error_of_the_metadata_names_file_and_reason(old, new, reason):
    with pytest.raises(DataError, match=rf"m\.toml: .*{reason}"):
        tables.read_metadata(METADATA.replace(old, new, 1), "m.toml")
