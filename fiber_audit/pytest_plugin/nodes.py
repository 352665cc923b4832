"""The tests of a suite, as pytest sees them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .._report.plain import plain
from ..errors import FiberAuditError, UsageError, suggestion
from .arguments import NamedSuite, ids_of
from .audits import Audits, Violated, pictures


class SuiteNode(pytest.Collector):
    """The node between the session and the tests of one suite."""

    def __init__(self, *, named: NamedSuite, audits: Audits, **node: Any) -> None:
        super().__init__(**node)
        self.named, self.audits = named, audits

    @classmethod
    def of(cls, named: NamedSuite, audits: Audits, session: pytest.Session) -> SuiteNode:
        """The node of a suite that was asked for."""
        made: SuiteNode = cls.from_parent(
            session, name=named.name, nodeid=named.node, named=named, audits=audits
        )
        return made

    def collect(self) -> Iterator[pytest.Item]:
        """Its tests; those that were asked for."""
        return iter(self.tests())

    def tests(self) -> list[ConditionTest]:
        """One on the run itself, then one for each title of a condition; those asked for.

        Raises:
            UsageError: the suite is wrong, or has no test of an id that was asked for.
        """
        titles = [each.title for each in self.audits.suite(self.named.name).conditions]
        tests = ids_of(titles)
        for wanted in self.named.ids:
            if wanted not in tests:
                hint = suggestion(wanted, tests)
                raise UsageError(f"{self.named.node}: it has no test {wanted!r}. {hint}")
        return [
            ConditionTest.from_parent(self, name=name, nodeid=f"{self.nodeid}::{name}", title=title)
            for name, title in tests.items()
            if not self.named.ids or name in self.named.ids
        ]


class ConditionTest(pytest.Item):
    """The conditions of one title in all audits that they match; or that every audit finishes."""

    parent: SuiteNode

    def __init__(self, *, title: str | None, **node: Any) -> None:
        super().__init__(**node)
        self.title = title

    def runtest(self) -> None:
        """Run the suite unless it has been, and judge."""
        audits, suite = self.parent.audits, self.parent.named.name
        run = audits.run(suite)
        if self.title is not None:
            judged = [v for v in run.verdicts if v.condition.title == self.title]
            if not judged:
                raise Violated(f"{self.title}: it was not judged; run the suite again.")
            audits.conclude(judged, run)
            return
        if run.incomplete:
            raise Violated(f"{run.incomplete} draws are left to other shards; run those first.")
        broken = run.records[run.records["status"] == "error"]["message"].dropna().unique()
        if run.failed:
            raise Violated("\n".join([*map(str, broken), pictures(run)]))
        known = audits.suite(suite).conditions
        audits.conclude([v for v in run.verdicts if v.condition not in known], run)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """One line per audit for what the user can act on; a traceback for everything else."""
        if isinstance(excinfo.value, Violated | FiberAuditError):
            return plain(excinfo.value, keep="\n")
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where pytest says that the test is."""
        return Path(self.parent.name), None, f"{self.parent.name}: {self.name}"
