"""Does a network use a cause, or what goes with it? Causal MNIST, ERM beside IRM.

Command   OMP_NUM_THREADS=1 python benchmarks/studies/causal.py --data MNIST.npz      (10 minutes)
Writes    benchmarks/results/study_causal.csv, docs/img/study_causal.png
Expect    colours of IRM's fibers agree with the label nearly as often as those of unguided draws,
          about 80 %; those of ERM's move toward the 10 % of the queries

Both labels are audited, each with the prior of its own; agreement is the mean over all queries.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fiber_audit_attributes.variation import of_pairs
from fiber_audit_causal_mnist import digits
from fiber_audit_causal_mnist.attributes import CausalColour, CausalDigit
from fiber_audit_causal_mnist.colouring import colour_of
from fiber_audit_causal_mnist.dataset import CausalMNIST
from fiber_audit_causal_mnist.extractors import ERM, IRM, CausalExtractor
from fiber_audit_causal_mnist.prior import LabelledDigits
from fiber_audit_causal_mnist.train.classifiers import accuracy, drawn
from fiber_audit_diffusers.trained.eyes import eyes
from fiber_audit_diffusers.trained.kernel_distance import kernel_distance
from fiber_audit_guidance.unconditional import Unconditional
from fiber_audit_moment_matched.moment_matched import MomentMatched
from fiber_audit_ndtm.ndtm import NDTM
from torch import Tensor

from fiber_audit.contracts import Attribute, Problem, Sampler
from fiber_audit.measuring import measured, measured_ratio
from fiber_audit.sampling import Noise, derive_seed, rms

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from causal_picture import causal_picture  # noqa: E402
from tabulated import head, write  # noqa: E402

OUT = HERE.parent / "results" / "study_causal.csv"
PICTURE = HERE.parents[1] / "docs" / "img" / "study_causal.png"
NETWORKS: dict[str, CausalExtractor] = {"erm": ERM(), "irm": IRM()}
SAMPLERS: dict[str, tuple[Sampler, int, int]] = {
    "unconditional": (Unconditional(steps=50), 128, 4),
    "moment-matched": (MomentMatched(), 128, 4),
    "ndtm": (NDTM(steps=100, guidance=10.0), 32, 2),
}
"""Sampler, queries of each label, draws of each query."""
JUDGED, BATCH = 2000, 256


def queries(label: int, n: int) -> Tensor:
    """Of the test environment."""
    data = CausalMNIST(n, label=label, e=0.9)
    return data.load(range(n))


@cache
def draws(network: str, sampler: str, label: int) -> Tensor:
    """(n, k, 2, 14, 14)."""
    how, n, k = SAMPLERS[sampler]
    extractor, prior = NETWORKS[network], LabelledDigits(label)
    rows = queries(label, n).repeat_interleave(k, 0)
    found = []
    for first in range(0, len(rows), BATCH):
        x = rows[first : first + BATCH]
        seeds = [derive_seed(0, "causal", label, i) for i in range(first, first + len(x))]
        problem = Problem(extractor, prior, x, extractor.features(x))
        found.append(how.sample(problem, Noise(seeds)).data)
    return torch.cat(found).unflatten(0, (n, k))


def read(attribute: Attribute, x: Tensor) -> Tensor:
    """(n, k, ...) -> (n, k) float64."""
    return attribute.read(x.flatten(0, 1)).double().reshape(x.shape[:2])


def of_networks(data: Path) -> Iterator[dict[str, Any]]:
    """Accuracy in every environment."""
    training, test = digits.full(data, train=True), digits.full(data, train=False)
    for name, extractor in NETWORKS.items():
        for e, pool in ((0.2, training), (0.1, training), (0.9, test)):
            yield {"part": "network", "network": name, "statistic": f"accuracy, e = {e}",
                   "value": accuracy(extractor.network, pool, e), "n": 20_000}  # fmt: skip
    judge = CausalDigit()
    right = judge.read(test.images[:, None].repeat(1, 2, 1, 1) / 2) == test.numbers
    yield {"part": "network", "network": "judge", "statistic": "accuracy",
           "value": float(right.double().mean()), "n": len(test)}  # fmt: skip


def of_prior(data: Path) -> Iterator[dict[str, Any]]:
    """Draws of both labels, and digits trained on, beside digits of the test half."""
    training, test = digits.full(data, train=True), digits.full(data, train=False)
    real, second = (drawn(pool, 0.2, JUDGED, torch.Generator().manual_seed(seed))[0]
                    for seed, pool in enumerate((test, training)))  # fmt: skip
    n = JUDGED // 2  # both labels are about as frequent
    made = torch.cat([
        Unconditional(steps=50).sample(
            Problem(NETWORKS["erm"], prior, real[:n], torch.zeros(n, 1)),
            Noise([derive_seed(0, "judged", prior.label, i) for i in range(n)]),
        ).data
        for prior in (LabelledDigits(0), LabelledDigits(1))
    ])  # fmt: skip
    order = torch.randperm(len(made), generator=torch.Generator().manual_seed(0))
    for eye, look in eyes((2, 14, 14), "cpu").items():
        wanted = look(real)
        spread = wanted.std(0)
        spread = spread.clamp(min=0.1 * float(spread.square().mean().sqrt()))
        for who, rows in {"draws": made[order], "second half": second}.items():
            found = kernel_distance(look(rows) / spread, wanted / spread)
            assert found is not None
            yield {"part": "prior", "sampler": who, "statistic": f"kernel distance, {eye}",
                   "value": found.value, "low": found.value - 2 * found.stderr,
                   "high": found.value + 2 * found.stderr, "n": JUDGED}  # fmt: skip
    judge = CausalDigit()
    sure = [float(judge.network(x).softmax(1).amax(1).mean()) for x in (made, real)]
    shares = {
        "judge's confidence, relative to real digits": sure[0] / sure[1],
        "colour agrees with label": float(torch.cat([
            colour_of(made[:n]) == 0, colour_of(made[n:]) == 1]).double().mean()),
        "digit goes with label": float(torch.cat([
            judge.read(made[:n]) >= 5, judge.read(made[n:]) < 5]).double().mean()),
    }  # fmt: skip
    for statistic, value in shares.items():
        yield {"part": "prior", "sampler": "draws", "statistic": statistic, "value": value,
               "n": JUDGED}  # fmt: skip
    known = training.images.flatten(1)
    near = {who: torch.cdist(x.sum(1).flatten(1), known).amin(1)
            for who, x in {"draws": made, "real": real}.items()}  # fmt: skip
    yield {"part": "prior", "sampler": "draws", "statistic": "nearest digit", "n": JUDGED,
           "value": float(near["draws"].median() / near["real"].median())}  # fmt: skip
    yield {"part": "prior", "sampler": "draws", "statistic": "recited", "n": JUDGED, "value":
           float((near["draws"] < near["real"].quantile(0.01)).double().mean())}  # fmt: skip


def of_fibers(network: str, sampler: str) -> Iterator[dict[str, Any]]:
    """Colour and digit of draws, and how far they are from the fiber."""
    extractor, n = NETWORKS[network], SAMPLERS[sampler][1]
    x = [draws(network, sampler, label) for label in (0, 1)]
    free = [draws("erm", "unconditional", label)[:n, : x[0].shape[1]] for label in (0, 1)]
    own = [queries(label, n) for label in (0, 1)]
    row = {"part": "fiber", "network": network, "sampler": sampler, "n": 2 * n}
    agrees = torch.cat([(read(CausalColour(), d) == y).double() for y, d in enumerate(x)])
    kept, digit = (
        torch.cat(
            [(read(a, d) == a.read(q)[:, None]).double() for d, q in zip(x, own, strict=True)]
        )
        for a in (CausalColour(), CausalDigit())
    )
    h = torch.cat([extractor.features(q) for q in own])
    every = torch.cat(x)
    loss = rms(extractor.features(every.flatten(0, 1)).unflatten(0, every.shape[:2]) - h[:, None])
    pairs = (h - h.T).abs()
    told = {"colour agrees with label": agrees, "colour kept": kept, "digit kept": digit}
    for statistic, values in told.items():
        found = measured("mean", values.numpy(), seed=0, scale="share")
        yield {**row, "statistic": statistic, "value": found.value, "low": found.ci_low,
               "high": found.ci_high}  # fmt: skip
    scale = float(pairs.sum() / (len(h) * (len(h) - 1)))
    found = measured("mean", loss.double().numpy() / scale, seed=0, scale="positive")
    yield {**row, "statistic": "relative fiber loss", "value": found.value, "low": found.ci_low,
           "high": found.ci_high}  # fmt: skip
    for name, attribute in {"colour": CausalColour(), "digit": CausalDigit()}.items():
        within, whole = (
            np.concatenate(
                [of_pairs(read(attribute, d).numpy()[:, :, None], "class") for d in part]
            )
            for part in (x, free)
        )
        index = measured_ratio("index", within, whole)
        yield {**row, "statistic": f"invariance of {name}", "value": index.value,
               "low": index.ci_low, "high": index.ci_high}  # fmt: skip


def main() -> None:
    """Measure, print as it goes, write table and picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="an .npz of MNIST")
    data = parser.parse_args().data
    torch.set_num_threads(1)
    first = head()
    blank = dict.fromkeys(("part", "network", "sampler", "statistic", "value", "low", "high", "n"))
    fibers = (row for how in SAMPLERS for name in NETWORKS for row in of_fibers(name, how))
    table = []
    for part in (of_networks(data), of_prior(data), fibers):
        for row in part:
            table.append({**first, **blank, **row})
            print({k: v for k, v in row.items() if k != "part"}, flush=True)
    write(OUT, table)
    causal_picture(
        PICTURE,
        {label: queries(label, 8) for label in (0, 1)},
        {n: {y: draws(n, "moment-matched", y)[:8] for y in (0, 1)} for n in NETWORKS},
    )


if __name__ == "__main__":
    main()
