"""Does guidance leak the query? A control with a prior whose colours break the query's rule.

Command   OMP_NUM_THREADS=1 python benchmarks/color_mnist/leakage.py --data mnist.npz --folder F
Writes    benchmarks/results/leakage.csv; trains the control's networks into F (20 minutes), once
Expect    `rule` near its truth and `colour_kept` near 1 for every sampler: nothing of the query
          reaches a draw but through its features

In the data, a foreground is half a turn from its background in every channel, so a draw that obeys
this rule may have learned it from the prior or from the query. The control's prior (autoencoder and
flow of the shipped kinds, continued from the shipped weights) knows digits whose two colours are
independent, with the same marginal laws. `color-mnist-shape` reads only the mean contrast over
channels. So on a fiber of the control the rule must be broken as often as its own law says:
    rule   mean over channels of | |foreground - background| - 1/2 |, 0 for every query
    truth  the same of true samples of the control's law with the query's mean contrast
A sampler that sees the query itself, as NDTM does with a re-approximated target, is the suspect.
Method: arXiv 2603.21782, appendix C.3.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from fiber_audit_color_mnist import digits
from fiber_audit_color_mnist.colouring import (
    background_of,
    colorize,
    foreground_of,
    sample_colours,
)
from fiber_audit_color_mnist.dataset import ColorMNIST
from fiber_audit_color_mnist.extractors import Shape
from fiber_audit_color_mnist.metrics.colour_kept import colour_distance, distance_of_pairs
from fiber_audit_color_mnist.metrics.colour_law import counts_of, law
from fiber_audit_color_mnist.metrics.colour_w1 import wasserstein
from fiber_audit_color_mnist.nets import LatentMLP, LayeredVAE
from fiber_audit_color_mnist.priors import LatentPrior
from fiber_audit_color_mnist.train.loop import Recipe, train
from fiber_audit_color_mnist.weights import SHIPPED
from torch import Tensor

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.contracts import Prior, Problem
from fiber_audit.sampling import Noise, derive_seed, rms

OUT = Path(__file__).parents[1] / "results" / "leakage.csv"
SAMPLERS: list[tuple[str, dict[str, Any]]] = [
    ("unconditional", {"steps": 100}),
    ("ndtm", {}),
    ("ndtm", {"target": "reapproximated"}),
    ("moment-matched", {}),
]
QUERIES, DRAWS, BATCH = 64, 4, 64


def painted(m: Tensor, generator: torch.Generator) -> Tensor:
    """Gray digits in two colours that do not know of each other."""
    back, other = (sample_colours(len(m), generator) for _ in range(2))
    return colorize(m, back, fg=foreground_of(other))


def trainable(network: Any) -> Any:
    """The shipped network, to go on learning."""
    return network.train().requires_grad_(True)


def control_prior(data: Path, folder: Path) -> Prior:
    """Train the autoencoder and the flow of the control, or load what is in the folder."""
    pool = digits.full(data)
    folder.mkdir(parents=True, exist_ok=True)

    def vae_loss(net: LayeredVAE, m: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
        x = painted(m, g)
        mean, log_variance = net.posterior(x)
        z = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=g)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        error = (net.paint(z) - x).square().flatten(1).mean(1)
        s = net.log_variance
        return (0.5 * (error * (-s).exp() + s)) * 10 + 0.1 * kl * 10 / x[0].numel()

    def vae_finish(net: LayeredVAE, m: Tensor, labels: Tensor) -> None:
        g = torch.Generator().manual_seed(1)
        with torch.no_grad():
            means = torch.cat([net.posterior(painted(part, g))[0] for part in m.split(2000)])
            net.mean.copy_(means.mean(0))
            net.std.copy_(means.std(0))

    def trained(name: str, recipe: Recipe) -> Any:
        say = lambda line: print(f"{name} {line}", flush=True)  # noqa: E731
        path = folder / f"{name}.ckpt"
        return train(recipe, pool.images, pool.labels, path, say).eval().requires_grad_(False)

    shipped_vae = lambda: trainable(SHIPPED.load(LayeredVAE(), "vae"))  # noqa: E731
    vae = trained("vae", Recipe(shipped_vae, vae_loss, 2000, lr=7e-4, seed=21, finish=vae_finish))

    def flow_loss(net: LatentMLP, m: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
        with torch.no_grad():
            z = vae.encode(painted(m, g))
        noise = torch.randn(z.shape, generator=g)
        t = torch.randn(len(z), generator=g).sigmoid()
        return (net(torch.lerp(z, noise, t[:, None]), t) - (noise - z)).square().mean(1)

    shipped_flow = lambda: trainable(SHIPPED.load(LatentMLP(), "flow"))  # noqa: E731
    flow = trained("flow", Recipe(shipped_flow, flow_loss, 3000, batch=512, ema=0.9995, seed=22))
    return LatentPrior(flow, vae, "velocity", "control")


def foreground_seen(x: Tensor) -> Tensor:
    """The colour (n, 3) of the pixel that differs most from the background."""
    contrast = (x - background_of(x)[:, :, None, None]).abs().mean(1).flatten(1)
    where = contrast.argmax(1)[:, None, None].expand(-1, 3, 1)
    return x.flatten(2).gather(2, where)[:, :, 0]


def rule(back: Tensor, front: Tensor) -> Tensor:
    """How far two colours (n, 3) are from the rule that ties them: (n,), 0 to 1/2."""
    return ((front - back).abs() - 0.5).abs().mean(1).double()


def truth(n: int = 400_000, window: float = 0.02) -> tuple[Tensor, Tensor]:
    """True colours of a fiber of the control: backgrounds and foregrounds, by rejection."""
    g = torch.Generator().manual_seed(derive_seed(0, "truth"))
    back, other = sample_colours(n, g), sample_colours(n, g)
    front = foreground_of(other)
    near = ((front - back).abs().mean(1) - 0.5).abs() < window / 2
    return back[near], front[near]


def rows(prior: Prior) -> Iterator[dict[str, Any]]:
    """One row of true samples, one per sampler."""
    extractor = Shape()
    queries = ColorMNIST(QUERIES).load(range(QUERIES))
    with torch.no_grad():
        targets = extractor.features(queries)
    null = rms(targets[:, None] - targets[None]).sum() / (QUERIES * (QUERIES - 1))
    x, h = (t.repeat_interleave(DRAWS, 0) for t in (queries, targets))
    colours = background_of(queries)
    apart = distance_of_pairs(colours)
    back, front = truth()
    true_w1 = wasserstein(counts_of(back[None]), law())
    yield {"sampler": "truth", "rule": float(rule(back, front).mean()), "colour_w1": true_w1}
    catalogue = Catalogue.load()
    for name, options in SAMPLERS:
        sampler = catalogue.find("sampler", name).factory(**options)
        drawn = []
        for i in range(0, len(x), BATCH):
            problem = Problem(extractor, prior, x[i : i + BATCH], h[i : i + BATCH])
            seeds = [derive_seed(0, "leakage", j) for j in range(i, i + BATCH)]
            drawn.append(sampler.sample(problem, Noise(seeds)).data)
        draws = torch.cat(drawn)
        with torch.no_grad():
            loss = rms(extractor.features(draws) - h) / null
        back = background_of(draws)
        obeyed = rule(back, foreground_seen(draws))
        yield {
            "sampler": name,
            "options": " ".join(f"{k}={v}" for k, v in options.items()) or "defaults",
            "n": len(draws),
            "fiber_loss": float(loss.mean()),
            "rule": float(obeyed.mean()),
            "rule_stderr": float(obeyed.std() / QUERIES**0.5),
            "colour_kept": float(colour_distance(back, background_of(x)).mean() / apart),
            "colour_w1": wasserstein(counts_of(back[None]), law()),
        }


def main() -> None:
    """Train if need be, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="MNIST: .npz or a folder")
    parser.add_argument("--folder", type=Path, required=True, help="the control's networks")
    options = parser.parse_args()
    torch.set_num_threads(1)
    git = ["git", "rev-parse", "--short", "HEAD"]
    head = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip(),
        "machine": f"{platform.machine()}, 1 thread, torch {torch.__version__}",
    }
    table = []
    for row in rows(control_prior(options.data, options.folder)):
        table.append(
            {**head, **{k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()}}
        )
        print(table[-1], flush=True)
    with OUT.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(table[-1]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


if __name__ == "__main__":
    main()
