"""What the experiments, conditions and expectations of a model say, in words that can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from metaflammation.model import Model

    Facets = dict[str, str]

PROSE = frozenset({"title", "statement", "interval_from", "claim", "citation", "kind", "known_failure"})
"""Fields in which a word that is also an id is only a word."""


def validation(model: Model, new: Callable[[str], str]) -> Iterator[tuple[tuple[str, str], Facets]]:
    """Return what is said of each experiment, condition and expectation; ids of elements become what ``new`` says."""
    for experiment in model.experiments.values():
        yield ("experiment", experiment.id), _facets(experiment, new)
    for name, changes in model.conditions.items():
        yield ("condition", name), {new(i): _value(model, i, number) for i, number in changes.items()}
    for expectation in model.expectations.values():
        yield ("expectation", expectation.id), _facets(expectation, new)


def _value(model: Model, target: str, number: float) -> str:
    unit = model.elements[target].unit.label if target in model.elements else ""
    return f"{number:.12g} {unit}".strip()


def _facets(record: Any, new: Callable[[str], str]) -> Facets:
    fields = record.model_dump(mode="json", exclude_defaults=True)
    same = lambda text: text  # noqa: E731
    return {_label(key): _text(value, same if key in PROSE else new) for key, value in fields.items() if key != "id"}


def _label(field: str) -> str:
    return {"doses": "series of doses", "value": "what is measured"}.get(field, field.replace("_", " "))


def _text(value: Any, new: Callable[[str], str]) -> str:
    """Return a value as it would be written by hand: times are in minutes."""
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_text(v, new)}" for key, v in value.items())
    if isinstance(value, list):
        return "; ".join(_text(v, new) for v in value)
    if isinstance(value, float):
        return f"{value:.12g}"
    return new(value) if isinstance(value, str) else str(value)
