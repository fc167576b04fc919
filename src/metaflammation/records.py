"""Records of the curated tables: the column and key names stand here and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Mapping  # noqa: TC003 - pydantic reads it at run time
from datetime import date  # noqa: TC003 - pydantic reads it at run time
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from metaflammation.units import minutes

LN10 = 2.302585092994046


class Record(BaseModel):
    """A frozen row or entry; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _time(value: Any) -> float:
    return minutes(value, "time")


Minutes = Annotated[float, BeforeValidator(_time)]
Order = Annotated[int, Field(ge=1, le=5)]
PositiveMinutes = Annotated[float, BeforeValidator(_time), Field(gt=0)]


# --- models/metadata.toml -------------------------------------------------------------------------------------------


class Solver(Record):
    """Tolerances with which a model is integrated, in every engine, and the largest order of CVODE's method."""

    relative_tolerance: float = 1e-9
    absolute_tolerance: float = 1e-12
    maximum_order: Order = 5


class ModelMetadata(Record):
    """What the SBML cannot say about itself, and what is written into it."""

    title: str
    tier: int | None = None
    description: str
    taxon: str
    created: date
    modified: date
    version: str
    citations: tuple[str, ...] = ()
    solver: Solver = Solver()
    robustness_solver: Solver | None = None
    """Tolerances and order for evaluating expectations in many parameter sets, if not those of all models."""
    measured_cv: float = Field(default=0.25, gt=0)
    """Coefficient of variation of measured parameters where parameters are drawn: an assumption, since few sources
    state how sure they are, and most of those the scatter within one laboratory."""
    compared: tuple[str, ...] = ()
    """Experiments that a second engine repeats; all of them if empty."""


class Metadata(Record):
    """The one metadata file of the collection."""

    collection: str
    creators: tuple[str, ...]
    organisation: str
    licence: str
    licence_url: str
    url: str | None = None
    models: dict[str, ModelMetadata]


# --- models/<model>/parameters.tsv ----------------------------------------------------------------------------------


class ParameterEvidence(Record):
    """Where the value of one parameter comes from; the value itself stands in the Antimony source.

    ``role`` says why a value stays as it is when parameters are drawn: an ``input`` is what a condition or another
    model sets (a dose, a gene dose, a switch of the experiment), a ``definition`` fixes a unit, a scale, the weight of
    a link or a guard of the solver. An ``integer`` is drawn among whole numbers. Without a role the parameter is a
    quantity of nature.
    """

    id: str
    evidence: Literal["measured", "fitted", "assumed"]
    role: Literal["input", "definition", "integer"] | None = None
    source: str | None = None
    place: str | None = None
    source_value: float | None = None
    source_unit: str | None = None
    lower: float
    upper: float
    reason: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.evidence == "assumed" and not self.reason:
            raise ValueError("an assumed parameter needs a reason")
        if self.evidence != "assumed" and not (self.source and self.place):
            raise ValueError(f"a {self.evidence} parameter needs a source and a place")
        if (self.source_value is None) != (self.source_unit is None):
            raise ValueError("source_value and source_unit go together")
        if not self.lower < self.upper:
            raise ValueError("lower must be below upper")
        return self


# --- validation/<model>/petab_parameters.tsv --------------------------------------------------------------------------


class EstimatedParameter(Record):
    """A row of the PEtab v2 parameter table: a parameter of the model, of a condition, or of an observable.

    For a parameter of the model, bounds and nominal value are copies of what ``parameters.tsv`` and the source say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: str = Field(alias="parameterId")
    lower: float = Field(alias="lowerBound")
    upper: float = Field(alias="upperBound")
    value: float = Field(alias="nominalValue")
    estimate: bool
    prior: Literal["log-normal"] | None = Field(default=None, alias="priorDistribution")
    prior_parameters: str | None = Field(default=None, alias="priorParameters")

    @property
    def log10_prior(self) -> tuple[float, float] | None:
        """Return mean and standard deviation of the prior in decades; None without a prior."""
        if self.prior is None or self.prior_parameters is None:
            return None
        mean, deviation = (float(p) / LN10 for p in self.prior_parameters.split(";"))
        return mean, deviation


# --- validation/<model>/experiments.yaml ----------------------------------------------------------------------------


class Equilibration(Record):
    """A phase before time zero, under conditions of its own."""

    duration: PositiveMinutes
    conditions: tuple[str, ...] = ()


class Period(Record):
    """From ``start`` on, the conditions hold until a later period changes the same targets."""

    start: Minutes = 0.0
    conditions: tuple[str, ...] = ()


class Repeat(Record):
    """Conditions that hold again and again: from ``start``, ``count`` times ``every`` so often, ``lasting`` so long.

    Each time ``then`` ends them. A dose of a drug is a rate that is not zero while it lasts.
    """

    start: Minutes = 0.0
    every: PositiveMinutes
    count: int = Field(ge=1)
    lasting: PositiveMinutes
    conditions: tuple[str, ...]
    then: tuple[str, ...]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.lasting >= self.every:
            raise ValueError("a repeat must end before the next one begins")
        return self

    @property
    def periods(self) -> list[Period]:
        """Return the periods that the repeats stand for."""
        starts = [self.start + n * self.every for n in range(self.count)]
        return [
            Period(start=at, conditions=names)
            for start in starts
            for at, names in ((start, self.conditions), (start + self.lasting, self.then))
        ]


class DoseSeries(Record):
    """The experiment is run once for each value of ``target``, set at the start of the first period."""

    target: str
    unit: str
    values: tuple[float, ...] = Field(min_length=2)


class Experiment(Record):
    """A protocol: equilibration, periods, duration and output grid (``points`` from zero to ``duration``).

    Until ``dense_until`` the grid is ten times as fine, for statistics of a fast beginning. ``repeats`` are merged into
    the periods by ``timeline``. Above the second order the formulas of CVODE are unstable for weakly damped
    oscillations and take tiny steps: ``maximum_order`` replaces that of the model where they last for years.

    A model may begin at rest, but with other values of its parameters the same state is none: then an experiment
    without equilibration is simulated for the time ``rest`` before it begins.
    """

    id: str
    title: str
    equilibration: Equilibration | None = None
    periods: tuple[Period, ...] = (Period(),)
    duration: PositiveMinutes
    points: int = Field(default=121, ge=2)
    dense_until: Minutes = 0.0
    maximum_order: Order | None = None
    rest: Minutes = 0.0
    doses: DoseSeries | None = None
    repeats: tuple[Repeat, ...] = ()

    @property
    def timeline(self) -> tuple[Period, ...]:
        """Return the periods with those of the repeats among them; at the same time, repeats come last."""
        found: dict[float, tuple[str, ...]] = {}
        for period in (*self.periods, *(p for r in self.repeats for p in r.periods)):
            at = round(period.start, 9)
            found[at] = found.get(at, ()) + period.conditions
        return tuple(Period(start=at, conditions=names) for at, names in sorted(found.items()))

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        starts = [p.start for p in self.periods]
        if not starts or starts[0] != 0:
            raise ValueError("the first period starts at 0")
        if sorted(set(starts)) != starts or starts[-1] >= self.duration:
            raise ValueError("periods must start one after the other, before the end of the experiment")
        if self.rest and self.equilibration:
            raise ValueError("an experiment that begins with an equilibration needs no rest before it")
        if self.timeline[-1].start >= self.duration:
            raise ValueError("repeats must end before the experiment does")
        return self

    @property
    def arms(self) -> dict[str, float | None]:
        """Return the ids of the single runs and the dose of each (None without a dose series)."""
        if self.doses is None:
            return {self.id: None}
        return {arm_id(self.id, dose): dose for dose in self.doses.values}


def arm_id(experiment: str, dose: float | None) -> str:
    """Return the id of one run of a dose series: the experiment's id and the dose, ``.`` written as ``p``."""
    if dose is None:
        return experiment
    return f"{experiment}__{dose:g}".replace(".", "p").replace("-", "m").replace("+", "")


# --- validation/<model>/expectations.yaml ---------------------------------------------------------------------------


class Reading(Record):
    """A statistic of one observable in one experiment.

    ``under`` names conditions that hold throughout, over what the experiment itself sets; ``dose`` picks one run of a
    dose series; ``at`` is a time; ``window`` crops the course to a span of time before the statistic is taken;
    ``level`` is the number, or the reading, that ``dose_for`` and ``time_for`` look for.
    """

    statistic: Literal[
        "initial", "final", "at", "max", "min", "mean", "auc", "rise", "fold", "fall_from_max",
        "time_to_max", "time_to_min", "half_time", "full_time", "time_for", "period", "damping",
        "ec50", "max_over_doses", "dose_for",
    ]  # fmt: skip
    experiment: str
    observable: str
    under: tuple[str, ...] = ()
    dose: float | None = None
    at: Minutes | None = None
    window: tuple[Minutes, Minutes] | None = None
    level: Reading | float | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.window and not self.window[0] < self.window[1]:
            raise ValueError("a window ends after it begins")
        if self.statistic == "at" and self.at is None:
            raise ValueError("statistic at needs a time 'at'")
        if self.statistic in {"dose_for", "time_for"} and self.level is None:
            raise ValueError(f"statistic {self.statistic} needs a level")
        return self


class Comparison(Record):
    """The ratio or difference of two values."""

    statistic: Literal["ratio", "difference"]
    of: Value
    to: Value


class Several(Record):
    """A statistic of a list of values: ``order`` is the smallest gap between one and the next."""

    statistic: Literal["order", "smallest", "largest", "average"]
    of: tuple[Value, ...] = Field(min_length=2)


class Conservation(Record):
    """The largest relative change of the sum of ``species`` over all experiments."""

    statistic: Literal["drift"]
    species: tuple[str, ...] = Field(min_length=2)


class LowestState(Record):
    """The lowest value of any species over all experiments."""

    statistic: Literal["lowest_state"]


class SteadyStateSpread(Record):
    """The largest spread of the final states of ``starts`` random starts, at each value of ``target``.

    A start divides each pool at random among its members, and scales the pools that are synthesised.
    """

    statistic: Literal["steady_state_spread"]
    target: str
    values: tuple[float, ...]
    starts: int = Field(ge=2)
    seed: int
    duration: PositiveMinutes
    pools: tuple[tuple[str, ...], ...]
    synthesised: tuple[tuple[str, ...], ...] = ()


Value = Annotated[
    Reading | Comparison | Several | Conservation | LowestState | SteadyStateSpread,
    Field(discriminator="statistic"),
]


class Control(Record):
    """What makes an expectation fail: conditions that hold throughout, or Antimony lines added to the model."""

    conditions: tuple[str, ...] = ()
    add: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, raw: Any) -> Any:
        return {"conditions": [raw]} if isinstance(raw, str) else raw

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.conditions) == bool(self.add):
            raise ValueError("a control is either conditions or lines to add")
        return self

    def __str__(self) -> str:
        return " + ".join(self.conditions) or f"added: {' '.join((self.add or '').split())}"


class KnownFailure(Record):
    """Why the model cannot show this with defensible parameters."""

    reason: str
    evidence: str


class Expectation(Record):
    """A number from simulations, and the interval in which it must lie.

    ``rests_on_fit`` names fitted data sets that the expectation restates: it is counted apart.
    """

    id: str
    kind: Literal["article", "data", "law"]
    claim: str | None = None
    citation: str | None = None
    statement: str
    value: Value
    lower: float | None = None
    upper: float | None = None
    interval_from: str
    scale: float | None = Field(default=None, gt=0)
    fails_when: tuple[Control, ...] = Field(min_length=1)
    rests_on_fit: tuple[str, ...] = ()
    known_failure: KnownFailure | None = None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.lower is None and self.upper is None:
            raise ValueError("an expectation needs lower, upper or both")
        if self.lower is not None and self.upper is not None and not self.lower < self.upper:
            raise ValueError("lower must be below upper")
        if (self.lower is None or self.upper is None) and self.scale is None:
            raise ValueError("a one-sided interval needs a scale: the measured size of the effect")
        if self.kind == "article" and not self.claim:
            raise ValueError("an article expectation needs a claim")
        if self.kind == "data" and not self.citation:
            raise ValueError("a data expectation needs a citation")
        return self


# --- validation/<model>/targets.yaml ---------------------------------------------------------------------------------


class Target(Record):
    """A number that the fit aims at and that is no point of a measured series: a fold, a level, the time of a peak.

    ``sd`` weighs it, in the unit of the value, or in decades on a ``log10`` scale. ``basis`` says whether the number
    was read in a source, is our reading of a source's words, or is recalled without a source.
    """

    id: str
    basis: Literal["measured", "words", "recalled"]
    citation: str | None = None
    statement: str
    value: Value
    target: float
    sd: float = Field(gt=0)
    scale: Literal["linear", "log10"] = "linear"

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.basis != "recalled" and not self.citation:
            raise ValueError(f"a target that is {self.basis} needs a citation")
        if self.scale == "log10" and self.target <= 0:
            raise ValueError("a target on a logarithmic scale must be positive")
        return self

    def residual(self, value: float) -> float:
        """Return how far a value lies from the target, in units of ``sd``; not a number where there is no distance."""
        if self.scale == "linear":
            return (value - self.target) / self.sd
        return math.log10(value / self.target) / self.sd if value > 0 else math.nan


# --- validation/<model>/populations.yaml -----------------------------------------------------------------------------


class Variation(Record):
    """How one parameter differs from person to person, about the value that conditions or the model give it.

    The spread is ``cv`` (of the mean) or ``sd`` (in the parameter's unit); ``uniform`` takes its bounds instead.
    """

    id: str
    distribution: Literal["log-normal", "normal", "uniform"]
    mean: float | None = None
    cv: float | None = Field(default=None, gt=0)
    sd: float | None = Field(default=None, gt=0)
    lower: float | None = None
    upper: float | None = None
    evidence: Literal["measured", "assumed"]
    source: str | None = None
    place: str | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.distribution == "uniform":
            if self.lower is None or self.upper is None or self.cv or self.sd:
                raise ValueError("a uniform distribution needs lower and upper, and neither cv nor sd")
        elif (self.cv is None) == (self.sd is None):
            raise ValueError("either cv or sd is needed")
        if self.evidence == "measured" and not (self.source and self.place):
            raise ValueError("a measured variation needs a source and a place")
        if self.evidence == "assumed" and not self.reason:
            raise ValueError("an assumed variation needs a reason")
        return self


class Population(Record):
    """People who share conditions and differ in parameters."""

    id: str
    title: str
    conditions: tuple[str, ...] = ()
    varies: tuple[Variation, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _once(self) -> Self:
        ids = [v.id for v in self.varies]
        twice = next((i for i in ids if ids.count(i) > 1), None)
        if twice:
            raise ValueError(f"{twice} varies twice")
        return self


# --- validation/<model>/trials.yaml ----------------------------------------------------------------------------------


class Arm(Record):
    """One arm of a trial: conditions that hold throughout its experiments, or other experiments instead of them."""

    title: str
    under: tuple[str, ...] = ()
    instead: Mapping[str, str] = {}


class Criterion(Record):
    """Who may take part: a value at the start that lies within bounds."""

    value: Reading
    lower: float | None = None
    upper: float | None = None


class Published(Record):
    """What a trial reported of one end point: treated less control, with a 95 % interval.

    ``interval_from`` says where the interval comes from. One that is not ``reported`` follows a rule. ``persons`` were
    in each arm behind a reported interval: with them it tells the standard deviation.
    """

    citation: str
    value: float
    lower: float
    upper: float
    interval_from: str
    reported: bool = True
    persons: int | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.lower <= self.value <= self.upper:
            raise ValueError("the published value must lie within its interval")
        return self


class EndPoint(Record):
    """What is compared between the arms: a value of each person; a ratio may be given as a change in ``percent``.

    ``rests_on_fit`` names targets of the fit that the end point restates.
    """

    id: str
    title: str
    value: Reading | Comparison
    percent: bool = False
    published: Published | None = None
    rests_on_fit: tuple[str, ...] = ()


class Trial(Record):
    """Two arms of persons from a named population; ``n`` persons in each arm, and where that number comes from."""

    id: str
    title: str
    citation: str
    population: str
    n: int = Field(ge=2)
    n_from: str
    treated: Arm
    control: Arm
    eligible: tuple[Criterion, ...] = ()
    baseline: tuple[Reading, ...] = ()
    end_points: tuple[EndPoint, ...] = Field(min_length=1)


# --- validation/<model>/observables.tsv and measurements.tsv: read as data frames ------------------------------------

OBSERVABLE_COLUMNS = {"observableId": str, "observableName": str, "observableFormula": str, "noiseFormula": str}
MEASUREMENT_COLUMNS = {
    "observableId": str,
    "experimentId": str,
    "time": float,
    "measurement": float,
    "noiseParameters": float,
    "datasetId": str,
    "use": str,
}
