"""The `local` executor: same answers, whatever the number of processes; errors come back."""

import os

import pytest
import torch
from fiber_audit_local import fiber_audit_executors


def make(**options):
    return fiber_audit_executors()["local"](**options)


PROCESS = "(__import__('os').getpid(), __import__('torch').get_num_threads())"
"""For `eval`: what a spawned process computes must be importable there, and builtins are."""


@pytest.mark.parametrize("workers", [1, 2])
def test_every_block_is_computed_exactly_once(workers):
    assert sorted(make(workers=workers).map(int, list("0123456"))) == [0, 1, 2, 3, 4, 5, 6]


def test_one_worker_stays_in_this_process_and_gives_the_threads_back():
    before = torch.get_num_threads()

    assert list(make(threads=1).map(eval, [PROCESS])) == [(os.getpid(), 1)]
    assert torch.get_num_threads() == before


def test_workers_are_other_processes_of_one_thread_each():
    found = list(make(workers=2).map(eval, [PROCESS] * 3))

    assert os.getpid() not in {pid for pid, _ in found}
    assert {threads for _, threads in found} == {1}


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_host_did_not_catch_is_not_swallowed(workers):
    with pytest.raises(ValueError, match="block 1"):
        list(make(workers=workers).map(int, ["block 1", "block 1"]))
