"""From what a layer returns to one row of features per picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from fiber_audit import UsageError

Pool = Literal["auto", "mean", "max", "cls", "flatten"]
Channels = Literal["first", "last"]
FLAT_LIMIT = 50_000


@dataclass(frozen=True)
class Pooling:
    """Vectors (n, d), tokens (n, t, d) or maps (n, c, h, w) -> features (n, d).

    pool: "mean" (and "auto") or "max" over positions, "cls" the first token, "flatten" all numbers.
    channels: where maps have them; "last" is (n, h, w, c).
    prefix: leading tokens (class, registers) that mean and max leave out.
    flat_limit: features that flatten may give.
    """

    pool: Pool = "auto"
    channels: Channels = "first"
    prefix: int = 0
    flat_limit: int = FLAT_LIMIT

    def __call__(self, found: Tensor) -> Tensor:
        """Pool; vectors stay as they are.

        Raises:
            UsageError: the layer returned no vectors, tokens or maps, or too much to flatten.
        """
        if found.ndim == 2:
            return found
        if found.ndim not in (3, 4):
            raise UsageError(
                f"the layer returns {tuple(found.shape)}, and features are pooled from vectors "
                "(n, d), tokens (n, t, d) or maps (n, c, h, w): choose another layer."
            )
        if self.pool == "flatten":
            return self._flat(found)
        tokens = found if found.ndim == 3 else self._positions(found)
        if self.pool == "cls":
            if found.ndim == 4:
                raise UsageError('pool = "cls": a map has no class token; set pool = "mean".')
            return tokens[:, 0]
        if found.ndim == 3:
            tokens = tokens[:, self.prefix :]
        return tokens.amax(dim=1) if self.pool == "max" else tokens.mean(dim=1)

    def _positions(self, maps: Tensor) -> Tensor:
        if self.channels == "first":
            return maps.flatten(2).transpose(1, 2)
        return maps.flatten(1, 2)

    def _flat(self, found: Tensor) -> Tensor:
        flat = found.flatten(1)
        if flat.shape[1] > self.flat_limit:
            raise UsageError(
                f'pool = "flatten" gives {flat.shape[1]:,} features, above flat_limit = '
                f'{self.flat_limit:,}: set pool = "mean", or raise flat_limit if you mean it.'
            )
        return flat
