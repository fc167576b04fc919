"""PEtab problems: read back by a few lines of libRoadRunner, by PEtab's linter, and by the programs they are for."""

import math
import re
from io import StringIO

import numpy as np
import pandas as pd
import pytest

import metaflammation as mf
from conftest import TINY
from metaflammation import library, measurements, sbml
from metaflammation.compile import compile_file
from metaflammation.errors import ExportError
from metaflammation.exchange import petab
from metaflammation.exchange.petab.version_1 import MOMENT
from metaflammation.exchange.petab.version_2 import TIME_ZERO
from metaflammation.problem import Problem

MODELS = {name: mf.load(name) for name in library.catalogue()}
WITH_SERIES = {n: m for n, m in MODELS.items() if (measurements.read(m)["use"] == "fit").any()}
REFUSED: dict[tuple[str, int], str] = {}
"""Model and version that PEtab cannot express, and what the error says."""
PROBLEMS = [pytest.param(m, v, id=f"{n}-v{v}") for n, m in WITH_SERIES.items() for v in (1, 2) if (n, v) not in REFUSED]
IN_VERSION_1 = [n for n in WITH_SERIES if (n, 1) not in REFUSED]

# What the libraries warn of on import and in use is theirs.
foreign = pytest.mark.filterwarnings("ignore")


# --- a made model in which conditions do all that PEtab must say ------------------------------------------------------

CONDITIONS = """\
conditionId	targetId	targetValue
primed	S	0.5
stimulated	S	3
unknown_dose	S	S_unknown
blocked	k_off	0.02
slowed	k_on	0.05
other_cell	f_total	f_total_other
washed	S	0
"""

EXPERIMENTS = """\
experiments:
  - {id: step, title: step, equilibration: {duration: 5 min, conditions: [primed]},
     periods: [{start: 0, conditions: [stimulated]}], duration: 20 min}
  - {id: blocked, title: blocked, equilibration: {duration: 900 min}, duration: 20 min,
     periods: [{start: 0, conditions: [blocked, slowed, stimulated]}]}
  - {id: other, title: other cell, equilibration: {duration: 900 min, conditions: [other_cell]}, duration: 20 min,
     periods: [{start: 0, conditions: [unknown_dose]}]}
  - {id: plain, title: plain, duration: 20 min, periods: [{start: 0, conditions: [stimulated]}]}
  - {id: kept, title: signal kept, equilibration: {duration: 900 min, conditions: [primed, slowed]}, duration: 20 min,
     periods: [{start: 0, conditions: [blocked]}]}
  - {id: joined, title: two conditions that set the same, equilibration: {duration: 900 min,
     conditions: [stimulated, primed]}, duration: 20 min, periods: [{start: 0, conditions: [slowed]}]}
  - {id: series, title: doses, equilibration: {duration: 900 min}, duration: 10 min,
     doses: {target: S, unit: nM, values: [0, 0.5, 2]}}
"""

PULSE = """\
  - {id: pulse, title: pulse, equilibration: {duration: 900 min}, duration: 20 min,
     periods: [{start: 0, conditions: [stimulated]}, {start: 5, conditions: [washed]}]}
"""

OBSERVABLES = """\
observableId	observableName	observableFormula	noiseFormula	noiseDistribution
obs_B	B	scale_B * B	noiseParameter1_obs_B	normal
obs_rise	rise of B	offset_rise + scale_B * (B - basal_B)	noiseParameter1_obs_rise	normal
obs_f	fraction	10 * fraction ** 2	noiseParameter1_obs_f	normal
"""

ESTIMATED = """\
parameterId	lowerBound	upperBound	nominalValue	estimate	priorDistribution	priorParameters
k_off	0.001	10	0.1	true	log-normal	-2;0.5
k_on	0.001	10	0.1	true		
S_unknown	0.01	100	1.5	true		
f_total_other	0.1	10	2	true		
scale_B	1e-6	1e6	{scale_B:r}	true		
offset_rise	-100	100	{offset_rise:r}	true		
"""  # noqa: W291


class Files(library.ModelFiles):
    """Files of a model that has no entry in the metadata."""

    metadata = None


def made(folder, *, pulse=False, volume=2, source=TINY, risen=(), **changed):
    """Return the made model; ``risen`` names further runs in which the rise over time zero is measured."""
    path = folder / "tiny.ant"
    path.write_text(source.replace("compartment cell = 1", f"compartment cell = {volume}"))
    rng = np.random.default_rng(1)
    rows = ["observableId\texperimentId\ttime\tmeasurement\tnoiseParameters\tuse\tdatasetId"]
    equilibrated = ["step", "blocked", "other", "kept", "joined", "series__0", "series__0p5", "series__2"]
    for arm in [*equilibrated, "plain"] + ["pulse"] * pulse:
        for observable in ["obs_B", "obs_f"] + ["obs_rise"] * (arm in [*equilibrated, "pulse", *risen]):
            for time in (0, 2, 8):
                noise = round(rng.uniform(0.2, 2), 3)
                rows.append(f"{observable}\t{arm}\t{time}\t{rng.uniform(1, 9):.4f}\t{noise}\tfit\t{observable}")
    rows.append("obs_B\tplain\t15\t1000\t0.1\tcompare\tleft_out")
    texts = {
        "conditions.tsv": CONDITIONS,
        "experiments.yaml": EXPERIMENTS + PULSE * pulse,
        "observables.tsv": OBSERVABLES,
        "measurements.tsv": "\n".join(rows) + "\n",
        "petab_parameters.tsv": filled(1.0, 0.0),
    }
    validation = folder / "validation" / "tiny"
    validation.mkdir(parents=True, exist_ok=True)
    for name, text in (texts | {name.replace("__", "."): text for name, text in changed.items()}).items():
        (validation / name).write_text(text)
    files = Files("tiny", library.Collection(folder, folder / "validation"))
    model = mf.Model("tiny", compile_file(path).sbml, files)
    problem = Problem(model)
    scales = problem.scaled(problem.start)[1]
    (validation / "petab_parameters.tsv").write_text(filled(scales["scale_B"], scales["offset_rise"]))
    return mf.Model("tiny", model.sbml, files)


def filled(scale, offset):
    return ESTIMATED.replace("{scale_B:r}", repr(scale)).replace("{offset_rise:r}", repr(offset))


# --- a reader of the files, for libRoadRunner -------------------------------------------------------------------------


def table(files, name):
    return pd.read_csv(StringIO(files[f"{name}.tsv"]), sep="\t", keep_default_na=False)


def reader(files, model):
    import roadrunner

    rr = roadrunner.RoadRunner(files[f"{model.id}.xml"])
    rr.integrator.relative_tolerance = 1e-9
    rr.integrator.absolute_tolerance = 1e-12
    rr.integrator.maximum_num_steps = 500_000
    species = set(rr.model.getFloatingSpeciesIds()) | set(rr.model.getBoundarySpeciesIds())
    nominal = dict(table(files, "parameters")[["parameterId", "nominalValue"]].itertuples(index=False))
    return rr, species, nominal


class State(dict):
    """Values of a RoadRunner by id, species as concentrations."""

    def __init__(self, rr, species, extra):
        super().__init__(extra)
        self.rr, self.species = rr, species

    def __missing__(self, name):
        if name == "log10":
            return math.log10
        return self.rr[f"[{name}]" if name in self.species else name]


def value(formula, state):
    return eval(str(formula).replace("^", "**"), {}, state)  # noqa: S307


def version_1(files, model):
    """Return the sum of squares, of measurements and of priors."""
    rr, species, nominal = reader(files, model)
    formulas = dict(table(files, "observables")[["observableId", "observableFormula"]].itertuples(index=False))
    rows = table(files, "measurements")
    sums = {"measured": 0.0, "priors": 0.0}
    for _, condition in table(files, "conditions").iterrows():
        rr.resetToOrigin()
        for name, number in {**nominal, **condition.drop(["conditionId", "conditionName"])}.items():
            if name in rr.model.getGlobalParameterIds():
                rr[name] = float(number)
        rr.reset()
        now = 0.0
        for row in rows[rows["simulationConditionId"] == condition["conditionId"]].sort_values("time").itertuples():
            if row.time > now:
                rr.simulate(now, row.time, 2)
                now = row.time
            found = value(formulas[row.observableId], State(rr, species, nominal))
            sums["priors" if row.datasetId == "priors" else "measured"] += (row.measurement - found) ** 2
    return sums["measured"], sums["priors"]


def version_2(files, model):
    """Return the sum of squares of the measurements."""
    rr, species, nominal = reader(files, model)
    formulas = dict(table(files, "observables")[["observableId", "observableFormula"]].itertuples(index=False))
    conditions = {
        c: dict(g[["targetId", "targetValue"]].values) for c, g in table(files, "conditions").groupby("conditionId")
    }
    rows, total = table(files, "measurements"), 0.0
    for experiment, periods in table(files, "experiments").groupby("experimentId"):
        rr.resetToOrigin()
        for name, number in nominal.items():
            if name in rr.model.getGlobalParameterIds():
                rr[name] = float(number)
        todo = rows[rows["experimentId"] == experiment].sort_values("time")
        starts = sorted(periods["time"].astype(float).unique())
        now = starts[0]
        for start, end in zip(starts, [*starts[1:], math.inf], strict=True):
            names = [n for n in periods.loc[periods["time"].astype(float) == start, "conditionId"] if n]
            changes = {t: v for n in names for t, v in conditions[n].items()}
            new = {t: value(v, State(rr, species, nominal)) for t, v in changes.items()}
            for t in sorted(new, key=lambda t: t in species):
                rr[f"[{t}]" if t in species else t] = new[t]
                if start == starts[0] and t not in species:
                    rr.reset()
            now = start if math.isfinite(start) else -1e6
            for row in todo[(todo["time"] >= start) & (todo["time"] < end)].itertuples():
                if row.time > now:
                    rr.simulate(now, row.time, 2)
                    now = row.time
                found = value(formulas[row.observableId], State(rr, species, nominal))
                total += ((row.measurement - found) / row.noiseParameters) ** 2
            stop = end if math.isfinite(end) else now
            if stop > now:
                rr.simulate(now, stop, 2)
    return total


@pytest.mark.parametrize(("model", "version"), PROBLEMS)
def test_problem_of_a_catalogue_model_has_our_chi2_when_read_back(model, version):
    files = petab.tables(model, version)
    problem = Problem(model)
    residuals = problem.scaled(problem.start)[0]
    found = version_1(files, model)[0] if version == 1 else version_2(files, model)
    assert found == pytest.approx(residuals @ residuals, rel=1e-4)


def test_priors_of_version_1_weigh_as_in_our_objective(insulin_cascade):
    problem = Problem(insulin_cascade)
    with_priors = float((problem.residuals(problem.start) ** 2).sum())
    found = version_1(petab.tables(insulin_cascade, 1), insulin_cascade)[1]
    assert found == pytest.approx(with_priors - problem.chi2(problem.start), rel=1e-6)


def test_priors_of_version_2_have_their_optimum_where_ours_have_it(insulin_cascade):
    rows = table(petab.tables(insulin_cascade), "parameters").set_index("parameterId")
    for p in Problem(insulin_cascade).free:
        kind, numbers = rows.loc[p.id, ["priorDistribution", "priorParameters"]]
        if not p.log10_prior:
            assert (kind, numbers) == ("", "")
            continue
        assert kind == "log-normal"
        mu, sigma = map(float, numbers.split(";"))
        mean, deviation = p.log10_prior

        def petab_objective(x, mu=mu, sigma=sigma):
            return 2 * (x * math.log(10) + (x * math.log(10) - mu) ** 2 / (2 * sigma**2))

        differences = [petab_objective(x) - ((x - mean) / deviation) ** 2 for x in (-3.0, -1.0, 0.5)]
        assert np.ptp(differences) == pytest.approx(0, abs=1e-6)


IN_TWO_MINUTES = (
    TINY.replace("unit minute", "unit span").replace("= minute", "= span").replace("60 second", "120 second")
)


@pytest.mark.parametrize("source", [pytest.param(TINY, id="min"), pytest.param(IN_TWO_MINUTES, id="two min")])
@pytest.mark.parametrize("volume", [1, 2])
@pytest.mark.parametrize("version", [1, 2])
def test_made_problem_has_our_chi2_when_read_back(version, volume, source, tmp_path):
    model = made(tmp_path, pulse=version == 2, volume=volume, source=source)
    files = petab.tables(model, version)
    problem = Problem(model)
    found = version_1(files, model)[0] if version == 1 else version_2(files, model)
    assert found == pytest.approx(problem.chi2(problem.start), rel=1e-4)


def with_event(statement):
    """Return the tiny model with an event after which switching off is twice as fast."""
    parameters = "  factor = 1; factor has dl; two = 2; two has dl; level = 0.06; level has per_min; moment = 3;"
    event = f"{parameters} moment has minute;\n  tired: at {statement};\n  on: A"
    source = TINY.replace("k_on = 0.1, k_off = 0.1;", "k_on = 0.1; k_off = 0.1;")
    return source.replace("cell*k_off*B", "cell*k_off*factor*B").replace("  on: A", event)


@pytest.mark.parametrize("version", [1, 2])
def test_made_problem_with_an_event_that_reads_an_estimated_parameter_has_our_chi2(version, tmp_path):
    model = made(tmp_path, source=with_event("fraction*k_on > level: factor = two"))
    files = petab.tables(model, version)
    problem = Problem(model)
    found = version_1(files, model)[0] if version == 1 else version_2(files, model)
    assert found == pytest.approx(problem.chi2(problem.start), rel=1e-4)


@pytest.mark.parametrize(("model", "version"), PROBLEMS)
def test_problem_is_the_same_each_time_and_its_model_without_findings(model, version):
    files = petab.tables(model, version)
    assert files == petab.tables(mf.load(model.id), version)
    assert sbml.findings(files[f"{model.id}.xml"]) == []


@pytest.mark.parametrize("version", [1, 2])
def test_made_problem_has_a_model_without_findings(version, tmp_path):
    assert sbml.findings(petab.tables(made(tmp_path), version)["tiny.xml"]) == []


@pytest.mark.parametrize("version", [1, 2])
def test_only_what_is_fitted_is_in_the_problem(version, insulin_cascade):
    files = petab.tables(insulin_cascade, version)
    rows = measurements.read(insulin_cascade)
    fitted = rows[rows["use"] == "fit"]
    measured = table(files, "measurements").query("datasetId != 'priors'")
    assert measured.groupby("datasetId").size().to_dict() == fitted.groupby("datasetId").size().to_dict()
    problem = Problem(insulin_cascade)
    parameters = table(files, "parameters").set_index("parameterId")
    assert list(parameters.index) == [*problem.names, *problem.nuisances]
    if version == 1:
        scales = {i: "lin" if i.startswith("offset_") else "log10" for i in parameters.index}
        assert parameters["parameterScale"].to_dict() == scales
    assert "type 2 diabetes" not in files["observables.tsv"]


def test_version_2_keeps_our_conditions_and_says_when_an_equilibration_is_cut_short(tmp_path):
    files = petab.tables(made(tmp_path, pulse=True))
    experiments = table(files, "experiments")
    first = experiments.astype({"time": float}).groupby("experimentId")["time"].min()
    assert first["step"] == -5
    assert first["plain"] == 0
    assert (first.drop(["step", "plain"]) == -math.inf).all()
    pulse = experiments[experiments["experimentId"] == "pulse"]
    assert list(pulse["conditionId"]) == ["", "stimulated", TIME_ZERO, "washed"]
    assert next(iter(experiments.query("experimentId == 'joined'")["conditionId"])) == "stimulated_and_primed"
    conditions = table(files, "conditions").set_index(["conditionId", "targetId"])["targetValue"]
    assert conditions["other_cell", "f_total"] == "f_total_other"
    assert conditions["S_set_to_0p5", "S"] == "0.5"
    assert conditions["blocked", "k_off_fixed"] == "0.02"
    assert conditions["blocked", "k_off_share_of_k_off"] == "0"


def test_readme_says_what_is_not_in_the_problem(tmp_path):
    target = """\
targets:
  - {id: late, basis: recalled, statement: B late, target: 3, sd: 1,
     value: {statistic: final, experiment: step, observable: B}}
"""
    plain, with_target = (petab.tables(made(tmp_path, **more))["README.md"] for more in ({}, {"targets__yaml": target}))
    assert "numbers that are no series" not in plain
    assert "aims at 1 numbers that are no series" in with_target
    assert "Measurements that are only compared with the model are not in it" in " ".join(plain.split())


@pytest.mark.parametrize(
    ("version", "changes", "reason"),
    [
        pytest.param(3, {}, "versions 1 and 2, not 3", id="version"),
        pytest.param(1, {"pulse": True}, "pulse: has 2 periods.*use version 2", id="periods"),
        pytest.param(2, {"risen": ["plain"]}, "plain: has basal_B .* no equilibration", id="time zero"),
        pytest.param(
            2, {"conditions__tsv": CONDITIONS + "primed\tcell\t3\n"}, "sets the compartment cell", id="compartment"
        ),
        pytest.param(
            1, {"conditions__tsv": CONDITIONS + "primed\tA\t3\n"}, "A: only some runs set it", id="computed start"
        ),
        pytest.param(
            1, {"source": with_event("time > moment: factor = two")}, "tiny: reads the time.* use version 2", id="time"
        ),
        pytest.param(
            2, {"source": with_event("B > A: k_off = k_on*k_off/k_on")}, "k_off: conditions and an event", id="event"
        ),
        pytest.param(
            1,
            {"source": TINY.replace("const f_total", "S_from_start = 1; S_from_start has nM; const f_total")},
            "an element S_from_start, an id that",
            id="taken id",
        ),
    ],
)
def test_what_petab_cannot_say_is_refused_with_the_reason(version, changes, reason, tmp_path):
    model = made(tmp_path, **changes)
    with pytest.raises(ExportError, match=reason):
        petab.tables(model, version)


def test_catalogue_models_that_petab_cannot_express_are_refused():
    for (name, version), reason in REFUSED.items():
        with pytest.raises(ExportError, match=reason):
            petab.tables(MODELS[name], version)


def test_model_without_fitted_series_is_refused(tiny):
    with pytest.raises(ExportError, match="tiny: has no measured series that is fitted"):
        petab.tables(tiny)


# --- PEtab's linter, pyPESTO and COPASI -------------------------------------------------------------------------------


def library_of(name):
    """Return a package that not everybody has."""
    return pytest.importorskip(name, reason=f"{name} is missing: pip install 'metaflammation[petab,fit]'")


def written(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return str(folder / "problem.yaml")


@foreign
@pytest.mark.parametrize(
    ("model", "version"), [*PROBLEMS, pytest.param(None, 1, id="made-v1"), pytest.param(None, 2, id="made-v2")]
)
def test_lint_finds_nothing(model, version, tmp_path):
    library_of("petab")
    model = model or made(tmp_path)
    path = written(tmp_path, petab.tables(model, version))
    if version == 1:
        from petab.v1 import Problem as Read
        from petab.v1.lint import lint_problem

        assert lint_problem(Read.from_yaml(path)) is False
    else:
        from petab.v2.lint import lint_problem

        assert lint_problem(path) == []


@foreign
def test_converter_of_petab_for_amici_reads_our_chi2_from_version_2(tmp_path):
    library_of("petab")
    library_of("sbmlmath")
    import libsbml
    import roadrunner
    from petab.v2 import Problem as Read
    from petab.v2.converters import ExperimentsToSbmlConverter

    model = made(tmp_path, pulse=True)
    read = ExperimentsToSbmlConverter(Read.from_yaml(written(tmp_path, petab.tables(model)))).convert()
    nominal = {p.id: p.nominal_value for p in read.parameters}
    conditions = {c.id: {change.target_id: float(change.target_value) for change in c.changes} for c in read.conditions}
    formulas = {o.id: str(o.formula) for o in read.observables}
    total = 0.0
    # libRoadRunner would fire at once an event that waits for time zero, when it starts before.
    for experiment in (e for e in read.experiments if e.id != "step"):
        document = libsbml.readSBMLFromString(read.model.to_sbml_str())
        first, *second = (
            {t: v for c in period.condition_ids for t, v in conditions[c].items()}
            for period in experiment.sorted_periods
        )
        for name, number in {**nominal, **first}.items():
            if document.getModel().getParameter(name) is not None:
                document.getModel().getParameter(name).setValue(number)
        rr = roadrunner.RoadRunner(libsbml.writeSBMLToString(document))
        rr.integrator.relative_tolerance = 1e-9
        now = experiment.sorted_periods[0].time
        if second:
            now = -MOMENT
            rr.simulate(-1e6, now, 2)
            for name, number in second[0].items():
                rr[name] = number
        points = [m for m in read.measurements if m.experiment_id == experiment.id]
        for point in sorted(points, key=lambda m: m.time):
            at = point.time + MOMENT
            if at > now:
                rr.simulate(now, at, 2)
                now = at
            found = value(formulas[point.observable_id], State(rr, set(rr.model.getFloatingSpeciesIds()), nominal))
            total += float((point.measurement - found) / point.noise_parameters[0]) ** 2
    problem = Problem(model)
    ours = problem.scaled(problem.start)[0][(problem.rows["experimentId"] != "step").to_numpy()]
    assert total == pytest.approx(ours @ ours, rel=1e-3)


def pypesto_problem(path, **solver):
    """Return pyPESTO's problem, the sum of squares of its libRoadRunner objective, and the nominal values."""
    library_of("pypesto")
    from petab.v1 import Problem as Read
    from pypesto.objective.roadrunner import SolverOptions
    from pypesto.petab import PetabImporter

    read = Read.from_yaml(path)
    problem = PetabImporter(read, simulator_type="roadrunner").create_problem()
    problem.objective.solver_options = SolverOptions(maximum_num_steps=500_000, **solver)
    constant = len(read.measurement_df) * math.log(2 * math.pi)
    return problem, lambda x: 2 * problem.objective(x) - constant, np.array(read.x_nominal_scaled), read


@foreign
@pytest.mark.parametrize("which", [*IN_VERSION_1, "made"])
def test_pypesto_with_roadrunner_has_our_objective_at_the_committed_values(which, tmp_path):
    model = made(tmp_path) if which == "made" else MODELS[which]
    _, squares, x, _ = pypesto_problem(written(tmp_path, petab.tables(model, 1)))
    problem = Problem(model)
    ours = float((problem.residuals(problem.start) ** 2).sum())
    assert squares(x) == pytest.approx(ours, rel=1e-3)
    squares(x + 0.05)
    assert squares(x) == pytest.approx(ours, rel=1e-3)


@foreign
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_pypesto_with_roadrunner_fits_to_our_chi2_from_a_moved_start(insulin_cascade, tmp_path):
    problem, squares, nominal, read = pypesto_problem(written(tmp_path, petab.tables(insulin_cascade, 1)))
    import pypesto
    from pypesto.optimize import ScipyOptimizer, minimize

    rows = read.measurement_df
    lower, upper = np.array(read.lb_scaled), np.array(read.ub_scaled)

    def residuals(x):
        simulated = problem.objective(x, return_dict=True)["simulation_results"]
        found = [
            simulated[r.simulationConditionId][r.observableId][
                np.searchsorted(simulated[r.simulationConditionId]["time"], r.time)
            ]
            for r in rows.itertuples()
        ]
        return rows["measurement"].to_numpy() - found

    def jacobian(x):
        here, step = residuals(x), 1e-3
        return np.array([(residuals(x + step * unit) - here) / step for unit in np.eye(len(x))]).T

    objective = pypesto.Objective(res=residuals, sres=jacobian)
    start = moved(nominal, read.x_ids, lower, upper)
    assert squares(start) > 1.5 * squares(nominal)
    least_squares = pypesto.Problem(objective, lower, upper, x_guesses=start[None], x_names=read.x_ids)
    optimizer = ScipyOptimizer("ls_trf", tol=1e-4, options={"maxfun": 15})
    result = minimize(least_squares, optimizer, n_starts=1, progress_bar=False, filename=None)
    end = residuals(np.array(result.optimize_result[0].x))
    assert_fitted(insulin_cascade, end[(rows["datasetId"] != "priors").to_numpy()])


def moved(nominal, ids, lower, upper):
    """Return a seeded start in which the kinetic parameters are moved by a tenth of a decade."""
    kinetic = np.array([not i.startswith(("scale_", "offset_")) for i in ids])
    shift = np.where(kinetic, np.random.default_rng(1).normal(0, 0.1, len(ids)), 0.0)
    return np.clip(nominal + shift, lower + 1e-3, upper - 1e-3)


def assert_fitted(model, residuals):
    problem = Problem(model)
    assert float(residuals @ residuals) == pytest.approx(problem.chi2(problem.start), rel=0.01)


@pytest.fixture
def in_copasi(tmp_path):
    """Return a function that imports a problem into COPASI and tells how many experiments there are."""
    library_of("petab")
    library_of("copasi_petab_importer")
    import basico
    import basico.petab

    def load(files):
        # COPASI's importer needs an absolute folder.
        basico.petab.load_petab(written(tmp_path, files), str(tmp_path.resolve()), "problem")
        return basico

    yield load
    basico.remove_datamodel(basico.get_current_model())


def estimation(basico, **method):
    """Return the sum of squares at the end of COPASI's parameter estimation, and the parameters there."""
    solution = basico.run_parameter_estimation(update_model=False, **method)
    ids = [re.fullmatch(r"Values\[(\w+)\]", name)[1] for name in solution.index]
    return basico.get_fit_statistic()["obj"], dict(zip(ids, solution["sol"], strict=True))


@foreign
@pytest.mark.copasi
@pytest.mark.parametrize("which", [*IN_VERSION_1, "made"])
def test_copasi_has_our_objective_at_the_committed_values(which, in_copasi, tmp_path):
    model = made(tmp_path) if which == "made" else MODELS[which]
    basico = in_copasi(petab.tables(model, 1))
    problem = Problem(model)
    ours = float((problem.residuals(problem.start) ** 2).sum())
    found, parameters = estimation(basico, method=basico.PE.CURRENT_SOLUTION)
    assert set(parameters) == {*problem.names, *problem.nuisances}
    assert found == pytest.approx(ours, rel=1e-3)


@foreign
@pytest.mark.copasi
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_copasi_fits_to_our_chi2_from_a_moved_start(insulin_cascade, in_copasi):
    basico = in_copasi(petab.tables(insulin_cascade, 1))
    items = basico.as_dict(basico.get_fit_parameters())
    nominal, lower, upper = (np.array([float(i[k]) for i in items]) for k in ("start", "lower", "upper"))
    ids = [re.fullmatch(r"Values\[(\w+)\]", i["name"])[1] for i in items]
    kinetic = np.array([not i.startswith(("scale_", "offset_")) for i in ids])
    logs = [np.where(kinetic, np.log10(np.where(kinetic, v, 1.0)), v) for v in (nominal, lower, upper)]
    start = moved(logs[0], ids, *logs[1:])
    for item, value, is_kinetic in zip(items, start, kinetic, strict=True):
        item["start"] = float(10**value if is_kinetic else value)
    basico.set_fit_parameters(items)
    before, _ = estimation(basico, method=basico.PE.CURRENT_SOLUTION)
    basico.set_fit_parameters(items)
    method = {"method": {"Iteration Limit": 12}}
    after, end = estimation(basico, method=basico.PE.LEVENBERG_MARQUARDT, settings=method)
    problem = Problem(insulin_cascade)
    ours = problem.chi2(problem.start)
    priors = sum(
        ((math.log10(end[p.id]) - p.log10_prior[0]) / p.log10_prior[1]) ** 2 for p in problem.free if p.log10_prior
    )
    assert before > 1.5 * ours
    assert after - priors == pytest.approx(ours, rel=0.01)
