"""Commands that simulate many individuals: ensemble, trial, sensitivity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from metaflammation.cli import shared
from metaflammation.errors import DataError


@click.command()
@click.argument("model")
@click.argument("experiment")
@click.option("-n", "n", default=1000, show_default=True, type=click.IntRange(min=1), help="Individuals.")
@shared.population
@shared.spread
@shared.conditions
@click.option("--dose", help="One dose of an experiment over doses; without it all of them are run.")
@click.option(
    "--readout", "readouts", multiple=True, metavar="STATISTIC:ID", help="What is kept, e.g. max:glucose; repeatable."
)
@click.option("--observable", "observables", multiple=True, metavar="ID", help="Variables wanted; may be repeated.")
@click.option("--statistics", is_flag=True, help="Write mean and quantiles over time beside the table (netCDF).")
@shared.seed
@click.option("--sampler", default="sobol", show_default=True, help="sobol or lhs.")
@shared.workers
@shared.scheduler
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Table to write (parquet).")
@shared.force
def ensemble(
    model: str,
    experiment: str,
    n: int,
    population: str | None,
    spread: str | None,
    conditions: tuple[str, ...],
    dose: str | None,
    readouts: tuple[str, ...],
    observables: tuple[str, ...],
    statistics: bool,
    seed: int,
    sampler: str,
    workers: int,
    scheduler: str | None,
    output: Path,
    force: bool,
) -> int:
    """Simulate an EXPERIMENT of MODEL for a virtual population: one row an individual.

    The same command goes on where an earlier one was stopped. Exit code 1 if an individual could not be simulated; the
    table says why.
    """
    from metaflammation.model import load

    loaded = load(model)
    people = loaded.population(
        n, population, seed=seed, spread=shared.spread_factor(spread), sampler=sampler, conditions=conditions
    )
    with shared.individuals_bar(experiment, n) as progress:
        found = loaded.ensemble(
            experiment,
            people,
            dose=dose,
            readouts=readouts,
            observables=observables,
            statistics=statistics,
            workers=workers,
            scheduler=scheduler,
            output=output,
            overwrite=force,
            progress=progress,
        )
    click.echo(f"wrote {output}: {n} individuals, {len(people.draws.names)} parameters drawn")
    if not len(found.failed):
        return 0
    click.echo(f"{len(found.failed)} could not be simulated; the first: {found.failed.iloc[0]}")
    return shared.NEGATIVE


@click.command()
@click.argument("model")
@click.argument("trial", required=False)
@click.option("-n", "n", type=click.IntRange(min=2), help="Persons in each arm; as in the real trial by default.")
@click.option("--repeats", default=1, show_default=True, type=click.IntRange(min=1), help="Trials with other persons.")
@click.option("--paired", is_flag=True, help="Every person in both arms, as no real trial can do.")
@shared.seed
@shared.workers
@shared.scheduler
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Table of effects to write (TSV).")
@click.option("--persons", type=click.Path(path_type=Path), help="Table of persons to write (parquet); of one TRIAL.")
@click.option("--plot", type=click.Path(path_type=Path), help="Forest plot to write (PNG, SVG, PDF).")
@shared.force
def trial(
    model: str,
    trial: str | None,
    n: int | None,
    repeats: int,
    paired: bool,
    seed: int,
    workers: int,
    scheduler: str | None,
    output: Path | None,
    persons: Path | None,
    plot: Path | None,
    force: bool,
) -> int:
    """Repeat a TRIAL of MODEL with virtual persons, or all of its trials, beside what was published.

    The verdict says whether the effect lies within the published interval, whether only the intervals overlap, or
    whether they are apart.
    """
    from metaflammation import files
    from metaflammation.ensembles import trial_figure, trials
    from metaflammation.model import load
    from metaflammation.report import tables

    loaded = load(model)
    if trial is None and persons is not None:
        raise DataError("--persons: name the TRIAL whose persons are wanted")
    shared.check_free(output, persons, figure=plot, overwrite=force)
    names = [trial] if trial else list(loaded.trials)
    if not names:
        raise DataError(f"{loaded.id} has no trials: write them into its trials.yaml")
    found = {}
    for name in names:
        with shared.individuals_bar(name, trials.number(loaded, name, n, repeats, paired=paired)) as progress:
            found[name] = loaded.trial(
                name,
                n=n,
                repeats=repeats,
                paired=paired,
                seed=seed,
                workers=workers,
                scheduler=scheduler,
                output=persons,
                overwrite=force,
                progress=progress,
            )
    if output is not None:
        files.write_text(output, trials.to_tsv(found), overwrite=force)
    if plot is not None:
        drawn = {f"{r.trial.citation}: {r.trial.title}": r.table for r in found.values()}
        shared.save_figure(trial_figure.draw(drawn).axes[0], plot, overwrite=force)
    for result in found.values():
        click.echo(f"\n{result.trial.id}: {result.trial.title}; {result.summary}")
        shared.console().print(tables.frame(result.short()))
    return 0


@click.command()
@click.argument("model")
@click.argument("experiment")
@click.option("--observable", required=True, metavar="ID", help="The variable.")
@click.option("--statistic", default="final", show_default=True, help="Of the variable over time, e.g. max.")
@click.option("--dose", help="Of an experiment over doses, the one that is meant.")
@click.option("--method", default="sobol", show_default=True, help="sobol, morris or local.")
@click.option("-n", "n", default=256, show_default=True, type=click.IntRange(min=1), help="Samples or trajectories.")
@click.option("--parameter", "parameters", multiple=True, metavar="ID", help="Only these move; may be repeated.")
@shared.population
@shared.spread
@shared.conditions
@shared.seed
@shared.workers
@shared.scheduler
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Table to write (TSV).")
@click.option("--plot", type=click.Path(path_type=Path), help="Bars to write (PNG, SVG, PDF).")
@shared.force
def sensitivity(
    model: str,
    experiment: str,
    output: Path | None,
    plot: Path | None,
    force: bool,
    **how: Any,
) -> int:
    """Rank the parameters of MODEL by their effect on a number of an EXPERIMENT.

    sobol gives each parameter's share of the variance, morris screens many parameters with few runs, local gives
    elasticities at the model's own parameters.
    """
    from metaflammation import files
    from metaflammation.ensembles.sensitivity import number
    from metaflammation.model import load
    from metaflammation.report import tables

    shared.check_free(output, figure=plot, overwrite=force)
    loaded = load(model)
    how["spread"] = shared.spread_factor(how["spread"])
    runs = number(loaded, how["parameters"], how["population"], how["spread"], how["method"], how["n"])
    with shared.individuals_bar(experiment, runs) as progress:
        found = loaded.sensitivity(experiment, progress=progress, **how)
    if output is not None:
        files.write_text(output, found.to_tsv(), overwrite=force)
    if plot is not None:
        shared.save_figure(found.plot(), plot, overwrite=force)
    shown = found.table.head(20).map(lambda x: f"{x:.3g}")
    shared.console().print(
        tables.frame(shown, f"{found.readout}{f' ({found.unit})' if found.unit else ''}, {found.method}")
    )
    if len(found.table) > len(shown):
        click.echo(f"the first {len(shown)} of {len(found.table)} parameters")
    if found.about["left_out"]:
        click.echo(f"{found.about['left_out']} samples were left out because a run failed")
    return 0
