import json
import re
import subprocess
from types import SimpleNamespace

import pytest

from conftest import RELATIVE, TINY
from metaflammation import compile as compiling
from metaflammation import library, sbml
from metaflammation.compile import compile_file, compile_model, compile_text
from metaflammation.errors import CompileError, ModelError


def test_name_in_relative_units_gives_the_unit_of_that_name_and_no_findings(tmp_path):
    path = tmp_path / "relative.ant"
    path.write_text(RELATIVE)
    compiled = compile_file(path).sbml
    assert re.search(r'<species [^>]*id="S"[^>]*substanceUnits="relative_amount"', compiled)
    assert compiled.count('substanceUnits="relative_amount"') == 1
    assert sbml.findings(compiled) == []
    found = sbml.elements(compiled)
    assert {found["S"].unit.label, found["S_ref"].unit.label} == {"relative to basal"}


def test_no_relative_unit_without_such_a_name(tiny_sbml):
    assert "relative_amount" not in tiny_sbml


def test_relative_name_without_its_unit_names_file_species_and_cure(tmp_path):
    path = tmp_path / "relative.ant"
    path.write_text(RELATIVE.replace("unit relative_amount = 1e-9 mole; ", ""))
    with pytest.raises(CompileError, match=r"relative\.ant.*species S .*needs 'unit relative_amount = 1e-9 mole'"):
        compile_file(path)


def test_relative_species_says_in_its_notes_that_no_amount_is_meant(tmp_path):
    path = tmp_path / "relative.ant"
    path.write_text(RELATIVE)
    model = sbml.document(compile_file(path).sbml, "x").getModel()
    assert "no physical amount is meant" in model.getSpecies("S").getNotesString()
    assert not model.getSpecies("A").isSetNotes()


def test_element_whose_name_equals_its_id_keeps_a_name(tmp_path):
    path = tmp_path / "m.ant"
    path.write_text(TINY.replace('F is "feed"', 'F is "F"'))
    assert sbml.elements(compile_file(path).sbml)["F"].name == "F"


def test_minute_is_written_as_sixty_seconds(tiny_sbml):
    assert re.search(r'<unit kind="second" exponent="1" scale="0" multiplier="60"/>', tiny_sbml)


def test_units_are_named_by_their_labels(tiny_sbml):
    assert 'id="per_nM_min" name="1/(nM min)"' in tiny_sbml
    assert 'name="dimensionless"' in tiny_sbml


def test_syntax_error_names_file_and_line(tmp_path):
    path = tmp_path / "broken.ant"
    path.write_text(TINY.replace("cell*k_off*B;", "cell*k_off*;"))
    line = next(n for n, text in enumerate(path.read_text().splitlines(), start=1) if "k_off*;" in text)
    with pytest.raises(CompileError, match=rf"{re.escape(str(path))}, line {line}: .*syntax error"):
        compile_file(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("// nothing\n", "holds no model", id="only a comment"),
        pytest.param('import "nowhere.ant"\nmodel *m()\n N: nowhere();\nend\n', "line 1: .*nowhere", id="lost import"),
    ],
)
def test_source_that_gives_no_model_is_refused(tmp_path, text, reason):
    path = tmp_path / "m.ant"
    path.write_text(text)
    with pytest.raises(CompileError, match=rf"m\.ant.*{reason}"):
        compile_file(path)


def test_sbml_in_place_of_antimony_is_told(tmp_path, tiny_sbml):
    path = tmp_path / "m.ant"
    path.write_text(tiny_sbml)
    with pytest.raises(CompileError, match=r"m\.ant: is SBML, not Antimony; give it the ending \.xml"):
        compile_file(path)


def test_missing_source_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"m\.ant: there is no such file"):
        compile_file(tmp_path / "m.ant")


def answer(**done):
    return lambda *_, **__: subprocess.CompletedProcess([], **({"returncode": 0, "stdout": b"", "stderr": b""} | done))


@pytest.mark.parametrize(
    ("done", "reason"),
    [
        pytest.param({"returncode": -11}, r"Antimony crashed \(signal 11\)", id="crash"),
        pytest.param({"returncode": 1, "stderr": b"no antimony"}, "did not run: no antimony", id="failure"),
        pytest.param({"stdout": json.dumps({"error": "odd"}).encode()}, r"tiny\.ant: odd", id="error without line"),
        pytest.param({"stdout": b""}, r"tiny\.ant", id="no answer"),
        pytest.param({"stdout": b"chatter"}, r"tiny\.ant", id="answer that is no JSON"),
    ],
)
def test_child_process_that_fails_is_a_compile_error(tiny_ant, monkeypatch, done, reason):
    monkeypatch.setattr(compiling.subprocess, "run", answer(**done))
    with pytest.raises(CompileError, match=reason):
        compile_file(tiny_ant)


def test_real_crash_of_the_child_is_a_compile_error(tiny_ant, monkeypatch):
    monkeypatch.setattr(compiling.sys, "executable", "/bin/sh")
    run = subprocess.run
    killed = ["/bin/sh", "-c", "kill -SEGV $$"]
    monkeypatch.setattr(compiling.subprocess, "run", lambda _, **options: run(killed, **options))
    with pytest.raises(CompileError, match=r"tiny\.ant: Antimony crashed \(signal 11\)"):
        compile_file(tiny_ant)


def test_time_limit_is_a_compile_error(tiny_ant):
    with pytest.raises(CompileError, match=r"tiny\.ant: Antimony took longer than 0\.001 s"):
        compile_file(tiny_ant, time_limit=0.001)


def test_submodels_give_a_hierarchical_document_too(tmp_path):
    path = tmp_path / "m.ant"
    path.write_text(TINY.replace("*tiny", "tiny") + "model *whole()\n  P: tiny(); Q: tiny();\nend\n")
    compiled = compile_file(path)
    assert "<comp:submodel " in compiled.comp
    assert {"P_A", "Q_A"} <= sbml.elements(compiled.sbml).keys()


def test_model_without_submodels_has_no_hierarchical_document(tiny_ant):
    assert compile_file(tiny_ant).comp == ""


def test_compiled_model_is_the_same_to_the_byte_in_fresh_processes(fresh_python, tiny_ant):
    code = "import sys; from metaflammation.compile import compile_file; print(compile_file(sys.argv[1]).sbml)"
    code = code.replace("sys.argv[1]", "__import__('pathlib').Path(sys.argv[1])")
    runs = [fresh_python(code, tiny_ant, PYTHONHASHSEED=seed) for seed in ("1", "2")]
    assert runs[0] == runs[1]
    assert 'id="tiny"' in runs[0]


def test_catalogue_model_with_a_finding_does_not_compile(monkeypatch):
    found = [sbml.Finding(99508, "Warning", 7, "units are missing")]
    monkeypatch.setattr(compiling.sbml, "findings", lambda *_: found)
    with pytest.raises(CompileError, match=r"libSBML has 1 finding\(s\); the first: libSBML warning 99508, line 7"):
        compile_model(library.find("insulin_cascade"))


def test_text_finds_its_imports_in_the_folder(tiny_ant):
    text = compile_text('import "tiny.ant"\nmodel *whole()\n  P: tiny();\nend\n', tiny_ant.parent)
    assert "P_A" in sbml.elements(text)


def test_metadata_is_escaped_in_the_notes(tiny_sbml):
    entry = library.metadata().models["insulin_cascade"]
    entry = entry.model_copy(update={"title": "A & B <i>", "description": "x < y"})
    described = compiling._describe(tiny_sbml, SimpleNamespace(id="m", metadata=entry, collection=None))
    model = sbml.document(described, "m").getModel()
    assert model.getName() == "A & B <i>"
    assert "A &amp; B &lt;i&gt;" in model.getNotesString()
    assert "x &lt; y" in model.getNotesString()
