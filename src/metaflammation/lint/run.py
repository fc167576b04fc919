"""Lint of models, files and folders; documents are read in a child process, which may crash or need too much."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from metaflammation import library, reading
from metaflammation.compile import compile_file, compile_model
from metaflammation.errors import DataError, MetaflammationError, ModelError
from metaflammation.guarded import FILE_LIMIT, Guarded
from metaflammation.lint import Report, switched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

WORKER = "metaflammation._worker"

SETTINGS = "lint.toml"
"""File of a folder that says, in its table ``off``, which rules are switched off, and why."""


@dataclass(frozen=True)
class Target:
    """One document to lint: a model of a collection, or a file."""

    name: str
    files: library.ModelFiles | None = None
    path: Path | None = None

    def text(self) -> str:
        """Return the SBML; Antimony is compiled."""
        if self.path is None:
            if self.files is None:
                raise ModelError(f"{self.name}: there is nothing to lint")
            return self.files.sbml()
        if not reading.is_antimony(self.path):
            return reading.read_text(self.path)
        return (compile_model(self.files) if self.files else compile_file(self.path)).sbml


def targets(what: str | Path | None) -> list[Target]:
    """Return what there is to lint in a model by its name, a file, or a folder; without argument, the catalogue.

    Raises
    ------
    ModelError
        If there is no such model or file, or nothing to lint in the folder.
    """
    if what is None:
        return [Target(name, library.find(name)) for name in library.catalogue()]
    path = Path(what)
    if path.is_dir():
        collection = library.collection_in(path)
        if collection is not None:
            return [Target(n, library.ModelFiles(n, collection)) for n in library.catalogue(collection)]
        found = [Target(str(p), path=p) for p in _documents(path)]
        if not found:
            raise ModelError(f"{path}: holds no file of SBML or Antimony (.xml, .sbml, .ant)")
        return found
    files = library.locate(what)
    named = isinstance(what, str) and files is not None and not path.suffix
    return [Target(files.id, files) if named and files else Target(str(what), files, path)]


def _documents(folder: Path) -> Iterator[Path]:
    """Return the files of a folder that are meant as models: .xml is used for other things too."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in {".sbml", ".ant"} and path.is_file():
            yield path
        elif path.suffix.lower() == ".xml" and path.is_file():
            try:
                with path.open("rb") as file:
                    beginning = file.read(20_000)
            except OSError:
                yield path
                continue
            if b"<sbml" in beginning or b"<\0s\0b\0m\0l\0" in beginning:
                yield path


def settings(what: str | Path | None) -> dict[str, str]:
    """Return the rules that the ``lint.toml`` of the folder, or beside the file, switches off, with the reasons.

    Raises
    ------
    DataError
        If it is not sound.
    """
    if what is None:
        return {}
    folder = Path(what) if Path(what).is_dir() else Path(what).parent
    path = folder / SETTINGS
    if not (Path(what).exists() and path.is_file()):
        return {}
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: is no TOML ({error})") from None
    off = found.pop("off", {})
    if found or not isinstance(off, dict):
        raise DataError(f'{path}: write a table [off] with lines RULE = "reason", and nothing else')
    try:
        return switched(off)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def reports(
    listed: list[Target],
    off: Mapping[str, str],
    time_limit: float = FILE_LIMIT,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Report | MetaflammationError]:
    """Lint each target in turn; what cannot be read gives its error in the place of a report."""
    off = switched(off)
    with Guarded(WORKER, time_limit) as worker:
        for target in listed:
            progress(target.name)
            try:
                yield _report(worker, target, off)
            except MetaflammationError as error:
                yield error


def _report(worker: Guarded, target: Target, off: Mapping[str, str]) -> Report:
    job = {"do": "lint", "name": target.name, "text": target.text(), "off": dict(off), "files": _job(target.files)}
    return TypeAdapter(Report).validate_python(worker.ask(job, target.name))


def _job(files: library.ModelFiles | None) -> list[str] | None:
    if files is None:
        return None
    packaged = files.collection == library.packaged()
    return [files.id] if packaged else [files.id, str(files.collection.models), str(files.collection.validation)]


def lint_file(path: str | Path, off: Mapping[str, str] | None = None) -> Report:
    """Lint a model of the catalogue, or a file of SBML or Antimony, which need not be sound.

    Parameters
    ----------
    path : str or path
        The name of a model, or a file.
    off : mapping, optional
        Rule to the reason why it is switched off, beside those of a ``lint.toml`` in the file's folder.

    Raises
    ------
    ModelError, CompileError
        If there is no such model or file, or it cannot be read.
    DataError
        If ``off`` names no rule, or gives no reason.
    """
    listed = targets(path)
    if len(listed) != 1:
        raise ModelError(f"{path}: holds {len(listed)} models; name one")
    found = next(reports(listed, settings(path) | dict(off or {})))
    if isinstance(found, MetaflammationError):
        raise found
    return found
