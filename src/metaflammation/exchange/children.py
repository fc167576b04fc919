"""Libraries that must not share a process with others: work is handed to them as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from metaflammation.errors import ExportError

TIME_LIMIT = 600.0
"""Seconds that the files of one model may take."""


def ask(module: str, jobs: list[dict[str, Any]], where: str) -> list[str]:
    """Return what ``python -m module`` makes of each job.

    Raises
    ------
    ExportError
        If it says what went wrong, crashes or takes too long.
    """
    command = [sys.executable, "-m", module]
    try:
        done = subprocess.run(  # noqa: S603
            command, input=json.dumps(jobs).encode(), capture_output=True, timeout=TIME_LIMIT, check=False
        )
        answer = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        raise ExportError(f"{where}: {module} took longer than {TIME_LIMIT:g} s and was stopped") from None
    except (IndexError, ValueError):
        reason = " ".join(done.stderr.decode(errors="replace").split())[-300:]
        raise ExportError(f"{where}: {module} did not answer: {reason}") from None
    if isinstance(answer, dict):
        raise ExportError(f"{where}: {answer['error']}")
    return [str(text) for text in answer]
