"""Networks see whole blocks of rows, so that a draw does not depend on the batch that it is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

from .contracts import Extractor, Prediction, Prior, Problem

BLOCK = 16
"""Rows that a network is given are a multiple of this."""
SMALL = 4096
"""A row of more numbers is not repeated to fill a block: memory is what its network is short of."""


def in_blocks(problem: Problem) -> Problem:
    """The problem, its networks evaluated on multiples of BLOCK rows, however few there are.

    How a row of a product of matrices is rounded depends on how many rows there are, and what a
    sampler decides, or amplifies, makes another draw of that. In blocks a row is the same in any
    batch, to the bit where the kernels allow, if what a sampler computes beside is computed row by
    row: sums within a row are; a product of all rows with one matrix goes through `by_blocks`.
    """
    if isinstance(problem.prior, _BlockPrior):
        return problem
    extractor, prior = _BlockExtractor(problem.extractor), prior_in_blocks(problem.prior)
    return Problem(extractor, prior, problem.queries, problem.targets)


def by_blocks(f: Callable[..., Tensor], *rows: Tensor) -> Tensor:
    """Evaluate f of rows (n, ...) on whole blocks; -> (n, ...).

    >>> by_blocks(lambda x: x + len(x), torch.zeros(2))
    tensor([16., 16.])
    """
    with _whole(*rows) as m:
        return f(*(_filled(x, m) for x in rows))[: len(rows[0])]


def asked() -> float:
    """The share of the rows that a network is given now that fills no block: it is what counts."""
    return _asked.get()


_asked = ContextVar("asked", default=1.0)


@contextmanager
def _whole(*rows: Tensor) -> Iterator[int]:
    """How many rows there are in whole blocks."""
    n = len(rows[0])
    large = n and max(x[0].numel() for x in rows) > SMALL
    m = n if large else n + -n % BLOCK
    token = _asked.set(n / max(m, 1))
    try:
        yield m
    finally:
        _asked.reset(token)


def _filled(x: Tensor, rows: int) -> Tensor:
    """So many rows: x (n, ...), and its last one repeated, without a gradient of its own."""
    more = rows - len(x)
    return torch.cat([x, x[-1:].detach().expand(more, *x.shape[1:])]) if more else x


def prior_in_blocks(prior: Prior) -> Prior:
    """The prior, its networks evaluated in blocks."""
    return prior if isinstance(prior, _BlockPrior) else _BlockPrior(prior)


class _BlockPrior(Prior):
    """A prior that evaluates its networks in blocks, and is the prior given in all else."""

    def __init__(self, prior: Prior) -> None:
        self.prior, self.network, self.schedule = prior, prior.network, prior.schedule
        self.state_shape, self.clip, self.lossless = prior.state_shape, prior.clip, prior.lossless
        self.data_range, self.facts = prior.data_range, prior.facts
        self.weights_sha256 = prior.weights_sha256

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return self.prior.modules

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        n = len(x_t)
        with _whole(x_t) as m:
            rows = torch.arange(m, device=x_t.device).clamp(max=n - 1)
            prior = self.prior if n == m else self.prior.select(rows)
            x0, eps = prior.predict(_filled(x_t, m), _filled(t, m))
        return Prediction(x0[:n], eps[:n])

    def decode(self, state: Tensor) -> Tensor:
        return by_blocks(self.prior.decode, state)

    def encode(self, x: Tensor) -> Tensor:
        return by_blocks(self.prior.encode, x)

    def select(self, rows: Tensor) -> Prior:
        part = self.prior.select(rows)
        return self if part is self.prior else _BlockPrior(part)


class _BlockExtractor(Extractor):
    """An extractor that evaluates its network in blocks, and is the extractor in all else."""

    def __init__(self, extractor: Extractor) -> None:
        self.extractor, self.network = extractor, extractor.network
        self.feature_size, self.input_shape = extractor.feature_size, extractor.input_shape
        self.weights_sha256, self.facts = extractor.weights_sha256, extractor.facts

    def features(self, x: Tensor) -> Tensor:
        return by_blocks(self.extractor.features, x)
