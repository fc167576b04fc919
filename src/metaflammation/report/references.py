"""The bibliography of a collection, entry by entry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaflammation import library
from metaflammation.errors import missing

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Reference:
    """One entry, as readers cite it."""

    key: str
    text: str
    doi: str
    note: str


def references(keys: Iterable[str], collection: library.Collection | None = None) -> list[Reference]:
    """Return the entries with these keys, in the order of the keys; what is no key is left out.

    Raises
    ------
    MetaflammationError
        If bibtexparser is not installed.
    """
    try:
        import bibtexparser
    except ImportError:
        raise missing("bibtexparser") from None
    entries = bibtexparser.parse_string(library.bibliography(collection)).entries_dict
    found = []
    for key in sorted(set(keys) & entries.keys(), key=str.lower):
        fields = {name: _plain(str(field.value)) for name, field in entries[key].fields_dict.items()}
        parts = [fields.get("author", ""), fields.get("title", ""), fields.get("journal", fields.get("booktitle", ""))]
        place = " ".join(x for x in (fields.get("volume", ""), fields.get("pages", "").replace("--", "-")) if x)
        text = ". ".join(p.rstrip(".") for p in parts if p)
        text += "".join(f" {x}" for x in (f"({fields['year']})" if "year" in fields else "", place) if x)
        found.append(Reference(key, text, fields.get("doi", ""), fields.get("note", "")))
    return found


def _plain(text: str) -> str:
    """Return a field without the marks of LaTeX."""
    accents = {"'": "\u0301", "`": "\u0300", '"': "\u0308", "^": "\u0302", "~": "\u0303", "c": "\u0327", "v": "\u030c"}
    text = re.sub(r"\\([o])(?![a-z])", "\u00f8", text)
    text = re.sub(r"""\{?\\(['`"^~]|[cv](?=\{))\{?\\?([A-Za-z])\}?\}?""", lambda m: m[2] + accents[m[1]], text)
    for mark, plain in (
        (r"$\kappa$", "\u03ba"),
        (r"$\gamma$", "\u03b3"),
        (r"$\alpha$", "\u03b1"),
        (r"$\beta$", "\u03b2"),
    ):
        text = text.replace(mark, plain)
    return re.sub(r"[{}]", "", text.replace("\\", ""))
