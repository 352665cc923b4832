"""A stderr that nobody can write to takes no result away."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENTRY = "from fiber_audit.commands.main import main; main()"
TOY = Path(__file__).parent.parent / "host" / "toy.py"


@pytest.mark.parametrize("stderr", ["closed", "/dev/full"])
def test_a_run_whose_stderr_cannot_be_written_ends_as_any_other(suite, tmp_path, stderr):
    line = [sys.executable, "-c", ENTRY, "run", suite(), "--out", "run", "--plugin", str(TOY)]
    if stderr != "closed" and not Path(stderr).exists():
        pytest.skip(f"no {stderr}")
    done = subprocess.run(
        line if stderr != "closed" else ["sh", "-c", 'exec "$@" 2>&-', "sh", *line],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=None if stderr == "closed" else os.open(stderr, os.O_WRONLY),
        text=True,
    )

    assert done.returncode == 0
    assert done.stdout == "run/report.html\n"
