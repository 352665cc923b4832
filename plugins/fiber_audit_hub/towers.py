"""A vision tower of transformers: pixels -> one row of features per picture."""

from __future__ import annotations

import inspect
from typing import Any, Literal

import torch
from torch import Tensor, nn

from fiber_audit import UsageError

Pool = Literal["auto", "cls", "mean", "pooler", "projection"]
Layer = int | Literal[""]


class Tower(nn.Module):
    """Pixels (n, c, h, w) -> features (n, d).

    Args:
        tower: a model of transformers that returns last_hidden_state, tokens (n, t, d) or maps
            (n, d, h, w), and maybe pooler_output.
        pool: see `transformers_towers`.
        layer: a hidden state, or "" for the model's output.
        projection: of the pooled output into the space shared with texts.
    """

    def __init__(
        self, tower: Any, pool: Pool, layer: Layer = "", projection: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.tower, self.pool, self.layer, self.projection = tower, pool, layer, projection
        takes = inspect.signature(tower.forward).parameters
        if not {"pixel_values", "grid_thw"} & {*takes}:
            raise UsageError(
                f"{type(tower).__name__} takes no pictures; set tower to the module of the model "
                "that does."
            )
        self.masks = "noise" in takes
        if self.masks:  # a masked autoencoder sees all
            tower.config.mask_ratio = 0.0
        if layer != "" and pool in ("pooler", "projection"):
            raise UsageError(
                f'pool = "{pool}" is of the output, not of layer = {layer}; set pool = "mean".'
            )
        if pool == "projection" and projection is None:
            raise UsageError(
                f'pool = "projection": {type(tower).__name__} comes without one; set pool = "auto".'
            )

    def forward(self, pixels: Tensor) -> Tensor:
        """One call of the tower."""
        return self.pooled(self.tower(pixels, **self._named(pixels)), self._places(pixels))

    def pooled(self, output: Any, places: int) -> Tensor:
        """What the tower returned -> (n, d). places: patches of a picture, 0 where unknown."""
        whole = getattr(output, "pooler_output", None) if self.layer == "" else None
        if self.pool in ("pooler", "projection") and whole is None:
            raise UsageError(
                f'pool = "{self.pool}": {type(self.tower).__name__} has no pooled output that was '
                'learned; set pool = "mean".'
            )
        if whole is not None and self.pool in ("auto", "pooler", "projection"):
            rows = whole.flatten(1)
            return rows if self.projection is None else self.projection(rows)
        tokens = output.last_hidden_state if self.layer == "" else self._hidden(output)
        maps = tokens.ndim == 4
        before = max(0, tokens.shape[1] - places) if places and not maps else 0
        if self.pool == "cls" and not before:
            raise UsageError(
                f'pool = "cls": {type(self.tower).__name__} has no class token; set pool = "mean".'
            )
        if before and self.pool in ("auto", "cls"):
            return tokens[:, 0]
        return tokens.mean(dim=(2, 3)) if maps else tokens[:, before:].mean(dim=1)

    def _hidden(self, output: Any) -> Tensor:
        states: Any = getattr(output, "hidden_states", None) or ()
        try:
            return states[self.layer]
        except IndexError as error:
            raise UsageError(
                f"layer = {self.layer}: {type(self.tower).__name__} has {len(states)} hidden "
                f"states, 0 to {len(states) - 1}."
            ) from error

    def _places(self, pixels: Tensor) -> int:
        """How many patches the pixels are cut into, by the model's configuration."""
        side = getattr(self.tower.config, "patch_size", None)
        if side is None:
            return 0
        high, wide = (side, side) if isinstance(side, int) else tuple(side)
        return (pixels.shape[-2] // high) * (pixels.shape[-1] // wide)

    def _named(self, pixels: Tensor) -> dict[str, Any]:
        named: dict[str, Any] = {} if self.layer == "" else {"output_hidden_states": True}
        if self.masks:  # in the order of this noise, of which nothing is hidden
            order = torch.arange(self._places(pixels), device=pixels.device)
            named["noise"] = order.float().expand(len(pixels), -1)
        return named
