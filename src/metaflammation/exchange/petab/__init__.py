"""PEtab: the estimation problem of a model as SBML and tables, for pyPESTO, AMICI, COPASI and other programs.

Version 2 says everything in the words of the format. Version 1 is for programs that read the format in part: its model
simulates the equilibration itself and an event begins the experiment, conditions set plain parameters only, and
measurements and priors are rows in units of their noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaflammation import measurements
from metaflammation.errors import ExportError
from metaflammation.exchange.petab import version_1, version_2
from metaflammation.exchange.petab.fitted import Fitted

if TYPE_CHECKING:
    from metaflammation.model import Model


def tables(model: Model, version: int = 2) -> dict[str, str]:
    """Return the files of the PEtab problem by name, the same for the same model.

    Raises
    ------
    ExportError
        If the version is unknown, the model has no measured series that is fitted, or PEtab cannot express a run.
    """
    if version not in {1, 2}:
        raise ExportError(f"PEtab has the versions 1 and 2, not {version!r}")
    if not measurements.fitted(model):
        raise ExportError(f"{model.id}: has no measured series that is fitted, and a PEtab problem consists of them")
    fitted = Fitted(model)
    fitted.check()
    return version_1.files(fitted) if version == 1 else version_2.files(fitted)
