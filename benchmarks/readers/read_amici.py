"""AMICI: C++ that it writes for the file and compiles, then CVODES."""

import os
import sys
import tempfile
from functools import cache
from pathlib import Path

# Its build runs the swig, cmake and ninja of its own environment.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

import amici
import numpy as np
from amici.importers.sbml import SbmlImporter
from amici.sim.sundials import run_simulation

PACKAGES = ("amici",)

FOLDER = tempfile.TemporaryDirectory()


@cache
def compiled(path):
    """Return the compiled module of an SBML file."""
    name = f"model_{compiled.cache_info().misses}"
    folder = str(Path(FOLDER.name) / name)
    SbmlImporter(path).sbml2amici(name, folder, generate_sensitivity_code=False, verbose=False)
    return amici.import_model_module(name, folder)


def simulate(path, end, points, **tolerances):
    """Return the course of every species, rate rule and assignment rule, and the constants."""
    model = compiled(path).get_model()
    model.set_timepoints(np.linspace(0.0, end, points))
    solver = model.create_solver()
    for kind, value in tolerances.items():
        getattr(solver, f"set_{kind}_tolerance")(value)
    solver.set_max_steps(1_000_000)
    found = run_simulation(model, solver)
    if found.status != 0:
        raise RuntimeError(f"status {found.status}")
    columns = {"time": found.ts}
    for ids, values in ((model.get_state_ids(), found.x), (model.get_expression_ids(), found.w)):
        columns |= dict(zip(ids, np.asarray(values).T, strict=True))
    for ids, values in (
        (model.get_free_parameter_ids(), model.get_free_parameters()),
        (model.get_fixed_parameter_ids(), model.get_fixed_parameters()),
    ):
        columns |= {i: [v] * points for i, v in zip(ids, values, strict=True)}
    return columns
