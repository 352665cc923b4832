"""No network is touched unless a component that needs it is named."""

import shutil
import socket
import subprocess
import sys

import pytest

APART = ["unshare", "--map-root-user", "--net"]
SETTINGS = ["queries.n=2", "draws=2", "unguided_steps=5", "samplers.moment-matched.steps=4"]
SMALL = ["--workers", "1", *(word for setting in SETTINGS for word in ("--set", setting))]


def can_be_apart():
    line = [*APART, "true"]
    return shutil.which("unshare") and subprocess.run(line, capture_output=True).returncode == 0


@pytest.fixture
def no_sockets(monkeypatch):
    """Every attempt to reach an address, or to find one; there must be none."""
    tried = []

    def refuse(*arguments, **named):
        tried.append(arguments)
        raise OSError("the network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    connect = socket.socket.connect

    def inside(self, address):
        return connect(self, address) if self.family == socket.AF_UNIX else refuse(address)

    monkeypatch.setattr(socket.socket, "connect", inside)
    return tried


@pytest.mark.parametrize(
    "line",
    [["list"], ["run", "{suite}", "--out", "run"], ["check", "toy-gaussian"]],
    ids=lambda line: line[0],
)
def test_no_verb_reaches_for_an_address(command, toy_suite, no_sockets, line):
    done = command(*(word.format(suite=toy_suite()) for word in line))

    assert done.returncode == 0, done.stderr
    assert no_sockets == []


@pytest.mark.slow  # tests/host/test_doctor.py has it of this process, whose sockets refuse
@pytest.mark.skipif(not can_be_apart(), reason="this system lets nobody cut off a process")
def test_the_default_suite_runs_where_there_is_no_network_at_all(tmp_path):
    line = [*APART, sys.executable, "-m", "fiber_audit", "run", "--out", str(tmp_path / "run")]
    done = subprocess.run([*line, *SMALL], capture_output=True, text=True, cwd=tmp_path)

    assert done.returncode in (0, 1), done.stderr  # conditions of so few draws may fail
    assert (tmp_path / "run" / "report.html").exists()
