"""`torch-fidelity`: any extractor of its registry in a suite.

    [extractors.vgg]
    use = "torch-fidelity"
    name = "vgg16"

Its networks ask for 8-bit images and turn them into floats at once. Where floats pass all the way
(tried once, with a gradient), the extractor is differentiable; else it rounds to 8 bits, and can
measure but not guide.
"""

from __future__ import annotations

import hashlib
from types import FunctionType, MethodType

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from fiber_audit import UnknownName, UsageError, suggestion
from fiber_audit.contracts import Extractor

from .fidelity_weights import constructed


class TorchFidelityExtractor(Extractor):
    """An extractor of torch-fidelity's registry, on images (n, 3 or 1, h, w) in [0, 1]."""

    def __init__(
        self, *, name: str, layer: str = "", weights: str = "", download: bool = False
    ) -> None:
        """layer: "" is the one that torch-fidelity takes for the FID.

        weights: a checkpoint of tensors alone; one that holds more is refused unless it is trusted
        (--allow-pickle). "" takes torch's cache, and the network only if download. An extractor
        that others registered fetches, and reads, what it likes.

        Raises:
            UnknownName: no such extractor or layer.
            WeightsError: the weights are absent, or not those of this network.
        """
        if name not in FEATURE_EXTRACTORS_REGISTRY:
            raise UnknownName(
                f"name = {name!r}: torch-fidelity has no such extractor. "
                f"{suggestion(name, FEATURE_EXTRACTORS_REGISTRY)}"
            )
        kind = FEATURE_EXTRACTORS_REGISTRY[name]
        chosen = layer or kind.get_default_feature_layer_for_metric("fid")
        provided = kind.get_provided_features_list()
        if chosen not in provided:
            raise UnknownName(
                f"layer = {chosen!r}: {name} has no such layer. {suggestion(chosen, provided)}"
            )
        inner = constructed(kind, name, chosen, weights, download)
        self.name, self.weights_sha256 = name, _digest(inner)
        one, probe = _OneLayer(inner), _probe(inner)
        self.network = one.eval().requires_grad_(False)
        self.differentiable = one.accepts_floats(probe)
        with torch.no_grad():
            self.feature_size = self.network(probe.float() / 255).shape[1]

    def features(self, x: Tensor) -> Tensor:
        """Features of the layer."""
        if x.requires_grad and torch.is_grad_enabled() and not self.differentiable:
            raise UsageError(
                f"torch-fidelity's {self.name!r} passes no gradient to its "
                "input: measure with it, and guide through another extractor."
            )
        features: Tensor = self.network(x.expand(-1, 3, -1, -1))
        return features


class _OneLayer(nn.Module):
    """Images in [0, 1] -> features, through floats in [0, 255] or through 8 bits."""

    def __init__(self, inner: FeatureExtractorBase) -> None:
        super().__init__()
        self.inner, self.floats = inner, False

    def forward(self, x: Tensor) -> Tensor:
        image = 255 * x if self.floats else (255 * x).round().clamp(0, 255).to(torch.uint8)
        (features,) = self.inner(image)
        return features.flatten(1)

    def accepts_floats(self, probe: Tensor) -> bool:
        """Try floats with a gradient, and keep to them where they pass."""
        theirs = self.inner.forward
        self.inner.forward = _unasserted(theirs)
        self.floats = True
        try:
            leaf = (probe.float() / 255).requires_grad_()
            gradient = torch.autograd.grad(self(leaf).sum(), leaf)
            self.floats = bool(gradient[0].isfinite().all())
        except Exception:  # whatever a stranger's network says to floats: it gets 8 bits
            self.floats = False
        if not self.floats:
            self.inner.forward = theirs
        return self.floats


def _unasserted(forward: MethodType) -> MethodType:
    """A copy of their forward to which `vassert`, their check for 8 bits, is a name of no effect.

    Their module, and the forward of any other instance, stay as they are.
    """
    function = getattr(forward, "__func__", None)
    if not isinstance(function, FunctionType):
        return forward
    names = {**function.__globals__, "vassert": lambda *_: None}
    copy = FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return MethodType(copy, forward.__self__)


def _probe(network: FeatureExtractorBase) -> Tensor:
    try:
        probe: Tensor = network.get_dummy_input_for_compile()
        return probe
    except NotImplementedError:
        return torch.zeros(1, 3, 64, 64, dtype=torch.uint8)


def _digest(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
