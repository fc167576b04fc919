"""The equations of a model as MathML, which browsers show without help; written by sbmlode."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaflammation import sbml
from metaflammation.errors import missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

UPRIGHT = re.compile(r"\\mathrm\{((?:[^{}\\]|\\_)*)\}")
NUMBERED = re.compile(r"[A-Za-z]{2,}\d+|[A-Z]\d{2,}")
"""A word with a number, such as the protein AS160, which is no element of a vector."""


@dataclass(frozen=True)
class Equation:
    """One equation.

    Attributes
    ----------
    id, name : str
        What it defines.
    mathml : str
        The equation.
    """

    id: str
    name: str
    mathml: str


def equations(text: str, where: str, modules: Iterable[str] = ()) -> dict[str, list[Equation]]:
    """Return the equations of an SBML document in groups: rates of change, reactions, rules, initial values.

    What belongs to one of ``modules`` is written as in its own model, after the name of the module and a colon.

    Raises
    ------
    MetaflammationError
        If sbmlode is not installed.
    """
    try:
        from sbmlode import OdeSystem
    except ImportError:
        raise missing("sbmlode") from None
    system = OdeSystem.from_sbml(sbml.document(text, where)).typeset(wrap=_symbols(tuple(modules)))
    groups = {
        "Rates of change": [_equation(e.variable, e.lhs, e.lines) for e in system.odes],
        "Reaction rates": [_equation(e.variable, e.symbol, e.lines) for e in system.reactions],
        "Assignment rules": [_equation(e.variable, e.lhs, e.lines) for e in system.assignments],
        "Initial values that are computed": [_equation(e.variable, e.lhs, e.lines) for e in system.initial],
    }
    return {title: found for title, found in groups.items() if found}


def _equation(variable: Any, left: str, lines: Iterable[str]) -> Equation:
    from latex2mathml.converter import convert

    latex = UPRIGHT.sub(_as_text, f"{left} = {' '.join(lines)}")
    # HTML ends its mathematics at an empty <mrow />, which these commands become.
    latex = latex.replace(r"\mathopen{}", "").replace(r"\mathclose{}", "")
    mathml = convert(latex, display="block").replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    return Equation(variable.sid, variable.name or variable.sid, mathml)


def _symbols(modules: tuple[str, ...]) -> Callable[[Any, str], str]:
    """Return how symbols are written, for sbmlode."""
    from sbmlode.symbols import typeset_symbol

    def written(symbol: Any, text: str) -> str:
        if text != typeset_symbol(symbol.sid, "latex"):
            return text  # the rate of a reaction
        module = max((m for m in modules if symbol.sid.startswith(f"{m}_")), key=len, default="")
        inner = symbol.sid.removeprefix(f"{module}_")
        text = rf"\mathrm{{{inner}}}" if NUMBERED.fullmatch(inner) else typeset_symbol(inner, "latex")
        return rf"{{\mathrm{{{module}:}}{text}}}" if module else text

    return written


def _as_text(match: re.Match[str]) -> str:
    # A word of \mathrm would become one element a letter.
    return rf"\text{{{match[1].replace(chr(92) + '_', '_')}}}"
