"""A stderr that nobody can write to takes no result away."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENTRY = "from fiber_audit.commands.main import main; main()"
TOY = Path(__file__).parent.parent / "host" / "toy.py"
PAGE = "run/report.html\n"


def test_a_run_whose_stderr_is_closed_ends_as_any_other(suite, tmp_path):
    line = [sys.executable, "-c", ENTRY, "run", suite(), "--out", "run", "--plugin", str(TOY)]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *line],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )

    assert (done.returncode, done.stdout) == (0, PAGE)


def test_a_run_whose_stderr_is_full_ends_as_any_other(begin, suite, tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    code = begin("run", suite(), "--out", "run", err="/dev/full").wait()

    assert (code, (tmp_path / "out").read_text()) == (0, PAGE)
