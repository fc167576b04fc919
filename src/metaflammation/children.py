"""Worker processes for work on several cores: each is sent its state, and compiles what it needs, once."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any


def pool(state: object, workers: int) -> ProcessPoolExecutor:
    """Return a pool of processes in each of which :func:`kept` gives ``state``."""
    return ProcessPoolExecutor(workers, get_context("spawn"), keep, (state,))


_kept: list[Any] = []


def keep(state: object) -> None:
    """Make :func:`kept` give ``state`` in this process: what a pool starts its workers with."""
    _kept[:] = [state]


def kept() -> Any:
    """Return the state that the worker process was started with."""
    if not _kept:
        raise RuntimeError("this is no worker process")
    return _kept[0]
