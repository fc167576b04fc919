"""sbmltoodejax as it is: its own roll-out with the distance of the output points as its step."""

import numpy as np
from read_sbmltoodejax import PACKAGES, named, written

__all__ = ["PACKAGES", "simulate"]


def simulate(path, end, points, relative=1e-12, absolute=1e-6):
    """Return the course of every variable and constant."""
    module = written(path, double=False, deltaT=end / (points - 1), rtol=relative, atol=absolute)
    states, rules, time = (np.asarray(part) for part in module.ModelRollout()(points))
    return {"time": time, **named(path, module, states, rules, points)}
