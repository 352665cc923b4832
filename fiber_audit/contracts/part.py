"""The parts of an audit that a metric can be shown."""

from __future__ import annotations

from typing import Literal

Part = Literal["draws", "unguided", "queries", "reconstructions", "jittered", "fresh"]
"""What a metric can be shown: an audit's draws; the prior's own draws from the same noise; the
queries; the queries through the prior's encode and decode (lossy priors only); the queries after an
invisible jitter and 8 bits; fresh samples of the data set, one per query, where it knows any."""
