"""Invertible networks, put together from FrEIA's coupling blocks.

    x    the side of the data, (n, size)
    y    the side of the noise, (n, size)
    c    condition, (n, condition): every coupling reads it beside the half that it leaves alone

All that decides a draw is in the state_dict, the permutations too. FrEIA keeps one as a matrix, so
a block holds at least twice size^2 numbers: these flows are for codes and tables, not for pixels.

Source: Ardizzone et al., "Framework for Easily Invertible Architectures" (FrEIA), 2018-2022, after
Dinh et al., "Density estimation using Real NVP", ICLR 2017, and Kingma and Dhariwal, "Glow:
Generative Flow with Invertible 1x1 Convolutions", NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fiber_audit import UsageError
from fiber_audit.loading import library

LARGEST_ROTATION = 512
"""Up to this size blocks are mixed by rotations; beyond, FrEIA is slow at them and permutes."""


class Flow(nn.Module):
    """x -> y, given c, and backwards. sequence: FrEIA's blocks, from x to y."""

    def __init__(self, sequence: nn.Module) -> None:
        super().__init__()
        self.sequence = sequence

    def forward(
        self, x: Tensor, c: Tensor | None = None, backwards: bool = False
    ) -> tuple[Tensor, Tensor]:
        """(n, size) -> the other side, (n, size), and log |det| of the step taken, (n,)."""
        y, log_det = self.sequence(x, c=[c], rev=backwards)
        return y, log_det


def all_in_one(size: int, condition: int, blocks: int, width: int) -> Flow:
    """Blocks of affine coupling, learned scale and shift, and a fixed random rotation.

    condition may be 0 where size is not 1. At first the flow is a rotation.
    """
    if size == 1:
        return _affine(condition, width)
    freia = library("FrEIA", "conditional")
    sequence = freia.framework.SequenceINN(size)
    with _numpy_seeded_by_torch():
        for _ in range(blocks):
            sequence.append(
                freia.modules.AllInOneBlock,
                subnet_constructor=partial(_coefficients, width, 1),
                permute_soft=size <= LARGEST_ROTATION,
                **_given(condition),
            )
    return Flow(sequence)


def glow(size: int, condition: int, blocks: int, width: int) -> Flow:
    """Blocks of ActNorm, affine coupling of both halves in turn, and a fixed random shuffle.

    At first, until `activate` has shown data to every ActNorm, the flow is a shuffle.
    """
    if size == 1:
        return _affine(condition, width)
    freia = library("FrEIA", "conditional")
    sequence = freia.framework.SequenceINN(size)
    for _ in range(blocks):
        sequence.append(freia.modules.ActNorm)
        sequence.append(
            freia.modules.GLOWCouplingBlock,
            subnet_constructor=partial(_coefficients, width, 2),
            **_given(condition),
        )
        shuffle = torch.eye(size)[torch.randperm(size)]
        sequence.append(freia.modules.FixedLinearTransform, M=shuffle, b=torch.zeros(size))
    flow = Flow(sequence)
    _wait_for_data(flow, False)
    return flow


def _affine(condition: int, width: int) -> Flow:
    """Of a single number, which has no half to couple: one affine map that depends on c."""
    freia = library("FrEIA", "conditional")
    sequence = freia.framework.SequenceINN(1)
    constructor = partial(_coefficients, width, 1)
    block = freia.modules.ConditionalAffineTransform
    sequence.append(block, subnet_constructor=constructor, **_given(condition))
    return Flow(sequence)


@torch.no_grad()
def activate(flow: Flow, x: Tensor, c: Tensor) -> None:
    """Give every ActNorm the scale and shift that make its output standard for this data."""
    _wait_for_data(flow, True)
    flow(x, c)


def _wait_for_data(flow: Flow, wait: bool) -> None:
    """Whether the next batch sets FrEIA's ActNorms, which it does not keep in the state_dict."""
    for module in flow.modules():
        if isinstance(module, library("FrEIA", "conditional").modules.ActNorm):
            module.init_on_next_batch = wait


def perceptron(inputs: int, width: int, hidden: int, outputs: int) -> nn.Sequential:
    """A multilayer perceptron with LeakyReLU after each of its hidden layers."""
    sizes = [inputs, *[width] * hidden]
    layers = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), nn.LeakyReLU())]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], outputs))


def split_of(asked: int, size: int, features: int, option: str) -> int:
    """How many dimensions of a state stand for the features; asked = 0 derives it.

    As many as there are features, but one in nine is left to the fiber: 48 of 54, as in the paper.

    Raises:
        UsageError: one of the two parts would be empty.
    """
    if size < 2:
        raise UsageError(
            f"{option} = {asked}: a state of a single number cannot be split in two; use nf for it."
        )
    if asked >= size:
        raise UsageError(
            f"{option} = {asked}: a state has {size} numbers, and one at least has to be left; "
            f"choose {size - 1} or fewer."
        )
    return asked or min(features, size - max(1, size // 9))


def _given(condition: int) -> dict[str, Any]:
    """What tells FrEIA of a condition, if there is one."""
    return {"cond": 0, "cond_shape": (condition,)} if condition else {}


def _coefficients(width: int, hidden: int, inputs: int, outputs: int) -> nn.Sequential:
    """What a coupling computes its scales and shifts by: at first they are all zero."""
    network = perceptron(inputs, width, hidden, outputs)
    for last in network[-1].parameters():
        nn.init.zeros_(last)
    return network


@contextmanager
def _numpy_seeded_by_torch() -> Iterator[None]:
    """FrEIA draws rotations by numpy's global generator: torch's decides them, numpy's is kept."""
    kept = np.random.get_state()  # noqa: NPY002 - FrEIA takes no generator
    np.random.seed(int(torch.randint(2**31, ())))  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(kept)  # noqa: NPY002
