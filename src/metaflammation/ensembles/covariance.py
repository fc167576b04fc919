"""How sure a fit is of its estimates: their covariance at the committed values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from metaflammation import tables
from metaflammation.problem import Problem

if TYPE_CHECKING:
    from metaflammation.library import ModelFiles
    from metaflammation.model import Model

FILE = "fit_covariance.tsv"


def compute(model: Model) -> pd.DataFrame:
    """Return the covariance of the estimates of a model, in decades squared.

    It is the inverse of the Gauss-Newton Hessian of data, targets and priors. The bounds count as one more prior, with
    the variance of a uniform distribution between them: where the data leave a direction open, the bounds close it.

    Returns
    -------
    pandas.DataFrame
        Index and columns the parameters.
    """
    problem = Problem(model)
    jacobian = problem.jacobian(problem.start)
    width = problem.upper - problem.lower
    hessian = jacobian.T @ jacobian + np.diag(12 / width**2)
    inverse = np.linalg.inv(hessian)
    names = pd.Index(problem.names, name="parameter")
    return pd.DataFrame((inverse + inverse.T) / 2, index=names, columns=problem.names)


def read(files: ModelFiles) -> pd.DataFrame:
    """Return the committed covariance of a model; empty for a model without a fit."""
    if not files.has_validation(FILE):
        return pd.DataFrame()
    where = f"{files.id}/{FILE}"
    text = files.validation_text(FILE)
    names = text.splitlines()[0].split("\t")[1:]
    frame = tables.read_table(text, where, {"parameter": str} | dict.fromkeys(names, float))
    return frame.set_index("parameter").loc[names, names]


def text(covariance: pd.DataFrame) -> str:
    """Return the covariance as the file holds it."""
    return str(covariance.to_csv(sep="\t", float_format="%.6g"))
