"""Texts from libraries that write in a process of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaflammation.errors import ExportError, ModelError
from metaflammation.guarded import Guarded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TIME_LIMIT = 600.0
"""Seconds that one text may take."""


def texts(module: str, library: str, jobs: Iterable[dict[str, Any]], where: str) -> Iterator[str]:
    """Yield what ``python -m module`` makes of each job; ``library`` is what is at work there.

    Raises
    ------
    ExportError
        If it says what went wrong, crashes or takes too long.
    """
    with Guarded(module, TIME_LIMIT, library=library) as child:
        for job in jobs:
            try:
                yield child.ask(job, where)
            except ModelError as error:
                raise ExportError(str(error)) from None
