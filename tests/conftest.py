"""Fixtures for every test: the toy world of tests/host/toy.py, and the command in a subprocess."""

import gc
import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import torch
from toy_suite import TOY_SUITE

from fiber_audit import _run
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.commands.main import guarded

ENTRY = "from fiber_audit.commands.main import main; main()"
TOY = Path(__file__).parent / "host" / "toy.py"


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small networks are fastest on one thread, and their bits do not depend on the machine."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _frozen():
    """What was imported stays: no collection of garbage has to walk through all of it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _no_sync():
    """No test outlives a power cut: what it writes need not be on the disk when it goes on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(scope="session")
def toy_catalogue():
    """Installed plugins and the toy world."""
    return Catalogue.load(extra=[str(TOY)])


@pytest.fixture
def toy_suite(tmp_path):
    """A suite file of the toy world; call with lines to add."""

    def write(more="", name="toy.toml"):
        path = tmp_path / name
        path.write_text(TOY_SUITE + more)
        return path

    return write


@pytest.fixture
def pageless(monkeypatch):
    """Runs of this process write no page, half of what a toy run costs, where it is no question."""
    monkeypatch.setattr(_run, "write_report", lambda run: run / "report.html")


WITHOUT_PLUGINS = {"report", "compare", "figure", "new"}
"""Verbs that load no plugin, so that none can be named."""


def _line(arguments, toy):
    return [
        *arguments,
        *(("--plugin", str(TOY)) if toy and arguments[0] not in WITHOUT_PLUGINS else ()),
    ]


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run `fiber-audit ARGUMENTS` with the toy plugin in tmp_path, in this process."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, toy=True, **environment):
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name, value in environment.items():
                patch.setenv(name, value)
            code = guarded(_line(arguments, toy))
        return subprocess.CompletedProcess(arguments, int(code), out.getvalue(), err.getvalue())

    return call


@pytest.fixture
def process(tmp_path):
    """Run `fiber-audit ARGUMENTS` with the toy plugin in tmp_path, in a process of its own."""

    def call(*arguments, toy=True, **environment):
        return subprocess.run(
            [sys.executable, "-c", ENTRY, *_line(arguments, toy)],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return call
