"""`onnx`: a network in an ONNX file, through onnx2torch, with its preprocessing written out.

    [extractors.deployed]
    use = "onnx"
    path = "encoder.onnx"
    resize = 256
    crop = 224
    mean = [0.485, 0.456, 0.406]
    std = [0.229, 0.224, 0.225]
    layer = "global_pool/flatten/Flatten"

The file often ends in a classifier: name the layer before it. A wrong name is told the right ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from fiber_audit import WeightsError
from fiber_audit.contracts import Count, NonNegativeInt
from fiber_audit.loading import library, versions

from .graphs import Graph, digest_of_file
from .images import Dtype, ImageExtractor
from .layers import Layer
from .pooling import FLAT_LIMIT, Channels, Pool, Pooling
from .preprocessing import Interpolation, Mean, Preprocessing, Side
from .proof import blank


class OnnxExtractor(ImageExtractor):
    """A network in an ONNX file, made differentiable by onnx2torch.

    Args:
        path: the .onnx file, of one input, images.
        mean: see torch-module, like all of the preprocessing; 0 and 1 where the network does it.
        std: likewise.
        resize: the short edge, or [height, width]; 0 leaves the size.
        crop: the centre, of this side or [height, width]; 0 is all.
        interpolation: of the resize.
        antialias: shrink with a filter, as PIL does.
        range: what black and white are before mean and std.
        grey: the network takes one channel.
        layer: a node of the graph, by onnx2torch's name; "" is the first output.
        pool: from maps or tokens to features; "auto" is the mean.
        channels: "last" where the layer returns (n, h, w, c).
        prefix: leading tokens, class or registers, that a mean leaves out; "cls" is
            the first of them.
        flat_limit: features that pool = "flatten" may give.
        dtype: of the network; features are float32.

    Raises:
        UnknownName: no such layer.
        UsageError: the network takes no such pixels.
        WeightsError: no such file, no ONNX, or an operator that onnx2torch does not know.
    """

    def __init__(
        self,
        *,
        path: str,
        mean: Mean,
        std: Mean,
        resize: Side = 0,
        crop: Side = 0,
        interpolation: Interpolation = "bilinear",
        antialias: bool = True,
        range: tuple[float, float] = (0.0, 1.0),
        grey: bool = False,
        layer: str = "",
        pool: Pool = "auto",
        channels: Channels = "first",
        prefix: NonNegativeInt = 0,
        flat_limit: Count = FLAT_LIMIT,
        dtype: Dtype = "float32",
    ) -> None:
        steps = Preprocessing(resize, crop, interpolation, antialias, mean, std, range, grey)
        file = Path(path).expanduser()
        digest = digest_of_file(file)
        graph = Graph(Layer(_converted(file), layer), steps.of_tensor(blank()))
        super().__init__(
            graph,
            name=f"onnx {file.name}",
            tensor_path=steps.of_tensor,
            library_path=steps.of_picture,
            preprocessing=repr(steps),
            pool=Pooling(pool, channels, prefix, flat_limit),
            dtype=dtype,
            facts={"versions": versions("onnx2torch", "onnx", "torch"), **graph.told},
            identity=(digest, layer),
        )


def _converted(path: Path) -> nn.Module:
    onnx2torch, onnx = library("onnx2torch", "onnx"), library("onnx", "onnx")
    try:
        model = onnx.load(path)
    except Exception as error:  # whatever is said to a file of another kind
        raise WeightsError(f"{path} is no ONNX network ({type(error).__name__}).") from error
    _spare_identities(model.graph)
    try:
        network: nn.Module = onnx2torch.convert(model)
    except Exception as error:
        raise WeightsError(
            f"{path}: onnx2torch does not know all of it ({type(error).__name__}: {error}); export "
            "it with an older opset, say opset_version = 17."
        ) from error
    return network.eval()


def _spare_identities(graph: Any) -> None:
    """Take out Identity nodes: exporters write one for equal weights, where onnx2torch trips."""
    outputs = {output.name for output in graph.output}
    spared = [n for n in graph.node if n.op_type == "Identity" and n.output[0] not in outputs]
    source: dict[str, str] = {}
    for node in spared:  # in the order of computation, so that chains are followed
        source[node.output[0]] = source.get(node.input[0], node.input[0])
        graph.node.remove(node)
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = source.get(name, name)
