"""The command line: no logic, and the only place that prints or exits."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflammation import __version__
from metaflammation.errors import DataError, MetaflammationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import Progress

    from metaflammation.check import Checked
    from metaflammation.library import ModelFiles
    from metaflammation.model import Model
    from metaflammation.runs import Runs

NEGATIVE, BAD_INPUT, INTERRUPTED = 1, 2, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="metaflammation")
def app() -> None:
    """Curated SBML models of inflammation, ER stress, insulin resistance and the hormone axis.

    Exit codes: 0 fine; 1 the answer is negative (findings, failed expectation, different); 2 bad input;
    130 interrupted.
    """


def main() -> None:
    """Run the command line; errors become one line and an exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        code = app.main(standalone_mode=False)
    except MetaflammationError as error:
        _fail(str(error))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(BAD_INPUT)
    except click.ClickException as error:
        _fail(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(NEGATIVE)
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror or error}")
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> None:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(BAD_INPUT)


def _console() -> Console:
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=120)


@app.command("list")
def list_models() -> None:
    """List the models with their sizes, experiments and expectations."""
    from metaflammation.model import catalogue
    from metaflammation.report import tables

    _console().print(tables.frame(catalogue()))


@app.command()
@click.argument("model", required=False)
@click.option(
    "--verify", is_flag=True, help="Write nothing; exit 1 if a committed file is not what its source compiles to."
)
def build(model: str | None, verify: bool) -> int:
    """Compile Antimony sources to SBML, for MODEL or for all models."""
    from metaflammation import build as building

    differ = 0
    for files in _files(model):
        if verify:
            stale = _stale(files)
            differ += stale
            if not stale:
                click.echo(f"{files.id}: up to date")
        else:
            for path in building.build(files):
                click.echo(f"{files.id}: wrote {path}")
    return NEGATIVE if differ else 0


@app.command()
@click.argument("what", required=False, metavar="[MODEL | FILE | FOLDER]")
@click.option("--off", multiple=True, metavar="RULE=REASON", help="Switch a rule off; may be repeated.")
@click.option("--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
@click.option("--all", "everything", is_flag=True, help="In text: every finding, in full.")
@click.option("--times", is_flag=True, help="In text: how long each document took.")
@click.option(
    "--time-limit",
    default=120.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long one document may take.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file instead of the terminal.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def lint(
    what: str | None,
    off: tuple[str, ...],
    form: str,
    everything: bool,
    times: bool,
    time_limit: float,
    output: Path | None,
    force: bool,
) -> int:
    """Look for what is wrong or missing in a model, any file of SBML or Antimony, or a folder; or in all models.

    Exit code 1 if there are errors or warnings, 2 if a document cannot be read.
    """
    from metaflammation import files
    from metaflammation.lint import run
    from metaflammation.report import lint_pages

    if output:
        files.check_free(output, overwrite=force)
    listed = run.targets(what)
    switched = run.settings(what) | _assignments(off, "--off", "RULE=REASON, e.g. --off MIRIAM='a teaching model'")
    with _progress() as bar:
        task = bar.add_task("lint", total=len(listed))
        found = list(
            run.reports(listed, switched, time_limit, lambda name: bar.update(task, advance=1, description=name))
        )
    failed = [answer for answer in found if isinstance(answer, MetaflammationError)]
    if len(listed) == 1 and failed:
        raise failed[0]
    if form == "text":
        written = lint_pages.text(found, everything=everything, times=times)
    else:
        written = (lint_pages.markdown if form == "markdown" else lint_pages.as_json)(found)
    if output:
        files.write_text(output, written, overwrite=force)
    else:
        click.echo(written, nl=False)
    for error in failed:
        click.echo(f"error: {' '.join(str(error).split())}", err=True)
    if failed:
        return BAD_INPUT
    return NEGATIVE if any(not isinstance(a, MetaflammationError) and a.negative for a in found) else 0


@app.command()
@click.argument("model")
@click.argument("experiment", required=False)
@click.option("--duration", help="Length of a simulation without a named experiment, e.g. '30 min'.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="ID=VALUE",
    help="Change a value, e.g. insulin='10 nM'; may be repeated.",
)
@click.option(
    "--dose", help="One dose of an experiment over doses; without it the response at the end of each is given."
)
@click.option(
    "--condition",
    "conditions",
    multiple=True,
    metavar="NAME",
    help="A named condition (a tissue, a person, a knock-out) that holds throughout; may be repeated.",
)
@click.option("--engine", default="roadrunner", show_default=True, help="roadrunner or copasi.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the time course as CSV.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw a figure (PNG, SVG or PDF by the ending).")
@click.option("--compare", is_flag=True, help="Draw the run without --set and --condition beside it.")
@click.option(
    "--observable", "observables", multiple=True, metavar="ID", help="What to draw or print; may be repeated."
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def simulate(
    model: str,
    experiment: str | None,
    duration: str | None,
    overrides: tuple[str, ...],
    dose: str | None,
    conditions: tuple[str, ...],
    engine: str,
    output: Path | None,
    plot: Path | None,
    compare: bool,
    observables: tuple[str, ...],
    force: bool,
) -> None:
    """Simulate an EXPERIMENT of MODEL, or MODEL as it is for a --duration."""
    from metaflammation import figures, files
    from metaflammation.model import load

    for path in (output, plot):
        if path:
            files.check_free(path, overwrite=force)
    if plot:
        figures.check_form(plot)
    loaded = load(model)
    if experiment is None and duration is None:
        known = ", ".join(loaded.experiments) or "none"
        raise DataError(f"name an experiment of {loaded.id} ({known}) or give --duration")
    changes = _assignments(overrides, "--set", "ID=VALUE, e.g. insulin='10 nM'")
    if compare and not (plot and (changes or conditions)):
        raise DataError("--compare needs --plot, and something to compare: --set or --condition")
    with _silent_solvers():
        result = loaded.simulate(
            experiment, dose=dose, duration=duration, conditions=conditions, overrides=changes, engine=engine
        )
        plain = loaded.simulate(experiment, dose=dose, duration=duration, engine=engine) if compare else None
    result = result.select(observables)
    axes: Any = _axes(result, observables, plain) if plot else None
    if output:
        result.save(output, overwrite=force)
    if plot:
        with files.whole_file(plot, overwrite=force) as temporary:
            figures.save(axes, temporary)
    if not output and not plot:
        click.echo(result.table().to_csv(sep="\t", float_format="%.6g"), nl=False)


@app.command()
@click.argument("model", required=False)
@click.option("--engine", type=click.Choice(["roadrunner", "copasi", "all"]), default="all", show_default=True)
@click.option("--strict", is_flag=True, help="Count known failures as failures.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("--all-shares", is_flag=True, help="Shares of assumed parameters for composed models too (minutes).")
@click.option(
    "--robust", type=click.IntRange(min=1), metavar="N", help="In how many of N parameter sets each expectation holds."
)
@click.option("--spread", metavar="FACTOR", help="With --robust: how far assumed parameters move; bounds by default.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="With --robust: of the sets.")
@click.option(
    "--sets", type=click.Path(path_type=Path), help="With --robust: keep every value (parquet); go on if stopped."
)
@click.option("--scheduler", metavar="TCP://...", help="With --robust: a Dask scheduler whose workers simulate.")
@click.option("--write", is_flag=True, help="With --robust: write the table into the validation folder.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write everything as JSON.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the margins as a figure.")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def check(
    model: str | None,
    engine: str,
    strict: bool,
    workers: int,
    all_shares: bool,
    robust: int | None,
    spread: str | None,
    seed: int,
    sets: Path | None,
    scheduler: str | None,
    write: bool,
    json_path: Path | None,
    plot: Path | None,
    force: bool,
) -> int:
    """Build, lint and simulate MODEL (or all models), and evaluate every expectation.

    With --robust, expectations are then evaluated in N plausible parameter sets too; that does not change the verdict.
    """
    from metaflammation import figures, files
    from metaflammation.check import as_json
    from metaflammation.engines import ENGINES

    for path in (json_path, plot, sets):
        if path:
            files.check_free(path, overwrite=force)
    if plot:
        figures.check_form(plot)
    if robust is None and (spread or sets or scheduler or write):
        raise DataError("--spread, --sets, --scheduler and --write belong to --robust N")
    if sets and model is None:
        raise DataError("--sets keeps the sets of one model; name it")
    engines = ENGINES if engine == "all" else (engine,)
    console = _console()
    passed, results = True, []
    for loaded in map(_loaded, _files(model)):
        sound = _sound(loaded)
        checked = _check_with_progress(loaded, engines, workers, all_shares=all_shares)
        _print_check(console, checked)
        results.append(as_json(checked))
        if robust:
            how = {"spread": _factor(spread), "seed": seed, "workers": workers, "scheduler": scheduler}
            results[-1]["robustness"] = _robustness(console, loaded, robust, sets, how, write=write, overwrite=force)
        passed &= sound and checked.passed(strict=strict)
    if json_path:
        text = json.dumps({"version": __version__, "models": results}, indent=2, allow_nan=False)
        files.write_text(json_path, f"{text}\n", overwrite=force)
    if plot:
        found = {
            (f"{r['model']}: " if len(results) > 1 else "") + e["id"]: (e["margin"], e["verdict"])
            for r in results
            for e in r["expectations"]
        }
        with files.whole_file(plot, overwrite=force) as temporary:
            figures.save(figures.margins(found), temporary)
    return 0 if passed else NEGATIVE


@app.command()
@click.argument("model")
@click.argument("experiment")
@click.option("-n", "n", default=1000, show_default=True, type=click.IntRange(min=1), help="Individuals.")
@click.option("--population", "name", help="A named population; without one parameters move as far as we are unsure.")
@click.option("--spread", metavar="FACTOR", help="How far assumed parameters move; all of their bounds by default.")
@click.option("--condition", "conditions", multiple=True, metavar="NAME", help="Holds throughout; may be repeated.")
@click.option("--dose", help="One dose of an experiment over doses; without it all of them are run.")
@click.option(
    "--readout", "readouts", multiple=True, metavar="STATISTIC:ID", help="What is kept, e.g. max:glucose; repeatable."
)
@click.option("--observable", "observables", multiple=True, metavar="ID", help="Variables wanted; may be repeated.")
@click.option("--statistics", is_flag=True, help="Write mean and quantiles over time beside the table (netCDF).")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option("--sampler", default="sobol", show_default=True, help="sobol or lhs.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("--scheduler", metavar="TCP://...", help="A Dask scheduler whose workers are to simulate.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Table to write (parquet).")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def ensemble(
    model: str,
    experiment: str,
    n: int,
    name: str | None,
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
    people = loaded.population(n, name, seed=seed, spread=_factor(spread), sampler=sampler, conditions=conditions)
    with _individuals(experiment, n) as progress:
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
    return NEGATIVE


def _robustness(
    console: Console, model: Model, n: int, sets: Path | None, how: dict[str, Any], *, write: bool, overwrite: bool
) -> list[dict[str, Any]]:
    """Print in how many parameter sets each expectation of a model holds, and return it as plain data."""
    from metaflammation.ensembles import committed
    from metaflammation.report import tables

    if write and model.files is None:
        raise DataError(f"{model.id}: has no validation folder to write into")
    with _individuals(f"{model.id}: parameter sets", n) as progress:
        found = model.robustness(n, output=sets, overwrite=overwrite, progress=progress, **how)
    console.print(tables.robustness(found))
    if write and model.files:
        for path in committed.write(Path(str(model.files.collection.validation / model.id)), [found]):
            click.echo(f"wrote {path}")
    return found.as_json()


@app.command()
@click.argument("model")
@click.argument("trial", required=False)
@click.option("-n", "n", type=click.IntRange(min=2), help="Persons in each arm; as in the real trial by default.")
@click.option("--repeats", default=1, show_default=True, type=click.IntRange(min=1), help="Trials with other persons.")
@click.option("--paired", is_flag=True, help="Every person in both arms, as no real trial can do.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("--scheduler", metavar="TCP://...", help="A Dask scheduler whose workers are to simulate.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Table of effects to write (TSV).")
@click.option("--persons", type=click.Path(path_type=Path), help="Table of persons to write (parquet); of one TRIAL.")
@click.option("--plot", type=click.Path(path_type=Path), help="Forest plot to write (PNG, SVG, PDF).")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
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
    from metaflammation import figures, files
    from metaflammation.ensembles import trial_figure, trials
    from metaflammation.model import load
    from metaflammation.report import tables

    loaded = load(model)
    if trial is None and persons is not None:
        raise DataError("--persons: name the TRIAL whose persons are wanted")
    for path in (output, persons, plot):
        if path is not None:
            files.check_free(path, overwrite=force)
    if plot is not None:
        figures.check_form(plot)
    names = [trial] if trial else list(loaded.trials)
    if not names:
        raise DataError(f"{loaded.id} has no trials: write them into its trials.yaml")
    found = {}
    for name in names:
        with _individuals(name, trials.number(loaded, name, n, repeats, paired=paired)) as progress:
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
    for result in found.values():
        click.echo(f"\n{result.trial.id}: {result.trial.title}; {result.summary}")
        _console().print(tables.frame(result.short()))
    if output is not None:
        files.write_text(output, trials.to_tsv(found), overwrite=force)
    if plot is not None:
        drawn = {f"{r.trial.citation}: {r.trial.title}": r.table for r in found.values()}
        with files.whole_file(plot, overwrite=force) as temporary:
            trial_figure.draw(drawn).savefig(temporary, dpi=150)
    return 0


@app.command()
@click.argument("model")
@click.argument("experiment")
@click.option("--observable", required=True, metavar="ID", help="The variable.")
@click.option("--statistic", default="final", show_default=True, help="Of the variable over time, e.g. max.")
@click.option("--dose", help="Of an experiment over doses, the one that is meant.")
@click.option("--method", default="sobol", show_default=True, help="sobol, morris or local.")
@click.option("-n", "n", default=256, show_default=True, type=click.IntRange(min=1), help="Samples or trajectories.")
@click.option("--parameter", "parameters", multiple=True, metavar="ID", help="Only these move; may be repeated.")
@click.option("--population", help="A named population; without one parameters move as far as we are unsure.")
@click.option("--spread", metavar="FACTOR", help="How far assumed parameters move; all of their bounds by default.")
@click.option("--condition", "conditions", multiple=True, metavar="NAME", help="Holds throughout; may be repeated.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("--scheduler", metavar="TCP://...", help="A Dask scheduler whose workers are to simulate.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Table to write (TSV).")
@click.option("--plot", type=click.Path(path_type=Path), help="Bars to write (PNG, SVG, PDF).")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
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
    from metaflammation import figures, files
    from metaflammation.ensembles.sensitivity import number
    from metaflammation.model import load
    from metaflammation.report import tables

    for path in (output, plot):
        if path is not None:
            files.check_free(path, overwrite=force)
    if plot is not None:
        figures.check_form(plot)
    loaded = load(model)
    how["spread"] = _factor(how["spread"])
    runs = number(loaded, how["parameters"], how["population"], how["spread"], how["method"], how["n"])
    with _individuals(experiment, runs) as progress:
        found = loaded.sensitivity(experiment, progress=progress, **how)
    shown = found.table.head(20).map(lambda x: f"{x:.3g}")
    _console().print(tables.frame(shown, f"{found.readout}{f' ({found.unit})' if found.unit else ''}, {found.method}"))
    if len(found.table) > len(shown):
        click.echo(f"the first {len(shown)} of {len(found.table)} parameters")
    if found.about["left_out"]:
        click.echo(f"{found.about['left_out']} samples were left out because a run failed")
    if output is not None:
        files.write_text(output, found.to_tsv(), overwrite=force)
    if plot is not None:
        with files.whole_file(plot, overwrite=force) as temporary:
            figures.save(found.plot(), temporary)
    return 0


def _factor(spread: str | None) -> float | str:
    try:
        return float(spread) if spread and spread != "bounds" else "bounds"
    except ValueError:
        raise DataError(f"--spread {spread}: write a factor above 1, or bounds") from None


@app.command()
@click.argument("model")
@click.option("--seed", default=1, show_default=True, help="Seed of the starting points.")
@click.option("--starts", default=24, show_default=True, type=click.IntRange(min=1), help="Number of local searches.")
@click.option(
    "--spread",
    type=click.FloatRange(min=0, min_open=True),
    metavar="DECADES",
    help="Start within so many decades of the committed values instead of the full bounds.",
)
@click.option("--workers", default=2, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("--leave-out", multiple=True, metavar="DATASET", help="Leave a data set or target out; may be repeated.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the result as JSON.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def fit(
    model: str,
    seed: int,
    starts: int,
    spread: float | None,
    workers: int,
    leave_out: tuple[str, ...],
    output: Path | None,
    force: bool,
) -> int:
    """Estimate the fitted parameters of MODEL from its data and targets, and compare them with the committed values.

    Exit code 1 if the best objective differs from that of the committed values by more than 1 %.
    """
    from metaflammation import files
    from metaflammation.fit import as_json, multi_start, reproduces, steps
    from metaflammation.model import load

    if output:
        files.check_free(output, overwrite=force)
    loaded = load(model)
    with _progress() as bar:
        task = bar.add_task("fit", total=steps(starts))
        result = multi_start(
            loaded,
            seed=seed,
            starts=starts,
            spread=spread,
            workers=workers,
            left_out=leave_out,
            progress=lambda what: bar.update(task, advance=1, description=what),
        )
    if output:
        files.write_text(output, json.dumps(as_json(result), indent=2) + "\n", overwrite=force)
    from metaflammation.report import tables

    _console().print(tables.estimates(result, loaded))
    click.echo(
        f"{loaded.id}: chi2 {result.chi2:.2f} on {result.points} points ({result.objective:.2f} with priors); "
        f"{result.close} of {len(result.starts)} starts came within 1 % of it"
    )
    if leave_out or reproduces(result, loaded):
        return 0
    click.echo(f"{loaded.id}: this is not the optimum of the committed values; try more starts")
    return NEGATIVE


@app.command("fit-report")
@click.argument("model")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write into.")
@click.option("--leave-one-out", is_flag=True, help="Refit without each data set in turn (minutes).")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def fit_report(model: str, results: tuple[Path, ...], output: Path, leave_one_out: bool, force: bool) -> None:
    """Write pictures and tables of the fit of MODEL, from RESULTS that 'fit -o' wrote."""
    from metaflammation import measurements
    from metaflammation.fit import from_json, refine
    from metaflammation.model import load
    from metaflammation.report import fit_page

    loaded = load(model)
    found = [from_json(path, loaded) for path in results]
    names = list(dict.fromkeys(measurements.read(loaded).query("use == 'fit'")["datasetId"])) if leave_one_out else []
    with _progress() as bar:
        task = bar.add_task("leave one out", total=len(names))
        left_out = {}
        for name in names:
            bar.update(task, description=f"without {name}")
            left_out[name] = refine(loaded, (name,))
            bar.update(task, advance=1)
    for path in fit_page.write(loaded, found, left_out, output, overwrite=force):
        click.echo(f"wrote {path}")


@app.command()
@click.argument("model")
@click.option(
    "--to", "form", required=True, help="sbml, sbml-l3v1, comp, antimony, copasi, sedml, petab, petab-v1 or omex."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File (sedml, petab: folder), named after the model by default. With 'all': the folder to write into.",
)
@click.option("--experiment", help="For copasi and sedml: the experiment to write, ready to run.")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def export(model: str, form: str, output: Path | None, experiment: str | None, force: bool) -> None:
    """Write MODEL for another program; 'all' writes every model of the catalogue for which the form exists."""
    from metaflammation import exchange
    from metaflammation.model import load

    if model != "all":
        loaded = load(model)
        path = output or Path(exchange.default_name(loaded, form, experiment))
        click.echo(f"wrote {_export_with_progress(loaded, form, path, experiment=experiment, overwrite=force)}")
        return
    if experiment:
        raise DataError("an experiment belongs to one model; name the model instead of 'all'")
    models = [_loaded(files) for files in _files(None)]
    paths = {m.id: (output or Path()) / exchange.default_name(m, form) for m in models}
    reasons = {m.id: exchange.inapplicable(m, form) for m in models}
    for name, path in paths.items():
        if not reasons[name]:
            exchange.check_free(form, path, overwrite=force)
    for loaded in models:
        if reasons[loaded.id]:
            click.echo(f"skipped {loaded.id}: {reasons[loaded.id]}")
        else:
            click.echo(f"wrote {_export_with_progress(loaded, form, paths[loaded.id], overwrite=force)}")


@app.command()
@click.argument("model")
@click.argument("parameter")
@click.argument("values", nargs=-1, required=True)
@click.option("--experiment", help="A named experiment; without one give --duration.")
@click.option("--duration", help="Length of a simulation without a named experiment, e.g. '30 min'.")
@click.option("--statistic", default="final", show_default=True, help="final, max, mean, half_time, auc ...")
@click.option("--observable", "observables", multiple=True, required=True, metavar="ID", help="May be repeated.")
@click.option("--plot", required=True, type=click.Path(path_type=Path), help="PNG, SVG or PDF by the ending.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def scan(
    model: str,
    parameter: str,
    values: tuple[str, ...],
    experiment: str | None,
    duration: str | None,
    statistic: str,
    observables: tuple[str, ...],
    plot: Path,
    force: bool,
) -> None:
    """Draw a statistic of a simulation over VALUES of PARAMETER of MODEL."""
    from metaflammation import figures, files
    from metaflammation.model import load

    files.check_free(plot, overwrite=force)
    figures.check_form(plot)
    how: dict[str, Any] = {"duration": duration} if duration else {}
    with _silent_solvers():
        axes = load(model).plot_scan(parameter, values, experiment, observables=observables, statistic=statistic, **how)
    with files.whole_file(plot, overwrite=force) as temporary:
        figures.save(axes, temporary)
    click.echo(f"wrote {plot}")


@app.command("plot-data")
@click.argument("model")
@click.argument("dataset")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="PNG, SVG or PDF by the ending.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def plot_data(model: str, dataset: str, output: Path, force: bool) -> None:
    """Draw a measured DATASET of MODEL with its errors on what the model predicts."""
    from metaflammation import figures, files
    from metaflammation.model import load

    files.check_free(output, overwrite=force)
    figures.check_form(output)
    axes = load(model).plot_data(dataset)
    with files.whole_file(output, overwrite=force) as temporary:
        figures.save(axes, temporary)
    click.echo(f"wrote {output}")


@app.command("map")
@click.argument("model")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="SVG, PNG or PDF by the ending; may be repeated.",
)
@click.option("--overview", is_flag=True, help="Of a composed model: only its modules and what links them.")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def draw_map(model: str, outputs: tuple[Path, ...], overview: bool, force: bool) -> None:
    """Draw the network map of MODEL in the style of SBGN; needs Graphviz."""
    from metaflammation.model import load

    loaded = load(model)
    for path in outputs:
        loaded.map(path, overview=overview, overwrite=force)
        click.echo(f"wrote {path}")


@app.command()
@click.argument("model", default="all")
@click.option("-o", "--output", default="report.html", show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--check", "check_path", type=click.Path(path_type=Path), help="What 'check --json' wrote; else it is run."
)
@click.option("--engine", type=click.Choice(["roadrunner", "copasi", "all"]), default="all", show_default=True)
@click.option("--workers", default=2, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("--all-shares", is_flag=True, help="Shares of assumed parameters for composed models too (minutes).")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def report(
    model: str, output: Path, check_path: Path | None, engine: str, workers: int, all_shares: bool, force: bool
) -> int:
    """Write one page about MODEL, or about all of the catalogue, that opens in a browser without a network.

    Exit code 1 if an expectation fails or the engines disagree; the page is written all the same.
    """
    from metaflammation import files
    from metaflammation.check import as_json, from_json
    from metaflammation.engines import ENGINES
    from metaflammation.model import load
    from metaflammation.report import page

    files.check_free(output, overwrite=force)
    engines = ENGINES if engine == "all" else (engine,)
    models = [_loaded(f) for f in _files(None)] if model == "all" else [load(model)]
    known = from_json(check_path) if check_path else {}
    sections, passed = [], True
    for loaded in models:
        if check_path and loaded.id not in known:
            raise DataError(f"{check_path}: holds no check of {loaded.id}")
        now = None if check_path else _check_with_progress(loaded, engines, workers, all_shares=all_shares)
        checked = as_json(now) if now else known[loaded.id]
        sections.append(_section_with_progress(loaded, checked, now.bench if now else None))
        passed &= not (checked["counts"]["fails"] or checked["counts"]["unexpectedly holds"])
        passed &= checked["engines_agree"]
    files.write_text(output, page.render(sections), overwrite=force)
    click.echo(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB)")
    return 0 if passed else NEGATIVE


@app.command()
@click.argument("first")
@click.argument("second")
@click.option("--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file instead of the terminal.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def diff(first: str, second: str, form: str, output: Path | None, force: bool) -> int:
    """Show what changed from the model FIRST to SECOND, and what that does to the experiments.

    Each is a model, a file, a folder, or MODEL@REVISION: the model as it was in a revision of the git repository of the
    working folder. Exit code 1 if they differ.
    """
    from metaflammation import files
    from metaflammation.diff import compare
    from metaflammation.report import differences
    from metaflammation.revisions import version

    if output:
        files.check_free(output, overwrite=force)
    with version(first) as old, version(second) as new, _progress() as bar:
        task = bar.add_task("diff", total=sum(len(e.arms) for e in (old.experiments or new.experiments).values()))
        found = compare(old, new, progress=lambda arm: bar.update(task, advance=1, description=arm))
    found = replace(found, first=first, second=second)
    written = {"text": differences.text, "markdown": differences.markdown, "json": differences.as_json}[form](found)
    if output:
        files.write_text(output, written, overwrite=force)
    else:
        click.echo(written, nl=False)
    return NEGATIVE if found else 0


@app.command()
@click.argument("name", type=click.Path(path_type=Path))
def new(name: Path) -> None:
    """Make a folder NAME with a small model of your own that passes every check and teaches the format by example."""
    from metaflammation import starter

    click.echo(f"wrote {starter.create(name)}; next: metaflammation check {name}")


@app.command()
def doctor() -> int:
    """Show the versions of what the package needs, and how to get what is missing."""
    from metaflammation.doctor import diagnose

    missing = 0
    for name, version, cure in diagnose():
        missing += version is None
        click.echo(f"{name:<16} {version or f'missing: {cure}'}")
    return NEGATIVE if missing else 0


def _files(model: str | None) -> list[ModelFiles]:
    """Return the files of one model, or of all models of the catalogue."""
    from metaflammation import library

    if model is None:
        return [library.find(name) for name in library.catalogue()]
    found = library.locate(model)
    if found is None:
        raise DataError(
            f"{model}: belongs to no folder with models/metadata.toml, so it has no experiments or expectations; make "
            "such a folder with 'metaflammation new'"
        )
    return [found]


def _loaded(files: ModelFiles) -> Model:
    from metaflammation.model import Model

    return Model(files.id, files.sbml(), files)


def _assignments(texts: tuple[str, ...], option: str, form: str) -> dict[str, str]:
    assignments = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise DataError(f"{option} {text}: write {form}")
        assignments[name.strip()] = value.strip()
    return assignments


def _stale(files: ModelFiles) -> int:
    """Print which committed files of a model are stale, and return their number."""
    from metaflammation import build as building

    stale = building.stale(files)
    for path in stale:
        click.echo(f"{files.id}: {path.name} is stale; run 'metaflammation build {files.name}'")
    return len(stale)


def _offences(model: Model) -> int:
    """Print the lint findings of a model, and return their number."""
    from metaflammation.lint import Subject
    from metaflammation.lint import lint as lint_subject

    found = lint_subject(Subject(model.id, model.sbml, model.files))
    for offence in found:
        click.echo(f"{model.id}: {offence}")
    return len(found)


def _sound(model: Model) -> bool:
    """Build and lint a model; print what is wrong."""
    stale, found = _stale(model.files) if model.files else 0, _offences(model)
    click.echo(f"{model.id}: {'compiles to the committed SBML' if not stale else 'STALE'}, {found} lint findings")
    return not stale and not found


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def _individuals(what: str, n: int) -> Iterator[Callable[[int, int], None]]:
    """Show how many individuals are done, at which rate, and how many failed; solvers are silent meanwhile."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=n, rate="")

        def progress(done: int, failed: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(
                task,
                advance=done,
                rate=f"{speed:.3g}/s" if speed else "",
                description=f"{what}, {failed} failed" if failed else what,
            )

        yield progress


def _check_with_progress(model: Model, engines: tuple[str, ...], workers: int, *, all_shares: bool) -> Checked:
    from metaflammation.check import check_model, steps

    with _progress() as bar:
        task = bar.add_task(model.id, total=steps(model, engines, all_shares=all_shares))

        def progress(what: str) -> None:
            bar.update(task, advance=1, description=what)

        return check_model(model, engines, progress, workers, all_shares=all_shares)


def _export_with_progress(model: Model, form: str, path: Path, **how: Any) -> Path:
    from metaflammation import exchange

    with _progress() as bar:
        task = bar.add_task(f"{model.id}: {form}", total=exchange.steps(model, form, how.get("experiment")) or None)
        return exchange.export(
            model, form, path, progress=lambda what: bar.update(task, advance=1, description=f"{form}: {what}"), **how
        )


def _section_with_progress(model: Model, checked: dict[str, Any], runs: Runs | None) -> dict[str, Any]:
    from metaflammation.report import page

    with _progress() as bar:
        task = bar.add_task("report", total=page.steps(model))
        return page.section(model, checked, lambda what: bar.update(task, advance=1, description=what), runs)


def _print_check(console: Console, checked: Checked) -> None:
    from metaflammation import expectations
    from metaflammation.report import tables

    console.print(tables.expectations(checked))
    if len(checked.fit):
        console.print(tables.data_sets(checked.model, checked.fit))
    if len(checked.targets):
        console.print(tables.targets(checked.model, checked.targets))
    if checked.disagreement is not None:
        word = "agree" if checked.agreed else "DISAGREE"
        click.echo(
            f"{checked.model}: engines {word}: largest difference {checked.disagreement:.1e} of the range "
            f"({checked.where or 'none'}), over {checked.runs} runs"
        )
    counts = [
        f"{checked.count(verdict)} {label}"
        for verdict, label in (
            (expectations.HOLDS, "hold"),
            (expectations.FAILS, "fail"),
            (expectations.KNOWN, "known failures"),
            (expectations.UNEXPECTED, "hold unexpectedly"),
        )
    ]
    click.echo(f"{checked.model}: {', '.join(counts)}")
    if checked.resting_on_fit():
        click.echo(f"{checked.model}: of those that hold, {checked.resting_on_fit()} rest on data that were fitted (*)")


def _axes(result: Any, observables: tuple[str, ...], plain: Any = None) -> Any:
    from metaflammation.timecourse import TimeCourse

    if isinstance(result, TimeCourse):
        if plain is not None:
            return result.compare({"without changes": plain}, observables or None, label="with changes")
        return result.plot(observables or None)
    if plain is not None:
        raise DataError("--compare needs one run; choose a dose with --dose")
    if not observables:
        raise DataError("a series of doses needs --observable, e.g. --observable glucose_uptake")
    return result.plot(observables)


@contextmanager
def _silent_solvers() -> Iterator[None]:
    """Keep the solvers' own messages off the terminal: they come from C, and our error says the same in one line."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            for number, saved in enumerate(kept, start=1):
                os.dup2(saved, number)
                os.close(saved)
