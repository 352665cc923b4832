"""NDTM with a fiber loss: the paper's training-free sampler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fiber_audit import hookimpl
from fiber_audit.contracts import (
    Count,
    Factory,
    Fraction,
    NonNegative,
    NonNegativeInt,
    Positive,
    Sampler,
)


@hookimpl
def fiber_audit_samplers() -> dict[str, Factory]:
    """Offer `ndtm`."""
    return {"ndtm": _ndtm}


def _ndtm(
    *,
    steps: Count = 200,
    inner_steps: NonNegativeInt = 10,
    guidance: NonNegative | Sequence[Sequence[float]] = 5.0,
    learning_rate: Positive = 0.02,
    decay: Literal["linear", "constant", "cosine"] = "linear",
    kappa: NonNegative = 0.0003,
    tau: NonNegative = 0.0,
    eta: Fraction = 1.0,
    loss: Literal["l2", "l1", "squared", "cross-entropy"] = "l2",
    target: Literal["static", "reapproximated"] = "static",
    clip_gradient: Positive = 1.0,
    update: Literal["ddim", "ancestral"] = "ddim",
    variance: Literal["small", "large"] = "small",
) -> Sampler:
    from .ndtm import NDTM
    from .strength import Strength

    return NDTM(
        strength=Strength.of(guidance),
        steps=steps,
        inner_steps=inner_steps,
        learning_rate=learning_rate,
        decay=decay,
        kappa=kappa,
        tau=tau,
        eta=eta,
        loss=loss,
        target=target,
        clip_gradient=clip_gradient,
        update=update,
        variance=variance,
    )
