"""Does a prior keep its contract?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from ..contracts import Prediction, Prior
from ..sampling import at, place, rms
from ..schedule import over
from . import network, owned
from .denoises import denoising_problem
from .randomness import watched
from .reconstructs import reconstruction_problem
from .violation import FAULTS, Checks, Violation, told, violations

AT_ONCE = 4
"""Inputs that pass an autoencoder together: it may be large."""
TIMES = (1.0, 0.5, 0.1)
CONSISTENT = 1e-3
"""Relative difference of x_t from alpha x0 + sigma eps that rounding may make."""


@dataclass(frozen=True)
class PriorTrial:
    """A prior, noisy states (n, *state_shape), and real data (n, *data_shape) where there are."""

    prior: Prior
    x_t: Tensor
    data: Tensor | None = None

    def predict(self, x_t: Tensor | None = None, t: float = 0.5) -> Prediction:
        """The prediction at one time for all rows."""
        x = self.x_t if x_t is None else x_t
        return self.prior.predict(x, at(torch.tensor(t), x))

    @cached_property
    def shown(self) -> Tensor:
        """Data, real or decoded."""
        with torch.no_grad():
            return self.prior.decode(self.x_t) if self.data is None else self.data

    @cached_property
    def states(self) -> Tensor:
        """The data, encoded."""
        return self.encode(0)

    def encode(self, turn: int) -> Tensor:
        """The data, encoded while the global random numbers are others at every turn."""
        with torch.no_grad(), watched(turn):
            return torch.cat([self.prior.encode(part) for part in self.shown.split(AT_ONCE)])


def check_prior(prior: Prior, data: Tensor | None = None) -> list[Violation]:
    """What is wrong with a prior; an empty list where nothing is.

    data: some real data (n, *data_shape) float32, 8 to 16 images or some hundred rows of a table:
        whether it denoises cannot be known without.
    """
    if not isinstance(getattr(prior, "network", None), nn.Module):
        message = "network is not a torch.nn.Module; set self.network to the generative model."
        return [Violation("network", message)]
    generator, device = torch.Generator().manual_seed(0), place(prior)
    x_t = torch.randn((4, *prior.state_shape), generator=generator).to(device)
    subject = PriorTrial(prior, x_t, data.to(device) if data is not None and len(data) else None)
    try:
        with torch.no_grad():
            subject.predict()
    except FAULTS as error:  # whatever it is, the rest cannot be tried
        shape = tuple(subject.x_t.shape)
        message = f"predict() of {shape} at times {(4,)} raised {told(error)}; see state_shape."
        return [Violation("call", message), *violations(STATIC, subject)]
    if subject.data is None:
        return violations({**STATIC, **DYNAMIC}, subject)
    if unlike := violations({"data": _unlike}, subject):
        return [*unlike, *check_prior(prior)]
    return violations({**STATIC, **DYNAMIC, **ON_DATA}, subject)


def round_trip(prior: Prior, data: Tensor) -> float:
    """RMS of decode(encode(data)) - data over all of data (n, ...): what the prior cannot hold."""
    with torch.no_grad():
        gaps = [prior.decode(prior.encode(part)) - part for part in data.split(AT_ONCE)]
        return float(rms(torch.cat(gaps).flatten().double()))


def _unlike(s: PriorTrial) -> str | None:
    with torch.no_grad():
        made, given = tuple(s.prior.decode(s.x_t).shape[1:]), tuple(s.shown.shape[1:])
    if made == given:
        return None
    return f"it draws inputs of shape {made}, but the data are {given}; resize the data."


def _schedule(s: PriorTrial) -> str | None:
    schedule = s.prior.schedule
    t = torch.linspace(0, 1, 101, dtype=torch.float64)
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    if abs(float(alpha[0]) - 1) > 1e-6 or abs(float(sigma[0])) > 1e-6:
        return "t = 0 is not clean data: give alpha(0) = 1 and sigma(0) = 0; t = 1 is noise."
    if (alpha.diff() > 1e-9).any() or (sigma.diff() < -1e-9).any():
        return "alpha rises or sigma falls with t; time runs from data (t = 0) to noise (t = 1)."
    times = schedule.times(10)
    if len(times) != 11 or float(times[-1]) != 0 or (times.diff() >= 0).any():
        return "times(10) must be 11 decreasing times that end at 0."
    return None


def _shape(s: PriorTrial) -> str | None:
    wanted = tuple(s.x_t.shape)
    for name, found in s.predict()._asdict().items():
        if tuple(found.shape) != wanted:
            return f"{name} is {tuple(found.shape)}, not {wanted} like x_t; drop learned variances."
    return None


def _consistent(s: PriorTrial) -> str | None:
    for t in TIMES:
        with torch.no_grad():
            x0, eps = s.predict(t=t)
        time = at(torch.tensor(t), s.x_t)
        alpha, sigma = s.prior.schedule.alpha(time), s.prior.schedule.sigma(time)
        difference = network.apart(over(alpha, x0) * x0 + over(sigma, eps) * eps, s.x_t)
        if difference > CONSISTENT:
            return (
                f"at t = {t}, alpha x0 + sigma eps differs from x_t by {difference:.1e} of it; "
                f"convert what the network predicts with the schedule, and clip nothing."
            )
    return None


def _finite(s: PriorTrial) -> str | None:
    for t in TIMES:
        with torch.no_grad():
            if not all(part.isfinite().all() for part in s.predict(t=t)):
                return f"the prediction at t = {t} is not finite; divide by no zero of alpha."
    return None


def _differentiable(s: PriorTrial) -> str | None:
    leaf = s.x_t.clone().requires_grad_(True)
    x0 = s.predict(leaf).x0
    if not x0.requires_grad or not _gradient(x0, leaf).any():
        return "predict() has no gradient in x_t; take out no_grad, detach and inference mode."
    return None


def _gradient(values: Tensor, leaf: Tensor) -> Tensor:
    return torch.autograd.grad(network.projected(values).sum(), leaf)[0]


def _per_sample(s: PriorTrial) -> str | None:
    tolerance = network.rounding(s.prior.network, s.x_t)
    return network.coupling(lambda x: s.predict(x).x0, s.x_t, tolerance)


def _deterministic(s: PriorTrial) -> str | None:
    with torch.no_grad():
        pairs = {
            "predict(); draw no noise in it": (s.predict().x0, s.predict().x0),
            "encode(); take the mode of a posterior, not a sample": (s.states, s.encode(1)),
        }
    allowed = 0.0 if s.x_t.device.type == "cpu" else network.rounding(s.prior.network, s.x_t)
    for what, (first, second) in pairs.items():
        if not network.apart(first, second) <= allowed:
            return f"two calls differ of {what}."
    return None


def _counted(s: PriorTrial) -> str | None:
    return network.counted(s.prior.network, s.predict, "predict()")


def _decode(s: PriorTrial) -> str | None:
    leaf = s.x_t.clone().requires_grad_(True)
    data = s.prior.decode(leaf)
    if not data.requires_grad or not _gradient(data, leaf).any():
        return "decode() has no gradient in the state; take out no_grad, rounding and clamping."
    wanted = (len(s.shown), *s.x_t.shape[1:])
    if tuple(s.states.shape) != wanted:
        return f"encode() of {tuple(s.shown.shape)} data is {tuple(s.states.shape)}, not {wanted}."
    return None


def _round_trip(s: PriorTrial) -> str | None:
    with torch.no_grad():
        data = s.prior.decode(s.x_t)
    gap = round_trip(s.prior, data) / float(rms(data.flatten().double()) + 1e-12)
    if s.prior.lossless and gap > network.ROUNDING:
        return f"it says lossless, but decode(encode(x)) differs from x by {gap:.1e} of it."
    return None


def _ranges(s: PriorTrial) -> str | None:
    for name in ("clip", "data_range"):
        ends = getattr(s.prior, name)
        if ends is not None and not ends[0] < ends[1]:
            return f"{name} = {ends}: give (low, high) with low below high, or None."
    return None


STATIC: Checks[PriorTrial] = {
    "modules": lambda s: owned.named(s.prior),
    "eval-mode": lambda s: owned.each(s.prior, network.eval_mode),
    "frozen": lambda s: owned.each(s.prior, network.frozen),
    "digest": lambda s: owned.each(
        s.prior, lambda module: network.digest(module, s.prior.weights_sha256)
    ),
    "ranges": _ranges,
    "schedule": _schedule,
}
DYNAMIC: Checks[PriorTrial] = {
    "shape": _shape,
    "finite": _finite,
    "consistent": _consistent,
    "deterministic": _deterministic,
    "counted": _counted,
    "per-sample": _per_sample,
    "differentiable": _differentiable,
    "decode": _decode,
    "round-trip": _round_trip,
    "device": lambda s: owned.stays_behind(s.prior, s.x_t),
}
ON_DATA: Checks[PriorTrial] = {
    "reconstructs": lambda s: reconstruction_problem(s.prior, s.shown, s.states),
    "denoises": lambda s: denoising_problem(s.prior, s.states),
}
