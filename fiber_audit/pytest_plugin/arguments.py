"""Which suites, and which of their tests, a command line of pytest asks for."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

FINISHES = "every audit finishes"


class NamedSuite:
    """A suite that the command line names, by an option or by the ids of its tests.

    node: the id of its node, a path relative to pytest's root folder as for any test; of a shipped
    suite its name. path: the same, absolute, which tells suites apart. ids: those of its tests that
    were asked for; none means all.
    """

    def __init__(self, name: str, config: pytest.Config) -> None:
        path = absolute(name, config)
        self.name, self.ids = name, list[str]()
        if not is_file(path):
            self.node = name
        elif path.is_relative_to(config.rootpath):
            self.node = path.relative_to(config.rootpath).as_posix()
        else:
            self.node = path.as_posix()
        self.path = config.rootpath / self.node


def absolute(name: str, config: pytest.Config) -> Path:
    """The path that a name means on the command line."""
    path = config.invocation_params.dir / name
    return Path(os.path.abspath(path))  # noqa: PTH100 - a link keeps its name


def is_file(path: Path) -> bool:
    """Whether there is such a file; there is none of a name that is too long."""
    return os.path.isfile(path)  # noqa: PTH113


def named_suites(names: Iterable[str], config: pytest.Config) -> list[NamedSuite]:
    """The suites of the options and of the arguments; what is left of those are files of tests."""
    suites: list[NamedSuite] = []
    for name in names:
        if _known(name, suites, config) is None:
            suites.append(NamedSuite(name, config))
    others, whole = [], []
    for argument in config.args:
        suite, wanted = _split(argument, suites, config)
        if suite is None:
            others.append(argument)
        elif wanted:
            suite.ids.append(wanted)
        else:
            whole.append(suite)
    for suite in whole:
        suite.ids.clear()
    config.args[:] = others
    return suites


def _split(
    argument: str, suites: list[NamedSuite], config: pytest.Config
) -> tuple[NamedSuite | None, str]:
    """(suite, id of a test) of an argument; (None, "") where it names no suite."""
    parts = argument.split("::")
    for end in range(1, len(parts) + 1):
        name = "::".join(parts[:end])
        suite = _known(name, suites, config)
        if suite is None and name.endswith(".toml") and is_file(absolute(name, config)):
            suite = NamedSuite(name, config)
            suites.append(suite)
        if suite is not None:
            return suite, "::".join(parts[end:])
    return None, ""


def _known(name: str, suites: list[NamedSuite], config: pytest.Config) -> NamedSuite | None:
    path = absolute(name, config)
    return next((suite for suite in suites if name == suite.name or path == suite.path), None)


def ids_of(titles: Iterable[str]) -> dict[str, str | None]:
    r"""The tests of a suite: id -> title of its conditions, None for the one on the run itself.

    Ids are distinct, hold on one line, and are what pytest takes on the command line.

    >>> [*ids_of(["loss <= 1", "loss <= 1", "two\nlines", "every audit finishes"])]
    ['every audit finishes', 'loss <= 1', 'two\\nlines', 'every audit finishes (2)']
    """
    found: dict[str, str | None] = {FINISHES: None}
    for title in dict.fromkeys(titles):
        shown = title.replace("\\", r"\\").replace("::()", r"::\x28)")  # pytest bans that one
        shown = "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown
        )
        names = itertools.chain([shown], (f"{shown} ({n})" for n in itertools.count(2)))
        found[next(name for name in names if name not in found)] = title
    return found
