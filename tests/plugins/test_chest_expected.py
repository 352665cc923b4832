"""What a fiber should show by Bayes, where it is known in closed form."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fiber_audit_chest.radiographs import mirrored

from fiber_audit.contracts import Extractor

STUDIES = Path(__file__).parents[2] / "benchmarks" / "studies"
SEEN, QUERIES = 4000, 400


@pytest.fixture
def expected(monkeypatch):
    monkeypatch.syspath_prepend(str(STUDIES))
    from chest_expected import expected

    return expected


class Read(Extractor):
    """Features of pictures (n, 1, 1, 2), by a function of their left and their right half."""

    input_shape, feature_size = (1, 1, 2), 1

    def __init__(self, code):
        self.code = code

    def features(self, x):
        return self.code(x[:, 0, 0, 0], x[:, 0, 0, 1])[:, None]


def pictures(n, apart, seed):
    """(n, 1, 1, 2): left minus right is of mean `apart` and deviation 1, their sum is noise."""
    odd, even = torch.randn((2, n), generator=torch.Generator().manual_seed(seed))
    return torch.stack([even + odd + apart, even - odd - apart], dim=1)[:, None, None] / 2


def test_a_code_that_tells_nothing_of_the_side_says_one_half(expected):
    blind = Read(lambda left, right: left + right)
    queries = mirrored(pictures(QUERIES, 4.0, 1))
    assert expected(blind, pictures(SEEN, 4.0, 0), queries) == pytest.approx(0.5, abs=1e-6)


def test_a_code_that_tells_the_side_says_what_the_queries_show(expected):
    phi, seen = Read(lambda left, right: left - right), pictures(SEEN, 9.0, 0)
    queries = pictures(QUERIES, 9.0, 1)
    assert expected(phi, seen, mirrored(queries)) == pytest.approx(0, abs=0.01)
    assert expected(phi, seen, queries) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("apart", [0.2, 0.5, 1.0])
def test_a_code_that_tells_something_says_what_bayes_does(apart, expected):
    phi, queries = Read(lambda left, right: left - right), mirrored(pictures(QUERIES, apart, 1))
    found = expected(phi, pictures(SEEN, apart, 0), queries)
    truth = (2 * apart * phi.features(queries)[:, 0]).sigmoid().mean()
    assert found == pytest.approx(float(truth), abs=0.01)
