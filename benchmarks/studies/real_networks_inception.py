"""InceptionV3 as the npm package `nsfwjs` (MIT) holds it, tuned to five classes by somebody.

    npm pack nsfwjs@4.3.0, unpack it, and give the folder package/dist/models/inception_v3

Weights are TensorFlow.js's: scripts with base64, one byte a number. The graph is that of Keras,
whose blocks torch-fidelity has: torchvision's, but for the border of a mean, and a mean in the last
block. Its 94 convolutions stand in the order in which Keras numbers them.
"""

from __future__ import annotations

import base64
import re
from math import prod
from pathlib import Path

import numpy as np
import torch
from fiber_audit_fid.inception_tf import BLOCKS
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d, InceptionE_1

CLASSES = ("drawing", "hentai", "neutral", "porn", "sexy")
SCRIPT = re.compile(r'"([A-Za-z0-9+/=]{1000,})"')
ENTRY = re.compile(
    r'\{name:"(?P<name>[^"]+)",shape:\[(?P<shape>[\d,]*)\],dtype:"float32",'
    r'quantization:\{min:(?P<low>[-.\de]+),scale:(?P<step>[-.\de]+),dtype:"uint8"'
)


class Inception(nn.Module):
    """Pictures (n, 3, 299, 299) in [0, 1], no mean subtracted -> pooled features (n, 2048)."""

    def __init__(self) -> None:
        super().__init__()
        makers = {**BLOCKS, "Mixed_7c": lambda: InceptionE_1(2048)}
        self.blocks = nn.Sequential(*(make() for make in makers.values()))
        self.head = nn.Sequential(
            nn.Linear(2048, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 5)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, 2048)."""
        maps: Tensor = self.blocks(x)
        return maps.mean((2, 3))

    def classes(self, x: Tensor) -> Tensor:
        """Probabilities (n, 5) of `CLASSES`."""
        logits: Tensor = self.head(self(x))
        return logits.softmax(1)


def made(folder: str) -> Inception:
    """The network, from the package's folder of scripts."""
    network, found = Inception(), read(Path(folder))
    convolutions = [part for part in network.modules() if isinstance(part, BasicConv2d)]
    for i, part in enumerate(convolutions, start=1):
        part.conv.weight.data = found[f"conv2d_{i}/kernel"].permute(3, 2, 0, 1).contiguous()
        norm = f"batch_normalization_{i}"
        part.bn.weight.data.fill_(1.0)
        part.bn.bias.data = found[f"{norm}/beta"]
        part.bn.running_mean = found[f"{norm}/moving_mean"]
        part.bn.running_var = found[f"{norm}/moving_variance"]
    for i, layer in enumerate(network.head[::2], start=1):
        layer.weight.data = found[f"dense_{i}/kernel"].T.contiguous()
        layer.bias.data = found[f"dense_{i}/bias"]
    return network.eval()


def read(folder: Path) -> dict[str, Tensor]:
    """Name -> float32 numbers, of all scripts of the folder."""
    shards = sorted(folder.glob("group1-shard*.min.js"))
    content = b"".join(base64.b64decode(SCRIPT.findall(shard.read_text())[0]) for shard in shards)
    found, place = {}, 0
    for entry in ENTRY.finditer((folder / "model.min.js").read_text()):
        shape = [int(side) for side in entry["shape"].split(",")]
        numbers = np.frombuffer(content, np.uint8, prod(shape), place).astype(np.float32)
        low, step = float(entry["low"]), float(entry["step"])
        found[entry["name"]] = torch.from_numpy(numbers * step + low).reshape(shape)
        place += prod(shape)
    assert place == len(content), f"{folder}: {place} of {len(content)} bytes have a name"
    return found
