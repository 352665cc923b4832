"""How good are the shipped priors of Color MNIST, before any guidance?

Command   python benchmarks/color_mnist/prior_quality.py [--priors latent flow] [--images FOLDER]
Writes    benchmarks/results/prior_quality.csv; a row replaces that of the same prior, steps, eta, n
Expect    ratio near 1 (draws look as much like digits as digits do), colour_w1 and colour_kl near
          their floors, dev near that of real digits

Per prior, n unguided draws with 50 and with 100 steps, on one thread; --eta 1 adds fresh noise.
`top1` is the mean probability of the likeliest digit, by the independent judge; `ratio` is top1
over that of as many real digits in fresh colours. `seconds` are for all n draws.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import math
import os
import platform
import subprocess
import time
from pathlib import Path

import torch
from fiber_audit_color_mnist.colouring import background_of, sample_colours
from fiber_audit_color_mnist.dataset import ColorMNIST
from fiber_audit_color_mnist.metrics.colour_dev import deviation
from fiber_audit_color_mnist.metrics.colour_kl import kl_divergence
from fiber_audit_color_mnist.metrics.colour_law import SIMULATIONS, counts_of, law
from fiber_audit_color_mnist.metrics.colour_w1 import wasserstein
from fiber_audit_color_mnist.nets import judge
from fiber_audit_color_mnist.priors import LatentDiffusion, LatentFlow, PixelDiffusion
from fiber_audit_color_mnist.weights import SHIPPED
from torch import Tensor
from torchvision.utils import save_image

from fiber_audit.contracts import Prior, data_of
from fiber_audit.sampling import Noise, derive_seed, unguided

OUT = Path(__file__).parents[1] / "results" / "prior_quality.csv"
PRIORS = {"latent": LatentDiffusion, "flow": LatentFlow, "pixel": PixelDiffusion}
BATCH = 250


@torch.no_grad()
def drawn(prior: Prior, steps: int, n: int, eta: float) -> Tensor:
    """N unguided draws in data space, clamped as finished draws are."""
    seeds = [derive_seed(0, "prior quality", i) for i in range(n)]
    parts = [
        data_of(prior, unguided(prior, Noise(seeds[i : i + BATCH]), steps, eta))
        for i in range(0, n, BATCH)
    ]
    return torch.cat(parts)


@torch.no_grad()
def top1(x: Tensor) -> float:
    """Mean probability of the judge's likeliest digit."""
    network = SHIPPED.load(judge(), "judge")
    logits = torch.cat([network(part) for part in x.split(BATCH)])
    return logits.double().softmax(-1).amax(-1).mean().item()


def floors(n: int) -> tuple[float, float]:
    """Mean colour W1 and KL of n true samples."""
    generator = torch.Generator().manual_seed(derive_seed(0, "floor"))
    counts = [counts_of(sample_colours(n, generator)) for _ in range(SIMULATIONS)]
    w1, kl = ([far(c, law()) for c in counts] for far in (wasserstein, kl_divergence))
    return sum(w1) / len(w1), sum(kl) / len(kl)


def measure(
    name: str, steps: int, n: int, real: Tensor, eta: float
) -> tuple[dict[str, str], Tensor]:
    """One row of the table, and the draws."""
    prior = PRIORS[name]()
    began = time.perf_counter()
    x = drawn(prior, steps, n, eta)
    seconds = time.perf_counter() - began
    counts = counts_of(background_of(x))
    w1_floor, kl_floor = floors(n)
    numbers = {
        "top1": top1(x),
        "top1_real": top1(real),
        "ratio": top1(x) / top1(real),
        "colour_w1": wasserstein(counts, law()),
        "colour_w1_floor": w1_floor,
        "colour_kl": kl_divergence(counts, law()),
        "colour_kl_floor": kl_floor,
        "dev": deviation(x).mean().item(),
        "dev_real": deviation(real).mean().item(),
    }
    where = {"date": datetime.date.today().isoformat(), "commit": commit(), "machine": machine()}
    what = {"prior": name, "steps": str(steps), "eta": f"{eta:g}", "n": str(n)}
    shown = {key: f"{number:.4g}" for key, number in numbers.items()}
    return where | what | shown | {"seconds": f"{seconds:.1f}"}, x


def write(rows: list[dict[str, str]], out: Path) -> None:
    """Write rows, keeping the old ones of other priors, steps, eta and sizes."""

    def key(row: dict[str, str]) -> tuple[str, ...]:
        return row["prior"], row["steps"], row.get("eta") or "0", row["n"]

    old = list(csv.DictReader(out.open(newline=""))) if out.exists() else []
    new = {key(row) for row in rows}
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows([row for row in old if key(row) not in new] + rows)


def commit() -> str:
    """The commit that was measured."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def machine() -> str:
    """What the seconds were measured on."""
    return f"{platform.machine()}, {os.cpu_count()} CPUs, 1 thread; torch {torch.__version__}"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--priors", nargs="+", choices=PRIORS, default=list(PRIORS))
    parser.add_argument("--steps", nargs="+", type=int, default=[50, 100])
    parser.add_argument("--eta", type=float, default=0.0)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--images", type=Path, help="folder for a sheet of 64 draws per prior")
    options = parser.parse_args()
    torch.set_num_threads(1)
    real = ColorMNIST().reference(options.n, torch.Generator().manual_seed(1))
    for name in options.priors:
        for steps in options.steps:
            row, x = measure(name, steps, options.n, real, options.eta)
            print(*(f"{key}={value}" for key, value in row.items()), flush=True)
            write([row], options.out)
        if options.images:
            options.images.mkdir(parents=True, exist_ok=True)
            side = math.isqrt(min(64, len(x)))
            save_image(x[: side**2], options.images / f"{name}.png", nrow=side)


if __name__ == "__main__":
    main()
