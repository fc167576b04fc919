"""Batches on disk: each written whole, with a manifest that says what they belong to."""

from __future__ import annotations

import json
import pickle
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation import files
from metaflammation.errors import DataError, missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from metaflammation.ensembles.sketch import Sketch
    from metaflammation.ensembles.work import Part

MANIFEST = "manifest.json"
KEY = b"metaflammation"
"""Key of what the file says of itself among the metadata of a parquet file."""

REASON = "failure"
"""Column with the reason why an individual could not be simulated."""


def check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse, before any work, a table that exists or is not named as what it will be."""
    if path.suffix != ".parquet":
        raise DataError(f"{path}: tables of individuals are written as parquet; name it {path.stem}.parquet")
    files.check_free(path, overwrite=overwrite)


class Folder:
    """The finished batches of a run, beside the file that they become.

    Raises
    ------
    DataError
        If the folder holds batches of another run.
    """

    def __init__(self, path: Path, manifest: Mapping[str, Any]) -> None:
        self.path = path
        self.manifest = dict(manifest)
        _pyarrow()
        if (path / MANIFEST).is_file():
            self._agree()
        elif path.exists() and any(path.iterdir()):
            raise DataError(f"{path}: holds files of something else; move them away or choose another output")
        with files.refusals(path):
            path.mkdir(exist_ok=True)
        if not (path / MANIFEST).is_file():
            files.write_text(path / MANIFEST, json.dumps(self.manifest, indent=2) + "\n")

    def _agree(self) -> None:
        try:
            known = json.loads((self.path / MANIFEST).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self.path / MANIFEST}: cannot be read ({error}); remove the folder to begin anew"
            ) from None
        other = [k for k in self.manifest.keys() | known.keys() if known.get(k) != self.manifest.get(k)]
        if other:
            said = "; ".join(f"{k} was {known.get(k)!r}, is {self.manifest.get(k)!r}" for k in sorted(other))
            raise DataError(
                f"{self.path}: holds batches of another run ({said}); choose another output, or remove the folder"
            )

    def done(self) -> set[int]:
        """Return the numbers of the finished batches."""
        return {int(p.stem.split("-")[1]) for p in self.path.glob("batch-*.parquet")}

    def write(self, number: int, part: Part) -> None:
        """Keep a batch. Its table comes last: a batch without it was not finished."""
        import pyarrow.parquet

        if part.sketches or part.curves:
            content = pickle.dumps({"sketches": dict(part.sketches), "curves": dict(part.curves)})
            files.write_bytes(self._path(number, "curves"), content, overwrite=True)
        with files.whole_file(self._path(number, "parquet"), overwrite=True) as temporary:
            pyarrow.parquet.write_table(table(part), temporary)

    def _path(self, number: int, ending: str) -> Path:
        return self.path / f"batch-{number:06d}.{ending}"

    def numbers(self) -> list[int]:
        """Return the numbers of the finished batches, in order."""
        return sorted(self.done())

    def curves(self) -> Iterator[dict[str, Any]]:
        """Return the sketches and curves of each batch, in order."""
        for number in self.numbers():
            path = self._path(number, "curves")
            if path.is_file():
                yield pickle.loads(path.read_bytes())  # noqa: S301 - written by this class

    def sketches(self) -> dict[str, Sketch]:
        """Return the statistics of all batches, by run."""
        merged: dict[str, Sketch] = {}
        for found in self.curves():
            for arm, sketch in found["sketches"].items():
                merged[arm] = merged[arm].merged(sketch) if arm in merged else sketch
        return merged

    def assemble(self, path: Path, about: Mapping[str, Any], *, overwrite: bool) -> None:
        """Write all batches into one parquet file, one after the other."""
        import pyarrow.parquet

        with files.whole_file(path, overwrite=overwrite) as temporary:
            writer = None
            for number in self.numbers():
                batch = pyarrow.parquet.read_table(self._path(number, "parquet"))
                batch = batch.replace_schema_metadata({KEY: json.dumps(dict(about)).encode()})
                writer = writer or pyarrow.parquet.ParquetWriter(temporary, batch.schema)
                writer.write_table(batch)
            if writer:
                writer.close()

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path)


def table(part: Part) -> Any:
    """Return a batch as an Arrow table, one row an individual."""
    import pyarrow as pa

    n = len(part.failures)
    columns: dict[str, Any] = {"individual": np.arange(part.start, part.start + n)}
    columns |= dict(part.columns)
    columns[REASON] = pa.array(list(part.failures), pa.string())
    return pa.table(columns)


def read(path: Path, columns: list[str] | None = None) -> tuple[Any, dict[str, Any]]:
    """Return the table of an ensemble as a data frame, or some columns of it, and what the file says of itself.

    Raises
    ------
    DataError
        If the file is missing or no ensemble was written into it.
    """
    _pyarrow()
    import pyarrow as pa
    import pyarrow.parquet

    try:
        found = pyarrow.parquet.read_table(path, columns=columns and ["individual", *columns])
        about = json.loads((found.schema.metadata or {})[KEY])
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as an ensemble ({error})") from None
    return found.to_pandas().set_index("individual"), about


def _pyarrow() -> None:
    try:
        import pyarrow as pa  # noqa: F401
    except ImportError:
        raise missing("'metaflammation[ensemble]'") from None
