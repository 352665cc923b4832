"""Ids on the page: where the draws of an audit and of a query are, for links from everywhere."""

from __future__ import annotations

import re


def anchor(audit: str) -> str:
    """An id for an audit's draws: no two audits share one, and links need no escapes.

    >>> anchor("shape/latent/ndtm"), anchor("my net.v2/p/s")
    ('draws-shape/latent/ndtm', 'draws-my.20.net.2e.v2/p/s')
    """
    return "draws-" + re.sub(r"[^A-Za-z0-9/_-]", lambda c: f".{ord(c[0]):x}.", audit)


def query_anchor(audit: str, query: int) -> str:
    """An id for the draws of an audit's n-th query, from 0; never that of an audit.

    >>> query_anchor("shape/latent/ndtm", 3)
    'draws-shape/latent/ndtm~3'
    """
    return f"{anchor(audit)}~{query}"
