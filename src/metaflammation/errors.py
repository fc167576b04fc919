"""The errors of the package, one class for each stage of the work."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class MetaflammationError(Exception):
    """Base class: the input was wrong, and the message says what, where and what to do."""


class CompileError(MetaflammationError):
    """A source did not become SBML."""


class ModelError(MetaflammationError):
    """A model, or something named in it, does not exist or is not sound."""


class SimulationError(MetaflammationError):
    """A simulation was asked for wrongly or did not succeed."""


class DataError(MetaflammationError):
    """A table, an experiment, an expectation or a quantity is not sound."""


class ExportError(MetaflammationError):
    """A file could not be written."""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that does not exist, with the nearest names that do."""
    names = sorted(known)
    lower = {n.lower(): n for n in reversed(names)}
    near = [lower[m] for m in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]
    if near:
        return f"unknown {kind} {name!r}; did you mean {', '.join(near)}?"
    listed = ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:12])} and {len(names) - 12} more"  # noqa: PLR2004
    return f"unknown {kind} {name!r}; there {'is none' if not names else 'are: ' + listed}"


def missing(package: str) -> MetaflammationError:
    """Return the error for a package that is not installed."""
    return MetaflammationError(f"the package {package} is not installed; get it with: pip install {package}")
