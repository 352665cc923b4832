"""What `blind_spot_score` is a lower bound of: the hidden share at infinitely many queries.

Command   OMP_NUM_THREADS=1 python benchmarks/blind_spot_bound.py [--repetitions 100]   (5 minutes)
Writes    benchmarks/results/blind_spot_bound.csv Expect    mean below truth and rising with n,
`above` (intervals wholly above the truth) at most .025

Two networks see 16 Gaussian columns each. Unguided draws are off by 1 in both; draws are off by 1
in the columns of the other and by sqrt(1 - truth) in the network's own, so that at infinitely many
queries its own distance hides the share `truth` of what the other sees. Two draws per query.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from coverage_toys import Rows
from fiber_audit_fid.blind_spot_metrics import BlindSpotScore
from tabulated import head, write

from fiber_audit.measuring.scene import Scene
from fiber_audit.testing import GaussianPrior, LinearExtractor, measure

OUT = Path(__file__).parent / "results" / "blind_spot_bound.csv"
D, K = 16, 2
TRUTHS, SIZES = (0.0, 0.5, 0.875), (32, 64, 128)


def audit(q: int, truth: float, seed: int) -> Scene:
    """Q queries whose draws hide a share of the distance from the first D columns."""
    g = torch.Generator().manual_seed(seed)
    own, other = LinearExtractor(torch.eye(2 * D)[:D]), LinearExtractor(torch.eye(2 * D)[D:])
    apart = torch.full((2, D), D**-0.5)
    hidden = apart * torch.tensor([[(1 - truth) ** 0.5], [1.0]])
    queries = torch.randn(q, 2 * D, generator=g)
    draws, unguided = (torch.randn(q * K, 2 * D, generator=g) for _ in range(2))
    prior, data = GaussianPrior(torch.zeros(2 * D), torch.eye(2 * D)), Rows(q)
    return Scene(data.ids, queries, None, own, prior, data, {"other": other}.__getitem__,
                 draws=draws + hidden.flatten(), unguided=unguided + apart.flatten(),
                 seed=seed)  # fmt: skip


def row(q: int, truth: float, repetitions: int) -> dict[str, Any]:
    """Mean score and where its intervals lie."""
    metric = BlindSpotScore(measured_by=["other"])
    told = [measure(metric, audit(q, truth, 1000 * q + i))[0] for i in range(repetitions)]
    score, low, high = (np.array([getattr(s, name) for s in told]) for name in
                        ("value", "ci_low", "ci_high"))  # fmt: skip
    return {
        "truth": truth,
        "q": q,
        "k": K,
        "repetitions": repetitions,
        "mean": float(score.mean()),
        "sd": float(score.std(ddof=1)),
        "hides": float((low > 0).mean()),
        "above": float((low > truth).mean()),
        "below": float((high < truth).mean()),
    }


def main() -> None:
    """Simulate, print as it goes, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=100)
    repetitions = parser.parse_args().repetitions
    torch.set_num_threads(1)
    first = head()
    table = []
    for truth in TRUTHS:
        for q in SIZES:
            table.append({**first, **row(q, truth, repetitions)})
            print({k: v for k, v in table[-1].items() if k not in first}, flush=True)
    write(OUT, table)


if __name__ == "__main__":
    main()
