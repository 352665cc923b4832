"""A network, an objective and a space as a prior: what a fit draws from, on the way and after."""

from __future__ import annotations

from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor

from fiber_audit.contracts import Prediction, Prior

from .latent_space import FOLDER, LatentSpace, autoencoder
from .networks import answer
from .objective import Diffusion, Flow, Objective
from .recipe import Recipe
from .space import Columns, Pixels, Space


class Model(Prior):
    """A trained network as a prior."""

    network: ModelMixin

    def __init__(self, network: ModelMixin, objective: Objective, space: Space) -> None:
        self.network, self.objective, self.space = network, objective, space
        self.schedule = objective.schedule
        self.state_shape = space.state_shape
        self.clip, self.data_range = space.clip, space.data_range
        self.lossless = space.lossless

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """What the network answers, as E[x_0 | x_t] and E[eps | x_t]."""
        output = answer(self.network, x_t, self.objective.network_time(t))
        return self.objective.prediction(output, x_t, t)

    def decode(self, state: Tensor) -> Tensor:
        """State -> data space."""
        return self.space(state)

    def encode(self, x: Tensor) -> Tensor:
        """Data space -> state."""
        return self.space.encode(x)


def objective_of(recipe: Recipe) -> Objective:
    """The objective that a recipe names."""
    if recipe.objective == "flow":
        return Flow()
    return Diffusion(recipe.prediction, recipe.noise)


def space_of(recipe: Recipe, data_shape: tuple[int, ...], fitted: bool = False) -> Space:
    """The space that goes with a recipe and a shape of data.

    fitted: take the autoencoder from the fit's own folder, which holds a copy.
    """
    if len(data_shape) != 3:
        return Columns(data_shape)
    if recipe.source is None:
        return Pixels(recipe, data_shape)
    folder = recipe.folder / FOLDER if fitted else recipe.source
    return LatentSpace(recipe, data_shape, autoencoder(folder))
