"""What changed between two versions of a model, and what that does to its experiments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation import sbml
from metaflammation.diff_attributes import attributes, constraints, document
from metaflammation.diff_validation import validation
from metaflammation.errors import MetaflammationError
from metaflammation.runs import Runs
from metaflammation.simulate import Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from metaflammation.model import Model
    from metaflammation.records import Experiment
    from metaflammation.sbml import Element

    Facets = dict[str, str]
    Protocols = tuple[Mapping[str, Experiment], Mapping[str, Mapping[str, float]]]
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
    """All that differs between two models; ``compared`` runs of experiments were held against each other."""

    first: str
    second: str
    changes: tuple[Change, ...]
    effects: tuple[Effect, ...]
    not_compared: tuple[str, ...] = ()
    compared: int = 0

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
    effects, missing, compared = _effects(first, second, renamed, progress)
    return Difference(first.id, second.id, changes, tuple(effects), tuple(missing), compared)


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
    # Ids of the first model are told by what they are called in the second.
    before, after = _contents(first, renamed), _contents(second, {})
    if first.experiments and second.experiments:
        before |= validation(first, lambda name: renamed.get(name, name))
        after |= validation(second, lambda name: name)
    for key in [*before, *(k for k in after if k not in before)]:
        kind, identifier = key
        old, new = before.get(key), after.get(key)
        name = (new or old or {}).get("name", "")
        if old is None:
            yield Change(kind, identifier, name, "added", after=_summary(kind, new or {}))
            continue
        if new is None:
            yield Change(kind, identifier, name, "removed", before=_summary(kind, old))
            continue
        was = next((a for a, b in renamed.items() if b == identifier), None)
        if was:
            yield Change(kind, identifier, name, "renamed", was, identifier)
        for facet in [*old, *(f for f in new if f not in old)]:
            if old.get(facet, "") != new.get(facet, ""):
                yield Change(kind, identifier, name, facet, _shown(old, facet), _shown(new, facet))


def _shown(facets: Facets, facet: str) -> str:
    unit = facets.get("unit", "") if facet == "value" else ""
    return f"{facets.get(facet, '')} {unit}".strip()


def _summary(kind: str, facets: Facets) -> str:
    if kind == "condition":
        return ", ".join(f"{target} {value}" for target, value in facets.items())
    told = ("reaction", "rate law", "rule", "value", "title", "statement")
    shown = [_shown(facets, f) for f in told if f in facets]
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
        } | _local_parameters(r)

    def owner(name: str, number: int) -> tuple[str, str]:
        """Return the element that a rule is about; what has no element of ours goes by its id or number."""
        other = ("rule", new(name) or f"algebraic {number}")
        return next((k for k in found if k[1] == new(name)), other)

    for number, rule in enumerate(stated.getListOfRules(), start=1):
        label = "rate of change" if rule.isRate() else "rule"
        found.setdefault(owner(rule.getVariable(), number), {})[label] = formula(rule)
    for number, assignment in enumerate(stated.getListOfInitialAssignments(), start=1):
        found.setdefault(owner(assignment.getSymbol(), number), {})["initial value"] = formula(assignment)
    for species in stated.getListOfSpecies():
        found["species", new(species.getId())] |= {
            "boundary condition": _yes(species.getBoundaryCondition()),
            "only amounts": _yes(species.getHasOnlySubstanceUnits()),
        }
    found |= _functions_and_events(stated, new, formula)
    for key, facets in attributes(model.sbml, new):
        found.setdefault(key, {}).update(facets)
    found.update(constraints(stated, formula))
    found["document", ""] = document(model.sbml, model.id)
    return found


def _functions_and_events(
    stated: Any, new: Callable[[str], str], formula: Callable[[Any], str]
) -> dict[tuple[str, str], Facets]:
    found: dict[tuple[str, str], Facets] = {}
    for function in stated.getListOfFunctionDefinitions():
        found["function", function.getId()] = {"name": function.getName(), "rule": formula(function)}
    for event in stated.getListOfEvents():
        actions = [f"{new(a.getVariable())} = {formula(a)}" for a in event.getListOfEventAssignments()]
        found["event", event.getId()] = {
            "name": event.getName(),
            "trigger": formula(event.getTrigger()),
            "delay": formula(event.getDelay()),
            "priority": formula(event.getPriority()),
            "rule": "; ".join(sorted(actions)),
        }
    return found


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _local_parameters(reaction: Any) -> Facets:
    law = reaction.getKineticLaw()
    if law is None:
        return {}
    own = [*law.getListOfParameters(), *law.getListOfLocalParameters()]
    return {f"its parameter {p.getId()}": f"{p.getValue():.12g} {p.getUnits()}".strip() for p in own}


def _facets(element: Element, new: Callable[[str], str]) -> Facets:
    facets = {"name": element.name}
    if element.value is not None:
        facets["value"] = f"{element.value:.12g}"
    if element.kind != "reaction":
        facets |= {"unit": element.unit.label, "constant": _yes(element.constant)}
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
) -> tuple[list[Effect], list[str], int]:
    """Return the largest change of each observable, largest first, what could not be compared, and how many were."""
    ours, theirs = _protocols(first, second, {b: a for a, b in renamed.items()}), _protocols(second, first, renamed)
    missing = [f"experiment {e} is gone" for e in ours[0] if e not in theirs[0]]
    missing += [f"experiment {e} is new" for e in theirs[0] if e not in ours[0]]
    shared = [e for e in ours[0] if e in theirs[0]]
    # Both at the output times of both: between output points there is only interpolation.
    times = {e: _times(first, ours, e) | _times(second, theirs, e) for e in shared}
    for experiment, found_times in times.items():
        end = min(ours[0][experiment].duration, theirs[0][experiment].duration)
        times[experiment] = {t for t in found_times if t <= end}
    here = Runs(first.engine(), first.elements, *ours, times=times)
    there = Runs(second.engine(), second.elements, *theirs, times=times)
    pairs = []
    for arm in (arm for e in shared for arm in ours[0][e].arms):
        progress(arm)
        try:
            pairs.append((arm, here.arm(arm).data, there.arm(arm).data))
        except MetaflammationError as error:
            missing.append(f"{arm} cannot be compared: {error}")
    common = [c for c in here.engine.columns if renamed.get(c, c) in there.engine.columns]
    found = [_effect(first, second, column, renamed.get(column, column), pairs) for column in common] if pairs else []
    return sorted((e for e in found if e.share > SMALLEST), key=lambda e: -e.share), missing, len(pairs)


def _times(model: Model, protocols: Protocols, experiment: str) -> set[float]:
    """Return the output and measured times of an experiment."""
    experiments, conditions = protocols
    named = experiments[experiment]
    protocol = Protocol.of(named, conditions, named.doses.values[0] if named.doses else None)
    return {*protocol.plan({}).times, *model.runs().times.get(experiment, ())}


def _protocols(model: Model, other: Model, renamed: Mapping[str, str]) -> Protocols:
    """Return the experiments and conditions of a model, or those of the other one under this model's ids."""
    if model.experiments:
        return model.experiments, model.conditions
    experiments = {}
    for name, experiment in other.experiments.items():
        doses = experiment.doses
        if doses:
            doses = doses.model_copy(update={"target": renamed.get(doses.target, doses.target)})
        experiments[name] = experiment.model_copy(update={"doses": doses})
    conditions = {
        name: {renamed.get(target, target): value for target, value in changes.items()}
        for name, changes in other.conditions.items()
    }
    return experiments, conditions


def _effect(first: Model, second: Model, column: str, other: str, pairs: list[tuple[str, Any, Any]]) -> Effect:
    """Return the largest change of one observable, the second model's unit converted to the first's."""
    here, there = first.elements[column], second.elements[other]
    factor = there.unit.factor / here.unit.factor if there.unit.dimension == here.unit.dimension else 1.0
    best = (0.0, "", 0.0, 0.0, 0.0)
    low, high = np.inf, -np.inf
    for arm, before, after in pairs:
        common = before.index.intersection(after.index)
        ours, theirs = before.loc[common, column].to_numpy(), after.loc[common, other].to_numpy() * factor
        low, high = min(low, ours.min(), theirs.min()), max(high, ours.max(), theirs.max())
        k = int(np.argmax(np.abs(theirs - ours)))
        if abs(theirs[k] - ours[k]) > best[0]:
            best = (abs(theirs[k] - ours[k]), arm, float(common[k]), float(ours[k]), float(theirs[k]))
    span = max(high - low, SMALLEST * max(abs(low), abs(high)))
    share = float(best[0] / span) if span > 0 else 0.0
    return Effect(other, there.name or other, share, *best[1:], here.unit.label)
