"""The difference between two models as text, Markdown and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metaflammation.diff import Change, Difference, Effect

SHOWN = 20
"""Effects that are written out; the rest are counted."""

MINUTES_OF_A_DAY = 1440.0


def text(difference: Difference) -> str:
    """Return the difference for the terminal."""
    lines = [f"{difference.first} -> {difference.second}: {_count(len(difference.changes), 'change')}"]
    last = None
    for change in difference.changes:
        if (change.kind, change.id) != last:
            lines.append(f"  {_element(change)}")
        last = change.kind, change.id
        lines.append(f"    {_change(change)}")
    lines += _effects(difference, "  ")
    return "\n".join(lines) + "\n"


def markdown(difference: Difference) -> str:
    """Return the difference as Markdown."""
    lines = [f"## {difference.first} -> {difference.second}", "", f"{_count(len(difference.changes), 'change')}.", ""]
    if difference.changes:
        lines += ["| element | what | before | after |", "| --- | --- | --- | --- |"]
        lines += [f"| {_element(c)} | {c.what} | {_cell(c.before)} | {_cell(c.after)} |" for c in difference.changes]
        lines.append("")
    lines += _effects(difference, "- ")
    return "\n".join(lines).rstrip() + "\n"


def as_json(difference: Difference) -> str:
    """Return the difference as JSON."""
    return json.dumps({"different": bool(difference), **asdict(difference)}, indent=2) + "\n"


def _effects(difference: Difference, bullet: str) -> list[str]:
    lines = []
    if difference.effects:
        lines.append("Largest change of each observable, as a share of its range over the experiments:")
        lines += [f"{bullet}{_effect(e)}" for e in difference.effects[:SHOWN]]
        if len(difference.effects) > SHOWN:
            lines.append(f"{bullet}and {len(difference.effects) - SHOWN} more, smaller ones")
    elif difference.changes:
        lines.append("No experiment changes." if difference.compared else "No experiment was compared.")
    return lines + [f"{bullet}{reason}" for reason in difference.not_compared]


def _effect(effect: Effect) -> str:
    days = effect.time / MINUTES_OF_A_DAY
    when = f"{effect.time:g} min" if days < 1 else f"{days:g} d"
    values = f"{effect.before:.3g} to {effect.after:.3g} {effect.unit}".strip()
    return f"{effect.name} ({effect.observable}): {effect.share:.2%}, {values} in {effect.experiment} at {when}"


def _element(change: Change) -> str:
    name = f' "{change.name}"' if change.name and change.name != change.id else ""
    return f"{change.kind} {change.id}".strip() + name


def _change(change: Change) -> str:
    if change.what == "renamed":
        return f"renamed, was {change.before}"
    if change.what in {"added", "removed"}:
        shown = change.after or change.before
        return f"{change.what}{': ' + shown if shown else ''}"
    return f"{change.what}: {change.before or 'none'} -> {change.after or 'none'}{_ratio(change)}"


def _ratio(change: Change) -> str:
    """Return by what factor a value changed, where both have the same unit."""
    if change.what != "value":
        return ""
    (before, *unit), (after, *other) = change.before.split(" ", 1), change.after.split(" ", 1)
    if unit != other or not before or not after or float(before) == 0:
        return ""
    return f" (x {float(after) / float(before):.4g})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _cell(content: str) -> str:
    return content.replace("|", "\\|") or "none"
