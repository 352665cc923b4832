"""What the fixture `fiber_audit` offers: runs of suites, and assertions about them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .._report.plain import plain
from ..errors import UsageError

if TYPE_CHECKING:
    from .._judge.verdicts import Verdict
    from .._run import Run
    from .._suite.catalogue import Catalogue
    from .._suite.condition import Condition
    from .._suite.suite import Suite


class Violated(AssertionError):
    """A condition of a suite does not hold."""


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
        self._suites: dict[tuple[str, ...], Suite] = {}
        self._runs: dict[tuple[str, ...], Run] = {}

    @cached_property
    def catalogue(self) -> Catalogue:
        """The installed plugins."""
        from .._suite.catalogue import Catalogue

        return Catalogue.load(extra=self.plugins)

    def suite(self, suite: str | Path, *settings: str) -> Suite:
        """A suite (.toml file or shipped name), read once per session for the same settings."""
        from .._suite.read import read

        key = (str(suite), *settings)
        if key not in self._suites:
            self._suites[key] = read(key[0], self.catalogue, [*self.settings, *settings])
        return self._suites[key]

    def run(self, suite: str | Path, *settings: str) -> Run:
        """Run a suite (.toml file or shipped name), once per session for the same settings.

        settings: ``path=value``, after those of the command line.
        """
        from .._run import Options, run
        from .._score.directory import default_path

        key = (str(suite), *settings)
        if key not in self._runs:
            resolved = self.suite(suite, *settings)
            options = Options(out=self.out / default_path(resolved).name)
            self._runs[key] = run(resolved, self.catalogue, options)
        return self._runs[key]

    def assert_holds(self, run: Run, condition: Condition) -> None:
        """Fail the test if a condition is violated in any audit that it matches.

        A baseline is relative to the current folder. A condition that the draws cannot decide skips
        the test, and says how many would.
        """
        from .._judge.baseline import read_baselines
        from .._judge.verdicts import judge

        judged = judge(run.records, [condition], read_baselines([condition], Path()))
        self.conclude([verdict for verdict in judged if verdict.condition == condition], run)

    def assert_keeps_contract(self, kind: str, component: Any) -> None:
        """Fail the test if a component breaks its contract; kind is extractor, prior, ..."""
        from ..check import CHECKS

        if kind not in CHECKS:
            raise UsageError(f"kind {kind!r}: there is no check; known: {', '.join(CHECKS)}.")
        found = CHECKS[kind](component)
        if found:
            raise Violated("\n".join(map(str, found)))

    def conclude(self, verdicts: Sequence[Verdict], run: Run) -> None:
        """Turn verdicts into the outcome of a test."""
        bad = [v for v in verdicts if v.status in self.fail_on]
        others = {plain(f"{v.status}: {v.message}"): v.status for v in verdicts if v not in bad}
        self.notes |= {told: None for told, s in others.items() if s not in ("pass", "skipped")}
        if bad:
            raise Violated("\n".join([*(plain(v.message) for v in bad), pictures(run)]))
        undecided = [told for told, s in others.items() if s in ("inconclusive", "skipped")]
        if undecided:
            pytest.skip("; ".join(undecided))


def pictures(run: Run) -> str:
    """Where to look when something does not hold."""
    return f"pictures: {run.path / 'report.html'}"
