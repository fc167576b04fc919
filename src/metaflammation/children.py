"""Processes of their own: for libraries that must not share one with others, and for work on several cores.

A child that a library needs is handed jobs as JSON on standard input and answers with texts on standard output.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from metaflammation.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Callable

TIME_LIMIT = 600.0
"""Seconds that the files of one model may take."""


def ask(module: str, jobs: list[dict[str, Any]], where: str) -> list[str]:
    """Return what ``python -m module`` makes of each job; the module calls :func:`answer`.

    Raises
    ------
    ExportError
        If it says what went wrong, crashes or takes too long.
    """
    command = [sys.executable, "-m", module]
    try:
        done = subprocess.run(  # noqa: S603 - our own module in our own interpreter
            command, input=json.dumps(jobs).encode(), capture_output=True, timeout=TIME_LIMIT, check=False
        )
        found = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        raise ExportError(f"{where}: {module} took longer than {TIME_LIMIT:g} s and was stopped") from None
    except (IndexError, ValueError):
        reason = " ".join(done.stderr.decode(errors="replace").split())[-300:]
        raise ExportError(f"{where}: {module} did not answer: {reason}") from None
    if isinstance(found, dict):
        raise ExportError(f"{where}: {found['error']}")
    return [str(text) for text in found]


def answer(write: Callable[[dict[str, Any]], str]) -> None:
    """Write the texts that standard input asks for, or what went wrong."""
    try:
        texts = [write(job) for job in json.load(sys.stdin)]
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is an answer
        json.dump({"error": str(error)}, sys.stdout)
    else:
        json.dump(texts, sys.stdout)


def pool(state: object, workers: int) -> ProcessPoolExecutor:
    """Return a pool of processes in each of which :func:`kept` gives ``state``."""
    return ProcessPoolExecutor(workers, get_context("spawn"), _keep, (state,))


_kept: list[Any] = []


def _keep(state: object) -> None:
    _kept[:] = [state]


def kept() -> Any:
    """Return the state that the worker process was started with: it is sent, and what it needs compiled, once."""
    if not _kept:
        raise RuntimeError("this is no worker process")
    return _kept[0]
