"""The bibliography of a collection, entry by entry."""

from __future__ import annotations

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
        from bibtexparser.entrypoint import parse_string
        from bibtexparser.middlewares import LatexDecodingMiddleware
    except ImportError:
        raise missing("bibtexparser") from None
    text = library.bibliography(collection)
    entries = parse_string(
        text, append_middleware=[LatexDecodingMiddleware(keep_braced_groups=False, keep_math_mode=False)]
    ).entries_dict
    found = []
    for key in sorted(set(keys) & entries.keys(), key=str.lower):
        fields = {name: str(field.value) for name, field in entries[key].fields_dict.items()}
        authors = "; ".join(fields.get("author", "").split(" and ")).replace("; others", " et al.")
        parts = [authors, fields.get("title", ""), fields.get("journal", fields.get("booktitle", ""))]
        place = " ".join(x for x in (fields.get("volume", ""), fields.get("pages", "").replace("--", "-")) if x)
        year = f"({fields['year']})" if "year" in fields else ""
        cited = " ".join(x for x in (". ".join(p.rstrip(".") for p in parts if p), year, place) if x)
        found.append(Reference(key, cited, fields.get("doi", ""), fields.get("note", "")))
    return found
