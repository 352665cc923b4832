"""What a user has in a notebook, as components that a suite names: networks, functions, data."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._suite.identity import digest, state_digest
from ..check.first_block import extractor_problems
from ..contracts import Dataset, Extractor
from ..errors import DataError, UsageError

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

    A copy of the network is audited; the one that was given is never changed.

    Raises:
        UsageError: it cannot be called on the queries, or does not return one tensor of a row each.
    """

    def __init__(self, network: Callable[[Tensor], Tensor], x: Tensor) -> None:
        self.network = _copied(network) if isinstance(network, nn.Module) else _Called(network)
        self.input_shape = tuple(x.shape[1:])
        self.code = source_of(network)
        device = next((p.device for p in self.network.parameters()), x.device)
        try:
            with torch.no_grad():
                found = self.network(x[:PROBE].to(device))
        except Exception as error:  # the user's own code; its reason is all there is to tell
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
        made = _copied(given)
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


def _copied(given: Any) -> Any:
    try:
        return copy.deepcopy(given)
    except Exception as error:  # whatever the object does when it is copied
        raise UsageError(
            f"the {type(given).__name__} cannot be copied ({type(error).__name__}: {error}), and "
            f"what is audited is frozen; offer it by a plugin, or make it free of graphs and locks."
        ) from error


def fingerprint(extractor: Extractor, x: Tensor) -> str:
    """Digest of a network of this process: its weights, its code, and what it answers to x."""
    place = next((p.device for p in extractor.network.parameters()), x.device)
    with torch.no_grad():
        answer = extractor.features(x.to(place)).double().cpu()
    rounded = [f"{value:.4g}" for value in answer.flatten()[:4096].tolist()]
    code = getattr(extractor, "code", "") or source_of(extractor)
    return digest(state_digest(extractor.network), repr(extractor.network), code, *rounded)


def source_of(given: object) -> str:
    """The source of a function, or of an object's class, where Python knows it."""
    what = given if inspect.isfunction(given) else type(given)
    try:
        return inspect.getsource(what)
    except (OSError, TypeError):
        return getattr(what, "__qualname__", "")


class Given(Dataset):
    """Queries of this process: a tensor or array (n, ...), or a torch data set of such rows."""

    def __init__(self, given: Any, labels: Any = None, n: int | None = None) -> None:
        count = len(given)
        if n is not None and not 0 < n <= count:
            raise DataError(f"n = {n}: there are {count} queries; ask for 1 to {count}.")
        self.given = torch.as_tensor(given) if isinstance(given, np.ndarray) else given
        total = count if n is None else n
        self.ids = tuple(f"query-{i}" for i in range(total))
        self.data_shape = tuple(self._item(0).shape) if total else (0,)
        if labels is None:
            labels = getattr(given, "targets", None)
        if labels is not None:
            self.labels = torch.as_tensor(labels)[:total].long()

    def load(self, indices: Sequence[int]) -> Tensor:
        """The rows themselves."""
        return torch.stack([self._item(i) for i in indices])

    def _item(self, index: int) -> Tensor:
        item = self.given[index]
        item = item[0] if isinstance(item, (tuple, list)) else item
        if not isinstance(item, Tensor):
            raise DataError(
                f"query {index} is a {type(item).__name__}; give tensors of one shape, images as "
                f"float32 in [0, 1] (torchvision's ToTensor makes them)."
            )
        return item.detach().cpu()


def dataset_of(given: object, labels: object, n: int | None) -> Dataset:
    """A tensor, an array, a torch data set or a Dataset -> a Dataset."""
    if isinstance(given, Dataset):
        return given
    if isinstance(given, (Tensor, np.ndarray)) or hasattr(given, "__getitem__"):
        return Given(given, labels, n)
    raise UsageError(
        f"queries: a {type(given).__name__} holds no queries; give a tensor (n, ...), a torch "
        f"Dataset or the name of a dataset."
    )
