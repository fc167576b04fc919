"""Network maps: laid out and drawn by Graphviz."""

from __future__ import annotations

import hashlib
import io
import textwrap
from contextlib import contextmanager
from html import escape
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from metaflammation import files
from metaflammation.errors import ExportError, MetaflammationError, missing
from metaflammation.report.glyphs import tagged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import graphviz

    from metaflammation.report.glyphs import Network, Node

FORMATS = ("svg", "png", "pdf")
FONT = "DejaVu Sans"
STAMP = "metaflammation_map"
"""What a drawn map carries beside its digest: in the title of an SVG, as a text in a PNG."""

LOOKS = {
    "macromolecule": {"shape": "box", "style": "rounded,filled", "fillcolor": "#dcebf7"},
    "simple chemical": {"shape": "ellipse", "style": "filled", "fillcolor": "#fdf0d5"},
    "complex": {"shape": "octagon", "style": "filled", "fillcolor": "#dff2e8"},
    "nucleic acid feature": {"shape": "box", "style": "filled", "fillcolor": "#f5e3ee"},
    "unspecified entity": {"shape": "ellipse", "style": "filled", "fillcolor": "#eeeeee"},
    "biological activity": {"shape": "box", "style": "filled", "fillcolor": "#ffffff"},
    "phenotype": {"shape": "hexagon", "style": "filled", "fillcolor": "#ffffff"},
    "submap": {"shape": "box", "style": "filled,bold", "fillcolor": "#f7f9fb", "fontsize": "13", "margin": "0.3,0.2"},
    "tag": {"shape": "cds", "style": "filled", "fillcolor": "#ffffff", "margin": "0.12,0.08"},
    "perturbing agent": {
        "shape": "polygon",
        "sides": "4",
        "skew": "0.25",
        "margin": "0",
        "style": "filled",
        "fillcolor": "#f3f3f3",
    },
}
"""Shapes of Graphviz for the glyphs of SBGN; colours only repeat what the shape says."""

ARROWS = {
    "consumption": {"arrowhead": "none"},
    "production": {"arrowhead": "normal"},
    "catalysis": {"arrowhead": "odot", "color": "#0072B2"},
    "stimulation": {"arrowhead": "onormal", "color": "#0072B2"},
    "inhibition": {"arrowhead": "tee", "color": "#D55E00"},
    "part": {"arrowhead": "none", "style": "dashed"},
    "modulation": {"arrowhead": "odiamond", "color": "#777777"},
}


def draw(net: Network, path: Path, *, overwrite: bool = False) -> None:
    """Write a map; the ending of the path says in which form (SVG, PNG or PDF).

    Raises
    ------
    ExportError
        If the ending is another one, or the file cannot be written.
    MetaflammationError
        If Graphviz is not installed.
    """
    form = path.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise ExportError(f"{path}: a map cannot be written with the ending {path.suffix!r}; use .svg, .png or .pdf")
    files.check_free(path, overwrite=overwrite)
    files.write_bytes(path, render(net, form), overwrite=overwrite)


def render(net: Network, form: str) -> bytes:
    """Return the picture of a network.

    Raises
    ------
    MetaflammationError
        If Graphviz is not installed.
    """
    drawing = figure(net)
    from graphviz import ExecutableNotFound

    try:
        picture: bytes = drawing.pipe(format=form)
    except ExecutableNotFound:
        raise MetaflammationError(
            "the program dot of Graphviz is not installed; get it from your system (Debian: apt install graphviz)"
        ) from None
    return _stamped(picture, digest(net)) if form == "png" else picture


def _stamped(picture: bytes, text: str) -> bytes:
    """Return a PNG in few colours, a third of the size, that says which map it shows."""
    from PIL import Image, PngImagePlugin

    about, written = PngImagePlugin.PngInfo(), io.BytesIO()
    about.add_text(STAMP, text)
    with Image.open(io.BytesIO(picture)) as image:
        flat = Image.new("RGB", image.size, "white")
        flat.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
        flat.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            written, "png", optimize=True, pnginfo=about
        )
    return written.getvalue()


def figure(net: Network) -> graphviz.Source:
    """Return the map for a notebook, which shows it."""
    try:
        import graphviz
    except ImportError:
        raise missing("graphviz") from None
    return graphviz.Source(source(net))


def digest(net: Network) -> str:
    """Return what a committed map carries to tell whether it shows the model as it is now."""
    return hashlib.sha256(source(net, stamp=False).encode()).hexdigest()[:16]


def source(net: Network, *, stamp: bool = True) -> str:
    """Return the network in the language of Graphviz."""
    import graphviz

    graph = graphviz.Digraph(f"{STAMP}_{digest(net)}" if stamp else STAMP)
    graph.attr(
        rankdir="TB", compound="true", newrank="true", nodesep="0.18", ranksep="0.3", fontname=FONT, fontsize="13",
        labelloc="t", label=_caption(net), bgcolor="white",
    )  # fmt: skip
    graph.attr("node", fontname=FONT, fontsize="10", margin="0.08,0.04", height="0.3", width="0.3", color="#444444")
    graph.attr("edge", arrowsize="0.6", color="#444444", penwidth="0.9")
    shown = tagged(net)
    for module, inside in _grouped(shown.nodes, "module"):
        look = {"label": net.frames[module], "fillcolor": "#f7f9fb", "color": "#8899aa"} if module else {}
        with _frame(graph, module, look) as frame:
            for place, nodes in _grouped(inside, "compartment"):
                look = {"label": net.frames[place], "fillcolor": "#fcfcfa", "color": "#b0a890"} if place else {}
                with _frame(frame, f"{module}_{place}", look) as inner:
                    for node in nodes:
                        _draw(inner, node)
    whole = any(n.glyph == "submap" for n in net.nodes)
    for arc in shown.arcs:
        near = {"weight": "8"} if arc.start.endswith(".none") or arc.end.endswith(".none") else {}
        if whole and arc.links:
            near |= {"label": "\n".join(_link(name, net) for name in arc.links), "fontsize": "8", "fontname": FONT}
        graph.edge(arc.start, arc.end, id=f"{arc.start}-{arc.kind}-{arc.end}", **ARROWS[arc.kind], **near)
    return str(graph.source)


def _link(name: str, net: Network) -> str:
    return name if net.evidence[name] == "assumed" else f"{name} ({net.evidence[name]})"


def _caption(net: Network) -> str:
    words = {
        "production": "filled arrow: production",
        "catalysis": "open circle: catalysis",
        "stimulation": "open arrow: stimulation",
        "inhibition": "bar: inhibition",
        "modulation": "diamond: effect without one direction",
        "part": "dashed: part of",
    }
    legend = "; ".join(text for kind, text in words.items() if any(a.kind == kind for a in net.arcs))
    if any(a.links for a in net.arcs) and any(n.glyph == "submap" for n in net.nodes):
        legend += "; on arcs: the parameter that cuts the link at 0, assumed unless it says otherwise"
    elif any(n.module for n in net.nodes):
        legend += "; flag: something of another module"
    note = f"{net.left_out} reactions of turnover that nothing regulates are not drawn" if net.left_out else ""
    below = "".join(f'<BR/><FONT POINT-SIZE="9">{line}</FONT>' for line in (legend, note) if line)
    return f"<<B>{escape(net.title)}</B>{below}>"


def _grouped(nodes: Iterable[Node], by: str) -> Iterator[tuple[str, Iterator[Node]]]:
    key = attrgetter(by)
    return groupby(sorted(nodes, key=key), key=key)


@contextmanager
def _frame(graph: Any, name: str, look: dict[str, str]) -> Iterator[Any]:
    """Give a frame within a graph; the graph itself for what stands in no frame."""
    if not look:
        yield graph
        return
    with graph.subgraph(name=f"cluster_{name}") as inner:
        inner.attr(fontname=FONT, fontsize="11", labeljust="l", fontcolor="#555555", style="rounded,filled", **look)
        yield inner


def _draw(graph: Any, node: Node) -> None:
    if node.glyph == "process":
        look = {"shape": "square", "width": "0.14", "height": "0.14", "style": "filled", "fillcolor": "white"}
        graph.node(node.id, "", id=node.id, tooltip=node.name, fixedsize="true", **look)
    elif node.glyph == "source and sink":
        look = {"shape": "plaintext", "fontsize": "9", "width": "0.15", "height": "0.15", "margin": "0"}
        graph.node(node.id, "∅", tooltip="source or sink", fixedsize="true", **look)
    else:
        graph.node(node.id, _label(node), id=node.id, tooltip=node.name, **LOOKS[node.glyph])


def _label(node: Node) -> str:
    remarks = [node.remark] if node.remark else []
    if node.glyph == "nucleic acid feature" and "RNA" not in node.label + node.remark:
        remarks.append("mRNA")
    rows = [_lines(node.label, 20)]
    if node.states:
        style = 'BORDER="1" STYLE="ROUNDED" BGCOLOR="white" CELLPADDING="1"'
        cells = "".join(f'<TD {style}><FONT POINT-SIZE="7.5">{escape(s)}</FONT></TD>' for s in node.states)
        rows.append(f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="1" CELLPADDING="0"><TR>{cells}</TR></TABLE>')
    if remarks:
        rows.append(f'<FONT POINT-SIZE="7.5">{_lines(", ".join(remarks), 26)}</FONT>')
    body = "".join(f"<TR><TD>{row}</TD></TR>" for row in rows)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="1" CELLPADDING="0">{body}</TABLE>>'


def _lines(text: str, width: int) -> str:
    return "<BR/>".join(escape(line) for line in textwrap.wrap(text, width, break_long_words=False))
