"""What changed between two versions of a model, and what that does to its experiments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation import sbml
from metaflammation.errors import MetaflammationError
from metaflammation.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from metaflammation.model import Model
    from metaflammation.sbml import Element

    Facets = dict[str, str]
    Progress = Callable[[str], None]

WORD = re.compile(r"[A-Za-z_]\w*")

SMALLEST = 1e-6
"""Share of an observable's range below which a change is error of the solver."""


@dataclass(frozen=True)
class Change:
    """One thing that differs.

    Attributes
    ----------
    kind, id, name : str
        What it is about: ``species``, ``parameter``, ...; its id and display name in the second model, or in the first
        if it is gone.
    what : str
        ``added``, ``removed``, ``renamed``, or the property that changed: ``value``, ``unit``, ``rate law``, ...
    before, after : str
        How it was and is, as text.
    """

    kind: str
    id: str
    name: str
    what: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Effect:
    """The largest change of one observable over all experiments.

    Attributes
    ----------
    share : float
        The change as a share of the observable's range over the experiments of both models.
    experiment, time : str, float
        Where it is (min).
    before, after : float
        The two values there, in ``unit``.
    """

    observable: str
    name: str
    share: float
    experiment: str
    time: float
    before: float
    after: float
    unit: str


@dataclass(frozen=True)
class Difference:
    """All that differs between two models."""

    first: str
    second: str
    changes: tuple[Change, ...]
    effects: tuple[Effect, ...]
    not_compared: tuple[str, ...] = field(default=())

    def __bool__(self) -> bool:
        """Return whether anything differs."""
        return bool(self.changes or self.effects)


def compare(first: Model, second: Model, progress: Progress = lambda _: None) -> Difference:
    """Compare two models: what they state, and every experiment of the first.

    An element of another id counts as renamed if its display name, or everything else that is said of it, is the same;
    rate laws and rules that differ in such ids alone are equal.
    """
    renamed = renames(first, second)
    changes = tuple(_changes(first, second, renamed))
    effects, missing = _effects(first, second, renamed, progress)
    return Difference(first.id, second.id, changes, tuple(effects), tuple(missing))


def renames(first: Model, second: Model) -> dict[str, str]:
    """Return the new id of each element of the first model that has another one in the second."""
    gone = {i: e for i, e in first.elements.items() if i not in second.elements}
    new = {i: e for i, e in second.elements.items() if i not in first.elements}
    found: dict[str, str] = {}
    for fingerprint in (_by_name, _by_content):
        before, after = _unique(gone, fingerprint), _unique(new, fingerprint)
        matched = {before[f]: after[f] for f in before.keys() & after.keys() if f is not None}
        found |= matched
        gone = {i: e for i, e in gone.items() if i not in found}
        new = {i: e for i, e in new.items() if i not in found.values()}
    return found


def _by_name(element: Element) -> tuple[str, ...] | None:
    return (element.kind, element.name) if element.name and element.name != element.id else None


def _by_content(element: Element) -> tuple[Any, ...] | None:
    if not element.resources and not element.sbo:
        return None
    told = sorted(element.resources), element.sbo, element.compartment, element.unit.label, element.value
    return (element.kind, *map(str, told))


def _unique(elements: Mapping[str, Element], fingerprint: Callable[[Element], Any]) -> dict[Any, str]:
    found: dict[Any, list[str]] = {}
    for i, element in elements.items():
        found.setdefault(fingerprint(element), []).append(i)
    return {f: ids[0] for f, ids in found.items() if len(ids) == 1}


def _changes(first: Model, second: Model, renamed: Mapping[str, str]) -> Iterator[Change]:
    before, after = _contents(first, renamed), _contents(second, {})
    for key in [*before, *(k for k in after if k not in before)]:
        kind, identifier = key
        old, new = before.get(key), after.get(key)
        name = (new or old or {}).get("name", "")
        if old is None:
            yield Change(kind, identifier, name, "added", after=_summary(new or {}))
            continue
        if new is None:
            yield Change(kind, identifier, name, "removed", before=_summary(old))
            continue
        was = next((a for a, b in renamed.items() if b == identifier), None)
        if was:
            yield Change(kind, identifier, name, "renamed", was, identifier)
        for facet in [*old, *(f for f in new if f not in old)]:
            if old.get(facet, "") != new.get(facet, ""):
                shown = [
                    f"{f.get(facet, '')} {f.get('unit', '') if facet == 'value' else ''}".strip() for f in (old, new)
                ]
                yield Change(kind, identifier, name, facet, *shown)


def _shown(facets: Facets, facet: str) -> str:
    unit = facets.get("unit", "") if facet == "value" else ""
    return f"{facets.get(facet, '')} {unit}".strip()


def _summary(facets: Facets) -> str:
    shown = [_shown(facets, f) for f in ("reaction", "rate law", "rule", "value") if f in facets]
    return ", ".join(s for s in shown if s)


def _contents(model: Model, renamed: Mapping[str, str]) -> dict[tuple[str, str], Facets]:
    """Return what a document says, by kind and id, with the new ids of what was renamed."""
    parsed = sbml.document(model.sbml, model.id)
    stated = parsed.getModel()

    def new(name: str) -> str:
        return renamed.get(name, name)

    def formula(element: Any) -> str:
        import libsbml

        if element is None or not element.isSetMath():
            return ""
        return WORD.sub(lambda word: new(word[0]), libsbml.formulaToL3String(element.getMath()))

    found = {(e.kind, new(e.id)): _facets(e, new) for e in model.elements.values()}
    for r in stated.getListOfReactions():
        found["reaction", new(r.getId())] |= {
            "reaction": _scheme(r, new),
            "modifiers": ", ".join(sorted(new(m.getSpecies()) for m in r.getListOfModifiers())),
            "rate law": formula(r.getKineticLaw()),
        }
    for rule in stated.getListOfRules():
        label = "rate of change" if rule.isRate() else "rule"
        owner = next((k for k in found if k[1] == new(rule.getVariable())), ("rule", "algebraic"))
        found.setdefault(owner, {})[label] = formula(rule)
    for assignment in stated.getListOfInitialAssignments():
        owner = next(k for k in found if k[1] == new(assignment.getSymbol()))
        found[owner]["initial value"] = formula(assignment)
    for function in stated.getListOfFunctionDefinitions():
        found["function", function.getId()] = {"name": function.getName(), "rule": formula(function)}
    for event in stated.getListOfEvents():
        actions = [f"{new(a.getVariable())} = {formula(a)}" for a in event.getListOfEventAssignments()]
        found["event", event.getId()] = {
            "name": event.getName(),
            "trigger": formula(event.getTrigger()),
            "rule": "; ".join(sorted(actions)),
        }
    return found


def _facets(element: Element, new: Callable[[str], str]) -> Facets:
    facets = {"name": element.name}
    if element.value is not None:
        facets["value"] = f"{element.value:.12g}"
    if element.kind != "reaction":
        facets["unit"] = element.unit.label
    return facets | {
        "compartment": new(element.compartment),
        "SBO term": element.sbo,
        "annotations": ", ".join(sorted(f"{qualifier} {uri}" for qualifier, uri in element.resources)),
    }


def _scheme(reaction: Any, new: Callable[[str], str]) -> str:
    def side(references: Any) -> str:
        parts = []
        for r in references:
            number = r.getStoichiometry()
            parts.append(new(r.getSpecies()) if number == 1 else f"{number:g} {new(r.getSpecies())}")
        return " + ".join(sorted(parts))

    arrow = "<->" if reaction.getReversible() else "->"
    return f"{side(reaction.getListOfReactants())} {arrow} {side(reaction.getListOfProducts())}".strip()


def _effects(
    first: Model, second: Model, renamed: Mapping[str, str], progress: Progress
) -> tuple[list[Effect], list[str]]:
    """Return the largest change of each observable, largest first, and the experiments that could not be compared."""
    protocols = second.experiments or first.experiments
    missing = [f"experiment {e} is gone" for e in first.experiments if e not in protocols]
    missing += [f"experiment {e} is new" for e in protocols if e not in first.experiments]
    # Both at the times at which either was measured: between output points there is only interpolation.
    times: dict[str, set[float]] = {}
    for model in (first, second):
        for name, measured in model.runs().times.items():
            times[name] = times.get(name, set()) | set(measured)
    here = Runs(first.engine(), first.elements, first.experiments, first.conditions, times=times)
    conditions = second.conditions if second.experiments else first.conditions
    there = Runs(second.engine(), second.elements, protocols, conditions, times=times)
    pairs = []
    for experiment in first.experiments.values():
        if experiment.id not in protocols:
            continue
        for arm in experiment.arms:
            progress(arm)
            try:
                pairs.append((arm, here.arm(arm).data, there.arm(arm).data))
            except (MetaflammationError, KeyError) as error:
                missing.append(f"{arm} cannot be compared: {error}")
    common = [c for c in here.engine.columns if renamed.get(c, c) in there.engine.columns]
    found = [_effect(first, second, column, renamed.get(column, column), pairs) for column in common] if pairs else []
    return sorted((e for e in found if e.share > SMALLEST), key=lambda e: -e.share), missing


def _effect(first: Model, second: Model, column: str, other: str, pairs: list[tuple[str, Any, Any]]) -> Effect:
    """Return the largest change of one observable, the second model's unit converted to the first's."""
    here, there = first.elements[column], second.elements[other]
    factor = there.unit.factor / here.unit.factor if there.unit.dimension == here.unit.dimension else 1.0
    best = (0.0, "", 0.0, 0.0, 0.0)
    low, high = np.inf, -np.inf
    for arm, before, after in pairs:
        theirs = np.interp(before.index, after.index, after[other] * factor)
        ours = before[column].to_numpy()
        low, high = min(low, ours.min(), theirs.min()), max(high, ours.max(), theirs.max())
        k = int(np.argmax(np.abs(theirs - ours)))
        if abs(theirs[k] - ours[k]) > best[0]:
            best = (abs(theirs[k] - ours[k]), arm, float(before.index[k]), float(ours[k]), float(theirs[k]))
    span = max(high - low, SMALLEST * max(abs(low), abs(high)))
    share = float(best[0] / span) if span > 0 else 0.0
    return Effect(other, there.name or other, share, *best[1:], here.unit.label)
