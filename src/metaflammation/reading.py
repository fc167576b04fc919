"""Files of strangers: read with bounds, and screened before libSBML sees them, which crashes on hostile ones."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from metaflammation.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 200_000_000
"""Bytes of the largest file that is read: genome-scale models take some tens of millions."""

LONGEST_ATTRIBUTE = 1_000_000
"""Characters of the longest attribute; the longest sound ones are formulas of Level 1."""

DEEPEST = 1_000
"""How deep elements may lie in each other; libSBML overflows its stack at some thousands."""

DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z][\w.-]*)["']""")
ANTIMONY = frozenset({".ant", ".txt"})
SBML = frozenset({".xml", ".sbml"})


def read_text(path: Path) -> str:
    """Return the text of a file of SBML or Antimony; XML may be in any encoding that it declares.

    Raises
    ------
    ModelError
        If it is not there, a folder, empty, too large, unreadable or not text.
    """
    try:
        about = path.stat()
        if stat.S_ISDIR(about.st_mode):
            raise ModelError(f"{path}: is a folder; name a file")
        if not stat.S_ISREG(about.st_mode):
            raise ModelError(f"{path}: is no regular file")
        if about.st_size > LARGEST:
            size, most = about.st_size / 1e6, LARGEST / 1e6
            raise ModelError(f"{path}: is too large ({size:.0f} MB; at most {most:.0f} MB are read)")
        content = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    text = _decoded(content, path)
    if not text.strip():
        raise ModelError(f"{path}: is empty")
    return text


def _decoded(content: bytes, path: Path) -> str:
    if content.startswith((b"\x1f\x8b", b"PK\x03\x04", b"BZh")):
        raise ModelError(f"{path}: is compressed; unpack it first")
    declared = DECLARED.match(content[:200].removeprefix(b"\xef\xbb\xbf"))
    encoding = declared[1].decode("ascii") if declared else "utf-8"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif encoding.lower().replace("_", "-") in {"utf-8", "utf8"}:
        encoding = "utf-8-sig"
    try:
        text = content.decode(encoding)
    except LookupError:
        raise ModelError(f"{path}: declares the encoding {encoding}, which is unknown") from None
    except UnicodeError as error:
        said = encoding.removesuffix("-sig").upper()
        at = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
        raise ModelError(f"{path}: is not {said} text{at}") from None
    # libSBML is handed the text as UTF-8, whatever the file declares.
    return re.sub(r"""^(\s*<\?xml[^>]*?encoding\s*=\s*["'])[^"']*""", r"\g<1>UTF-8", text, count=1)


def is_antimony(path: Path) -> bool:
    """Return whether a file is meant as Antimony, by its ending."""
    return path.suffix.lower() in ANTIMONY


@dataclass(frozen=True)
class Span:
    """Where an element of the document stands: its first and last line, and what it is called."""

    first: int
    last: int
    called: str


@dataclass
class Outline:
    """What a pass over the XML saw.

    Attributes
    ----------
    spans : list of Span
        Elements that bear an id, or say whose rule they are, in the order of their beginnings.
    mentioned : set of str
        Values of the attributes of packages, but for those that only draw: what they name is in use.
    """

    spans: list[Span] = field(default_factory=list)
    mentioned: set[str] = field(default_factory=set)

    def at(self, line: int) -> str:
        """Return the innermost element that holds a line; ``document`` if there is none."""
        return self._innermost.get(line, "document")

    @cached_property
    def _innermost(self) -> dict[int, str]:
        # Inner elements begin later than those that hold them, and overwrite them.
        return {line: span.called for span in self.spans for line in range(span.first, span.last + 1)}


NAMING = ("id", "variable", "symbol", "species", "name")
"""Attributes that say which element is meant, the best first; Level 1 has only names."""

DRAWING = ("/layout/", "/render/", "/groups/")
"""In the namespaces of the packages whose elements use nothing."""

ANONYMOUS = frozenset({"sbml", "unit", "annotation", "notes"})


class _Screen:
    """Handlers of the parser."""

    def __init__(self, where: str, parser: Any) -> None:
        self.where, self.parser = where, parser
        self.open: list[tuple[str, int]] = []
        self.outline = Outline()
        self.foreign = 0

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        line = self.parser.CurrentLineNumber
        tag = name.rpartition(" ")[2]
        if not self.open and tag != "sbml":
            raise ModelError(f"{self.where}: is not SBML (its first element is <{tag}>)")
        if len(self.open) >= DEEPEST:
            raise ModelError(f"{self.where}, line {line}: elements lie more than {DEEPEST} deep in each other")
        for key, value in attributes.items():
            if len(value) > LONGEST_ATTRIBUTE:
                short = f"{len(value) / 1e6:.0f} million characters"
                raise ModelError(f"{self.where}, line {line}: the attribute {key.rpartition(' ')[2]} has {short}")
        self.foreign += tag in {"annotation", "notes"}
        # Names of packages come with their namespace before them.
        self.outline.mentioned.update(
            value
            for key, value in attributes.items()
            if "/sbml/level3/" in key and not key.endswith((" id", " name")) and not any(d in key for d in DRAWING)
        )
        plain = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        called = next((plain[key] for key in NAMING if plain.get(key)), "")
        named = called and tag not in ANONYMOUS and not self.foreign
        self.open.append((f"{tag} {called}" if named else "", line))
        if tag == "model" and not named:
            self.open[-1] = ("model", line)

    def end(self, name: str) -> None:
        called, line = self.open.pop()
        self.foreign -= name.rpartition(" ")[2] in {"annotation", "notes"}
        if called:
            self.outline.spans.append(Span(line, self.parser.CurrentLineNumber, called))

    def refuse(self, *_: Any) -> None:
        raise ModelError(f"{self.where}: declares XML entities, which SBML does not have and which can blow up")


def screen(text: str, where: str) -> Outline:
    """Read the XML of an SBML document once, and return what stands where.

    Raises
    ------
    ModelError
        If it is no well-formed XML or not SBML, declares entities, or nests or spells out what no model needs.
    """
    from xml.parsers import expat

    parser = expat.ParserCreate("UTF-8", " ")
    seen = _Screen(where, parser)
    parser.StartElementHandler, parser.EndElementHandler = seen.begin, seen.end
    parser.EntityDeclHandler = seen.refuse
    if "<" not in text:
        raise ModelError(f"{where}: is not SBML (no XML element in it)")
    try:
        # Pieces, so that what is refused at its beginning is not read to its end.
        content = text.encode()
        for start in range(0, len(content), 1 << 20):
            parser.Parse(content[start : start + (1 << 20)], False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code) or str(error)
        raise ModelError(f"{where}, line {error.lineno}: is no well-formed XML ({reason})") from None
    seen.outline.spans.sort(key=lambda s: (s.first, -s.last))
    return seen.outline
