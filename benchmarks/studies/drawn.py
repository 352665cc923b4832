"""Draws of a study: of a fiber or of the prior alone, made once and kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from fiber_audit.contracts import Extractor, Prior, Problem, Sampler, data_of
from fiber_audit.sampling import Noise, unguided


def once(path: Path, draw: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """Draws from a file, or made and kept there; and the seconds of the processor they took."""
    if path.exists():
        found = load_file(path)
        return found["draws"], float(found["seconds"])
    started = time.process_time()
    x = draw()
    seconds = time.process_time() - started
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"draws": x.contiguous(), "seconds": torch.tensor(seconds)}, path)
    return x, seconds


@torch.no_grad()
def alone(prior: Prior, noise: Noise) -> Tensor:
    """Pictures of the prior alone, a row per seed of the noise."""
    return data_of(prior, unguided(prior, noise))


def guided(phi: Extractor, prior: Prior, sampler: Sampler, queries: Tensor, noise: Noise) -> Tensor:
    """Pictures of the fiber of each query, all of them finite."""
    with torch.no_grad():
        targets = phi.features(queries)
    sampler.prepare(phi, prior)
    drawn = sampler.sample(Problem(phi, prior, queries, targets), noise)
    assert drawn.finite.all()
    return drawn.data
