"""`--shard auto`: the tasks of any scheduler compute every share once, or are told why not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiber_audit.commands.shard import SCHEDULERS, scheduled, shard_of
from fiber_audit.errors import UsageError

COUNTS = st.integers(1, 6)
seeded = settings(deadline=None, derandomize=True)


def gitlab(count):
    return [{"CI_NODE_INDEX": str(i), "CI_NODE_TOTAL": str(count)} for i in range(1, count + 1)]


def array(ids):
    """What SLURM tells each task of ``--array`` with these ids."""
    known = {"MIN": min(ids), "MAX": max(ids), "COUNT": len(ids)}
    return [
        {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in {**known, "ID": i}.items()}
        for i in ids
    ]


def srun(count):
    common = {"SLURM_NTASKS": str(count), "SLURM_STEP_NUM_TASKS": str(count)}
    return [{"SLURM_PROCID": str(i), **common} for i in range(count)]


def torchrun(count):
    return [{"RANK": str(i), "WORLD_SIZE": str(count)} for i in range(count)]


def nested(*levels):
    """The environments of all processes, where each of a level starts all of the next."""
    found = [{}]
    for level in levels:
        found = [{**outer, **inner} for outer in found for inner in level]
    return found


def shares(environments):
    return sorted(scheduled(environment)[0] for environment in environments)


def partition(count):
    return [(i, count) for i in range(count)]


@seeded
@given(COUNTS, st.sampled_from([0, 1]))
def test_the_tasks_of_an_array_are_a_partition_wherever_it_begins(count, first):
    assert shares(array(range(first, first + count))) == partition(count)


@seeded
@given(st.sets(st.integers(0, 9), min_size=1))
def test_the_tasks_of_any_array_are_a_partition_or_all_are_refused_in_one_sentence(ids):
    tasks = array(sorted(ids))
    try:
        assert shares(tasks) == partition(len(ids))
    except UsageError:
        assert min(ids) > 1 or max(ids) - min(ids) + 1 > len(ids)
        for task in tasks:
            with pytest.raises(UsageError, match=r"begin at 0 or 1 or have gaps.*; submit "):
                scheduled(task)


@seeded
@given(COUNTS, COUNTS, COUNTS, st.sampled_from([srun, torchrun]))
def test_processes_of_jobs_of_jobs_are_a_partition(jobs, tasks, processes, start):
    found = nested(gitlab(jobs), array(range(tasks)), start(processes))

    assert shares(found) == partition(jobs * tasks * processes)


@seeded
@given(COUNTS, COUNTS)
def test_torchrun_under_srun_counts_alone(nodes, per_node):
    count = nodes * per_node
    found = [
        {**srun(nodes)[rank // per_node], **environment}
        for rank, environment in enumerate(torchrun(count))
    ]

    assert shares(found) == partition(count)


def test_a_batch_script_with_several_tasks_that_srun_did_not_start_is_refused():
    with pytest.raises(UsageError, match="write srun fiber-audit"):
        scheduled({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"})

    assert shares([{"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}]) == partition(1)


def test_a_task_of_an_array_without_srun_is_one_of_the_array():
    batch = {"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}

    assert shares(nested(array([1, 2, 3]), [batch])) == partition(3)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "no scheduler counts here"),
        ({"CI_NODE_TOTAL": "1"}, "no scheduler counts here"),  # what GitLab tells a single job
        ({"CI_NODE_INDEX": "0", "CI_NODE_TOTAL": "4"}, "CI_NODE_INDEX = '0' is not one of 4"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK = '2' is not one of 2"),
        ({"RANK": "0"}, "WORLD_SIZE is not set"),
        ({"RANK": "first", "WORLD_SIZE": "2"}, "RANK is 'first', no number"),
        ({"RANK": "²", "WORLD_SIZE": "2"}, "RANK is '²', no number"),
        ({"SLURM_ARRAY_TASK_ID": "3"}, "SLURM_ARRAY_TASK_MIN is not set"),
    ],
)
def test_what_a_scheduler_does_not_tell_is_one_sentence_with_the_way_out(environment, sentence):
    with pytest.raises(UsageError) as refused:
        scheduled(environment)

    assert sentence in str(refused.value)
    assert str(refused.value).endswith("write --shard i/n.")
    assert "\n" not in str(refused.value)


def test_what_the_scheduler_says_is_told_and_nothing_is_read_unless_it_is_asked_for(
    monkeypatch, capsys
):
    for name in SCHEDULERS:
        monkeypatch.delenv(name, raising=False)
    for name, value in torchrun(4)[2].items():
        monkeypatch.setenv(name, value)

    assert shard_of("1/2") == (0, 2)
    assert capsys.readouterr().err == ""
    assert shard_of("auto") == (2, 4)
    assert capsys.readouterr().err == "fiber-audit: --shard auto: 3/4, by RANK.\n"


def test_a_run_by_shards_of_an_array_is_the_run_by_one(command, toy_suite):
    suite = str(toy_suite())
    for task in array([1, 2]):
        done = command("run", suite, "--out", "parts", "--shard", "auto", **task)
        assert done.returncode == 0, done.stderr
    assert command("run", suite, "--out", "parts").returncode == 0
    assert command("run", suite, "--out", "whole").returncode == 0

    same = command("compare", "whole", "parts")
    assert same.returncode == 0, same.stderr
