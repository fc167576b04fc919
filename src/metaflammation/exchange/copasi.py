"""COPASI files: an experiment ready to run, or the model with a parameter set for each condition."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from metaflammation.exchange import apart, derived
from metaflammation.exchange.derived import Derived

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from metaflammation.exchange import Progress
    from metaflammation.model import Model
    from metaflammation.records import Experiment


def document(model: Model, experiment: str | None = None, progress: Progress = lambda _: None) -> str:
    """Return the text of a COPASI file, the same bytes each time.

    With an experiment it starts equilibrated, later periods are events, and opened in COPASI, *Run* gives the curves
    that this package gives. Without one it holds the model as it is, with a parameter set for each named condition.
    Both have names, units, annotations, rate laws, a time course and plots.

    Raises
    ------
    ExportError
        If the experiment does not exist or COPASI refuses the model.
    """
    of = Derived(model, derived.experiment(model, experiment)) if experiment else None
    (text,) = documents(model, [of], progress)
    return text


def documents(
    model: Model, experiments: Sequence[Derived | None], progress: Progress = lambda _: None
) -> Iterator[str]:
    """Yield the texts of several COPASI files of a model; see :func:`document`."""
    jobs = (_job(model, e) for e in experiments)
    for e, text in zip(experiments, apart.texts("metaflammation._copasi", "COPASI", jobs, model.id), strict=True):
        progress(f"{e.experiment.id if e else model.id}: COPASI")
        yield stable(text)


def _job(model: Model, of: Derived | None) -> dict[str, Any]:
    experiment = of.experiment if of else None
    shape = experiment or next(iter(model.experiments.values()), None)
    shown = derived.by_unit(model, of.shown if of else derived.shown(model, None))
    return {
        "sbml": of.document if of else model.sbml,
        "title": _title(model, experiment),
        "duration": derived.duration(model, shape) if shape else 60.0,
        "steps": (shape.points if shape else 121) - 1,
        "tolerances": [model.solver.relative_tolerance, model.solver.absolute_tolerance],
        "plots": {
            f"time course ({unit})": [[e.name or e.id, e.kind == "species"] for e in elements]
            for unit, elements in shown.items()
        },
        "sets": {} if experiment else model.conditions,
    }


def _title(model: Model, experiment: Experiment | None) -> str:
    title = model.metadata.title if model.metadata else model.id
    if experiment is None:
        return title
    dose = derived.highest_dose(experiment)
    return f"{title}: {experiment.title}{f', {dose}' if dose else ''}"


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
