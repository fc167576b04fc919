"""Writing files: whole or not at all, and never over something that is there unless told to."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from metaflammation.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_free(path: Path, *, overwrite: bool) -> None:
    """Raise an error if ``path`` cannot be written: before the work whose result it takes.

    Raises
    ------
    ExportError
        If the file exists and ``overwrite`` is false, if it is a folder, or if its folder is missing.
    """
    if path.is_dir():
        raise ExportError(f"{path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise ExportError(f"{path}: the folder {path.parent} does not exist")
    if path.exists() and not overwrite:
        raise ExportError(f"{path}: exists already; choose another name or allow overwriting (--force, overwrite=True)")


@contextmanager
def whole_file(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``path``, and move it there when the block ends without an error.

    Raises
    ------
    ExportError
        As :func:`check_free`, and if the system refuses to write.
    """
    path = Path(path)
    check_free(path, overwrite=overwrite)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({error.strerror})") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        check_free(path, overwrite=overwrite)
        temporary.replace(path)
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str, *, overwrite: bool = False) -> None:
    """Write a text file, whole or not at all."""
    with whole_file(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, "utf-8")


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
