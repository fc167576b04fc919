"""The script that makes the committed tables of robustness: sets that are finished are not lost, or done twice."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

import metaflammation as mf
from metaflammation import starter
from metaflammation.engines.batch import STOPS

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "robustness.py"


@pytest.fixture
def script(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("robustness_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = mf.load(starter.create(tmp_path / "lesson"))
    monkeypatch.setattr(module, "mf", SimpleNamespace(load=lambda _: model))
    monkeypatch.setattr(module, "KEPT", tmp_path / "kept")
    for folder in ("one", "two", "three"):
        (tmp_path / folder).mkdir()
    return module


def test_sets_that_are_finished_are_not_lost_or_done_twice(script, tmp_path):
    def job(folder):
        return script.Job(tmp_path / folder, "lesson", 60, "bounds")

    whole = job("one")
    whole.turn(600)
    whole.keep()
    # All are kept: only their evaluation is done again.
    assert script.Job(tmp_path / "two", "lesson", 60, "bounds").left() == []
    whole.path.unlink()

    # Each time on another machine, the second one for two turns.
    for folder, left in [("two", [1, 2]), ("three", [2]), ("three", [])]:
        part = job(folder)
        part.turn(0)
        part.keep()
        assert part.left() == left
        assert len(part.data()) == 60 - 20 * len(left)
    assert part.commits == [script.commit()]
    pd.testing.assert_frame_equal(part.found().table, whole.found().table, rtol=1e-12, atol=0)


def test_sets_of_another_number_are_refused(script, tmp_path):
    part = script.Job(tmp_path / "one", "lesson", 60, "bounds")
    part.turn(0)
    part.keep()
    with pytest.raises(SystemExit, match="of another n; remove it"):
        script.Job(tmp_path / "two", "lesson", 40, "bounds")


def test_sets_under_other_rules_of_giving_up_are_refused(script, tmp_path, monkeypatch):
    part = script.Job(tmp_path / "one", "lesson", 60, "bounds")
    part.turn(0)
    part.keep()
    monkeypatch.setitem(STOPS, "faster", 1.3)
    with pytest.raises(SystemExit, match="of another stops; remove it"):
        script.Job(tmp_path / "two", "lesson", 60, "bounds")
