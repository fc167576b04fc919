"""Which models there are and where their files lie: the only module that knows the folders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from metaflammation import records, tables
from metaflammation.errors import DataError, ModelError, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from importlib.resources.abc import Traversable

MODELS = "metaflammation._models"
VALIDATION = "metaflammation._validation"


@dataclass(frozen=True)
class ModelFiles:
    """The files of one catalogue model.

    Attributes
    ----------
    id : str
        The model id, which is the name of its folders.
    """

    id: str

    @property
    def source(self) -> AbstractContextManager[Path]:
        """Return a context with the path of the Antimony source; sibling models lie beside its folder."""
        return _model_path(self.id, f"{self.id}.ant")

    def sbml(self) -> str:
        """Return the committed SBML."""
        return self._text(MODELS, f"{self.id}.xml", "run 'metaflammation build'")

    def comp(self) -> str:
        """Return the committed hierarchical SBML; empty for a model without submodels."""
        path = files(MODELS) / self.id / f"{self.id}_comp.xml"
        return path.read_text("utf-8") if path.is_file() else ""

    def parameters(self) -> dict[str, records.ParameterEvidence]:
        """Return the evidence of each parameter."""
        return tables.read_parameters(self._text(MODELS, "parameters.tsv"), f"{self.id}/parameters.tsv")

    def experiments(self) -> dict[str, records.Experiment]:
        """Return the named experiments."""
        return tables.read_experiments(self._text(VALIDATION, "experiments.yaml"), f"{self.id}/experiments.yaml")

    def conditions(self) -> dict[str, dict[str, float | str]]:
        """Return the named conditions; a value may be the id of an estimated parameter."""
        return tables.read_conditions(self._text(VALIDATION, "conditions.tsv"), f"{self.id}/conditions.tsv")

    def estimated(self) -> dict[str, records.EstimatedParameter]:
        """Return the estimated parameters; empty for a model without measurements."""
        if not self.has_validation("petab_parameters.tsv"):
            return {}
        text = self.validation_text("petab_parameters.tsv")
        return tables.read_estimated(text, f"{self.id}/petab_parameters.tsv")

    def expectations(self) -> dict[str, records.Expectation]:
        """Return the expectations."""
        return tables.read_expectations(self._text(VALIDATION, "expectations.yaml"), f"{self.id}/expectations.yaml")

    def targets(self) -> dict[str, records.Target]:
        """Return the calibration targets that are no series; empty for a model without."""
        if not self.has_validation("targets.yaml"):
            return {}
        return tables.read_targets(self.validation_text("targets.yaml"), f"{self.id}/targets.yaml")

    def has_validation(self, name: str) -> bool:
        """Return whether the model's validation folder holds a file."""
        return (files(VALIDATION) / self.id / name).is_file()

    def validation_text(self, name: str) -> str:
        """Return the text of a file of the model's validation folder."""
        return self._text(VALIDATION, name)

    @property
    def metadata(self) -> records.ModelMetadata:
        """Return the model's entry in the metadata file."""
        try:
            return metadata().models[self.id]
        except KeyError:
            raise DataError(f"metadata.toml: {unknown('model', self.id, metadata().models)}") from None

    def _text(self, package: str, name: str, cure: str = "restore it") -> str:
        try:
            return (files(package) / self.id / name).read_text("utf-8")
        except FileNotFoundError:
            raise ModelError(f"{self.id}: the file {name} is missing; {cure}") from None


@cache
def metadata() -> records.Metadata:
    """Return the metadata of the collection."""
    return tables.read_metadata((files(MODELS) / "metadata.toml").read_text("utf-8"), "metadata.toml")


@cache
def bibliography() -> str:
    """Return ``references.bib``."""
    return (files(MODELS) / "references.bib").read_text("utf-8")


def doi(key: str) -> str | None:
    """Return the DOI of an entry of the bibliography; None if it has none.

    Raises
    ------
    DataError
        If there is no such entry.
    """
    entries = dict(re.findall(r"(?ms)^@\w+\{([^,\s]+),(.*?)^\}", bibliography()))
    if key not in entries:
        raise DataError(f"references.bib: {unknown('entry', key, entries)}")
    found = re.search(r"(?m)^\s*doi\s*=\s*\{([^}]+)\}", entries[key])
    return found[1] if found else None


@cache
def seen_identifiers() -> frozenset[str]:
    """Return the identifiers of ``annotations.tsv``, which says of each where it and its meaning were seen."""
    text = (files(MODELS) / "annotations.tsv").read_text("utf-8")
    columns = {"curie": str, "label": str, "seen_in": str}
    return frozenset(tables.read_table(text, "annotations.tsv", columns)["curie"])


def catalogue() -> tuple[str, ...]:
    """Return the ids of the catalogue models, in the order of the metadata file."""
    present = {folder.name for folder in _folders()}
    return tuple(i for i in metadata().models if i in present)


def find(model: str) -> ModelFiles:
    """Return the files of a catalogue model.

    Raises
    ------
    ModelError
        If there is no such model; the nearest names are offered.
    """
    if model not in catalogue():
        raise ModelError(unknown("model", model, catalogue()))
    return ModelFiles(model)


def _folders() -> Iterator[Traversable]:
    return (f for f in files(MODELS).iterdir() if f.is_dir() and (f / f"{f.name}.ant").is_file())


def _model_path(model: str, name: str) -> AbstractContextManager[Path]:
    from contextlib import contextmanager

    @contextmanager
    def path() -> Iterator[Path]:
        with as_file(files(MODELS)) as folder:
            yield Path(folder) / model / name

    return path()
