"""Exported files, opened by an independent reader: COPASI itself, libSBML, libRoadRunner."""

import hashlib
import json
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from lxml import etree

import metaflammation as mf
from conftest import TINY, manageable
from metaflammation import files, library, sbml
from metaflammation.compile import compile_file
from metaflammation.errors import ExportError
from metaflammation.exchange import FORMS, copasi, derived, inapplicable
from metaflammation.records import Experiment
from metaflammation.timecourse import TimeCourse

MODELS = {name: mf.load(name) for name in library.catalogue()}
CHEAP = [pytest.param(n, marks=[pytest.mark.slow] if n != "insulin_cascade" else []) for n in MODELS]
LARGE = {"metaflammation"}
NAMES = [pytest.param(n, marks=[pytest.mark.slow] if n in LARGE else []) for n in MODELS]
FIRST = 1
"""Experiments of each model that every run of the tests exports; the others, and the large model, are slow in sum."""
SINGLE = [
    pytest.param(m, e, id=f"{m.id}-{e.id}", marks=[pytest.mark.slow] if n >= FIRST or m.id in LARGE else [])
    for m in MODELS.values()
    for n, e in enumerate(e for e in manageable(m) if e.doses is None)
]


@pytest.mark.parametrize(("model", "experiment"), SINGLE)
def test_derived_sbml_is_clean_and_gives_the_curves_in_one_plain_run(model, experiment):
    import roadrunner

    text = derived.document(model, experiment)
    assert sbml.findings(text) == []
    rr = roadrunner.RoadRunner(text)
    rr.integrator.relative_tolerance = model.metadata.solver.relative_tolerance
    rr.integrator.absolute_tolerance = model.metadata.solver.absolute_tolerance
    rr.integrator.setValue("maximum_bdf_order", experiment.maximum_order or model.metadata.solver.maximum_order)
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


@pytest.mark.parametrize("name", NAMES)
def test_level_3_version_1_export_is_clean(name, tmp_path):
    path = MODELS[name].export("sbml-l3v1", tmp_path / "old.xml")
    text = path.read_text("utf-8")
    assert 'level="3" version="1"' in text
    assert sbml.findings(text) == []


TWO_MINUTES = TINY.replace("unit minute = 60 second", "unit minute = 120 second").replace(
    "per_min = 1/(60", "per_min = 1/(120"
)


def test_derived_sbml_counts_in_the_models_unit_of_time(tmp_path):
    import roadrunner

    path = tmp_path / "tiny.ant"
    path.write_text(TWO_MINUTES, "utf-8")
    model = mf.Model("tiny", compile_file(path).sbml, None)
    off = {"conditions": ("off",)}
    pulse = {"id": "pulse", "title": "p", "periods": [{}, {"start": 10, **off}], "duration": 20, "points": 3}
    model.experiments = {"pulse": Experiment.model_validate(pulse)}
    model.conditions = {"off": {"S": 0.0}}
    rr = roadrunner.RoadRunner(derived.document(model, model.experiments["pulse"]))
    assert derived.duration(model, model.experiments["pulse"]) == pytest.approx(10, rel=1e-12)
    found = rr.simulate(0, 10, 3, ["[B]"])[-1, 0]
    assert found == pytest.approx(model.simulate("pulse")["B"].iloc[-1], rel=1e-4)


def test_derived_sbml_keeps_what_an_initial_assignment_computes(tmp_path):
    path = tmp_path / "tiny.ant"
    path.write_text(
        TINY.replace("  fraction has dl", '  k_x = 2*k_on; k_x has per_nM_min; k_x is "x";\n  fraction has dl')
    )
    model = mf.Model("tiny", compile_file(path).sbml, None)
    experiment = Experiment.model_validate({"id": "e", "title": "e", "duration": 5})
    model.experiments = {"e": experiment}
    assert "k_x" not in [
        e.id for e in sbml.elements(derived.document(model, experiment)).values() if e.value != e.value
    ]


def test_derived_sbml_of_what_has_decayed_to_next_to_nothing_can_be_read(tiny):
    tiny.conditions = {"gone": {"B": 1e-320}}
    experiment = {"id": "e", "title": "e", "duration": 5, "periods": [{"conditions": ["gone"]}]}
    tiny.experiments = {"e": Experiment.model_validate(experiment)}
    text = derived.document(tiny, tiny.experiments["e"])
    assert sbml.findings(text) == []
    assert sbml.elements(text)["B"].value == 0.0


def test_document_of_a_series_names_the_dose_that_it_holds():
    model = MODELS["insulin_cascade"]
    text = derived.document(model, model.experiments["rat_dose_response"])
    assert "Of the doses of insulin it holds the highest, 1000 nM." in text


def test_every_event_of_a_derived_document_has_an_id_and_a_name_that_says_what_begins():
    model = MODELS["hormone_axis"]
    named = max(model.experiments.values(), key=lambda e: len(e.timeline))
    parsed = sbml.document(derived.document(model, named), "x")
    events = list(parsed.getModel().getListOfEvents())
    assert len({e.getId() for e in events}) == len({e.getName() for e in events}) == len(named.timeline) - 1
    last = named.timeline[-1]
    assert events[-1].getName() == f"at {last.start:g} min: {', '.join(last.conditions)}"


def test_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    folder = MODELS["insulin_cascade"].export("petab", tmp_path / "p")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with monkeypatch.context() as patch:
        real, calls = Path.replace, []

        def fail_at_the_second(self, target):
            calls.append(target)
            if len(calls) > 1:
                raise KeyboardInterrupt
            return real(self, target)

        patch.setattr(files, "_exchange", lambda *_: False)
        patch.setattr(Path, "replace", fail_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            MODELS["insulin_cascade"].export("petab-v1", folder, overwrite=True)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    MODELS["insulin_cascade"].export("petab-v1", folder, overwrite=True)
    assert "experiments.tsv" not in {p.name for p in folder.iterdir()}


FILES = [
    pytest.param(name, marks=[pytest.mark.slow] if name == "omex" else [])
    for name, form in FORMS.items()
    if form.ending and name != "comp"
]


@pytest.mark.parametrize("form", FILES)
def test_existing_file_is_kept_unless_overwriting_is_allowed(form, tmp_path):
    path = tmp_path / f"x{FORMS[form].ending}"
    path.write_text("mine", "utf-8")
    with pytest.raises(ExportError, match="exists already"):
        MODELS["insulin_cascade"].export(form, path)
    assert path.read_text("utf-8") == "mine"
    MODELS["insulin_cascade"].export(form, path, overwrite=True)
    assert path.read_bytes() != b"mine"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_with_files_is_kept_unless_overwriting_is_allowed(tmp_path):
    path = tmp_path / "x"
    path.mkdir()
    (path / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(ExportError, match="holds files already"):
        MODELS["insulin_cascade"].export("sedml", path, experiment="insulin_pulse_10nM")
    assert [p.name for p in path.iterdir()] == ["mine.txt"]
    MODELS["insulin_cascade"].export("sedml", path, experiment="insulin_pulse_10nM", overwrite=True)
    written = {"insulin_pulse_10nM.sedml", "insulin_pulse_10nM.xml"}
    assert {p.name for p in path.iterdir()} == {"mine.txt", *written}
    assert list(tmp_path.iterdir()) == [path]


def exporter(form):
    """Return a model that has the form, and the cheapest way to export it."""
    model = MODELS["insulin_resistance" if form == "comp" else "insulin_cascade"]
    return model, {"experiment": "insulin_pulse_10nM"} if FORMS[form].experiment else {}


def everything_in(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


MIDWAY = [
    pytest.param(form, method, id=f"{form}-{method}", marks=[pytest.mark.slow] if form in {"copasi", "omex"} else [])
    for form in FORMS
    for method in ("write_bytes" if FORMS[form].ending else "write_text", "replace")
]


@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
@pytest.mark.parametrize(("form", "method"), MIDWAY)
def test_export_that_fails_or_is_interrupted_midway_leaves_everything_as_it_was(
    form, method, existing, tmp_path, monkeypatch
):
    model, arguments = exporter(form)
    path = tmp_path / "x"
    if existing and FORMS[form].ending:
        path.write_text("mine", "utf-8")
    elif existing:
        path.mkdir()
        (path / "problem.yaml").write_text("mine", "utf-8")
    before = everything_in(tmp_path)
    failure = KeyboardInterrupt() if method == "replace" else OSError(28, "No space left on device")
    real, failed = getattr(Path, method), []

    def fail(self, *others, **options):
        if tmp_path not in self.parents:
            return real(self, *others, **options)
        if method != "replace":
            real(self, others[0][:5])
        failed.append(self)
        raise failure

    monkeypatch.setattr(Path, method, fail)
    if method == "replace":
        monkeypatch.setattr(files, "_exchange", fail)
    with pytest.raises(KeyboardInterrupt if method == "replace" else ExportError):
        model.export(form, path, overwrite=existing, **arguments)
    assert failed
    assert everything_in(tmp_path) == before
    assert {p.name for p in tmp_path.iterdir()} == ({"x"} if existing else set())


KILLED = """
import signal, sys, time
from pathlib import Path
from metaflammation import cli, files
number, sys.argv = int(sys.argv[1]), ["metaflammation", *sys.argv[2:]]
# Whoever runs the tests in the background of a shell ignores the signal, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
def die(*_):
    signal.raise_signal(number)
    while True:
        time.sleep(0.01)
Path.replace = files._exchange = die
cli.main()
"""


@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
@pytest.mark.parametrize(
    "form", [pytest.param("sbml", id="file"), pytest.param("petab-v1", id="folder", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda n: n.name)
def test_export_that_is_killed_on_the_command_line_leaves_no_half_of_it(number, form, existing, tmp_path):
    path = tmp_path / "x"
    if existing and FORMS[form].ending:
        path.write_text("mine", "utf-8")
    elif existing:
        path.mkdir()
        (path / "mine").write_text("mine", "utf-8")
    before = everything_in(tmp_path)
    arguments = ["export", "insulin_cascade", "--to", form, "-o", str(path), "--force"]
    command = [sys.executable, "-c", KILLED, str(int(number)), *arguments]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=120)
    if number == signal.SIGINT:
        assert done.returncode == 130
        assert "Traceback" not in done.stderr
        assert everything_in(tmp_path) == before
    else:
        assert done.returncode == -number
        assert {p: found for p, found in everything_in(tmp_path).items() if p.parts[0] == "x"} == before


@pytest.mark.parametrize(
    ("name", "form"), [(n, f) for n, m in MODELS.items() for f in FORMS if inapplicable(m, f) is None]
)
def test_no_form_is_written_over_what_is_there(name, form, tmp_path):
    model, path = MODELS[name], tmp_path / "x"
    if FORMS[form].ending:
        path.write_text("mine", "utf-8")
    else:
        path.mkdir()
        (path / "mine").write_text("mine", "utf-8")
    before = everything_in(tmp_path)
    with pytest.raises(ExportError, match=r"exists already|holds files already"):
        model.export(form, path)
    assert everything_in(tmp_path) == before


@pytest.mark.parametrize("name", NAMES)
def test_antimony_export_compiles_to_the_model(name, tmp_path):
    path = MODELS[name].export("antimony", tmp_path / f"{name}.ant")
    with MODELS[name].files.source as source:
        assert compile_file(path) == compile_file(source)


def test_antimony_of_an_sbml_file_has_its_dynamics(tiny, tmp_path):
    path = tiny.export("antimony", tmp_path / "tiny.ant")
    there = mf.load(path).simulate(duration=10)
    assert there["B"].to_numpy() == pytest.approx(tiny.simulate(duration=10)["B"].to_numpy(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_hierarchical_export_is_the_committed_file_or_refused(name, tmp_path):
    model = MODELS[name]
    if model.files.comp():
        assert model.export("comp", tmp_path / "x.xml").read_text("utf-8") == model.files.comp()
    else:
        with pytest.raises(ExportError, match="has no submodels"):
            model.export("comp", tmp_path / "x.xml")


@pytest.mark.copasi
@pytest.mark.parametrize("experiment", [None, "insulin_pulse_10nM"], ids=["model", "experiment"])
def test_copasi_file_has_the_same_bytes_from_any_process(experiment, fresh_python):
    code = (
        "import hashlib, metaflammation as mf; from metaflammation.exchange import copasi;"
        f"t = copasi.document(mf.load('insulin_cascade'), {experiment!r});"
        "print(hashlib.sha256(t.encode()).hexdigest())"
    )
    # Beside other files of the model, in a process where COPASI has seen other models.
    MODELS["insulin_cascade"].engine("copasi")
    model = MODELS["insulin_cascade"]
    files = [
        derived.Derived(model, model.experiments[e]) if e else None for e in ("insulin_step_10nM", experiment, None)
    ]
    _, text, _ = copasi.documents(model, files)
    assert fresh_python(code).strip() == hashlib.sha256(text.encode()).hexdigest()


def initial_values(dm):
    """Return the initial values of a COPASI model by name."""
    model = dm.getModel()
    quantities = (model.getCompartments(), model.getModelValues())
    found = {e.getObjectName(): e.getInitialValue() for q in quantities for e in map(q.get, range(q.size()))}
    species = model.getMetabolites()
    return found | {e.getObjectName(): e.getInitialConcentration() for e in map(species.get, range(species.size()))}


@pytest.mark.copasi
@pytest.mark.parametrize("name", CHEAP)
def test_copasi_file_of_a_model_has_a_parameter_set_for_each_condition(name):
    import COPASI

    model = MODELS[name]
    dm = COPASI.CRootContainer.addDatamodel()
    try:
        assert dm.loadModelFromString(copasi.document(model), "")
        before = initial_values(dm)
        sets = dm.getModel().getModelParameterSets()
        assert [sets.get(n).getObjectName() for n in range(sets.size())] == list(model.conditions)
        # What no condition sets and no initial assignment computes stays; one condition leaves nothing of another.
        computed = {e.name for e in model.elements.values() if e.assigned or e.value is None}
        for condition, parameters in ((c, sets.get(n)) for n, c in enumerate(model.conditions)):
            assert parameters.updateModel()
            expected = before | {model.elements[i].name: v for i, v in model.conditions[condition].items()}
            found = initial_values(dm)
            wrong = {k for k, v in expected.items() if k not in computed and found[k] != pytest.approx(v, rel=1e-12)}
            assert wrong == set(), condition
    finally:
        COPASI.CRootContainer.removeDatamodel(dm)


EXECUTE = """
import json, sys, warnings
warnings.simplefilter("ignore")
from tellurium.sedml import tesedml
factory = tesedml.SEDMLCodeFactory(sys.argv[1] + "/" + sys.argv[2], workingDir=sys.argv[1], createOutputs=False)
found = factory.executePython()["dataGenerators"]
print(json.dumps({name: [float(x) for x in values.ravel()] for name, values in found.items()}))
"""


@pytest.fixture(scope="session")
def by_tellurium(fresh_python):
    """Return a function that gives what Tellurium computes for the data generators of a SED-ML document."""

    def run(folder, name):
        # A process of its own: Tellurium loads libSEDML, and libSBML breaks.
        found = json.loads(fresh_python(EXECUTE, folder, name).splitlines()[-1])
        return {k: np.array(v) for k, v in found.items()}

    return run


@pytest.mark.parametrize(("model", "experiment"), SINGLE)
def test_tellurium_executes_the_sedml_and_gets_our_curves(model, experiment, tmp_path, by_tellurium):
    folder = model.export("sedml", tmp_path / "s", experiment=experiment.id)
    found = by_tellurium(folder, f"{experiment.id}.sedml")
    time = found.pop("time_of_run")
    assert len(found) >= 1
    assert time[-1] == pytest.approx(experiment.duration, rel=1e-9)
    starts = [p.start for p in experiment.timeline[1:]]
    rows = [k for k, t in enumerate(time) if not np.isclose(t, starts, rtol=0, atol=1e-6).any()]
    course = model.simulate(experiment.id)
    for name, values in found.items():
        ours = course[name.removesuffix("_of_run")]
        expected = np.interp(time[rows], ours.index, ours)
        assert np.abs(values[rows] - expected).max() <= 1e-5 * max(np.ptp(ours), 1e-3 * np.abs(ours).max()), name


@pytest.mark.slow
def test_tellurium_executes_every_dose_of_a_series(tmp_path, by_tellurium):
    model = MODELS["insulin_cascade"]
    folder = model.export("sedml", tmp_path / "s", experiment="rat_dose_response")
    found = by_tellurium(folder, "rat_dose_response.sedml")
    response = model.simulate("rat_dose_response").response("glucose_uptake")
    theirs = [found[f"glucose_uptake_of_run_{n}"][-1] for n in range(1, len(response) + 1)]
    assert theirs == pytest.approx(response.to_numpy(), rel=1e-6)


READ_BY_TELLURIUM = """
import sys
from tellurium.sedml import tesedml
print(tesedml.SEDMLCodeFactory(sys.argv[1], workingDir=sys.argv[2]).toPython())
"""


@pytest.mark.parametrize(("of_model", "of_experiment"), [(3, None), (5, 3)], ids=["model", "experiment"])
def test_sedml_has_the_settings_of_the_solver(of_model, of_experiment, tmp_path, fresh_python, monkeypatch):
    model = mf.load("insulin_cascade")
    solver = model.solver.model_copy(update={"maximum_order": of_model})
    step = model.experiments["insulin_step_10nM"].model_copy(update={"maximum_order": of_experiment})
    monkeypatch.setattr(type(model), "solver", solver)
    monkeypatch.setitem(model.experiments, "insulin_step_10nM", step)
    folder = model.export("sedml", tmp_path / "s", experiment="insulin_step_10nM")
    root = etree.fromstring((folder / "insulin_step_10nM.sedml").read_bytes())
    found = {e.get("kisaoID"): float(e.get("value")) for e in root.iter("{*}algorithmParameter")}
    tolerances = {"KISAO:0000209": solver.relative_tolerance, "KISAO:0000211": solver.absolute_tolerance}
    assert found == tolerances | {"KISAO:0000220": 3, "KISAO:0000415": 500_000}
    code = fresh_python(READ_BY_TELLURIUM, folder / "insulin_step_10nM.sedml", folder)
    assert "integrator.setValue('maximum_bdf_order', 3)" in code
    assert "integrator.setValue('maximum_num_steps', 500000)" in code


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return MODELS["insulin_cascade"].export("omex", tmp_path_factory.mktemp("omex") / "insulin_cascade.omex")


def test_archive_lists_what_it_holds(archive):
    with zipfile.ZipFile(archive) as packed:
        listed = {e.get("location").removeprefix("./") for e in etree.fromstring(packed.read("manifest.xml"))}
        assert listed - {"."} == set(packed.namelist()) - {"manifest.xml"}
        assert {"insulin_cascade.xml", "insulin_cascade.cps", "README.md", "metadata.rdf"} <= listed
        for experiment in MODELS["insulin_cascade"].experiments:
            assert {f"experiments/{experiment}{end}" for end in (".sedml", ".xml", ".cps")} <= listed
        assert packed.testzip() is None


def test_archive_says_who_made_what_of_which_species_under_which_licence(archive):
    with zipfile.ZipFile(archive) as packed:
        rdf = etree.fromstring(packed.read("metadata.rdf"))
    texts = {e.text for e in rdf.iter() if e.text and e.text.strip()}
    links = {value for e in rdf.iter() for value in e.attrib.values()}
    metadata = library.metadata()
    entry = metadata.models["insulin_cascade"]
    assert {entry.title, *metadata.creators, "Homo sapiens", entry.created.isoformat()} <= texts
    assert {f"https://identifiers.org/spdx:{metadata.licence}", "https://identifiers.org/taxonomy:9606"} <= links
    assert {f"https://identifiers.org/doi:{library.doi(key)}" for key in entry.citations} <= links


@pytest.mark.slow
def test_archive_has_the_same_bytes_each_time(archive, tmp_path):
    again = mf.load("insulin_cascade").export("omex", tmp_path / "insulin_cascade.omex")
    assert again.read_bytes() == archive.read_bytes()


@pytest.mark.copasi
def test_archive_opens_in_copasi(archive):
    import COPASI

    dm = COPASI.CRootContainer.addDatamodel()
    try:
        assert dm.openCombineArchive(str(archive))
        assert MODELS["insulin_cascade"].metadata.title in dm.getModel().getObjectName()
        first = next(iter(MODELS["insulin_cascade"].experiments.values()))
        assert dm.getTask("Time-Course").getProblem().getDuration() == first.duration
    finally:
        COPASI.CRootContainer.removeDatamodel(dm)


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
