import re
from types import SimpleNamespace

import pytest

from conftest import RELATIVE
from metaflammation import library
from metaflammation.compile import compile_file
from metaflammation.lint import RULES, Subject, lint, source_value
from metaflammation.records import ParameterEvidence
from metaflammation.units import Unit

EVIDENCE = {"place": "Table 1", "lower": 0.001, "upper": 100.0}
ROWS = {
    "f_total": {"evidence": "assumed", "reason": "1 by definition"},
    "A_ref": {"evidence": "fitted", "source": "Paper2020"},
    "k_on": {"evidence": "measured", "source": "Paper2020", "source_value": 0.1, "source_unit": "1/(nM min)"},
    "k_off": {"evidence": "measured", "source": "Paper2020", "source_value": 6.0, "source_unit": "1/hour"},
}


def evidence(**changes):
    """Return the rows of the tiny model's parameter table; a change of None leaves the row out."""
    rows = {i: row | changes.get(i, {}) for i, row in ROWS.items() if changes.get(i, {}) is not None}
    extra = {i: row for i, row in changes.items() if i not in ROWS}
    return {i: ParameterEvidence(**EVIDENCE | row, id=i) for i, row in (rows | extra).items()}


def files(citations=("Paper2020",), **changes):
    return SimpleNamespace(
        collection=None, parameters=lambda: evidence(**changes), metadata=SimpleNamespace(citations=citations)
    )


@pytest.fixture(autouse=True)
def tables(monkeypatch):
    monkeypatch.setattr(library, "bibliography", lambda _: "@article{Paper2020,\n  title = {x},\n}\n")
    monkeypatch.setattr(library, "seen_identifiers", lambda _: frozenset({"CL:0000136", "CHEBI:17634"}))


def without(pattern, text, by=""):
    changed, count = re.subn(pattern, by, text, count=1)
    assert count == 1, f"nothing to break: {pattern}"
    return changed


TEXT_CASES = [
    pytest.param("LIBSBML", r'(id="k_off"[^>]*units=)"per_min"', r'\1"nM"', "libSBML warning", id="LIBSBML units"),
    pytest.param("LIBSBML", r'(id="k_off"[^>]*) value="0.1"', r"\1", "libSBML", id="LIBSBML practice"),
    pytest.param("L3V1", "<divide/>", "<max/>", "cannot be written as Level 3 Version 1", id="L3V1"),
    pytest.param("NAME", r'(id="k_off") name="[^"]*"', r"\1", "parameter k_off has no display name", id="NAME missing"),
    pytest.param(
        "NAME", r'name="switch, on"', 'name="switch, off"', "species B has the display name of A: 'switch, off'",
        id="NAME twice",
    ),
    pytest.param("SBO", r' sboTerm="[^"]*"( id="off")', r"\1", "reaction off has no SBO term", id="SBO"),
    pytest.param(
        "MIRIAM", r'(?s)(<species [^>]*id="F"[^>]*)>.*?</species>', r"\1/>", "species F has no annotation", id="MIRIAM"
    ),
    pytest.param("SEEN", "CHEBI:17634", "CHEBI:1", "species S: CHEBI:1 stands in no row of annotations.tsv", id="SEEN"),
    pytest.param(
        "SEEN", "https://identifiers.org/CHEBI:17634", "urn:miriam:chebi:17634",
        "species S: urn:miriam:chebi:17634 is not of the form", id="SEEN form",
    ),
    pytest.param(
        "TIME", r'(?s)(<unitDefinition id="minute".*?multiplier=)"60"', r'\1"1"',
        "the model's unit of time is 1 s, not min", id="TIME second",
    ),
    pytest.param("TIME", r' timeUnits="minute"', "", "the model's unit of time is not set, not min", id="TIME none"),
    pytest.param(
        "TIME", r'(?s)(<unitDefinition id="nmol".*?)scale="-9"', r'\1scale="-6"',
        "the model's unit of substance is ", id="TIME micromole",
    ),
    pytest.param(
        "UNITS", r'(?s)(<unitDefinition id="per_min".*?multiplier=)"60"', r'\1"86400"',
        "the rate law of off has another unit than B per time", id="UNITS of a rate law",
    ),
    pytest.param(
        "UNITS", r'(id="A_ref"[^>]*units=)"nM"', r'\1"dl"',
        "the initial assignment of A has another unit than what it sets", id="UNITS of an initial assignment",
    ),
    pytest.param(
        "UNITS", r'(id="fraction"[^>]*units=)"dl"', r'\1"nM"',
        "the rule of fraction has another unit than fraction", id="UNITS of a rule",
    ),
    pytest.param(
        "RELATIVE", r'(<species [^>]*id="S"[^>]*?)( substanceUnits="[^"]*")?( compartment=)',
        r'\1 substanceUnits="relative_amount"\3', "the rate law of on has another unit", id="RELATIVE",
    ),
]  # fmt: skip

TABLE_CASES = [
    pytest.param("EVIDENCE", {"k_on": None}, "parameter k_on has no row in parameters.tsv", id="EVIDENCE missing"),
    pytest.param(
        "EVIDENCE",
        {"ghost": ROWS["A_ref"]},
        "parameters.tsv: ghost is no constant parameter of the model",
        id="EVIDENCE extra",
    ),
    pytest.param(
        "EVIDENCE",
        {"fraction": ROWS["A_ref"]},
        "parameters.tsv: fraction is no constant parameter of the model",
        id="EVIDENCE of a computed value",
    ),
    pytest.param(
        "BOUNDS", {"k_on": {"lower": 0.2}}, "parameter k_on: 0.1 lies outside its bounds 0.2 to 100", id="low"
    ),
    pytest.param("BOUNDS", {"k_on": {"upper": 0.09}}, "parameter k_on: 0.1 lies outside its bounds", id="BOUNDS high"),
    pytest.param(
        "SOURCE",
        {"A_ref": {"source": "Nobody1900"}},
        "parameter A_ref: source Nobody1900 stands in no entry of references.bib",
        id="SOURCE of a parameter",
    ),
    pytest.param(
        "SOURCE",
        {"citations": ["Paper"]},
        "metadata.toml: citation Paper stands in no entry of references.bib",
        id="SOURCE of the model",
    ),
    pytest.param(
        "VALUE",
        {"k_off": {"source_value": 6.2}},
        "parameter k_off: 0.1 1/min is not the source's 6.2 1/hour (0.1033 1/min)",
        id="VALUE too far",
    ),
    pytest.param(
        "VALUE", {"k_off": {"source_unit": "nM"}}, "wrong dimension; a quantity in 1/min", id="VALUE dimension"
    ),
    pytest.param(
        "VALUE",
        {"k_off": {"source_value": 0.0}},
        "parameter k_off: 0.1 1/min is not the source's 0 1/hour",
        id="VALUE of zero",
    ),
]


RELATIVE_UNIT = """<unitDefinition id="relative_amount"><listOfUnits>
<unit kind="mole" exponent="1" scale="-9" multiplier="1"/></listOfUnits></unitDefinition></listOfUnitDefinitions>"""


def found(text, **changes):
    if 'substanceUnits="relative_amount"' in text:
        text = text.replace("</listOfUnitDefinitions>", RELATIVE_UNIT)
    return [(o.rule.id, o.where) for o in lint(Subject("tiny", text, files(**changes)))]


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
def test_sound_model_keeps_the_rule(tiny_sbml, rule):
    assert list(rule.offenders(Subject("tiny", tiny_sbml, files()))) == []


@pytest.mark.parametrize(("rule", "pattern", "by", "reason"), TEXT_CASES)
def test_broken_document_is_an_offence(tiny_sbml, rule, pattern, by, reason):
    offences = [where for name, where in found(without(pattern, tiny_sbml, by)) if name == rule]
    assert any(reason in where for where in offences), offences


@pytest.mark.parametrize(("rule", "changes", "reason"), TABLE_CASES)
def test_broken_table_is_this_offence_alone(tiny_sbml, rule, changes, reason):
    offences = found(tiny_sbml, **changes)
    assert [name for name, _ in offences] == [rule]
    assert reason in offences[0][1]


def test_every_rule_is_broken_by_a_case():
    assert {c.values[0] for c in TEXT_CASES + TABLE_CASES} == {r.id for r in RULES}


def test_rules_have_ids_of_their_own_and_say_why():
    assert len({r.id for r in RULES}) == len(RULES)
    assert all(r.title and r.reason.endswith(".") for r in RULES)


def test_own_file_is_held_only_against_rules_without_tables(tiny_sbml):
    broken = without(r' timeUnits="minute"', tiny_sbml).replace("CHEBI:17634", "CHEBI:1")
    names = {o.rule.id for o in lint(Subject("tiny", broken))}
    assert names.isdisjoint(r.id for r in RULES if r.catalogue)
    assert "LIBSBML" in names


def test_level_that_meets_a_reference_level_is_no_offence(tmp_path):
    path = tmp_path / "m.ant"
    path.write_text(RELATIVE)
    names = {o.rule.id for o in lint(Subject("m", compile_file(path).sbml))}
    assert names.isdisjoint({"LIBSBML", "UNITS", "RELATIVE"})


def test_offence_is_printed_with_its_rule(tiny_sbml):
    broken = without(r'(id="k_off") name="[^"]*"', tiny_sbml, r"\1")
    assert [str(o) for o in lint(Subject("tiny", broken))] == ["NAME: parameter k_off has no display name"]


@pytest.mark.parametrize("value", [6.1, 5.9])
def test_measured_value_may_be_rounded_as_its_source(tiny_sbml, value):
    assert found(tiny_sbml, k_off={"source_value": value}) == []


def test_fitted_value_may_differ_from_its_source(tiny_sbml):
    assert found(tiny_sbml, k_off={"evidence": "fitted", "source_value": 60.0}) == []


@pytest.mark.parametrize(
    ("number", "unit", "expected"),
    [
        pytest.param(8.0, "hour", 0.001444056, id="half-life in hours"),
        pytest.param(30.0, "second", 1.386294, id="half-life in seconds"),
        pytest.param(0.5, "1/second", 30.0, id="rate constant"),
    ],
)
def test_time_given_for_a_rate_constant_is_a_half_life(number, unit, expected):
    row = evidence(k_off={"source_value": number, "source_unit": unit})["k_off"]
    assert source_value(row, Unit.parse("1/min")) == pytest.approx(expected, rel=1e-6)


def test_time_given_for_a_time_is_a_time():
    row = evidence(k_off={"source_value": 8.0, "source_unit": "hour"})["k_off"]
    assert source_value(row, Unit.parse("min")) == pytest.approx(480.0, rel=1e-12)
