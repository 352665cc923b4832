"""The pytest plugin: every condition of a suite is a test, and a fixture for hand-written ones.

    pytest --fiber-audit suite.toml

runs the suite once, when the first of its tests is due. A violated condition fails with its value,
interval, bound and the path of the report; one that the draws cannot decide is skipped with the n
that would; one of severity warn passes, and the last lines of the session tell of it. Nothing here
imports torch before a suite runs or the fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .errors import FiberAuditError, UsageError

if TYPE_CHECKING:
    from .conditions import Condition, Verdict
    from .plugins import Catalogue
    from .runner import Run

FINISHES = "every audit finishes"
AUDITS = pytest.StashKey["Audits"]()


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
    """One cache of runs for the session."""
    config.stash[AUDITS] = Audits(
        Path(config.getoption("--fiber-audit-out") or "runs"),
        config.getoption("--fiber-audit-set"),
        config.getoption("--fiber-audit-plugin"),
        config.getoption("--fiber-audit-fail-on"),
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the tests of the suites that the command line names."""
    for name in config.getoption("--fiber-audit"):
        audits = config.stash[AUDITS]
        try:
            titles = [condition.title for condition in audits.conditions(name)]
        except FiberAuditError as error:
            raise pytest.UsageError(*str(error).splitlines()) from error
        suite = Suite.from_parent(session, name=name, nodeid=name)
        found = [FINISHES, *dict.fromkeys(titles)]
        items += [Test.from_parent(suite, name=title, audits=audits) for title in found]


class Suite(pytest.Collector):
    """The node between the session and the tests of one suite."""

    def collect(self) -> Iterator[pytest.Item]:
        """Its tests are made by the plugin."""
        return iter(())


class Violated(AssertionError):
    """A condition of a suite does not hold."""


class Test(pytest.Item):
    """One condition of a suite, in all audits that it matches; or that every audit finishes."""

    __test__ = False  # a node, not a test class

    def __init__(self, *, audits: Audits, **node: Any) -> None:
        super().__init__(**node)
        self.audits = audits

    def runtest(self) -> None:
        """Run the suite unless it has been, and judge."""
        assert self.parent is not None
        run = self.audits.run(self.parent.name)
        if self.name == FINISHES:
            broken = run.records[run.records["status"] == "error"]["message"].dropna().unique()
            if run.failed:
                raise Violated("\n".join([*map(str, broken), _where(run)]))
            return
        self.audits.conclude([v for v in run.verdicts if v.condition.title == self.name], run)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """One line per audit for what the user can act on; a traceback for everything else."""
        if isinstance(excinfo.value, Violated | FiberAuditError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where pytest says that the test is."""
        assert self.parent is not None
        return Path(self.parent.name), None, f"{self.parent.name}: {self.name}"


class Audits:
    """What the fixture `fiber_audit` offers; runs are kept for the session.

    out: folder of the run directories. settings, plugins: as on the command line. fail_on: further
    statuses that fail.
    """

    def __init__(
        self, out: Path, settings: Sequence[str], plugins: Sequence[str], fail_on: Sequence[str]
    ) -> None:
        self.out, self.settings, self.plugins = out, tuple(settings), tuple(plugins)
        self.fail_on = {"fail", "error", *fail_on}
        self.notes: dict[str, None] = {}
        self._runs: dict[tuple[str, ...], Run] = {}

    @cached_property
    def catalogue(self) -> Catalogue:
        """The installed plugins."""
        from .plugins import Catalogue

        return Catalogue.load(extra=self.plugins)

    def conditions(self, suite: str) -> list[Condition]:
        """The conditions of a suite, in its order."""
        from .condition_syntax import parse
        from .suite import read

        tables = read(suite, self.catalogue, self.settings).conditions
        return [parse(table, f"conditions[{i}]") for i, table in enumerate(tables)]

    def run(self, suite: str | Path, *settings: str) -> Run:
        """Run a suite (.toml file or shipped name), once per session for the same settings.

        settings: ``path=value``, after those of the command line.
        """
        from .runner import Options, run
        from .suite import read

        key = (str(suite), *settings)
        if key not in self._runs:
            resolved = read(key[0], self.catalogue, [*self.settings, *settings])
            folder = Path(suite).parent if Path(suite).is_file() else Path()
            name = f"{resolved.name}-{resolved.digest()[:10]}"
            options = Options(out=self.out / name, folder=folder, extra=self.plugins)
            self._runs[key] = run(resolved, self.catalogue, options)
        return self._runs[key]

    def assert_holds(self, run: Run, condition: Condition) -> None:
        """Fail the test if a condition is violated in any audit that it matches.

        A condition that the draws cannot decide skips the test, and says how many would.
        """
        from .conditions import judge

        self.conclude(judge(run.records, [condition]), run)

    def assert_keeps_contract(self, kind: str, component: Any) -> None:
        """Fail the test if a component breaks its contract; kind is extractor, prior, ..."""
        from .check import CHECKS

        if kind not in CHECKS:
            raise UsageError(f"kind {kind!r}: there is no check; known: {', '.join(CHECKS)}.")
        found = CHECKS[kind](component)
        if found:
            raise Violated("\n".join(map(str, found)))

    def conclude(self, verdicts: Sequence[Verdict], run: Run) -> None:
        """Turn verdicts into the outcome of a test."""
        bad = [v for v in verdicts if v.status in self.fail_on]
        noted = [v for v in verdicts if v not in bad and v.status not in ("pass", "skipped")]
        self.notes |= dict.fromkeys(f"{v.status}: {v.message}" for v in noted)
        if bad:
            raise Violated("\n".join([*(v.message for v in bad), _where(run)]))
        undecided = [v for v in verdicts if v.status in ("inconclusive", "skipped")]
        if undecided:
            pytest.skip("; ".join(f"{v.status}: {v.message}" for v in undecided))


def _where(run: Run) -> str:
    return f"pictures: {run.path / 'report.html'}"


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
