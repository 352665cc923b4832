"""One process per GPU, each of which sees that one only."""

from __future__ import annotations

import os

from fiber_audit import UsageError
from fiber_audit.contracts import Count, NonNegative, NonNegativeInt

from .local import LocalExecutor

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""Both CUDA and ROCm read it."""


class GpusExecutor(LocalExecutor):
    """Every GPU of this machine computes pieces of its own; the suite says ``device = "cuda"``.

    In each process the device "cuda" is its own GPU. This process keeps the networks on the first
    one, too: it plans the run and tries them. What a piece gives is the same on GPUs of one kind.

    Args:
        count: how many GPUs to use; by default all that this process may see.
        per_gpu: processes on each. More than one helps where the networks are small.
        threads: of torch, OpenMP and BLAS, in each process.
        timeout: seconds that one piece may take; 0 or None is no limit.
        retries: how often a piece whose process died is tried again.
        growth: GiB that a process may hold more than after its first piece until another takes its
            place; 0 or None is no limit.
    """

    def __init__(
        self,
        *,
        count: Count | None = None,
        per_gpu: Count = 1,
        threads: Count = 1,
        timeout: NonNegative | None = None,
        retries: NonNegativeInt = 2,
        growth: NonNegative | None = 2.0,
    ) -> None:
        super().__init__(threads=threads, timeout=timeout, retries=retries, growth=growth)
        known = visible()
        if not known:
            raise UsageError('executor.use = "gpus": torch sees no GPU here; use "local".')
        if count is not None and count > len(known):
            raise UsageError(f"count = {count}: there are {len(known)} GPUs here; ask for fewer.")
        self.places = [{VISIBLE: gpu} for _ in range(per_gpu) for gpu in known[:count]]

    def here(self, pieces: int) -> bool:
        """Never in this process, whose GPU is the first one only."""
        return False


def visible() -> list[str]:
    """The GPUs that this process may use, as the environment variable names them.

    Their numbers, or what the variable says already: a scheduler may have chosen some.
    """
    import torch

    count = torch.cuda.device_count()
    named = [word.strip() for word in os.environ.get(VISIBLE, "").split(",") if word.strip()]
    return named[:count] if named else [str(i) for i in range(count)]
