"""The shipped prior draws rows like real ones, and its fibers hold them to a class."""

from pathlib import Path

import pytest
import torch
from fiber_audit_data.table import NumericTable
from fiber_audit_diffusers.trained.eyes import eyes
from fiber_audit_diffusers.trained.kernel_distance import kernel_distance
from fiber_audit_diffusers.trained.prior import TrainedPrior
from fiber_audit_moment_matched.moment_matched import MomentMatched
from fiber_audit_ndtm.ndtm import NDTM
from fiber_audit_tables import extractor
from fiber_audit_tables.extractor import TableMLPExtractor

from fiber_audit import load_suite
from fiber_audit.contracts import Problem
from fiber_audit.sampling import Noise, rms, unguided

HERE = Path(extractor.__file__).parent


@pytest.fixture(scope="module")
def prior():
    options = load_suite("breast-cancer").priors["diffusion"].options
    return TrainedPrior(**{**options, "path": str(HERE / "fits" / "breast-cancer")})


def rows_of(part):
    data = NumericTable(str(HERE / "data" / "breast_cancer.csv"), label="malignant", part=part)
    return data.load(range(len(data)))


def test_draws_are_as_near_to_rows_held_out_as_rows_trained_on_are(prior):
    known, real = prior.encode(rows_of("rest")), prior.encode(rows_of("held-out"))
    drawn = unguided(prior, Noise(range(500)), 50)

    for eye in eyes((30,), "cpu").values():
        base = eye(known)
        scaled = [(eye(x) - base.mean(0)) / (base.std(0) + 0.1) for x in (drawn, known, real)]
        draws, second = (kernel_distance(x, scaled[2]) for x in scaled[:2])
        blurred = kernel_distance((eye(known / 2) - base.mean(0)) / (base.std(0) + 0.1), scaled[2])
        assert draws.value <= 3 * max(second.value, second.stderr)
        assert draws.value < blurred.value  # the mutant is caught


def test_draws_are_on_the_fiber_and_a_stronger_guidance_is_nearer(prior):
    network, x = TableMLPExtractor(), rows_of("held-out")[:16]
    problem = Problem(network, prior, x, network.features(x))

    def loss(sampler):
        drawn = sampler.sample(problem, Noise(range(16)))
        assert drawn.finite.all()
        return float(rms(network.features(drawn.data) - problem.targets).mean())

    found = [loss(NDTM(steps=40, guidance=g)) for g in (0.0, 2.0, 10.0)]
    apart = float(rms(problem.targets[:, None] - problem.targets[None]).mean())

    assert found == sorted(found, reverse=True)
    assert loss(MomentMatched()) < 0.05 * apart


def test_scales_of_columns_are_those_of_the_rows_trained_on(prior):
    rows = prior.encode(rows_of("rest"))

    assert torch.allclose(rows.mean(0), torch.zeros(30), atol=0.1)
    assert torch.allclose(rows.std(0), torch.ones(30), atol=0.15)
