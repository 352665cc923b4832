"""A process that keeps more and more memory says so in the log of its run."""

import json
from pathlib import Path

import pytest

from fiber_audit._draw import work
from fiber_audit._draw.leak import Leak


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="nobody tells of memory")
@pytest.mark.parametrize("deed", ["grow", ""])
def test_a_plugin_that_leaks_in_this_process_is_told_in_the_log_and_no_other(
    here, suite, tmp_path, monkeypatch, deed
):
    leak = Leak(step=0.03)
    monkeypatch.setattr(work, "_leak", lambda run: leak)
    line = ["run", suite("[samplers.bad]\nuse = 'faulty'\n"), "--out", "run"]
    done = here(*line, "--set", "batch_size=3", "--set", f"samplers.bad.deed='{deed}'")
    log = tmp_path / "run" / "log.jsonl"
    events = [json.loads(each) for each in log.read_text().splitlines()] if log.exists() else []

    assert done.returncode == 0, done.stderr
    assert {each["audit"] for each in events} == ({"two/gauss/bad"} if deed else set())
    assert all("more than after its first block" in each["message"] for each in events)
