"""From a model to its network map: what is drawn, as which glyph, with which arcs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from metaflammation import sbml
from metaflammation.report.glyphs import Arc, Network, Node
from metaflammation.report.influences import Directions, Equations
from metaflammation.report.labels import ASIDE, reading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metaflammation.model import Model

GLYPHS = {
    "SBO:0000252": "macromolecule", "SBO:0000245": "macromolecule", "SBO:0000247": "simple chemical",
    "SBO:0000297": "complex", "SBO:0000253": "complex", "SBO:0000250": "nucleic acid feature",
    "SBO:0000278": "nucleic acid feature", "SBO:0000354": "nucleic acid feature",
}  # fmt: skip
"""Glyph of a species by its SBO term; one without a term here is an unspecified entity."""

IDENTITIES = {"uniprot": "macromolecule", "CHEBI": "simple chemical", "drugbank": "unspecified entity"}
"""Glyph of a variable that is no species, by a database that names what it is; in this order."""

ENZYMATIC = {"SBO:0000216", "SBO:0000330", "SBO:0000178", "SBO:0000656", "SBO:0000665", "SBO:0000182"}
"""Conversions that something catalyses: (de)phosphorylation, cleavage, (in)activation, conversion."""

LONGEST, LONGEST_ACTIVITY = 30, 48
"""Letters of the longest names of species and of variables that are written out; a longer one gives way to the id."""

ROLE = re.compile(r"[A-Za-z]_")
"""The prefix that says the role of a parameter: ``k_``, ``K_``, ``n_`` and the like."""

LINK = "w_"
"""Prefix of the strength of a link between modules: one, or zero where it is cut."""

SWITCH = ("f_", LINK, "s_")
"""Prefixes of shares and switches, which are no perturbations of their own."""


def network(model: Model) -> Network:
    """Return the network of a model.

    Rules are drawn as activities where they gather several influences and pass them on to several places; others are
    drawn through, and sums of species that nothing rests on are left out.
    """
    return _Reader(model).network()


class _Reader:
    """Reads the SBML of one model once."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._document = sbml.document(model.sbml, model.id)
        self._sbml = self._document.getModel()
        self._elements = model.elements
        self._modules = model.files.modules() if model.files else {}
        self._equations = Equations.of(self._sbml)
        self._species = [s.getId() for s in self._sbml.getListOfSpecies()]
        self._moving = self._equations.moving(self._species)
        own = self._model.files.own_parameters() if self._modules and self._model.files else {}
        self._links = {name: row.evidence for name, row in own.items() if name.startswith(LINK)}
        self._trial = Directions(self._equations, self._moving - set(self._equations.rules))

    def network(self) -> Network:
        """Return the network."""
        agents = self._agents()
        rules = self._drawn_rules(agents)
        drawn = [*self._species, *(r for r in self._equations.rates if r not in self._species), *rules]
        free = {*drawn, *agents}
        directions = Directions(self._equations, free)
        arcs: list[Arc] = []
        processes: list[Node] = []
        left_out = 0
        for reaction in self._sbml.getListOfReactions():
            nodes, found = self._reaction(reaction, free, directions)
            left_out += not nodes
            processes += nodes
            arcs += found
        formulas = self._equations.rates | {r: f for r, f in self._equations.rules.items() if r in drawn}
        for name, formula in formulas.items():
            arcs += [
                Arc(
                    source,
                    name,
                    _influence(directions.direction(formula, source)),
                    self._links_of(formula, source, free, directions),
                )
                for source in self._sources(formula, free)
                if source != name
            ]
        used = {a.start for a in arcs} | {a.end for a in arcs}
        entities = [self._node(i, used_by_others=any(a.start == i for a in arcs)) for i in drawn]
        perturbing = [replace(self._node(i), glyph="perturbing agent") for i in agents if i in used]
        nodes = _among_neighbours([*(n for n in entities if n.id in used), *perturbing, *processes], arcs)
        return Network(self._title(), tuple(nodes), tuple(dict.fromkeys(arcs)), self._frames(), left_out, self._links)

    def _title(self) -> str:
        return self._model.metadata.title if self._model.metadata else self._model.id

    def _frames(self) -> dict[str, str]:
        names = {c.getId(): c.getName() or c.getId() for c in self._sbml.getListOfCompartments()}
        titles = {prefix: self._module_title(prefix) for prefix in self._modules}
        twice = [t for t in titles.values() if list(titles.values()).count(t) > 1]
        return names | {p: f"{t} ({p.replace('_', ' ')})" if t in twice else t for p, t in titles.items()}

    def _module_title(self, prefix: str) -> str:
        from metaflammation import library

        assert self._model.files  # noqa: S101 - only a model of a collection has modules
        return library.find(self._modules[prefix], self._model.files.collection).metadata.title

    def _agents(self) -> list[str]:
        """Return the parameters that stand for what is done to the system: experiments set them."""
        files = self._model.files
        experiments = self._model.experiments.values() if files and files.has_validation("experiments.yaml") else ()
        used = [c for e in experiments for p in e.timeline for c in p.conditions]
        targets = dict.fromkeys(t for name in used for t in self._model.conditions.get(name, {}))
        targets |= dict.fromkeys(e.doses.target for e in experiments if e.doses)
        found = []
        for name in targets:
            element = self._elements.get(name)
            if element is None or element.kind != "parameter" or not element.constant or element.assigned:
                continue
            inner = name.removeprefix(f"{self._module(name)}_")
            if not inner.startswith(SWITCH) and (not element.value or not ROLE.match(inner)):
                found.append(name)
        return found

    def _drawn_rules(self, agents: list[str]) -> list[str]:
        """Return the rules that are drawn as activities: hubs, and results on which nothing rests."""
        eq = self._equations
        rules = [r for r in eq.rules if r in self._moving and r not in self._species]
        formulas = {**{r: eq.rules[r] for r in rules}, **eq.rates, **eq.laws}
        formulas |= {s: eq.rules[s] for s in self._species if s in eq.rules}
        inputs = {k: {w for w in eq.inputs(f) if w in self._moving or w in agents} for k, f in formulas.items()}
        outputs = {r: {k for k, found in inputs.items() if r in found} for r in rules}
        results = [r for r in rules if not outputs[r] and not self._is_sum(r)]
        open_rules = [r for r in rules if outputs[r]]
        while True:
            through = next((r for r in open_rules if min(len(inputs[r]), len(outputs[r])) == 1), None)
            if through is None:
                break
            open_rules.remove(through)
            for target in outputs[through]:
                inputs[target] = inputs[target] - {through} | inputs[through]
            for source in inputs[through]:
                if source in outputs:
                    outputs[source] = outputs[source] - {through} | outputs[through]
        wanted = {*open_rules, *results}
        return [r for r in rules if r in wanted]

    def _is_sum(self, rule: str) -> bool:
        """Return whether a rule only adds up species, or relates such a sum to a constant."""
        return self._trial.doubles(self._equations.rules[rule])

    def _sources(self, formula: str, free: set[str]) -> list[str]:
        """Return what is drawn and acts on a formula, through rules that are not drawn."""
        found: dict[str, None] = {}
        for word in self._equations.inputs(formula):
            if word in free:
                found[word] = None
            elif word in self._equations.rules:
                found |= dict.fromkeys(self._sources(self._equations.rules[word], free))
        return list(found)

    def _reaction(self, reaction: Any, free: set[str], directions: Directions) -> tuple[list[Node], list[Arc]]:
        """Return the process of a reaction with its arcs; nothing for turnover that nothing regulates."""
        name = reaction.getId()
        reactants = [r.getSpecies() for r in reaction.getListOfReactants()]
        products = [p.getSpecies() for p in reaction.getListOfProducts()]
        formula = self._equations.laws.get(name, "0")
        acting = [s for s in self._sources(formula, free) if s not in reactants]
        if not (reactants and products) and not acting:
            return [], []
        signs = {s: directions.direction(formula, s) for s in acting}
        reversible = reaction.getReversible() and reactants and products
        if reversible:
            acting = [s for s in acting if s not in products]
        element = self._elements[name]
        place = self._place([*reactants, *products], name)
        nodes = [Node(name, "process", name=element.name or name, module=place[0], compartment=place[1])]
        arcs = [Arc(r, name, "consumption") for r in reactants] + [Arc(name, p, "production") for p in products]
        if reversible:
            arcs += [Arc(name, r, "production") for r in reactants]
        if not reactants or not products:
            empty = f"{name}.none"
            nodes.append(Node(empty, "source and sink", module=place[0], compartment=place[1]))
            arcs.append(Arc(empty, name, "consumption") if not reactants else Arc(name, empty, "production"))
        catalysed = bool(reactants and products) and element.sbo in ENZYMATIC
        enzymes = set(self._equations.inputs(formula)) if catalysed else set()
        arcs += [
            Arc(
                s,
                name,
                self._modifier(s, signs[s], enzyme=s in enzymes),
                self._links_of(formula, s, free, directions),
            )
            for s in acting
        ]
        return nodes, arcs

    def _links_of(self, formula: str, source: str, free: set[str], directions: Directions) -> tuple[str, ...]:
        """Return the links between modules through which something acts on a formula."""
        if not self._links:
            return ()
        near = self._switches(formula, free)
        return tuple(w for w in self._links if w in near and directions.cut_by(w, formula, source))

    def _switches(self, formula: str, free: set[str]) -> set[str]:
        """Return the links in a formula and in the rules that are not drawn on which it rests."""
        words = set(self._equations.inputs(formula))
        hidden = (words & set(self._equations.rules)) - free
        return (words & set(self._links)).union(*(self._switches(self._equations.rules[r], free) for r in hidden))

    def _modifier(self, source: str, sign: int, *, enzyme: bool) -> str:
        if enzyme and sign > 0 and self._glyph(source) in {"macromolecule", "complex"}:
            return "catalysis"
        return _influence(sign)

    def _module(self, name: str) -> str:
        return max((p for p in self._modules if name.startswith(f"{p}_")), key=len, default="")

    def _place(self, names: Iterable[str], own: str) -> tuple[str, str]:
        compartments = {self._elements[n].compartment for n in names}
        modules = {self._module(n) for n in names}
        module = self._module(own) or (modules.pop() if len(modules) == 1 else "")
        return module, compartments.pop() if len(compartments) == 1 else ""

    def _glyph(self, name: str) -> str:
        element = self._elements[name]
        if element.kind == "species":
            return GLYPHS.get(element.sbo, "unspecified entity")
        if element.assigned:
            return "biological activity"
        named: dict[str, set[str]] = {q: set() for q, _ in element.resources}
        for qualifier, uri in element.resources:
            named[qualifier].add(uri.removeprefix("https://identifiers.org/").partition(":")[0])
        if "uniprot" in named.get("bqbiol:hasPart", set()):
            return "complex"
        identities = named.get("bqbiol:is", set()) | named.get("bqbiol:isVersionOf", set())
        for database, glyph in IDENTITIES.items():
            if database in identities:
                return glyph
        return "biological activity"

    def _node(self, name: str, *, used_by_others: bool = True) -> Node:
        element = self._elements[name]
        glyph = self._glyph(name)
        if glyph == "biological activity" and element.assigned and not used_by_others:
            glyph = "phenotype"
        module = self._module(name)
        short = name.removeprefix(f"{module}_").replace("_", " ")
        full = short if element.name in {"", name} else ASIDE.sub("", element.name).removeprefix(f"{module}: ")
        if element.kind != "species":
            return Node(name, glyph, full if len(full) <= LONGEST_ACTIVITY else short, full, module=module)
        main, states, remark = reading(full)
        if len(main) > LONGEST or len(remark) > LONGEST:
            main, states, remark = short, (), ""
        return Node(name, glyph, main, full, states, remark, module, element.compartment)


def _among_neighbours(nodes: list[Node], arcs: list[Arc]) -> list[Node]:
    """Put activities into the compartment of most of what they are connected with."""
    places = {n.id: (n.module, n.compartment) for n in nodes}
    placed = []
    for node in nodes:
        if node.glyph in {"biological activity", "phenotype"}:
            ends = [a.start if a.end == node.id else a.end for a in arcs if node.id in {a.start, a.end}]
            near = [places[e][1] for e in ends if places[e][1] and places[e][0] == node.module]
            node = replace(node, compartment=max(near, key=near.count, default=""))  # noqa: PLW2901
        placed.append(node)
    return placed


def _influence(sign: int) -> str:
    return {1: "stimulation", -1: "inhibition"}.get(sign, "modulation")
