"""The equations of a model as MathML, which browsers show without help; written by sbmlode."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaflammation import sbml
from metaflammation.errors import missing

if TYPE_CHECKING:
    from collections.abc import Iterable

UPRIGHT = re.compile(r"\\mathrm\{((?:[^{}\\]|\\_)*)\}")
NUMBERED = re.compile(r"\\mathrm\{([A-Za-z]+)\}_\{(\d+)\}")
"""A word with a number as its subscript: the protein AS160, which is no element of a vector."""


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


def equations(text: str, where: str) -> dict[str, list[Equation]]:
    """Return the equations of an SBML document in groups: rates of change, reactions, rules, initial values.

    Raises
    ------
    MetaflammationError
        If sbmlode is not installed.
    """
    try:
        from sbmlode import OdeSystem
    except ImportError:
        raise missing("sbmlode") from None
    system = OdeSystem.from_sbml(sbml.document(text, where)).typeset()
    groups = {
        "Rates of change": [_equation(e.variable, e.lhs, e.lines) for e in system.odes],
        "Reaction rates": [_equation(e.variable, e.symbol, e.lines) for e in system.reactions],
        "Assignment rules": [_equation(e.variable, e.lhs, e.lines) for e in system.assignments],
        "Initial values that are computed": [_equation(e.variable, e.lhs, e.lines) for e in system.initial],
    }
    return {title: found for title, found in groups.items() if found}


def _equation(variable: Any, left: str, lines: Iterable[str]) -> Equation:
    from latex2mathml.converter import convert

    latex = NUMBERED.sub(r"\\mathrm{\1\2}", f"{left} = {' '.join(lines)}")
    latex = UPRIGHT.sub(_as_text, latex)
    # HTML ends its mathematics at an empty <mrow />, which these commands become.
    latex = latex.replace(r"\mathopen{}", "").replace(r"\mathclose{}", "")
    mathml = convert(latex, display="block").replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    return Equation(variable.sid, variable.name or variable.sid, mathml)


def _as_text(match: re.Match[str]) -> str:
    # A word of \mathrm would become one element a letter.
    return rf"\text{{{match[1].replace(chr(92) + '_', '_')}}}"
