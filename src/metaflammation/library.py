"""Collections of models and where their files lie: the only module that knows the folders."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
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

COMP = "{http://www.sbml.org/sbml/level3/version1/comp/version1}"
MODELS = "metaflammation._models"
VALIDATION = "metaflammation._validation"


@dataclass(frozen=True)
class Collection:
    """A folder of models and a folder of what they are held against: the catalogue, or a user's own.

    Attributes
    ----------
    models : Traversable
        Holds ``metadata.toml``, ``references.bib``, ``annotations.tsv``, and a folder for each model.
    validation : Traversable
        Holds a folder for each model: experiments, conditions, expectations, measurements.
    """

    models: Traversable
    validation: Traversable


@cache
def packaged() -> Collection:
    """Return the catalogue that comes with the package."""
    return Collection(files(MODELS), files(VALIDATION))


@dataclass(frozen=True)
class ModelFiles:
    """The files of one model of a collection.

    Attributes
    ----------
    id : str
        The model id, which is the name of its folders.
    collection : Collection
        Where they lie.
    """

    id: str
    collection: Collection = field(default_factory=packaged)

    @property
    def name(self) -> str:
        """Return how to call the model on the command line: its id, or the path of its source."""
        return self.id if self.collection == packaged() else str(self.collection.models / self.id / f"{self.id}.ant")

    @property
    def source(self) -> AbstractContextManager[Path]:
        """Return a context with the path of the Antimony source; sibling models lie beside its folder."""
        return _path(self.collection.models, f"{self.id}/{self.id}.ant")

    def sbml(self) -> str:
        """Return the committed SBML."""
        return self._text(self.collection.models, f"{self.id}.xml", "run 'metaflammation build'")

    def comp(self) -> str:
        """Return the committed hierarchical SBML; empty for a model without submodels."""
        path = self.collection.models / self.id / f"{self.id}_comp.xml"
        return path.read_text("utf-8") if path.is_file() else ""

    def picture(self, form: str) -> str:
        """Return a committed network map (``map`` or ``overview``) as SVG; empty for a model without."""
        path = self.collection.models / self.id / f"{self.id}_{form}.svg"
        return path.read_text("utf-8") if path.is_file() else ""

    def modules(self) -> dict[str, str]:
        """Return, for each submodel of a composed model, the model of the collection that it is."""
        if not self.comp():
            return {}
        from lxml import etree

        submodels = etree.fromstring(self.comp().encode()).iter(f"{COMP}submodel")
        return {s.attrib[f"{COMP}id"]: s.attrib[f"{COMP}modelRef"] for s in submodels}

    def own_parameters(self) -> dict[str, records.ParameterEvidence]:
        """Return the evidence of the parameters in the model's own table: of a composed model, the couplings."""
        text = self._text(self.collection.models, "parameters.tsv")
        return tables.read_parameters(text, f"{self.id}/parameters.tsv")

    def parameters(self) -> dict[str, records.ParameterEvidence]:
        """Return the evidence of each parameter; that of a module's parameter stands in the table of the module."""
        from lxml import etree

        rows = self.own_parameters()
        modules = self.modules()
        if not modules:
            return rows
        # What the composed model sets or shares is its own; what it computes by a rule is no constant.
        elements = etree.fromstring(self.sbml().encode()).iter("{*}parameter")
        constants = {e.get("id") for e in elements if e.get("constant") == "true"}
        for prefix, module in modules.items():
            for name, row in find(module, self.collection).parameters().items():
                if f"{prefix}_{name}" in constants:
                    rows.setdefault(f"{prefix}_{name}", row.model_copy(update={"id": f"{prefix}_{name}"}))
        return rows

    def experiments(self) -> dict[str, records.Experiment]:
        """Return the named experiments."""
        return tables.read_experiments(self.validation_text("experiments.yaml"), f"{self.id}/experiments.yaml")

    def conditions(self) -> dict[str, dict[str, float | str]]:
        """Return the named conditions; a value may be the id of an estimated parameter."""
        return tables.read_conditions(self.validation_text("conditions.tsv"), f"{self.id}/conditions.tsv")

    def estimated(self) -> dict[str, records.EstimatedParameter]:
        """Return the estimated parameters; empty for a model without measurements."""
        if not self.has_validation("petab_parameters.tsv"):
            return {}
        text = self.validation_text("petab_parameters.tsv")
        return tables.read_estimated(text, f"{self.id}/petab_parameters.tsv")

    def expectations(self) -> dict[str, records.Expectation]:
        """Return the expectations."""
        return tables.read_expectations(self.validation_text("expectations.yaml"), f"{self.id}/expectations.yaml")

    def populations(self) -> dict[str, records.Population]:
        """Return the named populations; empty for a model without."""
        if not self.has_validation("populations.yaml"):
            return {}
        return tables.read_populations(self.validation_text("populations.yaml"), f"{self.id}/populations.yaml")

    def trials(self) -> dict[str, records.Trial]:
        """Return the trials that virtual persons repeat; empty for a model without."""
        if not self.has_validation("trials.yaml"):
            return {}
        return tables.read_trials(self.validation_text("trials.yaml"), f"{self.id}/trials.yaml")

    def targets(self) -> dict[str, records.Target]:
        """Return the calibration targets that are no series; empty for a model without."""
        if not self.has_validation("targets.yaml"):
            return {}
        return tables.read_targets(self.validation_text("targets.yaml"), f"{self.id}/targets.yaml")

    def has_validation(self, name: str) -> bool:
        """Return whether the model's validation folder holds a file."""
        return (self.collection.validation / self.id / name).is_file()

    def validation_text(self, name: str) -> str:
        """Return the text of a file of the model's validation folder."""
        return self._text(self.collection.validation, name)

    @property
    def metadata(self) -> records.ModelMetadata:
        """Return the model's entry in the metadata file."""
        try:
            return metadata(self.collection).models[self.id]
        except KeyError:
            known = metadata(self.collection).models
            raise DataError(f"metadata.toml: {unknown('model', self.id, known)}") from None

    def _text(self, folder: Traversable, name: str, cure: str = "restore it") -> str:
        try:
            return (folder / self.id / name).read_text("utf-8")
        except FileNotFoundError:
            raise ModelError(f"{self.id}: the file {name} is missing; {cure}") from None


def metadata(collection: Collection | None = None) -> records.Metadata:
    """Return the metadata of a collection; of the catalogue if none is given."""
    return _metadata(collection or packaged())


@cache
def _metadata(collection: Collection) -> records.Metadata:
    return tables.read_metadata(_shared(collection, "metadata.toml"), "metadata.toml")


def bibliography(collection: Collection | None = None) -> str:
    """Return ``references.bib`` of a collection."""
    return _shared(collection or packaged(), "references.bib")


def doi(key: str, collection: Collection | None = None) -> str | None:
    """Return the DOI of an entry of the bibliography; None if it has none.

    Raises
    ------
    DataError
        If there is no such entry.
    """
    entries = dict(re.findall(r"(?ms)^@\w+\{([^,\s]+),(.*?)^\}", bibliography(collection)))
    if key not in entries:
        raise DataError(f"references.bib: {unknown('entry', key, entries)}")
    found = re.search(r"(?m)^\s*doi\s*=\s*\{([^}]+)\}", entries[key])
    return found[1] if found else None


def claims(collection: Collection | None = None) -> dict[str, str]:
    """Return the claims to which expectations refer, by id, in our words; empty for a collection without the file."""
    path = (collection or packaged()).validation / "claims.tsv"
    if not path.is_file():
        return {}
    rows = tables.read_table(path.read_text("utf-8"), "claims.tsv", {"id": str, "part": str, "claim": str})
    return dict(zip(rows["id"], rows["claim"], strict=True))


@cache
def _labels(collection: Collection) -> dict[str, str]:
    columns = {"curie": str, "label": str, "seen_in": str}
    rows = tables.read_table(_shared(collection, "annotations.tsv"), "annotations.tsv", columns)
    return dict(zip(rows["curie"], rows["label"], strict=True))


def seen_identifiers(collection: Collection | None = None) -> frozenset[str]:
    """Return the identifiers of ``annotations.tsv``, which says of each where it and its meaning were seen."""
    return frozenset(_labels(collection or packaged()))


def label(curie: str, collection: Collection | None = None) -> str:
    """Return what an identifier of ``annotations.tsv`` means; the identifier itself if it is not listed."""
    return _labels(collection or packaged()).get(curie, curie)


def _shared(collection: Collection, name: str) -> str:
    try:
        return (collection.models / name).read_text("utf-8")
    except FileNotFoundError:
        raise DataError(f"{collection.models / name}: the file is missing; restore it") from None


def catalogue(collection: Collection | None = None) -> tuple[str, ...]:
    """Return the ids of the models of a collection, in the order of the metadata file."""
    folders = (collection or packaged()).models.iterdir()
    present = {f.name for f in folders if f.is_dir() and (f / f"{f.name}.ant").is_file()}
    return tuple(i for i in metadata(collection).models if i in present)


def find(model: str, collection: Collection | None = None) -> ModelFiles:
    """Return the files of a model of a collection.

    Raises
    ------
    ModelError
        If there is no such model; the nearest names are offered.
    """
    if model not in catalogue(collection):
        raise ModelError(unknown("model", model, catalogue(collection)))
    return ModelFiles(model, collection or packaged())


def locate(model: str | Path) -> ModelFiles | None:
    """Return the files of a model by its name in the catalogue, its source or SBML file, or its collection's folder.

    None for a file that belongs to no collection.

    Raises
    ------
    ModelError
        If a name is not in the catalogue, or a folder does not hold exactly one model.
    """
    path = Path(model)
    if isinstance(model, str) and not path.suffix and "/" not in model and not path.is_dir():
        return find(model)
    if path.is_dir():
        collection = collection_in(path)
        if collection is None:
            raise ModelError(f"{path}: is a folder; name a file, or a folder that holds models/metadata.toml")
        names = catalogue(collection)
        if len(names) != 1:
            listed = ", ".join(str(path / "models" / n / f"{n}.ant") for n in names) or "none"
            raise ModelError(f"{path}: name one of its models ({listed})")
        return ModelFiles(names[0], collection)
    folder = path.resolve().parent
    collection = collection_in(folder.parent.parent) if folder.parent.name == "models" else None
    return ModelFiles(path.stem, collection) if collection and path.stem == folder.name else None


def collection_in(folder: Path) -> Collection | None:
    """Return the collection that a folder holds; None if it is no such folder."""
    models = folder / "models"
    return Collection(models, folder / "validation") if (models / "metadata.toml").is_file() else None


@contextmanager
def _path(folder: Traversable, name: str) -> Iterator[Path]:
    with as_file(folder) as there:
        yield Path(there) / name
