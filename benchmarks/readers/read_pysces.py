"""PySCeS: its conversion of SBML to its own format, then CVODE through Assimulo; the home folder is a temporary one."""

import os
import tempfile
from pathlib import Path

HOME = tempfile.TemporaryDirectory()
# PySCeS writes its settings and models into the home folder when it is imported.
os.environ["HOME"] = HOME.name

import pysces  # noqa: E402

PACKAGES = ("pysces", "assimulo-testing")


def simulate(path, end, points, **tolerances):
    """Return the course of species and assignment rules, and the constants."""
    folder = HOME.name
    pysces.interface.convertSBML2PSC(Path(path).name, str(Path(path).parent), "model.psc", folder)
    model = pysces.model("model.psc", folder)
    names = {"relative": "cvode_reltol", "absolute": "cvode_abstol"}
    model.__settings__.update({names[k]: v for k, v in tolerances.items()})
    model.__settings__.update(cvode_mxstep=1_000_000, cvode_return_event_timepoints=False)
    model.sim_start, model.sim_end, model.sim_points = 0.0, end, points
    model.Simulate()
    data = model.data_sim
    columns = {"time": data.time.ravel(), **dict(zip(data.species_labels, data.species.T, strict=True))}
    if data.HAS_XDATA:
        columns |= dict(zip(data.xdata_labels, data.xdata.T, strict=True))
    if data.HAS_RULES:
        columns |= dict(zip(data.rules_labels, data.rules.T, strict=True))
    return columns
