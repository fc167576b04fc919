"""COPASI files: an experiment ready to run, or the model with a parameter set for each condition."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflammation.engines.copasi import DataModel, set_tolerances
from metaflammation.errors import ExportError, unknown
from metaflammation.exchange import derived

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metaflammation.model import Model
    from metaflammation.records import Experiment


def document(model: Model, experiment: str | None = None) -> str:
    """Return the text of a COPASI file, the same bytes each time.

    With an experiment it starts equilibrated, later periods are events, and opened in COPASI, *Run* gives the curves
    that this package gives. Without one it holds the model as it is, with a parameter set for each named condition.
    Both have names, units, annotations, rate laws, a time course and plots.

    Raises
    ------
    ExportError
        If the experiment does not exist or COPASI refuses the model.
    """
    named = _experiment(model, experiment)
    text = derived.document(model, named) if named else model.sbml
    data = DataModel(text, model.elements, model.solver)
    data.handle.getModel().setObjectName(_title(model, named))
    if named is None:
        _parameter_sets(data, model)
    _time_course(data.handle, model, named or next(iter(model.experiments.values()), None))
    _plots(data.handle, model, derived.shown(model, named))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cps"
        if not data.handle.saveModel(str(path), True):
            raise ExportError(f"{model.id}: COPASI could not write the file")
        return stable(path.read_text("utf-8"))


def stable(text: str) -> str:
    """Return a COPASI file without what differs from one writing to the next, and with SBO terms that COPASI knows.

    COPASI writes the time of writing, numbers its objects through the life of the process, and orders the statements
    about an element by their place in memory. Of SBO terms it makes unknown identifiers.
    """
    text = re.sub(r"( \(http://www\.copasi\.org\)) at \S+Z -->", r"\1 -->", text, count=1)
    text = text.replace("urn:miriam:unknown:SBO:", "urn:miriam:obo.sbo:SBO:")
    numbers: dict[str, str] = {}
    counts: dict[str, int] = {}
    for key, kind in re.findall(r'\bkey="(([A-Za-z]+)_\d+)"', text):
        if key not in numbers:
            counts[kind] = counts.get(kind, 0) + 1
            numbers[key] = f"{kind}_{counts[kind]}"
    text = re.sub(r"(?<=[\"#])[A-Za-z]+_\d+(?=\")", lambda found: numbers.get(found[0], found[0]), text)
    return re.sub(r"(?s)<rdf:RDF.*?</rdf:RDF>", lambda found: _sorted_statements(found[0]), text)


def _sorted_statements(rdf: str) -> str:
    from lxml import etree

    root = etree.fromstring(rdf)
    for parent in reversed(list(root.iter())):
        parent.text = parent.text if parent.text and parent.text.strip() else None
        parent.tail = parent.tail if parent.tail and parent.tail.strip() else None
        parent[:] = sorted(parent, key=etree.tostring)
    etree.indent(root, "  ")
    return str(etree.tostring(root, encoding="unicode"))


def _parameter_sets(data: DataModel, model: Model) -> None:
    """Add a parameter set for each named condition."""
    import COPASI

    sets = data.handle.getModel().getModelParameterSets()
    for name, changes in model.conditions.items():
        data.set(changes)
        found = COPASI.CModelParameterSet(name)
        sets.addAndOwn(found)
        found.createFromModel()
        data.restore()


def _experiment(model: Model, name: str | None) -> Experiment | None:
    if name is None:
        return None
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


def _plots(dm: Any, model: Model, shown: Iterable[str]) -> None:
    """Add one plot for each unit: the variables of that unit that are shown, against time."""
    import basico

    for unit, elements in derived.by_unit(model, shown).items():
        curves = []
        for element in elements:
            name = element.name or element.id
            channel = f"[{name}]" if element.kind == "species" else f"Values[{name}]"
            curves.append({"name": name, "channels": ["Time", channel]})
        basico.add_plot(f"time course ({unit})", curves=curves, model=dm)
