"""The digits of one label, as the training environment has them."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from fiber_audit.contracts import Prediction, Prior
from fiber_audit.loading import digest_of
from fiber_audit.sampling import FlowSchedule, noise_of

from .mixture import Mixture
from .strokes import COMPONENTS, Strokes
from .weights import SHIPPED

CLUSTERS, RANK = 400, 12


class LabelledDigits(Prior):
    """A mixture of Gaussians on principal components, and a colour, given the label (e = .2).

    Its denoiser is exact, so its law is known: a digit goes with the label in 75 %, the colour in
    80 %. A prior sees no labels of queries, so it is one prior for each label, and a suite audits
    the queries of one label at a time.

    Args:
        label: 0 or 1, of all that is drawn.
    """

    state_shape = (COMPONENTS + 1,)

    def __init__(self, label: Literal[0, 1] = 0) -> None:
        self.label = label
        self.strokes = SHIPPED.load(Strokes(), "strokes")
        self.network = SHIPPED.load(Mixture(CLUSTERS, COMPONENTS, RANK), "prior")
        self.schedule = FlowSchedule()
        self.weights_sha256 = digest_of(self.modules, f"label {label}")
        self.facts = {"prior": f"a mixture of {CLUSTERS} Gaussians, label {label}, colours of .2"}

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """E[x_0 | x_t] in closed form, and the noise that goes with it."""
        alpha, sigma = self.schedule.alpha(t).to(x_t), self.schedule.sigma(t).to(x_t)
        x0 = self.network(x_t, alpha, sigma, self.label)
        return Prediction(x0, noise_of(self.schedule, x_t, x0, t))

    def decode(self, state: Tensor) -> Tensor:
        """(n, K + 1) -> (n, 2, 14, 14)."""
        return self.strokes(state)

    def encode(self, x: Tensor) -> Tensor:
        """(n, 2, 14, 14) -> (n, K + 1)."""
        return self.strokes.encode(x)
