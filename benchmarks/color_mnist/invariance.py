"""Does the invariance index know what is known of the networks of Color MNIST, whoever samples?

Command   OMP_NUM_THREADS=1 python benchmarks/color_mnist/invariance.py [--run DIR]   (15 minutes)
Writes    benchmarks/results/invariance.csv
Expect    background and ink: about .9 for shape (whole corrections: .96 of the background), .1 or
          less of the background for colour; digit the other way round; pixels pin all; random is
          told apart from both; samplers agree within intervals

64 held-out digits, 4 draws each, latent prior. colour_w1: how far the law of the colours of a
sampler's draws is from that of the data, whatever the query. Finished draws are kept in DIR: run
it again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import fiber_audit

HERE = Path(__file__).parent
OUT = HERE.parent / "results" / "invariance.csv"
KEPT = ["audit", "statistic", "value", "ci_low", "ci_high", "n"]

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=HERE / "runs" / "invariance")
    given = parser.parse_args()
    controls = str(HERE / "controls.py")
    result = fiber_audit.run(
        HERE / "invariance.toml", out=given.run, plugins=[controls], progress=True
    )
    records = result.records
    pooled = records[records["query"].isna() & records["seen_by"].isna()]
    mine = pooled[
        pooled["metric"].isin(["invariance", "colour_w1"])
        | ((pooled["metric"] == "fiber_loss_relative") & (pooled["statistic"] == "mean"))
    ]
    mine = mine[~mine["statistic"].str.contains(" minus ")]
    first = pooled.iloc[0]
    table = mine[["metric", *KEPT]].copy()
    table.insert(0, "date", str(first["started_at"])[:10])
    table.insert(1, "commit", str(first["git_sha"])[:7])
    table.insert(2, "machine", f"1 thread, torch {first['torch_version']}")
    table.to_csv(OUT, index=False, float_format="%.4g")
    print(table[["audit", "statistic", "value", "ci_low", "ci_high"]].to_string())
