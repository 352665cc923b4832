"""Trains the network of a table, as the paper trains that of HTRU2.

    python -m fiber_audit_tables.train --data HTRU_2.csv --label class --out htru2.safetensors

Rows are split as the data set `table` splits them: trained on `part = "rest"`, judged on
`part = "held-out"`. Class-weighted cross-entropy, AdamW at 1e-3, batches of 256, 200 epochs.
"""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from fiber_audit import DataError
from fiber_audit.sampling import derive_seed

from .mlp import TableMLP
from .split import held_out
from .stored import write

BATCH = 256


def trained(rows: Tensor, labels: Tensor, epochs: int, seed: int) -> TableMLP:
    """A network fitted to rows (n, d) in natural units with labels (n,) from 0."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "batches"))
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(derive_seed(seed, "weights and dropout"))
        counts = labels.bincount().float()
        network = TableMLP(rows.shape[1], classes=len(counts)).train()
        network.standardise(rows)
        weights = counts.sum() / (len(counts) * counts)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        for _ in range(epochs):
            for batch in torch.randperm(len(rows), generator=generator).split(BATCH):
                loss = F.cross_entropy(network(rows[batch]), labels[batch], weights)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return network.eval().requires_grad_(False)


def auroc(scores: Tensor, positive: Tensor) -> float:
    """Share of pairs (a positive, a negative) in which the positive scores higher.

    scores: (n,). positive: (n,) bool. Ties count half.

    >>> auroc(torch.tensor([0.1, 0.9, 0.9]), torch.tensor([False, True, False]))
    0.75
    """
    ordered, _ = scores[~positive].sort()
    below = torch.searchsorted(ordered, scores[positive])
    up_to = torch.searchsorted(ordered, scores[positive], right=True)
    return float((below + up_to).double().mean() / (2 * len(ordered)))


@click.command(context_settings={"show_default": True})
@click.option("--data", type=Path, required=True, help="a CSV file with one header row")
@click.option("--label", required=True, help="the column of the label, 0 or 1")
@click.option("--out", type=Path, required=True, help="the file of weights, .safetensors")
@click.option("--epochs", type=int, default=200)
@click.option("--seed", type=int, default=0)
def main(data: Path, label: str, out: Path, epochs: int, seed: int) -> None:
    """Train, judge on the rows held out, and write."""
    torch.set_num_threads(1)
    frame = pd.read_csv(data)
    if label not in frame.columns:
        raise DataError(f"{data}: has no column {label!r}; it has {', '.join(frame.columns)}.")
    columns = [name for name in frame.columns if name != label]
    rows = torch.tensor(frame[columns].to_numpy("float64"), dtype=torch.float32)
    labels = torch.tensor(frame[label].to_numpy("int64"))
    out_of = torch.tensor([held_out(f"row-{i}") for i in range(len(rows))])
    network = trained(rows[~out_of], labels[~out_of], epochs, seed)
    logits = network(rows[out_of])
    found = auroc(logits[:, 1] - logits[:, 0], labels[out_of] == 1)
    write(out, network, columns, found, int((~out_of).sum()))
    click.echo(f"{out}: AUROC {found:.4f} on {int(out_of.sum())} rows held out")


if __name__ == "__main__":
    main()
