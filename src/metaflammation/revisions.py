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
    command = ["git", "-C", str(repository), "archive", "--format=tar", revision, "--", "models", "validation"]
    try:
        # A revision that begins with a dash would be read as an option.
        if revision.startswith("-"):
            raise ModelError(f"{revision!r} is no revision")
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise ModelError("git is not installed; it is needed to read a revision") from None
    if done.returncode:
        reason = " ".join(done.stderr.decode(errors="replace").split()).removeprefix("fatal: ")
        raise ModelError(f"{repository}: revision {revision!r} cannot be read ({reason})")
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(done.stdout)) as packed:
        packed.extractall(folder, filter="data")
        yield Path(folder)
