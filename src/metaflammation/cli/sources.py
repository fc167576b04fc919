"""Commands on sources and documents: list, build, lint, diff, new, doctor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from metaflammation.cli import shared
from metaflammation.errors import MetaflammationError


@click.command("list")
def list_models() -> None:
    """List the models, with how many variables are integrated, experiments and expectations."""
    from metaflammation.model import catalogue
    from metaflammation.report import tables

    shared.console().print(tables.frame(catalogue()[["states", "experiments", "expectations", "title"]]))


@click.command()
@click.argument("model", required=False)
@click.option(
    "--verify", is_flag=True, help="Write nothing; exit 1 if a committed file is not what its source compiles to."
)
def build(model: str | None, verify: bool) -> int:
    """Compile Antimony sources to SBML, for MODEL or for all models."""
    from metaflammation import build as building

    differ = 0
    for files in shared.model_files(model):
        if verify:
            stale = shared.report_stale(files)
            differ += stale
            if not stale:
                click.echo(f"{files.id}: up to date")
        else:
            for path in building.build(files):
                click.echo(f"{files.id}: wrote {path}")
    return shared.NEGATIVE if differ else 0


@click.command()
@click.argument("what", required=False, metavar="[MODEL | FILE | FOLDER]")
@click.option("--off", multiple=True, metavar="RULE=REASON", help="Switch a rule off; may be repeated.")
@shared.form
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
@shared.page
@shared.force
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

    shared.check_free(output, overwrite=force)
    listed = run.targets(what)
    switched = run.settings(what) | shared.assignments(
        off, "--off", "RULE=REASON, e.g. --off MIRIAM='a teaching model'"
    )
    with shared.progress_bar() as bar:
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
        return shared.BAD_INPUT
    return shared.NEGATIVE if any(not isinstance(a, MetaflammationError) and a.negative for a in found) else 0


@click.command()
@click.argument("first")
@click.argument("second")
@shared.form
@shared.page
@shared.force
def diff(first: str, second: str, form: str, output: Path | None, force: bool) -> int:
    """Show what changed from the model FIRST to SECOND, and what that does to the experiments.

    Each is a model, a file, a folder, or MODEL@REVISION: the model as it was in a revision of the git repository of the
    working folder. Exit code 1 if they differ.
    """
    from metaflammation import files
    from metaflammation.diff import compare
    from metaflammation.report import differences
    from metaflammation.revisions import version

    shared.check_free(output, overwrite=force)
    with version(first) as old, version(second) as new, shared.progress_bar() as bar:
        task = bar.add_task("diff", total=sum(len(e.arms) for e in (old.experiments or new.experiments).values()))
        found = compare(old, new, progress=lambda arm: bar.update(task, advance=1, description=arm))
    found = replace(found, first=first, second=second)
    written = {"text": differences.text, "markdown": differences.markdown, "json": differences.as_json}[form](found)
    if output:
        files.write_text(output, written, overwrite=force)
    else:
        click.echo(written, nl=False)
    return shared.NEGATIVE if found else 0


@click.command()
@click.argument("name", type=click.Path(path_type=Path))
def new(name: Path) -> None:
    """Make a folder NAME with a small model of your own that passes every check and teaches the format by example."""
    from metaflammation import starter

    click.echo(f"wrote {starter.create(name)}; next: metaflammation check {name}")


@click.command()
def doctor() -> int:
    """Show the versions of what the package needs, and how to get what is missing."""
    from metaflammation.doctor import diagnose

    missing = 0
    for name, version, cure in diagnose():
        missing += version is None
        click.echo(f"{name:<16} {version or f'missing: {cure}'}")
    return shared.NEGATIVE if missing else 0
