"""A model: the thin facade over loading, simulating, checking and exporting."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflammation import library, reading, sbml, simulate
from metaflammation.engines import Engine, Phase
from metaflammation.engines import load as load_engine
from metaflammation.errors import DataError, ModelError, SimulationError, missing, unknown
from metaflammation.guarded import Guarded
from metaflammation.lint import Report, Subject, examine
from metaflammation.lint.run import WORKER
from metaflammation.records import Solver
from metaflammation.runs import Runs
from metaflammation.simulate import Protocol, merge_conditions
from metaflammation.timecourse import DoseSeries, TimeCourse
from metaflammation.units import QuantityLike, minutes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import graphviz
    import pandas as pd
    from matplotlib.axes import Axes

    from metaflammation.ensembles.ensemble import Ensemble
    from metaflammation.ensembles.population import VirtualPopulation
    from metaflammation.ensembles.robustness import Robustness
    from metaflammation.ensembles.sensitivity import Sensitivity
    from metaflammation.ensembles.trials import TrialResult
    from metaflammation.records import (
        EstimatedParameter,
        Expectation,
        Experiment,
        ModelMetadata,
        ParameterEvidence,
        Population,
        Target,
        Trial,
    )

EQUILIBRATION = 60 * 24 * 60.0
"""Minutes (60 days) of ``equilibrate=True``."""


def load(model: str | Path) -> Model:
    """Return a model of the catalogue, or one's own.

    Parameters
    ----------
    model : str or path
        The name of a catalogue model; a file of SBML (.xml, .sbml) or Antimony (.ant); or a folder with the folders
        ``models`` and ``validation`` of a single model, as ``metaflammation new`` makes one. A file that lies in such a
        folder has its experiments and expectations too.

    Raises
    ------
    ModelError
        If there is no such model (the nearest names are offered) or the file is not sound SBML.
    CompileError
        If an Antimony file has an error.
    """
    files = library.locate(model)
    if files and ((isinstance(model, str) and not Path(model).suffix) or Path(model).is_dir()):
        text = files.sbml()
        if files.collection != library.packaged():
            _guard(text, files.name)
        return Model(files.id, text, files)
    path = Path(model)
    text = reading.read_text(path)
    if reading.is_antimony(path):
        from metaflammation.compile import compile_file, compile_model

        text = (compile_model(files) if files else compile_file(path)).sbml
    _guard(text, str(path))
    return Model(path.stem, text, files)


def _guard(text: str, where: str) -> None:
    """Raise an error if a document is not sound, or cannot be read without harm: seen in a process of its own."""
    with Guarded(WORKER) as worker:
        worker.ask({"do": "sound", "name": where, "text": text}, where)


def catalogue() -> pd.DataFrame:
    """Return the models of the catalogue, one row each.

    Returns
    -------
    pandas.DataFrame
        Index ``model``; columns title, tier, version, states (what is integrated: species, and variables with a rate
        rule), reactions, parameters, experiments, expectations.
    """
    import pandas as pd

    rows = []
    for name in library.catalogue():
        model = load(name)
        elements = list(model.elements.values())
        rows.append(
            {
                "model": name,
                "title": model.metadata.title if model.metadata else "",
                "tier": model.metadata.tier if model.metadata else None,
                "version": model.metadata.version if model.metadata else "",
                "states": sum(e.kind != "reaction" and not (e.constant or e.assigned) for e in elements),
                "reactions": sum(e.kind == "reaction" for e in elements),
                "parameters": sum(e.kind == "parameter" and e.constant for e in elements),
                "experiments": len(model.experiments),
                "expectations": len(model.expectations),
            }
        )
    return pd.DataFrame(rows).astype({"tier": "Int64"}).set_index("model")


class Model:
    """A model with its experiments and expectations; get one from :func:`load`.

    Results never depend on what was simulated before. Threads must not share a model; processes may, it pickles.

    Attributes
    ----------
    id : str
        Name of the catalogue model, or of the file without its ending.
    sbml : str
        The SBML document.
    """

    def __init__(self, model_id: str, text: str, files: library.ModelFiles | None) -> None:
        self.id = model_id
        self.sbml = text
        self.files = files
        self._engines: dict[str, Engine] = {}

    def __repr__(self) -> str:
        return f"<metaflammation.Model {self.id}>"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_engines": {}}

    @property
    def metadata(self) -> ModelMetadata | None:
        """Return title, version, dates and solver settings; None for an own file."""
        return self.files.metadata if self.files else None

    @property
    def solver(self) -> Solver:
        """Return the tolerances with which the model is integrated."""
        return self.metadata.solver if self.metadata else Solver()

    @cached_property
    def elements(self) -> dict[str, sbml.Element]:
        """Return compartments, species, parameters and reactions, by SBML id."""
        return sbml.elements(self.sbml, self.id)

    @cached_property
    def parameters(self) -> dict[str, ParameterEvidence]:
        """Return the evidence of each parameter, by id; empty for an own file."""
        return self.files.parameters() if self.files else {}

    @cached_property
    def experiments(self) -> dict[str, Experiment]:
        """Return the named experiments, by id; empty for an own file."""
        return self.files.experiments() if self.files else {}

    @cached_property
    def conditions(self) -> dict[str, dict[str, float]]:
        """Return the named conditions: the value of each target, in model units."""
        return self.conditions_with({})

    def conditions_with(self, values: Mapping[str, float]) -> dict[str, dict[str, float]]:
        """Return the conditions with other values of the estimated parameters that they name."""
        known = {i: p.value for i, p in self.estimated.items()} | dict(values)

        def number(value: float | str) -> float:
            if isinstance(value, str):
                if value not in known:
                    raise DataError(f"{self.id}/conditions.tsv: {unknown('estimated parameter', value, known)}")
                return known[value]
            return value

        raw = self.files.conditions() if self.files else {}
        return {name: {target: number(v) for target, v in changes.items()} for name, changes in raw.items()}

    @cached_property
    def estimated(self) -> dict[str, EstimatedParameter]:
        """Return the estimated parameters: of the model, of conditions and of observables."""
        return self.files.estimated() if self.files else {}

    @cached_property
    def targets(self) -> dict[str, Target]:
        """Return the calibration targets that are no series, by id; empty for an own file."""
        return self.files.targets() if self.files else {}

    @cached_property
    def populations(self) -> dict[str, Population]:
        """Return the named populations, by id; empty for an own file."""
        return self.files.populations() if self.files else {}

    @cached_property
    def trials(self) -> dict[str, Trial]:
        """Return the trials that can be repeated with virtual persons, by id; empty for an own file."""
        return self.files.trials() if self.files else {}

    @cached_property
    def expectations(self) -> dict[str, Expectation]:
        """Return the expectations, by id; empty for an own file."""
        return self.files.expectations() if self.files else {}

    def engine(self, name: str = "roadrunner") -> Engine:
        """Return the compiled engine of that name; the same one each time."""
        if name not in self._engines:
            self._engines[name] = load_engine(name, self.sbml, self.elements, self.solver)
        return self._engines[name]

    def runs(
        self,
        engine: str = "roadrunner",
        overrides: Mapping[str, float] | None = None,
        *,
        base: Mapping[str, float] | None = None,
        named: Mapping[str, float] | None = None,
    ) -> Runs:
        """Return the simulated experiments of this model, computed as they are asked for.

        ``overrides`` hold over what experiments and conditions set; ``base`` stands for the model's own values, and
        ``named`` for the estimated parameters that conditions name.
        """
        conditions = self.conditions_with(named) if named else self.conditions
        return Runs(
            self.engine(engine), self.elements, self.experiments, conditions, overrides, self._measured_times, base
        )

    @cached_property
    def _measured_times(self) -> dict[str, set[float]]:
        from metaflammation import measurements

        rows = measurements.read(self)
        return {e.id: measurements.times(rows, e.arms) for e in self.experiments.values()}

    def simulate(
        self,
        experiment: str | None = None,
        *,
        dose: QuantityLike | None = None,
        duration: QuantityLike | None = None,
        changes: Mapping[str, QuantityLike] | None = None,
        conditions: str | Sequence[str] = (),
        overrides: Mapping[str, QuantityLike] | None = None,
        equilibrate: bool | QuantityLike = False,
        points: int = 121,
        engine: str = "roadrunner",
    ) -> TimeCourse | DoseSeries:
        """Simulate a named experiment, or ad hoc.

        Parameters
        ----------
        experiment : str, optional
            A named experiment of the model. Without one, ``duration`` is needed.
        dose : quantity, optional
            One dose of an experiment over doses; without it all of them are run.
        duration : quantity, optional
            Length of an ad hoc simulation [min].
        changes : mapping, optional
            Ad hoc only: id to quantity, set at time zero, after equilibration.
        conditions : str or sequence of str, optional
            Named conditions (a tissue, a person, a knock-out) that hold throughout, like ``overrides``, which win.
        overrides : mapping, optional
            Id to quantity. Replaces the value wherever the experiment sets it; an id that it never sets holds
            throughout, equilibration included.
        equilibrate : bool or quantity, optional
            Ad hoc only: simulate first without the changes, for 60 days or the time given.
        points : int, optional
            Ad hoc only: number of output points.
        engine : str, optional
            ``roadrunner`` or ``copasi``.

        Returns
        -------
        TimeCourse or DoseSeries
            A dose series if the experiment is one and no dose is chosen.

        Raises
        ------
        SimulationError, ModelError, DataError
            If a name, quantity or duration is wrong, or the engine fails.
        """
        names = [conditions] if isinstance(conditions, str) else conditions
        held = merge_conditions(names, self.conditions, self.id) | self._settable(overrides)
        if experiment is None:
            if dose is not None:
                raise SimulationError("a dose belongs to a named experiment; set the species with changes=")
            protocol = self._ad_hoc(duration, changes, equilibrate, points)
            return self._run(protocol, held, engine, {"experiment": None})
        if duration is not None or changes is not None or equilibrate is not False:
            raise SimulationError(
                "duration, changes and equilibrate are for simulations without a named experiment; use overrides"
            )
        named = self._experiment(experiment)
        if named.doses is None:
            if dose is not None:
                raise SimulationError(f"experiment {experiment} takes no dose; use overrides")
            return self._run(Protocol.of(named, self.conditions), held, engine, {"experiment": experiment})
        if named.doses.target in held:
            raise SimulationError(f"experiment {experiment} gives doses of {named.doses.target}; choose one with dose=")
        doses = named.doses.values if dose is None else self._doses(named.doses.target, [dose])
        runs = {
            d: self._run(Protocol.of(named, self.conditions, d), held, engine, {"experiment": experiment, "dose": d})
            for d in doses
        }
        return DoseSeries(named.doses.target, named.doses.unit, runs) if dose is None else runs[doses[0]]

    def steady_state(
        self, *, overrides: Mapping[str, QuantityLike] | None = None, engine: str = "roadrunner"
    ) -> pd.DataFrame:
        """Return the state in which nothing moves any more, reached by simulation from the initial state.

        Returns
        -------
        pandas.DataFrame
            Index SBML id; columns value, unit, name.

        Raises
        ------
        SimulationError
            If the model still moves after 19 years.
        """
        state = simulate.steady_state(self.engine(engine), self._settable(overrides))
        frame = state.to_frame().rename_axis("id")
        frame["unit"] = [self.elements[i].unit.label for i in frame.index]
        frame["name"] = [self.elements[i].name or i for i in frame.index]
        return frame

    def dose_response(
        self,
        target: str,
        over: Sequence[QuantityLike],
        *,
        duration: QuantityLike,
        overrides: Mapping[str, QuantityLike] | None = None,
        equilibrate: bool | QuantityLike = True,
        points: int = 121,
        engine: str = "roadrunner",
    ) -> DoseSeries:
        """Simulate a step of one element to each of several values.

        Parameters
        ----------
        target : str
            What is dosed, e.g. ``"insulin"``.
        over : sequence of quantities
            The doses.
        duration : quantity
            How long each dose acts [min].
        """
        doses = self._doses(target, over)
        if len(set(doses)) < len(doses):
            raise DataError(f"{target}: a dose is given twice")
        held = self._settable(overrides)
        protocols = {d: self._ad_hoc(duration, {target: d}, equilibrate, points) for d in doses}
        runs = {d: self._run(p, held, engine, {"dose": d, "target": target}) for d, p in protocols.items()}
        return DoseSeries(target, self.elements[target].unit.label, runs)

    def scan(
        self,
        parameter: str,
        over: Sequence[QuantityLike],
        experiment: str | None = None,
        *,
        statistic: str = "final",
        observables: str | Sequence[str] | None = None,
        **simulation: Any,
    ) -> pd.DataFrame:
        """Return a statistic of each observable while one element takes several values throughout.

        Parameters
        ----------
        parameter : str
            What is scanned.
        over : sequence of quantities
            Its values.
        experiment : str, optional
            A named experiment; without one, give ``duration`` and what else :meth:`simulate` takes.
        statistic : str
            Name of a statistic of a course, such as ``final``, ``max`` or ``half_time``.

        Returns
        -------
        pandas.DataFrame
            Index the values of the parameter, one column an observable.
        """
        import pandas as pd

        from metaflammation.statistics import OF_A_COURSE

        if statistic not in OF_A_COURSE:
            raise DataError(unknown("statistic", statistic, OF_A_COURSE))
        overrides = dict(simulation.pop("overrides", None) or {})
        rows = {}
        for value in self._doses(parameter, over):
            course = self.simulate(experiment, overrides={**overrides, parameter: value}, **simulation)
            if not isinstance(course, TimeCourse):
                raise SimulationError(f"experiment {experiment} is a series of doses; choose one with dose=")
            time = course.data.index.to_numpy()
            columns = [observables] if isinstance(observables, str) else list(observables or course.data.columns)
            rows[value] = {c: OF_A_COURSE[statistic](time, course[c].to_numpy()) for c in columns}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis(parameter)

    def plot_scan(
        self,
        parameter: str,
        over: Sequence[QuantityLike],
        experiment: str | None = None,
        *,
        observables: str | Sequence[str],
        statistic: str = "final",
        ax: Axes | None = None,
        **simulation: Any,
    ) -> Axes:
        """Draw what :meth:`scan` gives, for observables of one unit.

        Raises
        ------
        SimulationError
            If the observables have different units.
        """
        from metaflammation import figures
        from metaflammation.expectations import unit_of_statistic

        frame = self.scan(parameter, over, experiment, statistic=statistic, observables=observables, **simulation)
        units = {self.elements[o].unit.label for o in frame.columns}
        if len(units) > 1:
            listed = ", ".join(sorted(u or "number" for u in units))
            raise SimulationError(f"one axis cannot show different units ({listed}); draw them one unit at a time")
        unit = unit_of_statistic(statistic, units.pop())
        names = {o: self.elements[o].name or o for o in frame.columns}
        x, what = self.elements[parameter], statistic.replace("_", " ")
        x_label = f"{x.name or parameter} ({x.unit.label})" if x.unit.label else x.name or parameter
        return figures.scan(frame, names, x_label, f"{what} ({unit})" if unit else what, ax)

    def plot_data(self, dataset: str, ax: Axes | None = None) -> Axes:
        """Draw a measured data set with its errors on what the model predicts of it.

        Raises
        ------
        DataError
            If there is no such data set.
        """
        from metaflammation import figures, measurements

        runs = self.runs()
        rows = measurements.read(self)
        if dataset not in set(rows["datasetId"]):
            raise DataError(unknown("data set", dataset, rows["datasetId"].unique()))
        group = rows[rows["datasetId"] == dataset]
        kind, curve = measurements.curve(runs, group, measurements.scaling(self, runs))
        x_label, x = "", group["time"].to_numpy()
        if kind == "dose":
            arms = [runs.split(arm) for arm in group["experimentId"]]
            doses = self.experiments[arms[0][0]].doses
            x = [dose for _, dose in arms]
            x_label = f"{self.elements[doses.target].name} ({doses.unit})" if doses else ""
        points = group.assign(x=x)[["x", "measurement", "noiseParameters"]]
        return figures.measured(curve, points.rename(columns={"noiseParameters": "error"}), x_label, dataset, ax)

    def plot_check(self, engine: str = "roadrunner", ax: Axes | None = None) -> Axes:
        """Draw the margin of every expectation; known failures have a mark of their own."""
        from metaflammation import figures

        found = self.check(engine)
        return figures.margins(
            dict(zip(found.index, zip(found["margin"], found["verdict"], strict=True), strict=True)), ax=ax
        )

    def check(self, engine: str = "roadrunner") -> pd.DataFrame:
        """Hold the model against its expectations.

        Returns
        -------
        pandas.DataFrame
            Index expectation id; columns claim, kind, value, unit, lower, upper, margin, verdict, statement.
        """
        from metaflammation.check import outcomes, to_frame

        return to_frame(outcomes(self, engine))

    def population(
        self,
        n: int,
        name: str | None = None,
        *,
        seed: int = 1,
        spread: float | str = "bounds",
        sampler: str = "sobol",
        conditions: str | Sequence[str] = (),
    ) -> VirtualPopulation:
        """Return a virtual population: ``n`` individuals that differ in parameters.

        Parameters
        ----------
        n : int
            How many.
        name : str, optional
            A named population of the model, whose persons differ as ``populations.yaml`` says. Without one the
            parameters move as far as we are unsure of them: fitted ones within the covariance of their fit, measured
            ones with an assumed coefficient of variation, assumed ones within their bounds.
        seed : int, optional
            Seed of the points: individual i depends on it and on i alone.
        spread : float or "bounds", optional
            Without a name: within which factor of their value assumed parameters move; all of their bounds by default.
        sampler : str, optional
            ``sobol`` or ``lhs`` (Latin hypercube).
        conditions : str or sequence of str, optional
            Named conditions that hold throughout for everybody.

        Returns
        -------
        VirtualPopulation
            ``parameters`` is the table of parameter sets, ``units`` their units, ``distributions`` how each is drawn.

        Raises
        ------
        DataError
            If there is no such population, or a number makes no sense.
        """
        from metaflammation.ensembles import population

        names = (conditions,) if isinstance(conditions, str) else tuple(conditions)
        return population.make(self, n, seed, name, spread, sampler, names)

    def ensemble(
        self,
        experiment: str,
        population: VirtualPopulation | int = 1000,
        *,
        dose: QuantityLike | None = None,
        readouts: str | Sequence[str] = (),
        observables: str | Sequence[str] = (),
        statistics: bool = False,
        curves: bool = False,
        workers: int = 1,
        scheduler: str | None = None,
        output: str | Path | None = None,
        overwrite: bool = False,
        batch: int = 100,
        progress: Callable[[int, int], None] = lambda _done, _failed: None,
    ) -> Ensemble:
        """Simulate an experiment for every individual of a population.

        Parameters
        ----------
        experiment : str
            A named experiment of the model.
        population : VirtualPopulation or int, optional
            What :meth:`population` gave, or a number of individuals drawn from the evidence with seed 1.
        dose : quantity, optional
            One dose of an experiment over doses; without it all of them are run.
        readouts : str or sequence of str, optional
            What is kept of each individual, as ``statistic:observable``, such as ``max:glucose``; by default the final
            value of each observable.
        observables : str or sequence of str, optional
            Whose final values, statistics and curves are wanted; all variables by default.
        statistics : bool, optional
            Whether to give mean, standard deviation, range and quantiles over time. They are summed up in each batch,
            so that memory does not grow with the population; quantiles are within 0.5 percent.
        curves : bool, optional
            Whether to keep every curve too: memory then grows with the population.
        workers : int, optional
            Processes. Numbers do not depend on it, nor on ``batch``.
        scheduler : str, optional
            Address of a Dask scheduler, ``tcp://host:port``, whose workers are to simulate.
        output : path, optional
            The parquet file to write, one row an individual; statistics go beside it. Until it is finished, batches
            lie in the folder ``<output>.parts``: the same call after an interruption goes on from there.
        overwrite : bool, optional
            Whether files that exist may be replaced.
        batch : int, optional
            Individuals in a batch.
        progress : callable, optional
            Told, as batches are finished, how many individuals they hold and how many have failed in all.

        Returns
        -------
        Ensemble
            ``data`` (a table, one row an individual), ``units``, ``failed``, ``statistics``, ``to_xarray()``.

        Raises
        ------
        SimulationError, DataError, ExportError
            If a name or number is wrong, workers die again and again, or the output belongs to another run.
        """
        from metaflammation.ensembles import ensemble

        people = self.population(population) if isinstance(population, int) else population
        if people.model.id != self.id or people.model.sbml != self.sbml:
            raise DataError(f"this is a population of {people.model.id}, not of this {self.id}")
        chosen = None if dose is None else self._dose(experiment, dose)
        return ensemble.simulate(
            people,
            experiment,
            dose=chosen,
            readouts=readouts,
            observables=observables,
            statistics=statistics,
            curves=curves,
            workers=workers,
            scheduler=scheduler,
            output=output,
            overwrite=overwrite,
            batch=batch,
            progress=progress,
        )

    def robustness(
        self,
        n: int = 2000,
        *,
        spread: float | str = "bounds",
        seed: int = 1,
        workers: int = 1,
        scheduler: str | None = None,
        output: str | Path | None = None,
        overwrite: bool = False,
        progress: Callable[[int, int], None] = lambda _done, _failed: None,
    ) -> Robustness:
        """Evaluate every expectation in ``n`` plausible parameter sets.

        The sets are those of :meth:`population` without a name; ``workers``, ``scheduler``, ``output`` (here with the
        value of each expectation) and ``progress`` are as in :meth:`ensemble`.

        Returns
        -------
        Robustness
            ``table``: index expectation; columns sets, failed, holding, share, lower, upper (95 % interval of the
            share), nominal, broken_by.
        """
        from metaflammation.ensembles import robustness

        return robustness.run(
            self,
            n,
            spread=spread,
            seed=seed,
            workers=workers,
            scheduler=scheduler,
            output=output,
            overwrite=overwrite,
            progress=progress,
        )

    def sensitivity(
        self,
        experiment: str,
        observable: str,
        *,
        statistic: str = "final",
        dose: QuantityLike | None = None,
        method: str = "sobol",
        n: int = 256,
        parameters: Sequence[str] = (),
        population: str | None = None,
        spread: float | str = "bounds",
        conditions: str | Sequence[str] = (),
        seed: int = 1,
        workers: int = 1,
        scheduler: str | None = None,
        output: str | Path | None = None,
        overwrite: bool = False,
        progress: Callable[[int, int], None] = lambda _done, _failed: None,
    ) -> Sensitivity:
        """Find out on which parameters a number of an experiment depends.

        Parameters are distributed as in :meth:`population`, but each on its own: those that were fitted together move
        independently within the error of each.

        Parameters
        ----------
        experiment, observable, statistic : str
            The number: a statistic of a variable over time.
        dose : quantity, optional
            Of an experiment over doses, the one that is meant.
        method : str, optional
            ``sobol``: share of the variance that is due to each parameter, alone (S1) and with its interactions (ST).
            ``morris``: mean (mu), mean size (mu_star) and standard deviation (sigma) of the change of the number when
            a parameter moves from the 2.5 % to the 97.5 % point of its distribution, in its unit: few runs, for many
            parameters. ``local``: elasticity d ln y / d ln p at the model's own parameters by central differences.
        n : int, optional
            Base samples of ``sobol``, a power of two (it takes n times parameters + 2 runs), or trajectories of
            ``morris`` (n times parameters + 1 runs).
        parameters : sequence of str, optional
            Only these move.
        population, spread, conditions, seed : optional
            As in :meth:`population`.
        workers, scheduler, output, overwrite, progress : optional
            As in :meth:`ensemble`; the output holds every run.

        Returns
        -------
        Sensitivity
            ``table``: index parameter, most important first; columns S1, S1_conf, ST, ST_conf, or mu, mu_star,
            mu_star_conf, sigma (conf: half of the 95 % interval, by bootstrap), or elasticity, error (change when the
            step is halved). ``plot()``; ``about`` counts samples left out because a run failed.

        Raises
        ------
        SimulationError, DataError
            If a name or number is wrong, or hardly a run can be simulated.
        """
        from metaflammation.ensembles import sensitivity

        return sensitivity.run(
            self,
            experiment,
            observable,
            statistic=statistic,
            dose=None if dose is None else self._dose(experiment, dose),
            method=method,
            n=n,
            parameters=parameters,
            population=population,
            spread=spread,
            conditions=(conditions,) if isinstance(conditions, str) else tuple(conditions),
            seed=seed,
            workers=workers,
            scheduler=scheduler,
            output=output,
            overwrite=overwrite,
            progress=progress,
        )

    def trial(
        self,
        trial: str,
        *,
        n: int | None = None,
        repeats: int = 1,
        paired: bool = False,
        seed: int = 1,
        workers: int = 1,
        scheduler: str | None = None,
        output: str | Path | None = None,
        overwrite: bool = False,
        progress: Callable[[int, int], None] = lambda _done, _failed: None,
    ) -> TrialResult:
        """Repeat a trial of ``trials.yaml`` with virtual persons.

        Persons are drawn from the population that the trial names, those who meet its criteria take part, and a lot
        gives each to one arm. They are measured without error and differ only as the population says, so their
        standard deviation is smaller, and Hedges' g larger, than in people.

        Parameters
        ----------
        trial : str
            Name of the trial.
        n : int, optional
            Persons in each arm; as in the real trial by default.
        repeats : int, optional
            Trials with other persons, behind ``expected`` and ``power``.
        paired : bool, optional
            Whether each person is in both arms, which no real trial can do: the effect without the luck of the lot.
        seed : int, optional
            Seed of persons and lot.
        workers, scheduler, output, overwrite, progress : optional
            As in :meth:`ensemble`; the output holds every person who was looked at.

        Returns
        -------
        TrialResult
            ``table``: index end point; columns title, unit, n (an arm), treated, sd_treated, control, sd_control (mean
            and standard deviation of the end point), difference, lower, upper (95 %, t), p, g, g_lower, g_upper
            (Hedges' g, 95 % by bootstrap), expected and power (mean difference and share of P < 0.05 over all repeats;
            not a number with one), published, published_lower, published_upper,
            published_g (from the width of a reported interval), citation, interval (``reported``, or
            by ``rule`` where no dispersion was seen), fitted (targets of the fit that it restates), verdict
            (``within``: the effect lies in the published interval; ``overlap``: the intervals overlap; ``apart``).
            ``persons``, ``baseline``, ``plot()``.

        Raises
        ------
        DataError, SimulationError, ExportError
            If a name or number is wrong, too few persons may take part, or the output belongs to another run.
        """
        from metaflammation.ensembles import trials

        return trials.run(
            self,
            trial,
            n=n,
            repeats=repeats,
            paired=paired,
            seed=seed,
            workers=workers,
            scheduler=scheduler,
            output=output,
            overwrite=overwrite,
            progress=progress,
        )

    def lint(self, off: Mapping[str, str] | None = None) -> Report:
        """Look for what is wrong or missing.

        Parameters
        ----------
        off : mapping, optional
            Rule to the reason why it is switched off.

        Returns
        -------
        Report
            ``findings``, ``score`` with its ``parts``, what the reactions conserve; ``to_frame()`` gives a table.

        Raises
        ------
        DataError
            If ``off`` names no rule, or gives no reason.
        """
        return examine(Subject(self.id, self.sbml, self.files), off)

    def export(self, form: str, path: str | Path, *, experiment: str | None = None, overwrite: bool = False) -> Path:
        """Write the model for another program, whole or not at all, and return the path.

        Parameters
        ----------
        form : str
            ``sbml``, ``sbml-l3v1``, ``comp``, ``antimony``, ``copasi``, ``sedml``, ``petab``, ``petab-v1`` or
            ``omex``.
        path : path
            The file to write; for ``sedml`` and ``petab`` the folder.
        experiment : str, optional
            For ``copasi`` and ``sedml``: the experiment that is written ready to run. Without it the COPASI file holds
            the model with a parameter set for each condition, and the folder holds every experiment.
        overwrite : bool, optional
            Whether files that exist may be replaced.

        Raises
        ------
        ExportError
            If the form is unknown, does not exist for this model, or cannot be written.
        """
        from metaflammation.exchange import export

        return export(self, form, Path(path), experiment=experiment, overwrite=overwrite)

    def map(
        self, path: str | Path | None = None, *, overview: bool = False, overwrite: bool = False
    ) -> graphviz.Source:
        """Return the network map, which a notebook shows, and write it if a path is given.

        Parameters
        ----------
        path : path, optional
            The file to write: SVG, PNG or PDF by its ending.
        overview : bool, optional
            Of a composed model: only its modules and what links them.
        overwrite : bool, optional
            Whether a file that exists may be replaced.

        Raises
        ------
        MetaflammationError
            If Graphviz is missing, the model has no modules to give an overview of, or the file cannot be written.
        """
        from metaflammation.report import maps
        from metaflammation.report.glyphs import overview as modules_of
        from metaflammation.report.network import network

        whole = network(self)
        if overview and not (self.files and self.files.modules()):
            raise ModelError(f"{self.id}: is not composed of modules, so there is no overview; leave it out")
        drawn = modules_of(whole) if overview else whole
        if path is not None:
            maps.draw(drawn, Path(path), overwrite=overwrite)
        return maps.figure(drawn)

    def extended(self, lines: str) -> Model:
        """Return this model with lines of Antimony added to its source.

        Raises
        ------
        ModelError
            If the model does not come from the catalogue.
        """
        from metaflammation.compile import compile_text

        if self.files is None:
            raise ModelError(f"{self.id}: only a catalogue model has a source that lines can be added to")
        with self.files.source as path:
            source = path.read_text("utf-8").rstrip()
            text = compile_text(f"{source.removesuffix('end')}\n{lines}\nend\n", path.parent)
        return Model(self.id, text, self.files)

    def roadrunner(self, experiment: str | None = None) -> Any:
        """Return a new ``roadrunner.RoadRunner`` with this model and its tolerances.

        With an experiment it stands at time zero of it: equilibrated, the conditions of the first period set.
        """
        from metaflammation.engines import roadrunner

        return self._prepared(roadrunner.load(self.sbml), experiment)

    def tellurium(self, experiment: str | None = None) -> Any:
        """Return a new Tellurium object (an extended RoadRunner), prepared as :meth:`roadrunner` does."""
        # libsbml must be loaded first: importing it after tellurium's libraries breaks its enumerations.
        import libsbml  # noqa: F401

        try:
            import tellurium
        except ImportError:
            raise missing("tellurium") from None

        return self._prepared(tellurium.loadSBMLModel(self.sbml), experiment)

    def _prepared(self, rr: Any, experiment: str | None) -> Any:
        from metaflammation.engines.roadrunner import RoadRunnerEngine

        engine = RoadRunnerEngine(self.sbml, self.elements, self.solver, rr)
        if experiment is not None:
            named = self._experiment(experiment)
            dose = named.doses.values[-1] if named.doses else None
            engine.begin(Protocol.of(named, self.conditions, dose).plan({}))
        return rr

    def _settable(self, changes: Mapping[str, QuantityLike] | None) -> dict[str, float]:
        numbers = simulate.settable(self.elements, changes)
        for name, number in numbers.items():
            if number < 0 and name in self.parameters and self.parameters[name].lower >= 0:
                raise DataError(f"{name}: {number:g} is negative, and this parameter cannot be")
        return numbers

    def _experiment(self, name: str) -> Experiment:
        if name not in self.experiments:
            raise SimulationError(f"{self.id}: {unknown('experiment', name, self.experiments)}")
        return self.experiments[name]

    def _dose(self, experiment: str, dose: QuantityLike) -> float:
        doses = self._experiment(experiment).doses
        if doses is None:
            raise SimulationError(f"experiment {experiment} takes no dose; use overrides")
        return self._doses(doses.target, [dose])[0]

    def _doses(self, target: str, over: Sequence[QuantityLike]) -> tuple[float, ...]:
        if target not in self.elements:
            raise ModelError(unknown("id", target, self.elements))
        return tuple(simulate.numbers_in(over, self.elements[target]))

    def _ad_hoc(
        self,
        duration: QuantityLike | None,
        changes: Mapping[str, QuantityLike] | None,
        equilibrate: bool | QuantityLike,
        points: int,
    ) -> Protocol:
        if duration is None:
            raise SimulationError("name an experiment or give a duration")
        length = minutes(duration, "duration")
        if length <= 0:
            raise SimulationError(f"duration: {duration} is not positive")
        if isinstance(equilibrate, bool):
            before = EQUILIBRATION if equilibrate else 0.0
        else:
            before = minutes(equilibrate, "equilibrate")
        if before < 0:
            raise SimulationError(f"equilibrate: {equilibrate} is negative")
        if not isinstance(points, int) or points < 2:  # noqa: PLR2004
            raise SimulationError(f"points: {points!r} is not a number of points; at least 2 are needed")
        numbers = self._settable(changes)
        return Protocol(before, {}, (Phase(0.0, numbers),), length, points)

    def _run(
        self, protocol: Protocol, overrides: Mapping[str, float], engine: str, origin: Mapping[str, Any]
    ) -> TimeCourse:
        about = {"model": self.id, **origin, "overrides": dict(overrides)}
        return simulate.run(self.engine(engine), self.elements, protocol.plan(overrides), about)
