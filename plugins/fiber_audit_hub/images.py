"""What all extractors of images share: a network, and its library's preprocessing, proven.

    x (n, 3 or 1, h, w) in [0, 1]  -- tensor_path -->  pixels  -- network -->  pool  -->  (n, d)
    a picture                      -- library_path ->  pixels  (the same, or it is refused)

Grey data is repeated to three channels. The network may be half; what goes in and out is float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Literal

import torch
from PIL.Image import Image
from torch import Tensor, nn

from fiber_audit import FiberAuditError, PluginError, UsageError
from fiber_audit.contracts import Extractor
from fiber_audit.loading import digest_of

from .pooling import Pooling
from .proof import PIXELS, gap_between, relative

Dtype = Literal["float32", "float16", "bfloat16"]
TOLERANCE = 1e-3
"""Relative RMS of features, apart from the library's rounding to 8 bits."""
TIES = 1 / 8
"""Share of what the rounding costs that its ties may cost: some networks make much of 8 bits."""


class ImageExtractor(Extractor):
    """Images (n, 3 or 1, h, w) in [0, 1] of any size -> features (n, d) float32.

    Args:
        network: pixels -> (n, d), tokens (n, t, d) or maps (n, c, h, w). Called once per
            evaluation. Given in float32; it is frozen, put in eval mode and cast to dtype here.
        name: what sentences call it, say "timm resnet18".
        tensor_path: (n, 3, h, w) in [0, 1] -> the network's input, differentiable, on any device,
            with a filter where it shrinks, clamped to [0, 1] after the resize.
        library_path: an RGB picture -> the network's input, (1, ...), as the library does it.
        preprocessing: the resolved steps in words; part of the identity.
        pool: from what the network returns to (n, d); part of the identity.
        dtype: of the network's weights and of its input.
        facts: for the report, say library versions.
        identity: whatever else changes features: model, layer, digest of a file.
        tolerance: of the relative RMS between the features by the two paths, rounded alike. Where
            an eighth of what the rounding costs is more, that: PIL's ties flip single pixels.

    Raises:
        PluginError: the two paths disagree.
        UsageError: the network does not take such pixels, or not in that dtype.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        tensor_path: Callable[[Tensor], Tensor],
        library_path: Callable[[Image], Tensor],
        preprocessing: str,
        pool: Pooling | None = None,
        dtype: Dtype = "float32",
        facts: Mapping[str, str] | None = None,
        identity: Iterable[str] = (),
        tolerance: float = TOLERANCE,
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.name, self.dtype, self.pool = name, torch.float32, pool or Pooling()
        self.tensor_path, self.library_path = tensor_path, library_path
        told = {"preprocessing": " ".join(preprocessing.split()), **self._proven(tolerance, dtype)}
        self.facts = {**(facts or {}), **told}
        words = (preprocessing, repr(self.pool), dtype, *identity)
        self.weights_sha256 = digest_of({"network": self.network}, *words)

    def features(self, x: Tensor) -> Tensor:
        """Features; per sample, differentiable.

        Raises:
            UsageError: x are no images.
        """
        if x.ndim != 4 or x.shape[1] not in (1, 3):
            raise UsageError(
                f"{self.name} sees images (n, 3 or 1, h, w), not {tuple(x.shape)}: "
                "measure this data with another extractor."
            )
        return self._of_pixels(self.tensor_path(x.expand(-1, 3, -1, -1)))

    def features_of_picture(self, picture: Image) -> Tensor:
        """(1, d), by the library's own preprocessing of a picture."""
        pixels = self.library_path(picture.convert("RGB"))
        parts = chain(self.network.parameters(), self.network.buffers())
        device = next((part.device for part in parts), pixels.device)
        with torch.no_grad():
            return self._of_pixels(pixels.to(device))

    def _of_pixels(self, pixels: Tensor) -> Tensor:
        return self.pool(self.network(pixels.to(self.dtype)).float())

    def _proven(self, tolerance: float, dtype: Dtype) -> dict[str, str]:
        """Compare the two paths in float32, cast, and tell of both."""
        try:
            gap, pixels, whole = gap_between(self.tensor_path, self.library_path, self._of_pixels)
            cast = whole
            if dtype != "float32":
                self.dtype = getattr(torch, dtype)
                self.network.to(self.dtype)
                with torch.no_grad():
                    cast = self._of_pixels(pixels)
        except FiberAuditError:
            raise
        except Exception as error:  # a stranger's network may say anything
            told = f"{type(error).__name__}: {(str(error) or 'no words').splitlines()[0]}"
            raise UsageError(
                f"{self.name} fails on a photograph in {self.dtype} ({told}): "
                "see its preprocessing, layer and dtype."
            ) from error
        for name, features in (("float32", whole), (dtype, cast)):
            if not features.isfinite().all():
                raise UsageError(
                    f"{self.name}: features of a photograph are not finite in {name}; take another "
                    "dtype, or see its weights and layer."
                )
        most = max(tolerance, TIES * gap.unrounded)
        if not (gap.pixels <= PIXELS and gap.features <= most):
            raise PluginError(
                f"{self.name}: the preprocessing of tensors is not the library's own ({gap}; at "
                f"most {most:.0e}, {PIXELS:.0e}): write it out with torch-module."
            )
        self.feature_size = cast.shape[1]
        found = {"preprocessing gap": str(gap)}
        if dtype != "float32":
            found["dtype"] = f"{dtype}, features {relative(cast, whole):.1e} from those in float32"
        return found
