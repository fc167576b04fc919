"""COMBINE archives: a model with everything that goes with it, in one file that says what is in it."""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Any

from metaflammation import library, measurements
from metaflammation.exchange import copasi, petab, sedml
from metaflammation.exchange.derived import Derived

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metaflammation.exchange import Progress
    from metaflammation.model import Model

FORMATS = {
    ".sedml": "http://identifiers.org/combine.specifications/sed-ml.level-1.version-3",
    ".xml": "http://identifiers.org/combine.specifications/sbml.level-3.version-2",
    ".rdf": "http://identifiers.org/combine.specifications/omex-metadata",
    ".cps": "http://purl.org/NET/mediatypes/application/x-copasi",
    ".md": "http://purl.org/NET/mediatypes/text/markdown",
    ".yaml": "http://purl.org/NET/mediatypes/application/x-yaml",
    ".tsv": "http://purl.org/NET/mediatypes/text/tab-separated-values",
}
OMEX = "http://identifiers.org/combine.specifications/omex"
MANIFEST = "http://identifiers.org/combine.specifications/omex-manifest"
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""What a zip file can say of a time: none, so that the same model gives the same bytes."""


def archive(model: Model, progress: Progress = lambda _: None) -> bytes:
    """Return a COMBINE archive: SBML, SED-ML and COPASI files of every experiment, a README, and metadata.

    Every experiment counts as a master: what executes the archive runs all. The same model gives the same bytes.
    """
    experiments = [Derived(model, e) for e in model.experiments.values()]
    own, *others = copasi.documents(model, [None, *experiments], progress)
    contents: dict[str, str] = {f"{model.id}.xml": model.sbml, f"{model.id}.cps": own}
    if model.experiments:
        described = sedml.documents(model, experiments, progress)
        contents |= {f"experiments/{name}": content for name, content in described.items()}
    contents |= {f"experiments/{name}.cps": text for name, text in zip(model.experiments, others, strict=True)}
    if measurements.fitted(model):
        contents |= {f"petab/{name}": text for name, text in petab.tables(model).items()}
    contents["README.md"] = readme(model, contents)
    contents["metadata.rdf"] = metadata(model)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in {"manifest.xml": _manifest(contents), **contents}.items():
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, text.encode())
    return buffer.getvalue()


def readme(model: Model, names: Mapping[str, str]) -> str:
    """Return what a reader who unpacks the archive should know."""
    about = model.metadata
    collection = library.metadata(model.files.collection if model.files else None)
    lines = [f"# {about.title if about else model.id}", ""]
    if about:
        lines += [about.description.strip(), ""]
        lines += [f"Version {about.version}. {collection.licence} ({collection.licence_url}). Not for medical use.", ""]
    sets = ", with a parameter set for each condition" if model.conditions else ""
    lines += [
        f"- `{model.id}.xml`: the model, SBML Level 3 Version 2.",
        f"- `{model.id}.cps`: the same for COPASI{sets}.",
    ]
    if model.experiments:
        lines.append(
            "- `experiments/`: for each experiment SBML that starts equilibrated (later periods are events), a SED-ML "
            "time course of it, and a COPASI file that is ready to run. Of a series of doses SBML and COPASI file hold "
            "the highest, SED-ML all."
        )
    if any(name.startswith("petab/") for name in names):
        lines.append("- `petab/`: the estimation problem, in PEtab version 2.")
    lines += ["", *(f"  - `{e.id}`: {e.title}" for e in model.experiments.values())]
    return "\n".join(lines).rstrip() + "\n"


def _manifest(names: Mapping[str, str]) -> str:
    from lxml import etree

    root = etree.Element(f"{{{MANIFEST}}}omexManifest", nsmap={None: MANIFEST})
    entries = {".": OMEX, **{f"./{n}": FORMATS[n[n.rindex(".") :]] for n in names}}
    for location, form in entries.items():
        entry = etree.SubElement(root, f"{{{MANIFEST}}}content", location=location, format=form)
        if location.endswith(".sedml"):
            entry.set("master", "true")
    return _text(root)


SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "bqbiol": "http://biomodels.net/biology-qualifiers/",
    "bqmodel": "http://biomodels.net/model-qualifiers/",
}


def metadata(model: Model) -> str:
    """Return title, description, creators, licence, taxon, sources and dates as RDF."""
    from lxml import etree

    root = etree.Element(_tag("rdf:RDF"), nsmap=SPACES)
    subject = etree.SubElement(root, _tag("rdf:Description"))
    subject.set(_tag("rdf:about"), f"http://omex-library.org/{model.id}.omex")
    about = model.metadata
    _value(subject, "dc:title", about.title if about else model.id)
    if about is None or model.files is None:
        return _text(root)
    collection = library.metadata(model.files.collection)
    _value(subject, "dc:description", about.description.strip())
    for creator in collection.creators:
        _thing(subject, "dc:creator", creator)
    _thing(subject, "dc:license", collection.licence, f"https://identifiers.org/spdx:{collection.licence}")
    taxon = library.label(about.taxon, model.files.collection)
    _thing(subject, "bqbiol:hasTaxon", taxon, f"https://identifiers.org/{about.taxon}")
    for key in about.citations:
        doi = library.doi(key, model.files.collection)
        if doi:
            _thing(subject, "bqmodel:isDerivedFrom", key, f"https://identifiers.org/doi:{doi}")
    _value(subject, "dc:created", about.created.isoformat())
    _value(subject, "dc:modified", about.modified.isoformat())
    return _text(root)


def _value(parent: Any, name: str, text: str) -> None:
    from lxml import etree

    etree.SubElement(parent, _tag(name)).text = re.sub(r"\s+", " ", text)


def _thing(parent: Any, name: str, label: str, identifier: str | None = None) -> None:
    from lxml import etree

    node = etree.SubElement(etree.SubElement(parent, _tag(name)), _tag("rdf:Description"))
    if identifier:
        etree.SubElement(node, _tag("dc:identifier")).set(_tag("rdf:resource"), identifier)
    if name == "dc:creator":
        _value(node, "foaf:name", label)
    _value(node, "rdfs:label", label)


def _tag(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{SPACES[prefix]}}}{local}"


def _text(root: Any) -> str:
    from lxml import etree

    etree.indent(root, "  ")
    return str(etree.tostring(root, xml_declaration=True, encoding="UTF-8").decode())
