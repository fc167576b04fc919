"""SED-ML: each experiment as one plain uniform time course of a derived SBML file, with data generators and plots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaflammation.errors import ExportError, unknown
from metaflammation.exchange import derived

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metaflammation.model import Model
    from metaflammation.records import Experiment
    from metaflammation.sbml import Element

CVODE, RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = "KISAO:0000019", "KISAO:0000209", "KISAO:0000211"
TIME = "urn:sedml:symbol:time"
SBML = "http://www.sbml.org/sbml/level3/version2/core"
LISTS = {"species": "listOfSpecies", "parameter": "listOfParameters", "compartment": "listOfCompartments"}
VALUES = {"species": "initialConcentration", "parameter": "value", "compartment": "size"}


def files(model: Model, experiment: str | None = None) -> dict[str, str]:
    """Return, by file name, a SED-ML document and the SBML that it simulates, for one experiment or for each.

    Later periods are events of the SBML and its start is equilibrated, because simulators disagree about what carries
    over from one subtask to the next. The doses of a series are changes of one attribute.

    Raises
    ------
    ExportError
        If the model has no experiments, or not this one.
    """
    if experiment is not None and experiment not in model.experiments:
        raise ExportError(f"{model.id}: {unknown('experiment', experiment, model.experiments)}")
    if not model.experiments:
        raise ExportError(f"{model.id}: has no experiments that SED-ML could describe")
    found = {}
    for named in [model.experiments[experiment]] if experiment else model.experiments.values():
        found[f"{named.id}.sedml"] = document(model, named, f"{named.id}.xml")
        found[f"{named.id}.xml"] = derived.document(model, named)
    return found


@dataclass(frozen=True)
class _Run:
    """One task: its id, the dose and how it is called in labels."""

    id: str
    dose: float | None = None
    label: str = ""


def document(model: Model, experiment: Experiment, source: str) -> str:
    """Return a SED-ML Level 1 Version 3 document that simulates the SBML file ``source``."""
    # Imported first: libsbml's enumerations break when it comes after libsedml.
    import libsbml  # noqa: F401
    import libsedml

    parsed = libsedml.SedDocument(1, 3)
    parsed.getNamespaces().add(SBML, "sbml")
    _course(parsed, model, experiment)
    runs = [_Run("run")]
    if experiment.doses:
        unit = experiment.doses.unit
        runs = [_Run(f"run_{n}", d, f" at {d:g} {unit}") for n, d in enumerate(experiment.doses.values, start=1)]
    elements = [model.elements[i] for i in derived.shown(model, experiment)]
    for run in runs:
        _task(parsed, model, experiment, run, source)
        _generator(parsed, run, None)
        for element in elements:
            _generator(parsed, run, element)
    _report(parsed, experiment, runs, elements)
    groups: dict[str, Iterable[Element]] = dict(derived.by_unit(model, [e.id for e in elements]))
    if experiment.doses:
        groups = {e.name or e.id: [e] for e in elements}
    for n, (title, shown) in enumerate(groups.items(), start=1):
        _plot(parsed, f"plot_{n}", f"{experiment.title} ({title})", runs, shown)
    errors = parsed.validate() if hasattr(parsed, "validate") else 0
    if errors or parsed.getErrorLog().getNumErrors():
        raise ExportError(f"{model.id}: {experiment.id}: {parsed.getErrorLog().toString()}")
    return str(libsedml.writeSedMLToString(parsed))


def _course(parsed: Any, model: Model, experiment: Experiment) -> None:
    course = parsed.createUniformTimeCourse()
    course.setId("course")
    course.setName(experiment.title)
    course.setInitialTime(0.0)
    course.setOutputStartTime(0.0)
    course.setOutputEndTime(experiment.duration)
    course.setNumberOfPoints(experiment.points - 1)
    algorithm = course.createAlgorithm()
    algorithm.setKisaoID(CVODE)
    tolerances = model.solver.relative_tolerance, model.solver.absolute_tolerance
    for name, value in zip((RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE), tolerances, strict=True):
        parameter = algorithm.createAlgorithmParameter()
        parameter.setKisaoID(name)
        parameter.setValue(repr(value))


def _task(parsed: Any, model: Model, experiment: Experiment, run: _Run, source: str) -> None:
    simulated = parsed.createModel()
    simulated.setId(f"model_of_{run.id}")
    simulated.setName(f"{model.metadata.title if model.metadata else model.id}{run.label}")
    simulated.setLanguage("urn:sedml:language:sbml.level-3.version-2")
    simulated.setSource(source)
    if experiment.doses and run.dose is not None:
        element = model.elements[experiment.doses.target]
        attribute = "initialAmount" if element.in_amounts else VALUES[element.kind]
        change = simulated.createChangeAttribute()
        change.setTarget(f"{_path(element)}/@{attribute}")
        change.setNewValue(repr(run.dose))
    task = parsed.createTask()
    task.setId(run.id)
    task.setName(f"{experiment.title}{run.label}")
    task.setModelReference(simulated.getId())
    task.setSimulationReference("course")


def _path(element: Element) -> str:
    return f"/sbml:sbml/sbml:model/sbml:{LISTS[element.kind]}/sbml:{element.kind}[@id='{element.id}']"


def _name(run: _Run, element: Element | None) -> str:
    return f"{'time' if element is None else element.id}_of_{run.id}"


def _generator(parsed: Any, run: _Run, element: Element | None) -> None:
    import libsedml

    generator = parsed.createDataGenerator()
    generator.setId(_name(run, element))
    generator.setName("time" if element is None else f"{element.name or element.id}{run.label}")
    variable = generator.createVariable()
    variable.setId(f"variable_{generator.getId()}")
    variable.setTaskReference(run.id)
    if element is None:
        variable.setSymbol(TIME)
    else:
        variable.setTarget(_path(element))
    generator.setMath(libsedml.parseFormula(variable.getId()))


def _report(parsed: Any, experiment: Experiment, runs: Iterable[_Run], elements: Iterable[Element]) -> None:
    report = parsed.createReport()
    report.setId("report")
    report.setName(experiment.title)
    for run in runs:
        for element in (None, *elements):
            column = report.createDataSet()
            column.setId(f"column_{_name(run, element)}")
            column.setLabel(_name(run, element))
            column.setName(f"time{run.label}" if element is None else f"{element.name or element.id}{run.label}")
            column.setDataReference(_name(run, element))


def _plot(parsed: Any, name: str, title: str, runs: Iterable[_Run], elements: Iterable[Element]) -> None:
    plot = parsed.createPlot2D()
    plot.setId(name)
    plot.setName(title)
    for run in runs:
        for element in elements:
            curve = plot.createCurve()
            curve.setId(f"{name}_{_name(run, element)}")
            curve.setName(f"{element.name or element.id}{run.label}")
            curve.setLogX(False)
            curve.setLogY(False)
            curve.setXDataReference(_name(run, None))
            curve.setYDataReference(_name(run, element))
