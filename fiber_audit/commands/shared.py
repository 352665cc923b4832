"""Words that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .._report.plain import plain
from ..errors import UsageError

if TYPE_CHECKING:
    from .._suite.catalogue import Catalogue


class Exit(IntEnum):
    """Pytest's exit codes."""

    OK = 0
    FAILED = 1
    INTERRUPTED = 2
    INTERNAL = 3
    USAGE = 4
    NOTHING = 5


def disabled(words: Sequence[str]) -> tuple[str, ...]:
    """``-p no:NAME`` -> the names."""
    for word in words:
        if not word.startswith("no:"):
            raise UsageError(f"-p {word}: write -p no:NAME to leave a plugin out.")
    return tuple(word.removeprefix("no:") for word in words)


def catalogue_of(
    p: Sequence[str], plugin: Sequence[str], strict: bool = False, trusted: Sequence[Path] = ()
) -> Catalogue:
    """The catalogue that these options describe; from then on files that are trusted may be read.

    Raises:
        UsageError: there is no such file.
    """
    from .._suite.catalogue import Catalogue

    if trusted:
        from ..loading import trust

        trust(trusted)
    return Catalogue.load(disabled(p), plugin, strict=strict)


def say(line: object) -> None:
    """One line to a person, on stderr; nothing in it can act on the terminal."""
    click.echo(f"fiber-audit: {plain(line)}", err=True)


def tell(line: object) -> None:
    """One line of what was asked for, on stdout; nothing in it can act on a terminal, either."""
    click.echo(plain(line))
