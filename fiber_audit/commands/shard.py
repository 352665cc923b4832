"""`--shard`: the share of a run that this process computes, said outright or by a scheduler.

Schedulers count in their own ways, and one may start another: an array of jobs, in each of which
srun or torchrun starts several processes. Then a share of the array is divided once more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping

from ..errors import UsageError
from .shared import say

AUTO = "auto"
Environment = Mapping[str, str]
Share = tuple[int, int]
"""(index, from 0; count)."""


def shard_of(text: str) -> Share:
    """``i/n``, with i from 1, or ``auto``: what this process's scheduler says, told on stderr.

    Raises:
        UsageError: it is neither, or the variables of the scheduler do not tell.
    """
    if text == AUTO:
        (index, count), variables = scheduled(os.environ)
        say(f"--shard auto: {index + 1}/{count}, by {', '.join(variables)}.")
        return index, count
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    index, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= index <= count:
        raise UsageError(
            f"--shard {text!r}: write i/n with 1 <= i <= n, e.g. 2/4, or auto, where a scheduler "
            f"counts."
        )
    return index - 1, count


def scheduled(environment: Environment) -> tuple[Share, list[str]]:
    """The share that variables of schedulers give this process, and which variables those are.

    >>> scheduled({"CI_NODE_INDEX": "3", "CI_NODE_TOTAL": "4"})
    ((2, 4), ['CI_NODE_INDEX'])

    Raises:
        UsageError: there are none, or they do not count all processes.
    """
    index, count, variables = 0, 1, list[str]()
    for name, share in _shares(environment):
        index, count = index * share[1] + share[0], count * share[1]
        variables.append(name)
    if not variables:
        raise UsageError(
            f"--shard auto: no scheduler counts here ({', '.join(SCHEDULERS)} are not set); write "
            f"--shard i/n."
        )
    return (index, count), variables


def _shares(environment: Environment) -> Iterator[tuple[str, Share]]:
    """From the outside in. torchrun counts all processes that srun started, so it counts alone."""
    for name, share in SCHEDULERS.items():
        if environment.get(name) and not (name == "SLURM_PROCID" and environment.get("RANK")):
            index, count = share(environment)
            if not 0 <= index < count:
                raise UsageError(
                    f"--shard auto: {name} = {environment[name]!r} is not one of {count}; write "
                    f"--shard i/n."
                )
            yield name, (index, count)


def _node(environment: Environment) -> Share:
    """A job of GitLab's `parallel`: from 1."""
    return _number(environment, "CI_NODE_INDEX") - 1, _number(environment, "CI_NODE_TOTAL")


def _array(environment: Environment) -> Share:
    """A task of a SLURM array, whose ids may be any: from 0 or 1, without a gap, or refused."""
    first, last, count = (
        _number(environment, f"SLURM_ARRAY_TASK_{name}") for name in ("MIN", "MAX", "COUNT")
    )
    if first > 1 or last - first + 1 != count:
        raise UsageError(
            f"--shard auto: the {count} ids of this SLURM array, {first} to {last}, do not begin "
            f"at 0 or 1 or have gaps, so shares would be missing; submit --array=1-{count}, or "
            f"write --shard i/n."
        )
    return _number(environment, "SLURM_ARRAY_TASK_ID") - first, count


def _rank(environment: Environment) -> Share:
    """A process of torchrun: from 0."""
    return _number(environment, "RANK"), _number(environment, "WORLD_SIZE")


def _process(environment: Environment) -> Share:
    """A process of srun: from 0. A batch script has these variables too, but there is one of it."""
    index, count = _number(environment, "SLURM_PROCID"), _number(environment, "SLURM_NTASKS")
    if count > 1 and not environment.get("SLURM_STEP_NUM_TASKS"):
        raise UsageError(
            f"--shard auto: SLURM_NTASKS = {count}, but srun did not start this process, so the "
            f"other shares would be missing; write srun fiber-audit, or --shard i/n."
        )
    return index, count


SCHEDULERS: dict[str, Callable[[Environment], Share]] = {
    "CI_NODE_INDEX": _node,
    "SLURM_ARRAY_TASK_ID": _array,
    "SLURM_PROCID": _process,
    "RANK": _rank,
}
"""The variable that says which process this is -> who reads it, from the outside in."""


def _number(environment: Environment, name: str) -> int:
    value = environment.get(name, "")
    if not re.fullmatch("[0-9]{1,9}", value):
        known = f"is {value!r}, no number" if value else "is not set"
        raise UsageError(f"--shard auto: {name} {known}; write --shard i/n.")
    return int(value)
