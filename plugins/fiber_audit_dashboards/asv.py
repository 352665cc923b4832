"""airspeed velocity: results that ``asv publish`` turns into pages of history by commit."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiber_audit import DataError
from fiber_audit.contracts import Exporter
from fiber_audit.records import write_atomically

from .folders import held
from .names import distinct
from .run_facts import RunFacts, facts
from .series import Reading, readings, strict_json

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 200
"""Letters of a benchmark's name: asv makes it the name of a file."""


@dataclass(frozen=True)
class Asv(Exporter):
    """One tracked benchmark per series, so that asv never averages different audits.

    The run must have been made in a git checkout: asv orders results by commit. Each run has a
    file of results, and each suite is a parameter of its own; several runs of one suite at one
    commit are a point at their mean.

    machine: names the folder of results. branch and repo: what asv.conf.json says when it is first
    written; repo is relative to out.
    """

    machine: str = "ci"
    branch: str = "main"
    repo: str = ".."

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Write out/results, and out/asv.conf.json where there is none."""
        about = facts(records)
        if not re.fullmatch("[0-9a-f]{8,64}", about.git_sha):
            why = f"git_sha = {about.git_sha!r} is no" if about.git_sha else "it knows no git"
            raise DataError(
                f"{about.run_id}: {why} commit, which asv needs; run inside a checkout."
            )
        found = readings(records)
        folder = out / "results" / self.machine
        config, known = out / "asv.conf.json", out / "results" / "benchmarks.json"
        environment = f"fiber-audit-{about.identity}"
        with held(out):
            benchmarks = _benchmarks(known)
            names = distinct(
                {reading.name: _benchmark(reading) for reading in found},
                known={b["pretty_name"]: n for n, b in benchmarks.items() if "pretty_name" in b},
                longest=LONGEST,
            )
            named = {names[reading.name]: reading for reading in found}
            benchmarks |= {name: _declared(name, reading) for name, reading in named.items()}
            contents = {
                known: {"version": 2, **benchmarks},
                folder / "machine.json": {"machine": self.machine, "version": 1},
                folder / f"{about.git_sha[:8]}-{environment}.json": {
                    "version": 2,
                    "commit_hash": about.git_sha,
                    "date": int(about.moment.timestamp() * 1000),
                    "env_name": environment,
                    "params": {"machine": self.machine, "python": "", "suite": about.suite},
                    "python": "",
                    "requirements": {},
                    "env_vars": {},
                    "durations": {},
                    "result_columns": ["result", "params", "version"],
                    "results": {n: [[r.value], [], _version(n)] for n, r in named.items()},
                },
            }
            if not config.exists():
                write_atomically(config, strict_json(self._config(about)))
            return [config, *(write_atomically(p, strict_json(c)) for p, c in contents.items())]

    def _config(self, about: RunFacts) -> dict[str, Any]:
        return {
            "version": 1,
            "project": about.suite,
            "repo": self.repo,
            "branches": [self.branch],
            "results_dir": "results",
            "html_dir": "html",
            "environment_type": "virtualenv",
        }


def _benchmarks(path: Path) -> dict[str, dict[str, Any]]:
    """What benchmarks.json declares, by name; its entries of earlier runs stay."""
    if not path.exists():
        return {}
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return {str(n): dict(declared) for n, declared in known.items() if n != "version"}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path}: it is not what an export wrote; restore it, or choose another folder."
        ) from error


def _benchmark(reading: Reading) -> str:
    """Asv splits names at dots: audit, metric and statistic become its tree."""
    return re.sub(r"[^A-Za-z0-9_.]+", "_", reading.name.replace("/", "."))


def _version(name: str) -> str:
    return f"{name}:1"


def _declared(name: str, reading: Reading) -> dict[str, Any]:
    return {
        "name": name,
        "pretty_name": reading.name,
        "type": "track",
        "unit": reading.unit or "1",
        "version": _version(name),
        "params": [],
        "param_names": [],
        "code": f"{reading.measure} of {reading.audit}",
        "timeout": 60,
    }
