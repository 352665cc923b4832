"""One process per GPU; where this machine has none, torch is told that there are some."""

import importlib
import os
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from fiber_audit_local.gpus import VISIBLE, GpusExecutor

from fiber_audit import UsageError


@pytest.fixture
def gpus(monkeypatch):
    monkeypatch.delenv(VISIBLE, raising=False)

    def there_are(count):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return there_are


@pytest.fixture
def seen(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    toy = importlib.import_module("local_toy")

    def by(executor, pieces):
        return Counter(found for _, found in executor.map(toy.environment, [VISIBLE] * pieces))

    return by


def test_every_process_sees_one_gpu_and_each_gpu_has_its_own(gpus, seen):
    gpus(3)

    executor, found = GpusExecutor(count=2), Counter()
    with executor:
        deadline = time.monotonic() + 60
        while len(found) < 2 and time.monotonic() < deadline:  # until the second is ready, too
            found += seen(executor, 24)

    assert set(found) == {"0", "1"}
    assert VISIBLE not in os.environ


def test_a_single_piece_is_computed_on_a_gpu_process_too(gpus, seen):
    gpus(1)

    with GpusExecutor() as executor:
        assert seen(executor, 1) == {"0": 1}


def test_the_gpus_that_a_scheduler_chose_are_used_by_their_names(gpus, monkeypatch):
    gpus(2)
    monkeypatch.setenv(VISIBLE, "5, GPU-6f")

    executor = GpusExecutor(per_gpu=2)
    assert [place[VISIBLE] for place in executor.places] == ["5", "GPU-6f", "5", "GPU-6f"]


def test_without_a_gpu_or_with_too_few_it_is_one_sentence(gpus):
    gpus(0)
    with pytest.raises(UsageError, match=r'torch sees no GPU here; use "local"\.'):
        GpusExecutor()
    gpus(2)
    with pytest.raises(UsageError, match=r"count = 3: there are 2 GPUs here"):
        GpusExecutor(count=3)


@pytest.mark.gpu
def test_a_run_on_gpus_finds_what_a_run_here_finds(command, toy_suite):
    suite = str(toy_suite())
    here = command("run", suite, "--out", "here", "--set", "device=cuda")
    there = command("run", suite, "--out", "there", "--set", "device=cuda",
                    "--set", "executor.use=gpus")  # fmt: skip

    assert (here.returncode, there.returncode) == (0, 0), here.stderr + there.stderr
    assert command("compare", "here", "there").returncode == 0
