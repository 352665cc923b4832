"""The kit of executor authors: workers that share a queue, and what goes to them and comes back.

A `Pool` deals pieces to workers, whatever these are: processes, actors, jobs. It tries again what
a dead worker had, ends what takes too long or holds ever more memory, and gives up on what kills
whoever computes it.
"""

from .folders import own_folder
from .growth import GIB, Growth
from .pool import Done, Pool, Pools, WorkerError
from .queue import Queue, Task
from .replies import Refusal, Reply, attempt, attempt_apart, packed, unsendable
from .threads import thread_variables

__all__ = [
    "GIB",
    "Done",
    "Growth",
    "Pool",
    "Pools",
    "Queue",
    "Refusal",
    "Reply",
    "Task",
    "WorkerError",
    "attempt",
    "attempt_apart",
    "own_folder",
    "packed",
    "thread_variables",
    "unsendable",
]
