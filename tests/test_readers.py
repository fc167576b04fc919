"""Other programs that open our SBML, and COPASI's way back: the gauntlet of benchmarks/readers.py, in small."""

import importlib.util
import re
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import metaflammation as mf
from metaflammation import library, sbml
from metaflammation.exchange import derived

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
MODELS = {name: mf.load(name) for name in library.catalogue()}


def script(name):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


PAGES = script("readers_page")
GAUNTLET = script("readers")
ARCHIVES = script("archives")
READERS = GAUNTLET.readers()
TESTED = [r for r in READERS.values() if r.tested]


def stored():
    found = {name: PAGES.stored(name) for name in MODELS}
    return {name: entries for name, entries in found.items() if entries}


# A run of the integrated model takes other programs minutes: its rows come from the benchmark alone.
NAMES = [
    pytest.param(n, marks=[pytest.mark.slow] if n != "insulin_cascade" else [])
    for n in stored()
    if not MODELS[n].metadata.compared
]


@cache
def cases_of(name):
    return [GAUNTLET.Case(MODELS[name], e) for e in GAUNTLET.telling(MODELS[name])]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reader", TESTED, ids=lambda r: r.id)
def test_reader_gives_our_curves_within_its_tolerance(reader, name, tmp_path):
    cases = cases_of(name)
    entry = GAUNTLET.run(reader, sys.executable, cases, tmp_path)
    assert entry.absent == ""
    assert [r.error for r in entry.results] == [""] * len(cases)
    assert max(r.difference for r in entry.results) <= reader.tolerance


def test_every_tested_reader_has_a_tolerance_far_below_what_a_plot_shows():
    assert {r.id for r in TESTED} >= {"roadrunner", "roadrunner-l3v1", "tellurium", "copasi", "sbmlode"}
    assert all(0 < r.tolerance <= 1e-6 and r.why for r in TESTED)


def test_page_is_what_the_stored_results_say():
    assert PAGES.PAGE.read_text("utf-8") == PAGES.page(stored(), list(READERS.values()))


@pytest.mark.parametrize("name", stored())
def test_stored_results_of_tested_readers_are_within_tolerance(name):
    entries = stored()[name]
    failed = [
        f"{reader.id}: {r.experiment} {r.error} {r.difference}"
        for reader in TESTED
        if reader.id in entries
        for r in PAGES.failures(reader, entries[reader.id])
        if f"{name} {r.experiment}" not in reader.known
    ]
    assert failed == []


def entry(*results):
    return PAGES.Entry("abc", {"x": "1"}, "", [PAGES.Result(f"e{n}", "ours", *r) for n, r in enumerate(results)])


WRONG = entry((1e-3, "A"), (1e-9, "A"), (None, "", None, "Oops: no"))


def test_results_are_read_back_as_they_were_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(PAGES, "RESULTS", tmp_path / "new")
    PAGES.store("m", {"r": WRONG, "a": PAGES.Entry("abc", absent="nobody home")})
    assert PAGES.stored("m") == {"r": WRONG, "a": PAGES.Entry("abc", absent="nobody home")}
    assert PAGES.stored("other") == {}


def test_page_shows_what_is_above_the_tolerance_what_failed_and_who_did_not_run():
    readers = [READERS["roadrunner"], READERS["copasi"]]
    found = {"m": {"roadrunner": WRONG, "copasi": PAGES.Entry("abc", absent="nobody home")}, "n": {}}
    text = PAGES.page(found, readers)
    assert "| libRoadRunner | 1e-06 | all | **1e-03** (2 of 3) | not run |" in text
    assert "`Oops: no` (m: 1)" in text
    assert "not run: nobody home" in text
    assert [r.experiment for r in PAGES.failures(readers[0], WRONG)] == ["e0", "e2"]


def test_results_are_out_of_date_when_an_experiment_changes(insulin_cascade, monkeypatch):
    before = PAGES.digest(insulin_cascade)
    assert PAGES.digest(mf.load("insulin_cascade")) == before
    texts = library.ModelFiles.validation_text
    monkeypatch.setattr(library.ModelFiles, "validation_text", lambda self, name: texts(self, name) + " ")
    assert PAGES.digest(insulin_cascade) != before


@pytest.mark.slow
def test_page_of_the_archive_validator_has_every_model_without_an_error():
    text = ARCHIVES.PAGE.read_text("utf-8")
    for name, model in MODELS.items():
        assert re.search(rf"^\| {name} \| \d+ \| {len(model.experiments)} \| 0 \| \d+ \|$", text, re.MULTILINE), name


def test_findings_of_the_archive_validator_are_told_without_their_places():
    found = [
        ["The SED-ML file has warnings.", [["Simulation has warnings.", [["Odd\n steps.", [["5"]]]]], ["Odd steps."]]]
    ]
    assert list(ARCHIVES.messages(found)) == ["Odd steps.", "Odd steps."]


def curves(case, **changes):
    """Return our own curves at all output points, as a reader would give them."""
    frame = case.curves.reindex(np.linspace(0.0, case.end, case.points).round(9)).ffill()
    return frame.rename_axis("time").assign(**changes)


@pytest.fixture
def case():
    return next(c for c in cases_of("insulin_cascade") if len(c.rows) < c.points)


def test_own_curves_differ_by_nothing(case, tmp_path):
    curves(case).to_csv(tmp_path / "x.csv")
    assert case.compare(tmp_path / "x.csv")[0] == 0.0


def test_difference_is_in_ranges_of_the_variable(case, tmp_path):
    variable = max(case.needed, key=lambda c: case.ranges[c])
    wrong = curves(case)
    wrong.loc[wrong.index[case.rows[-1]], variable] += 0.25 * case.ranges[variable]
    wrong.to_csv(tmp_path / "x.csv")
    difference, where = case.compare(tmp_path / "x.csv")
    assert where == variable
    assert difference == pytest.approx(0.25, rel=1e-6)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        pytest.param(lambda f, c: f.drop(columns=min(c.needed)), "gives no course of", id="variable missing"),
        pytest.param(lambda f, c: f.assign(**{min(c.needed): np.nan}), "not finite", id="not a number"),
        pytest.param(lambda f, _: f.iloc[:-1], "other output times", id="stops early"),
        pytest.param(lambda f, _: f.set_index(f.index * 60), "other output times", id="in seconds"),
    ],
)
def test_reader_that_gives_too_little_is_no_success(broken, reason, case, tmp_path):
    broken(curves(case), case).rename_axis("time").to_csv(tmp_path / "x.csv")
    with pytest.raises(ValueError, match=reason):
        case.compare(tmp_path / "x.csv")


def test_failure_of_a_reader_is_a_result_with_its_reason(case, tmp_path, monkeypatch):
    monkeypatch.setattr(case, "text", case.text.replace("<listOfReactions>", "<listOfErrors>"))
    (result,) = GAUNTLET.run(READERS["roadrunner"], sys.executable, [case], tmp_path).results
    assert result.difference is None
    assert "RuntimeError" in result.error


def test_reader_that_cannot_be_imported_is_absent_with_the_reason(tmp_path):
    nobody = GAUNTLET.Reader("nobody", "Nobody", "nobody", "sbml", 1e-6, "")
    entry = GAUNTLET.run(nobody, sys.executable, cases_of("insulin_cascade"), tmp_path)
    assert (entry.absent, entry.results) == ("ModuleNotFoundError: No module named 'read_nobody'", [])


@pytest.fixture(scope="module", params=["model", "experiment"])
def round_trip(request, tmp_path_factory):
    """Return a function that gives SBML of a model, and the same after COPASI imported and exported it."""
    import basico

    folder = tmp_path_factory.mktemp("copasi")

    def there_and_back(model):
        experiment = model.experiments[GAUNTLET.telling(model)[-1]]
        ours = model.sbml if request.param == "model" else derived.document(model, experiment)
        (folder / "ours.xml").write_text(ours, "utf-8")
        dm = basico.load_model(str(folder / "ours.xml"))
        basico.save_model(str(folder / "theirs.xml"), type="sbml", level=3, version=2, model=dm)
        basico.remove_datamodel(dm)
        return ours, (folder / "theirs.xml").read_text("utf-8"), experiment

    return there_and_back


@pytest.mark.copasi
@pytest.mark.parametrize("name", NAMES)
def test_way_back_from_copasi_keeps_dynamics_and_annotations(round_trip, name):
    import roadrunner

    ours, theirs, experiment = round_trip(MODELS[name])
    before, after = sbml.elements(ours), sbml.elements(theirs)
    assert before.keys() <= after.keys()
    for element, was in before.items():
        now = after[element]
        assert set(was.resources) <= set(now.resources), element
        assert (was.sbo, was.name, was.kind) == (now.sbo, now.name, now.kind)
    courses = []
    for text in (ours, theirs):
        rr = roadrunner.RoadRunner(text)
        rr.integrator.relative_tolerance = 1e-10
        rr.integrator.absolute_tolerance = 1e-13
        names = [e.id for e in before.values() if e.kind == "species"]
        courses.append(np.array(rr.simulate(0, experiment.duration, 101, [f"[{n}]" for n in names])))
    span = np.maximum(np.ptp(courses[0], axis=0), 1e-3 * np.abs(courses[0]).max(axis=0))
    assert (np.abs(courses[1] - courses[0]) <= READERS["copasi"].tolerance * np.where(span > 0, span, 1.0)).all()
