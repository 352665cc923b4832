"""The `local` executor: same answers, whatever the number of processes; errors come back."""

import os

import pytest
import torch
from fiber_audit_local import fiber_audit_executors


def make(**options):
    return fiber_audit_executors()["local"](**options)


def double(x):
    return 2 * x


def process(_):
    return os.getpid(), torch.get_num_threads()


def fall_over(x):
    raise RuntimeError(f"block {x}")


@pytest.mark.parametrize("workers", [1, 2])
def test_every_block_is_computed_exactly_once(workers):
    assert sorted(make(workers=workers).map(double, list(range(7)))) == [0, 2, 4, 6, 8, 10, 12]


def test_one_worker_stays_in_this_process_and_gives_the_threads_back():
    before = torch.get_num_threads()

    assert list(make(threads=1).map(process, [0])) == [(os.getpid(), 1)]
    assert torch.get_num_threads() == before


def test_workers_are_other_processes_of_one_thread_each():
    found = list(make(workers=2).map(process, [0, 1, 2]))

    assert os.getpid() not in {pid for pid, _ in found}
    assert {threads for _, threads in found} == {1}


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_host_did_not_catch_is_not_swallowed(workers):
    with pytest.raises(RuntimeError, match="block 1"):
        list(make(workers=workers).map(fall_over, [1, 1]))
