"""Options that say which plugins there are, and which files they may believe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError

if TYPE_CHECKING:
    from .._suite.catalogue import Catalogue

WITHOUT, MORE, TRUSTED = "-p", "--plugin", "--allow-pickle"
Verb = Callable[..., Any]


@dataclass(frozen=True)
class Plugins:
    """What a command line says of plugins.

    without: no:NAME each. more: modules or .py files. trusted: files that may run code when they
    are read. strict: one that does not load is an error.
    """

    without: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    trusted: tuple[Path, ...] = ()
    strict: bool = False

    def catalogue(self) -> Catalogue:
        """What they offer; from then on files that are trusted may be read.

        Raises:
            UsageError: a word is not of the form no:NAME, or there is no such file.
        """
        from .._suite.catalogue import Catalogue

        if self.trusted:
            from ..loading import trust

            trust(self.trusted)
        for word in self.without:
            if not word.startswith("no:"):
                raise UsageError(f"{WITHOUT} {word}: write -p no:NAME to leave a plugin out.")
        names = tuple(word.removeprefix("no:") for word in self.without)
        return Catalogue.load(names, self.more, strict=self.strict)

    def words(self) -> list[str]:
        """How another verb is told the same; strictness is this one's own.

        >>> Plugins(without=("no:ray",), trusted=(Path("old.pt"),)).words()
        ['-p', 'no:ray', '--allow-pickle', 'old.pt']
        """
        given = {WITHOUT: self.without, MORE: self.more, TRUSTED: self.trusted}
        return [
            word for option, values in given.items() for v in values for word in (option, str(v))
        ]


def with_plugins(*, weights: bool = False, strict: bool = False) -> Callable[[Verb], Verb]:
    """Give a verb the argument `plugins`. weights: it reads some. strict: it can be told to be."""
    options = [
        click.option(WITHOUT, multiple=True, metavar="no:NAME", help="no:NAME leaves a plugin out"),
        click.option(
            MORE, multiple=True, metavar="WHERE", help="also load this module or .py file"
        ),
    ]
    if weights:
        told = "weights (a file or folder) that may run code"
        options.append(click.option(TRUSTED, type=Path, multiple=True, metavar="PATH", help=told))
    if strict:
        told = "a plugin that does not load is an error"
        options.append(click.option("--strict", is_flag=True, help=told))

    def decorate(verb: Verb) -> Verb:
        @wraps(verb)
        def call(
            *,
            p: tuple[str, ...],
            plugin: tuple[str, ...],
            allow_pickle: tuple[Path, ...] = (),
            strict: bool = False,
            **rest: Any,
        ) -> Any:
            return verb(plugins=Plugins(p, plugin, allow_pickle, strict), **rest)

        for option in reversed(options):
            call = option(call)
        return call

    return decorate
