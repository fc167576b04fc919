"""Results of simulations: tidy frames that know their units, saved and loaded whole."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from metaflammation import files
from metaflammation.errors import DataError, SimulationError, unknown
from metaflammation.units import QuantityLike, minutes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

LEGIBLE = 8
"""Variables drawn if none is named: those that move most."""

HEADER = "# metaflammation time course "


@dataclass(frozen=True, eq=False)
class TimeCourse:
    """One simulated run.

    Attributes
    ----------
    data : pandas.DataFrame
        Index ``time`` in min, one column a variable, named by SBML id.
    units : dict
        Unit of each column as text; empty for pure numbers.
    names : dict
        Display name of each column.
    origin : dict
        What was run: model, experiment, engine, dose and overrides.
    """

    data: pd.DataFrame
    units: Mapping[str, str]
    names: Mapping[str, str]
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, observable: str) -> pd.Series[float]:
        """Return one variable over time."""
        self._check(observable)
        return self.data[observable]

    @property
    def times(self) -> np.ndarray:
        """Return the output times in min."""
        return np.asarray(self.data.index)

    def curves(self, observables: Sequence[str]) -> np.ndarray:
        """Return variables as an array of shape (times, observables)."""
        for observable in observables:
            self._check(observable)
        return self._values[:, [self._places[o] for o in observables]]

    @cached_property
    def _values(self) -> np.ndarray:
        return np.asarray(self.data)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {str(column): k for k, column in enumerate(self.data.columns)}

    def select(self, observables: Sequence[str] = ()) -> TimeCourse:
        """Return the run with some of its variables; with all of them if none is named."""
        for observable in observables:
            self._check(observable)
        if not observables:
            return self
        units, names = ({o: known[o] for o in observables} for known in (self.units, self.names))
        return replace(self, data=self.data[list(observables)], units=units, names=names)

    def at(self, time: QuantityLike) -> pd.Series[float]:
        """Return all variables at a time, interpolated linearly between output points.

        Raises
        ------
        SimulationError
            If the time lies outside the simulation.
        """
        t = minutes(time)
        first, last = self.data.index[0], self.data.index[-1]
        if not first <= t <= last:
            raise SimulationError(f"time {t:g} min lies outside the simulation ({first:g} to {last:g} min)")
        if t in self.data.index:
            return self.data.loc[t]
        row = self.data.reindex(self.data.index.union([t])).interpolate(method="index").loc[t]
        return row.rename(t)

    def table(self) -> pd.DataFrame:
        """Return what there is to print: all variables over time."""
        return self.data

    def plot(self, observables: str | Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
        """Draw variables over time, with units on the axes, and return the matplotlib axes.

        Variables of more than one unit cannot share an axis: give ``observables`` of one unit. Without any, the
        eight of the commonest unit that move most are drawn.
        """
        from metaflammation import figures

        return figures.time_course(self, self._chosen(observables), ax)

    def compare(
        self,
        others: Mapping[str, TimeCourse],
        observables: str | Sequence[str] | None = None,
        *,
        label: str = "this run",
        ax: Axes | None = None,
    ) -> Axes:
        """Draw this run and others, by the names they are to have, on the same axes.

        Raises
        ------
        SimulationError
            If a run lacks an observable, or the observables have different units.
        """
        from metaflammation import figures

        chosen = self._chosen(observables)
        return figures.comparison({label: self, **{k: run.select(chosen) for k, run in others.items()}}, chosen, ax)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the run as CSV, with units and origin in the first line, whole or not at all."""
        header = json.dumps({"units": dict(self.units), "names": dict(self.names), "origin": dict(self.origin)})
        files.write_text(path, f"{HEADER}{header}\n{self.data.to_csv()}", overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> TimeCourse:
        """Read a run that :meth:`save` wrote; values are equal to the last bit.

        Raises
        ------
        DataError
            If the file is missing or was not written by :meth:`save`.
        """
        try:
            first, _, rest = Path(path).read_text("utf-8").partition("\n")
            if not first.startswith(HEADER):
                raise DataError(f"{path}: is no saved time course (its first line is another)")
            known = json.loads(first.removeprefix(HEADER))
            # Read as text: Python's own conversion gives back every bit, whatever the version of pandas.
            data = pd.read_csv(io.StringIO(rest), dtype=str).map(float).set_index("time")
            return cls(data, known["units"], known["names"], known["origin"])
        except (OSError, TypeError, ValueError, KeyError) as error:
            raise DataError(f"{path}: cannot be read as a time course ({error})") from None

    def _check(self, observable: str) -> None:
        if observable not in self._places:
            raise SimulationError(unknown("observable", observable, self.data.columns))

    def _chosen(self, observables: str | Sequence[str] | None) -> list[str]:
        if observables is None:
            moving = [c for c in self.data.columns if (self.data[c] != self.data[c].iloc[0]).any()]
            units = [self.units[c] for c in moving]
            commonest = max(units, key=units.count, default="")
            alike = [c for c in moving if self.units[c] == commonest]
            most = sorted(alike, key=lambda c: -float(self.data[c].max() - self.data[c].min()))[:LEGIBLE]
            return [c for c in alike if c in most] or list(self.data.columns[:1])
        chosen = [observables] if isinstance(observables, str) else list(observables)
        for observable in chosen:
            self._check(observable)
        return chosen


@dataclass(frozen=True, eq=False)
class DoseSeries:
    """The runs of one experiment over a series of doses.

    Attributes
    ----------
    target, unit : str
        What was dosed, and the unit of the doses.
    runs : dict
        The time course of each dose.
    """

    target: str
    unit: str
    runs: Mapping[float, TimeCourse]

    def select(self, observables: Sequence[str] = ()) -> DoseSeries:
        """Return the series with some of its variables; with all of them if none is named."""
        return replace(self, runs={d: r.select(observables) for d, r in self.runs.items()})

    @property
    def data(self) -> pd.DataFrame:
        """Return all runs in one frame, with the index levels ``dose`` and ``time``."""
        return pd.concat({d: r.data for d, r in self.runs.items()}, names=["dose", "time"])

    @property
    def units(self) -> Mapping[str, str]:
        """Return the unit of each column."""
        return next(iter(self.runs.values())).units

    @property
    def names(self) -> Mapping[str, str]:
        """Return the display name of each column."""
        return next(iter(self.runs.values())).names

    def response(self, observable: str, at: QuantityLike | None = None) -> pd.Series[float]:
        """Return an observable over dose, at a time or at the end."""
        return self.responses([observable], at)[observable]

    def responses(self, observables: Sequence[str] = (), at: QuantityLike | None = None) -> pd.DataFrame:
        """Return several observables over dose, at a time or at the end; all of them if none is named."""
        runs = self.select(observables).runs
        rows = {d: r.data.iloc[-1] if at is None else r.at(at) for d, r in runs.items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("dose")

    def table(self) -> pd.DataFrame:
        """Return what there is to print: all variables at the end, over dose."""
        return self.responses()

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write all runs as CSV with the columns dose and time, whole or not at all."""
        files.write_text(path, self.data.to_csv(), overwrite=overwrite)

    def plot(self, observables: str | Sequence[str], at: QuantityLike | None = None, ax: Axes | None = None) -> Axes:
        """Draw observables over dose and return the matplotlib axes."""
        from metaflammation import figures

        chosen = [observables] if isinstance(observables, str) else list(observables)
        return figures.dose_response(self, {o: self.response(o, at) for o in chosen}, ax)
