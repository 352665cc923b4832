"""Does an extractor keep its contract?"""

from __future__ import annotations

import copy
import gc
import re
import weakref
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..contracts import Extractor
from . import network
from .violation import Checks, Violation, told, violations

ANY_SHAPE = (3, 64, 64)
"""What an extractor that takes any shape is tried with."""


@dataclass(frozen=True)
class Subject:
    """An extractor, inputs x (n, ...) in data space, and where known a way to make it again."""

    extractor: Extractor
    x: Tensor
    again: Callable[[], Extractor] | None

    def features(self) -> Tensor:
        """Features of x, without a graph."""
        with torch.no_grad():
            return self.extractor.features(self.x)

    def gradient(self, x: Tensor) -> Tensor | None:
        """Gradient in x of the sum of all features, or None where there is none."""
        leaf = x.detach().clone().requires_grad_(True)
        features = self.extractor.features(leaf)
        if not features.requires_grad:
            return None
        return torch.autograd.grad(features.sum(), leaf, allow_unused=True)[0]


def check_extractor(
    extractor: Extractor,
    example: Tensor | None = None,
    again: Callable[[], Extractor] | None = None,
) -> list[Violation]:
    """What is wrong with an extractor; an empty list where nothing is.

    example: at least two inputs (n, ...) float32 in data space; by default uniform noise of
        `input_shape`, images for three dimensions and tables for one.
    again: makes the same extractor anew, to see that its digest and its features are the same.
    """
    if not isinstance(getattr(extractor, "network", None), nn.Module):
        message = "network is not a torch.nn.Module; set self.network to the network under audit."
        return [Violation("network", message)]
    shape = extractor.input_shape or ANY_SHAPE
    noise = torch.rand((4, *shape), generator=torch.Generator().manual_seed(0))
    subject = Subject(extractor, noise if example is None else example, again)
    try:
        subject.features()
    except Exception as error:  # whatever it is, the rest cannot be tried
        message = (
            f"features() of {tuple(subject.x.shape)} float32 in [0, 1] raised {told(error)}; "
            f"resize and normalise inside features(), or declare input_shape."
        )
        return [Violation("call", message), *violations(STATIC, subject)]
    return violations({**STATIC, **DYNAMIC}, subject)


def _shape(s: Subject) -> str | None:
    found, wanted = tuple(s.features().shape), (len(s.x), s.extractor.feature_size)
    if found != wanted:
        return f"features are {found}, not {wanted}; flatten them, or correct feature_size."
    return None


def _dtype(s: Subject) -> str | None:
    found = s.features().dtype
    if found != torch.float32:
        return f"features are {found}; return float32, with .float() at the end."
    return None


def _differentiable(s: Subject) -> str | None:
    gradient = s.gradient(s.x)
    if gradient is None:
        return (
            "features have no gradient in the input; take out no_grad, detach, numpy, PIL and "
            "integers between x and the features."
        )
    if not gradient.any():
        return "the gradient is zero everywhere; something rounds, clamps or takes an argmax."
    return None


def _gradient_finite(s: Subject) -> str | None:
    for name, x in _corners(s.x).items():
        gradient = s.gradient(x)
        if gradient is not None and not gradient.isfinite().all():
            return (
                f"the gradient at {name} is not finite; keep square roots, norms and divisions "
                f"away from zero, for instance with clamp(min=1e-6) inside."
            )
    return None


def _per_sample(s: Subject) -> str | None:
    return network.coupling(s.extractor.features, s.x)


def _range(s: Subject) -> str | None:
    for name, x in _corners(s.x).items():
        with torch.no_grad():
            if not s.extractor.features(x).isfinite().all():
                return f"features of {name} are not finite; keep divisions and logs off zero."
    return None


def _corners(x: Tensor) -> dict[str, Tensor]:
    """Inputs at the ends of the range of images, which real pictures reach; tables have none."""
    found = {"the example": x}
    if x.ndim == 4:
        found |= {"an image of zeros": torch.zeros_like(x), "an image of ones": torch.ones_like(x)}
    return found


def _deterministic(s: Subject) -> str | None:
    before = torch.get_rng_state()
    first, second = s.features(), s.features()
    if not torch.equal(first, second):
        return "two calls give different features; take out dropout, noise and random crops."
    if not torch.equal(before, torch.get_rng_state()):
        return "features() uses the global random numbers; take out what draws from them."
    return None


def _input_kept(s: Subject) -> str | None:
    x = s.x.clone()
    with torch.no_grad():
        s.extractor.features(x)
    if not torch.equal(x, s.x):
        return "features() changes its input; use no in-place operation (x.sub_, x += ...) on it."
    return None


def _digest_stable(s: Subject) -> str | None:
    learned, declared = network.state(s.extractor.network), s.extractor.weights_sha256
    features = s.features()
    if network.state(s.extractor.network) != learned or s.extractor.weights_sha256 != declared:
        return "a call changes the weights or the digest; keep running statistics in eval mode."
    if s.again is None:
        return None
    other = s.again()
    if other.weights_sha256 != declared:
        return "made again, it has another weights_sha256; digest the weights, not a file's date."
    with torch.no_grad():
        if network.apart(other.features(s.x), features) > network.ROUNDING:
            return "made again, it has other features under the same digest; seed or ship weights."
    return None


def _device(s: Subject) -> str | None:
    """Moved to the meta device, which computes shapes only, it must give features there."""
    try:
        moved = copy.deepcopy(s.extractor).to("meta")
        with torch.no_grad():
            found = moved.features(s.x.to("meta")).device.type
    except (RuntimeError, NotImplementedError) as error:
        if not re.search("expected device|out of meta|same device", str(error)):
            return None  # an operation that has no shape-only form: nothing can be told
        found = told(error)
    if found != "meta":
        return (
            f"moved to another device, features() stays behind ({found}); register every tensor "
            f"as a buffer of network, and call neither .cpu() nor .cuda()."
        )
    return None


def _memory(s: Subject) -> str | None:
    leaf = s.x.detach().clone().requires_grad_(True)
    features = s.extractor.features(leaf)
    alive = [weakref.ref(leaf), weakref.ref(features)]
    del leaf, features
    if any(reference() is not None for reference in alive):
        gc.collect()  # slow, so only where a cycle may hold them
    if any(reference() is not None for reference in alive):
        return (
            "it keeps the last input, features or their graph alive; let no hook or attribute "
            "hold a tensor after features() returns."
        )
    return None


STATIC: Checks[Subject] = {
    "eval-mode": lambda s: network.eval_mode(s.extractor.network),
    "frozen": lambda s: network.frozen(s.extractor.network),
    "digest": lambda s: network.digest(s.extractor.network, s.extractor.weights_sha256),
}
DYNAMIC: Checks[Subject] = {
    "shape": _shape,
    "dtype": _dtype,
    "range": _range,
    "deterministic": _deterministic,
    "input-kept": _input_kept,
    "counted": lambda s: network.counted(s.extractor.network, s.features, "features()"),
    "per-sample": _per_sample,
    "differentiable": _differentiable,
    "gradient-finite": _gradient_finite,
    "digest-stable": _digest_stable,
    "memory": _memory,
    "device": _device,
}
