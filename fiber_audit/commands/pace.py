"""How fast draws come, how long the rest will take, and both in words."""

from __future__ import annotations

import time
from collections import deque

from ..durations import duration

SEEN = 17
"""Ends of pieces that the pace is taken from, so that it follows a run whose audits differ."""


class Pace:
    """Draws that are done, and when: the first piece also loads networks, so it is no measure."""

    def __init__(self) -> None:
        self.done = self.total = 0
        self._ends: deque[tuple[float, int]] = deque(maxlen=SEEN)

    def add(self, done: int, total: int) -> None:
        """So many draws of so many are done now."""
        if done > self.done:
            self._ends.append((time.monotonic(), done))
        self.done, self.total = done, total

    @property
    def per_second(self) -> float | None:
        """Draws a second, or None while nobody can tell."""
        if len(self._ends) < 2:
            return None
        (first, before), (last, now) = self._ends[0], self._ends[-1]
        return (now - before) / max(last - first, 1e-3)

    @property
    def left(self) -> float | None:
        """Seconds until the last draw, as far as one can tell by now."""
        if self.per_second is None:
            return None
        since = time.monotonic() - self._ends[-1][0]
        return max(0.0, (self.total - self.done) / self.per_second - since)

    def words(self) -> str:
        """What is known: the count, the pace, the time that is left."""
        told = f"{self.done} of {self.total} draws"
        if self.per_second is None or self.left is None or self.done >= self.total:
            return told
        return f"{told}, {self.per_second:.2g}/s, {duration(self.left)} left"
