"""What a prior draws by itself as queries: an audit for whoever has no data at hand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from fiber_audit.contracts import Count, Dataset, NonNegativeInt, Prior, data_of
from fiber_audit.loading import digest_of
from fiber_audit.sampling import BLOCK, Noise, derive_seed, place, unguided


class PriorDraws(Dataset):
    """Draws of a prior, draw-0, draw-1 and so on; each depends on the seed and its number only.

    They are made when they are first asked for, a block at a time, and held. Such queries are what
    the prior believes in: an audit of them says nothing of data that it cannot draw.

    Args:
        prior: The prior, by its name in the suite.
        n: How many draws.
        steps: Of each draw: DDIM, or Euler for flow matching.
        seed: Root of their noise.
    """

    def __init__(
        self, prior: Prior, n: Count = 16, steps: Count = 50, seed: NonNegativeInt = 0
    ) -> None:
        prior.schedule.times(steps)  # says so at once where it has fewer
        self.prior, self.steps, self.seed = prior, steps, seed
        self.ids = tuple(f"draw-{i}" for i in range(n))
        state = torch.zeros(1, *prior.state_shape, device=place(prior))
        self.data_shape = tuple(self._finished(state).shape[1:])
        self.facts = {"queries": f"{n} draws of the prior itself, {steps} steps, seed {seed}"}
        self._blocks: dict[int, Tensor] = {}

    def load(self, indices: Sequence[int]) -> Tensor:
        """Draws (len(indices), *data_shape), clamped to the prior's data range."""
        rows = torch.empty(len(indices), *self.data_shape)
        for row, index in enumerate(indices):
            number = range(len(self))[index]
            rows[row] = self._block(number // BLOCK)[number % BLOCK]
        return rows

    def stamp(self, index: int) -> str:
        """What the prior is; "" where it has no digest of its weights."""
        return f"{self._prior_digest} {index}" if self.prior.weights_sha256 else ""

    def reference(self, n: int, generator: torch.Generator) -> Tensor:
        """N fresh draws."""
        return self._drawn(torch.randint(2**62, (n,), generator=generator).tolist())

    @cached_property
    def _prior_digest(self) -> str:
        return digest_of(self.prior.modules, self.prior.weights_sha256)

    def _block(self, number: int) -> Tensor:
        if number not in self._blocks:
            numbers = range(number * BLOCK, (number + 1) * BLOCK)  # whole, whatever n is
            self._blocks[number] = self._drawn([derive_seed(self.seed, "draw", i) for i in numbers])
        return self._blocks[number]

    def _drawn(self, seeds: Sequence[int]) -> Tensor:
        parts = [Noise(seeds[i : i + BLOCK]) for i in range(0, len(seeds), BLOCK)]
        return torch.cat([self._finished(unguided(self.prior, n, self.steps)) for n in parts])

    @torch.no_grad()
    def _finished(self, state: Tensor) -> Tensor:
        return data_of(self.prior, state).float().cpu()
