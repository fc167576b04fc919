"""Directives for the documentation: tables that are generated from the data of the catalogue.

``{facts} claims`` and ``{facts} robust-claims`` are about all models, ``{facts} NAME MODEL`` is about one. What a table
holds stands in :mod:`metaflammation.report.facts`.
"""

from pathlib import Path

from docutils import nodes
from pybtex.plugin import register_plugin
from pybtex.style.formatting.alpha import Style as Alphabetical
from pybtex.style.labels import BaseLabelStyle
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

import metaflammation
from metaflammation import library
from metaflammation.ensembles import committed
from metaflammation.ensembles.robustness import outdated
from metaflammation.report import facts


def pictures(files: library.ModelFiles) -> str:
    """Return the committed maps of a model: of a composed one also the overview."""
    names = {f"{files.id}_overview.svg": "modules and couplings", f"{files.id}_map.svg": "what acts on what"}
    folder = files.collection.models / files.id
    found = {name: text for name, text in names.items() if (folder / name).is_file()}
    # With a width Sphinx links the picture to its file, where it can be enlarged.
    return "A picture opens in its own size when you click it.\n\n" + "\n".join(
        f"```{{image}} /models/{files.id}/{name}\n:alt: {files.id}, {text}\n:width: 100%\n```\n"
        for name, text in found.items()
    )


def robustness(files: library.ModelFiles) -> str:
    """Return the committed picture and table of the robustness of a model's expectations."""
    parts = [facts.robustness(files)]
    picture = f"docs/robustness/{files.id}.png"
    if (Path(__file__).parents[2] / picture).is_file():
        parts.insert(0, f"```{{image}} /{picture}\n:alt: {files.id}, share of parameter sets\n:width: 100%\n```\n")
    model = metaflammation.load(files.id)
    if any(outdated(model, about) for about in committed.read(files)[1].values()):
        parts.insert(0, "The model, its experiments or expectations have changed since this was made.\n")
    return "\n".join(parts)


OF_ALL = {"claims": facts.claims, "robust-claims": facts.robust_claims}
OF_ONE = {
    "article": lambda m: facts.expectations(m, "article"),
    "data": lambda m: facts.expectations(m, "data"),
    "laws": lambda m: facts.expectations(m, "law"),
    "evidence": facts.evidence,
    "experiments": facts.experiments,
    "known-failures": facts.known_failures,
    "map": pictures,
    "parameters": facts.parameters,
    "robustness": robustness,
    "shown": facts.shown,
}


class Keys(BaseLabelStyle):
    """Labels that are the keys of the bibliography, as the tables of the models name sources."""

    def format_labels(self, sorted_entries):
        return (entry.key for entry in sorted_entries)


class ByKey(Alphabetical):
    """Sorted by author, labelled by key."""

    default_label_style = Keys


class Facts(SphinxDirective):
    """A generated table."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        name, *model = self.arguments
        try:
            text = OF_ONE[name](library.find(model[0])) if model else OF_ALL[name]()
        except KeyError:
            raise self.error(f"there is no table of facts named {name!r}") from None
        box = nodes.container(classes=["facts", f"facts-{name}"])
        box += self.parse_text_to_nodes(text or "Nothing so far.")
        return [box]


def public_names_are_documented(_app, env) -> None:
    """Fail the build if a public name is missing from the API reference."""
    documented = {name for name, *_ in env.get_domain("py").get_objects()}
    missing = [n for n in metaflammation.__all__ if n != "__version__" and f"metaflammation.{n}" not in documented]
    if missing:
        raise ExtensionError(f"docs/api.md does not document {', '.join(missing)}")


def no_addresses(_app, _context, lines) -> None:
    """Keep a revision of a model, in the text of a command, from being read as an address to write to."""
    lines[:] = [line.replace("MODEL@REVISION", "``MODEL@REVISION``") for line in lines]


def setup(app) -> dict:
    app.add_directive("facts", Facts)
    register_plugin("pybtex.style.formatting", "keys", ByKey)
    app.connect("env-check-consistency", public_names_are_documented)
    app.setup_extension("sphinx_click")
    app.connect("sphinx-click-process-description", no_addresses)
    return {"parallel_read_safe": True}
