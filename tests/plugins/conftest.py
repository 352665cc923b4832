"""A finished run with every difficulty that an exporter meets."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from fiber_audit import Condition
from fiber_audit._judge import written
from fiber_audit._judge.verdicts import judge
from fiber_audit.records import frame, write


@dataclass
class FinishedRun:
    path: Path
    records: pd.DataFrame

    @property
    def pooled(self) -> pd.DataFrame:
        """The rows that every exporter must give back."""
        return self.records[self.records["query"].isna() & self.records["value"].notna()]


AUDITS = ("shape/latent/ndtm", "colour, or not/latent/ndtm")
NUMBERS = {  # metric: (statistic, value, better)
    "fiber_loss_rms": ("mean", 1 / 30, "lower"),
    "kernel_distance": ("mean", -2.5e-5, "lower"),
    "diversity": ("mean", 2 / 3, "higher"),
    "colour_w1": ("q0.95", 1e-17, "lower"),
    "saturation": ("mean", 0.0, "lower"),
}


def rows(audit, scale, common):
    extractor, prior, sampler = audit.split("/")
    row = {**common, "audit": audit, "extractor": extractor, "prior": prior, "sampler": sampler}
    for metric, (statistic, value, better) in NUMBERS.items():
        value *= scale
        found = {**row, "metric": metric, "statistic": statistic, "value": value, "n": 16}
        found |= {"better": better, "unit": "ünit", "status": "ok"}
        spread = abs(value) / 7
        interval = {"stderr": spread, "ci_low": value - 2 * spread, "ci_high": value + 2 * spread}
        yield found | (interval if metric != "saturation" else {})
        yield found | {"query": "=q-1", "value": value * 1.1}
    seen = {**row, "metric": "diversity", "statistic": "mean", "value": scale / 3, "n": 16}
    yield seen | {"seen_by": "clip", "better": "higher", "status": "ok"}
    yield {**row, "metric": "broken", "status": "error", "message": 'no | luck\n<b>"at all"</b>'}
    yield {**row, "metric": "diversity", "statistic": "floor", "status": "skipped", "message": "n"}


CONDITIONS = [
    Condition("fiber_loss_rms", max=1),
    Condition("diversity", extractor="shape", min=0.9),
    Condition("diversity", min=0.9, severity="warn", name="diverse enough"),
    Condition("kernel_distance", max=-2.5e-5),
    Condition("nothing", max=1),
    Condition("broken", extractor="shape", max=1),
    Condition("diversity", statistic="floor", extractor="shape", max=1),
]


@cache
def verdicts_at(scale):
    """What the conditions say of numbers of this scale, whatever the run is called."""
    return judge(frame(row for audit in AUDITS for row in rows(audit, scale, {})), CONDITIONS)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Make a finished run, each once; who is given one only copies it."""
    home = tmp_path_factory.mktemp("made")

    @cache
    def make(scale, started_at, git_sha, run_id, suite, config):
        path = home / str(len(list(home.iterdir())))
        common = {"run_id": run_id, "started_at": started_at, "suite": suite}
        common |= {"schema_version": 3, "git_sha": git_sha, "seed": 0, "git_dirty": 0}
        common |= {"config_hash": config}
        records = frame(row for audit in AUDITS for row in rows(audit, scale, common))
        judged = verdicts_at(scale)
        records = written.marked(records, judged)
        path.mkdir()
        written.write(judged, path)
        write(records, path)
        (path / "report.html").write_text("<html></html>")
        return FinishedRun(path, records)

    return make


@pytest.fixture
def make_run(tmp_path, made):
    """Call it for a run directory with records and verdicts."""

    def make(
        scale=1.0,
        started_at="2026-11-25T01:02:03Z",
        git_sha="c0ffee" + "0" * 34,
        run_id=None,
        suite="suite",
        config="c0",
    ):
        run_id = run_id or f"{suite}-{started_at[:10]}"
        run = made(scale, started_at, git_sha, run_id, suite, config)
        path = tmp_path / f"{suite}-{config}-{run_id}"
        shutil.copytree(run.path, path)
        return FinishedRun(path, run.records.copy())

    return make


@pytest.fixture
def finished(make_run):
    return make_run()
