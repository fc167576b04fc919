"""Other programs that open our SBML, and COPASI's way back: the gauntlet of benchmarks/readers.py, in small."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import metaflammation as mf
from metaflammation import library, sbml
from metaflammation.exchange import derived

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
MODELS = {name: mf.load(name) for name in library.catalogue()}


def script():
    spec = importlib.util.spec_from_file_location("gauntlet", BENCHMARKS / "readers.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["gauntlet"] = module
    spec.loader.exec_module(module)
    return module


GAUNTLET = script()
READERS = GAUNTLET.readers()
TESTED = [r for r in READERS.values() if r.tested]


def telling(model):
    """Return the first experiment and the one of most periods."""
    experiments = list(model.experiments.values())
    return list(dict.fromkeys([experiments[0].id, max(experiments, key=lambda e: len(e.timeline)).id]))


CASES = {(m.id, e): GAUNTLET.Case(m, e) for m in MODELS.values() for e in telling(m)}
ONE = next(iter(CASES.values()))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n != "insulin_cascade" else []) for n in MODELS]
)
@pytest.mark.parametrize("reader", TESTED, ids=lambda r: r.id)
def test_reader_gives_our_curves_within_its_tolerance(reader, name, tmp_path):
    cases = [case for (model, _), case in CASES.items() if model == name]
    versions, results = GAUNTLET.run(reader, sys.executable, cases, tmp_path)
    assert versions is not None, results
    assert [r.error for r in results] == [""] * len(cases)
    assert max(r.difference for r in results) <= reader.tolerance


def test_every_tested_reader_has_a_tolerance_far_below_what_a_plot_shows():
    assert {r.id for r in TESTED} >= {"roadrunner", "roadrunner-l3v1", "tellurium", "copasi", "sbmlode"}
    assert all(0 < r.tolerance <= 1e-6 and r.why for r in TESTED)


def test_page_lists_every_reader_with_its_tolerance():
    text = GAUNTLET.PAGE.read_text("utf-8")
    for reader in READERS.values():
        assert f"| {reader.title} | {reader.tolerance:.0e} | " in text, reader.id


def curves(case, **changes):
    """Return our own curves at all output points, as a reader would give them."""
    frame = case.curves.reindex(np.linspace(0.0, case.end, case.points).round(9)).ffill()
    return frame.rename_axis("time").assign(**changes)


@pytest.fixture
def case():
    return next(c for c in CASES.values() if len(c.rows) < c.points)


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
    _, results = GAUNTLET.run(READERS["roadrunner"], sys.executable, [case], tmp_path)
    assert results[0].difference is None
    assert "RuntimeError" in results[0].error


def test_reader_that_cannot_be_imported_is_absent_with_the_reason(tmp_path):
    nobody = GAUNTLET.Reader("nobody", "Nobody", "nobody", "sbml", 1e-6, "")
    assert GAUNTLET.run(nobody, sys.executable, [ONE], tmp_path) == (
        None,
        "ModuleNotFoundError: No module named 'read_nobody'",
    )


@pytest.fixture(scope="module", params=["model", "experiment"])
def round_trip(request, tmp_path_factory):
    """Return a function that gives SBML of a model, and the same after COPASI imported and exported it."""
    import basico

    folder = tmp_path_factory.mktemp("copasi")

    def there_and_back(model):
        experiment = model.experiments[telling(model)[-1]]
        ours = model.sbml if request.param == "model" else derived.document(model, experiment)
        (folder / "ours.xml").write_text(ours, "utf-8")
        dm = basico.load_model(str(folder / "ours.xml"))
        basico.save_model(str(folder / "theirs.xml"), type="sbml", level=3, version=2, model=dm)
        basico.remove_datamodel(dm)
        return ours, (folder / "theirs.xml").read_text("utf-8"), experiment

    return there_and_back


@pytest.mark.copasi
@pytest.mark.parametrize("name", MODELS)
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
