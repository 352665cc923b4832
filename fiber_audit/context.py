"""All that a metric may look at: one audit's draws, and what gives their numbers a scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from .contracts import Dataset, Draws, Extractor, Prior, Queries
from .rng import derive_seed
from .sampling import rms


@torch.no_grad()
def features_in_batches(extractor: Extractor, data: Tensor, batch_size: int) -> Tensor:
    """Phi of data (n, ...) -> (n, d) float32 on the CPU, batch by batch."""
    parameter = next(extractor.network.parameters(), None)
    device = data.device if parameter is None else parameter.device
    parts = [extractor.features(part.to(device)).float().cpu() for part in data.split(batch_size)]
    return torch.cat(parts)


@torch.no_grad()
def reconstructed(prior: Prior, data: Tensor, batch_size: int) -> Tensor:
    """decode(encode(data)), clamped to the data range, on the CPU: (n, ...) -> (n, ...)."""
    parameter = next(prior.network.parameters(), None)
    device = data.device if parameter is None else parameter.device
    parts = [prior.decode(prior.encode(part.to(device))).cpu() for part in data.split(batch_size)]
    found = torch.cat(parts)
    return found if prior.data_range is None else found.clamp(*prior.data_range)


def targets_of(
    extractor: Extractor, prior: Prior, queries: Tensor, target: str, batch_size: int
) -> Tensor:
    """What draws aim at, (q, d): phi(query), or phi(reconstruction) for target "reconstruction"."""
    aim = reconstructed(prior, queries, batch_size) if target == "reconstruction" else queries
    return features_in_batches(extractor, aim, batch_size)


@dataclass(eq=False)
class Context:
    """One audit: q queries, k draws each. Rows are query-major: row = query * k + draw.

    Properties are computed on first use and kept. Features are float32 on the CPU; compute
    statistics in float64.
    """

    audit: str
    extractor_name: str
    prior_name: str
    sampler_name: str
    extractor: Extractor
    prior: Prior
    dataset: Dataset
    queries: Queries
    targets: Tensor
    """(q, d): what the draws aimed at, phi(query) or phi(reconstruction)."""
    draws: Draws
    """q * k rows, all finite."""
    unguided: Tensor
    """(q * k, *data_shape): the prior's own draws from the same noise."""
    seed: int = 0
    batch_size: int = 64
    named_extractor: Callable[[str], Extractor] | None = None
    """Another extractor by its catalogue name; use `seen_by` or `features_by`."""
    _seen: dict[str, Seen] = field(default_factory=dict, repr=False)

    @property
    def per_query(self) -> int:
        """k, the number of draws of each query."""
        return len(self.draws.data) // len(self.queries)

    def grouped(self, rows: Tensor) -> Tensor:
        """(q * k, ...) -> (q, k, ...)."""
        return rows.reshape(len(self.queries), self.per_query, *rows.shape[1:])

    def phi(self, data: Tensor) -> Tensor:
        """Features of data under the audited extractor: (n, ...) -> (n, d)."""
        return features_in_batches(self.extractor, data, self.batch_size)

    def features_by(self, name: str, data: Tensor) -> Tensor:
        """Features of data under an extractor of the suite or the catalogue."""
        if name == self.extractor_name:
            return self.phi(data)
        if self.named_extractor is None:
            raise LookupError(f"no catalogue is at hand to look up extractor {name!r}")
        return features_in_batches(self.named_extractor(name), data, self.batch_size)

    def seen_by(self, name: str = "") -> Seen:
        """What an extractor of the suite or the catalogue sees; "" is the audited one."""
        name = name or self.extractor_name
        return self._seen.setdefault(name, Seen(self, name))

    def generator(self, purpose: str) -> torch.Generator:
        """A CPU generator of this audit, the same at every call with the same purpose."""
        return torch.Generator().manual_seed(derive_seed(self.seed, self.audit, purpose))

    @property
    def query_features(self) -> Tensor:
        """phi(query), (q, d)."""
        return self.seen_by().queries

    @property
    def draw_features(self) -> Tensor:
        """phi(draw), (q, k, d): measured on the finished, clamped draws."""
        return self.seen_by().draws

    @property
    def unguided_features(self) -> Tensor:
        """phi(unguided draw), (q, k, d)."""
        return self.seen_by().unguided

    @cached_property
    def fiber_loss(self) -> Tensor:
        """RMS feature distance of each draw to its target, (q, k) float64."""
        return rms(self.draw_features.double() - self.targets[:, None].double())

    @cached_property
    def null(self) -> Tensor:
        """RMS feature distances of each query to the other queries, (q, q - 1) float64.

        The scale of every fidelity number: what a random pair of inputs is apart.
        """
        h = self.query_features.double()
        distances = rms(h[:, None] - h[None])
        off_diagonal = ~torch.eye(len(h), dtype=torch.bool)
        return distances[off_diagonal].reshape(len(h), len(h) - 1)

    @cached_property
    def ceiling(self) -> Tensor:
        """RMS feature distance of each query to itself after a jitter of 0.01 and 8 bits, (q,).

        No sampler needs to be better than this. For tables the jitter is 0.01 of each column's
        standard deviation.
        """
        x, generator = self.queries.data, self.generator("ceiling")
        jitter = torch.randn(x.shape, generator=generator)
        if self.prior.data_range is None:
            seen = x + 0.01 * x.std(dim=0, correction=0) * jitter
        else:
            low, high = self.prior.data_range
            unit = ((x - low) / (high - low) + 0.01 * jitter).clamp(0, 1)
            seen = low + (high - low) * (unit * 255).round() / 255
        return rms(self.phi(seen).double() - self.query_features.double())

    @cached_property
    def reconstruction(self) -> Tensor:
        """decode(encode(query)), clamped to the data range, (q, *data_shape)."""
        return reconstructed(self.prior, self.queries.data, self.batch_size)

    @cached_property
    def reconstruction_gap(self) -> Tensor:
        """RMS feature distance of each query to its reconstruction by the prior, (q,) float64."""
        return rms(self.phi(self.reconstruction).double() - self.query_features.double())


@dataclass(eq=False)
class Seen:
    """One audit in the features of one extractor, each computed on first use and kept."""

    context: Context
    name: str

    @cached_property
    def queries(self) -> Tensor:
        """Of the queries, (q, d)."""
        return self.context.features_by(self.name, self.context.queries.data)

    @cached_property
    def draws(self) -> Tensor:
        """Of the draws, (q, k, d)."""
        context = self.context
        return context.grouped(context.features_by(self.name, context.draws.data))

    @cached_property
    def unguided(self) -> Tensor:
        """Of the prior's own draws, (q, k, d)."""
        context = self.context
        return context.grouped(context.features_by(self.name, context.unguided))
