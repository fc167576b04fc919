"""What the data of a collection state, as Markdown tables; nothing here simulates."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

from metaflammation import library
from metaflammation.ensembles import committed
from metaflammation.ensembles.robustness import wilson
from metaflammation.expectations import HOLDS, KNOWN
from metaflammation.report.tables import bounds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from metaflammation.library import Collection, ModelFiles
    from metaflammation.records import Expectation

GRADES = ("measured", "fitted", "assumed")
NONE_YET = "no expectation yet"
EXCEPT = "of these known failures"

NEARLY_ALL, HALF = 0.95, 0.5
"""Shares of parameter sets above and below which an expectation is counted by itself."""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *([cell(c) for c in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def cell(value: object) -> str:
    """Return a value as the text of a table cell."""
    return " ".join(str(value).split()).replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;").replace("~", "\\~")


def verdict(expectation: Expectation) -> str:
    """Return what ``metaflammation check`` demands of an expectation: that it holds, or that it fails as is known."""
    return KNOWN if expectation.known_failure else HOLDS


@cache
def expected(files: ModelFiles) -> tuple[Expectation, ...]:
    """Return the expectations of a model, read once; none for a model that has not been given any yet."""
    return tuple(files.expectations().values()) if files.has_validation("expectations.yaml") else ()


def of_kind(files: ModelFiles, kind: str) -> list[Expectation]:
    """Return the expectations of one kind: ``article``, ``data`` or ``law``."""
    return [e for e in expected(files) if e.kind == kind]


def claims(collection: Collection | None = None) -> str:
    """Return the table of the article's claims: in which model each is held by which expectations, with their verdicts.

    Expectations about measured data that name a claim stand in it too, in italics.
    """
    rows = []
    models = [library.find(name, collection) for name in library.catalogue(collection)]
    found = [(files.id, e) for files in models for e in expected(files)]
    for name, claim in library.claims(collection).items():
        held: list[tuple[str, Expectation | None]] = [(model, e) for model, e in found if e.claim == name]
        rows += [(name, claim, model, e) for model, e in held or [("", None)]]
    lines, last = [], ""
    for name, claim, model, expectation in rows:
        first = (f"**{name}**", cell(claim)) if name != last else ("", "")
        last = name
        lines.append((*first, *_claim_cells(model, expectation)))
    header = ["claim", "in our words", "model", "expectation", "interval", "verdict"]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *lines]) + "\n"


def _claim_cells(model: str, expectation: Expectation | None) -> tuple[str, str, str, str]:
    if expectation is None:
        return "", "", "", NONE_YET
    name = f"`{expectation.id}`" + (r" \*" if expectation.rests_on_fit else "")
    return f"`{model}`", f"*{name}*" if expectation.kind == "data" else name, bounds(expectation), verdict(expectation)


def expectations(files: ModelFiles, kind: str) -> str:
    """Return the expectations of one kind, with where each interval comes from and under what it must fail."""
    rows = [
        (
            e.citation or e.claim or "",
            f"{e.statement}{' (restates fitted data)' if e.rests_on_fit else ''}",
            bounds(e),
            verdict(e),
            e.interval_from,
            "; ".join(map(str, e.fails_when)),
        )
        for e in of_kind(files, kind)
    ]
    first = {"article": "claim", "data": "source", "law": ""}[kind]
    columns = [first, "what must be seen", "interval", "verdict", "where the interval comes from", "fails when"]
    return table(columns, rows)


def known_failures(files: ModelFiles) -> str:
    """Return what the model is known not to show, with the reason; empty if there is nothing."""
    rows = [
        (e.citation or e.claim or e.kind, e.statement, e.known_failure.reason, e.known_failure.evidence)
        for e in expected(files)
        if e.known_failure
    ]
    columns = ["claim or source", "what is not shown", "what the model does", "reason and evidence"]
    return table(columns, rows) if rows else ""


def shown(files: ModelFiles) -> str:
    """Return, for each claim that a model is held to, how many expectations it has and how many fail as is known."""
    texts = library.claims(files.collection)
    counts: dict[str, Counter[str]] = {}
    for expectation in expected(files):
        if expectation.claim:
            counts.setdefault(expectation.claim, Counter())[verdict(expectation)] += 1
    order = {name: n for n, name in enumerate(texts)}
    rows = [
        (name, texts.get(name, ""), counts[name].total(), counts[name][KNOWN] or "")
        for name in sorted(counts, key=lambda c: order.get(c, len(order)))
    ]
    return table(["claim", "in our words", "expectations", EXCEPT], rows)


def grades(files: ModelFiles) -> Counter[str]:
    """Return how many parameters have each evidence grade; those of modules count with their modules' grades."""
    return Counter(p.evidence for p in files.parameters().values())


def evidence(files: ModelFiles) -> str:
    """Return the evidence grades of a model's parameters; of a composed model also of what is its own."""
    own: Counter[str] = Counter(p.evidence for p in files.own_parameters().values())
    whole = grades(files)
    columns = ["parameters", *GRADES, "in all"]
    rows = [["of the model", *(whole[g] for g in GRADES), sum(whole.values())]]
    if files.modules():
        rows.append(["of these, its own (couplings)", *(own[g] for g in GRADES), sum(own.values())])
    return table(columns, rows)


def parameters(files: ModelFiles) -> str:
    """Return the evidence of each parameter that stands in the model's own table, with source, bounds and reason."""
    from metaflammation import sbml

    elements = sbml.elements(files.sbml(), files.id)
    rows = [
        (
            f"`{p.id}`",
            elements[p.id].name if p.id in elements else "",
            p.evidence,
            f"{p.source}, {p.place}" if p.source else "",
            f"{p.lower:g} to {p.upper:g}",
            p.reason or "",
        )
        for p in files.own_parameters().values()
    ]
    return table(["parameter", "name", "evidence", "source", "bounds", "why"], rows)


def experiments(files: ModelFiles) -> str:
    """Return the named experiments of a model."""
    found = files.experiments().values() if files.has_validation("experiments.yaml") else ()
    return table(["experiment", "what is done"], ((f"`{e.id}`", e.title) for e in found))


def robust_claims(collection: Collection | None = None) -> str:
    """Return, for each claim and model, in how many parameter sets the expectations that hold go on holding.

    Counted by the 95 % interval of each share among the sets that could be simulated; in one column the others are
    counted as sets in which it fails. A claim that no table speaks of has an empty row.
    """
    found = committed.of_claims(collection)
    columns = ["claim", "in our words", "model", "assumed parameters", "expectations that hold"]
    columns += ["in 95 % of sets or more", "if what was not simulated fails", "in less than half"]
    columns += ["the least robust", "not simulated, at most"]
    rows = []
    for name, claim in library.claims(collection).items():
        told = [f"**{name}**", cell(claim)]
        for (model, spread), shares in found[found["claim"] == name].groupby(["model", "spread"], sort=False):
            rows.append([*told, f"`{model}`", *_robust_cells(shares, str(spread))])
            told = ["", ""]
        if told[0]:
            rows.append([*told, *(len(columns) - 2) * [""]])
    return "\n".join(f"| {' | '.join(row)} |" for row in [columns, ["---"] * len(columns), *rows]) + "\n"


def _robust_cells(shares: pd.DataFrame, spread: str) -> list[str]:
    least = shares.loc[shares["share"].idxmin()]
    asked = shares["sets"] + shares["failed"]
    failed = (shares["failed"] / asked).max()
    at_least = [wilson(held, sets)[0] for held, sets in zip(shares["holding"], asked, strict=True)]
    return [
        "bounds" if spread == "bounds" else f"factor {spread}",
        str(len(shares)),
        str((shares["lower"] >= NEARLY_ALL).sum() or ""),
        str(sum(lower >= NEARLY_ALL for lower in at_least) or ""),
        str((shares["upper"] < HALF).sum() or ""),
        f"`{least['expectation']}` {least['share']:.0%}",
        f"{failed:.1%}" if failed else "",
    ]


def robustness(files: ModelFiles) -> str:
    """Return in which share of parameter sets each expectation holds, and how the sets were drawn; empty without."""
    tables, settings = committed.read(files)
    parts = []
    for spread, found in tables.items():
        about = settings[spread]
        assumed = "within their bounds" if spread == "bounds" else f"within a factor of {spread}"
        fewest = int((found["sets"] + found["failed"]).min())
        made = [f"seed {about['seed']}", f"relative tolerance {about['solver']['relative_tolerance']:g}"]
        made += [f"libRoadRunner {about['versions']['libroadrunner']}"]
        made += [f"commit {' and '.join(about['commits'])}"] if "commits" in about else []
        said = f"{about['n']} parameter sets, assumed parameters {assumed} ({', '.join(made)})."
        if fewest < about["n"]:
            said += f" Expectations that simulate from many starts each are evaluated in {fewest} of them."
        parts.append(f"{said}\n")
        columns = ["expectation", "holds in", "95 % interval", "fails with"]
        rows = [
            [
                f"`{row.Index}`" + ("" if row.nominal == HOLDS else f" ({row.nominal.removesuffix(' (fails)')})"),
                f"{row.share:.1%}" if row.sets else "",
                f"{100 * row.lower:.1f} to {row.upper:.1%}" if row.sets else "",
                row.broken_by,
            ]
            for row in found.itertuples()
        ]
        if found["failed"].any():
            columns.append("not simulated")
            for cells, failed in zip(rows, found["failed"], strict=True):
                cells.append(int(failed) or "")
        parts.append(table(columns, rows))
    return "\n".join(parts)
