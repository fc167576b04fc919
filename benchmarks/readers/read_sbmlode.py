"""sbmlode: the Python that it writes for the file, with its own loop of events round SciPy's LSODA."""

import importlib.util
import tempfile
from pathlib import Path

from sbmlode import OdeSystem

PACKAGES = ("sbmlode", "scipy")


def simulate(path, end, points, **tolerances):
    """Return the course of every variable and constant."""
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "model.py"
        OdeSystem.from_sbml(Path(path)).write(code)
        spec = importlib.util.spec_from_file_location("model", code)
        written = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(written)
    names = {"relative": "rtol", "absolute": "atol"}
    # The default of 100 000 steps stops experiments of months.
    settings = {names[k]: v for k, v in tolerances.items()}
    frame = written.simulate(end, points, max_steps=1_000_000, **settings)
    constants = dict(zip(written.PIDS, written.initial_values()[1], strict=True))
    return {**{name: [value] * points for name, value in constants.items()}, **frame}
