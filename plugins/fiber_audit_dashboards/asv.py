"""airspeed velocity: results that ``asv publish`` turns into pages of history by commit."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiber_audit.contracts import Exporter
from fiber_audit.errors import DataError

from .series import Point, facts, points, strict_json

if TYPE_CHECKING:
    import pandas as pd

ENVIRONMENT = "fiber-audit"


@dataclass(frozen=True)
class Asv(Exporter):
    """One tracked benchmark per series, so that asv never averages different audits.

    The run must have been made in a git checkout: asv orders results by commit. A later run of
    the same commit replaces the earlier one.

    machine: names the folder of results. branch and repo: what asv.conf.json says when it is first
    written; repo is relative to out.
    """

    machine: str = "ci"
    branch: str = "main"
    repo: str = ".."

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Write out/results, and out/asv.conf.json where there is none."""
        about = facts(records)
        if not about.git_sha:
            raise DataError(
                f"{about.run_id}: it knows no git commit, which asv needs; run inside a checkout."
            )
        found = points(records)
        names = {_benchmark(point): point for point in found}
        folder = out / "results" / self.machine
        folder.mkdir(parents=True, exist_ok=True)
        config, known = out / "asv.conf.json", out / "results" / "benchmarks.json"
        if not config.exists():
            config.write_text(strict_json(self._config(about.suite)), encoding="utf-8")
        benchmarks = json.loads(known.read_text("utf-8")) if known.exists() else {"version": 2}
        benchmarks |= {name: _declared(name, point) for name, point in names.items()}
        known.write_text(strict_json(benchmarks), encoding="utf-8")
        machine = folder / "machine.json"
        machine.write_text(strict_json({"machine": self.machine, "version": 1}), encoding="utf-8")
        result = folder / f"{about.git_sha[:8]}-{ENVIRONMENT}.json"
        result.write_text(
            strict_json(
                {
                    "version": 2,
                    "commit_hash": about.git_sha,
                    "date": int(about.moment.timestamp() * 1000),
                    "env_name": ENVIRONMENT,
                    "params": {"machine": self.machine, "python": ""},
                    "python": "",
                    "requirements": {},
                    "env_vars": {},
                    "durations": {},
                    "result_columns": ["result", "params", "version"],
                    "results": {n: [[p.value], [], _version(n)] for n, p in names.items()},
                }
            ),
            encoding="utf-8",
        )
        return [config, known, machine, result]

    def _config(self, suite: str) -> dict[str, Any]:
        return {
            "version": 1,
            "project": suite,
            "repo": self.repo,
            "branches": [self.branch],
            "results_dir": "results",
            "html_dir": "html",
            "environment_type": "virtualenv",
        }


def _benchmark(point: Point) -> str:
    """Asv splits names at dots: audit, metric and statistic become its tree."""
    name = point.name.replace("/", ".")
    return re.sub(r"[^A-Za-z0-9_.]+", "_", name)


def _version(name: str) -> str:
    return f"{name}:1"


def _declared(name: str, point: Point) -> dict[str, Any]:
    return {
        "name": name,
        "type": "track",
        "unit": point.unit or "1",
        "version": _version(name),
        "params": [],
        "param_names": [],
        "code": f"{point.metric} ({point.statistic}) of {point.audit}",
        "timeout": 60,
    }
