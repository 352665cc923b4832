"""What is asked of every frozen network: eval mode, no gradients of its own, a digest, one call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

ROUNDING = 1e-4
"""Relative difference that batch-dependent kernels may make in float32 on a CPU."""
ACCELERATED = 1e-2
"""The same on accelerators, whose kernels may be of TF32 for one batch size and not for another."""
NARROW = 5e-2
"""The same for networks of 16-bit weights."""


def rounding(network: nn.Module, x: Tensor) -> float:
    """Relative difference of one row in two batches that is no coupling."""
    if any(p.dtype in (torch.float16, torch.bfloat16) for p in network.parameters()):
        return NARROW
    return ROUNDING if x.device.type == "cpu" else ACCELERATED


def device_of(network: nn.Module) -> torch.device:
    """The device of the first parameter or buffer, or the CPU."""
    for tensor in chain(network.parameters(), network.buffers()):
        return tensor.device
    return torch.device("cpu")


def eval_mode(network: nn.Module) -> str | None:
    """Batch norm and dropout must not see that they are trained."""
    moody = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase)
    learned = next(network.parameters(), None) is not None
    matters = learned or any(isinstance(m, moody) for m in network.modules())
    training = [name or "the network" for name, m in network.named_modules() if m.training]
    if training and matters:
        return f"{training[0]} is in training mode; call network.eval() where it is made."
    return None


def frozen(network: nn.Module) -> str | None:
    """Gradients of the weights cost memory and are never used."""
    free = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    if free:
        return (
            f"{len(free)} parameters require a gradient, e.g. {free[0]}; "
            f"call network.requires_grad_(False) where it is made."
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


def projected(values: Tensor) -> Tensor:
    """Each row along a random direction of its own, (n, ...) -> (n,): what gradients are asked of.

    The plain sum will not do: that of a layer norm, or of centred rows, is a constant.
    """
    rows = values.reshape(len(values), -1).float()
    directions = torch.randn(rows.shape, generator=torch.Generator().manual_seed(0))
    return (rows * directions.to(rows)).sum(dim=1)


def differs_alone(together: Tensor, alone: Mapping[int, Tensor], tolerance: float) -> str | None:
    """A row alone, (1, ...), must be what it is in its batch."""
    for row, found in alone.items():
        difference = apart(together[row][None], found)
        if not difference <= tolerance:
            return (
                f"row {row} alone differs from row {row} in a batch of {len(together)} by "
                f"{difference:.1e} of its size; let nothing be computed over the batch (batch norm "
                f"in training mode, a norm or mean over dimension 0)."
            )
    return None


def reaches_others(gradient: Tensor | None, row: int) -> str | None:
    """The gradient of one row must be zero in all others; gradient is (n, ...), in all inputs."""
    if gradient is None:
        return None
    others = torch.arange(len(gradient), device=gradient.device) != row
    if bool(gradient[others].any()):
        return (
            f"row {row} has a gradient in other rows' inputs; let nothing be computed over the "
            f"batch (a norm or mean over dimension 0)."
        )
    return None


def coupling(call: Callable[[Tensor], Tensor], x: Tensor, tolerance: float) -> str | None:
    """Are rows independent, in value and gradient? The first and the last are tried alone."""
    last = len(x) - 1
    with torch.no_grad():
        together = call(x)
        alone = {row: call(x[row : row + 1]) for row in (0, last)}
    leaf = x.detach().clone().requires_grad_(True)
    along = projected(call(leaf))[last]
    (gradient,) = torch.autograd.grad(along, leaf, allow_unused=True)
    return differs_alone(together, alone, tolerance) or reaches_others(gradient, last)
