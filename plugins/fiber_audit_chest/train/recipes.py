"""What each network under audit and each judge learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fiber_audit.fitting import Say, train_averaged

from ..nets import Classifier, Code, LabelJudge, SideJudge
from ..radiographs import masked, mirrored

TEMPERATURE = 0.1


@dataclass(frozen=True)
class Radiographs:
    """Masked radiographs (n, 1, size, size) in [0, 1] as they usually face, and labels (n,)."""

    x: Tensor
    labels: Tensor

    @property
    def size(self) -> int:
        """Pixels from side to side."""
        return self.x.shape[-1]


def augmented(x: Tensor, g: torch.Generator, flips: bool, by: int = 2) -> Tensor:
    """Each picture moved by up to `by` pixels of 28, darker or lighter, and noisy; corners black.

    flips: half of them are mirrored, too.
    """
    n, size = len(x), x.shape[-1]
    by = by * size // 28
    padded = F.pad(x, (by,) * 4, mode="replicate")
    dy, dx = torch.randint(2 * by + 1, (2, n, 1, 1), generator=g)
    rows = (torch.arange(size)[None, :, None] + dy).expand(n, size, size)
    columns = (torch.arange(size)[None, None] + dx).expand(n, size, size)
    x = padded[torch.arange(n)[:, None, None], 0, rows, columns][:, None]
    contrast, light = torch.rand((2, n, 1, 1, 1), generator=g)
    x = (x - 0.5) * (0.7 + 0.6 * contrast) + 0.5 + 0.3 * (light - 0.5)
    strength = 0.06 * torch.rand((n, 1, 1, 1), generator=g)
    x = (x + strength * torch.randn(x.shape, generator=g)).clamp(0, 1)
    if flips:
        turn = torch.rand((n, 1, 1, 1), generator=g) < 0.5
        x = torch.where(turn, mirrored(x), x)
    return masked(x)


def _some(data: Radiographs, n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    index = torch.randint(len(data.x), (n,), generator=g)
    return data.x[index], data.labels[index]


def contrastive(data: Radiographs, flips: bool, seed: int, say: Say) -> Code:
    """InfoNCE: two views of a picture attract, those of other pictures repel. 500 steps of 128.

    Source: Chen et al., SimCLR, ICML 2020, Eq. 1.
    """

    def loss(net: Code, g: torch.Generator) -> Tensor:
        x, _ = _some(data, 128, g)
        codes = net(torch.cat([augmented(x, g, flips, by=1), augmented(x, g, flips, by=1)]))
        likeness = codes @ codes.T / TEMPERATURE
        likeness.fill_diagonal_(-torch.inf)
        return F.cross_entropy(likeness, torch.arange(256).roll(128))

    def build() -> Code:
        return Code(unit=True, size=data.size).to(memory_format=torch.channels_last)  # faster

    return train_averaged(build, loss, 500, say, rate=2e-3, seed=seed)


def classifier(data: Radiographs, flips: bool, seed: int, say: Say) -> Classifier:
    """Pneumonia or not, by cross-entropy."""

    def loss(net: Classifier, g: torch.Generator) -> Tensor:
        x, labels = _some(data, 128, g)
        return F.binary_cross_entropy_with_logits(net(augmented(x, g, flips)), labels.float())

    return train_averaged(Classifier, loss, 600, say, rate=2e-3, seed=seed)


class _Autoencoder(nn.Module):
    """The code and a decoder, which only training needs."""

    def __init__(self) -> None:
        super().__init__()
        self.code = Code()
        self.decoder = nn.Sequential(nn.Linear(32, 256), nn.SiLU(), nn.Linear(256, 784))


def autoencoder(data: Radiographs, seed: int, say: Say) -> Code:
    """A code that a picture can be read back from, scaled to a mean variance of 1."""

    def loss(net: _Autoencoder, g: torch.Generator) -> Tensor:
        x = augmented(_some(data, 128, g)[0], g, flips=True)
        code = net.code(x)
        noisy = code + 0.05 * torch.randn(code.shape, generator=g)
        error = (net.decoder(noisy) - x.flatten(1)).square().sum(1)
        return error.mean() + 0.01 * code.square().sum(1).mean()

    return train_averaged(_Autoencoder, loss, 1500, say, rate=2e-3, seed=seed).code


def side_judge(
    data: Radiographs, body: Callable[..., nn.Module], seed: int, say: Say, steps: int = 2000
) -> SideJudge:
    """Usual or mirrored, by a body of `nets` for the size of the pictures."""

    def build() -> SideJudge:
        return SideJudge(body(size=data.size)).to(memory_format=torch.channels_last)  # faster

    def loss(net: SideJudge, g: torch.Generator) -> Tensor:
        x, _ = _some(data, 64, g)
        return F.softplus(-net(augmented(x, g, flips=False, by=1))).mean()

    return train_averaged(build, loss, steps, say, seed=seed)


def label_judge(data: Radiographs, seed: int, say: Say) -> LabelJudge:
    """Pneumonia or not."""

    def loss(net: LabelJudge, g: torch.Generator) -> Tensor:
        x, labels = _some(data, 64, g)
        return F.binary_cross_entropy_with_logits(net(augmented(x, g, True)), labels.float())

    return train_averaged(LabelJudge, loss, 900, say, seed=seed)
