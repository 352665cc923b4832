"""A network called as its owner calls it, with other times, or with halves of its output swapped.

Hooks do it, so that what a prior would give under another wiring is tried without its code.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

Place = int | str
"""Of an argument: its position, or its keyword."""


def _places(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[Place, Any]:
    return dict(chain[tuple[Place, Any]](enumerate(args), kwargs.items()))


@contextmanager
def numbers_seen(network: nn.Module) -> Iterator[dict[Place, float]]:
    """Arguments that hold one number, or one for each row, at the first call in the block."""
    seen: dict[Place, float] = {}

    def look(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        places = _places(args, kwargs)
        for place, value in places.items():
            if isinstance(value, Tensor) and value.ndim <= 1 and value.numel():
                seen.setdefault(place, float(value.flatten()[0]))
            elif isinstance(value, int | float) and not isinstance(value, bool):
                seen.setdefault(place, float(value))

    handle = network.register_forward_pre_hook(look, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()


@contextmanager
def told(network: nn.Module, values: Mapping[Place, float]) -> Iterator[None]:
    """In the block, these arguments hold these numbers, in the shape and type they have."""

    def change(
        _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        places = _places(args, kwargs)
        for place, number in values.items():
            old = places[place]
            whole = torch.full_like(old, number) if isinstance(old, Tensor) else type(old)(number)
            places[place] = whole
        return tuple(places[i] for i in range(len(args))), {k: places[k] for k in kwargs}

    handle = network.register_forward_pre_hook(change, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def swapped(network: nn.Module, channels: int) -> Iterator[list[bool]]:
    """In the block, outputs of twice so many channels have their halves swapped.

    The list is empty as long as there is no such output.
    """
    met: list[bool] = []

    def change(_: nn.Module, __: Any, output: Any) -> Any:
        whole = output[0] if isinstance(output, tuple) else getattr(output, "sample", output)
        if not isinstance(whole, Tensor) or whole.ndim < 2 or whole.shape[1] != 2 * channels:
            return output
        met.append(True)
        other = whole.roll(channels, dims=1)
        if isinstance(output, tuple):
            return (other, *output[1:])
        if isinstance(output, Tensor):
            return other
        again = copy.copy(output)
        again.sample = other
        return again

    handle = network.register_forward_hook(change)
    try:
        yield met
    finally:
        handle.remove()
