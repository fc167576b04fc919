"""sbmltoodejax: the rates and rules that it writes for the file, integrated together by SciPy's LSODA."""

import importlib.util
import tempfile
import warnings
from pathlib import Path

import jax
import libsbml
import numpy as np
from scipy.integrate import solve_ivp

jax.config.update("jax_enable_x64", True)

from sbmltoodejax.modulegeneration import GenerateModel  # noqa: E402
from sbmltoodejax.parse import ParseSBMLFile  # noqa: E402

PACKAGES = ("sbmltoodejax", "jax", "scipy")


def written(path, *, double, **settings):
    """Return the module that sbmltoodejax writes; ``double`` replaces the 32-bit numbers in it."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = Path(folder) / "model.py"
        GenerateModel(ParseSBMLFile(path), str(code), **settings)
        if double:
            code.write_text(code.read_text().replace("jnp.float32", "jnp.float64"))
        spec = importlib.util.spec_from_file_location("model", code)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def sizes(path):
    """Return the compartment of each species that is meant as a concentration."""
    model = libsbml.readSBMLFromFile(path).getModel()
    return {s.getId(): s.getCompartment() for s in model.getListOfSpecies() if not s.getHasOnlySubstanceUnits()}


def named(path, module, states, rules, points):
    """Return states, assigned values and constants by id; it counts species in amounts."""
    compartments = sizes(path)

    def size(name):
        return float(module.c[module.c_indexes[compartments[name]]]) if name in compartments else 1.0

    columns = {name: states[k] / size(name) for name, k in module.y_indexes.items()}
    columns |= {name: rules[k] for name, k in module.w_indexes.items()}
    return columns | {name: np.full(points, module.c[k]) for name, k in module.c_indexes.items()}


def simulate(path, end, points, relative=1e-6, absolute=1e-12):
    """Return the course of every variable and constant."""
    module = written(path, double=True)
    rates, rules = module.RateofSpeciesChange(), module.AssignmentRule()

    @jax.jit
    def assigned(y, t):
        return rules(y, module.w0, module.c, t)

    @jax.jit
    def slope(y, t):
        return rates(y, t, assigned(y, t), module.c)

    time = np.linspace(0.0, end, points)
    solved = solve_ivp(
        lambda t, y: np.asarray(slope(y, t)),
        (0.0, end),
        np.asarray(module.y0),
        method="LSODA",
        t_eval=time,
        rtol=relative,
        atol=absolute,
    )
    if not solved.success:
        raise RuntimeError(solved.message)
    values = np.array([np.asarray(assigned(y, t)) for t, y in zip(time, solved.y.T, strict=True)])
    return {"time": time, **named(path, module, solved.y, values.T, points)}
