"""The command `fiber-audit`: stdout carries data, stderr progress and complaints.

Exit codes: 0 all conditions hold, 1 a condition failed, 2 interrupted, 3 internal or plugin error,
4 bad usage or suite, 5 nothing to run.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from . import __version__
from .commands.check import check
from .commands.compare import compare
from .commands.export import export
from .commands.list import list_
from .commands.merge import merge
from .commands.new import new
from .commands.report import report
from .commands.run import run
from .commands.shared import Exit, say
from .commands.tune import tune
from .errors import FiberAuditError, UsageError

SIGINT_CODE = 130

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("run")(run)
app.command("list")(list_)
app.command("report")(report)
app.command("check")(check)
app.command("compare")(compare)
app.command("export")(export)
app.command("merge")(merge)
app.command("tune")(tune)
app.command("new")(new)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"fiber-audit {__version__}")
        raise typer.Exit


@app.callback()
def fiber_audit(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """What can your network not tell apart? Draws from its fibers, measured and shown."""


def main() -> None:
    """Entry point of the console script."""
    sys.exit(int(guarded(sys.argv[1:])))


def guarded(arguments: list[str]) -> int:
    """Run a command line; returns the exit code. A user's mistake is one sentence on stderr."""
    try:
        result = app(args=arguments, prog_name="fiber-audit", standalone_mode=False)
    except UsageError as error:
        for line in str(error).splitlines():
            say(line)
        return Exit.USAGE
    except FiberAuditError as error:
        say(error)
        return Exit.INTERNAL
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:
        if type(error).__name__ == "Abort":  # what other versions make of it
            return _interrupted()
        if not hasattr(error, "format_message"):
            raise
        say(f"{error.format_message()} Try 'fiber-audit --help'.")  # typer: a wrong option
        return Exit.USAGE
    if result == SIGINT_CODE:  # what typer makes of Ctrl-C
        return _interrupted()
    return result if isinstance(result, int) else Exit.OK


def _interrupted() -> int:
    say("interrupted; run the same command again to compute what is missing.")
    return Exit.INTERRUPTED
