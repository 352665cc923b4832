"""The pytest plugin: every condition of a suite is a test, and a fixture for hand-written ones.

    pytest --fiber-audit suite.toml
    pytest suite.toml
    pytest "suite.toml::fiber_loss_rms <= 0.1"

runs the suite once, when the first of its tests is due. A violated condition fails with its value,
interval, bound and the path of the report; one that the draws cannot decide is skipped with the n
that would; one of severity warn passes, and the last lines of the session tell of it. Nothing here
imports torch before a suite runs or the fixture is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ..errors import FiberAuditError
from .arguments import NamedSuite, named_suites
from .audits import Audits
from .nodes import SuiteNode

AUDITS = pytest.StashKey[Audits]()
NAMED = pytest.StashKey[list[NamedSuite]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the plugin, all under one prefix."""
    group = parser.getgroup("fiber-audit")
    add = group.addoption
    add(
        "--fiber-audit",
        action="append",
        default=[],
        metavar="SUITE",
        help="make a test of every condition of this suite (.toml file or shipped name)",
    )
    add(
        "--fiber-audit-set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="override the suites, e.g. samplers.ndtm.steps=50",
    )
    add(
        "--fiber-audit-plugin",
        action="append",
        default=[],
        metavar="WHERE",
        help="also load this fiber-audit plugin: a module or a .py file",
    )
    add(
        "--fiber-audit-fail-on",
        action="append",
        default=[],
        choices=["warn", "inconclusive"],
        help="verdicts that fail a test besides fail and error",
    )
    add("--fiber-audit-out", metavar="DIR", help="folder of the run directories (default: runs)")


def pytest_configure(config: pytest.Config) -> None:
    """One cache of runs for the session; arguments that name suites are not files of tests."""
    config.stash[AUDITS] = Audits(
        Path(config.getoption("--fiber-audit-out") or "runs"),
        config.getoption("--fiber-audit-set"),
        config.getoption("--fiber-audit-plugin"),
        config.getoption("--fiber-audit-fail-on"),
    )
    config.stash[NAMED] = named_suites(config.getoption("--fiber-audit"), config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the tests of the suites that the command line names."""
    for named in config.stash[NAMED]:
        try:
            items += SuiteNode.of(named, config.stash[AUDITS], session).tests()
        except FiberAuditError as error:
            raise pytest.UsageError(*str(error).splitlines()) from error


@pytest.fixture(scope="session")
def fiber_audit(pytestconfig: pytest.Config) -> Audits:
    """Runs of suites, kept for the session, and assertions about them."""
    return pytestconfig.stash[AUDITS]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Tell of warnings and of what was not decided."""
    notes = config.stash[AUDITS].notes
    if notes:
        terminalreporter.section("fiber-audit")
        for note in notes:
            terminalreporter.line(note)
