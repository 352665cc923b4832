"""Our extractors in torch-fidelity's registry.

    with registered("mine", MyExtractor):
        torch_fidelity.calculate_metrics(input1=..., input2=..., fid=True,
                                         feature_extractor="mine", cuda=False)

Beware of torch-fidelity's file cache: its key holds the names of input and extractor, and not the
weights. Give a new name to new weights, or pass ``cache=False``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor

from fiber_audit import UsageError
from fiber_audit.contracts import Extractor

LAYER = "features"


def register(name: str, make: Callable[[], Extractor]) -> None:
    """Offer a fiber-audit extractor to `torch_fidelity.calculate_metrics` for this process.

    make: called when torch-fidelity creates the extractor: the class, or what makes one. Its only
    layer is called "features". It is torch-fidelity's from then on, which moves it to its device.

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
