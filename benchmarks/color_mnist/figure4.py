"""Figure 4 of arXiv 2603.21782: trained and training-free samplers of the same fibers, paired.

Command   OMP_NUM_THREADS=1 python benchmarks/color_mnist/figure4.py --data MNIST [--processes 2]
Writes    benchmarks/results/figure4.csv, docs/img/figure4.svg; fits and draws stay in --work
Expect    the trained ones to the left (colours as in the data), the guided ones at the bottom (on
          the fiber), a guided one with a trained prior in the corner. About four hours on two
          single-threaded processes

It fits and runs `figure4.toml`, or another of its kind: the rows of `--suite figure4_pixels.toml`
join the table, and not the picture. Kill it and run it again: what is fitted or drawn is kept.
MNIST is an .npz with the keys Xt, Yt, Xe, Ye, or the folder of torchvision's MNIST.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from figure4_picture import PICTURE, draw
from sweep import HERE, RESULTS, table, written

import fiber_audit
from fiber_audit import Suite

sys.path.insert(0, str(HERE.parent))
from tabulated import head

FITTED = {"fff", "fif", "nf", "dnf", "mlf", "cond-diffusion", "cond-flow", "rombach-cinn", "rcdm"}
MORE = {
    "fiber_rms": ("fiber_loss_rms", "mean"),
    "colour_dev": ("colour_dev", "mean"),
    "frechet": ("frechet_distance", "mean"),
}
"""Column -> metric and statistic, beside those of `sweep.py`."""
COMMAND = (
    "import sys; from fiber_audit.commands.main import main; sys.argv[0] = 'fiber-audit'; main()"
)


def fit(
    path: Path, suite: Suite, settings: list[str], work: Path, processes: int, only: list[str]
) -> None:
    """Fit every sampler that is trained, class by class, some classes at a time.

    Each class says its lines into a file of its own.
    """
    classes: dict[str, list[str]] = {}
    for name, use in suite.samplers.items():
        if use.use in FITTED and name in only:
            classes.setdefault(use.use, []).append(name)

    def one(kind: str) -> None:
        sets = [word for each in settings for word in ("--set", each)]
        arguments = ["fit", str(path.resolve()), *classes[kind], *sets]
        with (work / f"{kind}.log").open("a") as log:
            done = subprocess.run(
                [sys.executable, "-c", COMMAND, *arguments], cwd=work, stderr=log, stdout=log,
                env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
            )  # fmt: skip
        print(f"{kind}: {'fitted' if done.returncode == 0 else 'failed, see its log'}", flush=True)

    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(one, classes))


def rows_of(suite: Suite, records: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of `sweep.table` and a few columns more; where a run is need not be a repository."""
    pooled = records[records["query"].isna()].set_index(["sampler", "metric", "statistic"])
    for label, row in zip(suite.samplers, table(suite, records), strict=True):
        values = pooled["value"].get(label)
        more = {name: None if values is None else values.get(key) for name, key in MORE.items()}
        yield {"label": label, **row, "commit": head()["commit"], **more}


def main() -> None:
    """Fit, run, tabulate, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="MNIST")
    parser.add_argument("--suite", type=Path, default=HERE / "figure4.toml")
    parser.add_argument("--work", type=Path, default=Path("runs/figure4"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", nargs="+", help="samplers of the suite; all by default")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-run", action="store_true", help="fit, and stop")
    parser.add_argument("--out", type=Path, default=RESULTS / "figure4.csv")
    parser.add_argument("--set", nargs="*", default=[], help="of the suite: path=value")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    data = options.data.resolve()
    settings = [f"training.path={data}", f"device={options.device}", *options.set]
    suite = fiber_audit.load_suite(options.suite, settings=settings)
    only = options.only or list(suite.samplers)
    fit(options.suite, suite, settings, options.work, options.processes, only)
    if options.no_run:
        return
    out = options.out.resolve()
    os.chdir(options.work)  # where the suite's relative paths lead
    asked = suite.model_copy(
        update={"samplers": {n: use for n, use in suite.samplers.items() if n in only}}
    )
    done = fiber_audit.run(asked, out=f"run-{suite.name}", progress=True)
    written(out, list(rows_of(asked, done.records)))
    if not options.only:
        draw(pd.read_csv(out), PICTURE)


if __name__ == "__main__":
    main()
