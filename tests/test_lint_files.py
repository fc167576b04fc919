"""Lint of strangers' files: no crash, every finding told in full; what is damaged or hostile costs one line."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import metaflammation as mf
from metaflammation import starter
from metaflammation.compile import compile_file
from metaflammation.errors import CompileError, DataError, MetaflammationError, ModelError
from metaflammation.guarded import Guarded
from metaflammation.lint import RULES, SEVERITIES, run
from metaflammation.report import lint_pages

FOREIGN = Path(__file__).parent / "foreign"
DOCS = Path(__file__).parent.parent / "docs"
with (FOREIGN / "sources.tsv").open(encoding="utf-8") as table:
    SOURCES = {row["file"]: row for row in csv.DictReader(table, delimiter="\t")}

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
ROOT = '<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2">'
L3V1 = "http://www.sbml.org/sbml/level3/version1"
MATH = '<math xmlns="http://www.w3.org/1998/Math/MathML">'
X = '<model><listOfParameters><parameter id="x" constant="false"/></listOfParameters><listOfRules>'
ENTITIES = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(10))


def with_rule(math):
    rule = f'<assignmentRule variable="x">{MATH}{math}</math></assignmentRule>'
    return f"{HEAD}{ROOT}{X}{rule}</listOfRules></model></sbml>"


def level_1(formula):
    return (
        f'{HEAD}<sbml xmlns="http://www.sbml.org/sbml/level1" level="1" version="2"><model><listOfCompartments>'
        '<compartment name="c"/></listOfCompartments><listOfParameters><parameter name="x" value="1"/>'
        f'</listOfParameters><listOfRules><parameterRule name="x" formula="{formula}"/></listOfRules></model></sbml>'
    )


SOUND = (FOREIGN / "functiondef.xml").read_text("utf-8")
HOSTILE = {
    "truncated": (SOUND[:1500], "is no well-formed XML"),
    "not XML": ("this is no model", "is not SBML"),
    "another XML": ("<html><body/></html>", "is not SBML"),
    "empty": ("", "is empty"),
    "blanks": (" \n ", "is empty"),
    "wrong encoding": (SOUND.replace("<model", "<!-- \xe9 --><model").encode("latin-1"), "is not UTF-8 text"),
    "unknown encoding": (SOUND.replace("UTF-8", "KLINGON", 1), "declares the encoding KLINGON, which is unknown"),
    "compressed": (b"\x1f\x8b\x08\x00rest", "is compressed; unpack it first"),
    "zero bytes": (b"\x00" * 5000, "is not"),
    "entity bomb": (
        f"{HEAD}<!DOCTYPE sbml [<!ENTITY a 'lol'>{ENTITIES}]>{ROOT}<model><notes><p>&k;</p></notes></model></sbml>",
        "declares XML entities",
    ),
    "external entity": (
        f"{HEAD}<!DOCTYPE sbml [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>{ROOT}<model><notes>&a;</notes></model></sbml>",
        "declares XML entities",
    ),
    "enormous attribute": (f'{HEAD}{ROOT}<model id="{"a" * 20_000_000}"/></sbml>', "the attribute id has 20 million"),
    "deep notes": (f"{HEAD}{ROOT}<model><notes>{'<p>' * 100_000}", "elements lie more than 1000 deep"),
    "deep formula": (with_rule(f"{'<apply><minus/>' * 100_000}<cn>1</cn>"), "elements lie more than 1000 deep"),
    "wide formula": (with_rule(f"<apply><plus/>{'<cn>1</cn>' * 60_000}</apply>"), "libSBML crashed on it"),
    "long infix formula": (level_1("1+" * 100_000 + "1"), "libSBML crashed on it"),
    "no model": (f"{HEAD}{ROOT}</sbml>", "holds no model"),
    "unknown package": (
        HEAD + ROOT[:-1] + f' xmlns:arrays="{L3V1}/arrays/version1" arrays:required="true"><model/></sbml>',
        "needs the SBML package arrays, which libSBML does not know",
    ),
}


def command(*arguments, timeout=100):
    """Run the command line in a process with little memory to spare; return its exit code, output and error."""
    limited = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"
        "from metaflammation.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, *map(str, arguments)],
        capture_output=True, encoding="utf-8", timeout=timeout, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def foreign():
    """Return the report of each foreign file."""
    found = list(run.reports(run.targets(FOREIGN), {}))
    broken = [str(f) for f in found if isinstance(f, MetaflammationError)]
    assert broken == []
    return {Path(report.name).name: report for report in found}


def test_foreign_files_and_their_sources_are_the_same():
    assert {p.name for p in FOREIGN.iterdir()} - {"README.md", "sources.tsv"} == set(SOURCES)
    assert all(row["source"] and row["licence"] for row in SOURCES.values())


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_findings_in_a_foreign_file_are_told_in_full(foreign, name):
    report = foreign[name]
    for finding in report.findings:
        assert finding.rule
        assert finding.severity in {"error", "warning", "info"}
        assert finding.element
        assert finding.message
        assert (finding.code > 0) == (finding.rule == "LIBSBML")
    assert 0 <= report.score <= 100
    assert report.seconds > 0
    assert not report.held_to_all


def test_foreign_files_cover_what_people_have(foreign):
    assert len(foreign) >= 20
    levels = {(r.level, r.version) for r in foreign.values()}
    assert {(1, 2), (2, 1), (2, 2), (2, 3), (2, 4), (2, 5), (3, 1), (3, 2)} <= levels
    assert {"fbc", "comp", "layout", "distrib", "multi"} <= {p for r in foreign.values() for p in r.packages}
    texts = [p.read_text("utf-8", errors="replace") for p in FOREIGN.glob("*.xml")]
    for mark in ("symbols/delay", 'fast="true"', "<listOfEvents", "<listOfFunctionDefinitions", "<algebraicRule"):
        assert any(mark in text for text in texts), mark


@pytest.mark.parametrize(
    ("name", "rule", "element"),
    [
        pytest.param("overdetermined.xml", "LIBSBML", "model example", id="an error of libSBML"),
        pytest.param("BIOMD0000000060.xml", "UNITS", "reaction Open_state_2", id="a rate law of another unit"),
        pytest.param("linearPathwayOpen.xml", "UNIT", "parameter k1", id="a parameter without unit"),
        pytest.param("BIOMD0000000040_l1v2.xml", "UNUSED", "parameter f", id="a parameter that nothing reads"),
        pytest.param("simple-L2-layout.xml", "MOIETY", "species Node0, Node1", id="nothing there, ever"),
        pytest.param("latin1.xml", "ORPHAN", "species S1", id="a species without reaction"),
        pytest.param("non_ascii.xml", "MIRIAM", "species S2", id="a species without annotation"),
    ],
)
def test_foreign_file_has_the_finding(foreign, name, rule, element):
    assert (rule, element) in {(f.rule, f.element) for f in foreign[name].findings}


def test_no_rule_of_ours_fires_on_strangers(foreign):
    ours = {r.id for r in RULES if r.catalogue}
    assert ours
    assert ours.isdisjoint(f.rule for r in foreign.values() for f in r.findings)


def test_what_packages_refer_to_is_in_use(foreign):
    found = {f.element for name in ("fbc_v2.xml", "spt_kidney.xml") for f in foreign[name].findings}
    assert not [f for f in foreign["fbc_v2.xml"].findings if f.rule == "UNUSED"], found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_refused_in_one_line(folder, name):
    content, reason = HOSTILE[name]
    path = folder / "bad.xml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ModelError) as refused:
        mf.lint_file("bad.xml")
    assert str(refused.value).startswith("bad.xml")
    assert reason in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("name", ["truncated", "entity bomb", "enormous attribute", "deep notes", "wide formula"])
def test_hostile_file_costs_one_line_and_no_memory(folder, name):
    (folder / "bad.xml").write_text(HOSTILE[name][0], "utf-8")
    code, out, error = command("lint", "bad.xml")
    assert (code, out) == (2, "")
    assert error.count("\n") == 1
    assert error.startswith("error: bad.xml")


@pytest.mark.parametrize("name", ["entity bomb", "wide formula", "unknown package"])
def test_other_commands_read_through_the_same_guard(folder, name):
    (folder / "bad.xml").write_text(HOSTILE[name][0], "utf-8")
    with pytest.raises(ModelError, match=HOSTILE[name][1]):
        mf.load("bad.xml")


def test_file_that_takes_too_long_is_stopped(folder):
    (folder / "slow.xml").write_text(SOUND, "utf-8")
    (found,) = run.reports(run.targets("slow.xml"), {}, time_limit=0.001)
    assert str(found) == "slow.xml: took longer than 0.001 s and was stopped"


def test_worker_that_needs_too_much_memory_is_an_error():
    with Guarded(run.WORKER, memory=1 << 20) as worker, pytest.raises(ModelError, match="x"):
        worker.ask({"do": "sound", "name": "x", "text": SOUND}, "x")


def test_a_crash_does_not_spoil_the_next_file(folder):
    (folder / "a.xml").write_text(HOSTILE["wide formula"][0], "utf-8")
    (folder / "b.xml").write_text(SOUND, "utf-8")
    first, second = run.reports(run.targets("."), {})
    assert isinstance(first, ModelError)
    assert second.sizes["species"] == 2


def test_hostile_document_of_a_collection_is_refused(folder):
    made = starter.create(folder / "mine")
    (made / "models" / "mine" / "mine.xml").write_text(HOSTILE["wide formula"][0], "utf-8")
    for read in (mf.load, mf.lint_file):
        with pytest.raises(ModelError, match="libSBML crashed on it"):
            read(made)


def test_antimony_that_grows_without_end_is_stopped(folder):
    doubled = "".join(f"model m{n}()\n A: m{n - 1}(); B: m{n - 1}();\nend\n" for n in range(1, 40))
    (folder / "grows.ant").write_text(f"model m0()\n a=1;\nend\n{doubled}", "utf-8")
    with pytest.raises(CompileError, match=r"grows\.ant: Antimony (crashed|took longer)"):
        compile_file(folder / "grows.ant", time_limit=5)


@pytest.mark.parametrize("kind", ["folder without models", "pipe", "large"])
def test_what_is_no_model_is_refused(folder, kind):
    if kind == "folder without models":
        (folder / "x").mkdir()
        (folder / "x" / "manifest.xml").write_text("<manifest/>")
        reason = "x: holds no file of SBML or Antimony"
    elif kind == "pipe":
        os.mkfifo(folder / "x")
        reason = "x: is no regular file"
    else:
        with (folder / "x").open("wb") as file:
            file.truncate(300_000_000)
        reason = "x: is too large (300 MB; at most 200 MB are read)"
    with pytest.raises(ModelError, match=re.escape(reason)):
        mf.lint_file("./x")


def test_folder_with_a_damaged_file_tells_the_rest(folder):
    (folder / "a.xml").write_text(SOUND[:900], "utf-8")
    (folder / "b.xml").write_text(SOUND, "utf-8")
    code, out, error = command("lint", ".")
    assert code == 2
    assert "b.xml: SBML Level 2 Version 4" in out
    assert error.startswith("error: a.xml, line ")
    assert error.count("\n") == 1


def test_json_tells_rules_findings_parts_and_seconds(folder):
    (folder / "a.xml").write_text(SOUND, "utf-8")
    code, out, _ = command("lint", "a.xml", "--format", "json", "--off", "MIRIAM=no real molecules")
    told = json.loads(out)
    document = told["documents"][0]
    assert code == (1 if any(f["severity"] != "info" for f in document["findings"]) else 0)
    assert {f["rule"] for f in document["findings"]} == set(told["rules"])
    assert all(rule["reason"] for rule in told["rules"].values())
    assert document["switched_off"] == [["MIRIAM", "no real molecules", 3]]
    assert document["seconds"] > 0
    assert {"weight", "total", "fulfilled", "title"} <= set(document["parts"][0])


def test_markdown_has_a_row_for_each_finding(folder):
    (folder / "a.xml").write_text(SOUND, "utf-8")
    _, out, _ = command("lint", "a.xml", "--format", "markdown")
    report = mf.lint_file(folder / "a.xml")
    rows = [line for line in out.splitlines() if line.startswith(("| info", "| warning", "| error"))]
    assert len(rows) == len(report.findings) == len(report.to_frame())


def test_settings_of_a_folder_switch_rules_off(folder):
    (folder / "a.xml").write_text(SOUND, "utf-8")
    (folder / "lint.toml").write_text('[off]\nMIRIAM = "no real molecules"\n', "utf-8")
    assert mf.lint_file(folder / "a.xml").switched_off == (("MIRIAM", "no real molecules", 3),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("[off]\nMIRIAM = ''", "without a reason", id="no reason"),
        pytest.param("[off]\nMIRAM = 'x'", "unknown rule 'MIRAM'; did you mean MIRIAM", id="no such rule"),
        pytest.param("MIRIAM = 'x'", r"write a table \[off\]", id="no table"),
        pytest.param("[off", "is no TOML", id="no TOML"),
    ],
)
def test_unsound_settings_are_refused(folder, text, reason):
    (folder / "a.xml").write_text(SOUND, "utf-8")
    (folder / "lint.toml").write_text(text, "utf-8")
    with pytest.raises(DataError, match=rf"lint\.toml.*{reason}"):
        mf.lint_file(folder / "a.xml")


def test_page_of_the_rules_is_current():
    page = (DOCS / "lint.md").read_text("utf-8")
    assert lint_pages.rules() in page
    assert all(f"| `{rule.id}` |" in page for rule in RULES)


def test_page_of_the_files_tells_what_is_found(foreign):
    rows = (DOCS / "foreign-files.md").read_text("utf-8").splitlines()
    told = {row.split(" | ")[0].removeprefix("| "): row.split(" | ") for row in rows if row.startswith("| ")}
    for name, report in foreign.items():
        assert told[name][3:7] == [*(str(report.count(s)) for s in SEVERITIES), f"{report.score:.0f}"], name
