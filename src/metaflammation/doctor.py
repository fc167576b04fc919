"""What is installed, and how to get what is not."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

import re


def diagnose() -> Iterator[tuple[str, str | None, str]]:
    """Yield name, installed version (None if missing) and cure of this package and each that it requires."""
    yield "metaflammation", version("metaflammation"), ""
    for requirement in requires("metaflammation") or []:
        if "extra ==" in requirement:
            continue
        name = re.split(r"[^A-Za-z0-9_.-]", requirement)[0]
        try:
            yield name, version(name), ""
        except PackageNotFoundError:
            yield name, None, f"pip install '{requirement}'"
