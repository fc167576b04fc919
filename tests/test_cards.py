"""Model cards and tables of facts; nothing here simulates."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from metaflammation import library
from metaflammation.ensembles import committed
from metaflammation.report import cards, facts
from metaflammation.report.tables import number

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


ROW = "{id}\tbounds\t{sets}\t{failed}\t{sets}\t1\t0.981\t1\t{nominal}\t\n"
MADE = {"n": 200, "starts": 100, "seed": 1, "solver": {"relative_tolerance": 1e-6}, "versions": {"libroadrunner": "2"}}


@pytest.mark.parametrize(("failed", "last"), [(0, "fails with |"), (7, "fails with | not simulated |")])
def test_robustness_counts_failed_sets_only_where_there_are_any(failed, last, monkeypatch):
    head = "expectation\tspread\tsets\tfailed\tholding\tshare\tlower\tupper\tnominal\tbroken_by\n"
    rows = ROW.format(id="a", sets=200, failed=0, nominal="holds")
    rows += ROW.format(id="b", sets=200 - failed, failed=failed, nominal="known failure (fails)")
    texts = {committed.TABLE: head + rows, committed.SETTINGS: json.dumps({"bounds": MADE})}
    files = library.find("insulin_cascade")
    monkeypatch.setattr(type(files), "has_validation", lambda _, name: name in texts)
    monkeypatch.setattr(type(files), "validation_text", lambda _, name: texts[name])
    first, *lines = facts.robustness(files).splitlines()
    # As many sets were asked for of each.
    assert "Expectations that simulate from many starts" not in first
    assert next(line for line in lines if line.startswith("| expectation")).endswith(last)
    assert lines[-1].startswith("| `b` (known failure) | 100.0% | 98.1 to 100.0% |")
    assert lines[-1].endswith("| 7 |") == (failed > 0)


def test_claims_are_counted_by_the_intervals_of_their_shares(monkeypatch):
    files = library.find("insulin_cascade")
    held = [e.id for e in facts.expected(files) if e.claim == "I3" and not e.known_failure][:4]
    [unclaimed, *_] = [e.id for e in facts.expected(files) if e.claim != "I3"]
    shares = pd.DataFrame(
        {"sets": [2000, 1900, 100, 100, 9], "failed": [0, 100, 0, 0, 91], "holding": [1960, 1880, 60, 40, 0]}
        | {"share": [0.98, 0.99, 0.6, 0.4, 0.0], "lower": [0.97, 0.98, 0.5, 0.3, 0.0]}
        | {"upper": [0.99, 0.99, 0.7, 0.49, 0.1]},
        index=pd.Index([*held, unclaimed], name="expectation"),
    )
    tables = {files.id: {"2.0": shares, "1.5": shares[:0]}}
    monkeypatch.setattr(committed, "read", lambda files: (tables.get(files.id, {}), {}))
    monkeypatch.setattr(library, "claims", lambda _=None: {"I3": "Each step.", "Z1": "No table speaks of it."})
    assert facts.robust_claims().splitlines()[2:] == [
        f"| **I3** | Each step. | `insulin_cascade` | factor 2.0 | 4 | 2 | 1 | 1 | `{held[3]}` 40% | 5.0% |",
        f"| **Z1** | No table speaks of it. |{8 * '  |'}",
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(1080.4, "1080"), (0.012345, "0.0123"), (1.08e7, "1.08e+07"), (float("nan"), "none")]
)
def test_three_digits_without_powers_of_ten_up_to_a_million(value, text):
    assert number(value) == text
