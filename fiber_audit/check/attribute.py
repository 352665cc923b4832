"""Does an attribute keep its contract? Tried on a few images and tables of noise, or on data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..contracts import Attribute
from .network import differs_alone
from .randomness import watched
from .violation import FAULTS, Checks, Violation, told, violations

KINDS = "number", "class"
SHAPES = (3, 28, 28), (1, 28, 28), (3, 64, 64), (2, 14, 14), (8,), (30,)
"""Shapes of inputs that are tried where no data are given; the first that can be read is used."""
ROWS = 5
ROUNDING = 1e-4
"""Relative difference of a number in batches of two sizes that is no coupling."""


@dataclass(frozen=True)
class AttributeTrial:
    """An attribute and some inputs."""

    attribute: Attribute
    data: Tensor

    @cached_property
    def found(self) -> Tensor:
        """What it reads of them."""
        return self.attribute.read(self.data.clone())


def check_attribute(attribute: Attribute, data: Tensor | None = None) -> list[Violation]:
    """What is wrong with an attribute; an empty list where nothing is.

    data: some real inputs (n, ...), two or more.
    """
    declared = violations(DECLARED, attribute)
    if declared:
        return declared
    errors = []
    for inputs in [data] if data is not None else map(_noise, SHAPES):
        trial = AttributeTrial(attribute, inputs)
        try:
            _ = trial.found
        except FAULTS as error:  # it may be of inputs of another shape
            errors.append(f"{tuple(inputs.shape)}: {told(error)}")
        else:
            return violations(CHECKS, trial)
    return [Violation("call", f"read() raised for all that was tried: {'; '.join(errors)}.")]


def _noise(shape: tuple[int, ...]) -> Tensor:
    return torch.rand(ROWS, *shape, generator=torch.Generator().manual_seed(0))


def _declares(attribute: Attribute) -> str | None:
    if attribute.kind not in KINDS:
        return f"kind = {attribute.kind!r}; give one of {', '.join(map(repr, KINDS))}."
    for name, value in (("accuracy", attribute.accuracy), ("chance", attribute.chance)):
        if value is not None and not (isinstance(value, float | int) and value <= 1):
            return f"{name} = {value!r}; give a share, or R^2, at most 1."
    if attribute.weights_sha256 and not re.fullmatch("[0-9a-f]{64}", attribute.weights_sha256):
        return f"weights_sha256 = {attribute.weights_sha256!r} is not 64 hexadecimal digits."
    return None


def _learned(attribute: Attribute) -> str | None:
    from torch import nn

    modules = [v for v in vars(attribute).values() if isinstance(v, nn.Module)]
    if not any(next(m.parameters(), None) is not None for m in modules):
        return None
    if attribute.accuracy is None:
        return "it has learned weights but no accuracy; measure the probe on held-out data."
    if not attribute.weights_sha256:
        return "it has learned weights but weights_sha256 is empty; set it to their SHA-256."
    if any(m.training for module in modules for m in module.modules()):
        return "its network is in training mode; call network.eval() where it is made."
    return None


def _shape(s: AttributeTrial) -> str | None:
    n, found = len(s.data), s.found
    if not isinstance(found, Tensor):
        return f"read() gives a {type(found).__name__}; give a tensor."
    if s.attribute.kind == "class":
        if found.shape != (n,) or found.dtype != torch.int64:
            return f"read() gives {found.dtype} of {tuple(found.shape)}; give int64 of ({n},)."
        return None
    if found.ndim not in (1, 2) or len(found) != n or not found.is_floating_point():
        return (
            f"read() gives {found.dtype} of {tuple(found.shape)}; give floats, ({n},) or ({n}, m)."
        )
    if not bool(found.isfinite().all()):
        return "read() gives a number that is not finite."
    return None


def _alone(s: AttributeTrial) -> str | None:
    last = len(s.data) - 1
    alone = {row: s.attribute.read(s.data[row : row + 1].clone()) for row in (0, last)}
    if s.attribute.kind == "number":
        return differs_alone(s.found, alone, ROUNDING)
    wrong = [row for row, found in alone.items() if not torch.equal(found, s.found[row][None])]
    return f"row {wrong[0]} alone is another class than in its batch." if wrong else None


def _stable(s: AttributeTrial) -> str | None:
    given = s.data.clone()
    with watched() as used:
        again = s.attribute.read(given)
    if used:
        return f"read() draws or seeds the global random numbers of {', '.join(used)}."
    if not torch.equal(given, s.data):
        return "read() changes its input in place; work on a copy."
    return None if torch.equal(again, s.found) else "two calls of read() differ."


DECLARED: Checks[Attribute] = {"declares": _declares, "learned": _learned}
CHECKS: Checks[AttributeTrial] = {"shape": _shape, "alone": _alone, "stable": _stable}
