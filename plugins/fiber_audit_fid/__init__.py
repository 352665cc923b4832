"""Fréchet and kernel distances, the two Inceptions, and the blind spots between networks."""

from __future__ import annotations

from fiber_audit import hookimpl
from fiber_audit.contracts import (
    Count,
    Extractor,
    Factory,
    Fraction,
    Metric,
    NonNegativeInt,
    Positive,
)

from .choices import Against, EditName, Layer, Preprocessing, Resize


@hookimpl
def fiber_audit_extractors() -> dict[str, Factory]:
    """Offer the networks of the FID, and all of torch-fidelity's."""
    return {
        "inception-tf": _inception_tf,
        "inception-torchvision": _inception_torchvision,
        "torch-fidelity": _torch_fidelity,
    }


@hookimpl
def fiber_audit_metrics() -> dict[str, Factory]:
    """Offer distances of sets in any extractor's features, and the blind-spot matrix."""
    return {
        "frechet_distance": _frechet_distance,
        "kernel_distance": _kernel_distance,
        "gaussian_kernel_distance": _gaussian_kernel_distance,
        "precision": _precision,
        "recall": _recall,
        "density": _density,
        "coverage": _coverage,
        "blind_spot": _blind_spot,
        "edit_response": _edit_response,
    }


def _inception_tf(
    *,
    weights: str = "",
    seed: NonNegativeInt = 0,
    download: bool = False,
    sha256: str = "",
    preprocessing: Preprocessing = "published",
    resize: Resize | None = None,
    rounded: bool = False,
    layer: Layer = "2048",
) -> Extractor:
    from .inception import inception_tf

    return inception_tf(weights, seed, download, sha256, preprocessing, resize, rounded, layer)


def _inception_torchvision(
    *,
    weights: str = "",
    seed: NonNegativeInt = 0,
    download: bool = False,
    sha256: str = "",
    preprocessing: Preprocessing = "published",
    resize: Resize | None = None,
    rounded: bool = False,
) -> Extractor:
    from .inception import inception_torchvision

    return inception_torchvision(weights, seed, download, sha256, preprocessing, resize, rounded)


def _torch_fidelity(
    *, name: str, layer: str = "", weights: str = "", download: bool = False
) -> Extractor:
    from .fidelity_bridge import torch_fidelity_extractor

    return torch_fidelity_extractor(name, layer, weights, download)


def _frechet_distance(*, extractor: str = "", against: Against = "queries") -> Metric:
    from .set_metrics import FrechetDistance

    return FrechetDistance(extractor, against)


def _kernel_distance(*, extractor: str = "", against: Against = "queries") -> Metric:
    from .set_metrics import KernelDistance

    return KernelDistance(extractor, against)


def _gaussian_kernel_distance(
    *, extractor: str = "", against: Against = "queries", sigma: Positive | None = None
) -> Metric:
    from .set_metrics import GaussianKernelDistance

    return GaussianKernelDistance(extractor, against, sigma)


def _precision(
    *, extractor: str = "", against: Against = "queries", neighbours: Count = 3
) -> Metric:
    from .set_metrics import Precision

    return Precision(extractor, against, neighbours)


def _recall(*, extractor: str = "", against: Against = "queries", neighbours: Count = 3) -> Metric:
    from .set_metrics import Recall

    return Recall(extractor, against, neighbours)


def _density(*, extractor: str = "", against: Against = "queries", neighbours: Count = 5) -> Metric:
    from .set_metrics import Density

    return Density(extractor, against, neighbours)


def _coverage(
    *, extractor: str = "", against: Against = "queries", neighbours: Count = 5
) -> Metric:
    from .set_metrics import Coverage

    return Coverage(extractor, against, neighbours)


def _blind_spot(*, measured_by: list[str]) -> Metric:
    from .blind_spot_metric import BlindSpotMetric

    return BlindSpotMetric(measured_by)


def _edit_response(
    *, edits: list[EditName] | None = None, strength: Fraction = 0.5, extractor: str = ""
) -> Metric:
    from .edit_response import EditResponse

    return EditResponse(edits, strength, extractor)
