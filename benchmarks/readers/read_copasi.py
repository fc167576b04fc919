"""COPASI through BasiCO: import of the file, one deterministic time course."""

import basico

PACKAGES = ("python-copasi", "copasi-basico")


def simulate(path, end, points, **tolerances):
    """Return the course of every variable and the values of species that stay constant."""
    model = basico.load_model(path)
    names = {"relative": "r_tol", "absolute": "a_tol"}
    try:
        frame = basico.run_time_course(
            duration=end,
            intervals=points - 1,
            max_steps=1_000_000,
            method="deterministic",
            use_sbml_id=True,
            model=model,
            **{names[k]: v for k, v in tolerances.items()},
        )
        species = basico.get_species(model=model)
        found = [] if species is None else zip(species["sbml_id"], species["initial_concentration"], strict=True)
        return {"time": frame.index, **{name: [value] * points for name, value in found}, **frame}
    finally:
        basico.remove_datamodel(model)
