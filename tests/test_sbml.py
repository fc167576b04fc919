import re

import pytest

import metaflammation as mf
from metaflammation import reading, sbml
from metaflammation.compile import compile_file
from metaflammation.errors import ModelError

ROOT = '<?xml version="1.0" encoding="UTF-8"?><sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" '

BROKEN = [
    pytest.param("a.xml", b"<html/>", "is not SBML", id="not SBML"),
    pytest.param("a.xml", b"hello", "is not SBML", id="not XML"),
    pytest.param("a.xml", b"", "is empty", id="empty"),
    pytest.param("a.xml", b" \n\t\n", "is empty", id="blanks"),
    pytest.param("a.xml", b"<sbml>\xe9</sbml>", r"is not UTF-8 text \(byte 6\)", id="not UTF-8"),
    pytest.param("a.xml", (ROOT + 'level="3" version="2"/>').encode(), "holds no model", id="no model"),
    pytest.param("a.ant", b"model x()\n// \xe9\nend\n", "is not UTF-8 text", id="Antimony not UTF-8"),
    pytest.param("a.ant", b"", "is empty", id="empty Antimony"),
]


@pytest.mark.parametrize(("name", "content", "reason"), BROKEN)
def test_broken_file_is_refused_with_its_name(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelError, match=rf"{re.escape(str(path))}: .*{reason}"):
        mf.load(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_truncated_sbml_is_refused(tmp_path, tiny_sbml, part):
    path = tmp_path / "half.xml"
    path.write_text(tiny_sbml[: int(part * len(tiny_sbml))])
    with pytest.raises(ModelError, match=r"half\.xml, line \d+: is no well-formed XML"):
        mf.load(path)


def test_reference_to_a_species_that_does_not_exist_is_refused(tmp_path, tiny_sbml):
    path = tmp_path / "dangling.xml"
    broken = tiny_sbml.replace('<speciesReference species="A"', '<speciesReference species="nobody"')
    assert broken != tiny_sbml
    path.write_text(broken)
    with pytest.raises(ModelError, match=r"dangling\.xml: is not sound SBML"):
        mf.load(path)


@pytest.mark.parametrize("name", ["a.xml", "a.ant"])
def test_missing_file_is_named(tmp_path, name):
    with pytest.raises(ModelError, match=rf"{name}: there is no such file"):
        mf.load(tmp_path / name)


@pytest.mark.parametrize("name", ["folder.xml", "folder.ant", "folder"])
def test_folder_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(ModelError, match=rf"{name}: is a folder; name a file"):
        mf.load(tmp_path / name)


def test_file_that_the_system_refuses_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.xml"
    path.write_text("<sbml/>")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(ModelError, match=r"a\.xml: cannot be read \(Permission denied\)"):
        reading.read_text(path)


def test_sound_document_has_no_findings(tiny_sbml):
    assert sbml.findings(tiny_sbml) == []


def test_finding_tells_code_severity_line_and_message(tiny_sbml):
    broken = tiny_sbml.replace('value="0.1" units="per_min"', 'value="0.1" units="nM"')
    found = sbml.findings(broken)
    assert {f.severity for f in found} == {"Warning"}
    assert 0 < found[0].line <= len(broken.splitlines())
    assert "units" in found[0].message
    assert str(found[0]).startswith(f"libSBML warning {found[0].code}, line {found[0].line}: ")


def test_findings_include_modelling_practice(tiny_sbml):
    without_value = re.sub(r'(id="k_off"[^>]*) value="0.1"', r"\1", tiny_sbml)
    assert without_value != tiny_sbml
    assert any("k_off" in f.message for f in sbml.findings(without_value))


@pytest.mark.parametrize(
    "category",
    ["GENERAL", "IDENTIFIER", "UNITS", "MATHML", "SBO", "OVERDETERMINED", "MODELING_PRACTICE"],
)
def test_every_category_of_checks_is_switched_on(tiny_sbml, monkeypatch, category):
    import libsbml

    number = next(getattr(libsbml, n) for n in dir(libsbml) if n.startswith(f"LIBSBML_CAT_{category}"))
    switched = {}
    monkeypatch.setattr(libsbml.SBMLDocument, "setConsistencyChecks", lambda _, n, on: switched.update({n: on}))
    sbml.findings(tiny_sbml)
    assert switched.get(number) is True


def test_elements_tell_kind_unit_value_and_what_computes_them(tiny_sbml):
    found = sbml.elements(tiny_sbml)
    summary = {i: (e.kind, e.unit.label, e.constant, e.assigned, e.value) for i, e in found.items()}
    assert summary == {
        "cell": ("compartment", "l", True, False, 1.0),
        "S": ("species", "nM", False, False, 1.0),
        "A": ("species", "nM", False, False, None),
        "B": ("species", "nM", False, False, 0.0),
        "F": ("species", "nM", False, False, 2.0),
        "f_total": ("parameter", "", True, False, 1.0),
        "A_ref": ("parameter", "nM", True, False, 10.0),
        "fraction": ("parameter", "", False, True, None),
        "k_on": ("parameter", "1/(nM min)", True, False, 0.1),
        "k_off": ("parameter", "1/min", True, False, 0.1),
        "on": ("reaction", "nmol", False, False, None),
        "off": ("reaction", "nmol", False, False, None),
    }


def test_elements_tell_name_sbo_and_annotations(tiny_sbml):
    element = sbml.elements(tiny_sbml)["S"]
    assert (element.name, element.sbo) == ("signal", "SBO:0000247")
    assert element.resources == (("bqbiol:isVersionOf", "https://identifiers.org/CHEBI:17634"),)


def test_value_set_by_a_rate_rule_is_not_assigned(tmp_path):
    path = tmp_path / "m.ant"
    path.write_text("x' = k; x = 3; k = 1\n")
    element = sbml.elements(compile_file(path).sbml)["x"]
    assert (element.constant, element.assigned) == (False, False)


def test_species_given_by_amount_has_its_concentration_as_value(tiny_sbml):
    by_amount = tiny_sbml.replace('initialConcentration="2"', 'initialAmount="6"').replace('size="1"', 'size="3"')
    assert sbml.elements(by_amount)["F"].value == pytest.approx(2.0, rel=1e-15)


def test_species_of_a_level_2_document_has_the_unit_of_a_concentration(tiny_sbml):
    assert sbml.elements(sbml.to_level(tiny_sbml, 2, 4))["S"].unit.label == "nM"


@pytest.mark.parametrize(("level", "version"), [(3, 1), (2, 5), (2, 4)])
def test_document_is_written_at_another_level(tiny_sbml, level, version):
    converted = sbml.to_level(tiny_sbml, level, version)
    assert f'level="{level}" version="{version}"' in converted
    assert sbml.elements(converted).keys() == sbml.elements(tiny_sbml).keys()


def test_level_that_cannot_hold_the_model_is_refused(tiny_sbml):
    with pytest.raises(ModelError, match="x: cannot be written as Level 1 Version 2: libSBML"):
        sbml.to_level(tiny_sbml, 1, 2, "x")


def test_hierarchical_document_is_flattened(tmp_path):
    path = tmp_path / "m.ant"
    path.write_text(
        "model part()\n  compartment c = 1; species S in c = 1; S -> ; k*S; k = 1;\nend\n"
        "model *whole()\n  P: part(); Q: part(); compartment c = 1; species S in c = 1; P.S is S; Q.S is S;\nend\n"
    )
    compiled = compile_file(path)
    flat = sbml.flatten(compiled.comp)
    assert "comp:" not in re.sub(r"xmlns:comp=\S+|comp:required=\S+", "", flat)
    species = {i for i, e in sbml.elements(compiled.sbml).items() if e.kind == "species"}
    assert len(species) == len([e for e in sbml.elements(flat).values() if e.kind == "species"]) == 1
