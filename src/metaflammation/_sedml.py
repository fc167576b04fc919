"""Write SED-ML with libSEDML in a process of its own: once it is loaded, libSBML gives objects of the wrong kind.

``python -m metaflammation._sedml BYTES`` answers the jobs of :class:`~metaflammation.guarded.Guarded`. A job has
``title``, ``model`` (its name), ``source`` (the SBML file), ``duration`` (min), ``intervals``, ``settings`` (KiSAO term
to value, as text), ``runs`` (each ``id``, ``label``, and ``change``: a path and a value, or null), ``variables`` (each
``id``, ``name``, ``path``) and ``plots`` (each a title and ids of variables).
"""

from __future__ import annotations

from typing import Any

from metaflammation import guarded

CVODE = "KISAO:0000019"
TIME = "urn:sedml:symbol:time"
LANGUAGE = "urn:sedml:language:sbml.level-3.version-2"
SBML = "http://www.sbml.org/sbml/level3/version2/core"
TIME_VARIABLE = {"id": "time", "name": "time", "path": ""}


def write(job: dict[str, Any]) -> str:
    """Return a SED-ML Level 1 Version 3 document."""
    import libsedml

    parsed = libsedml.SedDocument(1, 3)
    parsed.getNamespaces().add(SBML, "sbml")
    _course(parsed, job)
    for run in job["runs"]:
        _task(parsed, job, run)
        for variable in (TIME_VARIABLE, *job["variables"]):
            _generator(parsed, run, variable)
    _report(parsed, job)
    for n, (title, shown) in enumerate(job["plots"], start=1):
        _plot(parsed, f"plot_{n}", f"{job['title']} ({title})", job, shown)
    if parsed.getErrorLog().getNumErrors():
        raise RuntimeError(parsed.getErrorLog().toString())
    return str(libsedml.writeSedMLToString(parsed))


def _course(parsed: Any, job: dict[str, Any]) -> None:
    course = parsed.createUniformTimeCourse()
    course.setId("course")
    course.setName(job["title"])
    course.setInitialTime(0.0)
    course.setOutputStartTime(0.0)
    course.setOutputEndTime(job["duration"])
    course.setNumberOfPoints(job["intervals"])
    algorithm = course.createAlgorithm()
    algorithm.setKisaoID(CVODE)
    for name, value in job["settings"].items():
        parameter = algorithm.createAlgorithmParameter()
        parameter.setKisaoID(name)
        parameter.setValue(value)


def _task(parsed: Any, job: dict[str, Any], run: dict[str, Any]) -> None:
    simulated = parsed.createModel()
    simulated.setId(f"model_of_{run['id']}")
    simulated.setName(f"{job['model']}{run['label']}")
    simulated.setLanguage(LANGUAGE)
    simulated.setSource(job["source"])
    if run["change"]:
        path, value = run["change"]
        change = simulated.createChangeAttribute()
        change.setTarget(path)
        change.setNewValue(repr(value))
    task = parsed.createTask()
    task.setId(run["id"])
    task.setName(f"{job['title']}{run['label']}")
    task.setModelReference(simulated.getId())
    task.setSimulationReference("course")


def _name(run: dict[str, Any], variable: dict[str, Any]) -> str:
    return f"{variable['id']}_of_{run['id']}"


def _generator(parsed: Any, run: dict[str, Any], variable: dict[str, Any]) -> None:
    import libsedml

    generator = parsed.createDataGenerator()
    generator.setId(_name(run, variable))
    generator.setName(f"{variable['name']}{run['label']}")
    read = generator.createVariable()
    read.setId(f"variable_{generator.getId()}")
    read.setTaskReference(run["id"])
    if variable["path"]:
        read.setTarget(variable["path"])
    else:
        read.setSymbol(TIME)
    generator.setMath(libsedml.parseFormula(read.getId()))


def _report(parsed: Any, job: dict[str, Any]) -> None:
    report = parsed.createReport()
    report.setId("report")
    report.setName(job["title"])
    for run in job["runs"]:
        for variable in (TIME_VARIABLE, *job["variables"]):
            column = report.createDataSet()
            column.setId(f"column_{_name(run, variable)}")
            column.setLabel(_name(run, variable))
            column.setName(f"{variable['name']}{run['label']}")
            column.setDataReference(_name(run, variable))


def _plot(parsed: Any, name: str, title: str, job: dict[str, Any], shown: list[str]) -> None:
    plot = parsed.createPlot2D()
    plot.setId(name)
    plot.setName(title)
    for run in job["runs"]:
        for variable in (v for v in job["variables"] if v["id"] in shown):
            curve = plot.createCurve()
            curve.setId(f"{name}_{_name(run, variable)}")
            curve.setName(f"{variable['name']}{run['label']}")
            curve.setLogX(False)
            curve.setLogY(False)
            curve.setXDataReference(_name(run, TIME_VARIABLE))
            curve.setYDataReference(_name(run, variable))


if __name__ == "__main__":
    guarded.serve(write)
