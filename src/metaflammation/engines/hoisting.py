"""Constant parts of rates, worked out once for a run instead of at every step of the solver.

libRoadRunner writes the assignment rules of a model out in each rate that names them, so that what depends on constants
alone (a basal rate, a power of a threshold) is worked out at every evaluation. :func:`hoisted` moves it into parameters
that are set whenever a constant was. The operations and their order stay what they were: results are the same to the
last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaflammation.sbml import document

if TYPE_CHECKING:
    from collections.abc import Collection

NUMBER, CONSTANT, MOVES = range(3)
"""What a formula is made of: numbers alone, constants of the model, or what changes in a run; the largest counts."""


@dataclass(frozen=True)
class Hoisted:
    """A model whose rates name parameters in place of what depends on constants alone.

    Attributes
    ----------
    sbml : str
        The model.
    formulas : tuple of str
        Parameters that follow the constants by assignment rules; no rate names them.
    values : tuple of str
        The parameters that the rates name, in the same order: each is to have the value of its formula.
    """

    sbml: str
    formulas: tuple[str, ...]
    values: tuple[str, ...]


def hoisted(text: str) -> Hoisted:
    """Return a model for many runs.

    Raises
    ------
    ModelError
        If libSBML cannot read the model.
    """
    import libsbml

    parsed = document(text, "SBML")
    formulas, values = _Hoist(parsed.getModel()).rates()
    return Hoisted(libsbml.writeSBMLToString(parsed), formulas, values)


class _Hoist:
    """The work on one model, which is changed."""

    def __init__(self, model: Any) -> None:
        self.model = model
        # A reset works out initial assignments when our values are set already: what depends on them stays in place.
        late = {a.getSymbol() for a in model.getListOfInitialAssignments()}
        settable = (*model.getListOfParameters(), *model.getListOfCompartments())
        self.constants = {e.getId() for e in settable if e.getConstant()} - late
        self.rules = {r.getVariable(): r for r in model.getListOfRules() if r.isAssignment()}
        self.kinds: dict[str, int] = {}
        self.found: dict[str, tuple[str, str]] = {}
        self.prefix = "hoisted"
        while any(e.getId().startswith(self.prefix) for e in model.getListOfAllElements()):
            self.prefix += "_"

    def rates(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Reduce all rates; return formulas and values."""
        for rate in [r for r in self.model.getListOfRules() if r.isRate()]:
            self._reduce_math(rate, ())
        for law in [r.getKineticLaw() for r in self.model.getListOfReactions() if r.isSetKineticLaw()]:
            self._reduce_math(law, {p.getId() for p in (*law.getListOfParameters(), *law.getListOfLocalParameters())})
        formulas, values = zip(*self.found.values(), strict=True) if self.found else ((), ())
        return formulas, values

    def _reduce_math(self, owner: Any, local: Collection[str]) -> None:
        math = owner.getMath().deepCopy()
        kind = self._reduce(math, local)
        owner.setMath(self._value(math) if kind == CONSTANT and self._worthwhile(math) else math)

    def _reduce(self, node: Any, local: Collection[str]) -> int:
        """Return what a formula is made of, and replace the constant parts of one that moves."""
        parts = [node.getChild(k) for k in range(node.getNumChildren())]
        if not parts:
            return NUMBER if node.isNumber() or node.isConstant() else self._kind(node.getName(), local)
        kinds = [self._reduce(part, local) for part in parts]
        if max(kinds) < MOVES and not node.isCSymbolFunction():
            return max(kinds)
        for k, (part, kind) in enumerate(zip(parts, kinds, strict=True)):
            if kind == CONSTANT and self._worthwhile(part):
                node.replaceChild(k, self._value(part), True)
        return MOVES

    def _kind(self, name: str, local: Collection[str]) -> int:
        """Return what a name stands for; the rule of one that moves is reduced when it is first met."""
        if name in local:
            return MOVES
        if name not in self.rules:
            return CONSTANT if name in self.constants else MOVES
        if name not in self.kinds:
            rule = self.rules[name]
            math = rule.getMath().deepCopy()
            kind = self._reduce(math, ())
            self.kinds[name] = kind if self.model.getParameter(name) else MOVES
            if self.kinds[name] == MOVES:
                rule.setMath(math)
        return self.kinds[name]

    def _worthwhile(self, node: Any) -> bool:
        """Return whether a constant formula is a number, and more than the name of a constant."""
        return not node.isBoolean() and (node.getNumChildren() > 0 or node.getName() in self.rules)

    def _value(self, node: Any) -> Any:
        """Return the name of the parameter that has the value of a constant formula."""
        import libsbml

        text = libsbml.formulaToL3String(node)
        if text not in self.found:
            value = f"{self.prefix}_{len(self.found)}"
            formula = text if text in self.rules else f"{value}_formula"
            if formula != text:
                self._parameter(formula)
                rule = self.model.createAssignmentRule()
                rule.setVariable(formula)
                rule.setMath(node)
            self._parameter(value)
            first = self.model.createInitialAssignment()
            first.setSymbol(value)
            first.setMath(libsbml.parseL3Formula(formula))
            self.found[text] = formula, value
        name = libsbml.ASTNode(libsbml.AST_NAME)
        name.setName(self.found[text][1])
        return name

    def _parameter(self, name: str) -> None:
        parameter = self.model.createParameter()
        parameter.setId(name)
        parameter.setConstant(False)
