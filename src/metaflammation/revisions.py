"""Models as they were in a revision of the git repository that holds them."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from metaflammation import library
from metaflammation.errors import DataError, ModelError
from metaflammation.model import Model, load

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def version(text: str) -> Iterator[Model]:
    """Give a model by its name, file or folder, or by ``NAME@REVISION`` of the repository of the working folder.

    Raises
    ------
    DataError, ModelError
        If it is written otherwise, or there is no such model or revision.
    """
    name, at, revision = text.partition("@")
    if not at or Path(text).exists():
        yield load(text)
        return
    if not revision or "/" in name or Path(name).suffix:
        raise DataError(f"{text}: write the name of a model and a revision, e.g. insulin_cascade@HEAD~1")
    with folder_of(revision, Path()) as folder:
        files = library.find(name, library.Collection(folder / "models", folder / "validation"))
        yield Model(files.id, files.sbml(), files)


@contextmanager
def folder_of(revision: str, repository: Path) -> Iterator[Path]:
    """Give a folder with ``models`` and ``validation`` as they were in a revision of the repository.

    Raises
    ------
    ModelError
        If there is no git, no repository or no such revision, or it holds no models.
    """
    # A revision that begins with a dash would be read as an option.
    if revision.startswith("-"):
        raise ModelError(f"{revision!r} is no revision")
    top = _git(repository, "rev-parse", "--show-toplevel").decode().rstrip("\n")
    packed = _git(Path(top), "archive", "--format=tar", revision, "--", "models", "validation")
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(folder, filter="data")
        yield Path(folder)


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:
        raise ModelError("git is not installed; it is needed to read a revision") from None
    if done.returncode:
        reason = " ".join(done.stderr.decode(errors="replace").split()).removeprefix("fatal: ")
        raise ModelError(f"{folder}: the revision cannot be read ({reason})")
    return done.stdout
