"""Write the README and the checksums of a folder with every model in every form: ``index.py FOLDER`` (make release)."""

import hashlib
import sys
from pathlib import Path

import metaflammation as mf
from metaflammation import exchange, library

ABOUT = {
    "sbml": "SBML Level 3 Version 2: for nearly every program",
    "copasi": "COPASI: the model, with a parameter set for each condition",
    "omex": "COMBINE archive: the model with all its experiments as SED-ML and COPASI files",
    "sbml-l3v1": "SBML Level 3 Version 1: for older readers",
    "comp": "hierarchical SBML: the modules kept apart",
    "antimony": "Antimony: the source, to read and change in an editor",
    "sedml": "folder: each experiment as SED-ML, with the SBML that it simulates",
    "petab": "folder: the estimation problem as PEtab version 2",
    "petab-v1": "folder: the same as PEtab version 1",
}

TEXT = """\
# Models of metaflammation {version}

Download what you need; nothing has to be installed. Licence: {licence} ({url}). Not for medical use.

If you are in doubt: the `.cps` file for COPASI, the `.omex` archive for Tellurium or BioSimulations, the `.xml` file
for anything else that reads SBML. `sha256sum -c SHA256SUMS` tells whether the files arrived whole.

{models}"""


def section(model, folder):
    """Return what is there of one model."""
    about = model.metadata
    lines = [f"## {about.title}", "", f"`{model.id}`, version {about.version}. {about.description.strip()}", ""]
    lines += ["| file | size | what |", "|---|---|---|"]
    for form, what in ABOUT.items():
        path = folder / exchange.default_name(model, form)
        if exchange.inapplicable(model, form) is None:
            # A form that should be there and is not ends the release here.
            size = sum(p.stat().st_size for p in ([path] if path.is_file() else path.iterdir()))
            lines.append(f"| `{path.name}` | {size / 1000:.0f} kB | {what} |")
    return "\n".join(lines) + "\n"


def main(folder):
    """Write README.md and SHA256SUMS into the folder."""
    metadata = library.metadata()
    models = "\n".join(section(mf.load(name), folder) for name in library.catalogue())
    text = TEXT.format(version=mf.__version__, licence=metadata.licence, url=metadata.licence_url, models=models)
    (folder / "README.md").write_text(text, "utf-8")
    found = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(folder).as_posix()}\n" for p in found]
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
