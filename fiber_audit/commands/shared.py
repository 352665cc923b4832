"""Words that several verbs share."""

from __future__ import annotations

from enum import IntEnum

import click

from .._report.plain import plain


class Exit(IntEnum):
    """Pytest's exit codes."""

    OK = 0
    FAILED = 1
    INTERRUPTED = 2
    INTERNAL = 3
    USAGE = 4
    NOTHING = 5


def say(line: object) -> None:
    """One line to a person, on stderr; nothing in it can act on the terminal."""
    click.echo(f"fiber-audit: {plain(line)}", err=True)


def tell(line: object) -> None:
    """One line of what was asked for, on stdout; nothing in it can act on a terminal, either."""
    click.echo(plain(line))
