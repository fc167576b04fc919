"""The command line: no logic, and the only place that prints or exits."""

from __future__ import annotations

import signal
import sys

import click

from metaflammation import __version__
from metaflammation.cli import checks, populations, runs, sources
from metaflammation.cli.shared import BAD_INPUT, INTERRUPTED, NEGATIVE
from metaflammation.errors import MetaflammationError


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


for module in (sources, runs, checks, populations):
    for command in vars(module).values():
        if isinstance(command, click.Command):
            app.add_command(command)
