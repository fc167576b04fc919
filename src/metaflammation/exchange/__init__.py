"""Files for other programs: pure functions of a model and its experiments, and the one place that writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaflammation import compile as compiling
from metaflammation import files, measurements, sbml
from metaflammation.errors import ExportError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from metaflammation.model import Model

    Progress = Callable[[str], None]


@dataclass(frozen=True)
class Form:
    """What can be written: the ending of the file (none: a folder), and whether it can hold a single experiment."""

    ending: str = ""
    experiment: bool = False


FORMS = {
    "sbml": Form(".xml"),
    "sbml-l3v1": Form("_l3v1.xml"),
    "comp": Form("_comp.xml"),
    "antimony": Form(".ant"),
    "copasi": Form(".cps", experiment=True),
    "sedml": Form(experiment=True),
    "petab": Form(),
    "petab-v1": Form(),
    "omex": Form(".omex"),
}
"""The forms that can be written, by the names that the command line takes."""

PETAB = {"petab": 2, "petab-v1": 1}


def default_name(model: Model, form: str, experiment: str | None = None) -> str:
    """Return the name of the file or folder that is written if none is given."""
    if form not in FORMS:
        raise ExportError(unknown("form", form, FORMS))
    if form == "antimony" and model.files is None:
        return f"{model.id}_from_sbml.ant"
    return f"{'_'.join(filter(None, (model.id, experiment)))}{FORMS[form].ending or f'_{form}'}"


def inapplicable(model: Model, form: str) -> str | None:
    """Return why a form does not exist for a model; None if it does."""
    if form == "comp" and not (model.files and model.files.comp()):
        return "has no submodels, so there is no hierarchical form; export sbml"
    if form == "sedml" and not model.experiments:
        return "has no experiments that SED-ML could describe"
    if form in PETAB and not measurements.fitted(model):
        return "has no fitted series, which is what PEtab describes"
    return None


def export(
    model: Model,
    form: str,
    path: Path,
    *,
    experiment: str | None = None,
    overwrite: bool = False,
    progress: Progress = lambda _: None,
) -> Path:
    """Write one form of a model; see :meth:`metaflammation.Model.export`.

    ``progress`` is called with what was written, :func:`steps` times.
    """
    if form not in FORMS:
        raise ExportError(unknown("form", form, FORMS))
    if experiment is not None and not FORMS[form].experiment:
        raise ExportError(f"form {form} holds the model without an experiment; leave the experiment out")
    reason = inapplicable(model, form)
    if reason:
        raise ExportError(f"{model.id}: {reason}")
    check_free(form, path, overwrite=overwrite)
    if FORMS[form].ending:
        files.write_bytes(path, _file(model, form, experiment, progress), overwrite=overwrite)
    else:
        # The two versions of PEtab share a folder's names, but only one has this table.
        replacing = ("experiments.tsv",) if form in PETAB else ()
        files.write_folder(path, _folder(model, form, experiment, progress), overwrite=overwrite, replacing=replacing)
    return path


def check_free(form: str, path: Path, *, overwrite: bool) -> None:
    """Raise an error if a form cannot be written to ``path``, before the work."""
    check = files.check_free if FORMS[form].ending else files.check_folder
    check(path, overwrite=overwrite)


def steps(model: Model, form: str, experiment: str | None = None) -> int:
    """Return how often :func:`export` reports progress."""
    experiments = 1 if experiment else len(model.experiments)
    return {"omex": 2 * experiments + 1, "sedml": experiments, "copasi": 1}.get(form, 0)


def _file(model: Model, form: str, experiment: str | None, progress: Progress) -> bytes:
    if form == "omex":
        from metaflammation.exchange import omex

        return omex.archive(model, progress)
    if form == "copasi":
        from metaflammation.exchange import copasi

        text = copasi.document(model, experiment, progress)
    elif form == "sbml-l3v1":
        text = sbml.to_level(model.sbml, 3, 1, model.id)
    elif form == "antimony":
        text = compiling.antimony_of(model.files) if model.files else compiling.to_antimony(model.sbml, model.id)
    elif form == "comp" and model.files:
        text = model.files.comp()
    else:
        text = model.sbml
    return text.encode()


def _folder(model: Model, form: str, experiment: str | None, progress: Progress) -> dict[str, str]:
    if form in PETAB:
        from metaflammation.exchange import petab

        return petab.tables(model, PETAB[form])
    from metaflammation.exchange import sedml

    return sedml.files(model, experiment, progress)
