"""How each parameter of a model may differ: from its evidence, its bounds and its fit, or from a named population."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from metaflammation.ensembles import covariance
from metaflammation.errors import DataError, unknown
from metaflammation.library import find

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metaflammation.library import ModelFiles
    from metaflammation.model import Model
    from metaflammation.records import ParameterEvidence, Population, Variation

BOUNDS = "bounds"
"""Spread of assumed parameters: all that the table allows. The other spread is a factor either way."""

HELD = {"input", "definition"}
"""Roles of parameters that stay as they are."""

LN10 = np.log(10.0)


@dataclass(frozen=True)
class Distribution:
    """How one parameter is drawn.

    Attributes
    ----------
    id : str
        The parameter, of the model or of its conditions.
    kind : str
        ``fitted``, ``measured``, ``assumed`` or ``person``: what the spread comes from.
    shape : str
        ``uniform``, ``normal`` or ``integer``.
    logarithmic : bool
        Whether it has this shape on a logarithmic scale (base 10).
    centre : float
        The value of the model, or the mean in the population.
    lower, upper : float
        Bounds of what is drawn.
    sd : float
        Standard deviation of a normal distribution before it is cut by the bounds, on the scale of its shape.
    in_model : bool
        Whether it is a parameter of the model; else conditions name it.
    """

    id: str
    kind: str
    shape: str
    logarithmic: bool
    centre: float
    lower: float
    upper: float
    sd: float = 0.0
    in_model: bool = True


@dataclass(frozen=True, eq=False)
class Joint:
    """The distributions of all parameters that move.

    Attributes
    ----------
    parts : tuple of Distribution
        In a fixed order, on which draws depend.
    correlated : tuple of (names, covariance)
        Parameters that were fitted together, on the logarithmic scale.
    twins : dict
        Parameters of the model that take the value of another: of a composed model, those of a module's second copy.
    """

    parts: tuple[Distribution, ...]
    correlated: tuple[tuple[tuple[str, ...], np.ndarray], ...] = ()
    twins: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[object, ...]:
        """Return all that decides the draws, for a fingerprint."""
        fits = [x for _, c in self.correlated for x in (c.shape, c)]
        return (self.parts, sorted(self.twins.items()), *fits)


def of_evidence(model: Model, spread: float | str = BOUNDS) -> Joint:
    """Return what is known of each parameter of a model.

    Fitted parameters move within the covariance of their fit, measured ones log-normally with the coefficient of
    variation that the metadata state, assumed ones uniformly on a logarithmic scale within their bounds (or within a
    factor ``spread`` of their value, cut by the bounds), on a linear scale where a bound is not positive. Inputs and
    definitions stay.

    Raises
    ------
    DataError
        If the model has no table of parameters, or the spread is no factor above 1.
    """
    if not model.parameters or model.files is None:
        raise DataError(f"{model.id}: has no parameters.tsv, so nothing says how its parameters may differ")
    if spread != BOUNDS and (isinstance(spread, str) or not spread > 1):
        raise DataError(f"spread {spread}: give a factor above 1, or {BOUNDS!r}")
    blocks = [(n, c) for n, c in _covariances(model.files, "") if len(n)]
    named = {
        i: p for i, p in model.estimated.items() if i not in model.elements and i in {x for n, _ in blocks for x in n}
    }
    deviation = {n: float(np.sqrt(c[k, k])) for names, c in blocks for k, n in enumerate(names)}
    cv = model.files.metadata.measured_cv
    twins = _twins(model, model.files)
    parts = []
    for name, row in sorted(model.parameters.items()):
        element = model.elements.get(name)
        if element is None or element.value is None or row.role in HELD or name in twins:
            continue
        part = _of_row(row, element.value, spread, deviation.get(name), cv)
        if part.lower < part.upper:
            parts.append(part)
    parts += [
        Distribution(i, "fitted", "normal", True, p.value, p.lower, p.upper, deviation[i], in_model=False)
        for i, p in sorted(named.items())
    ]
    moving = {p.id for p in parts if p.kind == "fitted"}
    kept = [_among(names, c, moving) for names, c in blocks]
    return Joint(
        tuple(parts),
        tuple((n, c) for n, c in kept if n),
        {t: o for t, o in twins.items() if o in {p.id for p in parts}},
    )


def _twins(model: Model, files: ModelFiles) -> dict[str, str]:
    """Return, for each parameter of a module's second copy, that of the first: both are the same kind of cell."""
    first: dict[str, str] = {}
    twins = {}
    for prefix, module in files.modules().items():
        original = first.setdefault(module, prefix)
        if original == prefix:
            continue
        for name in find(module, files.collection).parameters():
            pair = f"{prefix}_{name}", f"{original}_{name}"
            values = [model.elements[i].value if i in model.parameters else None for i in pair]
            if values[0] is not None and values[0] == values[1]:
                twins[pair[0]] = pair[1]
    return twins


def _of_row(
    row: ParameterEvidence, value: float, spread: float | str, deviation: float | None, cv: float
) -> Distribution:
    """Return the distribution of one row of the table."""
    bounded = Distribution(row.id, row.evidence, "uniform", row.lower > 0, value, row.lower, row.upper)
    if row.evidence == "fitted" and deviation is not None:
        return replace(bounded, shape="normal", logarithmic=True, sd=deviation)
    if row.evidence == "measured" and value > 0:
        return replace(bounded, shape="normal", logarithmic=True, sd=float(np.sqrt(np.log1p(cv**2)) / LN10))
    if not isinstance(spread, str):
        low, high = sorted((value / spread, value * spread))
        bounded = replace(bounded, lower=max(low, row.lower), upper=min(high, row.upper))
    if row.role == "integer":
        low, high = np.ceil(bounded.lower - 1e-9), np.floor(bounded.upper + 1e-9)
        return replace(bounded, shape="integer", logarithmic=False, lower=float(low), upper=float(high))
    return bounded


def _covariances(files: ModelFiles, prefix: str) -> list[tuple[list[str], np.ndarray]]:
    """Return names and covariance of each fit, of the model and of the modules of which it is composed."""
    frame = covariance.read(files)
    found = [([f"{prefix}{i}" for i in frame.index], frame.to_numpy(dtype=float))]
    for short, module in files.modules().items():
        found += _covariances(find(module, files.collection), f"{prefix}{short}_")
    return found


def _among(names: list[str], matrix: np.ndarray, moving: set[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the covariance of those that move; the others are averaged over."""
    kept = [k for k, n in enumerate(names) if n in moving]
    return tuple(names[k] for k in kept), matrix[np.ix_(kept, kept)]


def of_population(model: Model, population: Population) -> Joint:
    """Return how the persons of a named population differ.

    Raises
    ------
    DataError
        If the population names something that the model has not.
    """
    held: dict[str, float] = {}
    for name in population.conditions:
        if name not in model.conditions:
            raise DataError(f"population {population.id}: {unknown('condition', name, model.conditions)}")
        held |= model.conditions[name]
    return Joint(tuple(_of_variation(model, population.id, v, held) for v in population.varies))


def _of_variation(model: Model, where: str, varied: Variation, held: dict[str, float]) -> Distribution:
    named = model.estimated.get(varied.id)
    in_model = varied.id in model.elements
    if not in_model and named is None:
        raise DataError(f"population {where}: {unknown('id', varied.id, model.elements)}")
    own = model.elements[varied.id].value if in_model else named.value if named else None
    centre = varied.mean if varied.mean is not None else held.get(varied.id, own)
    if centre is None:
        raise DataError(f"population {where}: {varied.id} is computed by the model; give its mean")
    row = model.parameters.get(varied.id) if in_model else named
    lower = varied.lower if varied.lower is not None else (row.lower if row else -np.inf)
    upper = varied.upper if varied.upper is not None else (row.upper if row else np.inf)
    if not lower < upper:
        raise DataError(f"population {where}: {varied.id}: lower must be below upper")
    logarithmic = varied.distribution == "log-normal"
    if logarithmic and not (centre > 0 and upper > 0):
        raise DataError(f"population {where}: {varied.id}: a log-normal quantity must be positive")
    spread = varied.sd if varied.sd is not None else abs(centre) * (varied.cv or 0.0)
    sd = float(np.sqrt(np.log1p((spread / centre) ** 2)) / LN10) if logarithmic else spread
    if logarithmic:
        # The mean of a log-normal distribution lies above its median.
        centre, lower = centre / float(np.sqrt(1 + (spread / centre) ** 2)), max(lower, centre * 1e-6)
    shape = "uniform" if varied.distribution == "uniform" else "normal"
    return Distribution(
        varied.id, "person", shape, logarithmic, float(centre), float(lower), float(upper), sd, in_model
    )
