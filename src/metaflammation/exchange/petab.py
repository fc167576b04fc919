"""PEtab: the estimation problem of a model as SBML and tables, for pyPESTO, AMICI, COPASI and other programs.

Version 2 says everything in the words of the format. Version 1 is for programs that read the format in part: its model
simulates the equilibration itself and an event begins the experiment, conditions set plain parameters only, and
measurements and priors are rows in units of their noise.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from metaflammation import measurements, sbml
from metaflammation.engines import Phase, Plan
from metaflammation.errors import ExportError
from metaflammation.measurements import BASAL, WORD
from metaflammation.problem import Problem
from metaflammation.records import OBSERVABLE_COLUMNS
from metaflammation.simulate import Protocol
from metaflammation.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from metaflammation.model import Model
    from metaflammation.records import EstimatedParameter, Experiment

    Values = dict[str, float | str]

IN_RUN = "_in_run"
"""Ending of the id with which the model computes where a parameter is a number in some runs and estimated in others."""

DURATION = "duration_of_equilibration"
"""Version 1: the parameter that says when the experiment begins."""

TIME_ZERO = "values_at_time_zero"
"""Version 2: the condition that remembers values at time zero."""

MOMENT = 1e-6
"""Minutes after the event at which version 1 measures time zero: programs disagree on which side of the event it is."""

STEADY = 1e-6
"""Largest relative change, were the equilibration twice as long, for which it counts as a steady state."""


def tables(model: Model, version: int = 2) -> dict[str, str]:
    """Return the files of the PEtab problem by name, the same for the same model.

    Raises
    ------
    ExportError
        If the version is unknown, the model has no measured series that is fitted, or PEtab cannot express a run.
    """
    if version not in {1, 2}:
        raise ExportError(f"PEtab has the versions 1 and 2, not {version!r}")
    if not measurements.fitted(model):
        raise ExportError(f"{model.id}: has no measured series that is fitted, and a PEtab problem consists of them")
    fitted = _Fitted(model)
    fitted.check()
    return _version_1(fitted) if version == 1 else _version_2(fitted)


# --- what is fitted ---------------------------------------------------------------------------------------------------


class _Point(NamedTuple):
    """A measurement; the time in the model's unit."""

    observable: str
    formula: str
    run: str
    time: float
    value: float
    noise: float
    dataset: str


class _Period(NamedTuple):
    """From ``start`` on, named values hold; the time in the model's unit."""

    start: float
    parts: dict[str, Values]

    @property
    def values(self) -> Values:
        """Return all values; a later part wins."""
        return {target: value for part in self.parts.values() for target, value in part.items()}


@dataclass(frozen=True)
class _Run:
    """A run that fitted measurements come from: ``before`` is its equilibration."""

    experiment: Experiment
    dose: float | None
    before: _Period | None
    periods: tuple[_Period, ...]

    @property
    def stages(self) -> list[_Period]:
        return [*([self.before] if self.before else []), *self.periods]

    @property
    def title(self) -> str:
        doses = self.experiment.doses
        return self.experiment.title + (f", {doses.target} {self.dose:g} {doses.unit}" if doses else "")


@dataclass(frozen=True)
class _Fitted:
    """The measurements that are fitted and their runs, with values as numbers or ids of estimated parameters."""

    model: Model

    @cached_property
    def problem(self) -> Problem:
        return Problem(self.model)

    @cached_property
    def minute(self) -> float:
        return sbml.minute(self.model.sbml)

    @cached_property
    def points(self) -> list[_Point]:
        columns = ("observableId", "observableFormula", "experimentId")
        numbers = ("time", "measurement", "noiseParameters")
        rows = self.problem.rows.astype({**dict.fromkeys(columns, str), **dict.fromkeys(numbers, float)})
        rows["time"] *= self.minute
        return [_Point(*row) for row in rows[[*columns, *numbers, "datasetId"]].itertuples(index=False)]

    @cached_property
    def formulas(self) -> dict[str, str]:
        """Return the formula of each observable, in PEtab's grammar."""
        return {p.observable: p.formula.replace("**", "^") for p in self.points}

    @cached_property
    def descriptions(self) -> dict[str, str]:
        text = self.model.files.validation_text("observables.tsv") if self.model.files else ""
        rows = read_table(text, f"{self.model.id}/observables.tsv", OBSERVABLE_COLUMNS)
        return dict(zip(rows["observableId"], rows["observableName"], strict=True))

    @cached_property
    def runs(self) -> dict[str, _Run]:
        arms = {arm: (e, dose) for e in self.model.experiments.values() for arm, dose in e.arms.items()}
        return {run: self._run(*arms[run]) for run in dict.fromkeys(p.run for p in self.points)}

    def _run(self, experiment: Experiment, dose: float | None) -> _Run:
        Protocol.of(experiment, self.model.conditions, dose)  # demands that every condition exists
        periods = [_Period(p.start * self.minute, self._parts(p.conditions)) for p in experiment.timeline]
        if experiment.doses and dose is not None:
            periods[0].parts[_named(experiment.doses.target, dose)] = {experiment.doses.target: dose}
        first = experiment.equilibration
        before = _Period(-first.duration * self.minute, self._parts(first.conditions)) if first else None
        return _Run(experiment, dose, before, tuple(periods))

    def _parts(self, names: Iterable[str]) -> dict[str, Values]:
        return {name: self._conditions[name] for name in names}

    @cached_property
    def _conditions(self) -> dict[str, Values]:
        raw = self.model.files.conditions() if self.model.files else {}
        numbers, free = self.model.conditions, self.problem.names
        return {n: {t: v if v in free else numbers[n][t] for t, v in changes.items()} for n, changes in raw.items()}

    @cached_property
    def parameters(self) -> dict[str, EstimatedParameter]:
        """Return the estimated parameters that the problem contains: kinetic ones, then scales and offsets."""
        named = {v for run in self.runs.values() for stage in run.stages for v in stage.values.values()}
        kinetic = {p.id: p for p in self.problem.free if p.id in self.model.elements or p.id in named}
        return kinetic | {n: self.model.estimated[n] for n in self.problem.nuisances}

    @cached_property
    def priors(self) -> dict[str, tuple[float, float]]:
        """Return mean and standard deviation in decades, where a parameter has a prior."""
        free = self.problem.free
        return {p.id: p.log10_prior for p in free if p.log10_prior and p.id in self.parameters}

    def basal(self, run: str | None = None) -> list[str]:
        """Return the ids of values at time zero in the observables, of one run or of all."""
        words = {w for p in self.points if run in {None, p.run} for w in WORD.findall(p.formula)}
        return sorted(w for w in words if w.startswith(BASAL) and w not in self.model.elements)

    def check(self) -> None:
        """Raise an error if a run cannot be said in either version."""
        for name, run in self.runs.items():
            targets = sorted({t for stage in run.stages for t in stage.values})
            size = next((t for t in targets if self.model.elements[t].kind == "compartment"), None)
            if size:
                raise ExportError(f"{name}: sets the compartment {size}, and programs disagree on what that means")
            if run.before is None and run.periods[0].values and self.basal(name):
                raise ExportError(
                    f"{name}: has {self.basal(name)[0]} in an observable but no equilibration to take it from"
                )

    def name(self, parameter: str) -> str:
        """Return the display name of a parameter; its id if it is none of the model."""
        element = self.model.elements.get(parameter)
        return element.name if element and element.name else parameter


def _named(target: str, dose: float) -> str:
    """Return an id for the condition that gives a dose."""
    return f"{target}_set_to_{dose:g}".replace(".", "p").replace("-", "m").replace("+", "")


# --- the model of the problem -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Mixed:
    """A quantity as plain parameters: a number, and for each estimated parameter a share that is one or zero."""

    number: str
    shares: Mapping[str, str]

    @classmethod
    def of(cls, number: str, stem: str, values: Iterable[float | str]) -> _Mixed:
        return cls(number, {p: f"{stem}_share_of_{p}" for p in sorted({v for v in values if isinstance(v, str)})})

    @property
    def formula(self) -> str:
        return " + ".join([self.number, *(f"{share}*{p}" for p, share in self.shares.items())])

    def values(self, value: float | str) -> dict[str, float]:
        """Return what the parameters are where the quantity is a number or an estimated parameter."""
        shares = {share: float(p == value) for p, share in self.shares.items()}
        return {self.number: 0.0 if isinstance(value, str) else value, **shares}


class _Document:
    """The model's SBML with what the problem adds to it."""

    def __init__(self, fitted: _Fitted) -> None:
        self._fitted = fitted
        self._elements = fitted.model.elements
        self._document = sbml.document(fitted.model.sbml, fitted.model.id)
        self._model = self._document.getModel()
        self._together: dict[str, str] = {}
        for basal in fitted.basal():
            self.parameter(basal, 0.0, like=basal.removeprefix(BASAL), moves=True)

    def text(self, version: int) -> str:
        """Return the SBML text."""
        import libsbml

        for variable, formula in self._together.items():
            rule = self._model.createAssignmentRule()
            rule.setVariable(variable)
            rule.setMath(libsbml.parseL3Formula(formula))
        note = f"Derived from the model {self._model.getId()} for PEtab {version}: the README beside it says how."
        self._model.appendNotes(f'<p xmlns="http://www.w3.org/1999/xhtml">{note}</p>')
        return str(libsbml.writeSBMLToString(self._document))

    def parameter(
        self, new: str, value: float, *, like: str = "", unit: str = "dimensionless", moves: bool = False
    ) -> None:
        """Add a parameter, with the unit of an element or another one."""
        if self._model.getElementBySId(new) is not None:
            raise ExportError(f"{self._model.getId()}: has an element {new}, an id that the PEtab problem needs")
        item = self._model.createParameter()
        item.setId(new)
        item.setValue(value)
        item.setConstant(not moves)
        item.setUnits(self._unit(like) if like else unit)

    def initial(self, target: str) -> float:
        """Return the value that an element has at the beginning where no condition sets it."""
        if self._model.getInitialAssignmentBySymbol(target) is not None:
            raise ExportError(f"{target}: only some runs set it, and its initial value is computed in the others")
        if self._elements[target].kind == "parameter":
            return float(self._model.getParameter(target).getValue())
        return self._elements[target].value or 0.0

    def is_state(self, target: str) -> bool:
        """Return whether an element is a species, or a parameter that a rule moves."""
        return self._elements[target].kind == "species" or self._model.getRuleByVariable(target) is not None

    def mixed(self, target: str, values: Iterable[float | str]) -> _Mixed:
        """Return the parts of a parameter; where there are several, the model puts them together under a new id."""
        estimated = target in self._fitted.parameters
        mixed = _Mixed.of(f"{target}_fixed" if estimated else target, target, values)
        if not estimated and not mixed.shares:
            return mixed
        self.add(mixed, target, target)
        for item in self._formulas():
            item.renameSIdRefs(target, target + IN_RUN)
        self.parameter(target + IN_RUN, 0.0, like=target, moves=True)
        self._together[target + IN_RUN] = mixed.formula
        return mixed

    def _formulas(self) -> Iterator[Any]:
        """Return what holds formulas. libSBML's list of all elements holds None once libSEDML is loaded."""
        yield from self._model.getListOfRules()
        yield from self._model.getListOfInitialAssignments()
        yield from (r.getKineticLaw() for r in self._model.getListOfReactions() if r.isSetKineticLaw())

    def add(self, mixed: _Mixed, target: str, value: str = "") -> None:
        """Add the parameters of a mixed quantity that is of the kind of ``target`` and stands for ``value``."""
        values = mixed.values(value)
        if mixed.number != target:
            self.parameter(mixed.number, 0.0, like=target)
        for estimated, share in mixed.shares.items():
            self.parameter(share, values[share])
            if self._model.getElementBySId(estimated) is None:
                self.parameter(estimated, self._fitted.parameters[estimated].value, like=target)

    def assign_initially(self, target: str, formula: str) -> None:
        """Let a formula give the initial value of an element."""
        import libsbml

        self._model.removeInitialAssignment(target)
        assignment = self._model.createInitialAssignment()
        assignment.setSymbol(target)
        assignment.setMath(libsbml.parseL3Formula(formula))

    def begin(self, assignments: Mapping[str, str]) -> None:
        """Add the event that begins the experiment."""
        import libsbml

        self.parameter(DURATION, 0.0, unit=self._model.getTimeUnits())
        event = self._model.createEvent()
        event.setId("beginning_of_the_experiment")
        event.setUseValuesFromTriggerTime(True)
        trigger = event.createTrigger()
        trigger.setInitialValue(True)
        trigger.setPersistent(True)
        trigger.setMath(libsbml.parseL3Formula(f"time >= {DURATION}"))
        for variable, formula in assignments.items():
            self._model.getElementBySId(variable).setConstant(False)
            assignment = event.createEventAssignment()
            assignment.setVariable(variable)
            assignment.setMath(libsbml.parseL3Formula(formula))

    def unname(self, ids: Iterable[str]) -> None:
        """Remove display names: by those COPASI's importer would look for the parameters."""
        for item in map(self._model.getElementBySId, ids):
            if item is not None:
                item.unsetName()

    def _unit(self, element: str) -> str:
        item = self._model.getElementBySId(element)
        if self._elements[element].kind == "parameter":
            return str(item.getUnits())
        name = f"unit_of_{element}"
        if self._model.getUnitDefinition(name) is None:
            definition = item.getDerivedUnitDefinition().clone()
            definition.setId(name)
            self._model.addUnitDefinition(definition)
        return name


# --- version 2 --------------------------------------------------------------------------------------------------------


def _version_2(fitted: _Fitted) -> dict[str, str]:
    name, document = fitted.model.id, _Document(fitted)
    conditions, experiments = _conditions_2(fitted, document)
    parts = ("parameter", "condition", "experiment", "observable", "measurement")
    return {
        "problem.yaml": _lines(
            "format_version: 2.0.0",
            f"id: {name}",
            f"model_files: {{{name}: {{location: {name}.xml, language: sbml}}}}",
            *(f"{part}_files: [{part}s.tsv]" for part in parts),
        ),
        f"{name}.xml": document.text(2),
        "conditions.tsv": _table(
            "conditionId targetId targetValue",
            [(c, target, value) for c, changes in conditions.items() for target, value in changes.items()],
        ),
        "experiments.tsv": _table("experimentId time conditionId", experiments),
        "observables.tsv": _table(
            "observableId observableName observableFormula noiseFormula noisePlaceholders noiseDistribution",
            [
                (o, fitted.descriptions[o], formula, f"noiseParameter1_{o}", f"noiseParameter1_{o}", "normal")
                for o, formula in fitted.formulas.items()
            ],
        ),
        "measurements.tsv": _table(
            "observableId experimentId time measurement noiseParameters datasetId",
            [(p.observable, p.run, p.time, p.value, p.noise, p.dataset) for p in fitted.points],
        ),
        "parameters.tsv": _table(
            "parameterId parameterName lowerBound upperBound nominalValue estimate priorDistribution priorParameters",
            [
                (i, fitted.name(i), p.lower, p.upper, p.value, "true", *_prior_2(fitted.priors.get(i)))
                for i, p in fitted.parameters.items()
            ],
        ),
        "README.md": _readme(fitted, _WORDS_2, 2),
    }


def _conditions_2(fitted: _Fitted, document: _Document) -> tuple[dict[str, Values], list[tuple[str, float, str]]]:
    """Return the changes of each condition, and the rows of the experiment table."""
    mixed = {}
    stages = [stage.values for run in fitted.runs.values() for stage in run.stages]
    # PEtab does not allow that a parameter is estimated and set.
    for target in sorted(fitted.parameters.keys() & {t for values in stages for t in values}):
        mixed[target] = document.mixed(target, {target, *(values[target] for values in stages if target in values)})
    conditions: dict[str, Values] = {}
    rows = []
    for name, run in fitted.runs.items():
        for stage in run.stages:
            start, parts = stage.start, _disjoint(stage)
            if stage is run.before and _steady(fitted, stage):
                start = -math.inf
            for condition, part in parts.items():
                changes = conditions.setdefault(condition, {})
                for target, value in part.items():
                    changes |= mixed[target].values(value) if target in mixed else {target: value}
            remember = [TIME_ZERO] if start == 0 and fitted.basal(name) else []
            rows += [(name, start, condition) for condition in [*parts, *remember] or [""]]
    if fitted.basal():
        conditions[TIME_ZERO] = {basal: basal.removeprefix(BASAL) for basal in fitted.basal()}
    return conditions, rows


def _disjoint(period: _Period) -> dict[str, Values]:
    """Return the conditions of a period, joined into one if two set the same: PEtab does not say which one wins."""
    if sum(map(len, period.parts.values())) == len(period.values):
        return {name: part for name, part in period.parts.items() if part}
    return {"_and_".join(period.parts): period.values}


def _steady(fitted: _Fitted, before: _Period) -> bool:
    """Return whether an equilibration reaches the steady state, with the committed values."""
    engine, duration = fitted.model.engine(), -before.start / fitted.minute
    values = {t: fitted.parameters[v].value if isinstance(v, str) else v for t, v in before.values.items()}
    _, once, twice = engine.run(Plan(values, 0.0, (Phase(0.0),), (0.0, duration, 2 * duration)))
    return np.allclose(once, twice, rtol=STEADY, atol=1e3 * fitted.model.solver.absolute_tolerance)


def _prior_2(prior: tuple[float, float] | None) -> tuple[str, str]:
    """Return a prior whose density, times the likelihood, is highest where our objective is lowest.

    PEtab takes the density of the value itself, ours is that of its logarithm: they differ by the value as a factor,
    which the mean of the logarithm makes up for when its variance is added.
    """
    if prior is None:
        return "", ""
    mean, deviation = (number * math.log(10) for number in prior)
    return "log-normal", f"{mean + deviation**2:.10g};{deviation:.10g}"


# --- version 1 --------------------------------------------------------------------------------------------------------


def _version_1(fitted: _Fitted) -> dict[str, str]:
    for run in fitted.runs.values():
        if len(run.periods) > 1:
            raise ExportError(
                f"{run.experiment.id}: has {len(run.periods)} periods, and PEtab 1 knows one; use version 2"
            )
    name, document = fitted.model.id, _Document(fitted)
    columns = _PlainParameters(fitted, document).columns
    document.unname([*fitted.parameters, *columns])
    columns = {DURATION: {n: _began(run) for n, run in fitted.runs.items()}, **columns}
    observables, rows = _in_units_of_noise(fitted)
    return {
        "problem.yaml": _lines(
            "format_version: 1",
            "parameter_file: parameters.tsv",
            "problems:",
            f"- sbml_files: [{name}.xml]",
            *(f"  {part}_files: [{part}s.tsv]" for part in ("condition", "observable", "measurement")),
        ),
        f"{name}.xml": document.text(1),
        "conditions.tsv": _table(
            " ".join(["conditionId conditionName", *columns]),
            [(n, run.title, *(column[n] for column in columns.values())) for n, run in fitted.runs.items()],
        ),
        "observables.tsv": _table(
            "observableId observableName observableFormula noiseFormula noiseDistribution", observables
        ),
        "measurements.tsv": _table("observableId simulationConditionId time measurement datasetId", rows),
        "parameters.tsv": _table(
            "parameterId parameterName parameterScale lowerBound upperBound nominalValue estimate",
            [
                (i, fitted.name(i), "log10" if p.lower > 0 else "lin", p.lower, p.upper, p.value, 1)
                for i, p in fitted.parameters.items()
            ],
        ),
        "README.md": _readme(fitted, _WORDS_1, 1),
    }


def _began(run: _Run) -> float:
    """Return the simulated time at which the event begins the experiment; zero where nothing goes before."""
    return -run.before.start if run.before else 0.0


class _PlainParameters:
    """What the runs set before time zero and from it on, as plain parameters of the model.

    Attributes
    ----------
    columns : dict
        The value of each parameter in each run.
    """

    def __init__(self, fitted: _Fitted, document: _Document) -> None:
        self._document = document
        self._before = {n: (run.before or run.periods[0]).values for n, run in fitted.runs.items()}
        self._after = {n: run.periods[0].values if run.before else {} for n, run in fitted.runs.items()}
        self.columns: dict[str, dict[str, float]] = {}
        self._assignments: dict[str, str] = {}
        targets = {t for values in (*self._before.values(), *self._after.values()) for t in values}
        # States come last: adding a parameter renames what there is.
        for target in sorted(targets, key=lambda t: (document.is_state(t), t)):
            (self._state if document.is_state(target) else self._parameter)(target, self._first(fitted, target))
        document.begin(self._assignments | {basal: basal.removeprefix(BASAL) for basal in fitted.basal()})

    def _first(self, fitted: _Fitted, target: str) -> Values:
        """Return the value at the beginning of each run."""
        if target in fitted.parameters or all(target in values for values in self._before.values()):
            return {run: values.get(target, target) for run, values in self._before.items()}
        own = self._document.initial(target)
        return {run: values.get(target, own) for run, values in self._before.items()}

    def _changes(self, target: str) -> bool:
        return any(target in values for values in self._after.values())

    def _parameter(self, target: str, first: Values) -> None:
        then = {run: values.get(target, first[run]) for run, values in self._after.items()}
        mixed = self._document.mixed(target, {*first.values(), *then.values()})
        self._fill(mixed, first)
        if self._changes(target):
            later = {part: f"{part}_from_start" for part in mixed.values(0.0)}
            for part, new in later.items():
                self._document.parameter(new, 0.0, like=target if part == mixed.number else "")
            self._fill(mixed, then, "_from_start")
            self._assignments |= later

    def _state(self, target: str, first: Values) -> None:
        if any(target in values for values in self._before.values()):
            mixed = self._added(target, "_initial", first)
            self._document.assign_initially(target, mixed.formula)
        if self._changes(target):
            # A run that does not set the state leaves it where it is.
            then = {run: values.get(target, target) for run, values in self._after.items()}
            self._assignments[target] = self._added(target, "_from_start", then).formula

    def _added(self, target: str, ending: str, values: Values) -> _Mixed:
        mixed = _Mixed.of(target + ending, target + ending, values.values())
        self._document.add(mixed, target)
        self._fill(mixed, values)
        return mixed

    def _fill(self, mixed: _Mixed, values: Values, ending: str = "") -> None:
        for run, value in values.items():
            for part, number in mixed.values(value).items():
                self.columns.setdefault(part + ending, {})[run] = number


def _in_units_of_noise(fitted: _Fitted) -> tuple[list[Sequence[object]], list[Sequence[object]]]:
    """Return the rows of observables and of measurements, all with a noise of one.

    COPASI and libRoadRunner in pyPESTO know one noise for an observable, not one for a measurement; COPASI's importer
    weighs by the noise itself instead of its inverse square, and knows no priors, which are measurements here.
    """
    levels: dict[str, list[float]] = {}
    for p in fitted.points:
        levels.setdefault(p.observable, [])
        levels[p.observable] += [p.noise] if p.noise not in levels[p.observable] else []
    ids = {
        (o, noise): o if len(noises) == 1 else f"{o}_noise_{n}"
        for o, noises in levels.items()
        for n, noise in enumerate(noises, start=1)
    }
    observables: list[Sequence[object]] = [
        (new, fitted.descriptions[o], f"({fitted.formulas[o]}) / {_cell(noise)}", 1, "normal")
        for (o, noise), new in ids.items()
    ]
    rows = []
    for p in fitted.points:
        began = _began(fitted.runs[p.run])
        time = began + (MOMENT * fitted.minute if began and p.time == 0 else p.time)
        rows.append((ids[p.observable, p.noise], p.run, time, p.value / p.noise, p.dataset))
    # pyPESTO takes the runs of libRoadRunner in the order of the rows, but their values in the order of the ids.
    rows.sort(key=lambda row: row[1])
    for parameter, (mean, deviation) in fitted.priors.items():
        new = f"prior_{parameter}"
        observables.append((new, f"prior of {parameter}", f"log10({parameter}) / {_cell(deviation)}", 1, "normal"))
        rows.append((new, rows[0][1], rows[0][2], mean / deviation, "priors"))
    return observables, list(rows)


# --- texts ------------------------------------------------------------------------------------------------------------

_WORDS_1 = f"""
Programs read version 1 only in part, so the model does itself what they differ in. It simulates the equilibration from
time 0 to `{DURATION}`; there an event begins the experiment, and measured times count on. A measurement at time zero is
taken {MOMENT:g} min later, as programs disagree on which side of the event it lies.

A condition is a run, and all that it sets are plain parameters: `X_from_start` is the value that the event gives X,
`X_initial` the one of a state at the beginning; `X_share_of_P` is 1 where X is P, and `X_in_run` is what the model then
computes with. `basal_X` is X at time zero; the event sets it.

Measurements are in units of their noise, which is 1 then. A series with points of several noises is several
observables, `..._noise_1` and so on; `datasetId` joins them. A prior is a measurement of the parameter's logarithm,
`prior_...`.

Parameters that conditions set or that are estimated have no display name in the SBML: COPASI would look for it.
"""

_WORDS_2 = f"""
The equilibration is the period at minus infinity where it reaches the steady state, and as long as we simulate it where
it does not. `basal_X` is X at time zero; the condition `{TIME_ZERO}` sets it.

Our priors are normal in the logarithm of a value. PEtab counts the density of the value itself; the variance is added
to each mean, so that the optimum is the same.

PEtab cannot say that a parameter X is estimated and set by some conditions. The model then computes with `X_in_run`:
the estimate times `X_share_of_X`, plus `X_fixed`.
"""

_TARGETS = """
Our fit also aims at {number} numbers that are no series, such as the time of a peak. PEtab cannot say them: this
problem lacks them, and its optimum is another one.
"""


def _readme(fitted: _Fitted, words: str, version: int) -> str:
    problem, series = fitted.problem, {p.dataset for p in fitted.points}
    residuals = problem.scaled(problem.start)[0]
    targets = _TARGETS.format(number=len(problem.targets)) if problem.targets else ""
    held = f"""
    It holds what is fitted: {len(fitted.points)} measured points in {len(series)} series, with
    {len(fitted.parameters) - len(problem.nuisances)} kinetic parameters and {len(problem.nuisances)} scales and
    offsets. Measurements that are only compared with the model are not in it.

    At the nominal values the sum of squared residuals, in units of the noise and without priors, is
    {float(residuals @ residuals):.2f}.
    """
    title = fitted.model.metadata.title if fitted.model.metadata else fitted.model.id
    return _lines(
        f"# PEtab problem: {title}",
        "",
        f"PEtab version {version}, written by metaflammation. Begin with `problem.yaml`.",
        "",
        *(
            textwrap.fill(" ".join(paragraph.split()), 100, initial_indent="- ", subsequent_indent="  ")
            for text in (held, targets, words)
            for paragraph in text.split("\n\n")
            if paragraph.strip()
        ),
    )


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def _table(columns: str, rows: Iterable[Sequence[object]]) -> str:
    return _lines("\t".join(columns.split()), *("\t".join(map(_cell, row)) for row in rows))


def _cell(value: object) -> str:
    """Return a number in as few digits as give it back, and text as it is."""
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)
