"""Does an extractor keep its contract? All of the first block's checks, and the slower ones."""

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
from . import first_block, network
from .calls import Calls
from .preprocessing import preprocessing_problem
from .violation import Checks, Violation, told, violations

ANY_SHAPE = (3, 64, 64)
"""What an extractor that takes any shape is tried with."""


@dataclass
class ExtractorCalls(Calls):
    """Calls of an extractor, and where known a way to make it again."""

    again: Callable[[], Extractor] | None = None


def check_extractor(
    extractor: Extractor,
    example: Tensor | None = None,
    again: Callable[[], Extractor] | None = None,
) -> list[Violation]:
    """What is wrong with an extractor; an empty list where nothing is. Nothing in it is changed.

    example: some inputs (n, ...) float32 in data space; by default uniform noise of
        `input_shape`, images for three dimensions and tables for one.
    again: makes the same extractor anew, to see that its digest and its features are the same.
    """
    if not isinstance(getattr(extractor, "network", None), nn.Module):
        message = "network is not a torch.nn.Module; set self.network to the network under audit."
        return [Violation("network", message)]
    shape = extractor.input_shape or ANY_SHAPE
    noise = torch.rand((4, *shape), generator=torch.Generator().manual_seed(0))
    x = (noise if example is None else example).to(network.device_of(extractor.network))
    subject = ExtractorCalls(extractor, x if len(x) > 1 else torch.cat([x, 0.9 * x]), again=again)
    static = violations(STATIC, subject)
    if any(violation.name == "eval-mode" for violation in static):
        return static  # a call would change its running statistics
    return [*static, *first_block.found_in(subject, DYNAMIC)]


def _gradient_at_ends(c: Calls) -> str | None:
    on_example = first_block.CHECKS["gradient-finite"](c)
    if on_example is not None:
        return on_example
    for name, x in _ends(c.x).items():
        leaf = x.requires_grad_(True)
        features = c.call(leaf)
        if not features.requires_grad:
            return None
        along = network.projected(features).sum()
        (gradient,) = torch.autograd.grad(along, leaf, allow_unused=True)
        if gradient is not None and not gradient.isfinite().all():
            return (
                f"the gradient at {name} is not finite; keep square roots, norms and divisions "
                f"away from zero, for instance with clamp(min=1e-6) inside."
            )
    return None


def _range(c: Calls) -> str | None:
    for name, x in _ends(c.x).items():
        with torch.no_grad():
            if not c.call(x).isfinite().all():
                return f"features of {name} are not finite; keep divisions and logs off zero."
    return None


def _ends(x: Tensor) -> dict[str, Tensor]:
    """Inputs at the ends of the range of images, which real pictures reach; tables have none."""
    if x.ndim != 4:
        return {}
    return {"an image of zeros": torch.zeros_like(x), "an image of ones": torch.ones_like(x)}


def _counted(c: Calls) -> str | None:
    with torch.no_grad():
        return network.counted(c.network, lambda: c.call(c.x), "features()")


def _digest_stable(s: ExtractorCalls) -> str | None:
    learned, declared = network.state(s.network), s.extractor.weights_sha256
    with torch.no_grad():
        features = s.call(s.x)
    if network.state(s.network) != learned or s.extractor.weights_sha256 != declared:
        return "a call changes the weights or the digest; keep running statistics in eval mode."
    if s.again is None:
        return None
    other = s.again()
    if other.weights_sha256 != declared:
        return "made again, it has another weights_sha256; digest the weights, not a file's date."
    with torch.no_grad():
        if network.apart(other.features(s.x.clone()), features) > network.ROUNDING:
            return "made again, it has other features under the same digest; seed or ship weights."
    return None


def _device(c: Calls) -> str | None:
    """Moved to the meta device, which computes shapes only, it must give features there."""
    try:
        moved = copy.deepcopy(c.extractor).to("meta")
        with torch.no_grad():
            found = moved.features(c.x.to("meta")).device.type
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


def _memory(c: Calls) -> str | None:
    leaf = c.x.detach().clone().requires_grad_(True)
    features = c.extractor.features(leaf)
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


STATIC: Checks[ExtractorCalls] = {
    "eval-mode": lambda c: network.eval_mode(c.network),
    "frozen": lambda c: network.frozen(c.network),
    "digest": lambda c: network.digest(c.network, c.extractor.weights_sha256),
}
DYNAMIC: Checks[ExtractorCalls] = {
    "preprocessing": lambda c: preprocessing_problem(c.extractor),
    "range": _range,
    "counted": _counted,
    "digest-stable": _digest_stable,
    "memory": _memory,
    "device": _device,
    **first_block.CHECKS,
    "gradient-finite": _gradient_at_ends,
}
