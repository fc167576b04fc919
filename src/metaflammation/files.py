"""Writing files: whole or not at all, and never over something that is there unless told to."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from metaflammation.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def check_free(path: Path, *, overwrite: bool) -> None:
    """Raise an error if ``path`` cannot be written: before the work whose result it takes.

    Raises
    ------
    ExportError
        If the file exists and ``overwrite`` is false, if it is a folder, or if its folder is missing or takes no files.
    """
    with refusals(path):
        if path.is_dir():
            raise ExportError(f"{path}: is a folder; name a file")
        if not path.parent.is_dir():
            raise ExportError(f"{path}: the folder {path.parent} does not exist")
        if (path.exists() or path.is_symlink()) and not overwrite:
            raise ExportError(
                f"{path}: exists already; choose another name or allow overwriting (--force, overwrite=True)"
            )
        # Permissions do not tell what a file system allows: try.
        with tempfile.TemporaryFile(dir=path.parent):
            pass


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Turn what the system says against a path into an error of ours."""
    try:
        yield
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({error.strerror or error})") from None


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


def check_folder(path: Path, *, overwrite: bool) -> None:
    """Raise an error if files cannot be written into the folder ``path``, which may be new.

    Raises
    ------
    ExportError
        If it holds something and ``overwrite`` is false, if it is a file, or if the folder above is missing.
    """
    with refusals(path):
        if path.exists() and not path.is_dir():
            raise ExportError(f"{path}: is a file; name a folder")
        if not path.parent.is_dir():
            raise ExportError(f"{path}: the folder {path.parent} does not exist")
        if path.is_dir() and any(path.iterdir()) and not overwrite:
            raise ExportError(
                f"{path}: holds files already; choose another name or allow overwriting (--force, overwrite=True)"
            )


def write_folder(
    path: str | Path, contents: Mapping[str, str], *, overwrite: bool = False, replacing: Iterable[str] = ()
) -> None:
    """Write text files into a folder, all or none; what else lies in it stays, but for the files ``replacing``.

    On Linux a process that is killed leaves the old folder or the new one. Elsewhere a kill in the moment between two
    renames leaves neither under its name, but both in the hidden folder beside, as ``old`` and ``new``.
    """
    path = Path(path)
    check_folder(path, overwrite=overwrite)
    with refusals(path), tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as temporary:
        new, old = Path(temporary) / "new", Path(temporary) / "old"
        if path.is_dir():
            shutil.copytree(path, new, symlinks=True)
        else:
            new.mkdir()
        for name in replacing:
            (new / name).unlink(missing_ok=True)
        for name, text in contents.items():
            (new / name).write_text(text, "utf-8")
        if not path.is_dir():
            new.replace(path)
        elif not _exchange(new, path):
            # A kill between these two leaves both contents, whole, in the temporary folder beside.
            path.replace(old)
            try:
                new.replace(path)
            except BaseException:
                if old.is_dir() and not path.exists():
                    old.rename(path)
                raise


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in a single step, so that whoever is killed leaves one or the other; false if impossible."""
    if sys.platform != "linux":
        return False
    import ctypes

    # Constants of Linux: relative paths count from the working directory; exchange.
    here, exchange = -100, 2
    try:
        rename = ctypes.CDLL(None).renameat2
    except AttributeError:
        return False
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)


def write_bytes(path: str | Path, content: bytes, *, overwrite: bool = False) -> None:
    """Write a file, whole or not at all."""
    with whole_file(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, text: str, *, overwrite: bool = False) -> None:
    """Write a text file, whole or not at all."""
    with whole_file(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, "utf-8")


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
