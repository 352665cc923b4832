"""The command `fiber-audit`: stdout carries data, stderr progress and complaints.

Exit codes: 0 all conditions hold, 1 a condition failed, 2 interrupted, 3 internal or plugin error,
4 bad usage or suite, 5 nothing to run.
"""

from __future__ import annotations

import gc
import os
import sys
from errno import EBADF
from importlib import import_module

import click

from .._suite.variables import AUTOLOAD, DISABLE, SET, TRUSTED
from ..errors import FiberAuditError, UnknownName, UsageError, suggestion
from .shared import Exit, say
from .stdout import need_no_stderr
from .supervised import AGAIN, supervised

VERBS = {
    "run": "Run an audit suite (without SUITE: Color MNIST), or what is missing of it.",
    "list": "List every component that the installed plugins offer.",
    "report": "Write the page of a finished run again, from its directory alone; prints the file.",
    "check": "Check that components keep their contracts, before a long run finds out.",
    "compare": "Compare two runs headline by headline, paired where their queries match.",
    "export": "Write a finished run for a dashboard; prints the files.",
    "figure": "Draw one figure of a finished run, for a paper; prints the file.",
    "merge": "Merge shards that were computed in several places, and finish the run.",
    "fit": "Fit the priors and samplers of a suite that have to be fitted; goes on if killed.",
    "advise": "Tell which sampler is cheapest for so many draws, training included.",
    "tune": "Find a sampler's strength on a few queries; prints a TOML snippet.",
    "new": "Write a plugin project that installs and passes its own tests; prints its folder.",
    "doctor": "Look at the installation: versions, devices, plugins, caches, and what is missing.",
}
"""What each verb is for, in one line: `--help` imports none of them."""
VARIABLES = (AUTOLOAD, DISABLE, SET, TRUSTED)


class Verbs(click.Group):
    """A verb is imported, from the file of its name, when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs."""
        return [*VERBS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The verb of that name; UnknownName says what there is."""
        if cmd_name not in VERBS:
            raise UnknownName(f"No such command {cmd_name!r}. {suggestion(cmd_name, VERBS)}")
        found: click.Command = getattr(import_module(f".{cmd_name}", __package__), cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """All verbs with their lines."""
        with formatter.section("Commands"):
            formatter.write_dl([*VERBS.items()])


@click.group(cls=Verbs, invoke_without_command=True, context_settings={"show_default": True})
@click.version_option(package_name="fiber-audit", message="fiber-audit %(version)s")
@click.pass_context
def app(context: click.Context) -> None:
    """What can your network not tell apart? Draws from its fibers, measured and shown."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(Exit.USAGE)


def main() -> None:
    """Entry point of the console script."""
    need_no_stderr()
    quick = "--help" in sys.argv or sys.argv[1:2] in (["--version"], ["list"])
    if quick:
        gc.disable()  # what is loaded is no garbage
    code = supervised(_command, quick)
    if quick:
        gc.freeze()  # nor is it looked through once more when Python ends
    sys.exit(code)


def _command() -> int:
    if sys.stdout is None:
        return _lost(OSError(EBADF, os.strerror(EBADF)))
    code = guarded(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError as error:
        return _lost(error)
    return code


def guarded(arguments: list[str]) -> int:
    """Run a command line; returns the exit code. A user's mistake is one sentence on stderr.

    No exception of another library leaves: one that nobody foresaw is told in one sentence, with
    its traceback under `python -X dev`.
    """
    try:
        _check_environment()
        with app.make_context("fiber-audit", [*arguments]) as context:
            code = app.invoke(context)
    except click.exceptions.Exit as asked:  # --help, --version
        return asked.exit_code
    except UsageError as error:
        for line in str(error).splitlines():
            say(line)
        return Exit.USAGE
    except FiberAuditError as error:
        say(error)
        return Exit.INTERNAL
    except KeyboardInterrupt:
        say(f"interrupted; {AGAIN}.")
        return Exit.INTERRUPTED
    except (Exception, SystemExit) as error:
        return _unforeseen(error)
    return code if isinstance(code, int) else Exit.OK


def _unforeseen(error: BaseException) -> int:
    if isinstance(error, click.ClickException):  # a wrong option
        say(f"{error.format_message()} Try 'fiber-audit --help'.")
        return Exit.USAGE
    if isinstance(error, BrokenPipeError):
        return _lost(error)
    if isinstance(error, OSError):
        say(f"{error.filename or 'a file'}: {(error.strerror or str(error)).lower()}.")
        return Exit.INTERNAL
    if sys.flags.dev_mode:
        raise error
    told = str(error).splitlines()[0] if str(error) else "no message"
    say(f"internal error: {type(error).__name__}: {told}; python -X dev shows where.")
    return Exit.INTERNAL


def _lost(error: OSError) -> int:
    """Tell that stdout takes no more: a full device, or a reader that went away, say `head`."""
    say(f"stdout cannot be written ({(error.strerror or str(error)).lower()}).")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python complains once more
    return Exit.INTERNAL


def _check_environment() -> None:
    for name in os.environ:
        if name.startswith("FIBER_AUDIT_") and name not in VARIABLES:
            raise UsageError(f"{name}: no such variable. {suggestion(name, VARIABLES)}")
