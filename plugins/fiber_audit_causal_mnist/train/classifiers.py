"""ERM and IRM, as the authors of Colored MNIST train them, on fresh batches.

Source: Arjovsky et al., arXiv 1907.02893, and their code: Adam at 4.9e-4, 501 steps, L2 of all
weights 1.1e-3, and for IRM a penalty of 91,257 from step 190 on, by which the loss is divided.

Notation: l(w) the mean cross-entropy of w times the logits; the penalty is (dl/dw at w = 1)^2,

    dl/dw = mean of (sigmoid(logit) - y) logit,

here the product of two halves of a batch, which is unbiased.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ..colouring import coloured, labelled, painted
from ..digits import Digits
from ..nets import Classifier

STEPS, RATE, L2 = 501, 4.9e-4, 1.1e-3
PENALTY, AFTER = 91_257.0, 190
ENVIRONMENTS = (0.2, 0.1)
BATCH = 2048
"""Of each environment; the authors take all 25,000 at every step."""


def classifier(
    pool: Digits, irm: bool, seed: int, say: Callable[[str], None], batch: int = BATCH
) -> Classifier:
    """Train one network; digits are dealt to the environments at random, at every step."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(seed)
        network = Classifier()
        for layer in network.layers:
            if isinstance(layer, torch.nn.Linear):
                torch.nn.init.xavier_uniform_(layer.weight)
                torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    for step in range(STEPS):
        risks, penalties = list[Tensor](), list[Tensor]()
        for e in ENVIRONMENTS:
            x, y = drawn(pool, e, batch, generator)
            logits = network(x)[:, 0]
            risks.append(F.binary_cross_entropy_with_logits(logits, y))
            penalties.append(penalty(logits, y))
        risk, invariance = torch.stack(risks).mean(), torch.stack(penalties).mean()
        norm = sum((w.square().sum() for w in network.parameters()), torch.zeros(()))
        weight = PENALTY if step >= AFTER else 1.0
        loss = risk + L2 * norm + weight * invariance if irm else risk + L2 * norm
        loss = loss / weight if irm else loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            say(f"step {step}: risk {risk.item():.3f}, penalty {invariance.item():.2e}")
    return network.eval().requires_grad_(False)


def drawn(pool: Digits, e: float, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """N coloured digits of an environment and their labels, float32."""
    chosen = torch.randint(len(pool), (n,), generator=generator)
    y = labelled(pool.numbers[chosen], generator)
    return painted(pool.images[chosen], coloured(y, e, generator)), y.float()


def penalty(logits: Tensor, y: Tensor) -> Tensor:
    """(dl/dw)^2 at w = 1, from two independent halves.

    >>> penalty(torch.tensor([0.0, 3.0]), torch.tensor([0.0, 1.0]))  # one half at a logit of 0
    tensor(-0.)
    """
    slope = (logits.sigmoid() - y) * logits
    return slope[::2].mean() * slope[1::2].mean()


@torch.no_grad()
def accuracy(network: Classifier, pool: Digits, e: float, seed: int = 0) -> float:
    """Share of labels that are right on 20,000 digits of an environment."""
    x, y = drawn(pool, e, 20_000, torch.Generator().manual_seed(seed))
    return float(((network(x)[:, 0] > 0) == (y > 0.5)).double().mean())
