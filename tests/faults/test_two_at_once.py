"""Two processes on one run directory at once give what one gives."""

import pandas as pd

from fiber_audit.records import read

TIMES = ["run_id", "started_at", "seconds", "git_sha", "git_dirty"]


def test_two_runs_of_one_directory_at_once_give_the_records_of_one(begin, suite, tmp_path, until):
    more = ["--set", "samplers.proj.use='faulty'", "--set", "samplers.proj.seconds=0.1"]
    line = ["run", suite(), "--set", "batch_size=3", *more, "--out"]
    assert begin(*line, "one").wait() == 0
    both = [begin(*line, "two", err=err) for err in ("first", "second")]

    assert [run.wait() for run in both] == [0, 0], [run.err for run in both]
    one, two = (tmp_path / name for name in ("one", "two"))
    frames = [read(run).drop(columns=TIMES) for run in (one, two)]
    pd.testing.assert_frame_equal(*frames, check_exact=True)
    names = [{str(p.relative_to(run)) for p in run.rglob("*")} for run in (one, two)]
    assert names[0] == names[1] - {"log.jsonl"}
