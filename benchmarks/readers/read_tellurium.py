"""Tellurium: loadSBMLModel, then as libRoadRunner."""

# libsbml must be loaded first: importing it after tellurium's libraries breaks its enumerations.
import libsbml  # noqa: F401
import tellurium
from read_roadrunner import courses

PACKAGES = ("tellurium", "libroadrunner")


def simulate(path, end, points, **tolerances):
    """Return the course of every variable and constant."""
    return courses(tellurium.loadSBMLModel(path), end, points, **tolerances)
