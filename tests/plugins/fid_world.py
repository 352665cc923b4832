"""A world in closed form for the metrics of fiber_audit_fid: what they would be given of it.

Queries are standard normal in eight dimensions. Network `a` sees the first four, `b` the last four,
`twin` is `a` under another name, `clip` has no weights. The prior's own draws are too wide and off
centre.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from fiber_audit.errors import WeightsError
from fiber_audit.measuring import Observations

SEEN = {"a": slice(0, 4), "twin": slice(0, 4), "b": slice(4, 8)}


def world(
    n: int = 60,
    k: int = 2,
    seen: float = 0.1,
    unseen: float = 1.0,
    fresh: bool = True,
    draws: np.ndarray | None = None,
    lost: Sequence[tuple[int, int]] = (),
    audited: str = "a",
) -> Observations:
    """Draws keep a share `seen` of the prior's gap where `a` looks, `unseen` where `b` looks.

    draws: (n, k, 8), in place of those. lost: (query, draw) of draws to take away.
    """
    queries = torch.randn(n, 8, generator=torch.Generator().manual_seed(0)).numpy()
    generator = torch.Generator().manual_seed(1)
    unguided = 0.5 + 1.3 * torch.randn(n * k, 8, generator=generator).reshape(n, k, 8).numpy()
    share = np.array([seen] * 4 + [unseen] * 4, dtype=np.float32)
    if draws is None:
        draws = queries[:, None] + share * (unguided - queries[:, None])
    gone = np.zeros((n, k), dtype=bool)
    gone[tuple(zip(*lost, strict=True))] = bool(lost)
    draws = np.where(gone[..., None], np.nan, draws).astype(np.float32)
    parts = {"queries": queries, "draws": draws, "unguided": unguided}
    if fresh:
        drawn = torch.randn(n, 8, generator=torch.Generator().manual_seed(2))
        parts["fresh"] = drawn.numpy()
    names = {"": SEEN[audited], **SEEN}
    return Observations(
        audit=f"{audited}/gauss/toy",
        extractor=audited,
        prior="gauss",
        sampler="toy",
        ids=tuple(f"q{i}" for i in range(n)),
        labels=None,
        per_query=k,
        targets=queries[:, SEEN[audited]],
        lost=gone,
        lossless=True,
        data_range=None,
        whole={
            (part, name): x[..., some].copy()
            for part, x in parts.items()
            for name, some in names.items()
        },
        absent={"clip": WeightsError("clip: its weights are absent; put them somewhere.")},
    )
