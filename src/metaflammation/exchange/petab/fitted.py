"""What is fitted: measurements and their runs, with values as numbers or ids of estimated parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from metaflammation import sbml
from metaflammation.errors import ExportError
from metaflammation.measurements import BASAL, WORD
from metaflammation.problem import Problem
from metaflammation.records import OBSERVABLE_COLUMNS
from metaflammation.simulate import Protocol
from metaflammation.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metaflammation.model import Model
    from metaflammation.records import EstimatedParameter, Experiment

    Values = dict[str, float | str]


class Point(NamedTuple):
    """A measurement; the time in the model's unit."""

    observable: str
    formula: str
    run: str
    time: float
    value: float
    noise: float
    dataset: str


class Period(NamedTuple):
    """From ``start`` on, named values hold; the time in the model's unit."""

    start: float
    parts: dict[str, Values]

    @property
    def values(self) -> Values:
        """Return all values; a later part wins."""
        return {target: value for part in self.parts.values() for target, value in part.items()}


@dataclass(frozen=True)
class Run:
    """A run that fitted measurements come from: ``before`` is its equilibration."""

    experiment: Experiment
    dose: float | None
    before: Period | None
    periods: tuple[Period, ...]

    @property
    def stages(self) -> list[Period]:
        """Return the equilibration, if there is one, and the periods."""
        return [*([self.before] if self.before else []), *self.periods]

    @property
    def title(self) -> str:
        """Return the title of the experiment, with the dose."""
        doses = self.experiment.doses
        return self.experiment.title + (f", {doses.target} {self.dose:g} {doses.unit}" if doses else "")


@dataclass(frozen=True)
class Fitted:
    """The measurements that are fitted and their runs, with values as numbers or ids of estimated parameters."""

    model: Model

    @cached_property
    def problem(self) -> Problem:
        """Return the estimation problem as our own fit has it."""
        return Problem(self.model)

    @cached_property
    def minute(self) -> float:
        """Return how many of the model's unit of time make a minute."""
        return sbml.minute(self.model.sbml)

    @cached_property
    def points(self) -> list[Point]:
        """Return the fitted measurements."""
        columns = ("observableId", "observableFormula", "experimentId")
        numbers = ("time", "measurement", "noiseParameters")
        rows = self.problem.rows.astype({**dict.fromkeys(columns, str), **dict.fromkeys(numbers, float)})
        rows["time"] *= self.minute
        return [Point(*row) for row in rows[[*columns, *numbers, "datasetId"]].itertuples(index=False)]

    @cached_property
    def formulas(self) -> dict[str, str]:
        """Return the formula of each observable, in PEtab's grammar."""
        return {p.observable: p.formula.replace("**", "^") for p in self.points}

    @cached_property
    def descriptions(self) -> dict[str, str]:
        """Return the display name of each observable."""
        text = self.model.files.validation_text("observables.tsv") if self.model.files else ""
        rows = read_table(text, f"{self.model.id}/observables.tsv", OBSERVABLE_COLUMNS)
        return dict(zip(rows["observableId"], rows["observableName"], strict=True))

    @cached_property
    def runs(self) -> dict[str, Run]:
        """Return the runs that fitted measurements come from."""
        arms = {arm: (e, dose) for e in self.model.experiments.values() for arm, dose in e.arms.items()}
        return {run: self._run(*arms[run]) for run in dict.fromkeys(p.run for p in self.points)}

    def _run(self, experiment: Experiment, dose: float | None) -> Run:
        Protocol.of(experiment, self.model.conditions, dose)  # demands that every condition exists
        periods = [Period(p.start * self.minute, self._parts(p.conditions)) for p in experiment.timeline]
        if experiment.doses and dose is not None:
            periods[0].parts[_named(experiment.doses.target, dose)] = {experiment.doses.target: dose}
        first = experiment.equilibration
        before = Period(-first.duration * self.minute, self._parts(first.conditions)) if first else None
        return Run(experiment, dose, before, tuple(periods))

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
