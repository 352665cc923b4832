"""A full disk, or one that cannot be written, is one sentence; nothing is lost or half written."""

import os
import re
import shutil
import subprocess
from contextlib import contextmanager

import pandas as pd
import pytest

from fiber_audit.errors import DiskError
from fiber_audit.files import PREFIX, append, reserve, scratch
from fiber_audit.records import read

TIMES = ["run_id", "started_at", "seconds", "git_sha", "git_dirty"]
WRITTEN = {
    "suite.toml", "identity.json", "environment.json", "units", "observed",
    "records.csv", "records.parquet", "records.json", "verdicts.json", "exhibits.json", "gallery",
    "report.html",
}  # fmt: skip


class Disk:
    """A small file system, most of which can be taken away."""

    def __init__(self, path):
        self.path, self._ballast = path, path / "ballast"

    def leave(self, pages):
        """Take everything that is not used but what makes up for so many pages."""
        self._ballast.unlink(missing_ok=True)
        state = os.statvfs(self.path)
        take = min(state.f_bavail, state.f_blocks - pages)
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, take * state.f_frsize)


@contextmanager
def mounted(*arguments):
    *_, folder = arguments
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    except OSError:
        pytest.skip("no program `mount`")
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def disk(tmp_path):
    """2 MiB of memory at tmp_path/disk."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=2m", "none", str(folder)):
        yield Disk(folder)


def half_written(folder):
    return [path.name for path in folder.rglob(f"{PREFIX}*")]


def results(run):
    return read(run).drop(columns=TIMES)


def told(done):
    """The file, or its folder, that a command could not write; it said so in one sentence."""
    assert done.returncode == 3, done.stderr
    sentence = done.stderr.splitlines()[-1]
    found = re.fullmatch(r"fiber-audit: (?:--out )?(\S+?): .*no space left on device.*\.", sentence)
    assert found, done.stderr
    return {*found[1].split("/")}


@pytest.mark.parametrize(
    "step", [16, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "every"]
)
def test_a_disk_that_is_full_at_any_write_is_one_sentence_and_the_run_goes_on_with_more_room(
    command, toy_suite, tmp_path, disk, step
):
    line = ["run", str(toy_suite()), "--set", "batch_size=3", "--out"]
    assert command(*line, "whole").returncode == 0
    met = set()
    for pages in range(0, 80, step):
        shutil.rmtree(disk.path / "run", ignore_errors=True)
        disk.leave(pages)
        done = command(*line, "disk/run")
        assert half_written(disk.path) == []
        if done.returncode == 0:
            break
        met |= told(done)
        if pages % 8 == 0:
            disk.leave(256)
            assert command(*line, "disk/run").returncode == 0
            pd.testing.assert_frame_equal(results(tmp_path / "whole"), results(disk.path / "run"))

    assert pages < 72
    assert step > 1 or met >= WRITTEN, met


def test_a_disk_that_is_full_leaves_the_results_of_an_earlier_run(
    command, toy_suite, tmp_path, disk
):
    suite = str(toy_suite())
    command("run", suite, "--out", "disk/run")
    before = {path: path.read_bytes() for path in disk.path.rglob("*") if path.is_file()}
    disk.leave(0)
    told(command("run", suite, "--out", "disk/run", "--set", "draws=4"))
    told(command("report", "disk/run"))

    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("verb", ["run", "report", "compare", "export", "merge", "dry"])
def test_a_run_that_can_only_be_read_is_read_and_not_written(command, toy_suite, tmp_path, verb):
    suite, run = str(toy_suite()), str(tmp_path / "run")
    command("run", suite, "--out", "run")
    lines = {
        "run": ["run", suite, "--out", "run"],
        "dry": ["run", suite, "--out", "run", "--dry-run"],
        "report": ["report", "run"],
        "compare": ["compare", "run", "run"],
        "export": ["export", "run", "--to", "csv-long", "--out", "out"],
        "merge": ["merge", "run", "--out", "all"],
    }
    with mounted("--bind", run, run):
        subprocess.run(["mount", "-o", "remount,ro,bind", run], check=True)
        done = command(*lines[verb])

    assert done.returncode == (3 if verb in ("run", "report") else 0), done.stderr
    if done.returncode:
        assert re.fullmatch(r"fiber-audit: .*run.*read-only file system\)[^.]*\.\n", done.stderr)


def test_room_for_a_large_array_is_asked_for_before_it_is_used(disk):
    disk.leave(3)
    with scratch(disk.path) as folder:
        for name in ("fits", "does not"):
            with (folder / name).open("wb") as file:
                file.truncate(2 * 4096)
        reserve(folder / "fits")
        with pytest.raises(DiskError, match="no space left on device"):
            reserve(folder / "does not")

    assert half_written(disk.path) == []


def test_a_line_that_does_not_fit_into_the_log_leaves_the_lines_before_it(disk):
    append(disk.path / "log", "a line")
    disk.leave(0)
    with pytest.raises(DiskError, match=r"log: cannot be written \(no space left on device\)"):
        append(disk.path / "log", "x" * 5000)

    assert (disk.path / "log").read_text() == "a line\n"


@pytest.mark.parametrize("room", [0, 500, 5000])
def test_a_file_that_may_not_grow_is_one_sentence_too(command, toy_suite, room):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    suite = str(toy_suite())
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        done = command("run", suite, "--out", "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert done.returncode == 3
    assert re.search(r"cannot be written \(file too large\)\.\n$", done.stderr), done.stderr
    assert command("run", suite, "--out", "run").returncode == 0
