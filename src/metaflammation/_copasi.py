"""Write COPASI files in a process of its own: what COPASI writes depends on every model that its process has seen.

``python -m metaflammation._copasi BYTES`` answers the jobs of :class:`~metaflammation.guarded.Guarded`. A job has
``sbml``, ``title``, ``duration`` (min), ``steps``, ``tolerances`` (relative, absolute), ``plots`` (title to a list of
[name, whether it is a concentration]) and ``sets`` (name to values by id).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflammation import guarded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metaflammation.engines.copasi import DataModel
    from metaflammation.sbml import Element


def write(job: dict[str, Any]) -> str:
    """Return the text of one COPASI file."""
    import basico

    from metaflammation import sbml
    from metaflammation.engines.copasi import DataModel, set_tolerances
    from metaflammation.records import Solver

    relative, absolute = job["tolerances"]
    solver = Solver(relative_tolerance=relative, absolute_tolerance=absolute)
    elements = sbml.elements(job["sbml"])
    data = DataModel(job["sbml"], elements, solver)
    model, task = data.handle.getModel(), data.handle.getTask("Time-Course")
    model.setObjectName(job["title"])
    _add_sets(data, elements, job["sets"])
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


def _add_sets(data: DataModel, elements: Mapping[str, Element], sets: dict[str, dict[str, float]]) -> None:
    """Add a parameter set for each condition, with the value of everything that some condition sets.

    Each set undoes what another one did; complete ones would make a hundred megabytes of the integrated model.
    """
    import COPASI

    changed = {element for values in sets.values() for element in values}
    # COPASI counts particles: those in a compartment that changes have to change with it.
    changed |= {e.id for e in elements.values() if e.compartment in changed}
    held = {data.entities[i].getCN().getString() for i in changed & data.entities.keys()}
    for name, values in sets.items():
        data.set(values)
        found = COPASI.CModelParameterSet(name)
        data.handle.getModel().getModelParameterSets().addAndOwn(found)
        found.createFromModel()
        data.restore()
        for group in [found.getChild(n) for n in range(found.size())]:
            _leave_only(group, held)


def _leave_only(group: Any, held: set[str]) -> None:
    """Empty a group of parameters but for those held: COPASI crashes when single ones are removed."""
    import COPASI

    particles = COPASI.CCore.Framework_ParticleNumbers
    kept = []
    for p in map(group.getChild, range(group.size())):
        # As text: what COPASI hands out lives no longer than the parameter.
        name, formula = p.getCN().getString(), str(p.getInitialExpression())
        if name in held:
            kept.append((p.getType(), name, p.getSimulationType(), p.getValue(particles), formula))
    group.clear()
    for kind, name, simulation, value, formula in kept:
        parameter = group.add(kind)
        parameter.setCN(COPASI.CCommonName(name))
        parameter.setSimulationType(simulation)
        parameter.setValue(value, particles)
        parameter.setInitialExpression(formula)


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
    guarded.serve(write_apart)
