"""SED-ML: each experiment as one plain uniform time course of a derived SBML file, with data generators and plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaflammation.engines.roadrunner import MAXIMUM_STEPS
from metaflammation.exchange import apart, derived
from metaflammation.exchange.derived import Derived

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metaflammation.exchange import Progress
    from metaflammation.model import Model
    from metaflammation.sbml import Element

LISTS = {"species": "listOfSpecies", "parameter": "listOfParameters", "compartment": "listOfCompartments"}
VALUES = {"species": "initialConcentration", "parameter": "value", "compartment": "size"}


def files(model: Model, experiment: str | None = None, progress: Progress = lambda _: None) -> dict[str, str]:
    """Return, by file name, a SED-ML document and the SBML that it simulates, for one experiment or for each.

    Later periods are events of the SBML and its start is equilibrated, because simulators disagree about what carries
    over from one subtask to the next. The doses of a series are changes of one attribute.

    Raises
    ------
    ExportError
        If the model has not this experiment.
    """
    named = [derived.experiment(model, experiment)] if experiment else list(model.experiments.values())
    return documents(model, [Derived(model, e) for e in named], progress)


def documents(model: Model, experiments: Sequence[Derived], progress: Progress = lambda _: None) -> dict[str, str]:
    """Return the files of several experiments by name; see :func:`files`."""
    jobs = (_job(model, e) for e in experiments)
    found = {}
    for e, text in zip(experiments, apart.texts("metaflammation._sedml", "libSEDML", jobs, model.id), strict=True):
        found[f"{e.experiment.id}.sedml"] = text
        found[f"{e.experiment.id}.xml"] = e.document
        progress(f"{e.experiment.id}: SED-ML")
    return found


def _job(model: Model, of: Derived) -> dict[str, Any]:
    experiment = of.experiment
    elements = [model.elements[i] for i in of.shown]
    runs: list[dict[str, Any]] = [{"id": "run", "label": "", "change": None}]
    plots = [
        (title, [e.id for e in shown]) for title, shown in derived.by_unit(model, [e.id for e in elements]).items()
    ]
    if experiment.doses:
        target = model.elements[experiment.doses.target]
        attribute = "initialAmount" if target.in_amounts else VALUES[target.kind]
        runs = [
            {
                "id": f"run_{n}",
                "label": f" at {d:g} {experiment.doses.unit}",
                "change": (f"{_path(target)}/@{attribute}", d),
            }
            for n, d in enumerate(experiment.doses.values, start=1)
        ]
        plots = [(e.name or e.id, [e.id]) for e in elements]
    return {
        "title": experiment.title,
        "model": model.metadata.title if model.metadata else model.id,
        "source": f"{experiment.id}.xml",
        "duration": derived.duration(model, experiment),
        "intervals": experiment.points - 1,
        "settings": {
            "KISAO:0000209": repr(model.solver.relative_tolerance),
            "KISAO:0000211": repr(model.solver.absolute_tolerance),
            "KISAO:0000220": str(experiment.maximum_order or model.solver.maximum_order),
            "KISAO:0000415": str(MAXIMUM_STEPS),
        },
        "runs": runs,
        "variables": [{"id": e.id, "name": e.name or e.id, "path": _path(e)} for e in elements],
        "plots": plots,
    }


def _path(element: Element) -> str:
    return f"/sbml:sbml/sbml:model/sbml:{LISTS[element.kind]}/sbml:{element.kind}[@id='{element.id}']"
