import re
from types import SimpleNamespace

import pytest

from conftest import RELATIVE, TINY
from metaflammation import library
from metaflammation.compile import compile_file
from metaflammation.errors import DataError
from metaflammation.lint import RULES, Subject, examine, lint, terms
from metaflammation.lint.catalogue import source_value
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
        collection=None,
        parameters=lambda: evidence(**changes),
        modules=dict,
        metadata=SimpleNamespace(citations=citations),
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
    pytest.param(
        "LIBSBML", r'(id="k_off"[^>]*units=)"per_min"', r'\1"nM"', "reaction off: The unit of measurement",
        id="LIBSBML units",
    ),
    pytest.param(
        "LIBSBML", r'(id="k_off"[^>]*) value="0.1"', r"\1", "parameter k_off: As a principle", id="LIBSBML practice"
    ),
    pytest.param("L3V1", "<divide/>", "<max/>", "cannot be written as Level 3 Version 1", id="L3V1"),
    pytest.param("NAME", r'(id="k_off") name="[^"]*"', r"\1", "parameter k_off: has no display name", id="NAME"),
    pytest.param(
        "TWINS", r'name="switch, on"', 'name="switch, off"', "species B: has the display name of A: 'switch, off'",
        id="TWINS",
    ),
    pytest.param("SBO", r' sboTerm="[^"]*"( id="off")', r"\1", "reaction off: has no SBO term", id="SBO"),
    pytest.param(
        "MIRIAM", r'(?s)(<species [^>]*id="F"[^>]*)>.*?</species>', r"\1/>", "species F: has no annotation", id="MIRIAM"
    ),
    pytest.param("SEEN", "CHEBI:17634", "CHEBI:1", "species S: CHEBI:1 stands in no row of annotations.tsv", id="SEEN"),
    pytest.param(
        "SEEN", "https://identifiers.org/CHEBI:17634", "urn:miriam:chebi:17634",
        "species S: urn:miriam:chebi:17634 is not of the form", id="SEEN form",
    ),
    pytest.param(
        "TIME", r'(?s)(<unitDefinition id="minute".*?multiplier=)"60"', r'\1"1"',
        "model: its unit of time is 1 s, not min", id="TIME second",
    ),
    pytest.param("TIME", r' timeUnits="minute"', "", "model: its unit of time is not set, not min", id="TIME none"),
    pytest.param(
        "TIME", r'(?s)(<unitDefinition id="nmol".*?)scale="-9"', r'\1scale="-6"',
        "model: its unit of substance is ", id="TIME micromole",
    ),
    pytest.param(
        "UNITS", r'(?s)(<unitDefinition id="per_min".*?multiplier=)"60"', r'\1"86400"',
        "reaction off: its rate law has another unit than B, A per time", id="UNITS of a rate law",
    ),
    pytest.param(
        "UNITS", r'(id="A_ref"[^>]*units=)"nM"', r'\1"dl"',
        "initialAssignment A: has another unit than what it sets", id="UNITS of an initial assignment",
    ),
    pytest.param(
        "UNITS", r'(id="fraction"[^>]*units=)"dl"', r'\1"nM"',
        "assignmentRule fraction: has another unit than fraction", id="UNITS of a rule",
    ),
    pytest.param(
        "RELATIVE", r'(<species [^>]*id="S"[^>]*?)( substanceUnits="[^"]*")?( compartment=)',
        r'\1 substanceUnits="relative_amount"\3', "reaction on: its rate law has another unit", id="RELATIVE",
    ),
    pytest.param(
        "UNIT", r'(id="k_off"[^>]*) units="per_min"', r"\1", "parameter k_off: has no unit", id="UNIT of a parameter"
    ),
    pytest.param("UNIT", r' substanceUnits="nmol"', "", "species S: has no unit", id="UNIT of species"),
    pytest.param("UNIT", r' extentUnits="nmol"', "", "reaction on: has no unit", id="UNIT of a rate law"),
    pytest.param(
        "SBOTERM", r'sboTerm="SBO:0000247"( id="S")', r'sboTerm="SBO:0000009"\1',
        "species S: SBO:0000009 is of another branch than material entity", id="SBOTERM of another branch",
    ),
    pytest.param(
        "SBOTERM", r'sboTerm="SBO:0000247"( id="S")', r'sboTerm="SBO:0000300"\1',
        "species S: SBO:0000300 is deprecated", id="SBOTERM deprecated",
    ),
    pytest.param(
        "SBOTERM", r'sboTerm="SBO:0000247"( id="S")', r'sboTerm="SBO:0000999"\1',
        "species S: SBO:0000999 is no term of the ontology", id="SBOTERM unknown",
    ),
    pytest.param(
        "ACCESSION", "CHEBI:17634", "CHEBI:glucose", "CHEBI:glucose is no accession of chebi (they look like ",
        id="ACCESSION of another pattern",
    ),
    pytest.param(
        "ACCESSION", "CHEBI:17634", "CHEEBI:17634", "CHEEBI:17634 names no collection of the registry",
        id="ACCESSION of no collection",
    ),
    pytest.param(
        "ORPHAN", "</listOfSpecies>",
        '<species id="T" name="t" compartment="cell" initialConcentration="1" hasOnlySubstanceUnits="false" '
        'boundaryCondition="false" constant="false"/></listOfSpecies>',
        "species T: takes part in no reaction, rule or event", id="ORPHAN",
    ),
    pytest.param("UNUSED", "<ci> k_off </ci>", "<ci> k_on </ci>", "parameter k_off: stands in no formula", id="UNUSED"),
    pytest.param(
        "MOIETY", r'(id="f_total"[^>]*value=)"1"', r'\1"0"',
        "species A, B: nothing of it is there, ever: A + B stays 0", id="MOIETY",
    ),
]  # fmt: skip

TABLE_CASES = [
    pytest.param("EVIDENCE", {"k_on": None}, "parameter k_on: has no row in parameters.tsv", id="EVIDENCE missing"),
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
    return [(o.rule, f"{o.element}: {o.message}") for o in lint(Subject("tiny", text, files(**changes)))]


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
    names = {o.rule for o in lint(Subject("tiny", broken))}
    assert names.isdisjoint(r.id for r in RULES if r.catalogue)
    assert "LIBSBML" in names


def test_level_that_meets_a_reference_level_is_no_offence(tmp_path):
    path = tmp_path / "m.ant"
    path.write_text(RELATIVE)
    names = {o.rule for o in lint(Subject("m", compile_file(path).sbml, files()))}
    assert names.isdisjoint({"LIBSBML", "UNITS", "RELATIVE"})


def test_offence_is_printed_with_its_rule(tiny_sbml):
    broken = without(r'(id="k_off") name="[^"]*"', tiny_sbml, r"\1")
    assert [str(o) for o in lint(Subject("tiny", broken))] == ["NAME: parameter k_off: has no display name"]


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


def test_remark_of_libsbml_has_its_severity_number_line_and_category(tiny_sbml):
    broken = without(r'(id="k_off"[^>]*units=)"per_min"', tiny_sbml, r'\1"nM"')
    remark = next(o for o in lint(Subject("tiny", broken)) if o.rule == "LIBSBML")
    assert (remark.severity, remark.code, remark.category) == ("warning", 10503, "SBML unit consistency")
    assert 'id="off"' in broken.splitlines()[remark.line - 1]


def test_rule_that_is_switched_off_is_told_with_its_reason(tiny_sbml):
    broken = without(r' sboTerm="[^"]*"( id="off")', tiny_sbml, r"\1")
    report = examine(Subject("tiny", broken), {"SBO": " a teaching model "})
    assert report.findings == ()
    assert report.switched_off == (("SBO", "a teaching model", 1),)
    assert report.score < 100


def test_one_remark_of_libsbml_can_be_switched_off(tiny_sbml):
    broken = without(r'(id="k_off"[^>]*) value="0.1"', tiny_sbml, r"\1")
    code = examine(Subject("tiny", broken)).findings[0].code
    report = examine(Subject("tiny", broken), {f"LIBSBML:{code}": "on purpose", "LIBSBML:10101": "not there"})
    assert code not in {o.code for o in report.findings}
    assert [number > 0 for _, _, number in report.switched_off] == [True, False]


@pytest.mark.parametrize(
    ("off", "reason"),
    [
        pytest.param({"SBO": " "}, "rule SBO is switched off without a reason", id="no reason"),
        pytest.param({"SBOO": "x"}, "unknown rule 'SBOO'; did you mean SBO", id="no such rule"),
        pytest.param({"LIBSBML:units": "x"}, "unknown rule", id="no such remark"),
        pytest.param({"SBO:1": "x"}, "unknown rule", id="number of another rule"),
    ],
)
def test_rule_is_switched_off_only_by_name_and_with_a_reason(tiny_sbml, off, reason):
    with pytest.raises(DataError, match=reason):
        examine(Subject("tiny", tiny_sbml), off)


def test_score_is_the_mean_of_the_shares_by_their_weights(tiny_sbml):
    broken = without(r' sboTerm="[^"]*"( id="off")', tiny_sbml, r"\1")
    report = examine(Subject("tiny", broken))
    terms = next(p for p in report.parts if p.id == "terms")
    assert (terms.total, terms.fulfilled, terms.weight) == (12, 11, 1)
    assert report.score == pytest.approx(100 * (1 - (1 / 12) / sum(p.weight for p in report.parts)), rel=1e-12)


def test_what_reactions_conserve_is_told_with_its_total(tiny_sbml):
    assert examine(Subject("tiny", tiny_sbml)).conserved == (("A + B", 10.0),)


def test_what_rules_and_events_set_is_not_conserved(tmp_path):
    path = tmp_path / "m.ant"
    path.write_text(TINY.replace("  fraction has dl", "  at (S > 1): A = 5;\n  fraction has dl"))
    assert examine(Subject("m", compile_file(path).sbml)).conserved == ()


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://identifiers.org/CHEBI:17634", ("chebi", "17634")),
        ("https://identifiers.org/uniprot:P12345", ("uniprot", "P12345")),
        ("http://identifiers.org/obo.go/GO:0005623", ("go", "0005623")),
        ("http://identifiers.org/ec-code/2.7.1.1", ("ec", "2.7.1.1")),
        ("urn:miriam:obo.chebi:CHEBI%3A17634", ("chebi", "17634")),
        ("urn:miriam:kegg.compound:C00031", ("kegg.compound", "C00031")),
        ("http://purl.obolibrary.org/obo/GO_0005623", ("go", "0005623")),
        ("https://identifiers.org/nothing:1", None),
        ("http://example.org/17634", None),
        ("glucose", None),
    ],
)
def test_annotations_of_any_age_are_understood(uri, expected):
    assert terms.resolved(uri) == expected
