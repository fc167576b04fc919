"""Model cards and tables of facts; nothing here simulates."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from metaflammation import library
from metaflammation.report import cards, facts

ROOT = Path(__file__).parent.parent
MODELS = library.catalogue()


def run_script(root):
    command = [sys.executable, str(root / "docs/cards.py"), "--verify"]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


def test_committed_cards_are_current():
    done = run_script(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stale_card_is_named(tmp_path):
    for name in ("docs/cards.py", "README.md", "CITATION.cff"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    done = run_script(tmp_path)
    assert done.returncode == 1
    assert f"models/{MODELS[0]}/README.md: is not what the data give; run 'make cards'" in done.stdout
    assert "\nREADME.md" not in done.stdout


@pytest.mark.parametrize("name", MODELS)
def test_card_tells_every_known_failure_and_its_reason(name):
    files = library.find(name)
    text = cards.card(files, "the release")
    for expectation in facts.expected(files):
        if expectation.known_failure:
            assert facts.cell(expectation.statement) in text
            assert facts.cell(expectation.known_failure.reason) in text
    assert "Not for medical use" in text


def test_evidence_of_a_composed_model_is_that_of_its_modules_and_its_own():
    files = library.find("insulin_resistance")
    own = len(files.own_parameters())
    modules = sum(facts.grades(library.find(m)).total() for m in files.modules().values())
    whole = facts.grades(files).total()
    assert own < whole <= own + modules
    assert f"of these, its own (couplings) | 0 | 0 | {own} | {own} |" in facts.evidence(files)


@pytest.mark.parametrize("name", MODELS)
def test_claims_that_expectations_name_are_told(name):
    claims = {e.claim for e in facts.expected(library.find(name)) if e.claim}
    assert claims <= library.claims().keys()


def test_a_claim_without_an_expectation_stands_in_the_table(monkeypatch):
    monkeypatch.setattr(library, "claims", lambda _=None: {"Z1": "A claim that nothing tests."})
    assert f"| **Z1** | A claim that nothing tests. |  |  |  | {facts.NONE_YET} |" in facts.claims()


def test_table_keeps_cells_in_one_line():
    assert facts.table(["a"], [["x |\n *y* < 1"]]).splitlines()[-1] == "| x \\| \\*y\\* &lt; 1 |"
