"""The prior `trained`: an unconditional diffusion or flow, trained on the user's own data."""

from __future__ import annotations

import inspect
import json
from typing import Any, Literal

from fiber_audit import WeightsError
from fiber_audit.contracts import Count, Fitting, Fraction, NonNegative, NonNegativeInt, Positive
from fiber_audit.fitting import finished
from fiber_audit.loading import digest_of

from .fit import fit
from .model import Model, objective_of, space_of
from .networks import loaded
from .recipe import Recipe

TOLD = {"trained with": "versions", "quality": "quality"}
"""Name in the report -> name in the record."""


class TrainedPrior(Model):
    """A diffusion or a flow that `fiber-audit fit` trains on your own data.

    A folder that holds a finished fit is read with the options it was fitted with; all but path,
    compile, hours, checkpoint_minutes, sample_minutes and judged have to be the same.

    Args:
        path: folder of the fit. It becomes a diffusers folder with `training.json` (what it was
            made of), `samples.png` and `card.md` (how good it is), and holds `checkpoint/` while it
            is trained.
        network: "unet" or "dit" for pictures, "mlp" for tables and small flat states.
        objective: "flow" (straight paths, velocity) or "ddpm" (1,000 steps of diffusion).
        prediction: what a ddpm's network answers, "v" or "eps". A flow's answers its velocity.
        noise: how fast a ddpm's noise grows, "cosine" or "linear".
        autoencoder: folder of a diffusers autoencoder whose latents are modelled, or "" for pixels.
        width: channels of a unet's first level, of a dit's tokens, of an mlp's layers.
        depth: residual blocks of each level of a unet, of a dit or of an mlp.
        levels: resolutions of a unet, each half of the one before; 64, 128, 256, 256 channels.
        attention: whether a unet attends at its lowest level.
        patch: side of the patches that become one token of a dit, or one pixel of a unet.
        steps: batches of the whole training.
        batch: items of a batch.
        learning_rate: its peak, after a warm-up; then it falls to zero on a cosine.
        ema: how slowly the weights that are kept follow the trained ones.
        flip: mirror half of the pictures. Never where left and right mean something.
        precision: of the products in training; weights and draws are float32.
        compile: let torch compile the network; worth its minute on a GPU.
        hours: stop after so long, with the learning rate down to zero by then. 0: no limit.
        checkpoint_minutes: how much work a crash may cost.
        sample_minutes: how often `samples.png` is drawn anew. 0: only at the end.
        held_out: share of the data that is not trained on, to judge the prior by.
        judged: draws that are judged at the end. 0: no judgement.
    """

    def __init__(
        self,
        path: str,
        network: Literal["unet", "dit", "mlp"] = "unet",
        objective: Literal["flow", "ddpm"] = "flow",
        prediction: Literal["v", "eps"] = "v",
        noise: Literal["cosine", "linear"] = "cosine",
        autoencoder: str = "",
        width: Count = 64,
        depth: Count = 2,
        levels: Count = 3,
        attention: bool = True,
        patch: Count = 1,
        steps: Count = 20_000,
        batch: Count = 64,
        learning_rate: Positive = 3e-4,
        ema: Fraction = 0.9995,
        flip: bool = False,
        precision: Literal["float32", "bfloat16"] = "float32",
        compile: bool = False,
        hours: NonNegative = 0.0,
        checkpoint_minutes: Positive = 5.0,
        sample_minutes: NonNegative = 10.0,
        held_out: Fraction = 0.1,
        judged: NonNegativeInt = 2000,
    ) -> None:
        options = {name: value for name, value in locals().items() if name in OPTIONS}
        recipe = Recipe(**options)
        found = finished(recipe.folder, recipe.identity, recipe.steps)
        try:
            space = space_of(recipe, found.data_shape, fitted=True)
            space.load(recipe.folder)
            network = loaded(recipe)
        except WeightsError:
            raise
        except Exception as error:  # a damaged file may make diffusers raise anything
            raise WeightsError(
                f"{path}: the fit is damaged ({type(error).__name__}: {error}); delete the folder, "
                f"and run: fiber-audit fit SUITE"
            ) from error
        space.eval().requires_grad_(False)
        super().__init__(network, objective_of(recipe), space)
        self.weights_sha256 = digest_of(self.modules, json.dumps(recipe.identity, sort_keys=True))
        facts = found.facts or {}
        self.facts = {
            "prior": f"{recipe.objective} {recipe.network}, trained {found.step:,} steps",
            "training data": f"{found.data['items']:,} items",
            **{name: str(facts[key]) for name, key in TOLD.items() if facts.get(key)},
        }

    @classmethod
    def fit(cls, task: Fitting, **options: Any) -> None:
        """Train with these options; go on where it was killed; at once if that is done."""
        chosen = inspect.signature(cls).bind(**options)
        chosen.apply_defaults()
        fit(task, Recipe(**chosen.arguments))


OPTIONS = frozenset(inspect.signature(TrainedPrior).parameters)
