"""Network maps: what is drawn, with which glyphs and arcs, and whether the committed pictures are of today's models."""

import re
import shutil

import pytest
from lxml import etree

import metaflammation as mf
from metaflammation import library
from metaflammation.errors import ExportError, ModelError
from metaflammation.report import maps
from metaflammation.report.glyphs import Arc, overview, tagged
from metaflammation.report.labels import reading
from metaflammation.report.network import network

ROOT = library.packaged().models
COMPOSED = [m for m in library.catalogue() if library.find(m).modules()]
DRAWN = [(m, "map") for m in library.catalogue()] + [(m, "overview") for m in COMPOSED]
needs_graphviz = pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz (the program dot) is not installed")

SMALL = """
model small()
  compartment cell = 1;
  species S in cell = 1, P in cell = 0, E in cell = 2, X in cell = 1, M in cell = 1;
  S is "substrate"; P is "substrate, phosphorylated on serine 12"; M is "message";
  S.sboTerm = SBO:0000252; P.sboTerm = SBO:0000252; E.sboTerm = SBO:0000252; M.sboTerm = SBO:0000250;
  k = 1; K = 1;
  gate := k/(K + X);
  phosphorylate: S => P; cell*gate*E*S;
  dephosphorylate: P => S; cell*k*P;
  make: => M; cell*k*P;
  lose: M => ; cell*k*M;
  phosphorylate.sboTerm = SBO:0000216; dephosphorylate.sboTerm = SBO:0000330;
  total := S + P;
  share := P/(S + P);
end
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "small.ant"
    path.write_text(SMALL)
    return network(mf.load(path))


def glyph(net, name):
    return next(n.glyph for n in net.nodes if n.id == name)


def test_glyphs_come_from_the_ontology_terms(small):
    assert glyph(small, "S") == "macromolecule"
    assert glyph(small, "M") == "nucleic acid feature"
    assert glyph(small, "phosphorylate") == "process"
    assert glyph(small, "X") == "unspecified entity"
    assert glyph(small, "share") == "phenotype"


def test_an_enzyme_catalyses_and_a_rule_that_is_not_drawn_passes_its_inhibition_on(small):
    assert {a for a in small.arcs if a.end == "phosphorylate"} == {
        Arc("S", "phosphorylate", "consumption"),
        Arc("E", "phosphorylate", "catalysis"),
        Arc("X", "phosphorylate", "inhibition"),
    }
    assert "gate" not in {n.id for n in small.nodes}


def test_sums_and_turnover_that_nothing_regulates_are_left_out(small):
    assert {"total", "lose"}.isdisjoint(n.id for n in small.nodes)
    assert small.left_out == 1
    assert Arc("P", "make", "stimulation") in small.arcs
    assert Arc("make.none", "make", "consumption") in small.arcs


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Akt, phosphorylated on threonine 308 and serine 473", ("Akt", ("P@T308", "P@S473"), "")),
        ("Akt, unphosphorylated", ("Akt", (), "")),
        ("PERK, phosphorylated, active", ("PERK", ("P",), "active")),
        ("insulin receptor, endosomal, dephosphorylated", ("insulin receptor", (), "endosomal, dephosphorylated")),
        ("insulin receptor, surface, tyrosine-phosphorylated", ("insulin receptor", ("P@Y",), "surface")),
    ],
)
def test_states_are_read_from_display_names(name, expected):
    assert reading(name) == expected


@pytest.mark.parametrize("model", library.catalogue())
def test_every_species_that_takes_part_is_drawn(model):
    loaded = mf.load(model)
    drawn = {n.id for n in network(loaded).nodes}
    assert {e.id for e in loaded.elements.values() if e.kind == "species" and not e.constant} - drawn == set()


@pytest.mark.parametrize("model", library.catalogue())
def test_every_arc_joins_glyphs_and_most_have_a_direction(model):
    net = network(mf.load(model))
    drawn = {n.id for n in net.nodes}
    assert all({a.start, a.end} <= drawn for a in net.arcs)
    assert sum(a.kind == "modulation" for a in net.arcs) < 0.1 * len(net.arcs)


def test_known_influences_have_their_directions():
    arcs = set(network(mf.load("hormone_axis")).arcs)
    assert Arc("GnRH", "LH", "stimulation") in arcs
    assert Arc("testosterone_free", "GnRH", "inhibition") in arcs
    assert Arc("FFA", "beta_cell_mass", "inhibition") in arcs


def test_modules_are_frames_and_the_overview_shows_what_links_them():
    net = network(mf.load("insulin_resistance"))
    assert {n.module for n in net.nodes} == {"cascade", "cytokines", ""}
    links = overview(net)
    assert {n.id for n in links.nodes if n.glyph == "submap"} == {"cascade", "cytokines"}
    assert Arc("cytokines_SOCS3", "cascade", "inhibition") in links.arcs
    assert Arc("JNK_a", "cascade", "stimulation") in links.arcs


def test_an_arc_of_the_overview_names_the_parameters_that_cut_it():
    net = overview(network(mf.load("insulin_resistance")))
    named = {(a.start, a.end): a.links for a in net.arcs if a.kind != "part"}
    assert named["cytokines_SOCS3", "cascade"] == ("w_SOCS3",)
    assert named["cytokines_SOCS3_hep", "cascade"] == ("w_SOCS3_hep",)
    assert named["cytokines_JNK_p", "JNK_a"] == ("w_JNK",)
    assert named["JNK_a", "cascade"] == ()
    assert set(net.evidence) == {name for found in named.values() for name in found}
    assert "[label=w_NFkB " in maps.source(net)


def test_modules_are_joined_by_tags_and_by_no_arc_across_the_map():
    net = network(mf.load("insulin_resistance"))
    split = tagged(net)
    modules = {n.id: n.module for n in split.nodes}
    assert all(modules[a.start] == modules[a.end] for a in split.arcs)
    assert len(split.arcs) == len(net.arcs)
    tag = next(n for n in split.nodes if n.id == "cytokines_SOCS3.tag.cascade")
    assert (tag.label, tag.remark, tag.module) == ("SOCS3", "adipocyte, from cytokines", "cascade")


def net_of(model, form):
    net = network(mf.load(model))
    return overview(net) if form == "overview" else net


@pytest.mark.parametrize(("model", "form"), DRAWN)
def test_committed_maps_show_the_models_as_they_are(model, form):
    net = net_of(model, form)
    svg = (ROOT / model / f"{model}_{form}.svg").read_bytes()
    png = (ROOT / model / f"{model}_{form}.png").read_bytes()
    assert f"<title>{maps.STAMP}_{maps.digest(net)}</title>" in svg.decode(), "run 'make maps'"
    assert f"{maps.STAMP}\0{maps.digest(net)}".encode() in png, "run 'make maps'"
    ids = {e.get("id") for e in etree.fromstring(svg).iter()}
    assert {n.id for n in net.nodes if n.glyph != "source and sink"} <= ids


@needs_graphviz
@pytest.mark.parametrize(("ending", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_map_is_written_by_its_ending(tmp_path, ending, start):
    path = tmp_path / f"map.{ending}"
    mf.load("insulin_cascade").map(path)
    assert path.read_bytes().startswith(start)
    with pytest.raises(ExportError, match="exists already"):
        mf.load("insulin_cascade").map(path)


@needs_graphviz
def test_drawing_a_map_twice_gives_the_same():
    net = network(mf.load("hormone_axis"))
    assert maps.render(net, "svg") == maps.render(net, "svg")


def test_a_map_with_another_ending_is_refused(tmp_path):
    with pytest.raises(ExportError, match=re.escape("use .svg, .png or .pdf")):
        mf.load("insulin_cascade").map(tmp_path / "map.gif")


def test_a_model_without_modules_has_no_overview():
    with pytest.raises(ModelError, match="not composed"):
        mf.load("insulin_cascade").map(overview=True)


def test_without_graphviz_the_error_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(mf.MetaflammationError, match="apt install graphviz"):
        mf.load("insulin_cascade").map(tmp_path / "map.svg")
