"""From what a layer returns to one row of features per picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from fiber_audit import UsageError

Pool = Literal["auto", "mean", "max", "cls", "flatten"]
Channels = Literal["first", "last"]
FoundChannels = Literal["auto", "first", "last"]
FLAT_LIMIT = 50_000


@dataclass(frozen=True)
class Pooling:
    """Vectors (n, d), tokens (n, t, d) or maps (n, c, h, w) -> features (n, d).

    pool: "mean" (and "auto") or "max" over positions, "cls" the first token, "flatten" all numbers.
    channels: where maps have them; "last" is (n, h, w, c). "auto" sees it in maps of square
        pictures, whose two equal sides are the positions.
    prefix: leading tokens (class, registers) that mean and max leave out, where they are there.
    flat_limit: features that flatten may give.
    patches: of a picture, which tells layers with the leading tokens from those without; 0 is
        unknown, and all layers have them.
    """

    pool: Pool = "auto"
    channels: FoundChannels = "first"
    prefix: int = 0
    flat_limit: int = FLAT_LIMIT
    patches: int = 0

    def __call__(self, found: Tensor) -> Tensor:
        """Pool; vectors stay as they are.

        Raises:
            UsageError: the layer returned no vectors, tokens or maps, or too much to flatten, or
                what is not known to have a class token or channels.
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
        if found.ndim == 4:
            if self.pool == "cls":
                raise UsageError('pool = "cls": a map has no class token; set pool = "mean".')
            tokens = self._positions(found)
        else:
            leading = self._leading(found.shape[1])
            if self.pool == "cls":
                if not leading:
                    raise UsageError(
                        'pool = "cls": no class token is known of this layer; set pool = "mean", '
                        "or prefix, where that is an option, to the number of leading tokens."
                    )
                return found[:, 0]
            tokens = found[:, leading:]
        return tokens.amax(dim=1) if self.pool == "max" else tokens.mean(dim=1)

    def _leading(self, tokens: int) -> int:
        """How many of the tokens are no patches."""
        if not (self.prefix and self.patches) or tokens == self.prefix + self.patches:
            return self.prefix
        if tokens == self.patches or tokens <= self.prefix:
            return 0
        raise UsageError(
            f"the layer returns {tokens} tokens, neither the {self.patches} patches of a picture "
            f"nor those and {self.prefix} more, so which are patches is unknown: choose another "
            'layer, or pool = "flatten".'
        )

    def _positions(self, maps: Tensor) -> Tensor:
        channels = _seen(maps) if self.channels == "auto" else self.channels
        if channels == "first":
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


def _seen(maps: Tensor) -> Channels:
    """Of the three sides of a map, the one that differs from two equal ones has the channels."""
    first, middle, last = maps.shape[1:]
    if first != middle == last:
        return "first"
    if first == middle != last:
        return "last"
    raise UsageError(
        f"the layer returns {tuple(maps.shape)}, which does not tell channels from positions: set "
        'channels = "first" or "last".'
    )
