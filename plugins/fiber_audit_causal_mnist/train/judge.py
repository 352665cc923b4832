"""The judge of digits, by the host's training loop."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fiber_audit.fitting import Regime, Training, train
from fiber_audit.sampling import derive_seed

from ..digits import Digits
from ..nets import Judge


def judge(pool: Digits, seed: int, say: Callable[[str], None], steps: int = 800) -> nn.Module:
    """Trained on gray digits that are moved by up to a pixel."""

    def loss(step: int) -> Tensor:
        g = torch.Generator().manual_seed(derive_seed(seed, "judge", step))
        chosen = torch.randint(len(pool), (256,), generator=g)
        down, right = torch.randint(-1, 2, (2,), generator=g).tolist()
        x = pool.images[chosen].roll((down, right), (1, 2))
        shares = torch.rand(256, 1, 1, generator=g)
        found = network(torch.stack([x * shares, x * (1 - shares)], dim=1))
        return F.cross_entropy(found, pool.numbers[chosen])

    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(seed)
        network = Judge()
    state = Training(Regime("judge", steps, 256, 2e-3, 0.998), network, "cpu")
    for _ in train(state, loss, say):
        pass
    return state.average.eval().requires_grad_(False)
