"""Color MNIST, the benchmark with a known fiber: data, extractors, priors, ground-truth metrics."""

from __future__ import annotations

from typing import Literal

from fiber_audit import hookimpl
from fiber_audit.contracts import Count, Dataset, Extractor, Factory, Metric, NonNegativeInt, Prior


@hookimpl
def fiber_audit_datasets() -> dict[str, Factory]:
    """Offer `color-mnist`."""
    return {"color-mnist": _dataset}


@hookimpl
def fiber_audit_extractors() -> dict[str, Factory]:
    """Offer networks that know the shape, the colour, or what a classifier needs."""
    return {
        "color-mnist-shape": _shape,
        "color-mnist-colour": _colour,
        "color-mnist-classifier": _classifier,
        "color-mnist-classifier-b": _classifier_b,
    }


@hookimpl
def fiber_audit_priors() -> dict[str, Factory]:
    """Offer a latent diffusion, a latent flow and a pixel diffusion."""
    return {
        "color-mnist-latent": _latent,
        "color-mnist-flow": _flow,
        "color-mnist-pixel": _pixel,
    }


@hookimpl
def fiber_audit_metrics() -> dict[str, Factory]:
    """Offer metrics that know the truth."""
    return {
        "colour_kl": _colour_kl,
        "colour_w1": _colour_w1,
        "colour_dev": _colour_dev,
        "colour_kept": _colour_kept,
        "shape_agreement": _shape_agreement,
    }


def _dataset(
    *,
    n: Count = 16,
    split: Literal["held-out", "test", "train"] = "held-out",
    path: str = "",
    seed: NonNegativeInt = 4321,
) -> Dataset:
    from .dataset import ColorMNIST

    return ColorMNIST(n, split, path, seed)


def _shape() -> Extractor:
    from .extractors import shape

    return shape()


def _colour() -> Extractor:
    from .extractors import colour

    return colour()


def _classifier() -> Extractor:
    from .extractors import classifier

    return classifier("classifier")


def _classifier_b() -> Extractor:
    from .extractors import classifier

    return classifier("classifier-b")


def _latent() -> Prior:
    from .priors import latent

    return latent()


def _flow() -> Prior:
    from .priors import flow

    return flow()


def _pixel() -> Prior:
    from .priors import pixel

    return pixel()


def _colour_kl() -> Metric:
    from .metrics import ColourKL

    return ColourKL()


def _colour_w1() -> Metric:
    from .metrics import ColourW1

    return ColourW1()


def _colour_dev() -> Metric:
    from .metrics import ColourDev

    return ColourDev()


def _colour_kept() -> Metric:
    from .metrics import ColourKept

    return ColourKept()


def _shape_agreement() -> Metric:
    from .metrics import ShapeAgreement

    return ShapeAgreement()
