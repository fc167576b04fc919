"""Every form of every model, opened by another program than the one that wrote it: it must give our curves."""

import json
import re
import zipfile

import numpy as np
import pytest

import metaflammation as mf
from conftest import manageable
from metaflammation import engines, library, sbml
from metaflammation.exchange import derived, inapplicable
from metaflammation.simulate import Protocol

MODELS = {name: mf.load(name) for name in library.catalogue()}
NEAR = 1e-6
"""Largest difference, in ranges of the variable: other solvers and other steps, as in docs/readers.md."""


def telling(model):
    """Return the first experiment, the one of most periods and the longest one."""
    named = manageable(model)
    chosen = named[0], max(named, key=lambda e: len(e.timeline)), max(named, key=lambda e: e.duration)
    return list({e.id: e for e in chosen}.values())


def each_model(form, *, cheap=()):
    """Return the models that have a form, all but the cheap ones marked as slow."""
    return [
        pytest.param(m, id=n, marks=[] if n in cheap else [pytest.mark.slow])
        for n, m in MODELS.items()
        if inapplicable(m, form) is None
    ]


EXPERIMENTS = [
    pytest.param(m, e, id=f"{n}-{e.id}", marks=[] if n == "insulin_cascade" else [pytest.mark.slow])
    for n, m in MODELS.items()
    for e in telling(m)
]


def highest(experiment):
    return experiment.doses.values[-1] if experiment.doses else None


def assert_near(theirs, ours, noise, what):
    """Compare one variable; ``noise`` is what solvers add to a variable that does not move."""
    span = max(float(np.ptp(ours)), 0.1 * float(np.abs(ours).max()), 1e-300)
    assert np.abs(theirs - ours).max() <= NEAR * span + noise, what


def plain_rows(experiment, times):
    """Return the rows that are no start of a period: there a plain run may show the values before or after."""
    starts = [p.start for p in experiment.timeline[1:]]
    return [k for k, t in enumerate(times) if not np.isclose(t, starts, rtol=1e-9, atol=1e-6).any()]


# --- models: the form is read, and the experiment done with what was read ---------------------------------------------


def assert_runs_as_ours(model, text, engine, rename=str):
    """Run the telling experiments with what another program made of the model, and compare every variable."""
    elements = {rename(i): e for i, e in sbml.elements(text).items()}
    assert {i for i, e in model.elements.items() if e.kind != "reaction"} <= elements.keys()
    other = engines.load(engine, text, sbml.elements(text), model.solver)
    columns = {rename(c): k for k, c in enumerate(other.columns)}
    back = {rename(i): i for i in sbml.elements(text)}
    for experiment in telling(model):
        plan = Protocol.of(experiment, model.conditions, highest(experiment)).plan({})
        ours = model.engine().run(plan)
        translated = engines.Plan(
            {back[i]: v for i, v in plan.initial.items()},
            plan.equilibration,
            tuple(engines.Phase(p.start, {back[i]: v for i, v in p.changes.items()}) for p in plan.phases),
            plan.times,
        )
        theirs = other.run(translated)
        for k, name in enumerate(model.engine().columns):
            # A difference that is zero throughout keeps the local errors of its terms, which add up over the steps.
            noise = 10 * model.solver.absolute_tolerance
            assert_near(theirs[:, columns[name]], ours[:, k], noise, f"{experiment.id}: {name}")


FLATTEN = """
import sys, libsbml
document = libsbml.readSBMLFromFile(sys.argv[1])
options = libsbml.ConversionProperties()
options.addOption("flatten comp", True)
assert document.convert(options) == libsbml.LIBSBML_OPERATION_SUCCESS
print(libsbml.writeSBMLToString(document))
"""

LOAD_ANTIMONY = """
import sys, tellurium
print(tellurium.loada(open(sys.argv[1]).read()).getSBML())
"""


def single_underscores(name):
    """Return an id as Antimony flattens it: libSBML writes two underscores where Antimony writes one."""
    return name.replace("__", "_")


@pytest.mark.parametrize("model", each_model("comp"))
def test_hierarchical_form_flattened_by_libsbml_gives_our_curves(model, tmp_path, fresh_python):
    text = fresh_python(FLATTEN, model.export("comp", tmp_path / "x.xml"))
    assert_runs_as_ours(model, text, "roadrunner", single_underscores)


@pytest.mark.parametrize("model", each_model("antimony", cheap=["insulin_cascade"]))
def test_antimony_loaded_by_tellurium_gives_our_curves(model, tmp_path, fresh_python):
    text = fresh_python(LOAD_ANTIMONY, model.export("antimony", tmp_path / "x.ant"))
    assert_runs_as_ours(model, text, "roadrunner")


@pytest.mark.copasi
@pytest.mark.parametrize("model", each_model("sbml-l3v1", cheap=["insulin_cascade"]))
def test_level_3_version_1_read_by_copasi_gives_our_curves(model, tmp_path):
    path = model.export("sbml-l3v1", tmp_path / "x.xml")
    assert_runs_as_ours(model, path.read_text("utf-8"), "copasi")


# --- COPASI -----------------------------------------------------------------------------------------------------------

KNOWN = ("default area unit", "default length unit", "is unknown to COPASI")
"""Two remarks on default units, and collections of identifiers of which the Python package brings no list."""

IMPORT = """
import sys, COPASI
model = COPASI.CRootContainer.addDatamodel()
COPASI.CCopasiMessage.clearDeque()
opened = model.importSBML(sys.argv[1]) if sys.argv[1].endswith(".xml") else model.loadModel(sys.argv[1])
print(COPASI.CCopasiMessage.getAllMessageText())
sys.exit(not opened)
"""

RUN = """
import json, sys, COPASI
model = COPASI.CRootContainer.addDatamodel()
opened = model.openCombineArchive(sys.argv[1]) if sys.argv[1].endswith(".omex") else model.loadModel(sys.argv[1])
assert opened, COPASI.CCopasiMessage.getAllMessageText()
task = model.getTask("Time-Course")
assert task.isScheduled() or sys.argv[1].endswith(".omex")
done = task.initializeRaw(COPASI.CCopasiTask.OUTPUT_UI) and task.processRaw(True)
assert done, COPASI.CCopasiMessage.getAllMessageText()
series = task.getTimeSeries()
rows = range(series.getRecordedSteps())
names = [series.getTitle(n) for n in range(series.getNumVariables())]
found = {name: [series.getConcentrationData(row, n) for row in rows] for n, name in enumerate(names)}
plots = [model.getPlotSpecification(n) for n in range(model.getNumPlotSpecifications())]
channels = {p.getObjectName(): [c.getObjectName() for c in p.getItems()] for p in plots}
print(json.dumps({"title": model.getModel().getObjectName(), "series": found, "plots": channels}))
"""


@pytest.mark.copasi
@pytest.mark.parametrize("form", ["sbml", "copasi"])
@pytest.mark.parametrize("model", each_model("sbml", cheap=["insulin_cascade"]))
def test_copasi_opens_the_file_without_a_remark_that_is_not_known(model, form, tmp_path, fresh_python):
    path = model.export(form, tmp_path / ("x.xml" if form == "sbml" else "x.cps"))
    remarks = [line for line in fresh_python(IMPORT, path).splitlines() if line.startswith("  ")]
    assert [line for line in remarks if not any(k in line for k in KNOWN)] == []


def assert_copasi_gives_our_curves(model, experiment, found):
    title = model.metadata.title
    assert found["title"].startswith(title)
    course = model.simulate(experiment.id, dose=highest(experiment)).data
    time = np.array(found["series"]["Time"])
    grid = np.linspace(0.0, experiment.duration, experiment.points)
    assert time == pytest.approx(grid, rel=1e-9, abs=1e-6)
    rows = plain_rows(experiment, grid)
    ours = course.loc[[round(t, 9) for t in grid.tolist()]]
    shown = derived.shown(model, experiment)
    assert shown
    for variable in shown:
        name = model.elements[variable].name
        theirs = np.array(found["series"].get(name) or found["series"][f"Values[{name}]"])
        assert_near(theirs[rows], ours[variable].to_numpy()[rows], model.solver.absolute_tolerance, variable)


@pytest.mark.copasi
@pytest.mark.parametrize(("model", "experiment"), EXPERIMENTS)
def test_copasi_runs_the_file_of_an_experiment_and_gives_our_curves(model, experiment, tmp_path, fresh_python):
    path = model.export("copasi", tmp_path / "x.cps", experiment=experiment.id)
    assert_copasi_gives_our_curves(model, experiment, json.loads(fresh_python(RUN, path).splitlines()[-1]))


# --- SED-ML and archives ----------------------------------------------------------------------------------------------

EXECUTE = """
import json, sys, warnings
warnings.simplefilter("ignore")
import tellurium
found = tellurium.executeCombineArchive(sys.argv[1], createOutputs=False)
values = {path.rsplit("/", 1)[-1]: run["dataGenerators"] for path, run in found.items()}
print(json.dumps({f: {k: v.ravel().tolist() for k, v in d.items()} for f, d in values.items()}))
"""


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Return a function that gives the archive of a model, written once."""
    folder = tmp_path_factory.mktemp("archives")

    def archive(model):
        path = folder / f"{model.id}.omex"
        return path if path.exists() else model.export("omex", path)

    return archive


def without(archive, names, folder):
    """Return a copy of an archive that lacks some of the SED-ML documents."""
    path = folder / archive.name
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(path, "w") as copy:
        for entry in whole.namelist():
            content = whole.read(entry).decode()
            if entry == "manifest.xml":
                lines = content.splitlines()
                content = "\n".join(x for x in lines if not any(f"/{name}" in x for name in names))
            if entry.rpartition("/")[2] not in names:
                copy.writestr(entry, content)
    return path


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_tellurium_executes_the_archive_and_gives_our_curves_in_every_experiment(
    model, archives, tmp_path, fresh_python
):
    chosen = {f"{e.id}.sedml": e for e in manageable(model)}
    archive = without(archives(model), {f"{name}.sedml" for name in model.experiments} - chosen.keys(), tmp_path)
    found = json.loads(fresh_python(EXECUTE, archive, MPLBACKEND="Agg").splitlines()[-1])
    assert found.keys() == chosen.keys()
    for experiment in chosen.values():
        values = {k: np.array(v) for k, v in found[f"{experiment.id}.sedml"].items()}
        doses = experiment.doses.values if experiment.doses else (None,)
        for n, dose in enumerate(doses, start=1):
            run = f"_of_run_{n}" if experiment.doses else "_of_run"
            time = values[f"time{run}"]
            assert time == pytest.approx(np.linspace(0.0, experiment.duration, experiment.points), rel=1e-9, abs=1e-6)
            course = model.simulate(experiment.id, dose=dose).data
            rows, ours = plain_rows(experiment, time), course.loc[[round(t, 9) for t in time.tolist()]]
            shown = [k.removesuffix(run) for k in values if re.fullmatch(f".*{run}", k) and not k.startswith("time_of")]
            assert shown == derived.shown(model, experiment)
            for name in shown:
                theirs = values[f"{name}{run}"][rows]
                what = f"{experiment.id}{run}: {name}"
                assert_near(theirs, ours[name].to_numpy()[rows], 10 * model.solver.absolute_tolerance, what)


@pytest.mark.copasi
@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_copasi_opens_the_archive_and_gives_our_curves(model, archives, fresh_python):
    first = next(iter(model.experiments.values()))
    found = json.loads(fresh_python(RUN, archives(model)).splitlines()[-1])
    assert_copasi_gives_our_curves(model, first, found)
