"""Networks of somebody else, by `torch-module`: two ResNets for CIFAR-10 and their fibers.

Command   python benchmarks/cifar/resnets.py --weights FOLDER --pictures FOLDER
          FOLDER of weights: resnet20-12fca82f.th and resnet56-4bfd9763.th of
          github.com/akamaster/pytorch_resnet_cifar10; of pictures: test/CLASS/*.jpg (or .png)
Writes    benchmarks/results/cifar_resnets.csv
Expect    accuracies of 82 % and more on JPEGs (91.7 and 93.4 % on the PNG-exact pictures); fiber
          losses well below 1, by a prior that is no good one (benchmarks/priors)
"""

from __future__ import annotations

import argparse
import csv
import datetime
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

import fiber_audit
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.components import Components
from fiber_audit._suite.read import parse

HERE = Path(__file__).parent
OUT = HERE.parent / "results" / "cifar_resnets.csv"
FILES = {"resnet20": "resnet20-12fca82f.th", "resnet56": "resnet56-4bfd9763.th"}
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def suite(weights: Path, pictures: Path, n: int, layer: str) -> dict[str, object]:
    """A suite of both networks."""
    found = {name: next(weights.glob(f"*{file}")) for name, file in FILES.items()}
    return {
        "name": "cifar-resnets",
        "draws": 2,
        "metrics": ["fiber_loss_relative", "diversity", "high_frequency"],
        "queries": {
            "use": "image-folder", "path": str(pictures / "test"), "n": n, "size": 32,
            "labels": "folder",
        },
        "extractors": {
            name: {
                "use": "torch-module", "target": f"cifar_resnet:{name}", "weights": str(file),
                "mean": MEAN, "std": STD, "resize": [32, 32], "layer": layer,
            }
            for name, file in found.items()
        },
        "priors": {"cifar10": {"use": "diffusers", "model": str(HERE.parent / "priors/cifar10")}},
        "samplers": {
            "moment-matched": {
                "pace": "whole", "steps": 10, "linearisations": 1, "directions": 4,
            }
        },
    }  # fmt: skip


@torch.no_grad()
def accuracies(weights: Path, pictures: Path, n: int) -> dict[str, float]:
    """Network -> share of n pictures whose class it tells."""
    catalogue = Catalogue.load()
    made = Components(parse(suite(weights, pictures, n, ""), catalogue), catalogue)
    labels = made.dataset.labels
    found = {}
    for name in FILES:
        parts = [
            made.extractor(name).features(made.dataset.load(range(i, min(i + 250, n))))
            for i in range(0, n, 250)
        ]
        found[name] = float((torch.cat(parts).argmax(1) == labels).float().mean())
    return found


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--test", type=int, default=2000, help="pictures for the accuracy")
    parser.add_argument("--queries", type=int, default=16)
    chosen = parser.parse_args()
    sys.path.insert(0, str(HERE))
    right = accuracies(chosen.weights, chosen.pictures, chosen.test)
    print(right)
    with tempfile.TemporaryDirectory() as folder:
        table = fiber_audit.run(
            suite(chosen.weights, chosen.pictures, chosen.queries, "layer3"),
            out=Path(folder) / "run",
        ).table()
    sha = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    rows = [
        {
            "network": name,
            "accuracy": f"{right[name]:.4f}",
            "pictures": chosen.test,
            **{
                f"{row.metric}{end}": f"{getattr(row, column):.4g}"
                for row in table[table["audit"].str.startswith(f"{name}/")].itertuples()
                if row.metric != "draws_lost"
                for end, column in (("", "value"), ("_low", "ci_low"), ("_high", "ci_high"))
            },
            "draws": 2 * chosen.queries,
            "date": datetime.date.today().isoformat(),
            "commit": sha.stdout.strip(),
        }
        for name in FILES
    ]
    with OUT.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
