"""A process that holds more memory after every piece says so in the run's log: a plugin leaks."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..computing import GIB, Growth
from .store import Store


@dataclass
class Leak:
    """Of one process and run. step: GiB of growth from one line in the log to the next."""

    step: float = 1.0
    growth: Growth = field(default_factory=Growth)
    told: float = 0.0

    def after_a_piece(self, name: str, store: Store) -> None:
        """Log what this process holds more than after its first piece, if it is a step more."""
        grown = self.growth.after_a_piece() / GIB
        if grown < self.told + self.step:
            return
        self.told = grown
        message = (
            f"this process holds {grown:.3g} GiB more than after its first block; if that goes on, "
            f"a plugin leaks, and workers are replaced (executor.growth) where one process is not"
        )
        store.log("memory", {"audit": name, "message": message})
