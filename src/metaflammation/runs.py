"""The runs behind expectations: each is simulated once in an engine, whatever asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metaflammation import statistics
from metaflammation.engines import Phase, Plan
from metaflammation.errors import DataError, unknown
from metaflammation.simulate import Protocol, merge_conditions, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from metaflammation.engines import Engine
    from metaflammation.records import Experiment, Reading, SteadyStateSpread
    from metaflammation.sbml import Element
    from metaflammation.timecourse import TimeCourse


class Runs:
    """Simulated experiments of one model in one engine, under overrides that hold throughout.

    Parameters
    ----------
    engine : Engine
        Where to simulate.
    elements, experiments, conditions : mapping
        The model's elements, experiments and conditions.
    overrides : mapping
        Id to value in model units: a control, or one parameter moved.
    times : mapping
        Experiment to times that its runs must show besides their own grid.
    base : mapping
        Id to value that stands for the model's own; experiments and conditions win over it.
    """

    def __init__(
        self,
        engine: Engine,
        elements: Mapping[str, Element],
        experiments: Mapping[str, Experiment],
        conditions: Mapping[str, Mapping[str, float]],
        overrides: Mapping[str, float] | None = None,
        times: Mapping[str, Iterable[float]] | None = None,
        base: Mapping[str, float] | None = None,
    ) -> None:
        self.engine = engine
        self.elements = elements
        self.experiments = experiments
        self.conditions = conditions
        self.overrides = dict(overrides or {})
        self.times = dict(times or {})
        self.base = dict(base or {})
        self._arms = {arm: (e.id, dose) for e in experiments.values() for arm, dose in e.arms.items()}
        self.done: dict[tuple[str, float | None, tuple[str, ...]], TimeCourse] = {}

    def experiment(self, name: str) -> Experiment:
        """Return an experiment by its id."""
        if name not in self.experiments:
            raise DataError(unknown("experiment", name, self.experiments))
        return self.experiments[name]

    def course(self, experiment: str, dose: float | None = None, under: tuple[str, ...] = ()) -> TimeCourse:
        """Return the run of an experiment, at a dose, under conditions that hold throughout."""
        key = (experiment, dose, under)
        if key not in self.done:
            protocol = Protocol.of(self.experiment(experiment), self.conditions, dose)
            held = merge_conditions(under, self.conditions, f"experiment {experiment}") | self.overrides
            origin = {"experiment": experiment, "dose": dose, "overrides": held}
            self.done[key] = run(
                self.engine, self.elements, protocol.plan(held, self.times.get(experiment, ()), base=self.base), origin
            )
        return self.done[key]

    def split(self, arm: str) -> tuple[str, float | None]:
        """Return experiment and dose of the run with this id."""
        if arm not in self._arms:
            raise DataError(unknown("experiment", arm, self._arms))
        return self._arms[arm]

    def arm(self, arm: str) -> TimeCourse:
        """Return the run with this id: an experiment, or one dose of a series."""
        return self.course(*self.split(arm))

    def response(self, reading: Reading) -> tuple[list[float], list[float]]:
        """Return the doses of a series and the observable at each, at a time or at the end."""
        doses = self.experiment(reading.experiment).doses
        if doses is None:
            raise DataError(f"experiment {reading.experiment} has no doses, which {reading.statistic} needs")
        values = []
        for dose in doses.values:
            course = self.course(reading.experiment, dose, reading.under)
            curve = course.curves([reading.observable])[:, 0]
            values.append(float(curve[-1]) if reading.at is None else statistics.at(course.times, curve, reading.at))
        return list(doses.values), values

    def unit(self, observable: str) -> str:
        """Return the unit of an observable."""
        return self.elements[observable].unit.label if observable in self.elements else ""

    def dose_unit(self, experiment: str) -> str:
        """Return the unit of the doses of an experiment."""
        doses = self.experiment(experiment).doses
        return doses.unit if doses else ""

    def everything(self) -> Iterator[tuple[str, TimeCourse]]:
        """Return every run of every experiment, with its id."""
        for experiment in self.experiments.values():
            for arm, dose in experiment.arms.items():
                yield arm, self.course(experiment.id, dose)

    def drift(self, species: tuple[str, ...]) -> float:
        """Return the largest relative change of a sum of species over all experiments."""
        sums = [course.curves(species).sum(axis=1) for _, course in self.everything()]
        # The first value of each run counts as well: equilibration must not have changed the sum either.
        return max(float(np.abs(s / sums[0][0] - 1).max()) for s in sums if s[0] > 0)

    def lowest_state(self) -> float:
        """Return the lowest value of any species over all experiments, as a fraction of the range of that species."""
        species = [e.id for e in self.elements.values() if e.kind == "species"]
        values = np.vstack([course.curves(species) for _, course in self.everything()])
        size = np.abs(values).max(axis=0)
        return float((values.min(axis=0) / np.where(size > 0, size, 1.0)).min())

    def steady_state_spread(self, value: SteadyStateSpread) -> float:
        """Return the largest relative spread of final states over random starts, over all values of the target."""
        random = np.random.default_rng(value.seed)
        pools = value.pools + value.synthesised
        totals = self._totals(pools)
        starts = [self._start(random, pools, totals, value.synthesised) for _ in range(value.starts)]
        worst = 0.0
        for target in value.values:
            ends = []
            for start in starts:
                held = {**self.base, **start, value.target: target, **self.overrides}
                plan = Plan(held, 0.0, (Phase(0.0),), (0.0, value.duration))
                ends.append(self.engine.run(plan)[-1])
            final = np.array(ends)
            size = np.abs(final).max(axis=0)
            worst = max(worst, float((np.ptp(final, axis=0) / np.maximum(size, 1e-6 * size.max())).max()))
        return worst

    def _totals(self, pools: tuple[tuple[str, ...], ...]) -> list[float]:
        plan = Plan({**self.base, **self.overrides}, 0.0, (Phase(0.0),), (0.0, 1.0))
        origin = dict(zip(self.engine.columns, self.engine.run(plan)[0], strict=True))
        return [sum(origin[s] for s in pool) for pool in pools]

    @staticmethod
    def _start(
        random: np.random.Generator,
        pools: tuple[tuple[str, ...], ...],
        totals: list[float],
        synthesised: tuple[tuple[str, ...], ...],
    ) -> dict[str, float]:
        start: dict[str, float] = {}
        for pool, total in zip(pools, totals, strict=True):
            amount = total * (10 ** random.uniform(-0.5, 0.5) if pool in synthesised else 1.0)
            shares = random.dirichlet(np.ones(len(pool)))
            start |= {s: float(amount * share) for s, share in zip(pool, shares, strict=True)}
        return start
