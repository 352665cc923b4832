"""How many rows fit into memory at once: what does not fit is tried again with half as many."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from .store import Store

T = TypeVar("T")
TOLD = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
"""How libraries say it that have no exception of their own for it."""


@dataclass
class Room:
    """Rows at once, of a process. sizes: name of an audit -> what has fitted there.

    Draws are the same whatever the size, so only the log tells of it.
    """

    size: int
    sizes: dict[str, int] = field(default_factory=dict)

    def fit(self, name: str, store: Store, compute: Callable[[int], T]) -> T:
        """compute(rows at once), with fewer rows where they do not fit.

        Raises:
            Exception: what compute raises, out of memory only if a single row does not fit.
        """
        while True:
            size = self.sizes.get(name, self.size)
            try:
                return compute(size)
            except Exception as error:
                if size == 1 or not out_of_memory(error):
                    raise
            self.sizes[name] = max(1, size // 2)  # outside of except: what failed is freed by now
            _free()
            message = f"out of memory with {size} rows at once; {self.sizes[name]} are tried"
            store.log("memory", {"audit": name, "message": message})


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says so, or comes of one that does.

    >>> out_of_memory(MemoryError()), out_of_memory(RuntimeError("CUDA out of memory."))
    (True, True)
    >>> out_of_memory(ValueError("out of range"))
    False
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError | torch.cuda.OutOfMemoryError):
            return True
        if isinstance(cause, RuntimeError) and any(t in str(cause).lower() for t in TOLD):
            return True
        cause = cause.__cause__
    return False


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
