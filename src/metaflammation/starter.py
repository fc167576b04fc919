"""A collection of one's own to begin with: a small model that passes every check and teaches the format by example."""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from metaflammation import library
from metaflammation.build import build
from metaflammation.errors import DataError, ExportError
from metaflammation.files import check_folder, refusals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

PLACEHOLDER, CREATED = "MODEL_NAME", "CREATED"
"""What stands in the template for the name of the model, and for the day."""

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESERVED = frozenset({"model", "end", "species", "compartment", "const", "unit", "function", "import", "event", "at"})


def create(folder: str | Path) -> Path:
    """Make a folder with a model of its own, whole or not at all, and return it.

    Parameters
    ----------
    folder : path
        The folder, which must be new or empty; its name becomes the id of the model.

    Raises
    ------
    DataError
        If the name cannot be the id of a model.
    ExportError
        If the folder holds something, or cannot be written.
    """
    folder = Path(folder)
    name = folder.name
    if not IDENTIFIER.fullmatch(name) or name in RESERVED:
        raise DataError(f"{name or folder}: cannot be the id of a model; use letters, digits and _, e.g. my_model")
    if name in library.catalogue():
        raise DataError(f"{name}: is a model of the catalogue; choose another name")
    with refusals(folder):
        if folder.is_dir() and any(folder.iterdir()):
            raise ExportError(f"{folder}: holds files already, which stay as they are; choose another name")
    check_folder(folder, overwrite=False)
    day = datetime.now(tz=UTC).date().isoformat()
    with refusals(folder), tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder.parent) as temporary:
        made = Path(temporary) / name
        for parts, text in _template(files("metaflammation") / "template"):
            path = made.joinpath(*(part.replace(PLACEHOLDER, name) for part in parts))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace(PLACEHOLDER, name).replace(CREATED, day), "utf-8")
        collection = library.collection_in(made)
        if collection is None:
            raise ExportError(f"{folder}: the template is damaged; install metaflammation again")
        build(library.ModelFiles(name, collection))
        if folder.is_dir():
            folder.rmdir()
        made.rename(folder)
    return folder


def _template(folder: Traversable, *above: str) -> Iterator[tuple[tuple[str, ...], str]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _template(item, *above, item.name)
        else:
            yield (*above, item.name), item.read_text("utf-8")
