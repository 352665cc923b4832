"""A sampler that is fitted: a conditional generator of states.

`build` says which generator, `recipe.py` how it is trained, `fit.py` trains it, and what it leaves
is in `artefact.py`.
"""
# options are read from real annotations, so they are not postponed here

from dataclasses import dataclass, field
from typing import Any

import torch

from fiber_audit.contracts import Draws, Extractor, Fitting, Learned, Prior, Problem, Sampler
from fiber_audit.sampling import Noise, finish, place

from .artefact import Fitted, read
from .fit import fit
from .recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Conditional(Recipe, Sampler):
    """Draws of a generator conditioned on features; made by `fiber-audit fit`."""

    _known: list[tuple[Extractor, Prior, Fitted]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def fitted(self, extractor: Extractor, prior: Prior) -> Fitted:
        """The generator of a pair, where the prior is.

        Raises:
            WeightsError: there is none, or it was fitted to another pair or with other options.
        """
        for one, other, found in self._known:
            if one is extractor and other is prior:
                return found
        found = read(self.folder, self.identity, self.build, extractor, prior)
        found.to(place(prior))
        self._known.append((extractor, prior, found))
        return found

    def prepare(self, extractor: Extractor, prior: Prior) -> Learned:
        """Load the generator; see `fitted`."""
        found = self.fitted(extractor, prior)
        return Learned(found.digest, found.seconds, found.generator.network)

    @torch.no_grad()
    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row; see `fiber_audit.contracts.Sampler`. It has no path."""
        found, prior = self.fitted(problem.extractor, problem.prior), problem.prior
        h = found.standard.condition(problem.targets)
        states = found.standard.to_state(found.generator.sample(h, noise))
        return finish(problem, states if prior.clip is None else states.clamp(*prior.clip))

    @classmethod
    def fit(cls, task: Fitting, **options: Any) -> None:
        """Train for the task's pair; go on where it was killed; at once if that is done."""
        fit(task, cls(**options))
