"""Trials with virtual persons: two arms, treated less control, beside what a real trial reported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from metaflammation.ensembles import distributions, effects
from metaflammation.ensembles import population as populations
from metaflammation.ensembles.claims import DrawnRuns
from metaflammation.ensembles.ensemble import describe, gathered, tolerances
from metaflammation.ensembles.storage import REASON
from metaflammation.ensembles.work import Part, Subject, digest
from metaflammation.errors import DataError, SimulationError, unknown
from metaflammation.expectations import evaluate, unit_of
from metaflammation.records import Comparison, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure

    from metaflammation.engines import Plan
    from metaflammation.ensembles.draws import Draws
    from metaflammation.ensembles.population import VirtualPopulation
    from metaflammation.model import Model
    from metaflammation.records import Arm, EndPoint, Experiment, Trial
    from metaflammation.simulate import Protocol

    Progress = Callable[[int, int], None]

TREATED, CONTROL = "treated", "control"
ARMS = (TREATED, CONTROL)
ARM, ELIGIBLE = "arm", "eligible"

FILE = "trials_results.tsv"
"""The committed effects of all trials of a model."""

BATCH = 20
"""Persons in a batch."""

SHORT = {
    "treated less control": ("difference", "lower", "upper"),
    "published": ("published", "published_lower", "published_upper"),
    "Hedges' g": ("g", "g_lower", "g_upper"),
    "published g": ("published_g",),
}
"""Columns of the short table."""

SCREENED = 1.5
"""Persons looked at for each one who is needed, where not everybody may take part."""


@dataclass(frozen=True, eq=False)
class TrialResult:
    """What came out of a virtual trial.

    Attributes
    ----------
    table : pandas.DataFrame
        Index end point; see :meth:`metaflammation.Model.trial`.
    persons : pandas.DataFrame
        Index person: arm, drawn parameters, values at the start, and each end point under ``<end point>@<arm>``; of
        the first trial, only those who took part.
    trial : Trial
        Design and published results.
    about : dict
        Model, seed, numbers and versions.
    """

    table: pd.DataFrame
    persons: pd.DataFrame
    trial: Trial
    about: Mapping[str, Any]

    @property
    def summary(self) -> str:
        """Return who took part."""
        about = self.about
        times = f", {about['repeats']} times" if about["repeats"] > 1 else ""
        design = "persons in both arms" if about["design"] == "paired" else "persons in each arm"
        failed = f", {about['failed']} could not be simulated" if about["failed"] else ""
        return (
            f"{about['per_arm']} {design}{times} ({about['eligible']} of {about['screened']} looked at meet the"
            f" criteria{failed})"
        )

    def short(self) -> pd.DataFrame:
        """Return the table with intervals as text, for people to read."""
        import pandas as pd

        rows = {}
        for name, r in self.table.iterrows():
            numbers = [_interval(*(r[c] for c in columns)) for columns in SHORT.values()]
            power = [] if np.isnan(r["power"]) else [f"{r['power']:.0%}"]
            rows[f"{name} ({r['unit']})" if r["unit"] else name] = [
                *numbers, f"{r['p']:.2g}", *power, r["verdict"] + (", fitted" if r["fitted"] else ""),
            ]  # fmt: skip
        powers = [] if self.table["power"].isna().all() else ["power"]
        columns = [*SHORT, "P", *powers, "verdict"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("end point")

    def plot(self) -> Figure:
        """Return a figure of the virtual effects beside the published ones."""
        from metaflammation.ensembles import trial_figure

        return trial_figure.draw({f"{self.trial.citation}: {self.trial.title}": self.table})

    @property
    def baseline(self) -> pd.DataFrame:
        """Return mean and standard deviation at the start in each arm: index variable."""
        import pandas as pd

        found: dict[str, dict[str, float]] = {}
        for name in (str(r.observable) for r in self.trial.baseline):
            for arm in ARMS if self.about["design"] == "parallel" else ("both",):
                among = self.persons if arm == "both" else self.persons[self.persons[ARM] == arm]
                found.setdefault(name, {}).update(
                    {f"{arm} mean": among[f"start:{name}"].mean(), f"{arm} sd": among[f"start:{name}"].std()}
                )
        return pd.DataFrame.from_dict(found, orient="index")


@dataclass(frozen=True)
class Asked:
    """A value that is read of each person, in the form that runs of expectations know."""

    id: str
    value: Any


@dataclass(frozen=True, eq=False)
class TrialWork:
    """The persons of a trial, each in one arm or, in a paired design, in both.

    Attributes
    ----------
    subject : Subject
        The model.
    draws : Draws
        The persons who are looked at.
    size : int
        Persons in a batch.
    person : dict
        What makes a person: conditions of the population, and what is drawn, by name.
    experiments, conditions : mapping
        Those of the model.
    trial : Trial
        The design.
    paired : bool
        Whether each person is in both arms.
    """

    subject: Subject
    draws: Draws
    size: int
    person: Mapping[str, Any]
    experiments: Mapping[str, Experiment]
    conditions: Mapping[str, Mapping[str, Any]]
    trial: Trial
    paired: bool

    @property
    def expectations(self) -> tuple[Asked, ...]:
        """Return all that is read."""
        first = [Asked("", c.value) for c in self.trial.eligible] + [Asked("", r) for r in self.trial.baseline]
        return (*first, *(Asked(p.id, self.value(p, a)) for p in self.trial.end_points for a in ARMS))

    @property
    def fingerprint(self) -> str:
        """Return what decides the numbers, as a hash."""
        t = self.trial
        design = [(p.id, p.value, p.percent) for p in t.end_points], t.treated, t.control, t.eligible, t.baseline
        protocols = self.experiments, {n: dict(c) for n, c in self.conditions.items()}, dict(self.person), self.paired
        return digest(self.subject.sbml, self.subject.solver, design, protocols, self.draws.joint.parts)

    def value(self, point: EndPoint, arm: str) -> Any:
        """Return what is read for an end point in an arm."""
        return _in_arm(point.value, self.trial.treated if arm == TREATED else self.trial.control)

    def arms(self, person: int) -> tuple[str, ...]:
        """Return the arms of a person: drawn by lot from the seed."""
        if self.paired:
            return ARMS
        return (ARMS[int(np.random.default_rng((self.draws.seed, person)).integers(2))],)

    def batch(self, number: int) -> Part:
        """Return the end points of the persons of one batch; not a number for those who may not take part."""
        start = number * self.size
        drawn = self.draws.rows(start, min(start + self.size, self.draws.n))
        columns: dict[str, Any] = {n: drawn[:, k] for k, n in enumerate(self.draws.names)}
        found = {f"{p.id}@{arm}": np.full(len(drawn), np.nan) for p in self.trial.end_points for arm in ARMS}
        found |= {f"start:{r.observable}": np.full(len(drawn), np.nan) for r in self.trial.baseline}
        eligible = np.zeros(len(drawn), dtype=bool)
        arms = []
        reasons: list[str | None] = []
        runs = PersonRuns(self)
        for row, individual in enumerate(drawn):
            runs.become(individual)
            mine = self.arms(start + row)
            arms.append("both" if self.paired else mine[0])
            reason = None
            try:
                eligible[row] = self.may_take_part(runs)
                if eligible[row]:
                    for r in self.trial.baseline:
                        found[f"start:{r.observable}"][row] = evaluate(r, runs)
                    for point in self.trial.end_points:
                        for arm in mine:
                            number_of = evaluate(self.value(point, arm), runs)
                            found[f"{point.id}@{arm}"][row] = 100 * (number_of - 1) if point.percent else number_of
            except SimulationError as error:
                reason, eligible[row] = str(error), False
            reasons.append(reason)
        return Part(start, columns | {ARM: np.array(arms), ELIGIBLE: eligible} | found, reasons)

    def may_take_part(self, runs: PersonRuns) -> bool:
        """Return whether a person meets all criteria."""
        for criterion in self.trial.eligible:
            value = evaluate(criterion.value, runs)
            if (criterion.lower is not None and value < criterion.lower) or (
                criterion.upper is not None and value > criterion.upper
            ):
                return False
        return True


class PersonRuns(DrawnRuns):
    """Runs of one person after the other: what makes the person holds from before the beginning, treatments win."""

    def __init__(self, work: TrialWork) -> None:
        self._person = work.person
        super().__init__(work)

    def plan(self, protocol: Protocol, held: Mapping[str, float]) -> Plan:
        """Return the plan of a protocol for a person with drawn values by name."""
        if not protocol.equilibration:
            return protocol.plan(held, base=self._person)
        settled = {**protocol.equilibration_changes, **self._person}
        return replace(protocol, equilibration_changes=settled).plan(held)


def _in_arm(value: Any, arm: Arm) -> Any:
    if isinstance(value, Comparison):
        return value.model_copy(update={"of": _in_arm(value.of, arm), "to": _in_arm(value.to, arm)})
    if isinstance(value, Reading):
        experiment = arm.instead.get(value.experiment, value.experiment)
        return value.model_copy(update={"under": (*value.under, *arm.under), "experiment": experiment})
    raise DataError(f"an end point is made of readings and comparisons, not of {value.statistic!r}")


def run(
    model: Model,
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
    progress: Progress = lambda _done, _failed: None,
) -> TrialResult:
    """Repeat a trial with virtual persons; see :meth:`metaflammation.Model.trial`."""
    if trial not in model.trials:
        raise DataError(f"{model.id}: {unknown('trial', trial, model.trials)}")
    design = model.trials[trial]
    each = design.n if n is None else n
    if each < 2 or repeats < 1:  # noqa: PLR2004
        raise DataError(f"a trial needs at least 2 persons an arm and 1 repeat, not {each} and {repeats}")
    looked_at = screened(design, each, repeats, paired=paired)
    people = populations.make(model, looked_at, seed, design.population, distributions.BOUNDS, "sobol")
    work = of(people, design, paired=paired)
    about = describe(people, work) | {"trial": trial, "per_arm": each, "repeats": repeats}
    about |= {"design": "paired" if paired else "parallel"}
    data = gathered(work, about, output, workers, scheduler, progress, overwrite=overwrite)
    return evaluated(model, work, data, about)


def number(model: Model, trial: str, n: int | None, repeats: int, *, paired: bool) -> int:
    """Return how many persons are looked at in a trial."""
    if trial not in model.trials:
        raise DataError(f"{model.id}: {unknown('trial', trial, model.trials)}")
    return screened(model.trials[trial], n or model.trials[trial].n, repeats, paired=paired)


def screened(design: Trial, n: int, repeats: int, *, paired: bool) -> int:
    """Return how many persons are looked at to find enough for every arm."""
    needed = n * repeats * (1 if paired else 2)
    # By lot the arms are not of equal size: three standard deviations more are on the safe side.
    spare = 0 if paired else int(np.ceil(3 * np.sqrt(needed))) + 4
    return int((needed + spare) * (SCREENED if design.eligible else 1))


def of(people: VirtualPopulation, design: Trial, *, paired: bool) -> TrialWork:
    """Return the work of a trial."""
    model = people.model
    held, _ = people.held()
    return TrialWork(
        subject=Subject(model.sbml, model.elements, tolerances(model.solver), model.solver),
        draws=people.draws,
        size=BATCH,
        person=held,
        experiments=model.experiments,
        conditions=people.named_conditions(),
        trial=design,
        paired=paired,
    )


def evaluated(model: Model, work: TrialWork, data: pd.DataFrame, about: Mapping[str, Any]) -> TrialResult:
    """Return the effects, from the values of all persons."""
    import pandas as pd

    each, repeats = int(about["per_arm"]), int(about["repeats"])
    taking = data[data[ELIGIBLE]]
    groups = {arm: taking if work.paired else taking[taking[ARM] == arm] for arm in ARMS}
    fewest = min(len(g) for g in groups.values())
    if fewest < each * repeats:
        failed = int(data[REASON].notna().sum())
        raise DataError(
            f"trial {work.trial.id}: of {len(data)} persons looked at {len(taking)} may take part, and {failed} could"
            f" not be simulated: too few for {repeats} times {each} an arm; take fewer, or wider criteria"
        )
    rows = {}
    for point in work.trial.end_points:
        values = [groups[arm][f"{point.id}@{arm}"].to_numpy()[: each * repeats].reshape(repeats, each) for arm in ARMS]
        unit = "%" if point.percent else unit_of(point.value, model.runs())
        rows[point.id] = effects.row(point, unit, *values, paired=work.paired, seed=work.draws.seed)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(effects.COLUMNS)).rename_axis("end_point")
    first = pd.concat([groups[a].iloc[:each] for a in (ARMS[:1] if work.paired else ARMS)]).sort_index()
    kept = [c for c in first.columns if c not in {REASON, ELIGIBLE}]
    looked = {"screened": len(data), "eligible": len(taking), "failed": int(data[REASON].notna().sum())}
    return TrialResult(table, first[kept], work.trial, dict(about) | looked)


def to_tsv(results: Mapping[str, TrialResult]) -> str:
    """Return the effects of several trials as a tab-separated table, after a comment with settings and versions."""
    import pandas as pd

    first = next(iter(results.values())).about
    versions = ", ".join(f"{package} {version}" for package, version in first["versions"].items())
    settings = f"seed {first['seed']}, {first['repeats']} repeats, {first['design']}"
    whole = pd.concat({name: r.table for name, r in results.items()}, names=["trial"])
    effects_of = whole.to_csv(sep="\t", float_format="%.4g", lineterminator="\n")
    return f"# model {first['model']}; {settings}; {versions}\n{effects_of}"


def from_tsv(text: str) -> dict[str, pd.DataFrame]:
    """Return the table of each trial from what :func:`to_tsv` gave."""
    from io import StringIO

    import pandas as pd

    whole = pd.read_csv(StringIO(text), sep="\t", comment="#", index_col=["trial", "end_point"])
    for column in ("title", "unit", "citation", "interval", "fitted", "verdict"):
        whole[column] = whole[column].astype(object).where(whole[column].notna(), "")
    return {str(name): whole.loc[name] for name in whole.index.unique("trial")}


def markdown(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return the effects of several trials as a table in Markdown."""
    head = ["trial", "end point", "n an arm", *SHORT, "verdict"]
    lines = [head, ["---"] * len(head)]
    for name, table in tables.items():
        for k, (_, r) in enumerate(table.iterrows()):
            point = f"{r['title']} ({r['unit']})" if r["unit"] else str(r["title"])
            numbers = [_interval(*(r[c] for c in columns)) for columns in SHORT.values()]
            numbers[1] += " by rule" if r["interval"] == "rule" else ""
            said = r["verdict"] + (", fitted" if r["fitted"] else "")
            lines.append(["" if k else name, point, str(r["n"]), *numbers, said])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _interval(middle: float, low: float = np.nan, high: float = np.nan) -> str:
    if np.isnan(middle):
        return ""
    return f"{middle:.3g}" if np.isnan(low) else f"{middle:.3g} ({low:.3g} to {high:.3g})"
