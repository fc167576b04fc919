"""A process of its own for a library that crashes, or wants all memory, or cannot share a process with another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from metaflammation.errors import MetaflammationError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY = 4 << 30
"""Bytes of address space that a guarded worker may take."""

FILE_LIMIT = 120.0
"""Seconds that a guarded worker may take for one file of a stranger."""


class Guarded:
    """A child process that is handed one job at a time, as a line of JSON, and answers with a line of JSON.

    After a crash, or when time is up, a new one is started for the next job. ``library`` is what is at work in it.
    """

    def __init__(
        self, module: str, time_limit: float = FILE_LIMIT, memory: int = MEMORY, library: str = "libSBML"
    ) -> None:
        self.command = [sys.executable, "-m", module, str(memory)]
        self.library = library
        self.time_limit = time_limit
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def ask(self, job: dict[str, Any], where: str) -> Any:
        """Return the answer to a job.

        Raises
        ------
        ModelError
            With what the worker says is wrong, or that it crashed, ran out of memory or took too long.
        """
        process = self._running()
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self.time_limit, stop)
        timer.start()
        try:
            line = self._exchange(process, json.dumps(job))
        finally:
            timer.cancel()
        if late.is_set():
            self._stop()
            raise ModelError(f"{where}: took longer than {self.time_limit:g} s and was stopped")
        if not line:
            code = process.wait()
            self._stop()
            raise ModelError(
                f"{where}: {self.library} crashed on it ({_death(code)}); it may be damaged, or made to do so"
            )
        found = json.loads(line)
        if "error" in found:
            raise ModelError(found["error"] if found["told"] else f"{where}: {found['error']}")
        return found["answer"]

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(  # noqa: S603 - our own module in our own interpreter
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
            )
        return self._process

    @staticmethod
    def _exchange(process: subprocess.Popen[str], line: str) -> str:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the worker has no pipes")
        try:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            return process.stdout.readline()
        except BrokenPipeError:
            return ""

    def _stop(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()


def _death(code: int) -> str:
    with suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"code {code}"


def serve(answers: Callable[[dict[str, Any]], Any]) -> None:
    """Answer the jobs of :class:`Guarded` until there are no more, within the memory that the command line allows."""
    # What a library prints must not land among the answers.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    limit_memory(int(sys.argv[1]))
    for line in sys.stdin:
        try:
            result = {"answer": answers(json.loads(line))}
        except MetaflammationError as error:
            result = {"error": str(error), "told": True}
        except MemoryError:
            result = {"error": f"needs more than {int(sys.argv[1]) / 1e9:.1f} GB of memory", "told": False}
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is an answer
            result = {"error": f"cannot be handled ({type(error).__name__}: {error}); please report it", "told": False}
        out.write(json.dumps(result) + "\n")
        out.flush()


def limit_memory(size: int = MEMORY) -> None:
    """Let this process take so many bytes of address space, and leave no core file if it dies of it."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
