"""Where batches are worked on: in this process, in others on this machine, or on machines of a Dask cluster."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from metaflammation import children
from metaflammation.errors import SimulationError, missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from metaflammation.ensembles.work import Part, Work

ATTEMPTS = 3
"""How often a batch is begun anew whose process was killed."""

PATIENCE = "10s"
"""How long a scheduler may take to answer."""

AHEAD = 2
"""Batches that wait for each worker: more would only fill memory."""


def run(
    work: Work, numbers: Iterable[int], workers: int = 1, scheduler: str | None = None
) -> Iterator[tuple[int, Part]]:
    """Return number and result of each batch as it is finished, in any order.

    Parameters
    ----------
    work : Work
        What is done; it is sent to each worker once.
    numbers : iterable of int
        The batches.
    workers : int
        Processes on this machine; with 1 the work is done in this one.
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:port``; its workers do the work.

    Raises
    ------
    SimulationError
        If the scheduler cannot be reached, or workers die again and again over the same batch.
    """
    if scheduler is not None:
        return _dask(work, numbers, scheduler)
    if workers == 1:
        return ((n, work.batch(n)) for n in numbers)
    return _loky(work, numbers, workers)


def _loky(work: Work, numbers: Iterable[int], workers: int) -> Iterator[tuple[int, Part]]:
    from concurrent.futures import FIRST_COMPLETED, wait

    try:
        from loky import ProcessPoolExecutor
        from loky.process_executor import BrokenProcessPool
    except ImportError:
        raise missing("'metaflammation[ensemble]'") from None
    waiting = deque(numbers)
    attempts: dict[int, int] = {}
    while waiting:
        executor = ProcessPoolExecutor(workers, initializer=children.keep, initargs=(work,))
        running: dict[Any, int] = {}
        try:
            while waiting or running:
                while waiting and len(running) < AHEAD * workers:
                    number = waiting.popleft()
                    running[executor.submit(kept_batch, number)] = number
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    yield running.pop(future), result
        except BrokenProcessPool:
            # A worker was killed: what had not come back is done again by new ones.
            for number in sorted(running.values(), reverse=True):
                attempts[number] = attempts.get(number, 0) + 1
                waiting.appendleft(number)
            worst = max(attempts.values(), default=0)
            if worst > ATTEMPTS:
                _give_up([n for n, a in attempts.items() if a == worst], work.size)
        finally:
            executor.shutdown(kill_workers=True)


def _dask(work: Work, numbers: Iterable[int], scheduler: str) -> Iterator[tuple[int, Part]]:
    try:
        from distributed import Client, as_completed
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise missing("'metaflammation[ensemble]'") from None
    try:
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise SimulationError(f"the Dask scheduler {scheduler} does not answer: {error}") from None
    with client:
        waiting = deque(numbers)
        slots = max(sum(client.ncores().values()), 1)
        # The work is a task of its own, not scattered data: if its worker is lost, another one makes it again.
        shared = client.submit(_itself, work, key=f"metaflammation-{work.fingerprint}")
        running = as_completed(loop=client.loop)
        names: dict[str, int] = {}

        def submit() -> None:
            number = waiting.popleft()
            future = client.submit(_batch, shared, number, pure=False, retries=ATTEMPTS)
            names[future.key] = number
            running.add(future)

        while waiting and len(names) < AHEAD * slots:
            submit()
        for future in running:
            try:
                result = future.result()
            except KilledWorker:
                _give_up([names[future.key]], work.size)
            yield names.pop(future.key), result
            future.release()
            if waiting:
                submit()


def _give_up(numbers: list[int], size: int) -> None:
    where = ", ".join(f"{n * size} to {(n + 1) * size - 1}" for n in sorted(numbers))
    raise SimulationError(f"individuals {where}: the process that simulates them was killed {ATTEMPTS} times and more")


def kept_batch(number: int) -> Part:
    """Return the result of a batch of the work that this process keeps (:func:`metaflammation.children.keep`)."""
    found: Part = children.kept().batch(number)
    return found


def _itself(work: Work) -> Work:
    return work


def _batch(work: Work, number: int) -> Part:
    return work.batch(number)
