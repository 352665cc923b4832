"""What does not fit into memory is tried with fewer rows, and gives the same records."""

import json

import pandas as pd
import pytest

from fiber_audit.records import read

DIFFERENT = ["run_id", "started_at", "seconds", "git_sha", "git_dirty", "batch_size", "config_hash"]


@pytest.mark.parametrize("room", [8, 1])
def test_a_batch_that_does_not_fit_is_halved_until_it_does_and_the_log_says_so(
    here, suite, tmp_path, room
):
    line = ["run", suite("[samplers.large]\nuse = 'faulty'\n"), "--out"]
    whole = here(*line, "whole", "--set", f"batch_size={room}")
    tight = here(*line, "tight", "--set", "batch_size=15", "--set", f"samplers.large.room={room}")
    log = [json.loads(x) for x in (tmp_path / "tight" / "log.jsonl").read_text().splitlines()]
    frames = [read(tmp_path / run).drop(columns=DIFFERENT) for run in ("whole", "tight")]

    assert (whole.returncode, tight.returncode) == (0, 0), tight.stderr
    assert {line["event"] for line in log} == {"memory"}
    assert "out of memory with 15 rows at once; 7 are tried" in log[0]["message"]
    assert [line["audit"] for line in log] == ["two/gauss/large"] * (1 if room == 8 else 3)
    pd.testing.assert_frame_equal(*frames, rtol=1e-6)
