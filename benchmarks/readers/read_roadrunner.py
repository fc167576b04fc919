"""libRoadRunner: the file as it is, one call of simulate."""

import roadrunner

PACKAGES = ("libroadrunner",)


def simulate(path, end, points, **tolerances):
    """Return the course of every variable and constant."""
    return courses(roadrunner.RoadRunner(path), end, points, **tolerances)


def courses(rr, end, points, **tolerances):
    """Return the course of every variable and constant of an instance."""
    for name, value in tolerances.items():
        setattr(rr.integrator, f"{name}_tolerance", value)
    # The default of 20 000 steps between two points stops long experiments.
    rr.integrator.maximum_num_steps = 500_000
    species = [*rr.model.getFloatingSpeciesIds(), *rr.model.getBoundarySpeciesIds()]
    others = [*rr.model.getGlobalParameterIds(), *rr.model.getCompartmentIds()]
    values = rr.simulate(0, end, points, ["time", *(f"[{s}]" for s in species), *others])
    return {name: values[:, k] for k, name in enumerate(["time", *species, *others])}
