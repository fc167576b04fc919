"""Commands that judge: check, report, fit, fit-report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflammation import __version__
from metaflammation.cli import shared
from metaflammation.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console

    from metaflammation.check import Checked
    from metaflammation.model import Model
    from metaflammation.runs import Runs


@click.command()
@click.argument("model", required=False)
@click.option("--engine", type=click.Choice(["roadrunner", "copasi", "all"]), default="all", show_default=True)
@click.option("--strict", is_flag=True, help="Count known failures as failures.")
@shared.workers
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
@shared.force
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
    from metaflammation.ensembles import committed, storage

    shared.check_free(json_path, figure=plot, overwrite=force)
    if sets:
        storage.check_free(sets, overwrite=force)
    if robust is None and (spread or sets or scheduler or write):
        raise DataError("--spread, --sets, --scheduler and --write belong to --robust N")
    if sets and model is None:
        raise DataError("--sets keeps the sets of one model; name it")
    factor = shared.spread_factor(spread)
    how = {"spread": factor, "seed": seed, "workers": workers, "scheduler": scheduler}
    engines = ENGINES if engine == "all" else (engine,)
    console = shared.console()
    passed, results = True, []
    chosen = [(found, Path(str(found.collection.validation / found.id))) for found in shared.model_files(model)]
    for _, folder in chosen if write else ():
        committed.check_free(folder, factor, overwrite=force)
    for found, folder in chosen:
        loaded = shared.model_of(found)
        sound = _sound(loaded)
        checked = _check_with_progress(loaded, engines, workers, all_shares=all_shares)
        _print_check(console, checked)
        results.append(as_json(checked))
        if robust:
            results[-1]["robustness"] = _robustness(
                console, loaded, robust, sets, how, folder if write else None, overwrite=force
            )
        passed &= sound and checked.passed(strict=strict)
    if json_path:
        text = json.dumps({"version": __version__, "models": results}, indent=2, allow_nan=False)
        files.write_text(json_path, f"{text}\n", overwrite=force)
    if plot:
        margins = {
            (f"{r['model']}: " if len(results) > 1 else "") + e["id"]: (e["margin"], e["verdict"])
            for r in results
            for e in r["expectations"]
        }
        shared.save_figure(figures.margins(margins), plot, overwrite=force)
    return 0 if passed else shared.NEGATIVE


@click.command()
@click.argument("model", default="all")
@click.option("-o", "--output", default="report.html", show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--check", "check_path", type=click.Path(path_type=Path), help="What 'check --json' wrote; else it is run."
)
@click.option("--engine", type=click.Choice(["roadrunner", "copasi", "all"]), default="all", show_default=True)
@shared.workers
@click.option("--all-shares", is_flag=True, help="Shares of assumed parameters for composed models too (minutes).")
@shared.force
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

    shared.check_free(output, overwrite=force)
    engines = ENGINES if engine == "all" else (engine,)
    models = [shared.model_of(f) for f in shared.model_files(None)] if model == "all" else [load(model)]
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
    return 0 if passed else shared.NEGATIVE


@click.command()
@click.argument("model")
@click.option("--seed", default=1, show_default=True, help="Seed of the starting points.")
@click.option("--starts", default=24, show_default=True, type=click.IntRange(min=1), help="Number of local searches.")
@click.option(
    "--spread",
    type=click.FloatRange(min=0, min_open=True),
    metavar="DECADES",
    help="Start within so many decades of the committed values instead of the full bounds.",
)
@shared.workers
@click.option("--leave-out", multiple=True, metavar="DATASET", help="Leave a data set or target out; may be repeated.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the result as JSON.")
@shared.force
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
    from metaflammation.report import tables

    shared.check_free(output, overwrite=force)
    loaded = load(model)
    with shared.progress_bar() as bar:
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
    shared.console().print(tables.estimates(result, loaded))
    click.echo(
        f"{loaded.id}: chi2 {result.chi2:.2f} on {result.points} points ({result.objective:.2f} with priors); "
        f"{result.close} of {len(result.starts)} starts came within 1 % of it"
    )
    if leave_out or reproduces(result, loaded):
        return 0
    click.echo(f"{loaded.id}: this is not the optimum of the committed values; try more starts")
    return shared.NEGATIVE


@click.command("fit-report")
@click.argument("model")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write into.")
@click.option("--leave-one-out", is_flag=True, help="Refit without each data set in turn (minutes).")
@shared.force
def fit_report(model: str, results: tuple[Path, ...], output: Path, leave_one_out: bool, force: bool) -> None:
    """Write pictures and tables of the fit of MODEL, from RESULTS that 'fit -o' wrote."""
    from metaflammation import measurements
    from metaflammation.fit import from_json, refine
    from metaflammation.model import load
    from metaflammation.report import fit_page

    loaded = load(model)
    found = [from_json(path, loaded) for path in results]
    names = list(dict.fromkeys(measurements.read(loaded).query("use == 'fit'")["datasetId"])) if leave_one_out else []
    with shared.progress_bar() as bar:
        task = bar.add_task("leave one out", total=len(names))
        left_out = {}
        for name in names:
            bar.update(task, description=f"without {name}")
            left_out[name] = refine(loaded, (name,))
            bar.update(task, advance=1)
    for path in fit_page.write(loaded, found, left_out, output, overwrite=force):
        click.echo(f"wrote {path}")


def _sound(model: Model) -> bool:
    """Build and lint a model; print what is wrong."""
    stale, found = shared.report_stale(model.files) if model.files else 0, _offences(model)
    click.echo(f"{model.id}: {'compiles to the committed SBML' if not stale else 'STALE'}, {found} lint findings")
    return not stale and not found


def _offences(model: Model) -> int:
    """Print the lint findings of a model, and return their number."""
    from metaflammation.lint import Subject
    from metaflammation.lint import lint as lint_subject

    found = lint_subject(Subject(model.id, model.sbml, model.files))
    for offence in found:
        click.echo(f"{model.id}: {offence}")
    return len(found)


def _check_with_progress(model: Model, engines: tuple[str, ...], workers: int, *, all_shares: bool) -> Checked:
    from metaflammation.check import check_model, steps

    with shared.progress_bar() as bar:
        task = bar.add_task(model.id, total=steps(model, engines, all_shares=all_shares))

        def progress(what: str) -> None:
            bar.update(task, advance=1, description=what)

        return check_model(model, engines, progress, workers, all_shares=all_shares)


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


def _robustness(
    console: Console,
    model: Model,
    n: int,
    sets: Path | None,
    how: dict[str, Any],
    folder: Path | None,
    *,
    overwrite: bool,
) -> list[dict[str, Any]]:
    """Print in how many parameter sets each expectation of a model holds, and return it as plain data.

    With a folder it is written there too.
    """
    from metaflammation.ensembles import committed
    from metaflammation.report import tables

    with shared.individuals_bar(f"{model.id}: parameter sets", n) as progress:
        found = model.robustness(n, output=sets, overwrite=overwrite, progress=progress, **how)
    console.print(tables.robustness(found))
    if folder:
        for path in committed.write(folder, [found]):
            click.echo(f"wrote {path}")
    return found.as_json()


def _section_with_progress(model: Model, checked: dict[str, Any], runs: Runs | None) -> dict[str, Any]:
    from metaflammation.report import page

    with shared.progress_bar() as bar:
        task = bar.add_task("report", total=page.steps(model))
        return page.section(model, checked, lambda what: bar.update(task, advance=1, description=what), runs)
