"""What changed between two models is said exactly, and what it does to the experiments is measured."""

import json
import subprocess

import pytest

import metaflammation as mf
from conftest import TINY
from metaflammation import diff, library, sbml, starter
from metaflammation.build import build
from metaflammation.compile import compile_file
from metaflammation.errors import ModelError
from metaflammation.report import differences
from metaflammation.revisions import folder_of


def tiny_as(folder, *changes):
    """Return the tiny model with texts of its source replaced."""
    text = TINY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "tiny.ant"
    path.write_text(text, "utf-8")
    return mf.Model("tiny", compile_file(path).sbml, None)


CHANGES = {
    "value": ((("k_off = 0.1", "k_off = 0.2"),), [("parameter", "k_off", "value", "0.1 1/min", "0.2 1/min")]),
    "renamed species": (
        tuple((text, text.replace("S", "T", 1)) for text in ("S in", "S is", "S.sbo", "S hyp", "*S*")),
        [("species", "T", "renamed", "S", "T")],
    ),
    "rate law": (
        (("cell*k_off*B", "cell*k_off*B*f_total"),),
        [("reaction", "off", "rate law", "cell * k_off * B", "cell * k_off * B * f_total")],
    ),
    "unit": (
        (("k_off has per_min", "unit per_s = 1/second; k_off has per_s"),),
        [("parameter", "k_off", "unit", "1/min", "1 1/s")],
    ),
    "name": ((('"signal"', '"stimulus"'),), [("species", "S", "name", "signal", "stimulus")]),
    "SBO term": (
        (("A.sboTerm = 247", "A.sboTerm = 252"),),
        [("species", "A", "SBO term", "SBO:0000247", "SBO:0000252")],
    ),
    "annotation": (
        (('B hypernym "https://identifiers.org/CHEBI:17634"', 'B hypernym "https://identifiers.org/CHEBI:1"'),),
        [
            (
                "species", "B", "annotations", "bqbiol:isVersionOf https://identifiers.org/CHEBI:17634",
                "bqbiol:isVersionOf https://identifiers.org/CHEBI:1",
            )
        ],
    ),
    "modifier": (
        (("cell*k_off*B", "cell*k_off*B*F/A_ref"),),
        [
            ("reaction", "off", "modifiers", "", "F"),
            ("reaction", "off", "rate law", "cell * k_off * B", "cell * k_off * B * F / A_ref"),
        ],
    ),
    "rule": (
        (("fraction := B/(A + B)", "fraction := A/(A + B)"),),
        [("parameter", "fraction", "rule", "B / (A + B)", "A / (A + B)")],
    ),
    "boundary": (
        (("species S in", "species $S in"),),
        [("species", "S", "boundary condition", "no", "yes")],
    ),
    "start": ((("A = f_total*A_ref", "A = A_ref"),), [("species", "A", "initial value", "f_total * A_ref", "A_ref")]),
    "added": (
        (("  fraction has dl", '  const extra = 2 dl; extra is "more"; extra.sboTerm = 9;\n  fraction has dl'),),
        [("parameter", "extra", "added", "", "2")],
    ),
    "nothing": ((), []),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_what_changed_is_said_exactly(case, tiny, tmp_path):
    changes, expected = CHANGES[case]
    found = diff.compare(tiny, tiny_as(tmp_path, *changes))
    assert [(c.kind, c.id, c.what, c.before, c.after) for c in found.changes] == expected
    assert bool(found) is bool(expected)


def test_what_is_gone_is_said(tiny, tmp_path):
    changes, _ = CHANGES["added"]
    found = diff.compare(tiny_as(tmp_path, *changes), tiny)
    assert [(c.id, c.what, c.before) for c in found.changes] == [("extra", "removed", "2")]


def test_an_element_renamed_in_id_and_name_is_known_by_what_else_is_said_of_it(tiny, tmp_path):
    changes = [("k_off", "k_back"), ('"rate constant of switching off"', '"switching back"')]
    assert diff.renames(tiny, tiny_as(tmp_path, *changes)) == {"k_off": "k_back"}
    alike = (
        "  fraction has dl",
        '  const like = 0.1; like has per_min; like is "like"; like.sboTerm = 9;\n  fraction has dl',
    )
    assert diff.renames(tiny, tiny_as(tmp_path, *changes, alike)) == {}


@pytest.fixture(scope="module")
def faster(tmp_path_factory):
    """Return the insulin cascade with faster dissociation, renamed Akt, and its own experiments."""
    path = tmp_path_factory.mktemp("f") / "insulin_cascade.xml"
    ours = mf.load("insulin_cascade")
    text = ours.sbml.replace('id="k_off"', 'id="k_off_insulin"').replace("<ci> k_off </ci>", "<ci> k_off_insulin </ci>")
    path.write_text(text.replace('value="0.255"', 'value="0.51"'), "utf-8")
    return mf.load(path)


def test_effects_are_the_largest_changes_over_the_experiments(faster):
    ours = mf.load("insulin_cascade")
    found = diff.compare(ours, faster)
    assert [(c.id, c.what) for c in found.changes] == [("k_off_insulin", "renamed"), ("k_off_insulin", "value")]
    effect = next(e for e in found.effects if e.observable == "glucose_uptake")
    assert 0.05 < effect.share < 1
    course = ours.simulate("rat_dose_response", dose=1.0)["glucose_uptake"]
    arm = effect.experiment.rpartition("__")[0] or effect.experiment
    assert arm in ours.experiments
    assert course.name == effect.observable
    assert [e.share for e in found.effects] == sorted((e.share for e in found.effects), reverse=True)


def test_text_says_the_factor_and_the_largest_effects(faster):
    shown = differences.text(diff.compare(mf.load("insulin_cascade"), faster))
    assert "insulin_cascade -> insulin_cascade: 2 changes" in shown
    assert 'parameter k_off_insulin "dissociation rate constant of insulin and its receptor"' in shown
    assert "renamed, was k_off" in shown
    assert "value: 0.255 1/min -> 0.51 1/min (x 2)" in shown
    assert "(glucose_uptake): " in shown


def test_markdown_and_json_say_the_same(faster):
    found = diff.compare(mf.load("insulin_cascade"), faster)
    data = json.loads(differences.as_json(found))
    assert data["different"] is True
    assert [c["what"] for c in data["changes"]] == ["renamed", "value"]
    assert len(data["effects"]) == len(found.effects)
    page = differences.markdown(found)
    assert page.count("\n| parameter k_off_insulin") == 2


def test_experiment_that_is_new_or_gone_is_named():
    ours = mf.load("insulin_cascade")
    theirs = mf.load("insulin_cascade")
    theirs.experiments = {k: e for k, e in ours.experiments.items() if k != "insulin_step_10nM"}
    assert "experiment insulin_step_10nM is gone" in diff.compare(ours, theirs).not_compared
    assert "experiment insulin_step_10nM is new" in diff.compare(theirs, ours).not_compared


@pytest.fixture
def repository(tmp_path):
    """Return a git repository with a collection of two revisions, the second with another rate constant."""
    with library.find("insulin_cascade").source as source:
        root = source.parents[1]
        for name in ("metadata.toml", "references.bib", "annotations.tsv"):
            (tmp_path / "models" / "insulin_cascade").mkdir(parents=True, exist_ok=True)
            (tmp_path / "models" / name).write_bytes((root / name).read_bytes())
        for path in source.parent.iterdir():
            (tmp_path / "models" / "insulin_cascade" / path.name).write_bytes(path.read_bytes())
        validation = tmp_path / "validation" / "insulin_cascade"
        validation.mkdir(parents=True)
        for path in (root.parent / "validation" / "insulin_cascade").iterdir():
            (validation / path.name).write_bytes(path.read_bytes())

    def git(*arguments):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        command = ["git", *identity, *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    git("init")
    git("add", "-A")
    git("commit", "-m", "one")
    xml = tmp_path / "models" / "insulin_cascade" / "insulin_cascade.xml"
    xml.write_text(xml.read_text("utf-8").replace('value="0.255"', 'value="0.51"'), "utf-8")
    git("commit", "-am", "two")
    return tmp_path


def test_revisions_of_a_repository_are_compared(repository):
    with folder_of("HEAD~1", repository) as old, folder_of("HEAD", repository) as new:
        found = diff.compare(mf.load(old), mf.load(new))
    assert [(c.id, c.what) for c in found.changes] == [("k_off", "value")]
    assert found.effects


@pytest.mark.parametrize("revision", ["HEAD~9", "nothing", "--output=x"])
def test_unknown_revision_is_refused(repository, revision):
    with pytest.raises(ModelError, match="revision"), folder_of(revision, repository):
        pass


def test_a_finer_or_longer_protocol_of_the_same_model_changes_nothing():
    ours, theirs = mf.load("insulin_cascade"), mf.load("insulin_cascade")
    theirs.experiments = {
        k: e.model_copy(update={"points": 31, "duration": e.duration + 60}) for k, e in ours.experiments.items()
    }
    found = diff.compare(ours, theirs)
    assert found.compared > 0
    assert [(e.observable, e.share) for e in found.effects if e.share > 1e-4] == []


def test_files_without_experiments_are_compared_by_what_they_state(tiny, tmp_path):
    found = diff.compare(tiny, tiny_as(tmp_path, ("k_off = 0.1", "k_off = 0.2")))
    assert found.compared == 0
    assert "No experiment was compared." in differences.text(found)


@pytest.mark.parametrize("turned", [False, True], ids=["file second", "file first"])
def test_experiments_of_a_model_run_in_a_file_with_another_name_for_the_input(turned, tmp_path):
    ours = mf.load("insulin_cascade")
    path = tmp_path / "own.xml"
    text = ours.sbml.replace('id="insulin"', 'id="hormone"').replace("<ci> insulin </ci>", "<ci> hormone </ci>")
    path.write_text(text.replace('species="insulin"', 'species="hormone"'), "utf-8")
    pair = (ours, mf.load(path))
    found = diff.compare(*(reversed(pair) if turned else pair))
    assert [c.what for c in found.changes] == ["renamed"]
    assert found.compared == sum(len(e.arms) for e in ours.experiments.values())
    assert [e for e in found.effects if e.share > 1e-4] == []


SAID = {
    "value": '  parameter k_off "rate constant of switching off"\n    value: 0.1 1/min -> 0.2 1/min (x 2)\n',
    "renamed species": '  species T "signal"\n    renamed, was S\n',
    "rate law": ('  reaction off "switching off"\n    rate law: cell * k_off * B -> cell * k_off * B * f_total\n'),
    "unit": '  parameter k_off "rate constant of switching off"\n    unit: 1/min -> 1 1/s\n',
}


@pytest.mark.parametrize("case", SAID)
def test_a_change_is_said_in_these_words_and_no_more(case, tiny, tmp_path):
    shown = differences.text(diff.compare(tiny, tiny_as(tmp_path, *CHANGES[case][0])))
    assert shown == f"tiny -> tiny: 1 change\n{SAID[case]}No experiment was compared.\n"


ATTRIBUTES = {
    "dimensions": (
        'spatialDimensions="3"',
        'spatialDimensions="2"',
        ("compartment", "cell", "spatial dimensions", "", "2"),
    ),
    "unit of time": (' timeUnits="minute"', ' timeUnits="second"', ("model", "", "time units", "minute", "second")),
    "notes": (
        "<listOfUnitDefinitions>",
        '<notes><p xmlns="http://www.w3.org/1999/xhtml">seen</p></notes><listOfUnitDefinitions>',
        ("model", "", "notes", "", "seen"),
    ),
    "version": ("version2/core", "version1/core", ("document", "", "SBML", "Level 3 Version 2", "Level 3 Version 1")),
    "constraint": (
        "<listOfReactions>",
        (
            '<listOfConstraints><constraint><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><gt/><ci>A</ci><ci>B</ci>'
            "</apply></math></constraint></listOfConstraints><listOfReactions>"
        ),
        ("constraint", "1", "added", "", "A > B"),
    ),
}


@pytest.mark.parametrize("case", ATTRIBUTES)
def test_what_else_a_document_says_is_compared(case, tiny, tiny_sbml):
    old, new, expected = ATTRIBUTES[case]
    assert old in tiny_sbml
    text = sbml.to_level(tiny_sbml, 3, 1) if case == "version" else tiny_sbml.replace(old, new, 1)
    found = diff.compare(tiny, mf.Model("tiny", text, None)).changes
    assert [(c.kind, c.id, c.what, c.before, c.after) for c in found] == [expected]


@pytest.fixture(scope="module")
def collections(tmp_path_factory):
    """Return a new collection, and one in which an input has another name and the data about the model differ."""
    old, new = (starter.create(tmp_path_factory.mktemp(n) / "mine") for n in ("old", "new"))
    changes = {
        "models/mine/mine.ant": [("insulin", "hormone")],
        "validation/mine/experiments.yaml": [
            ("target: insulin", "target: hormone"),
            ("duration: 30 min", "duration: 40 min"),
        ],
        "validation/mine/conditions.tsv": [("\tinsulin\t", "\thormone\t"), ("k_off\t2", "k_off\t1")],
        "validation/mine/expectations.yaml": [("lower: 3.0", "lower: 3.1"), ("upper: 0.01", "upper: 0.02")],
    }
    for name, pairs in changes.items():
        text = (new / name).read_text("utf-8")
        for before, after in pairs:
            assert before in text
            text = text.replace(before, after)
        (new / name).write_text(text, "utf-8")
    with (new / "validation" / "mine" / "conditions.tsv").open("a") as table:
        table.write("half\tf_IR_total\t0.5\n")
    build(library.ModelFiles("mine", library.collection_in(new)))
    return mf.load(old), mf.load(new)


def test_experiments_conditions_and_expectations_are_compared(collections):
    found = diff.compare(*collections)
    told = {(c.kind, c.id, c.what, c.before, c.after) for c in found.changes}
    assert {t for t in told if t[0] in {"experiment", "condition", "expectation"}} == {
        ("experiment", "step", "duration", "30", "40"),
        ("condition", "loose_binding", "k_off", "2 1/min", "1 1/min"),
        ("condition", "half", "added", "", "f_IR_total 0.5"),
        ("expectation", "half_occupied_at_the_dissociation_constant", "lower", "3", "3.1"),
        ("expectation", "insulin_leaves_after_wash_out", "upper", "0.01", "0.02"),
    }
    assert ("species", "hormone", "renamed", "insulin", "hormone") in told


def test_model_without_experiments_is_not_said_to_have_lost_them(collections):
    alone = mf.Model("mine", collections[0].sbml, None)
    assert diff.compare(collections[0], alone).changes == ()
