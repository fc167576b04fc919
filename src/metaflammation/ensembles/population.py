"""Virtual populations: who they are, and their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaflammation.ensembles import distributions
from metaflammation.ensembles.draws import Draws
from metaflammation.ensembles.work import symbols
from metaflammation.errors import DataError, unknown
from metaflammation.simulate import merge_conditions

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from metaflammation.model import Model


@dataclass(frozen=True, eq=False)
class VirtualPopulation:
    """Individuals of one model: parameter sets, and the conditions that all of them share.

    Attributes
    ----------
    model : Model
        The model.
    draws : Draws
        Their parameters.
    name : str or None
        The named population; None where the parameters move as their evidence allows.
    conditions : tuple of str
        Conditions that hold throughout for everybody.
    """

    model: Model
    draws: Draws
    name: str | None
    conditions: tuple[str, ...]

    def __len__(self) -> int:
        return self.draws.n

    @property
    def parameters(self) -> pd.DataFrame:
        """Return the parameter sets: index individual, one column a parameter, in model units."""
        import pandas as pd

        found = pd.DataFrame(self.draws.rows(0, self.draws.n), columns=list(self.draws.names))
        return found.rename_axis("individual")

    @property
    def units(self) -> dict[str, str]:
        """Return the unit of each parameter; empty for pure numbers."""
        elements = self.model.elements
        return {n: elements[n].unit.label if n in elements else "" for n in self.draws.names}

    @property
    def distributions(self) -> pd.DataFrame:
        """Return how each parameter is drawn.

        Returns
        -------
        pandas.DataFrame
            Index the parameter; columns kind, shape, logarithmic, centre, lower, upper, sd.
        """
        import pandas as pd

        rows = [
            [p.id, p.kind, p.shape, p.logarithmic, p.centre, p.lower, p.upper, p.sd] for p in self.draws.joint.parts
        ]
        columns = ["parameter", "kind", "shape", "logarithmic", "centre", "lower", "upper", "sd"]
        return pd.DataFrame(rows, columns=columns).set_index("parameter")

    def to_xarray(self) -> Any:
        """Return the parameter sets as an ``xarray.Dataset`` over individuals, with units."""
        from metaflammation.ensembles.arrays import dataset

        return dataset(self.parameters, self.units)

    def held(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return overrides and base of every run, with what is drawn by name.

        What makes a person holds over what an experiment sets; a parameter of which we are unsure does not.
        """
        shared: dict[str, Any] = dict(
            merge_conditions(self.conditions, self.model.conditions, f"population {self.name}")
        )
        drawn = symbols(self.draws)
        return (shared | drawn, {}) if self.name else (shared, drawn)

    def named_conditions(self) -> dict[str, dict[str, Any]]:
        """Return the conditions of the model, in which what is drawn stands by name."""
        raw: Mapping[str, Mapping[str, Any]] = self.model.files.conditions() if self.model.files else {}
        drawn = set(self.draws.names)
        return {
            name: {
                t: v if isinstance(v, str) and v in drawn else self.model.conditions[name][t]
                for t, v in changes.items()
            }
            for name, changes in raw.items()
        }


def make(
    model: Model,
    n: int,
    seed: int,
    name: str | None,
    spread: float | str,
    sampler: str,
    conditions: tuple[str, ...] = (),
) -> VirtualPopulation:
    """Return a population; see :meth:`metaflammation.Model.population`."""
    merge_conditions(conditions, model.conditions, model.id)
    if name is None:
        return VirtualPopulation(
            model, Draws(distributions.of_evidence(model, spread), n, seed, sampler), None, conditions
        )
    if name not in model.populations:
        raise DataError(f"{model.id}: {unknown('population', name, model.populations)}")
    found = model.populations[name]
    draws = Draws(distributions.of_population(model, found), n, seed, sampler)
    return VirtualPopulation(model, draws, name, (*found.conditions, *conditions))
