"""The command `fiber-audit`: stdout carries data, stderr progress and complaints.

Exit codes: 0 all conditions hold, 1 a condition failed, 2 interrupted, 3 internal or plugin error,
4 bad usage or suite, 5 nothing to run.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from .. import __version__
from .._suite.variables import AUTOLOAD, DISABLE, SET, TRUSTED
from ..errors import FiberAuditError, UsageError, suggestion
from .advise import advise
from .check import check
from .compare import compare
from .doctor import doctor
from .export import export
from .figure import figure
from .fit import fit
from .list import list_
from .merge import merge
from .new import new
from .report import report
from .run import run
from .shared import Exit, say
from .stdout import need_no_stderr
from .supervised import AGAIN, supervised
from .tune import tune

SIGINT_CODE = 130
VARIABLES = (AUTOLOAD, DISABLE, SET, TRUSTED)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("run")(run)
app.command("list")(list_)
app.command("report")(report)
app.command("check")(check)
app.command("compare")(compare)
app.command("export")(export)
app.command("figure")(figure)
app.command("merge")(merge)
app.command("fit")(fit)
app.command("advise")(advise)
app.command("tune")(tune)
app.command("new")(new)
app.command("doctor")(doctor)


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
    need_no_stderr()
    sys.exit(supervised(_command))


def _command() -> int:
    code = int(guarded(sys.argv[1:]))
    try:
        sys.stdout.flush()
    except OSError as error:  # a full device, or a reader that went away
        say(f"stdout cannot be written ({(error.strerror or str(error)).lower()}).")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python complains once more
        code = Exit.INTERNAL
    return code


def guarded(arguments: list[str]) -> int:
    """Run a command line; returns the exit code. A user's mistake is one sentence on stderr.

    No exception of another library leaves: one that nobody foresaw is told in one sentence, with
    its traceback under `python -X dev`.
    """
    try:
        _check_environment()
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
    except (Exception, SystemExit) as error:
        return _unforeseen(error)
    if result == SIGINT_CODE:  # what typer makes of Ctrl-C
        return _interrupted()
    return result if isinstance(result, int) else Exit.OK


def _unforeseen(error: BaseException) -> int:
    if type(error).__name__ == "Abort":  # what other versions of typer make of Ctrl-C
        return _interrupted()
    if isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError):
        say("stdout cannot be written (broken pipe).")  # the reader went away, say `head`
        return Exit.INTERNAL
    if hasattr(error, "format_message"):
        say(f"{error.format_message()} Try 'fiber-audit --help'.")  # typer: a wrong option
        return Exit.USAGE
    if isinstance(error, OSError):
        say(f"{error.filename or 'a file'}: {(error.strerror or str(error)).lower()}.")
        return Exit.INTERNAL
    if sys.flags.dev_mode:
        raise error
    told = str(error).splitlines()[0] if str(error) else "no message"
    say(f"internal error: {type(error).__name__}: {told}; python -X dev shows where.")
    return Exit.INTERNAL


def _check_environment() -> None:
    for name in os.environ:
        if name.startswith("FIBER_AUDIT_") and name not in VARIABLES:
            raise UsageError(f"{name}: no such variable. {suggestion(name, VARIABLES)}")


def _interrupted() -> int:
    say(f"interrupted; {AGAIN}.")
    return Exit.INTERRUPTED
