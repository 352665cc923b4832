"""Pieces that wait for a worker: there may be a hundred thousand, each made when asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass
class Task:
    """A piece on its way, and how many workers died of it so far."""

    piece: Any
    deaths: int = 0


class Queue:
    """Pieces that wait: the rest of a sequence, looked at one by one, then those to try again."""

    def __init__(self, pieces: Sequence[Any]) -> None:
        self._pieces, self._left = iter(pieces), len(pieces)
        self._again = deque[Task]()

    def __len__(self) -> int:
        return self._left + len(self._again)

    def next(self) -> Task:
        """The piece that is next."""
        if not self._left:
            return self._again.popleft()
        self._left -= 1
        return Task(next(self._pieces))

    def again(self, task: Task) -> None:
        """Its worker died."""
        self._again.append(task)
