"""conditioned: a guided sampler whose prior is a trained conditional generator.

The generator knows what goes with the features, for it was trained on pairs; guidance reaches the
features themselves, for it measures them. In every step of the guided sampler

    E[z | z_t, h]    takes the place of    E[z | z_t],    h the target of the row,

and nothing else of it changes: a sampler whose every correction is small where the prediction is on
the fiber already moves the generator's draws by no more than they are off it.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fiber_audit import PluginError, UsageError
from fiber_audit.contracts import Draws, Extractor, Learned, Prediction, Prior, Problem, Sampler
from fiber_audit.sampling import Noise

from .denoising import Denoiser
from .sampler import Conditional
from .standard import Standard


class ConditionalPrior(Prior):
    """p(z | h) of a trained denoiser, as a prior whose rows each have their own h.

    Its states z are those of the given prior, standardised as the denoiser was trained on them.

    Args:
        prior: whose autoencoder is used.
        generator: the denoiser.
        standard: units of z and h.
        h: (n, d), standardised target features of each row.
    """

    def __init__(self, prior: Prior, generator: Denoiser, standard: Standard, h: Tensor) -> None:
        self.prior, self.generator, self.standard, self.h = prior, generator, standard, h
        self.network, self.schedule = generator.network, generator.schedule
        self.state_shape, self.data_range = prior.state_shape, prior.data_range
        self.lossless, self.clip = prior.lossless, _clip(prior, standard)

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """E[z | z_t, h] and E[eps | z_t, h], each row by its own h.

        Raises:
            PluginError: not one row per target.
        """
        if len(x_t) != len(self.h):
            raise PluginError(
                f"predict was given {len(x_t)} states for {len(self.h)} targets; take the prior of "
                "a sub-problem, problem.select(rows), to predict other rows than the problem's."
            )
        return self.generator.predict(x_t, t, self.h)

    def select(self, rows: Tensor) -> Prior:
        """The prior of some rows; an index may name a row twice."""
        return ConditionalPrior(self.prior, self.generator, self.standard, self.h[rows])

    def decode(self, state: Tensor) -> Tensor:
        """Z -> data space."""
        return self.prior.decode(self.standard.to_state(state))

    def encode(self, x: Tensor) -> Tensor:
        """Data space -> z."""
        return self.standard.from_state(self.prior.encode(x))


@dataclass(frozen=True, kw_only=True)
class Conditioned(Sampler):
    """Guided and trained: draws by a guided sampler from a trained diffusion or flow.

    Args:
        trained: a sampler of the suite, `cond-diffusion`, `cond-flow` or `rcdm`; `fiber-audit fit`
            trains it.
        sampler: a sampler of the suite that guides, for instance `moment-matched`, and learns
            nothing of its prior beforehand: here every row has a prior of its own.
    """

    trained: Sampler
    sampler: Sampler

    def prepare(self, extractor: Extractor, prior: Prior) -> Learned:
        """Load the trained sampler's artefact.

        Raises:
            UsageError: the one is no trained denoiser, or the other learns something of its prior.
            WeightsError: see `Conditional.fitted`.
        """
        trained = self._trained().prepare(extractor, prior)
        generator, standard = self._denoiser(extractor, prior)
        mean = torch.zeros_like(standard.feature_mean)[None]
        try:
            guide = self.sampler.prepare(
                extractor, ConditionalPrior(prior, generator, standard, mean)
            )
        except PluginError:  # it looks at more rows than this prior has
            guide = Learned("more")
        if guide.digest:
            raise UsageError(
                f"sampler: {type(self.sampler).__name__} learns something of its prior, but "
                f"`conditioned` has a prior for every row; name another, say moment-matched."
            )
        return trained

    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """The guided sampler's draws from the conditional prior; states are the prior's own."""
        generator, standard = self._denoiser(problem.extractor, problem.prior)
        h = standard.condition(problem.targets)
        prior = ConditionalPrior(problem.prior, generator, standard, h)
        draws = self.sampler.sample(replace(problem, prior=prior), noise)
        return replace(draws, states=standard.to_state(draws.states))

    def _denoiser(self, extractor: Extractor, prior: Prior) -> tuple[Denoiser, Standard]:
        fitted = self._trained().fitted(extractor, prior)
        if isinstance(fitted.generator, Denoiser):
            return fitted.generator, fitted.standard
        raise UsageError(
            f"trained: {type(self.trained).__name__} is no denoiser, which `conditioned` needs; "
            "name a cond-diffusion, cond-flow or rcdm."
        )

    def _trained(self) -> Conditional:
        if isinstance(self.trained, Conditional):
            return self.trained
        raise UsageError(
            f"{type(self.trained).__name__} is not trained; `conditioned` needs a cond-diffusion, "
            "cond-flow or rcdm of the suite as its `trained`."
        )


def _clip(prior: Prior, standard: Standard) -> tuple[float, float] | None:
    """The least range that holds every valid z: standardised ranges differ by coordinate."""
    if prior.clip is None:
        return None
    low, high = ((bound - standard.state_mean) / standard.state_std for bound in prior.clip)
    return float(low.min()), float(high.max())
