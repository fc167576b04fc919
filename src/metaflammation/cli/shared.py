"""What the commands share: options, bars, models by name, figures."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflammation.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import Progress, ProgressColumn

    from metaflammation.library import ModelFiles
    from metaflammation.model import Model

NEGATIVE, BAD_INPUT, INTERRUPTED = 1, 2, 130
"""Exit codes."""

force = click.option("--force", is_flag=True, help="Overwrite existing files.")
form = click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True
)
page = click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file instead of the terminal.")
workers = click.option("--workers", default=2, show_default=True, type=click.IntRange(min=1), help="Processes.")
scheduler = click.option("--scheduler", metavar="TCP://...", help="A Dask scheduler whose workers are to simulate.")
seed = click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
spread = click.option(
    "--spread", metavar="FACTOR", help="How far assumed parameters move; all of their bounds by default."
)
conditions = click.option(
    "--condition", "conditions", multiple=True, metavar="NAME", help="Holds throughout; may be repeated."
)
population = click.option(
    "--population", help="A named population; without one parameters move as far as we are unsure."
)


def console() -> Console:
    """Return the terminal, or a page of fixed width where the output goes elsewhere."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal else Console(width=120)


def model_files(model: str | None) -> list[ModelFiles]:
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


def model_of(files: ModelFiles) -> Model:
    """Return the model with these files."""
    from metaflammation.model import Model

    return Model(files.id, files.sbml(), files)


def assignments(texts: tuple[str, ...], option: str, form: str) -> dict[str, str]:
    """Return the values given as NAME=VALUE to an option; ``form`` says how to write one."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise DataError(f"{option} {text}: write {form}")
        found[name.strip()] = value.strip()
    return found


def report_stale(files: ModelFiles) -> int:
    """Print which committed files of a model are stale, and return their number."""
    from metaflammation import build as building

    stale = building.stale(files)
    for path in stale:
        click.echo(f"{files.id}: {path.name} is stale; run 'metaflammation build {files.name}'")
    return len(stale)


def spread_factor(spread: str | None) -> float | str:
    """Return the number, or ``bounds``, that ``--spread`` asks for."""
    if not spread or spread == "bounds":
        return "bounds"
    try:
        factor = float(spread)
    except ValueError:
        factor = 0.0
    if not factor > 1:
        raise DataError(f"--spread {spread}: write a factor above 1, or bounds")
    return factor


def progress_bar(*more: ProgressColumn) -> Progress:
    """Return a bar on the terminal's error stream, or one that shows nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), *more, TimeRemainingColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def individuals_bar(what: str, n: int) -> Iterator[Callable[[int, int], None]]:
    """Show how many individuals are done, at which rate, and how many failed."""
    from rich.progress import TextColumn

    with progress_bar(TextColumn("{task.fields[rate]}")) as bar:
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


def check_free(*paths: Path | None, figure: Path | None = None, overwrite: bool) -> None:
    """Refuse, before any work, files that exist and figures of a form we cannot draw."""
    from metaflammation import figures, files

    for path in (*paths, figure):
        if path:
            files.check_free(path, overwrite=overwrite)
    if figure:
        figures.check_form(figure)


def save_figure(drawn: Any, path: Path, *, overwrite: bool) -> None:
    """Write axes or a figure as a whole file."""
    from metaflammation import figures, files

    with files.whole_file(path, overwrite=overwrite) as temporary:
        figures.save(drawn, temporary)
