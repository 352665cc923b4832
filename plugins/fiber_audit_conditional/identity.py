"""Which extractor and which autoencoder a generator is fitted to, and whether they still are."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from fiber_audit import WeightsError
from fiber_audit.contracts import Extractor, Prior, data_of
from fiber_audit.loading import state_digest

TOLERANCE = 0.02
"""Largest difference of features at the probes, in units of their spread."""


def pair_digest(extractor: Extractor, prior: Prior) -> str:
    """64 hexadecimal digits: the extractor, and all of the prior but its denoiser.

    Of a prior a generator uses encode and decode alone, so priors that share an autoencoder share
    generators, too.
    """
    codec = sorted(
        (name, state_digest(module))
        for name, module in prior.modules.items()
        if module is not prior.network
    )
    facts = (
        extractor.weights_sha256,
        state_digest(extractor.network),
        extractor.feature_size,
        codec,
        tuple(prior.state_shape),
        prior.data_range,
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()


@torch.no_grad()
def probe(extractor: Extractor, prior: Prior, states: Tensor) -> Tensor:
    """Features (n, d) of a few states, to be recognised by."""
    return extractor.features(data_of(prior, states))


def check_probe(found: Tensor, kept: Tensor, unit: Tensor, where: str) -> None:
    """Hold features of the probes against those of the fit.

    Raises:
        WeightsError: they differ: the code of extractor or autoencoder is not what it was.
    """
    apart = float(((found - kept).square().mean().sqrt() / unit).nan_to_num(torch.inf))
    if apart > TOLERANCE:
        raise WeightsError(
            f"{where}: was fitted when extractor or autoencoder computed otherwise (features of "
            f"its probes differ by {apart:.2g} of their spread); give another path, and run: "
            f"fiber-audit fit SUITE"
        )
