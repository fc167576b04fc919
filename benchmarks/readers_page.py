"""What the reader gauntlet found: results on disk, one file for each model, and the page that shows them."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "readers" / "results"
PAGE = HERE.parent / "docs" / "readers.md"

SMALLEST_RANGE = 0.1
"""A variable that moves less than this fraction of its size is measured against this fraction instead."""

AT_REST = 1e-6
"""And no finer than against this fraction of its largest size in any experiment, as in `check`: zero is noise."""


@dataclass
class Result:
    """How one reader did on one experiment."""

    experiment: str
    tolerances: str
    difference: float | None = None
    variable: str = ""
    seconds: float | None = None
    error: str = ""


@dataclass
class Entry:
    """How one reader did on one model: its versions, or why it did not run, and the results."""

    of: str
    versions: dict = field(default_factory=dict)
    absent: str = ""
    results: list[Result] = field(default_factory=list)

    def with_(self, tolerances):
        """Return the results with our tolerances, or those with the reader's own."""
        return [r for r in self.results if r.tolerances == tolerances]


def digest(model):
    """Return what changes when a model or its experiments do: by it, results are known to be out of date."""
    texts = [model.sbml, *(model.files.validation_text(name) for name in ("experiments.yaml", "conditions.tsv"))]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def stored(name):
    """Return the stored entries of a model by reader."""
    path = RESULTS / f"{name}.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return {r: Entry(**{**e, "results": [Result(**x) for x in e["results"]]}) for r, e in found.items()}


def store(name, entries):
    """Write the entries of a model, one line for each result."""
    readers = []
    for reader in sorted(entries):
        head = {k: v for k, v in asdict(entries[reader]).items() if k != "results"}
        lines = ",\n  ".join(json.dumps(asdict(r)) for r in entries[reader].results)
        readers.append(f'"{reader}": {json.dumps(head)[:-1]}, "results": [\n  {lines}\n]}}')
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text("{\n" + ",\n".join(readers) + "\n}\n", "utf-8")


def failures(reader, entry):
    """Return what a tested reader got wrong."""
    return [r for r in entry.with_("ours") if reader.tested and (r.error or not r.difference <= reader.tolerance)]


def cell(reader, entry, kind):
    """Return what stands in the table: the largest difference, bold above the tolerance, and how many ran."""
    results = entry.with_(kind) if entry else []
    if not results:
        return "not run"
    read = [r.difference for r in results if not r.error]
    count = "" if len(read) == len(results) else f" ({len(read)} of {len(results)})"
    if not read:
        return f"fails{count}"
    text = f"{max(read):.0e}"
    return f"**{text}**{count}" if kind == "ours" and max(read) > reader.tolerance else f"{text}{count}"


def table(found, chosen, kind):
    """Return the table of readers and models as Markdown."""
    ours = kind == "ours"
    # Where a long name may break: nine columns are wider than the page.
    names = [name.replace("_", "_<wbr>") for name in found]
    head = ["reader", *["tolerance", "experiments"] * ours, *names]
    lines = [head, ["---"] * len(head)]
    for r in chosen:
        about = [f"{r.tolerance:.0e}", r.experiments] if ours else []
        lines.append([r.title, *about, *(cell(r, entries.get(r.id), kind) for entries in found.values())])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def troubles(found, reader):
    """Return the errors of a reader, each once, with the models and numbers of experiments."""
    errors = {}
    for name, entries in found.items():
        for r in entries[reader.id].with_("ours") if reader.id in entries else []:
            if r.error:
                errors.setdefault(r.error.replace("`", "'")[:300], Counter())[name] += 1
    return [f"`{error}` ({', '.join(f'{m}: {n}' for m, n in where.items())})" for error, where in errors.items()]


def versions(found, reader):
    """Return the versions of a reader, with the models if they are not the same for all."""
    known = {}
    for name, entries in found.items():
        if e := entries.get(reader.id):
            text = ", ".join(f"{k} {v}" for k, v in e.versions.items()) if e.versions else f"not run: {e.absent}"
            known.setdefault(text, []).append(name)
    if len(known) == 1:
        return next(iter(known))
    return "; ".join(f"{text} ({', '.join(names)})" for text, names in known.items()) or "not run"


def states(found):
    """Return which state of each model was read."""
    return ", ".join(
        f"{name} `{'`, `'.join(sorted({e.of for e in entries.values()}))}`" for name, entries in found.items()
    )


def page(found, chosen):
    """Return ``docs/readers.md``: ``found`` has for each model its entries by reader."""
    limits = []
    for reader in chosen:
        points = [reader.remark] * bool(reader.remark) + troubles(found, reader)
        limits += [f"- **{reader.title}**: {' '.join(points)}"] if points else []
    return PAGE_TEXT.format(
        smallest=f"{SMALLEST_RANGE:g}",
        ours=table(found, chosen, "ours"),
        own=table(found, chosen, "own"),
        states=states(found),
        reasons="\n".join(f"| {r.title} | {r.tolerance:.0e} | {versions(found, r)} | {r.why} |" for r in chosen),
        limits="\n".join(limits) or "Nothing was found.",
    )


PAGE_TEXT = """\
# Readers

Do other programs that open our SBML give our curves? Written by `python benchmarks/readers.py --write` from the results
in `benchmarks/readers/results`; do not edit.

For each experiment the SBML goes out that SED-ML and COPASI files use: it starts equilibrated, later periods are
events, and of a series of doses it holds the highest. Each reader runs it as one plain time course with the output
points of the experiment. The number is the largest difference from our curve over all points, variables and
experiments of a model, less the absolute tolerance, divided by the range of the variable in the experiment (a variable
that moves by less than {smallest} of its size is measured against that fraction, one that rests against a millionth of
its largest size in any experiment). Points at the start of a period are left out: whether they show the values before
or after it is up to the program. **Bold** is above the tolerance; (8 of 9) counts the experiments that could be run.

Slow readers, and those that are libRoadRunner once more, run a part of the experiments: *telling* ones are the first
of a model, the longest and the one of most periods. Of the integrated model *all* are those that the second engine
repeats (`compared` in `models/metadata.toml`): years of it take other solvers long.

## With our tolerances

Relative and absolute tolerance of the integrator as in `models/metadata.toml`.

{ours}

## With the tolerances that each reader sets by itself

What someone gets who opens the file and presses Run.

{own}

## Versions, and why these tolerances

| reader | tolerance | versions | why |
| --- | --- | --- | --- |
{reasons}

States of the models that were read, as the first digits of a SHA-256 of SBML, experiments and conditions: {states}.
`python benchmarks/readers.py --write` runs again what is out of date.

## What readers cannot do

Messages are those of this run, with the number of experiments of each model in which they came.

{limits}
"""
