"""An experiment over a virtual population: one row an individual, and statistics of the curves."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflammation import files
from metaflammation.engines.batch import STOPS
from metaflammation.ensembles import arrays, executors, storage
from metaflammation.ensembles.storage import REASON, Folder
from metaflammation.ensembles.work import Readout, Simulation, Subject, arms, batches
from metaflammation.errors import DataError, SimulationError, unknown
from metaflammation.records import Solver
from metaflammation.statistics import OF_A_COURSE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from metaflammation.ensembles.population import VirtualPopulation
    from metaflammation.ensembles.work import Work

    Progress = Callable[[int, int], None]

SOLVER = Solver(relative_tolerance=1e-7, absolute_tolerance=1e-11)
"""Tolerances of ensembles, where those of the model are tighter."""

BATCH = 100
"""Individuals in a batch."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What came out of an experiment over a population.

    Attributes
    ----------
    table : pandas.DataFrame or path
        What :attr:`data` gives, or the file in which it lies: a table that was written is read when it is asked for.
    units : dict
        Unit of each column.
    about : dict
        Model, experiment, seed, settings and versions.
    statistics : xarray.Dataset or None
        Mean, standard deviation, smallest and largest value, and quantiles of each observable over time, with units.
    curves : xarray.Dataset or None
        The curves of each individual, where they were asked for.
    """

    table: pd.DataFrame | Path
    units: Mapping[str, str]
    about: Mapping[str, Any]
    statistics: Any = None
    curves: Any = None

    @cached_property
    def data(self) -> pd.DataFrame:
        """Return the table: index individual; the drawn parameters, the readouts, and ``failure``.

        Readouts are not a number where an individual could not be simulated; ``failure`` says why.
        """
        return storage.read(self.table)[0] if isinstance(self.table, Path) else self.table

    @cached_property
    def failed(self) -> pd.Series[str]:
        """Return the individuals that could not be simulated, with the reason."""
        found = storage.read(self.table, [REASON])[0] if isinstance(self.table, Path) else self.table
        return found[REASON].dropna()

    def to_xarray(self) -> Any:
        """Return the table as an ``xarray.Dataset`` over individuals, with units."""
        return arrays.dataset(self.data, self.units, self.about)

    @classmethod
    def load(cls, path: str | Path) -> Ensemble:
        """Read the table of an ensemble that was written as parquet, and its statistics if they lie beside it."""
        _, about = storage.read(Path(path), [REASON])
        units = about.pop("units", {})
        beside = statistics_path(Path(path))
        found = None
        if beside.is_file():
            found = arrays.xarray().load_dataset(beside, engine="scipy")
        return cls(Path(path), units, about, found)


def statistics_path(output: Path) -> Path:
    """Return where the statistics of the curves lie, beside the table."""
    return output.with_name(f"{output.stem}_statistics.nc")


def tolerances(own: Solver, many: Solver = SOLVER) -> Solver:
    """Return the tolerances for many individuals: those of the model where they are looser."""
    return Solver(
        relative_tolerance=max(own.relative_tolerance, many.relative_tolerance),
        absolute_tolerance=max(own.absolute_tolerance, many.absolute_tolerance),
        maximum_order=own.maximum_order,
    )


def simulate(
    population: VirtualPopulation,
    experiment: str,
    *,
    dose: float | None = None,
    readouts: str | Sequence[str] = (),
    observables: str | Sequence[str] = (),
    statistics: bool = False,
    curves: bool = False,
    batch: int = BATCH,
    workers: int = 1,
    scheduler: str | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress = lambda _done, _failed: None,
) -> Ensemble:
    """Simulate an experiment for every individual; see :meth:`metaflammation.Model.ensemble`."""
    work = _work(population, experiment, dose, readouts, observables, batch, statistics=statistics, curves=curves)
    path = Path(output) if output is not None else None
    if path is not None:
        storage.check_free(path, overwrite=overwrite)
        if statistics:
            files.check_free(statistics_path(path), overwrite=overwrite)
    about = describe(population, work) | {"experiment": experiment, "dose": dose}
    units = population.units | {
        work.column(r, arm): r.unit(population.model.elements) for arm, _ in work.arms for r in work.readouts
    }
    with (
        finished(work, about, path, workers, scheduler, progress) as folder,
        tempfile.TemporaryDirectory() as temporary,
    ):
        whole = path or Path(temporary) / "ensemble.parquet"
        found = arrays.statistics(work, folder.sketches(), population.model.elements, about) if statistics else None
        kept = arrays.curves(work, folder, population.model.elements, about) if curves else None
        folder.assemble(whole, about | {"units": units}, overwrite=overwrite)
        if path is not None and found is not None:
            with files.whole_file(statistics_path(path), overwrite=overwrite) as beside:
                found.to_netcdf(beside, engine="scipy")
        table = path or storage.read(whole)[0]
    return Ensemble(table, units, about, found, kept)


@contextmanager
def finished(
    work: Work,
    about: Mapping[str, Any],
    output: Path | None,
    workers: int,
    scheduler: str | None,
    progress: Progress,
) -> Iterator[Folder]:
    """Give the folder in which all batches are finished; it is removed when the block ends without an error.

    Batches lie in the folder ``<output>.parts`` until then: a run that was stopped goes on from what is there.
    """
    with tempfile.TemporaryDirectory(prefix="metaflammation-") as temporary:
        path = output.with_name(f"{output.name}.parts") if output else Path(temporary) / "parts"
        folder = Folder(path, about)
        done, total = folder.done(), batches(work.draws, work.size)
        failed = 0
        progress(sum(min(work.size, work.draws.n - n * work.size) for n in done), 0)
        try:
            for number, part in executors.run(work, [n for n in range(total) if n not in done], workers, scheduler):
                folder.write(number, part)
                failed += sum(reason is not None for reason in part.failures)
                progress(len(part.failures), failed)
        finally:
            if not folder.done():
                folder.remove()
        yield folder
        folder.remove()


def gathered(
    work: Work,
    about: Mapping[str, Any],
    output: str | Path | None,
    workers: int,
    scheduler: str | None,
    progress: Progress,
    *,
    overwrite: bool,
) -> pd.DataFrame:
    """Return the table of all individuals, from a run that goes on where it was stopped; it is written if asked for."""
    path = Path(output) if output is not None else None
    if path is not None:
        storage.check_free(path, overwrite=overwrite)
    with finished(work, about, path, workers, scheduler, progress) as folder:
        whole = path or folder.path / "whole"
        folder.assemble(whole, about, overwrite=overwrite)
        return storage.read(whole)[0]


def describe(population: VirtualPopulation, work: Work) -> dict[str, Any]:
    """Return what decides the numbers of a run: its manifest."""
    draws = population.draws
    return {
        "model": population.model.id,
        "fingerprint": work.fingerprint,
        "n": draws.n,
        "seed": draws.seed,
        "sampler": draws.sampler,
        "population": population.name,
        "conditions": list(population.conditions),
        "batch": work.size,
        "stops": STOPS,
        "versions": {p: version(p) for p in ("metaflammation", "libroadrunner", "numpy", "scipy")},
    }


def _work(
    population: VirtualPopulation,
    experiment: str,
    dose: float | None,
    readouts: str | Sequence[str],
    observables: str | Sequence[str],
    batch: int,
    *,
    statistics: bool,
    curves: bool,
) -> Simulation:
    model = population.model
    if experiment not in model.experiments:
        raise SimulationError(f"{model.id}: {unknown('experiment', experiment, model.experiments)}")
    if batch < 1:
        raise DataError(f"batch: {batch} is not a number of individuals")
    named = model.experiments[experiment]
    doses: Sequence[float | None] = list(named.arms.values()) if dose is None else [dose]
    if dose is not None and named.doses is None:
        raise SimulationError(f"experiment {experiment} takes no dose")
    columns = model.engine().columns
    shown = _listed(observables) or columns
    for observable in shown:
        if observable not in columns:
            raise SimulationError(unknown("observable", observable, columns))
    overrides, base = population.held()
    return Simulation(
        subject=Subject(model.sbml, model.elements, tolerances(model.solver)),
        draws=population.draws,
        size=batch,
        arms=arms(named, population.named_conditions(), doses, overrides, base),
        readouts=tuple(_readout(text, columns) for text in _listed(readouts) or [f"final:{o}" for o in shown]),
        observables=shown,
        statistics=statistics,
        curves=curves,
    )


def _listed(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _readout(text: str, columns: Sequence[str]) -> Readout:
    statistic, colon, observable = text.partition(":")
    if not colon:
        statistic, observable = "final", text
    if statistic not in OF_A_COURSE:
        raise DataError(f"readout {text}: {unknown('statistic', statistic, OF_A_COURSE)}")
    if observable not in columns:
        raise DataError(f"readout {text}: {unknown('observable', observable, columns)}")
    return Readout(statistic, observable)
