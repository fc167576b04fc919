"""Commands that simulate once, draw, or write a model for another program."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflammation.cli import shared
from metaflammation.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metaflammation.model import Model


@click.command()
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
@shared.force
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
    from metaflammation.model import load

    shared.check_free(output, figure=plot, overwrite=force)
    loaded = load(model)
    if experiment is None and duration is None:
        known = ", ".join(loaded.experiments) or "none"
        raise DataError(f"name an experiment of {loaded.id} ({known}) or give --duration")
    changes = shared.assignments(overrides, "--set", "ID=VALUE, e.g. insulin='10 nM'")
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
        shared.save_figure(axes, plot, overwrite=force)
    if not output and not plot:
        click.echo(result.table().to_csv(sep="\t", float_format="%.6g"), nl=False)


@click.command()
@click.argument("model")
@click.argument("parameter")
@click.argument("values", nargs=-1, required=True)
@click.option("--experiment", help="A named experiment; without one give --duration.")
@click.option("--duration", help="Length of a simulation without a named experiment, e.g. '30 min'.")
@click.option("--statistic", default="final", show_default=True, help="final, max, mean, half_time, auc ...")
@click.option("--observable", "observables", multiple=True, required=True, metavar="ID", help="May be repeated.")
@click.option("--plot", required=True, type=click.Path(path_type=Path), help="PNG, SVG or PDF by the ending.")
@shared.force
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
    from metaflammation.model import load

    shared.check_free(figure=plot, overwrite=force)
    how: dict[str, Any] = {"duration": duration} if duration else {}
    with _silent_solvers():
        axes = load(model).plot_scan(parameter, values, experiment, observables=observables, statistic=statistic, **how)
    shared.save_figure(axes, plot, overwrite=force)
    click.echo(f"wrote {plot}")


@click.command("plot-data")
@click.argument("model")
@click.argument("dataset")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="PNG, SVG or PDF by the ending.")
@shared.force
def plot_data(model: str, dataset: str, output: Path, force: bool) -> None:
    """Draw a measured DATASET of MODEL with its errors on what the model predicts."""
    from metaflammation.model import load

    shared.check_free(figure=output, overwrite=force)
    axes = load(model).plot_data(dataset)
    shared.save_figure(axes, output, overwrite=force)
    click.echo(f"wrote {output}")


@click.command("map")
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
@shared.force
def draw_map(model: str, outputs: tuple[Path, ...], overview: bool, force: bool) -> None:
    """Draw the network map of MODEL in the style of SBGN; needs Graphviz."""
    from metaflammation.model import load

    loaded = load(model)
    for path in outputs:
        loaded.map(path, overview=overview, overwrite=force)
        click.echo(f"wrote {path}")


@click.command()
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
@shared.force
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
    models = [shared.model_of(files) for files in shared.model_files(None)]
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


def _export_with_progress(model: Model, form: str, path: Path, **how: Any) -> Path:
    from metaflammation import exchange

    with shared.progress_bar() as bar:
        task = bar.add_task(f"{model.id}: {form}", total=exchange.steps(model, form, how.get("experiment")) or None)
        return exchange.export(
            model, form, path, progress=lambda what: bar.update(task, advance=1, description=f"{form}: {what}"), **how
        )


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
