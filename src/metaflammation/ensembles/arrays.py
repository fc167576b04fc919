"""Populations and ensembles as xarray, with units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation.errors import SimulationError, missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from metaflammation.ensembles.sketch import Sketch
    from metaflammation.ensembles.storage import Folder
    from metaflammation.ensembles.work import Simulation

QUANTILES = (0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975)
"""Quantiles over the population that are given for each time."""


def dataset(data: pd.DataFrame, units: Mapping[str, str], about: Mapping[str, Any] | None = None) -> Any:
    """Return a table as an ``xarray.Dataset`` over individuals, with units."""
    found = xarray().Dataset.from_dataframe(data)
    for name, unit in units.items():
        if name in found:
            found[name].attrs["units"] = unit
    found.attrs.update({k: v for k, v in (about or {}).items() if isinstance(v, str | int | float)})
    return found


def statistics(
    work: Simulation, sketches: Mapping[str, Sketch], elements: Mapping[str, Any], about: Mapping[str, Any]
) -> Any:
    """Return the statistics of the curves over time; the runs of a series of doses along ``run``."""
    module = xarray()
    found = []
    for arm, plan in work.arms:
        if arm not in sketches:
            raise SimulationError(f"{arm}: no individual could be simulated, so there are no statistics")
        sketch = sketches[arm]
        numbers = {"mean": sketch.mean, "sd": sketch.sd, "min": sketch.low, "max": sketch.high}
        quantiles = np.stack([sketch.quantile(q) for q in QUANTILES])
        variables = {
            o: (("statistic", "time"), np.vstack([*(v[:, k] for v in numbers.values()), quantiles[:, :, k]]))
            for k, o in enumerate(work.observables)
        }
        names = [*numbers, *(f"q{100 * q:g}" for q in QUANTILES)]
        found.append(module.Dataset(variables, {"time": np.array(plan.times), "statistic": names}))
    return _joined(found, work, elements, about)


def curves(work: Simulation, folder: Folder, elements: Mapping[str, Any], about: Mapping[str, Any]) -> Any:
    """Return the curves of every individual; those of one that failed are not numbers."""
    module = xarray()
    kept = [part["curves"] for part in folder.curves()]
    found = []
    for arm, plan in work.arms:
        values = np.concatenate([part[arm] for part in kept])
        variables = {o: (("individual", "time"), values[:, :, k]) for k, o in enumerate(work.observables)}
        coordinates = {"individual": np.arange(len(values)), "time": np.array(plan.times)}
        found.append(module.Dataset(variables, coordinates))
    return _joined(found, work, elements, about)


def _joined(found: list[Any], work: Simulation, elements: Mapping[str, Any], about: Mapping[str, Any]) -> Any:
    runs = [arm for arm, _ in work.arms]
    whole = xarray().concat(found, xarray().DataArray(runs, dims="run", name="run")) if len(found) > 1 else found[0]
    for observable in work.observables:
        element = elements[observable]
        whole[observable].attrs.update(units=element.unit.label, long_name=element.name or observable)
    whole["time"].attrs["units"] = "min"
    whole.attrs.update({k: v for k, v in about.items() if isinstance(v, str | int | float)})
    return whole


def xarray() -> Any:
    """Return the package xarray."""
    try:
        import xarray
    except ImportError:
        raise missing("'metaflammation[ensemble]'") from None
    return xarray
