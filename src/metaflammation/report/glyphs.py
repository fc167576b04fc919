"""The glyphs and arcs of a network map, as data: SBGN's words for what is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Node:
    """One glyph.

    Attributes
    ----------
    id : str
        SBML id of what it stands for.
    glyph : str
        ``macromolecule``, ``simple chemical``, ``complex``, ``nucleic acid feature``, ``unspecified entity``,
        ``biological activity`` (a variable that a rule computes), ``phenotype`` (one on which nothing rests),
        ``perturbing agent`` (a parameter that experiments set), ``process``, ``source and sink``,
        ``submap`` (a module) or ``tag`` (something of another module).
    label : str
        What is written in it.
    name : str
        Full name.
    states : tuple of str
        State variables, such as ``P@S473``.
    remark : str
        What else the name says of the state: a place, what is bound.
    module, compartment : str
        Names of the frames it stands in; empty outside.
    """

    id: str
    glyph: str
    label: str = ""
    name: str = ""
    states: tuple[str, ...] = ()
    remark: str = ""
    module: str = ""
    compartment: str = ""


@dataclass(frozen=True)
class Arc:
    """One arc.

    Its kind is ``consumption``, ``production``, ``catalysis``, ``stimulation``, ``inhibition``, ``modulation`` (with no
    one direction) or, in an overview, ``part``. ``links`` names the couplings of a composed model without which it
    would not be.
    """

    start: str
    end: str
    kind: str
    links: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Network:
    """What is drawn.

    Attributes
    ----------
    nodes, arcs : tuple
        Sorted as the model lists them.
    frames : dict
        Name of each module and compartment by its id.
    left_out : int
        Number of reactions that are not drawn: synthesis and degradation that nothing regulates.
    evidence : dict
        Evidence grade of each coupling.
    """

    title: str
    nodes: tuple[Node, ...]
    arcs: tuple[Arc, ...]
    frames: dict[str, str]
    left_out: int
    evidence: Mapping[str, str] = field(default_factory=dict)


def overview(net: Network) -> Network:
    """Return the modules of a composed model, with what acts from one on another, or on what they share."""
    nodes = {n.id: n for n in net.nodes}
    names = {n.module: net.frames[n.module] for n in net.nodes if n.module}
    modules = [Node(module, "submap", name, name) for module, name in names.items()]

    def whole(name: str) -> str:
        return nodes[name].module or name

    kept: dict[str, Node] = {}
    arcs: list[Arc] = []
    for arc in net.arcs:
        source, target = nodes[arc.start], whole(arc.end)
        if whole(arc.start) == target:
            continue
        kept[source.id] = replace(source, module="", compartment="")
        if not nodes[arc.end].module:
            kept[arc.end] = replace(nodes[arc.end], compartment="")
        if source.module:
            arcs.append(Arc(source.module, source.id, "part"))
        arcs.append(Arc(source.id, target, "stimulation" if arc.kind == "catalysis" else arc.kind, arc.links))
    links: dict[Arc, dict[str, None]] = {}
    for arc in arcs:
        links.setdefault(arc, {}).update(dict.fromkeys(arc.links))
    joined = tuple(replace(arc, links=tuple(found)) for arc, found in links.items())
    return Network(net.title, (*modules, *kept.values()), joined, net.frames, 0, net.evidence)


def tagged(net: Network) -> Network:
    """Return a network whose modules are joined by tags instead of arcs across the whole map."""
    nodes = {n.id: n for n in net.nodes}
    tags: dict[str, Node] = {}
    arcs = []
    for arc in net.arcs:
        source, target = nodes[arc.start], nodes[arc.end]
        if source.module == target.module:
            arcs.append(arc)
            continue
        name = f"{source.id}.tag.{target.module}"
        remark = ", ".join(r for r in (source.remark, source.module and f"from {source.module}") if r)
        tags[name] = replace(
            target, id=name, glyph="tag", label=source.label, name=source.name, states=source.states, remark=remark
        )
        arcs.append(replace(arc, start=name))
    return replace(net, nodes=(*net.nodes, *tags.values()), arcs=tuple(dict.fromkeys(arcs)))
