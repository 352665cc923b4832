"""What is asked of every frozen network: eval mode, no gradients of its own, a digest, one call."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor, nn

ROUNDING = 1e-4
"""Relative difference that batch-dependent kernels may make in float32."""


def eval_mode(network: nn.Module) -> str | None:
    """Batch norm and dropout must not see that they are trained."""
    moody = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase)
    learned = next(network.parameters(), None) is not None
    matters = learned or any(isinstance(m, moody) for m in network.modules())
    training = [name or "the network" for name, m in network.named_modules() if m.training]
    if training and matters:
        return f"{training[0]} is in training mode; call network.eval() in the factory."
    return None


def frozen(network: nn.Module) -> str | None:
    """Gradients of the weights cost memory and are never used."""
    free = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    if free:
        return (
            f"{len(free)} parameters require a gradient, e.g. {free[0]}; "
            f"call network.requires_grad_(False) in the factory."
        )
    return None


def digest(network: nn.Module, declared: object) -> str | None:
    """What was learned is part of a result's identity."""
    if declared and not (isinstance(declared, str) and re.fullmatch("[0-9a-f]{64}", declared)):
        return f"weights_sha256 = {declared!r} is not 64 hexadecimal digits; use hashlib.sha256."
    if not declared and next(network.parameters(), None) is not None:
        return (
            "weights_sha256 is empty although the network has parameters; set it to the SHA-256 "
            "of the weights, so that results of other weights are told apart."
        )
    return None


def counted(network: nn.Module, call: Callable[[], object], what: str) -> str | None:
    """The host counts evaluations by a forward hook on the network."""
    calls = 0

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    handle = network.register_forward_hook(count)
    try:
        call()
    finally:
        handle.remove()
    if calls != 1:
        return (
            f"{what} called its network {calls} times; call self.network(...) exactly once, "
            f"not .forward or a part of it, so that evaluations are counted."
        )
    return None


def state(network: nn.Module) -> str:
    """Digest of all parameters and buffers as they are now."""
    found = sha256()
    for name, value in network.state_dict().items():
        if isinstance(value, Tensor):
            found.update(name.encode())
            data = value.detach().cpu().contiguous().flatten().view(torch.uint8)
            found.update(data.numpy().tobytes())
    return found.hexdigest()


def apart(a: Tensor, b: Tensor) -> float:
    """Largest difference of two tensors, relative to the larger one's largest value."""
    scale = max(float(a.abs().max()), float(b.abs().max()), torch.finfo(torch.float32).tiny)
    return float((a - b).abs().max()) / scale


def coupling(call: Callable[[Tensor], Tensor], x: Tensor) -> str | None:
    """Row 0 alone must give what row 0 gives in the batch, and depend on row 0 alone."""
    with torch.no_grad():
        together, alone = call(x)[:1], call(x[:1])
    difference = apart(together, alone)
    if difference > ROUNDING:
        return (
            f"row 0 alone differs from row 0 in a batch of {len(x)} by {difference:.1e} of its "
            f"size; let nothing be computed over the batch (batch norm in training mode, a norm or "
            f"mean over dimension 0)."
        )
    leaf = x.detach().clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(call(leaf)[0].sum(), leaf, allow_unused=True)
    if gradient is not None and bool(gradient[1:].any()):
        return "row 0 has a gradient in other rows' inputs; let nothing be computed over the batch."
    return None
