"""COPASI files: the model with one experiment ready to run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflammation import expectations
from metaflammation.engines.copasi import set_tolerances
from metaflammation.errors import ExportError, unknown
from metaflammation.exchange import derived

if TYPE_CHECKING:
    from collections.abc import Container

    from metaflammation.model import Model
    from metaflammation.records import Experiment


def document(model: Model, experiment: str | None = None) -> str:
    """Return the text of a COPASI file.

    It holds the model with names, units, annotations and rate laws, and a time course with plots for the experiment:
    opened in COPASI, *Run* gives the curves that this package gives. A model without experiments is written as it is,
    with a time course of 60 min.

    Raises
    ------
    ExportError
        If the experiment does not exist or COPASI refuses the model.
    """
    import COPASI

    named = _experiment(model, experiment)
    text = derived.document(model, named) if named else model.sbml
    shown = derived.moving(model, named) & _read(model) or derived.moving(model, named)
    dm = COPASI.CRootContainer.addDatamodel()
    try:
        if not dm.importSBMLFromString(text):
            raise ExportError(f"{model.id}: COPASI cannot load the model: {COPASI.CCopasiMessage.getAllMessageText()}")
        dm.getModel().setObjectName(_title(model, named))
        _time_course(dm, model, named)
        _plots(dm, model, shown)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.cps"
            if not dm.saveModel(str(path), True):
                raise ExportError(f"{model.id}: COPASI could not write the file")
            return path.read_text("utf-8")
    finally:
        COPASI.CRootContainer.removeDatamodel(dm)


def _read(model: Model) -> set[str]:
    """Return the variables that expectations read: what a reader of the model wants to see."""
    return {r.observable for e in model.expectations.values() for r in expectations.readings(e.value)}


def _experiment(model: Model, name: str | None) -> Experiment | None:
    if name is None:
        return next(iter(model.experiments.values()), None)
    if name not in model.experiments:
        raise ExportError(f"{model.id}: {unknown('experiment', name, model.experiments)}")
    return model.experiments[name]


def _title(model: Model, experiment: Experiment | None) -> str:
    title = model.metadata.title if model.metadata else model.id
    return f"{title}: {experiment.title}" if experiment else title


def _time_course(dm: Any, model: Model, experiment: Experiment | None) -> None:
    import COPASI

    task = dm.getTask("Time-Course")
    task.setScheduled(True)
    task.setMethodType(COPASI.CTaskEnum.Method_deterministic)
    set_tolerances(task, model.solver)
    problem = task.getProblem()
    problem.setDuration(experiment.duration if experiment else 60.0)
    problem.setStepNumber((experiment.points if experiment else 121) - 1)
    problem.setTimeSeriesRequested(True)


def _plots(dm: Any, model: Model, shown: Container[str]) -> None:
    """Add one plot for each unit: the variables of that unit that are shown, against time."""
    import basico

    by_unit: dict[str, list[tuple[str, str]]] = {}
    for element in model.elements.values():
        name = element.name or element.id
        if element.id not in shown:
            continue
        if element.kind == "species":
            by_unit.setdefault(element.unit.label, []).append((name, f"[{name}]"))
        elif element.kind == "parameter":
            by_unit.setdefault(element.unit.label, []).append((name, f"Values[{name}]"))
    for unit, curves in by_unit.items():
        basico.add_plot(
            f"time course ({unit or 'dimensionless'})",
            curves=[{"name": name, "channels": ["Time", channel]} for name, channel in curves],
            model=dm,
        )
