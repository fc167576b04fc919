"""Exported files, opened by an independent reader: COPASI itself, libSBML, libRoadRunner."""

import re

import numpy as np
import pytest

import metaflammation as mf
from metaflammation import library, sbml
from metaflammation.errors import ExportError
from metaflammation.exchange import FORMS, derived
from metaflammation.timecourse import TimeCourse

MODELS = {name: mf.load(name) for name in library.catalogue()}
SINGLE = [
    pytest.param(m, e, id=f"{m.id}-{e.id}") for m in MODELS.values() for e in m.experiments.values() if e.doses is None
]


@pytest.mark.parametrize(("model", "experiment"), SINGLE)
def test_derived_sbml_is_clean_and_gives_the_curves_in_one_plain_run(model, experiment):
    import roadrunner

    text = derived.document(model, experiment)
    assert sbml.findings(text) == []
    rr = roadrunner.RoadRunner(text)
    rr.integrator.relative_tolerance = 1e-10
    rr.integrator.absolute_tolerance = 1e-13
    names = [e.id for e in model.elements.values() if e.kind == "species" or e.assigned]
    keys = [f"[{n}]" if model.elements[n].kind == "species" else n for n in names]
    values = np.array(rr.simulate(0, experiment.duration, experiment.points, ["time", *keys]))
    course = model.simulate(experiment.id)
    # At the start of a later period our output shows its changes; a plain run may show the values before.
    starts = [p.start for p in experiment.timeline[1:]]
    rows = [k for k, t in enumerate(values[:, 0]) if not np.isclose(t, starts, rtol=0, atol=1e-9).any()]
    ours = np.array([course.at(float(t))[names].to_numpy() for t in values[rows, 0]])
    span = np.maximum(np.ptp(ours, axis=0), 1e-3 * np.abs(ours).max(axis=0))
    assert (np.abs(values[rows, 1:] - ours) <= 1e-6 * np.where(span > 0, span, 1.0)).all()


@pytest.fixture(scope="module")
def cps(tmp_path_factory):
    import COPASI

    path = tmp_path_factory.mktemp("cps") / "model.cps"
    MODELS["insulin_cascade"].export("copasi", path, experiment="insulin_pulse_10nM")
    COPASI.CCopasiMessage.clearDeque()
    dm = COPASI.CRootContainer.addDatamodel()
    assert dm.loadModel(str(path))
    yield dm
    COPASI.CRootContainer.removeDatamodel(dm)


@pytest.mark.copasi
@pytest.mark.usefixtures("cps")
def test_copasi_file_opens_without_complaint():
    import COPASI

    text = COPASI.CCopasiMessage.getAllMessageText()
    # Two known remarks on default units, and collections of identifiers of which the Python package brings no list.
    known = ("default area unit", "default length unit", "is unknown to COPASI")
    assert [line for line in text.splitlines() if line.startswith("  ") and not any(k in line for k in known)] == []


@pytest.mark.copasi
def test_copasi_file_has_names_units_and_readable_rate_laws(cps):
    model = cps.getModel()
    assert "Insulin signalling cascade of the adipocyte" in model.getObjectName()
    assert (model.getTimeUnit(), model.getQuantityUnit(), model.getVolumeUnit()) == ("min", "nmol", "l")
    species = model.getMetabolites()
    names = {species.get(n).getObjectName() for n in range(species.size())}
    elements = MODELS["insulin_cascade"].elements.values()
    assert names == {e.name for e in elements if e.kind == "species"}
    reactions = model.getReactions()
    laws = {reactions.get(n).getObjectName(): reactions.get(n) for n in range(reactions.size())}
    assert set(laws) == {e.name for e in elements if e.kind == "reaction"}
    assert laws["autophosphorylation of the insulin-bound receptor"].getReactionScheme().count("->") == 1
    law = laws["phosphorylation of AS160 by Akt"].getFunction()
    words = set(re.findall(r"[A-Za-z_]\w*", law.getInfix()))
    assert {"V_AS160_phos", "Akt_a", "K_AS160", "AS160"} <= words
    receptor = next(species.get(n) for n in range(species.size()) if species.get(n).getSBMLId() in {"IR", ""})
    assert "identifiers.org" in receptor.getMiriamAnnotation()


@pytest.mark.copasi
def test_copasi_file_runs_at_once_and_gives_our_curves(cps):
    import COPASI

    model = MODELS["insulin_cascade"]
    task = cps.getTask("Time-Course")
    assert task.isScheduled()
    assert task.initializeRaw(COPASI.CCopasiTask.OUTPUT_UI)
    assert task.processRaw(True)
    series = task.getTimeSeries()
    titles = {series.getTitle(n): n for n in range(series.getNumVariables())}
    course = model.simulate("insulin_pulse_10nM")
    assert isinstance(course, TimeCourse)
    steps = series.getRecordedSteps()
    assert steps == len(course.data)
    for observable in ("IR_pY", "Akt_pS473_total", "glucose_uptake", "IRS1_pS", "f_GLUT4_pm"):
        name = model.elements[observable].name
        column = titles.get(name, titles.get(f"Values[{name}]"))
        theirs = np.array([series.getConcentrationData(row, column) for row in range(steps)])
        ours = course[observable].to_numpy()
        assert np.abs(theirs - ours).max() <= 1e-6 * np.ptp(ours), observable


@pytest.mark.copasi
def test_copasi_file_has_a_plot_for_each_unit_with_curves_that_exist(cps):
    text = cps.saveModelToString()
    plots = re.findall(r'<PlotSpecification name="([^"]+)"', text)
    assert {"time course (nM)", "time course (nM/min)", "time course (dimensionless)"} <= set(plots)
    assert 8 <= len(re.findall(r"<PlotItem ", text)) <= 16
    channels = set(re.findall(r'<ChannelSpec cn="([^"]+)"', text))
    assert channels
    import COPASI

    for channel in channels:
        found = cps.getObject(COPASI.CCommonName(channel.replace("&apos;", "'").replace("&amp;", "&")))
        assert found is not None, channel


@pytest.mark.parametrize("name", MODELS)
def test_level_3_version_1_export_is_clean(name, tmp_path):
    path = MODELS[name].export("sbml-l3v1", tmp_path / "old.xml")
    text = path.read_text("utf-8")
    assert 'level="3" version="1"' in text
    assert sbml.findings(text) == []


@pytest.mark.parametrize("form", FORMS)
def test_existing_file_is_kept_unless_overwriting_is_allowed(form, tmp_path):
    path = tmp_path / f"x{FORMS[form]}"
    path.write_text("mine", "utf-8")
    with pytest.raises(ExportError, match="exists already"):
        MODELS["insulin_cascade"].export(form, path)
    assert path.read_text("utf-8") == "mine"
    MODELS["insulin_cascade"].export(form, path, overwrite=True)
    assert path.read_text("utf-8") != "mine"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param({"form": "sbmll"}, "did you mean sbml", id="unknown form"),
        pytest.param({"form": "copasi", "experiment": "insulin_step"}, "did you mean insulin_step", id="experiment"),
        pytest.param({"form": "sbml", "experiment": "insulin_step_10nM"}, "without an experiment", id="needless"),
    ],
)
def test_wrong_export_is_refused_and_writes_nothing(arguments, reason, tmp_path):
    with pytest.raises(ExportError, match=reason):
        MODELS["insulin_cascade"].export(path=tmp_path / "x", **arguments)
    assert list(tmp_path.iterdir()) == []
