"""What is asked of all networks that a prior owns: denoiser, decoder, text encoder."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ..contracts import Prior
from ..sampling import at
from .violation import FAULTS, told

DEPTH = 3
"""How far attributes of attributes are looked into."""
LARGE = 2**20
"""Numbers of a parameter that is not copied to see whether it moves: smaller ones tell."""
NO_PLACE = (nn.Module, Tensor, str, bytes, type, FunctionType, BuiltinFunctionType, ModuleType)


def each(prior: Prior, ask: Callable[[nn.Module], str | None]) -> str | None:
    """The first sentence about a module of the prior, which names it where it is not `network`."""
    for name, module in prior.modules.items():
        if problem := ask(module):
            return problem if module is prior.network else f"{name}: {problem}"
    return None


def named(prior: Prior) -> str | None:
    """`modules` names every network: the denoiser, and what is hidden in lists and pipelines."""
    modules = prior.modules
    if not isinstance(modules, Mapping) or not all(
        isinstance(name, str) and isinstance(module, nn.Module) for name, module in modules.items()
    ):
        return "modules must map names to torch modules; leave it to the contract, or return such."
    known = {id(part) for module in modules.values() for part in module.modules()}
    if id(prior.network) not in known:
        return "modules does not name network; add it, so that it is frozen, moved and digested."
    for where, module in _found(vars(prior), "", DEPTH):
        if id(module) not in known and next(module.parameters(), None) is not None:
            return (
                f"{where} is a network that modules does not name; make it an attribute of its "
                f"own, or add it to modules, so that it is frozen, moved and digested."
            )
    return None


def _found(place: Mapping[str, Any], path: str, depth: int) -> Iterator[tuple[str, nn.Module]]:
    """Modules in attributes, lists, mappings, objects and the owners of methods."""
    for name, value in place.items():
        where = f"{path}.{name}" if path else name
        if isinstance(value, MethodType):
            value = value.__self__
        if isinstance(value, nn.Module):
            yield where, value
        elif depth > 0 and not isinstance(value, (*NO_PLACE, Prior)):
            yield from _found(_inside(value), where, depth - 1)


def _inside(value: object) -> Mapping[str, Any]:
    components = getattr(value, "components", None)  # of a diffusers pipeline
    if isinstance(components, Mapping):
        return components
    if isinstance(value, Mapping):
        return {str(key): each for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return {str(i): each for i, each in enumerate(value)}
    return getattr(value, "__dict__", {})


def stays_behind(prior: Prior, x_t: Tensor) -> str | None:
    """Moved to the meta device, which computes shapes only, all three must compute there."""
    try:
        moved = copy.deepcopy(prior, _light(prior)).to("meta")
    except FAULTS:  # it cannot be copied: nothing can be told
        return None
    x = x_t.to("meta")
    calls: dict[str, Callable[[], Any]] = {
        "predict": lambda: moved.predict(x, at(torch.tensor(0.5), x)).x0,
        "decode": lambda: moved.decode(x),
        "encode": lambda: moved.encode(prior.decode(x_t).to("meta")),
    }
    for name, call in calls.items():
        try:
            with torch.no_grad():
                found = call().device.type
        except FAULTS as error:
            if not re.search("expected device|same device", str(error)):
                continue  # an operation that has no shape-only form: nothing can be told
            found = told(error)
        if found != "meta":
            return (
                f"moved to another device, {name}() stays behind ({found}); name every network in "
                f"modules, register tensors as buffers of one, and call neither .cpu() nor .cuda()."
            )
    return None


def _light(prior: Prior) -> dict[int, Any]:
    """What deepcopy is to take for large parameters: empty ones, which weigh nothing."""
    return {
        id(p): nn.Parameter(torch.empty_like(p, device="meta"), requires_grad=False)
        for module in prior.modules.values()
        for p in module.parameters()
        if p.numel() > LARGE
    }
