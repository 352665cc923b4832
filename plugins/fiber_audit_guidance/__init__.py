"""Training-free guidance, one file per method, each from its paper's update rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def _unconditional(*, steps: Count = 50, eta: Fraction = 0.0, power: Positive = 1.0) -> Sampler:
    from .unconditional import Unconditional

    return Unconditional(steps=steps, eta=eta, power=power)


def _dps(*, strength: NonNegative = 0.1, steps: Count = 200, eta: Fraction = 1.0) -> Sampler:
    from .dps import DPS

    return DPS(strength=strength, steps=steps, eta=eta)


def _mpgd(*, strength: NonNegative = 0.1, steps: Count = 200, eta: Fraction = 1.0) -> Sampler:
    from .mpgd import MPGD

    return MPGD(strength=strength, steps=steps, eta=eta)


def _freedom(
    *,
    strength: NonNegative = 0.1,
    steps: Count = 200,
    eta: Fraction = 1.0,
    repeats: Count = 2,
    travel: Sequence[float] = (0.3, 0.7),
) -> Sampler:
    from .freedom import FreeDoM

    return FreeDoM(strength=strength, steps=steps, eta=eta, repeats=repeats, travel=travel)


def _ugd(
    *,
    strength: NonNegative = 2.0,
    steps: Count = 200,
    eta: Fraction = 1.0,
    backward_steps: NonNegativeInt = 3,
    backward_rate: NonNegative = 0.1,
    repeats: Count = 1,
) -> Sampler:
    from .ugd import UGD

    return UGD(
        strength=strength,
        steps=steps,
        eta=eta,
        backward_steps=backward_steps,
        backward_rate=backward_rate,
        repeats=repeats,
    )


def _tfg(
    *,
    strength: NonNegative = 0.1,
    steps: Count = 200,
    eta: Fraction = 1.0,
    rho: NonNegative = 1.0,
    mu: NonNegative = 0.25,
    smoothing: NonNegative = 0.1,
    samples: Count = 1,
    mean_steps: NonNegativeInt = 4,
    repeats: Count = 1,
    weighting: Literal["increase", "decrease", "constant", "flat"] = "increase",
) -> Sampler:
    from .tfg import TFG

    return TFG(
        strength=strength,
        steps=steps,
        eta=eta,
        rho=rho,
        mu=mu,
        smoothing=smoothing,
        samples=samples,
        mean_steps=mean_steps,
        repeats=repeats,
        weighting=weighting,
    )


def _red_diff(
    *,
    strength: NonNegative = 1.0,
    steps: Count = 400,
    rate: Positive = 0.05,
    regularisation: NonNegative = 0.25,
    start_steps: Count = 50,
) -> Sampler:
    from .red_diff import REDDiff

    return REDDiff(
        strength=strength,
        steps=steps,
        rate=rate,
        regularisation=regularisation,
        start_steps=start_steps,
    )


@hookimpl
def fiber_audit_samplers() -> Mapping[str, Factory]:
    """Six published methods and the null."""
    return {
        "unconditional": _unconditional,
        "dps": _dps,
        "mpgd": _mpgd,
        "freedom": _freedom,
        "ugd": _ugd,
        "tfg": _tfg,
        "red-diff": _red_diff,
    }
