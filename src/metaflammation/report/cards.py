"""The card of a model: a page in Markdown, beside the model, that says what it is and what it can be trusted with."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from metaflammation import library, sbml
from metaflammation.expectations import KNOWN
from metaflammation.report import facts
from metaflammation.report.facts import EXCEPT

if TYPE_CHECKING:
    from metaflammation.library import Collection, ModelFiles

NOTICE = "<!-- Written by `make cards` from the data of the model; do not edit. -->"
SHORT_NAMES = {"article": "the article's claims", "data": "measured data", "law": "laws (conservation, steady states)"}


def card(files: ModelFiles, release: str) -> str:
    """Return the card of a model; ``release`` names the software to cite, with its version."""
    parts = [
        f"{NOTICE}\n\n# {_heading(files)}\n\n**Research model. Not for medical use.**",
        files.metadata.description.strip(),
        _map(files),
        f"## In numbers\n\n{sizes([files])}",
        _shows(files),
        _does_not_show(files),
        _evidence(files),
        _open(files),
        _cite(files, release),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _heading(files: ModelFiles) -> str:
    """Return id and title; the title alone where it begins with the id."""
    title = files.metadata.title
    return title if title.casefold().startswith(f"{files.id}:") else f"{files.id}: {title}"


def sizes(models: list[ModelFiles], link: str = "") -> str:
    """Return one row a model: what it is and how large; ``link`` is the path to the folder of the models."""
    rows = []
    for files in models:
        elements = sbml.elements(files.sbml(), files.id).values()
        kinds = Counter(e.kind for e in elements)
        verdicts = Counter(map(facts.verdict, facts.expected(files)))
        rows.append(
            (
                f"[`{files.id}`]({link}/{files.id}/README.md)" if link else f"`{files.id}`",
                files.metadata.title,
                kinds["species"],
                kinds["reaction"],
                sum(e.kind == "parameter" and e.constant for e in elements),
                verdicts.total(),
                verdicts[KNOWN],
            )
        )
    columns = ["model", "what it is", "species", "reactions", "parameters", "expectations", EXCEPT]
    return facts.table(columns, rows)


def overview(collection: Collection | None = None) -> str:
    """Return the table of all models, with links to their cards."""
    return sizes([library.find(name, collection) for name in library.catalogue(collection)], "models")


def _map(files: ModelFiles) -> str:
    pictures = [
        (f"{files.id}_overview.svg", f"Overview of {files.id}: its modules and the couplings between them"),
        (f"{files.id}_map.svg", f"Map of {files.id}: what it holds, and what acts on what"),
    ]
    folder = files.collection.models / files.id
    found = [(name, text) for name, text in pictures if (folder / name).is_file()]
    if not found:
        return ""
    (first, text), *others = found
    # A map of several modules is too wide for a page of text.
    links = [f"To zoom into: [{text}]({name})." for name, text in others]
    return "\n\n".join([f"![{text}]({first})", *links])


def _shows(files: ModelFiles) -> str:
    found = facts.expected(files)
    if not found:
        return "## What it shows\n\nNothing is claimed yet: the model has no expectations."
    counts = [(SHORT_NAMES[k], Counter(map(facts.verdict, facts.of_kind(files, k)))) for k in SHORT_NAMES]
    rows = [(name, c.total(), c[KNOWN] or "") for name, c in counts if c]
    restating = sum(bool(e.rests_on_fit) for e in found)
    starred = (
        f" {restating} of them restate data to which parameters were fitted, and are counted apart."
        if restating
        else ""
    )
    return (
        "## What it shows\n\n"
        "Each claim is held by expectations: a number from a simulation that must lie in an interval, with a control "
        f"under which it must fail. `metaflammation check {files.id}` computes them all; it fails if one that should "
        f"hold does not, and also if a known failure holds.{starred}\n\n"
        f"{facts.table(['expectations about', 'how many', EXCEPT], rows)}\n"
        f"{facts.shown(files)}"
    )


def _does_not_show(files: ModelFiles) -> str:
    failures = facts.known_failures(files)
    text = "## What it does not show\n\n"
    text += f"{failures}\n" if failures else "No failure is known.\n\n"
    if files.has_validation("README.md"):
        text += (
            f"More in [where data and expectations come from](../../validation/{files.id}/README.md): data that were "
            "left out, evidence that disagrees, choices made while looking."
        )
    return text


def _evidence(files: ModelFiles) -> str:
    grades = facts.grades(files)
    share = grades["assumed"] / max(sum(grades.values()), 1)
    modules = Counter(files.modules().values())
    text = f"## Evidence\n\n{facts.evidence(files)}\n"
    text += (
        f"{100 * share:.0f} % of the parameters are *assumed*: neither a source nor a fit gives the value; the table "
        "says why it was chosen (values by definition and switches are among them). *Fitted* means estimated from data "
        "or targets, most with a prior; *measured* means taken from a source without a fit."
    )
    if modules:
        names = ", ".join(f"[`{m}`](../{m}/README.md){'' if n == 1 else f' ({n} times)'}" for m, n in modules.items())
        text += f" It is composed of {names}; evidence of their parameters stands there."
    return (
        f"{text}\n\nEach parameter: [`parameters.tsv`](parameters.tsv). Sources: [`references.bib`](../references.bib)."
    )


def _open(files: ModelFiles) -> str:
    named = next(iter(files.experiments()), None) if files.has_validation("experiments.yaml") else None
    experiment = f" --experiment {named}" if named else ""
    call = f'm.simulate("{named}")' if named else 'm.simulate(duration="1 d")'
    return (
        "## Open it\n\n"
        f"- [`{files.id}.xml`]({files.id}.xml): SBML Level 3 Version 2, for COPASI, Tellurium and other readers. "
        f"[`{files.id}.ant`]({files.id}.ant): the Antimony source.\n"
        f"- COPASI, ready to run: `metaflammation export {files.id} --to copasi{experiment}`\n"
        f'- Python: `import metaflammation as mf; m = mf.load("{files.id}"); {call}`\n'
        "- Other forms: [what to open where](../../docs/exchange.md)"
    )


def _cite(files: ModelFiles, release: str) -> str:
    entries = []
    for key in files.metadata.citations:
        doi = library.doi(key, files.collection)
        entries.append(f"[{key}](https://doi.org/{doi})" if doi else key)
    derived = f" and the publications it derives from: {', '.join(entries)}" if entries else ""
    about = library.metadata(files.collection)
    return (
        f"## Cite, licence\n\nVersion {files.metadata.version} of {files.metadata.modified}. Cite {release}{derived}. "
        f"If you use its measurements, cite their sources too.\n\n"
        f"Model and tables: [{about.licence}]({about.licence_url})."
    )
