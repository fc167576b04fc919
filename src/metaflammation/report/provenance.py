"""Where a result comes from: versions, revision, settings."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metaflammation.model import Model

PACKAGES = (
    "metaflammation", "libroadrunner", "python-copasi", "copasi-basico", "antimony", "python-libsbml", "numpy", "scipy",
    "sbmlode",
)  # fmt: skip
"""What a number in a report can depend on."""


def provenance(model: Model) -> dict[str, str]:
    """Return what a reader needs to make the same numbers again, as text by name."""
    return {
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "revision": revision(model),
        "SHA-256 of the SBML": hashlib.sha256(model.sbml.encode()).hexdigest(),
        "relative tolerance": f"{model.solver.relative_tolerance:g}",
        "absolute tolerance": f"{model.solver.absolute_tolerance:g}",
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        **{name: _version(name) for name in PACKAGES},
    }


def revision(model: Model) -> str:
    """Return the git revision of the folder in which a model lies, and whether something in it was changed since."""
    folder = Path(str(model.files.collection.models)) if model.files else Path()
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "not known: the models lie in no git repository"
    return f"{commit}{', with changes that are not committed' if changed else ''}"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=True, text=True)  # noqa: S603, S607
    return done.stdout.strip()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
