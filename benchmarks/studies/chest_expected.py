"""What share of a fiber shows the usual side? By Bayes, what its code says of the side.

Where a chest faces either way as often, the chests of one code h show the usual side with the
probability p(usual | h). A logistic regression on the codes of training pictures and of their
mirror images estimates it, with no sampler and no prior.
"""

from __future__ import annotations

import torch
from fiber_audit_chest.radiographs import mirrored
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from fiber_audit.contracts import Extractor


@torch.no_grad()
def expected(phi: Extractor, seen: Tensor, queries: Tensor) -> float:
    """Mean of p(usual | code) over the queries; seen: training pictures as they usually face."""
    codes = [phi.features(x).double().numpy() for x in (seen, mirrored(seen), queries)]
    usual = torch.ones(2 * len(seen))
    usual[len(seen) :] = 0
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    probe.fit(torch.cat([torch.from_numpy(part) for part in codes[:2]]).numpy(), usual.numpy())
    return float(probe.predict_proba(codes[2])[:, 1].mean())
