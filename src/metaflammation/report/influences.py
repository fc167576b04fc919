"""What depends on what in a model, and in which direction: the signs of influences, found by numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SAMPLES = 64
"""States at which each dependence is tried: every value up to threefold from where the model begins, zeros up to 1."""

STEP = 1e-4
"""Relative step with which a dependence is tried."""

CLEAR = 0.9
"""Share of the states that must agree on a direction; otherwise an influence has none."""

FUNCTIONS = {
    "exp": np.exp, "ln": np.log, "log": np.log10, "log10": np.log10, "sqrt": np.sqrt, "abs": np.abs, "pow": np.power,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "tanh": np.tanh, "min": np.minimum, "max": np.maximum,
}  # fmt: skip
WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


@dataclass
class Equations:
    """The formulas of a model as text, and what is known without solving it.

    Attributes
    ----------
    rules : dict
        Formula of each variable that an assignment rule computes.
    rates : dict
        Formula of each variable with a rate rule.
    laws : dict
        Formula of each reaction.
    start : dict
        Value of everything else at the beginning.
    """

    rules: dict[str, str] = field(default_factory=dict)
    rates: dict[str, str] = field(default_factory=dict)
    laws: dict[str, str] = field(default_factory=dict)
    start: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any) -> Equations:
        """Return the equations of a libSBML model."""
        found = cls()
        for rule in model.getListOfRules():
            if not rule.isAlgebraic():
                (found.rules if rule.isAssignment() else found.rates)[rule.getVariable()] = _formula(rule)
        found.laws = {r.getId(): _formula(r.getKineticLaw()) for r in model.getListOfReactions() if r.getKineticLaw()}
        for c in model.getListOfCompartments():
            found.start[c.getId()] = c.getSize() if c.isSetSize() else 1.0
        for s in model.getListOfSpecies():
            amount = s.getInitialConcentration() if s.isSetInitialConcentration() else s.getInitialAmount()
            found.start[s.getId()] = amount
        found.start |= {p.getId(): p.getValue() for p in model.getListOfParameters()}
        initial = {a.getSymbol(): _formula(a) for a in model.getListOfInitialAssignments()}
        values: dict[str, Any] = {k: v for k, v in found.start.items() if k not in initial and k not in found.rules}
        for name in initial:
            found.start[name] = float(_value(name, values, found.rules | initial))
        return found

    def inputs(self, formula: str) -> list[str]:
        """Return the names in a formula, in their order."""
        return list(dict.fromkeys(w for w in WORD.findall(formula) if w in self.start))

    def moving(self, boundary: Iterable[str]) -> set[str]:
        """Return what can change: variables of rates, species of reactions (``boundary``), and rules on them."""
        found = set(boundary) | set(self.rates)
        while True:
            more = {n for n, f in self.rules.items() if n not in found and found.intersection(self.inputs(f))}
            if not more:
                return found
            found |= more


class Directions:
    """The directions of influences: ``formula`` on what it holds, through rules that are not drawn.

    Parameters
    ----------
    equations : Equations
        The model.
    free : set of str
        What is drawn: it is moved for itself, and not through the rule that computes it.
    """

    def __init__(self, equations: Equations, free: set[str]) -> None:
        self._rules = equations.rules
        self._free = free
        random = np.random.default_rng(0)
        self._state: dict[str, Any] = {}
        for name, value in equations.start.items():
            if name in equations.rules:
                continue
            if name in free:
                low, high = (-0.5, 0.5) if value else (-2.0, 0.0)
                self._state[name] = (abs(value) or 1.0) * 10.0 ** random.uniform(low, high, SAMPLES)
            else:
                # A link that is cut by a zero would show no direction.
                self._state[name] = value or 0.5
        with np.errstate(all="ignore"):
            for name in sorted(free & set(equations.rules)):
                self._state[name] = _value(name, dict(self._state), equations.rules) * np.ones(SAMPLES)

    def direction(self, formula: str, name: str) -> int:
        """Return +1 if the formula rises with a name, -1 if it falls, 0 if it does neither or both."""
        hidden = {k: v for k, v in self._rules.items() if k not in self._free}
        moved = self._state | {name: self._state[name] * (1 + STEP)}
        with np.errstate(all="ignore"):
            try:
                before, after = (_evaluate(formula, dict(state), hidden) for state in (self._state, moved))
            except (NameError, SyntaxError, TypeError):
                return 0  # a function that is not listed above
        change = (after - before) * np.sign(self._state[name])
        change = np.asarray(change)[np.isfinite(change)] if np.ndim(change) else np.array([change])
        felt = change[np.abs(change) > 0]
        if not felt.size:
            return 0
        rising = float((felt > 0).mean())
        return 1 if rising >= CLEAR else -1 if rising <= 1 - CLEAR else 0

    def cut_by(self, switch: str, formula: str, name: str) -> bool:
        """Return whether a name acts on a formula only as long as a switch is not zero."""
        hidden = {k: v for k, v in self._rules.items() if k not in self._free}
        moved = self._state | {name: self._state[name] * (1 + STEP)}
        with np.errstate(all="ignore"):
            try:
                off, on = (
                    [_evaluate(formula, dict(state) | value, hidden) for state in (self._state, moved)]
                    for value in ({switch: 0.0}, {})
                )
            except (NameError, SyntaxError, TypeError):
                return False
        return bool(np.all(off[0] == off[1]) and np.any(on[0] != on[1]))

    def doubles(self, formula: str) -> bool:
        """Return whether a formula doubles when everything that is drawn doubles: a sum, or a share of a constant."""
        hidden = {k: v for k, v in self._rules.items() if k not in self._free}
        twice = {k: v * 2 if k in self._free else v for k, v in self._state.items()}
        with np.errstate(all="ignore"):
            try:
                once, doubled = (_evaluate(formula, dict(state), hidden) for state in (self._state, twice))
            except (NameError, SyntaxError, TypeError):
                return False
        return bool(np.allclose(doubled, 2 * once, rtol=1e-9, atol=0))


def _value(name: str, values: dict[str, Any], formulas: Mapping[str, str]) -> Any:
    if name not in values:
        values[name] = _evaluate(formulas[name], values, formulas)
    return values[name]


def _evaluate(formula: str, values: dict[str, Any], formulas: Mapping[str, str]) -> Any:
    for word in WORD.findall(formula):
        if word in formulas:
            _value(word, values, formulas)
    return eval(formula, {"__builtins__": {}, **FUNCTIONS}, values)  # noqa: S307 - libSBML has parsed the formula


def _formula(element: Any) -> str:
    import libsbml

    settings = libsbml.L3ParserSettings()
    settings.setParseUnits(False)
    if not element.isSetMath():
        return "0"
    return str(libsbml.formulaToL3StringWithSettings(element.getMath(), settings)).replace("^", "**")
