"""What is written in a glyph: a display name read as thing, state variables and remark."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ASIDE = re.compile(r" \((?:relative to basal|input)\)")
"""What a display name adds that a map need not say."""

RESIDUES = {"tyrosine": "Y", "serine": "S", "threonine": "T"}


def reading(name: str) -> tuple[str, tuple[str, ...], str]:
    """Return what a display name calls the thing, its state variables, and what else it says of the state.

    >>> reading("Akt, phosphorylated on threonine 308 and serine 473")
    ('Akt', ('P@T308', 'P@S473'), '')
    """
    main, *rest = name.split(", ")
    states: list[str] = []
    remarks: list[str] = []
    for part in rest:
        if re.search(r"(?<!un)(?<!de)phosphorylated", part):
            states += _phosphates(part)
        elif part not in {"unphosphorylated", "unmodified"}:
            remarks.append(part)
    return main, tuple(states), ", ".join(remarks)


def _phosphates(text: str) -> Iterator[str]:
    sites = re.findall(r"(tyrosine|serine|threonine)(?: (\d+))?", text)
    yield from (f"P@{RESIDUES[residue]}{number}" for residue, number in sites)
    if not sites:
        yield "P"
