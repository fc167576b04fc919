"""Lint the files in tests/foreign and write docs/foreign-files.md: what was found, and how long it took."""

import csv
from pathlib import Path

from metaflammation.errors import MetaflammationError
from metaflammation.files import write_text
from metaflammation.lint import run
from metaflammation.report import lint_pages

ROOT = Path(__file__).parent.parent
FOREIGN = ROOT / "tests" / "foreign"
INTRODUCTION = """# Files of others

Written by `python benchmarks/foreign.py`. The files are in `tests/foreign`; seconds are those of one run on one
machine, without the start of the process, and the first file with annotations pays for loading the registry.

"""

if __name__ == "__main__":
    reports = list(run.reports(run.targets(FOREIGN), {}))
    for failure in (r for r in reports if isinstance(r, MetaflammationError)):
        raise failure
    with (FOREIGN / "sources.tsv").open(encoding="utf-8") as table:
        sources = {row["file"]: row for row in csv.DictReader(table, delimiter="\t")}
    page = INTRODUCTION + lint_pages.files(reports, sources)
    write_text(ROOT / "docs" / "foreign-files.md", page, overwrite=True)
