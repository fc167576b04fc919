"""Committed SBML: made from the sources, and compared with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaflammation import files
from metaflammation.compile import compile_model
from metaflammation.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from metaflammation.library import ModelFiles


def build(files_of: ModelFiles) -> list[Path]:
    """Compile a model of a collection and write its SBML beside the source; return the files written.

    Raises
    ------
    CompileError
        If the source does not compile to SBML without findings.
    ExportError
        If the file cannot be written, as in an installed package.
    """
    compiled = compile_model(files_of)
    written = []
    with files_of.source as source:
        for path, text in _outputs(source, compiled.sbml, compiled.comp).items():
            files.write_text(path, text, overwrite=True)
            written.append(path)
    return written


def stale(files_of: ModelFiles) -> list[Path]:
    """Return the committed files of a model that differ from what its source compiles to."""
    compiled = compile_model(files_of)
    with files_of.source as source:
        outputs = _outputs(source, compiled.sbml, compiled.comp)
        return [path for path, text in outputs.items() if not path.is_file() or path.read_text("utf-8") != text]


def _outputs(source: Path, flat: str, comp: str) -> dict[Path, str]:
    if not source.is_file():
        raise ModelError(f"{source}: there is no such file")
    outputs = {source.with_suffix(".xml"): flat}
    if comp:
        outputs[source.with_name(f"{source.stem}_comp.xml")] = comp
    return outputs
