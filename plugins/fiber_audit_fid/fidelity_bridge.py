"""torch-fidelity, both ways: our extractors in its registry, its extractors in a suite.

    with registered("shape", make_shape):
        torch_fidelity.calculate_metrics(input1=..., input2=..., fid=True,
                                         feature_extractor="shape", cuda=False)

    [extractors.vgg]
    use = "torch-fidelity"
    name = "vgg16"

Beware of torch-fidelity's file cache: its key holds the names of input and extractor, and not the
weights. Give a new name to new weights, or pass ``cache=False``.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from unittest import mock
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor

from fiber_audit.contracts import Extractor
from fiber_audit.errors import UnknownName, UsageError, WeightsError, suggestion

LAYER = "features"


def register(name: str, make: Callable[[], Extractor]) -> None:
    """Offer a fiber-audit extractor to `torch_fidelity.calculate_metrics` for this process.

    make: called when torch-fidelity creates the extractor, e.g. a factory of the catalogue,
    ``Catalogue.load().find("extractor", "color-mnist-shape").factory``. Its only layer is called
    "features".

    Raises:
        UsageError: the name is taken, or not one that torch-fidelity takes.
    """
    if name in FEATURE_EXTRACTORS_REGISTRY:
        raise UsageError(f"torch-fidelity has an extractor {name!r} already: choose another name.")

    class Bridge(FeatureExtractorBase):  # type: ignore[misc]
        def __init__(self, name: str, features_list: list[str], **_: object) -> None:
            super().__init__(name, features_list)  # torch-fidelity passes all options of its call
            self.extractor = make()
            self.network = self.extractor.network  # registered, so that .cuda() moves it

        def forward(self, image: Tensor) -> tuple[Tensor, ...]:
            """Images (n, c, h, w) uint8 -> ((n, d),)."""
            return (self.extractor.features(image.float() / 255).float(),)

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return (LAYER,)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return LAYER

        @staticmethod
        def can_be_compiled() -> bool:
            return False

    try:
        register_feature_extractor(name, Bridge)
    except ValueError as error:
        raise UsageError(f"name = {name!r}: {error}.") from error


@contextmanager
def registered(name: str, make: Callable[[], Extractor]) -> Iterator[None]:
    """`register` for the length of a with block: the registry is global and outlives its users."""
    register(name, make)
    try:
        yield
    finally:
        del FEATURE_EXTRACTORS_REGISTRY[name]


class TorchFidelityExtractor(Extractor):
    """Any extractor of torch-fidelity's registry, on images (n, 3, h, w) in [0, 1].

    Their networks ask for 8-bit images and turn them into floats at once. Where floats pass all
    the way (tried once, with a gradient), this extractor is differentiable; else it rounds to
    8 bits, and can measure but not guide.
    """

    def __init__(self, network: FeatureExtractorBase) -> None:
        one = _OneLayer(network)
        self.network, self.name = one.eval().requires_grad_(False), network.get_name()
        probe = _probe(network)
        self.differentiable = one.accepts_floats(probe)
        with torch.no_grad():
            self.feature_size = self.network(probe.float() / 255).shape[1]
        self.weights_sha256 = _digest(network)

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
    def __init__(self, inner: FeatureExtractorBase) -> None:
        super().__init__()
        self.inner, self.floats = inner, False

    def forward(self, x: Tensor) -> Tensor:
        image = 255 * x if self.floats else (255 * x).round().clamp(0, 255).to(torch.uint8)
        with self._unchecked() if self.floats else nullcontext():
            (features,) = self.inner(image)
        return features.flatten(1)

    def accepts_floats(self, probe: Tensor) -> bool:
        self.floats = True
        try:
            leaf = (probe.float() / 255).requires_grad_()
            gradient = torch.autograd.grad(self(leaf).sum(), leaf)
            self.floats = bool(gradient[0].isfinite().all())
        except Exception:  # whatever a stranger's network says to floats: it gets 8 bits
            self.floats = False
        return self.floats

    def _unchecked(self) -> AbstractContextManager[object]:
        """Their module without its assertion that images have 8 bits."""
        module = sys.modules[type(self.inner).forward.__module__]
        if not hasattr(module, "vassert"):
            return nullcontext()
        return mock.patch.object(module, "vassert", return_value=None)


def torch_fidelity_extractor(
    name: str, layer: str = "", weights: str = "", download: bool = False
) -> TorchFidelityExtractor:
    """An extractor of torch-fidelity's registry by name and layer ("" is its layer for FID).

    weights: a checkpoint for `feature_extractor_weights_path`, which torch-fidelity unpickles: use
    files you trust. "" takes torch's cache, and the network only if `download`.
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
    with nullcontext() if download else _offline(name):
        try:
            network = kind(
                name, [chosen], feature_extractor_weights_path=weights or None, verbose=False
            )
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            if not weights:
                raise
            raise WeightsError(
                f"weights = {weights!r}: torch-fidelity {name} cannot read it "
                f"({type(error).__name__}); give a checkpoint of that network."
            ) from error
    return TorchFidelityExtractor(network)


@contextmanager
def _offline(name: str) -> Iterator[None]:
    """torch.hub without a network: what is not in its cache is refused by name."""

    def refuse(url: str, target: str, *_: object, **__: object) -> None:
        raise WeightsError(
            f"torch-fidelity {name}: its weights are absent; put {url} at {target}, or set weights "
            "to its path, or set download = true to fetch it."
        )

    def unreachable(*_: object, **__: object) -> None:
        raise URLError("download = true was not set")

    try:
        with mock.patch.multiple(torch.hub, download_url_to_file=refuse, urlopen=unreachable):
            yield
    except (URLError, RuntimeError, NotImplementedError) as error:
        raise WeightsError(
            f"torch-fidelity {name}: its code or weights are not in torch's cache ({error}); set "
            "download = true to fetch them."
        ) from error


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
