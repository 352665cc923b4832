"""What an object of this process is, as a digest: its class, its weights, and all it holds.

Equal content has an equal digest, in another process too, so nothing here depends on addresses.
Where something cannot be read, its text stands for it: a digest never fails.
"""

from __future__ import annotations

import functools
import re
import types
from collections import deque
from collections.abc import Iterator, Mapping, Set
from hashlib import blake2b, sha256
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._suite.identity import digest
from ..loading import state_digest
from .source import closed_over, is_standard, source_of

PLAIN = (str, bytes, int, float, complex, bool, type(None), PurePath, torch.dtype, torch.device)
OWN = frozenset(vars(nn.Module()))
"""Attributes of every module: weights, which are digested, and hooks and modes, which are not."""
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
BYTES = 16
"""Of the digest of an array."""


def content(value: object) -> str:
    """Digest of an object's content: 32 hexadecimal digits.

    Networks by layers, weights, attributes and code; tensors and arrays by dtype, shape and bytes;
    collections by their items; functions by code, defaults and what they close over; other objects
    by class and attributes.

    >>> content([1, 2]) == content([1, 2]), content(torch.zeros(2)) == content(torch.ones(2))
    (True, False)
    """
    return _Reader().read(value)


class _Reader:
    """Reads each object once, and stops where one holds itself."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, str]] = {}

    def read(self, value: object) -> str:
        if isinstance(value, PLAIN):
            return digest(type(value).__name__, repr(value))
        if id(value) not in self._known:
            self._known[id(value)] = value, "itself"
            self._known[id(value)] = value, digest(*self._guarded(value))
        return self._known[id(value)][1]

    def _guarded(self, value: object) -> list[str]:
        try:
            return list(self._parts(value))
        except Exception as error:  # whatever the object does when it is looked at
            return [type(value).__qualname__, type(error).__name__, _text(value)]

    def _parts(self, value: Any) -> Iterator[str]:
        yield type(value).__qualname__
        if isinstance(value, types.ModuleType):
            yield value.__name__
        elif isinstance(value, type):
            yield from self._code(value)
        elif isinstance(value, nn.Module):
            yield from self._network(value)
        elif isinstance(value, (Tensor, np.ndarray, np.generic)):
            yield from self._array(value)
        elif isinstance(value, Mapping):
            yield from (f"{self.read(k)} {self.read(v)}" for k, v in value.items())
        elif isinstance(value, Set):
            yield from sorted(map(self.read, value))
        elif isinstance(value, (list, tuple, deque)):
            yield from map(self.read, value)
        elif isinstance(value, functools.partial):
            yield from map(self.read, (value.func, value.args, value.keywords))
        elif isinstance(value, types.MethodType):
            yield from map(self.read, (value.__func__, value.__self__))
        elif isinstance(value, types.FunctionType):
            yield from self._code(value)
            yield from map(self.read, (value.__defaults__, value.__kwdefaults__))
        else:
            yield from self._object(value)

    def _network(self, network: nn.Module) -> Iterator[str]:
        yield from (repr(network), state_digest(network))
        for name, part in network.named_modules():
            held = {k: v for k, v in vars(part).items() if k not in OWN}
            passing = {k: b for k, b in part._buffers.items() if b is not None}
            yield from (name, self.read(type(part)), self.read(held), self.read(passing))

    def _array(self, value: Any) -> Iterator[str]:
        if isinstance(value, Tensor):
            flat = value.detach().cpu().contiguous().flatten()
            data = flat.view(torch.uint8).numpy()
        elif value.dtype.hasobject:
            yield self.read(value.tolist())
            return
        else:
            data = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        yield from (str(value.dtype), str(tuple(value.shape)))
        yield blake2b(data.data, digest_size=BYTES).hexdigest()

    def _code(self, what: Any) -> Iterator[str]:
        """A class or a function: its source, and what its code refers to outside of itself."""
        yield from (str(what.__module__), what.__qualname__, source_of(what))
        for name, value in closed_over(what):
            yield from (name, self.read(value))
        for base in what.__bases__ if isinstance(what, type) else ():
            yield self.read(base)

    def _object(self, value: Any) -> Iterator[str]:
        kind = type(value)
        yield self.read(kind)
        yield str(getattr(value, "weights_sha256", ""))
        simple = isinstance(value, types.SimpleNamespace)
        if is_standard(kind) and not simple:  # a lock, a logger, a file: its text has to do
            yield _text(value)
            yield self.read(getattr(value, "__wrapped__", None))  # of a function with a cache
        elif hasattr(value, "__dict__"):
            lazy = functools.cached_property
            made_later = {k for k in vars(value) if isinstance(getattr(kind, k, None), lazy)}
            yield self.read({k: v for k, v in vars(value).items() if k not in made_later})
        else:
            _, arguments, *state = value.__reduce_ex__(4)
            yield self.read(arguments)
            yield from (self.read(list(s) if isinstance(s, Iterator) else s) for s in state)


def _text(value: object) -> str:
    try:
        return sha256(ADDRESS.sub("", repr(value)).encode("utf-8", "replace")).hexdigest()
    except Exception:  # an object whose text cannot be had is known by its class
        return ""
