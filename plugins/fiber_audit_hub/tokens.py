"""What a network of timm says of its tokens."""

from __future__ import annotations

from typing import Any, TypedDict

from fiber_audit import UsageError

from .pooling import Pool


class Tokens(TypedDict):
    """Options of Pooling. prefix: leading tokens that are no patches; patches: 0 where unknown."""

    prefix: int
    patches: int


def tokens_of_timm(network: Any, pool: Pool) -> Tokens:
    """How many tokens lead, class and registers, and how many patches follow.

    Raises:
        UsageError: the class token is wanted, and only registers lead.
    """
    prefix = int(getattr(network, "num_prefix_tokens", 0))
    if prefix and pool == "cls" and getattr(network, "cls_token", None) is None:
        raise UsageError(
            f'pool = "cls": {type(network).__name__} has registers and no class token; set pool = '
            '"mean".'
        )
    patches = getattr(getattr(network, "patch_embed", None), "num_patches", None)
    return {"prefix": prefix, "patches": int(patches or 0)}
