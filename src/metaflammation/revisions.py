"""Collections as they were in a revision of the git repository that holds them."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from metaflammation.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator


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
