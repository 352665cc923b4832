"""Causal MNIST: a cause that is noisy, a colour that goes with it by chance, and two networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiber_audit import hookimpl

if TYPE_CHECKING:
    from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_datasets() -> Offers:
    """Offer `causal-mnist`."""
    return {"causal-mnist": "fiber_audit_causal_mnist.dataset:CausalMNIST"}


@hookimpl
def fiber_audit_extractors() -> Offers:
    """Offer one network trained for the average, and one for what holds everywhere."""
    return {
        "causal-erm": "fiber_audit_causal_mnist.extractors:ERM",
        "causal-irm": "fiber_audit_causal_mnist.extractors:IRM",
    }


@hookimpl
def fiber_audit_priors() -> Offers:
    """Offer the digits of one label."""
    return {"causal-mnist-digits": "fiber_audit_causal_mnist.prior:LabelledDigits"}


@hookimpl
def fiber_audit_attributes() -> Offers:
    """Offer the colour, a definition, and the digit, by a judge."""
    return {
        "causal-colour": "fiber_audit_causal_mnist.attributes:CausalColour",
        "causal-digit": "fiber_audit_causal_mnist.attributes:CausalDigit",
    }
