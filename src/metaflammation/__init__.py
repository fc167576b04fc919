"""Curated SBML models of diet-driven inflammation, ER stress, insulin resistance and the hormone axis.

>>> import metaflammation as mf
>>> mf.catalogue()                                  # doctest: +SKIP
>>> m = mf.load("insulin_cascade")                  # doctest: +SKIP
>>> m.simulate("insulin_step_100nM").plot("IR_pY")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metaflammation.errors import (
        CompileError,
        DataError,
        ExportError,
        MetaflammationError,
        ModelError,
        SimulationError,
    )
    from metaflammation.lint.run import lint_file
    from metaflammation.model import Model, catalogue, load
    from metaflammation.timecourse import DoseSeries, TimeCourse

__version__ = "0.1.0"

__all__ = [
    "CompileError",
    "DataError",
    "DoseSeries",
    "ExportError",
    "MetaflammationError",
    "Model",
    "ModelError",
    "SimulationError",
    "TimeCourse",
    "__version__",
    "catalogue",
    "lint_file",
    "load",
]

_HOME = {
    **dict.fromkeys(
        ("CompileError", "DataError", "ExportError", "MetaflammationError", "ModelError", "SimulationError"), "errors"
    ),
    **dict.fromkeys(("Model", "catalogue", "load"), "model"),
    "lint_file": "lint.run",
    **dict.fromkeys(("DoseSeries", "TimeCourse"), "timecourse"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
