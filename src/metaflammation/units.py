"""Quantities with units: what users write, in the units of the models."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeAlias

from metaflammation.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pint

QuantityLike: TypeAlias = "str | float | pint.Quantity[Any]"
"""A number in the model's own unit, a text such as ``"30 min"`` or ``"100 nM"``, or a pint quantity."""

LABELS = (
    "min", "nM", "1/min", "1/(nM min)", "nM/min", "l", "nmol", "1/l", "nmol/min", "mmol/l", "kg", "1/day",
    "pg/ml", "ug/l", "mg/l", "g/mol", "mg/nmol", "mg", "mg/min", "kg/min", "kg/m^2", "m", "mmol", "mmol/min",
    "mmol/(l min)", "mmol/(kg min)", "nmol/(kg min)", "l/kg", "l/(kg min)", "kJ/kg", "kJ/min", "kJ/(kg min)", "ug/kg",
    "ug/(kg min)", "l/(mmol min)", "l^2/(mmol^2 min)",
)  # fmt: skip
"""Units in the form in which they are printed; the first that equals a unit is its label."""

NUMBER_AND_UNIT = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*)", re.DOTALL)


@cache
def registry() -> pint.UnitRegistry[Any]:
    """Return the one unit registry: pint's units and those of ``models/units.txt``."""
    import pint

    ureg: pint.UnitRegistry[Any] = pint.UnitRegistry(on_redefinition="ignore", cache_folder=None)
    ureg.load_definitions(files("metaflammation._models").joinpath("units.txt").read_text("utf-8").splitlines())
    return ureg


@dataclass(frozen=True)
class Unit:
    """The unit of one element of a model.

    Attributes
    ----------
    label : str
        The unit as printed; empty for a pure number.
    factor : float
        The size of the unit in pint's base units.
    dimension : str
        A pint unit expression of the same dimension, in base units.
    """

    label: str
    factor: float = 1.0
    dimension: str = "dimensionless"

    @classmethod
    def parse(cls, text: str) -> Unit:
        """Return the unit that ``text`` names, e.g. ``"min"`` or ``"nmol/l"``."""
        return cls.of(_parse(f"1 {text}" if text else "1", text), text)

    @classmethod
    def of(cls, quantity: pint.Quantity[Any], label: str | None = None) -> Unit:
        """Return the unit whose size is ``quantity``."""
        base = quantity.to_base_units()
        if label is None:
            label = _label(base)
        return cls(label, float(base.magnitude), f"{base.units:C}")

    def __str__(self) -> str:
        return self.label


def _label(base: Any) -> str:
    if base.dimensionless and math.isclose(base.magnitude, 1.0):
        return ""
    for label in LABELS:
        other: Any = registry().Quantity(label.replace("1/", "1 / ", 1)).to_base_units()
        if other.units == base.units and math.isclose(other.magnitude, base.magnitude, rel_tol=1e-12):
            return label
    return f"{base:.6g~C}"


MINUTE = Unit("min", 60.0, "second")
NUMBER = Unit("")


def from_factors(factors: Iterable[tuple[str, float, float]]) -> Unit:
    """Return the unit that is the product of ``(kind, multiplier, exponent)``, as SBML composes units."""
    ureg = registry()
    names = {"litre": "liter", "metre": "meter", "item": "dimensionless", "avogadro": "avogadro_constant"}
    product = ureg.Quantity(1.0)
    for kind, multiplier, exponent in factors:
        product *= (multiplier * ureg.Quantity(1.0, names.get(kind, kind))) ** exponent
    return Unit.of(product)


def named(name: str) -> Unit | None:
    """Return the unit for an SBML unit id that means more than its definition, such as ``relative_level``."""
    return Unit("relative to basal") if name.startswith("relative_") else None


def international(name: str) -> str:
    """Return the label of a unit whose SBML id names international units, which are plain numbers; else nothing."""
    if "IU" not in name:
        return ""
    numerator, *denominators = name.split("_per_")
    parts = [d.replace("_", " ") for d in denominators]
    under = "/".join(f"({p})" if " " in p else p for p in parts)
    return f"{numerator.replace('_', ' ')}/{under}" if under else numerator


def in_unit(value: QuantityLike, unit: Unit, what: str) -> float:
    """Return ``value`` as a number in ``unit``.

    Parameters
    ----------
    value : str, float or pint.Quantity
        Plain numbers are taken to be in ``unit`` already.
    unit : Unit
        The unit that is wanted.
    what : str
        The id of the element or argument, for the message and for conversions of one substance.

    Raises
    ------
    DataError
        If the value is no finite number, or has another dimension.
    """
    if value is None or type(value).__name__ in {"bool", "bool_"}:
        raise DataError(f"{what}: {value!r} is not a quantity")
    quantity: Any = value
    if isinstance(value, str):
        try:
            quantity = float(value)
        except ValueError:
            quantity = _parse(value, what)
    number = _converted(quantity, unit, what) if hasattr(quantity, "magnitude") else _number(quantity, what)
    if not math.isfinite(number):
        raise DataError(f"{what}: {value} is not a finite number")
    return number


def _number(value: Any, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise DataError(f"{what}: {value!r} is not a quantity; write a number or a text such as '30 min'") from None


def _parse(text: str, what: str) -> pint.Quantity[Any]:
    import pint

    ureg = registry()
    try:
        number, unit = NUMBER_AND_UNIT.findall(text)[0]
        return ureg.Quantity(float(number), ureg.parse_units(unit))
    except pint.UndefinedUnitError:
        raise DataError(f"{what}: the unit of {text!r} is unknown") from None
    except Exception:  # noqa: BLE001 - pint raises many kinds of error for text that is no quantity
        raise DataError(f"{what}: {text!r} is not a quantity; write a number or a text such as '30 min'") from None


def _converted(quantity: pint.Quantity[Any], unit: Unit, what: str) -> float:
    import pint

    ureg = registry()
    try:
        contexts = [c for c in ureg._contexts if f"_{c}_" in f"_{what}_"]  # noqa: SLF001 - pint lists them nowhere else
        # A model counts international units as plain numbers.
        wanted = f"international_unit * {unit.dimension}" if "IU" in unit.label else unit.dimension
        base = ureg.Quantity(quantity.magnitude, str(quantity.units)).to(wanted, *contexts)
    except (pint.DimensionalityError, pint.UndefinedUnitError):
        wanted = "a pure number" if unit.dimension == NUMBER.dimension else f"a quantity in {unit.label}"
        raise DataError(f"{what}: {quantity:~C} has the wrong dimension; {wanted} is needed") from None
    if getattr(base.magnitude, "ndim", 0):
        raise DataError(f"{what}: {quantity:~C} is not a quantity but several; give one number")
    # Fourteen digits: conversion through base units leaves an error in the sixteenth.
    return float(f"{base.magnitude / unit.factor:.14g}")


def minutes(value: QuantityLike, what: str = "time") -> float:
    """Return a time in minutes; plain numbers are minutes."""
    return in_unit(value, MINUTE, what)
