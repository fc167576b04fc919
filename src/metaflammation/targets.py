"""Calibration targets that are no series: where the model stands to each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metaflammation.expectations import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from metaflammation.records import Target
    from metaflammation.runs import Runs


def residuals(targets: Iterable[Target], runs: Runs) -> np.ndarray:
    """Return how far the model lies from each target, in units of its ``sd``."""
    return np.array([t.residual(evaluate(t.value, runs)) for t in targets])


def agreement(targets: Iterable[Target], runs: Runs) -> pd.DataFrame:
    """Return the model's value beside each target.

    Returns
    -------
    pandas.DataFrame
        Index ``target``; columns basis (``measured``, ``words`` or ``recalled``), aim, value, sd, scale (``linear``, or
        ``log10`` with sd in decades), residual (in units of sd).
    """
    import pandas as pd

    rows = {}
    for t in targets:
        value = evaluate(t.value, runs)
        rows[t.id] = [t.basis, t.target, value, t.sd, t.scale, t.residual(value)]
    columns = ["basis", "aim", "value", "sd", "scale", "residual"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("target")
