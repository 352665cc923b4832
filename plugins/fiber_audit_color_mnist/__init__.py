"""Color MNIST, the benchmark with a known fiber: data, extractors, priors, ground-truth metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiber_audit import hookimpl

if TYPE_CHECKING:
    from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_datasets() -> Offers:
    """Offer `color-mnist`."""
    return {"color-mnist": "fiber_audit_color_mnist.dataset:ColorMNIST"}


@hookimpl
def fiber_audit_extractors() -> Offers:
    """Offer networks that know the shape, the colour, or what a classifier needs."""
    return {
        "color-mnist-shape": "fiber_audit_color_mnist.extractors:Shape",
        "color-mnist-colour": "fiber_audit_color_mnist.extractors:Colour",
        "color-mnist-classifier": "fiber_audit_color_mnist.extractors:Classifier",
        "color-mnist-classifier-b": "fiber_audit_color_mnist.extractors:ClassifierB",
    }


@hookimpl
def fiber_audit_priors() -> Offers:
    """Offer a latent diffusion, a latent flow and a pixel diffusion."""
    return {
        "color-mnist-latent": "fiber_audit_color_mnist.priors:LatentDiffusion",
        "color-mnist-flow": "fiber_audit_color_mnist.priors:LatentFlow",
        "color-mnist-pixel": "fiber_audit_color_mnist.priors:PixelDiffusion",
    }


@hookimpl
def fiber_audit_attributes() -> Offers:
    """Offer what varies among coloured digits."""
    return {
        "digit": "fiber_audit_color_mnist.attributes:Digit",
        "digit-colour": "fiber_audit_color_mnist.attributes:DigitColour",
        "digit-ink": "fiber_audit_color_mnist.attributes:DigitInk",
        "digit-slant": "fiber_audit_color_mnist.attributes:DigitSlant",
        "digit-thickness": "fiber_audit_color_mnist.attributes:DigitThickness",
        "digit-position": "fiber_audit_color_mnist.attributes:DigitPosition",
    }


@hookimpl
def fiber_audit_metrics() -> Offers:
    """Offer metrics that know the truth."""
    return {
        "colour_kl": "fiber_audit_color_mnist.metrics:ColourKL",
        "colour_w1": "fiber_audit_color_mnist.metrics:ColourW1",
        "colour_dev": "fiber_audit_color_mnist.metrics:ColourDev",
        "colour_kept": "fiber_audit_color_mnist.metrics:ColourKept",
        "shape_agreement": "fiber_audit_color_mnist.metrics:ShapeAgreement",
    }
