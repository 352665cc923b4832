"""The cheap part of the contract checks, which a run makes on its first block.

Five forward and two backward passes over a few inputs tell most of what goes wrong with a network
that was never checked. Each problem is one sentence with the way out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..contracts import Draws, Extractor
from . import network
from .calls import Calls
from .violation import FAULTS, Checks, Violation, told, violations

T = TypeVar("T", bound=Calls)
EDGE = 1e-5
"""By how much rounding may leave the range of images."""


def extractor_problems(extractor: Extractor, x: Tensor) -> list[Violation]:
    """What is wrong with an extractor's features of x (n >= 1, ...), on the device of x.

    The network, x and the global random numbers are left as they are.
    """
    if not isinstance(getattr(extractor, "network", None), nn.Module):
        message = "network is not a torch.nn.Module; set self.network to the network under audit."
        return [Violation("network", message)]
    training = network.eval_mode(extractor.network)
    if training:  # a call would change its running statistics
        return [Violation("eval-mode", training)]
    return found_in(Calls(extractor, x if len(x) > 1 else torch.cat([x, 0.9 * x])), CHECKS)


def found_in(calls: T, checks: Checks[T]) -> list[Violation]:
    """What checks find, or that the first call already fails."""
    try:
        first: object = calls.first
    except FAULTS as error:  # whatever it is, the rest cannot be tried
        message = (
            f"features() of {tuple(calls.x.shape)} float32 raised {told(error)}; "
            f"resize and normalise inside features(), or declare input_shape."
        )
        return [Violation("call", message)]
    if not isinstance(first, Tensor):
        message = f"features() returned a {type(first).__name__}; return one tensor, (n, d)."
        return [Violation("call", message)]
    return violations(checks, calls)


def queries_problems(
    x: Tensor, ids: Sequence[str], first_index: int, data_shape: Sequence[int]
) -> str | None:
    """What is wrong with loaded queries, or None.

    x: what load() returned. ids: of the queries asked for, one per row. first_index: the place of
    the first of them in the data set.
    """
    wanted = (len(ids), *data_shape)
    if tuple(x.shape) != wanted:
        return (
            f"load() returned {tuple(x.shape)}, not {wanted}; return one row per index, each "
            f"shaped like data_shape."
        )
    if x.dtype != torch.float32:
        return f"load() returned {x.dtype}; return float32, images of bytes divided by 255."
    rows = x.reshape(len(x), -1)
    if not len(rows):
        return None
    lost = (~rows.isfinite()).any(dim=1)
    if bool(lost.any()):
        row = int(lost.nonzero()[0])
        where = f"query {ids[row]!r} (number {first_index + row})"
        return f"{where} holds NaN or infinity; leave such items out, or fill them in."
    beyond = (rows.amin(dim=1) < -EDGE) | (rows.amax(dim=1) > 1 + EDGE)
    if x.ndim != 4 or not bool(beyond.any()):
        return None
    row = int(beyond.nonzero()[0])
    low, high = float(rows[row].min()), float(rows[row].max())
    way = "divide by 255" if low >= -EDGE and high > 2 else "undo its normalisation"
    return (
        f"query {ids[row]!r} (number {first_index + row}) has values in [{low:.3g}, {high:.3g}]; "
        f"images are in [0, 1], so {way}."
    )


def sampler_problems(draws: Draws, rows: int, data_shape: Sequence[int]) -> str | None:
    """What is wrong with the draws of `rows` rows, or None."""
    if not isinstance(draws, Draws):
        return f"sample() returned a {type(draws).__name__}; return Draws, built by finish()."
    named = {name: getattr(draws, name) for name in ("data", "states", "finite", "path")}
    for name, tensor in {**named, **draws.diagnostics}.items():
        if not isinstance(tensor, Tensor):
            return f"{name} is a {type(tensor).__name__}; build Draws with finish(), of tensors."
        count = len(tensor) if tensor.ndim else 0
        if count != rows:
            return f"{name} has {count} rows for {rows} draws; build Draws with finish()."
    if tuple(draws.data.shape[1:]) != tuple(data_shape):
        return f"draws are {tuple(draws.data.shape[1:])} each, but queries are {tuple(data_shape)}."
    if draws.data.dtype != torch.float32:
        return f"draws are {draws.data.dtype}; return float32, in data space."
    if draws.finite.dtype != torch.bool or draws.finite.ndim != 1:
        return f"finite is {draws.finite.dtype}, {tuple(draws.finite.shape)}; give (n,) bool."
    kept = draws.data[draws.finite]
    if not kept.isfinite().all():
        return "draws that finite calls finite hold NaN or infinity; build Draws with finish()."
    if kept.ndim == 4 and len(kept):
        low, high = float(kept.min()), float(kept.max())
        if low < -EDGE or high > 1 + EDGE:
            return (
                f"draws are in [{low:.3g}, {high:.3g}], but images are in [0, 1]; "
                f"set the prior's data_range, and build Draws with finish()."
            )
    return None


def _shape(c: Calls) -> str | None:
    found, wanted = tuple(c.first.shape), (len(c.x), c.extractor.feature_size)
    if found == wanted:
        return None
    if len(found) == 2 and found[0] != wanted[0]:
        return f"{found[0]} rows of features for {wanted[0]} inputs; return one row per input."
    return f"features are {found}, not {wanted}; flatten them, or correct feature_size."


def _dtype(c: Calls) -> str | None:
    found = c.first.dtype
    if found != torch.float32:
        return f"features are {found}; return float32, with .float() at the end."
    return None


def _finite(c: Calls) -> str | None:
    if not c.first.isfinite().all():
        return "features are not all finite; keep divisions, logs and 16-bit overflows away."
    return None


def _deterministic(c: Calls) -> str | None:
    if not c.shaped or torch.equal(c.first, c.second):
        return None
    exact = c.x.device.type == "cpu"
    if exact or network.apart(c.first, c.second) > network.rounding(c.network, c.x):
        return "two calls give different features; take out dropout, noise and random crops."
    return None


def _per_sample(c: Calls) -> str | None:
    if not c.shaped:
        return None
    tolerance = network.rounding(c.network, c.x)
    differs = network.differs_alone(c.first, c.alone, tolerance)
    return differs or network.reaches_others(c.gradients[1], len(c.x) - 1)


def _differentiable(c: Calls) -> str | None:
    gradient = c.gradients[0]
    if gradient is None:
        return (
            "features have no gradient in the input; take out no_grad, detach, numpy, PIL and "
            "integers between x and the features."
        )
    if not gradient.any():
        return "the gradient is zero everywhere; something rounds, clamps or takes an argmax."
    return None


def _gradient_finite(c: Calls) -> str | None:
    gradient = c.gradients[0]
    if gradient is not None and c.shaped and not gradient.isfinite().all():
        return (
            "the gradient is not finite; keep square roots, norms and divisions away from zero, "
            "for instance with clamp(min=1e-6) inside."
        )
    return None


def _global_rng(c: Calls) -> str | None:
    if c.used:
        return (
            f"features() draws or seeds the global random numbers of {', '.join(sorted(c.used))}; "
            f"take that out, or give it a generator of its own."
        )
    return None


def _input_kept(c: Calls) -> str | None:
    if c.changed:
        return "features() changes its input; use no in-place operation (x.sub_, x += ...) on it."
    return None


def _eval_kept(c: Calls) -> str | None:
    if c.switched:
        return f"features() switches {min(c.switched)} to another mode; call no train() in it."
    return None


CHECKS: Checks[Calls] = {
    "shape": _shape,
    "dtype": _dtype,
    "finite": _finite,
    "deterministic": _deterministic,
    "per-sample": _per_sample,
    "differentiable": _differentiable,
    "gradient-finite": _gradient_finite,
    "global-rng": _global_rng,  # these three look back on all calls
    "input-kept": _input_kept,
    "eval-mode": _eval_kept,
}
