"""Rules on the network: what takes part in nothing, and what its reactions conserve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaflammation.lint.general import local_parameters
from metaflammation.lint.subject import Rule, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_SPECIES = 1500
"""Conserved sums of larger networks are not looked for: it would take minutes."""

OWN_RULES = frozenset({"arrays", "multi", "qual", "spatial"})
"""Packages with a mathematics of their own, in which what core SBML does not use may be in use."""


def named_in(math: Any) -> Iterator[str]:
    """Return the ids in a formula."""
    stack = [math] if math is not None else []
    while stack:
        node = stack.pop()
        if node.isName() or (node.isFunction() and node.getName()):
            yield node.getName()
        stack.extend(node.getChild(n) for n in range(node.getNumChildren()))


def _formulas(model: Any) -> Iterator[tuple[Any, frozenset[str]]]:
    """Return every formula, and the ids that mean something else in it."""
    for item in model.getListOfAllElements():
        if not hasattr(item, "getMath") or item.getPackageName() != "core" or item.getMath() is None:
            continue
        own: frozenset[str] = frozenset()
        if item.getElementName() == "functionDefinition":
            own = frozenset(item.getArgument(n).getName() for n in range(item.getNumArguments()))
        elif item.getElementName() == "kineticLaw":
            own = frozenset(p.getId() for p in local_parameters(item.getParentSBMLObject()))
        yield item.getMath(), own


def in_formulas(model: Any) -> set[str]:
    """Return the ids that stand in any formula."""
    return {name for math, own in _formulas(model) for name in named_in(math) if name not in own}


def _set(model: Any) -> set[str]:
    """Return what rules, events and initial assignments set."""
    return _set_later(model) | {a.getSymbol() for a in model.getListOfInitialAssignments()}


def _set_later(model: Any) -> set[str]:
    found = {r.getVariable() for r in model.getListOfRules() if not r.isAlgebraic()}
    return found | {a.getVariable() for e in model.getListOfEvents() for a in e.getListOfEventAssignments()}


def _factors(model: Any) -> set[str]:
    return {model.getConversionFactor(), *(s.getConversionFactor() for s in model.getListOfSpecies())}


def _taking_part(model: Any) -> set[str]:
    lists = ("Reactants", "Products", "Modifiers")
    return {
        s.getSpecies() for r in model.getListOfReactions() for name in lists for s in getattr(r, f"getListOf{name}")()
    }


def _mentioned(subject: Subject) -> Iterator[tuple[str, Any, set[str]]]:
    """Return each model with its prefix and what stands in its formulas or is set; none where a package has its say."""
    if OWN_RULES & set(subject.packages):
        return
    for prefix, model in subject.models:
        yield prefix, model, in_formulas(model) | _set(model) | subject.outline.mentioned


def orphans(subject: Subject) -> Iterator[tuple[str, bool]]:
    """Return every species, and whether it takes part in something."""
    for prefix, model, mentioned in _mentioned(subject):
        used = mentioned | _taking_part(model)
        for s in model.getListOfSpecies():
            yield f"{prefix}species {s.getId()}", s.getId() in used


def _read(subject: Subject) -> Iterator[tuple[str, bool]]:
    """Return every parameter, and whether something reads it, or sets it so that it can be read off."""
    for prefix, model, mentioned in _mentioned(subject):
        used = mentioned | _factors(model)
        for p in model.getListOfParameters():
            yield f"{prefix}parameter {p.getId()}", p.getId() in used
        for r in model.getListOfReactions():
            math = r.getKineticLaw().getMath() if r.isSetKineticLaw() else None
            named = set(named_in(math))
            for p in local_parameters(r):
                yield f"{prefix}parameter {p.getId()} of reaction {r.getId()}", p.getId() in named


def unused(subject: Subject) -> Iterator[tuple[str, bool]]:
    """Return every parameter, and whether it is read, here or in the module whose formula a composed model replaced."""
    found = list(_read(subject))
    replaced = set() if all(used for _, used in found) else _used_in_modules(subject)
    yield from ((element, used or element.split()[-1] in replaced) for element, used in found)


@dataclass(frozen=True)
class Moiety:
    """A sum of amounts that no reaction changes.

    Attributes
    ----------
    terms : tuple of (str, int)
        Species and how often each counts.
    total : float or None
        The sum at the start, in the unit of substance; None if the document does not give every amount as a number.
    """

    terms: tuple[tuple[str, int], ...]
    total: float | None

    def __str__(self) -> str:
        parts = [f"{'-' if n < 0 else '+'} {'' if abs(n) == 1 else f'{abs(n)} '}{s}" for s, n in self.terms]
        return " ".join(parts).removeprefix("+ ")


def moieties(subject: Subject) -> tuple[Moiety, ...]:
    """Return the conserved sums of the reactions, as an integer basis.

    Counted are species that only reactions change; what a reaction makes of those that rules or events set, or whose
    amount is held, is left out.
    """
    model = subject.document.getModel()
    others = _set_later(model)
    free = [s for s in model.getListOfSpecies() if _only_reactions_change(s, others)]
    ids = [s.getId() for s in free]
    columns = [_column(r) for r in model.getListOfReactions()]
    touched = [i for i in ids if any(i in (c or {}) for c in columns)]
    if not touched or len(touched) > MOST_SPECIES or any(c is None for c in columns):
        return ()
    rows = [[column.get(i, 0) for i in touched] for column in columns if column]
    started = _started(subject)
    sums = [tuple((i, n) for i, n in zip(touched, v, strict=True) if n) for v in _null_space(rows)]
    return tuple(Moiety(terms, _total(started.getModel(), terms)) for terms in sums)


def _only_reactions_change(species: Any, others: set[str]) -> bool:
    return not species.getConstant() and not species.getBoundaryCondition() and species.getId() not in others


def _column(reaction: Any) -> dict[str, Any] | None:
    """Return what a reaction does to each species; None if that is computed."""
    from fractions import Fraction

    column: dict[str, Any] = {}
    for sign, side in ((-1, reaction.getListOfReactants()), (1, reaction.getListOfProducts())):
        for reference in side:
            number = reference.getStoichiometry()
            computed = reference.isSetStoichiometryMath() or (
                reference.isSetIdAttribute() and not reference.getConstant()
            )
            if computed or number != number:  # noqa: PLR0124 - not a number
                return None
            exact = Fraction(number).limit_denominator(10**6) / max(reference.getDenominator(), 1)
            column[reference.getSpecies()] = column.get(reference.getSpecies(), 0) + sign * exact
    return column


def _null_space(rows: list[list[Any]]) -> list[list[int]]:
    """Return integer vectors that span what is orthogonal to the rows."""
    from math import gcd, lcm

    from sympy import QQ
    from sympy.polys.matrices import DomainMatrix

    exact = [[QQ(x.numerator, x.denominator) if x else QQ(0) for x in row] for row in rows]
    basis = DomainMatrix(exact, (len(rows), len(rows[0])), QQ).to_sparse().nullspace().to_Matrix().tolist()
    found = []
    for vector in basis:
        scale = lcm(*(int(x.q) for x in vector))
        numbers = [int(x * scale) for x in vector]
        common = gcd(*numbers) * (-1 if sum(n > 0 for n in numbers) < sum(n < 0 for n in numbers) else 1)
        found.append([n // common for n in numbers])
    return sorted(found, key=lambda v: (sum(1 for n in v if n), v))


def _total(model: Any, terms: tuple[tuple[str, int], ...]) -> float | None:
    total = 0.0
    for name, number in terms:
        species = model.getSpecies(name)
        amount = species.getInitialAmount()
        if species.isSetInitialConcentration():
            compartment = model.getCompartment(species.getCompartment())
            if compartment is None or not compartment.isSetSize():
                return None
            amount = species.getInitialConcentration() * compartment.getSize()
        elif not species.isSetInitialAmount():
            return None
        total += number * amount
    return total


def _started(subject: Subject) -> Any:
    """Return a copy of the document in which initial assignments are numbers, where libSBML can compute them."""
    import libsbml

    copy = subject.document.clone()
    properties = libsbml.ConversionProperties()
    properties.addOption("expandInitialAssignments", True)
    copy.convert(properties)
    return copy


def _orphans(subject: Subject) -> Iterator[tuple[str, str]]:
    yield from ((element, "takes part in no reaction, rule or event") for element, used in orphans(subject) if not used)


def _unused(subject: Subject) -> Iterator[tuple[str, str]]:
    yield from ((element, "stands in no formula") for element, used in unused(subject) if not used)


def _used_in_modules(subject: Subject) -> set[str]:
    """Return what stands in a formula of a module: the composed model replaced the formula, not the parameter."""
    from metaflammation.library import find

    if subject.files is None:
        return set()
    found = set()
    for prefix, module in subject.files.modules().items():
        own = type(subject)(module, find(module, subject.files.collection).sbml())
        found |= {f"{prefix}_{element.split()[-1]}" for element, used in _read(own) if used}
    return found


def _empty(subject: Subject) -> Iterator[tuple[str, str]]:
    for moiety in moieties(subject):
        if moiety.total == 0 and all(number > 0 for _, number in moiety.terms):
            yield f"species {', '.join(i for i, _ in moiety.terms)}", f"nothing of it is there, ever: {moiety} stays 0"


RULES = (
    Rule(
        "ORPHAN",
        "every species takes part in something",
        "A species without reaction, rule or event is a leftover, or a misspelt id elsewhere.",
        _orphans,
    ),
    Rule(
        "UNUSED",
        "every parameter is used",
        "A parameter that nothing reads suggests a formula that was meant to.",
        _unused,
    ),
    Rule(
        "MOIETY",
        "what reactions conserve is not empty",
        "If the sum of all forms of a molecule is zero at the start, it is zero for ever, and its reactions are dead.",
        _empty,
    ),
)
"""The rules, in the order in which they are checked."""
