"""Files for other programs: pure functions of a model and its experiments, and the one place that writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaflammation import files, sbml
from metaflammation.errors import ExportError, unknown

if TYPE_CHECKING:
    from pathlib import Path

    from metaflammation.model import Model

FORMS = {"sbml": ".xml", "sbml-l3v1": ".xml", "copasi": ".cps"}
"""The forms that can be written, and the ending of each."""


def export(model: Model, form: str, path: Path, *, experiment: str | None, overwrite: bool) -> Path:
    """Write one form of a model; see :meth:`metaflammation.Model.export`."""
    if form not in FORMS:
        raise ExportError(unknown("form", form, FORMS))
    if experiment is not None and form != "copasi":
        raise ExportError(f"form {form} holds the model without an experiment; leave the experiment out")
    files.check_free(path, overwrite=overwrite)
    if form == "copasi":
        from metaflammation.exchange import copasi

        text = copasi.document(model, experiment)
    elif form == "sbml-l3v1":
        text = sbml.to_level(model.sbml, 3, 1, model.id)
    else:
        text = model.sbml
    files.write_text(path, text, overwrite=overwrite)
    return path
