"""The residual networks for CIFAR-10 of He et al. (CVPR 2016, section 4.2), with shortcuts A."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad, relu


class Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut that pads the channels."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.stride, self.more = stride, (after - before) // 2

    def forward(self, x: Tensor) -> Tensor:
        """(n, before, h, w) -> (n, after, h / stride, w / stride)."""
        y = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        return relu(y + pad(x[:, :, :: self.stride, :: self.stride], [0] * 4 + [self.more] * 2))


class CifarResNet(nn.Module):
    """3 x n blocks of 16, 32 and 64 channels; (n, 3, 32, 32) -> logits (n, 10)."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        widths = [16, 16, 32, 64]
        for i in range(1, 4):
            first = Block(widths[i - 1], widths[i], 1 if i == 1 else 2)
            rest = [Block(widths[i], widths[i], 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{i}", nn.Sequential(first, *rest))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures -> logits."""
        x = relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(torch.flatten(avg_pool2d(x, 8), 1))


def resnet20() -> CifarResNet:
    """20 layers."""
    return CifarResNet(3)


def resnet56() -> CifarResNet:
    """56 layers."""
    return CifarResNet(9)
