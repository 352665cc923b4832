"""What a generator is trained on: states of the data and their features, and batches of both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from fiber_audit import DataError
from fiber_audit.contracts import Dataset, Extractor, Fitting, Prior, data_of
from fiber_audit.fitting import Corpus, encoded, gathered
from fiber_audit.loading import fingerprint
from fiber_audit.sampling import derive_seed, place

from .identity import pair_digest

CHUNK = 512


class Batch(NamedTuple):
    """states (n, *state_shape) and features (n, d) of the same items, in their own units."""

    states: Tensor
    features: Tensor


_LAST: dict[tuple[object, ...], tuple[Pairs, Extractor, Prior]] = {}
"""Those of the last fit: the samplers of a suite are fitted to the same, one after the other.

A pair is told by its objects, too, since code has no digest; they are held, so that an id is not
used again.
"""


class Pairs:
    """States of all items and their features, computed once.

    The features are those of the decoded state, so that a generator can meet every condition that
    it is shown: what an autoencoder cannot reconstruct is not asked of it.
    """

    def __init__(self, states: Corpus, features: Corpus, seed: int, device: str) -> None:
        self.states, self.features = states, features
        self.seed, self.device = seed, device

    @classmethod
    def of(cls, task: Fitting, held_out: float, spill: Path) -> Pairs:
        """Encode the data of a task with its pair; what is large goes to files beside `spill`.

        Raises:
            DataError: items that are not of the prior's kind, or whose features are not finite.
        """
        extractor, prior = task.extractor, task.prior
        assert extractor is not None
        assert prior is not None
        digests = fingerprint(task.data), pair_digest(extractor, prior)
        key = (id(extractor), id(prior), *digests, held_out, task.seed, task.device)
        if key in _LAST:
            return _LAST[key][0]
        _LAST.clear()  # before there are others: both may not fit into memory
        _check_kind(task.data, prior)
        items = gathered(task.data, held_out, task.seed, task.device, spill / "items", task.say)
        task.say(f"computing states and features of {len(items.items)} items")
        states = _computed(items, prior.encode, prior.state_shape, task, spill / "states")
        features = _computed(
            states,
            lambda state: extractor.features(data_of(prior, state)),
            (extractor.feature_size,),
            task,
            spill / "features",
        )
        _check_finite(task.data, features)
        made = cls(states, features, task.seed, task.device)
        if not (states.spilled or features.spilled):  # their files go with the fit
            _LAST[key] = made, extractor, prior
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
        """Some rows, by number, on the device."""
        states, features = self.states.take(rows), self.features.take(rows)
        return Batch(states.to(self.device), features.to(self.device))


def _computed(
    corpus: Corpus,
    compute: Callable[[Tensor], Tensor],
    shape: tuple[int, ...],
    task: Fitting,
    spill: Path,
) -> Corpus:
    return encoded(corpus, compute, shape, False, task.device, spill)


@torch.no_grad()
def _check_kind(data: Dataset, prior: Prior) -> None:
    one = torch.zeros(1, *prior.state_shape, device=place(prior))
    made = tuple(prior.decode(one).shape[1:])
    if made != tuple(data.data_shape):
        raise DataError(
            f"training: items of shape {tuple(data.data_shape)}, but the prior makes {made}; give "
            f"items of its kind."
        )


def _check_finite(data: Dataset, features: Corpus) -> None:
    rows = torch.arange(len(features.items))
    for part, values in zip(rows.split(CHUNK), features.chunks(rows, CHUNK), strict=True):
        bad = ~values.isfinite().all(1).cpu()
        if bad.any():
            raise DataError(
                f"training: the features of {data.ids[int(part[bad][0])]!r} are not finite; leave "
                f"such items out, or mend the extractor."
            )


def names_of(extractor: Extractor, prior: Prior) -> dict[str, str]:
    """What a card tells of a pair."""
    return {
        "extractor": f"{type(extractor).__name__} of {extractor.feature_size} features",
        "states": f"{tuple(prior.state_shape)} of {type(prior).__name__}",
    }
