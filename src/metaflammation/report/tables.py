"""Tables for the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from metaflammation.expectations import FAILS, HOLDS, KNOWN, UNEXPECTED

if TYPE_CHECKING:
    import pandas as pd

    from metaflammation.check import Checked
    from metaflammation.ensembles.robustness import Robustness
    from metaflammation.expectations import Outcome
    from metaflammation.fit import Fit
    from metaflammation.model import Model
    from metaflammation.records import Expectation

STYLES = {HOLDS: "green", FAILS: "bold red", KNOWN: "yellow", UNEXPECTED: "bold magenta"}


def expectations(checked: Checked) -> Table:
    """Return one row for each expectation; where engines differ in verdict, one row for each engine.

    A star marks an expectation that restates fitted data. The column ``assumed`` is empty where no parameter matters.
    """
    table = Table(title=f"{checked.model}: expectations", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("expectation", overflow="fold")
    for column in ("value", "interval", "margin", "assumed"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for name, outcomes in _by_expectation(checked).items():
        verdicts = {o.verdict for _, o in outcomes}
        for engine, outcome in outcomes if len(verdicts) > 1 else outcomes[:1]:
            share = checked.assumed.get(name)
            star = " *" if outcome.expectation.rests_on_fit else ""
            table.add_row(
                f"{name if len(verdicts) == 1 else f'{name} ({engine})'}{star}",
                f"{number(outcome.value)} {outcome.unit}".strip(),
                bounds(outcome.expectation),
                number(outcome.margin, signed=True),
                "" if share is None else f"{share:.0%}",
                Text(outcome.verdict, STYLES[outcome.verdict]),
            )
    return table


def robustness(found: Robustness) -> Table:
    """Return one row for each expectation: in which share of parameter sets it holds, and what breaks it."""
    spread = found.about["spread"]
    assumed = "within their bounds" if spread == "bounds" else f"within a factor of {spread:g}"
    title = f"{found.model}: {found.about['n']} parameter sets, assumed parameters {assumed}"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("expectation", overflow="fold")
    for column in ("holds in", "95 % interval", "sets", "failed"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("breaks with", overflow="fold")
    for row in found.table.itertuples():
        share = "" if math.isnan(row.share) else f"{row.share:.1%}"
        interval = f"{row.lower:.1%} to {row.upper:.1%}"
        name = row.Index if row.nominal == "holds" else Text(row.Index, STYLES[KNOWN])
        table.add_row(name, share, interval, str(row.sets), str(row.failed or ""), row.broken_by)
    return table


def data_sets(model: str, agreement: pd.DataFrame) -> Table:
    """Return one row for each measured data set."""
    table = Table(title=f"{model}: measured data", box=box.SIMPLE_HEAD, title_justify="left")
    for column in ("data set", "use"):
        table.add_column(column)
    for column in ("points", "chi2", "R2"):
        table.add_column(column, justify="right")
    for row in agreement.itertuples():
        table.add_row(row.Index, row.use, str(row.n), f"{row.chi2:.1f}", "" if math.isnan(row.r2) else f"{row.r2:.3f}")
    fitted = agreement[agreement["use"] == "fit"]
    if len(fitted):
        table.add_section()
        table.add_row("all that was fitted", "", str(fitted["n"].sum()), f"{fitted['chi2'].sum():.1f}", "")
    return table


def targets(model: str, agreement: pd.DataFrame) -> Table:
    """Return one row for each calibration target that is no series."""
    table = Table(title=f"{model}: calibration targets", box=box.SIMPLE_HEAD, title_justify="left")
    for column in ("target", "basis"):
        table.add_column(column, overflow="fold")
    for column in ("aim", "model", "residual (sd)"):
        table.add_column(column, justify="right")
    for row in agreement.itertuples():
        table.add_row(row.Index, row.basis, number(row.aim), number(row.value), number(row.residual, signed=True))
    table.add_section()
    table.add_row(f"all {len(agreement)}", "", "", "chi2", f"{(agreement['residual'] ** 2).sum():.1f}")
    return table


def estimates(result: Fit, model: Model) -> Table:
    """Return one row for each estimated parameter, beside its committed value."""
    table = Table(title=f"{result.model}: estimates, seed {result.seed}", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("parameter")
    for column in ("estimate", "committed", "95 % within a factor of", "from data alone", "bounds"):
        table.add_column(column, justify="right")
    for row in result.table.itertuples():
        table.add_row(
            row.Index,
            f"{row.value:.4g}",
            f"{model.estimated[row.Index].value:.4g}",
            factor(row.sd),
            factor(row.sd_data),
            f"{row.lower:g} to {row.upper:g}",
        )
    return table


def factor(sd: float) -> str:
    """Return a standard error in decades as the factor that holds 95 %."""
    return f"{10 ** (1.96 * sd):.2g}" if sd < 1 else "open"


def frame(data: pd.DataFrame, title: str = "") -> Table:
    """Return any table with its index, whose words are never cut."""
    table = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    table.add_column(str(data.index.name or ""), min_width=max(map(len, map(str, data.index)), default=0))
    for column in data.columns:
        table.add_column(str(column), justify="right" if data[column].dtype.kind in "if" else "left")
    for index, row in zip(data.index, data.itertuples(index=False), strict=True):
        table.add_row(str(index), *("" if x is None or str(x) == "<NA>" else str(x) for x in row))
    return table


def bounds(expectation: Expectation) -> str:
    """Return the interval of an expectation as text."""
    lower, upper = expectation.lower, expectation.upper
    if lower is None:
        return f"<= {number(upper)}"
    if upper is None:
        return f">= {number(lower)}"
    return f"{number(lower)} to {number(upper)}"


def number(value: float | None, *, signed: bool = False) -> str:
    """Return a number with three significant digits."""
    if value is None or math.isnan(value):
        return "none"
    if math.isinf(value):
        return "+inf" if value > 0 else "-inf"
    return f"{value:+.2f}" if signed else f"{float(f'{value:.3g}'):g}"


def _by_expectation(checked: Checked) -> dict[str, list[tuple[str, Outcome]]]:
    table: dict[str, list[tuple[str, Outcome]]] = {}
    for engine, outcomes in checked.outcomes.items():
        for outcome in outcomes:
            table.setdefault(outcome.expectation.id, []).append((engine, outcome))
    return table
