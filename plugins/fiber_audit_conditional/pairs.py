"""What a generator is trained on: states of the data and their features, and batches of both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from fiber_audit.contracts import Extractor, Fitting, Prior
from fiber_audit.fitting import Corpus, encoded, gathered
from fiber_audit.loading import fingerprint
from fiber_audit.sampling import derive_seed

from .identity import pair_digest


class Batch(NamedTuple):
    """states (n, *state_shape) and features (n, d) of the same items, in their own units."""

    states: Tensor
    features: Tensor


_LAST: dict[tuple[str, str, float, int, str], Pairs] = {}
"""Those of the last fit: the samplers of a suite are fitted to the same, one after the other."""


class Pairs:
    """States of all items and their features, computed once.

    The features are those of the decoded state, so that a generator can meet every condition that
    it is shown: what an autoencoder cannot reconstruct is not asked of it.
    """

    def __init__(self, states: Corpus, features: Corpus, seed: int) -> None:
        self.states, self.features, self.seed = states, features, seed

    @classmethod
    def of(cls, task: Fitting, held_out: float, spill: Path) -> Pairs:
        """Encode the data of a task with its pair; what is large goes to files beside `spill`."""
        extractor, prior = task.extractor, task.prior
        assert extractor is not None
        assert prior is not None
        digests = fingerprint(task.data), pair_digest(extractor, prior)
        key = (*digests, held_out, task.seed, task.device)
        if key in _LAST:
            return _LAST[key]
        items = gathered(task.data, held_out, task.seed, task.device, spill / "items", task.say)
        task.say(f"computing states and features of {len(items.items)} items")
        states = _computed(items, prior.encode, prior.state_shape, task, spill / "states")
        features = _computed(
            states,
            lambda state: extractor.features(prior.decode(state)),
            (extractor.feature_size,),
            task,
            spill / "features",
        )
        made = cls(states, features, task.seed)
        _LAST.clear()
        if not (states.spilled or features.spilled):  # their files go with the fit
            _LAST[key] = made
        return made

    def generator(self, purpose: str, step: int, device: torch.device) -> torch.Generator:
        """The generator of one purpose at one step."""
        return torch.Generator(device).manual_seed(derive_seed(self.seed, purpose, step))

    def at(self, step: int, size: int) -> Batch:
        """The training batch of a step, which depends on the seed and the step alone."""
        rows = self.states.training
        generator = self.generator("items", step, torch.device("cpu"))
        chosen = rows[torch.randint(len(rows), (size,), generator=generator)]
        return self.take(chosen)

    def take(self, rows: Tensor) -> Batch:
        """Some rows, by number."""
        return Batch(self.states.take(rows), self.features.take(rows))


def _computed(
    corpus: Corpus,
    compute: Callable[[Tensor], Tensor],
    shape: tuple[int, ...],
    task: Fitting,
    spill: Path,
) -> Corpus:
    return encoded(corpus, compute, shape, False, task.device, spill)


def names_of(extractor: Extractor, prior: Prior) -> dict[str, str]:
    """What a card tells of a pair."""
    return {
        "extractor": f"{type(extractor).__name__} of {extractor.feature_size} features",
        "states": f"{tuple(prior.state_shape)} of {type(prior).__name__}",
    }
