"""Options and words that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer

from .._report.plain import plain
from .._suite.catalogue import Catalogue
from ..errors import UsageError


class Exit(IntEnum):
    """Pytest's exit codes."""

    OK = 0
    FAILED = 1
    INTERRUPTED = 2
    INTERNAL = 3
    USAGE = 4
    NOTHING = 5


Disable = Annotated[
    list[str], typer.Option("-p", help="no:NAME leaves a plugin out", metavar="no:NAME")
]
Extra = Annotated[
    list[str], typer.Option("--plugin", help="also load this module or .py file", metavar="WHERE")
]
Trusted = Annotated[
    list[Path],
    typer.Option(
        "--allow-pickle", help="weights (a file or folder) that may run code", metavar="PATH"
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="a plugin that does not load is an error")]
Json = Annotated[bool, typer.Option("--json", help="write JSON to stdout")]
Settings = Annotated[
    list[str],
    typer.Option("--set", help="override the suite: samplers.ndtm.steps=50", metavar="PATH=VALUE"),
]


def disabled(words: list[str]) -> tuple[str, ...]:
    """``-p no:NAME`` -> the names."""
    for word in words:
        if not word.startswith("no:"):
            raise UsageError(f"-p {word}: write -p no:NAME to leave a plugin out.")
    return tuple(word.removeprefix("no:") for word in words)


def catalogue_of(
    p: list[str], plugin: list[str], strict: bool = False, trusted: Sequence[Path] = ()
) -> Catalogue:
    """The catalogue that these options describe; from then on files that are trusted may be read.

    Raises:
        UsageError: there is no such file.
    """
    if trusted:
        from ..loading import trust

        trust(trusted)
    return Catalogue.load(disabled(p), plugin, strict=strict)


def say(line: object) -> None:
    """One line to a person, on stderr; nothing in it can act on the terminal."""
    typer.echo(f"fiber-audit: {plain(line)}", err=True)


def tell(line: object) -> None:
    """One line of what was asked for, on stdout; nothing in it can act on a terminal, either."""
    typer.echo(plain(line))
