"""Write COPASI files in a process of its own: what COPASI writes depends on every model that its process has seen.

``python -m metaflammation._copasi`` reads JSON from standard input, a list of jobs, and prints JSON: the texts, or
an object with ``error``. A job has ``sbml``, ``title``, ``duration`` (min), ``steps``, ``tolerances`` (relative,
absolute), ``plots`` (title to a list of [name, whether it is a concentration]) and ``sets`` (name to values by id).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from metaflammation import children


def write(job: dict[str, Any]) -> str:
    """Return the text of one COPASI file."""
    import basico
    import COPASI

    from metaflammation import sbml
    from metaflammation.engines.copasi import DataModel, set_tolerances
    from metaflammation.records import Solver

    relative, absolute = job["tolerances"]
    solver = Solver(relative_tolerance=relative, absolute_tolerance=absolute)
    data = DataModel(job["sbml"], sbml.elements(job["sbml"]), solver)
    model, task = data.handle.getModel(), data.handle.getTask("Time-Course")
    model.setObjectName(job["title"])
    for name, values in job["sets"].items():
        data.set(values)
        found = COPASI.CModelParameterSet(name)
        model.getModelParameterSets().addAndOwn(found)
        found.createFromModel()
        data.restore()
    task.setScheduled(True)
    set_tolerances(task, solver)
    problem = task.getProblem()
    problem.setDuration(job["duration"])
    problem.setStepNumber(job["steps"])
    problem.setTimeSeriesRequested(True)
    for title, shown in job["plots"].items():
        curves = [
            {"name": name, "channels": ["Time", f"[{name}]" if concentration else f"Values[{name}]"]}
            for name, concentration in shown
        ]
        basico.add_plot(title, curves=curves, model=data.handle)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cps"
        if not data.handle.saveModel(str(path), True):
            raise RuntimeError("COPASI could not write the file")
        return path.read_text("utf-8")


def forget_functions(known: set[str]) -> None:
    """Remove the rate laws of the models so far: COPASI names those of the next one by them."""
    import COPASI

    functions = COPASI.CRootContainer.getFunctionList()
    for name in names_of_functions() - known:
        functions.removeFunction(name)


def names_of_functions() -> set[str]:
    """Return the names of all rate laws that COPASI knows."""
    import COPASI

    functions = COPASI.CRootContainer.getFunctionList().loadedFunctions()
    return {functions.get(n).getObjectName() for n in range(functions.size())}


def write_apart(job: dict[str, Any]) -> str:
    """Return the text of one COPASI file, and forget the model."""
    known = names_of_functions()
    text = write(job)
    forget_functions(known)
    return text


if __name__ == "__main__":
    children.answer(write_apart)
