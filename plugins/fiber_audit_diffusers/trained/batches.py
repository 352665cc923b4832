"""Batches that depend on the seed and the step only, so that a killed fit goes on as it was."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from math import inf

import torch
from torch import Tensor

from fiber_audit.fitting import Corpus
from fiber_audit.sampling import derive_seed

Encode = Callable[[Tensor], Tensor]
"""What the corpus holds -> clean states."""


class Batches:
    """Clean states of a corpus, batch by batch, on the device.

    Where the corpus is on the device, nothing waits for the host; where it is in a file, the next
    batch is read while the network computes.

    steps: how many there are, so that nothing is read after the last.
    """

    def __init__(
        self, corpus: Corpus, encode: Encode, size: int, flip: bool, seed: int, device: str,
        steps: float = inf,
    ) -> None:  # fmt: skip
        self.corpus, self.encode, self.size, self.flip, self.seed = corpus, encode, size, flip, seed
        self.device, self.steps = torch.device(device), steps
        self._rows = corpus.training.to(corpus.items.device)
        self._reader = ThreadPoolExecutor(1) if corpus.spilled else None
        self._ahead: tuple[int, Future[Tensor]] | None = None

    def generator(self, step: int, purpose: str, device: torch.device) -> torch.Generator:
        """The generator of one purpose of one step."""
        return torch.Generator(device).manual_seed(derive_seed(self.seed, purpose, step))

    @torch.no_grad()
    def at(self, step: int) -> Tensor:
        """The clean states of a step, (size, *state_shape) float32."""
        x = self._taken(step)
        if self.flip:
            generator = self.generator(step, "flip", x.device)
            mirrored = torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device) < 0.5
            x = torch.where(mirrored, x.flip(-1), x)
        return self.encode(x)

    def close(self) -> None:
        """Read nothing more."""
        if self._reader is not None:
            self._reader.shutdown(cancel_futures=True)

    def _taken(self, step: int) -> Tensor:
        if self._reader is None:
            return self._read(step)
        ahead = self._ahead if self._ahead and self._ahead[0] == step else None
        future = ahead[1] if ahead else self._reader.submit(self._read, step)
        after = step + 1
        more = after < self.steps
        self._ahead = (after, self._reader.submit(self._read, after)) if more else None
        return future.result().to(self.device, non_blocking=True)

    def _read(self, step: int) -> Tensor:
        """Items of a step, in data space, where the corpus is."""
        place = self.corpus.items.device
        generator = self.generator(step, "items", place)
        chosen = torch.randint(len(self._rows), (self.size,), generator=generator, device=place)
        x = self.corpus.take(self._rows[chosen])
        return x.pin_memory() if self.device.type == "cuda" and x.device.type == "cpu" else x
