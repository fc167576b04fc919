"""PEtab version 1, for programs that read the format in part; the words below say how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaflammation.errors import ExportError
from metaflammation.exchange.petab.document import DURATION, Document, Mixed
from metaflammation.exchange.petab.texts import cell, lines, readme, table
from metaflammation.measurements import BASAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metaflammation.exchange.petab.fitted import Fitted, Run, Values

MOMENT = 1e-6
"""Minutes after the event at which version 1 measures time zero: programs disagree on which side of the event it is."""

WORDS = f"""
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


def files(fitted: Fitted) -> dict[str, str]:
    """Return the files of the problem by name."""
    for run in fitted.runs.values():
        if len(run.periods) > 1:
            raise ExportError(
                f"{run.experiment.id}: has {len(run.periods)} periods, and PEtab 1 knows one; use version 2"
            )
    name, document = fitted.model.id, Document(fitted)
    if document.reads_time() and any(run.before for run in fitted.runs.values()):
        raise ExportError(
            f"{name}: reads the time, which PEtab 1 would count from the beginning of the equilibration; use version 2"
        )
    columns = _PlainParameters(fitted, document).columns
    document.unname([*fitted.parameters, *columns])
    columns = {DURATION: {n: _beginning(run) for n, run in fitted.runs.items()}, **columns}
    observables, rows = _in_units_of_noise(fitted)
    return {
        "problem.yaml": lines(
            "format_version: 1",
            "parameter_file: parameters.tsv",
            "problems:",
            f"- sbml_files: [{name}.xml]",
            *(f"  {part}_files: [{part}s.tsv]" for part in ("condition", "observable", "measurement")),
        ),
        f"{name}.xml": document.text(1),
        "conditions.tsv": table(
            " ".join(["conditionId conditionName", *columns]),
            [(n, run.title, *(column[n] for column in columns.values())) for n, run in fitted.runs.items()],
        ),
        "observables.tsv": table(
            "observableId observableName observableFormula noiseFormula noiseDistribution", observables
        ),
        "measurements.tsv": table("observableId simulationConditionId time measurement datasetId", rows),
        "parameters.tsv": table(
            "parameterId parameterName parameterScale lowerBound upperBound nominalValue estimate",
            [
                (i, fitted.name(i), "log10" if p.lower > 0 else "lin", p.lower, p.upper, p.value, 1)
                for i, p in fitted.parameters.items()
            ],
        ),
        "README.md": readme(fitted, WORDS, 1),
    }


def _beginning(run: Run) -> float:
    """Return the simulated time at which the event begins the experiment; zero where nothing goes before."""
    return -run.before.start if run.before else 0.0


class _PlainParameters:
    """What the runs set before time zero and from it on, as plain parameters of the model.

    Attributes
    ----------
    columns : dict
        The value of each parameter in each run.
    """

    def __init__(self, fitted: Fitted, document: Document) -> None:
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

    def _first(self, fitted: Fitted, target: str) -> Values:
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

    def _added(self, target: str, ending: str, values: Values) -> Mixed:
        mixed = Mixed.of(target + ending, target + ending, values.values())
        self._document.add(mixed, target)
        self._fill(mixed, values)
        return mixed

    def _fill(self, mixed: Mixed, values: Values, ending: str = "") -> None:
        for run, value in values.items():
            for part, number in mixed.values(value).items():
                self.columns.setdefault(part + ending, {})[run] = number


def _in_units_of_noise(fitted: Fitted) -> tuple[list[Sequence[object]], list[Sequence[object]]]:
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
        (new, fitted.descriptions[o], f"({fitted.formulas[o]}) / {cell(noise)}", 1, "normal")
        for (o, noise), new in ids.items()
    ]
    rows = []
    for p in fitted.points:
        began = _beginning(fitted.runs[p.run])
        time = began + (MOMENT * fitted.minute if began and p.time == 0 else p.time)
        rows.append((ids[p.observable, p.noise], p.run, time, p.value / p.noise, p.dataset))
    # pyPESTO takes the runs of libRoadRunner in the order of the rows, but their values in the order of the ids.
    rows.sort(key=lambda row: row[1])
    for parameter, (mean, deviation) in fitted.priors.items():
        new = f"prior_{parameter}"
        observables.append((new, f"prior of {parameter}", f"log10({parameter}) / {cell(deviation)}", 1, "normal"))
        rows.append((new, rows[0][1], rows[0][2], mean / deviation, "priors"))
    return observables, list(rows)
