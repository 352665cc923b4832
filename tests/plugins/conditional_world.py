"""A table whose law is a known Gaussian, a linear extractor and the exact prior: --plugin."""

from __future__ import annotations

import torch

from fiber_audit import hookimpl
from fiber_audit.contracts import Count, Dataset
from fiber_audit.testing import gaussian_problem

KNOWN = gaussian_problem(2)


class Table(Dataset):
    """Independent rows of the Gaussian."""

    data_shape = (8,)

    def __init__(self, *, n: Count = 20_000, seed: int = 0):
        self.ids = tuple(f"row-{i}" for i in range(n))
        root = torch.linalg.cholesky(KNOWN.prior.covariance)
        white = torch.randn(n, 8, generator=torch.Generator().manual_seed(seed)).double()
        self.rows = (KNOWN.prior.mean + white @ root.T).float()

    def load(self, indices):
        return self.rows[list(indices)]


def extractor():
    return KNOWN.extractor


def prior():
    return KNOWN.prior


@hookimpl
def fiber_audit_datasets():
    return {"gaussian-table": Table}


@hookimpl
def fiber_audit_extractors():
    return {"linear": extractor}


@hookimpl
def fiber_audit_priors():
    return {"exact": prior}
