"""What the project validator of BioSimulators says of the COMBINE archive of every model: ``docs/archives.md``.

The validator lives in an environment of its own, which ``tests/validate_archives.sh`` makes.

    .venv/bin/python benchmarks/archives.py --write
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click

import metaflammation as mf
from metaflammation import library

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "archives.md"
PACKAGES = ("biosimulators-utils", "python-libsbml", "python-libsedml", "python-libcombine", "kisao")

VALIDATE = """
import json, sys, tempfile, warnings
from importlib.metadata import version
warnings.simplefilter("ignore")
from biosimulators_utils.combine.data_model import CombineArchiveContentFormat
from biosimulators_utils.combine.io import CombineArchiveReader
from biosimulators_utils.combine.validation import validate
from biosimulators_utils.config import get_config
archive, packages = sys.argv[1], sys.argv[2:]
with tempfile.TemporaryDirectory() as folder:
    read = CombineArchiveReader().run(archive, folder, config=get_config())
    formats = list(CombineArchiveContentFormat.__members__.values())
    errors, remarks = validate(read, folder, formats_to_validate=formats, config=get_config())
    contents = [c.location for c in read.contents]
answer = {"errors": errors, "warnings": remarks, "contents": contents, "versions": {p: version(p) for p in packages}}
print(json.dumps(answer, default=str))
"""


def validated(python, archive):
    """Return what the validator finds: nested lists of errors and warnings, contents, versions."""
    command = [python, "-c", VALIDATE, archive, *PACKAGES]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise click.ClickException(f"{archive}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def messages(findings):
    """Return what nested findings say, without where it was found and without details."""
    for text, *inner in findings:
        if inner and text.rstrip().endswith(("has warnings.", "is invalid.")):
            yield from messages(inner[0])
        else:
            yield " ".join(text.split())


def page(found):
    """Return ``docs/archives.md``: ``found`` has what the validator says by model."""
    rows, warned = [], {}
    for name, answer in found.items():
        remarks = Counter(messages(answer["warnings"]))
        for text, count in remarks.items():
            warned.setdefault(text, []).append(f"{name}: {count}")
        sedml = sum(location.endswith(".sedml") for location in answer["contents"])
        errors, warnings = len(list(messages(answer["errors"]))), sum(remarks.values())
        rows.append(f"| {name} | {len(answer['contents'])} | {sedml} | {errors} | {warnings} |")
    (versions,) = {tuple(answer["versions"].items()) for answer in found.values()}
    errors = [f"- {name}: {text}" for name, answer in found.items() for text in messages(answer["errors"])]
    warnings = [f"- {text} ({', '.join(where)})" for text, where in warned.items()]
    return PAGE_TEXT.format(
        versions=", ".join(f"{package} {version}" for package, version in versions),
        rows="\n".join(rows),
        errors="\n".join(errors) or "None.",
        warnings="\n".join(warnings) or "None.",
    )


PAGE_TEXT = """\
# Archives

What the project validator of BioSimulators says of `metaflammation export all --to omex`. Written by
`python benchmarks/archives.py --write`; do not edit. Versions: {versions}.

| archive | files | SED-ML documents | errors | warnings |
| --- | --- | --- | --- | --- |
{rows}

## Errors

{errors}

## Warnings

With the number of times that each came in an archive.

{warnings}
"""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--validator", type=click.Path(path_type=Path, exists=True), show_default=True, help="Its Python.",
    default=ROOT / ".venv-biosimulators" / "bin" / "python",
)  # fmt: skip
@click.option(
    "--archives", type=click.Path(path_type=Path, exists=True),
    help="Folder with archives that were exported before, such as dist/models; written anew if not given.",
)  # fmt: skip
@click.option("--write", is_flag=True, help="Write docs/archives.md.")
def main(validator, archives, write):
    """Hold the archive of every model against the validator; exit code 1 if it finds an error."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, click.progressbar(list(library.catalogue()), label="archives") as bar:
        for name in bar:
            path = (archives or Path(folder)) / f"{name}.omex"
            found[name] = validated(validator, path if archives else mf.load(name).export("omex", path))
    text = page(found)
    if write:
        PAGE.write_text(text, "utf-8")
    else:
        click.echo(text)
    sys.exit(any(answer["errors"] for answer in found.values()))


if __name__ == "__main__":
    main()
