"""Read and lint documents of strangers, in a process of its own: ``python -m metaflammation._worker BYTES``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from metaflammation import guarded, library, reading, sbml


def answer(job: dict[str, Any]) -> Any:
    """Return the answer to one job: that a document is ``sound``, or the report of ``lint``."""
    if job["do"] == "sound":
        reading.screen(job["text"], job["name"])
        sbml.sound(job["text"], job["name"])
        return None
    from metaflammation.lint import Subject, examine

    return asdict(examine(Subject(job["name"], job["text"], _files(job["files"])), job["off"]))


def _files(listed: list[str] | None) -> library.ModelFiles | None:
    if listed is None:
        return None
    name, *folders = listed
    models, validation = map(Path, folders) if folders else (None, None)
    collection = library.Collection(models, validation) if models and validation else library.packaged()
    return library.ModelFiles(name, collection)


if __name__ == "__main__":
    guarded.serve(answer)
