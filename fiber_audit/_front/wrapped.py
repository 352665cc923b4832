"""What a user has for a network, as an Extractor: a module, a function, or an Extractor."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .._suite.identity import digest
from ..check.first_block import extractor_problems
from ..contracts import Extractor
from ..errors import UsageError
from .content import content

PROBE = 2
"""Queries that a network's feature size is found with."""


class _Called(nn.Module):
    """A function as a network, so that its evaluations are counted."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Wrapped(Extractor):
    """A network or a function of data space (n, ...), its output flattened: features (n, d).

    A copy of a network is audited; the one that was given is never changed. A function is called as
    it is, with whatever it closes over.

    Raises:
        UsageError: it cannot be called on the queries, or does not return one tensor of a row each.
    """

    def __init__(self, network: Callable[[Tensor], Tensor], x: Tensor) -> None:
        self.network = copied(network) if isinstance(network, nn.Module) else _Called(network)
        self.input_shape = tuple(x.shape[1:])
        device = next((p.device for p in self.network.parameters()), x.device)
        try:
            with torch.no_grad():
                found = self.network(x[:PROBE].to(device))
        except (Exception, SystemExit) as error:  # the user's own code; its reason is all there is
            raise UsageError(
                f"the network cannot be called on queries of shape {self.input_shape} float32 "
                f"({type(error).__name__}: {error}); resize and normalise inside it."
            ) from error
        if not isinstance(found, Tensor):
            raise UsageError(
                f"the network returned a {type(found).__name__}; wrap it in a function that "
                f"returns one tensor, with a row for each input."
            )
        self.feature_size = int(found.flatten(1).shape[1]) if found.ndim > 1 else 1

    def features(self, x: Tensor) -> Tensor:
        """Data space (n, ...) -> features (n, d) float32."""
        found = self.network(x)
        return found.flatten(1).float() if found.ndim > 1 else found[:, None].float()


def extractor_of(given: object, x: Tensor) -> Extractor:
    """A network, a function or an Extractor -> an Extractor that has passed the cheap checks.

    x: a few queries. An Extractor is copied, too: what is audited is frozen and moved.

    Raises:
        UsageError: it breaks the contract; one sentence for each way.
    """
    if isinstance(given, Extractor):
        made = copied(given)
    elif callable(given):
        if isinstance(given, nn.Module) and given.training:
            raise UsageError("the network is in training mode; call .eval() on it first.")
        made = Wrapped(given, x)
    else:
        raise UsageError(
            f"a {type(given).__name__} cannot be audited; give a torch module, a function, an "
            f"Extractor or the name of one."
        )
    place = next((p.device for p in made.network.parameters()), x.device)
    if wrong := extractor_problems(made, x.to(place)):
        raise UsageError("\n".join(str(violation) for violation in wrong))
    return made


def copied(given: Any) -> Any:
    """A copy, since what is audited is frozen and moved.

    Raises:
        UsageError: it cannot be copied.
    """
    try:
        return copy.deepcopy(given)
    except Exception as error:  # whatever the object does when it is copied
        raise UsageError(
            f"the {type(given).__name__} cannot be copied ({type(error).__name__}: {error}), and "
            f"what is audited is frozen; offer it by a plugin, or make it free of graphs and locks."
        ) from error


def fingerprint(extractor: Extractor, x: Tensor) -> str:
    """Digest of a network of this process: its weights, its code, and what it answers to x.

    What a function closes over counts as its own. The answers, rounded to 4 digits, are there for
    what no attribute and no code shows.
    """
    place = next((p.device for p in extractor.network.parameters()), x.device)
    with torch.no_grad():
        answer = extractor.features(x.to(place)).double().cpu()
    rounded = [f"{value:.4g}" for value in answer.flatten()[:4096].tolist()]
    return digest(content(extractor), *rounded)
