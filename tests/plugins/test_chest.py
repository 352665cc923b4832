"""Chests and their mirror images: what is blind by design is, and judges are exactly fair."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fiber_audit_chest.attributes import ChestLabel, ChestSide
from fiber_audit_chest.components import COMPONENTS, Components
from fiber_audit_chest.dataset import ChestRadiographs
from fiber_audit_chest.extractors import Autoencoder, Contrastive, FlipAveraged, Untrained
from fiber_audit_chest.priors import Both, Usual
from fiber_audit_chest.radiographs import corners, masked, mirrored
from fiber_audit_chest.velocity import Gaussians
from fiber_audit_chest.weights import SHIPPED

from fiber_audit import DataError, run
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.read import read
from fiber_audit.sampling import Noise, rms, unguided
from fiber_audit.testing import (
    check_attribute,
    check_dataset,
    check_extractor,
    check_prior,
)

N = 24


@pytest.fixture(scope="module")
def chests():
    """Draws of the prior that face the usual way (n, 1, 28, 28)."""
    prior = Usual()
    with torch.no_grad():
        return prior.decode(unguided(prior, Noise(range(N)), steps=20)).clamp(0, 1)


@pytest.fixture
def file(tmp_path):
    """An .npz as MedMNIST's: noise, brighter on one side."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(40, 200, 28)[None, None]
    arrays = {}
    for split, n in (("train", 5), ("val", 4), ("test", 40)):
        pixels = ramp + rng.normal(0, 10, (n, 28, 28))
        arrays[f"{split}_images"] = pixels.clip(0, 255).astype(np.uint8)
        arrays[f"{split}_labels"] = rng.integers(0, 2, (n, 1)).astype(np.uint8)
    np.savez(tmp_path / "pneumoniamnist.npz", **arrays)
    return str(tmp_path / "pneumoniamnist.npz")


def test_the_shipped_weights_are_six_megabytes_at_most():
    assert sum(path.stat().st_size for path in SHIPPED.folder.rglob("*")) <= 6e6


@pytest.mark.parametrize("judge", [1, 2])
def test_a_judge_of_side_says_the_opposite_of_a_mirror_image(judge, chests):
    side = ChestSide(judge)
    torch.testing.assert_close(side.network(mirrored(chests)), -side.network(chests))
    assert ((side.read(chests) + side.read(mirrored(chests))) == 1).all()


def test_judges_of_side_know_drawn_chests_and_agree(chests):
    one, two = (ChestSide(judge).read(chests) for judge in (1, 2))
    assert one.double().mean() >= 0.9
    assert (one == two).double().mean() >= 0.9


def test_the_judge_of_the_label_does_not_see_the_side(chests):
    label = ChestLabel()
    torch.testing.assert_close(label.network(mirrored(chests)), label.network(chests))


@torch.no_grad()
def test_the_flip_average_takes_a_chest_and_its_mirror_image_for_the_same(chests):
    phi = FlipAveraged()
    torch.testing.assert_close(phi.features(mirrored(chests)), phi.features(chests))


@pytest.mark.parametrize("seed", [0, 1, 2])
@torch.no_grad()
def test_a_mirror_image_is_nearer_where_training_had_flips(seed, chests):
    ratio = {}
    for flips in (True, False):
        phi = Contrastive(flips=flips, seed=seed)
        h, other = phi.features(chests), phi.features(mirrored(chests))
        assert torch.allclose(h.norm(dim=1), torch.ones(N), atol=1e-5)
        ratio[flips] = float(rms(h - other).mean() / rms(h - h.roll(1, 0)).mean())
    assert ratio[True] < 0.6 * ratio[False]


@torch.no_grad()
def test_the_prior_draws_the_side_that_it_is_told_to():
    side = ChestSide()
    shares = []
    for prior in (Usual(), Both(), Usual(mirrored=True)):
        x = prior.decode(unguided(prior, Noise(range(60)), steps=20))
        shares.append(float(side.read(x).double().mean()))
    assert shares[0] >= 0.9
    assert 0.25 <= shares[1] <= 0.75
    assert shares[2] <= 0.1


def states():
    """Noisy states (8, 192), and their times."""
    z = torch.randn(8, COMPONENTS, generator=torch.Generator().manual_seed(0))
    return z, torch.linspace(0.1, 0.9, 8)


@torch.no_grad()
def test_a_mirrored_state_is_a_mirrored_chest():
    prior = Usual()
    z = torch.randn(8, COMPONENTS, generator=torch.Generator().manual_seed(0))
    turned = prior.decode(z * prior.parts.parity)
    torch.testing.assert_close(turned, mirrored(prior.decode(z)), atol=2e-3, rtol=0)


@torch.no_grad()
def test_the_law_of_both_sides_is_exactly_symmetric():
    prior, (z, t) = Both(), states()
    turn = prior.parts.parity
    for found, turned in zip(prior.predict(z, t), prior.predict(z * turn, t), strict=True):
        torch.testing.assert_close(turned, found * turn, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_law_of_mirrored_chests_is_the_usual_one_mirrored():
    usual, other, (z, t) = Usual(), Usual(mirrored=True), states()
    turn = usual.parts.parity
    for found, turned in zip(usual.predict(z, t), other.predict(z * turn, t), strict=True):
        assert torch.equal(turned, found * turn)


def test_the_shipped_base_mirrors_what_the_components_mirror():
    prior = Usual()
    assert torch.equal(prior.network.gaussians.parity, prior.parts.parity)
    assert float(prior.network.gaussians.frequent.sum()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("either", [False, True])
def test_the_base_alone_has_the_mean_and_the_covariance_of_the_data(either):
    """E[z | z_t] is mean + a covariance z_t where the data's share a is small."""
    g, a = torch.Generator().manual_seed(0), 1e-4
    labels = (torch.rand(3000, generator=g) < 0.7).long()
    z = torch.randn(3000, COMPONENTS, generator=g) * torch.linspace(0.5, 1.5, COMPONENTS)
    z = (z + 0.5 * z.roll(1, 1) + labels[:, None] * torch.linspace(-1, 1, COMPONENTS)).double()
    parity = torch.ones(COMPONENTS)
    parity[::2] = -1
    base = Gaussians().double()
    base.measure(z, labels, parity)
    z = torch.cat([z, z * parity]) if either else z
    noise = torch.randn(8, COMPONENTS, generator=g, dtype=torch.float64)
    t = torch.full((8,), 1 - a, dtype=torch.float64)
    up, down = (x - t[:, None] * base(x, t, either)[0] for x in (noise, -noise))
    told = noise @ z.T.cov(correction=0)
    torch.testing.assert_close((up + down) / 2, z.mean(0).expand(8, -1), atol=1e-3, rtol=0)
    torch.testing.assert_close((up - down) / (2 * a), told, atol=1e-2, rtol=1e-3)


@torch.no_grad()
def test_components_of_what_was_decoded_are_the_components():
    prior = Both()
    z = torch.randn(8, COMPONENTS, generator=torch.Generator().manual_seed(0))
    assert rms(prior.encode(prior.decode(z)) - z).max() < 0.02


def test_components_of_a_mirror_image_are_the_same_but_for_the_sign_of_odd_ones():
    x = torch.rand(400, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    parts = Components()
    parts.measure(x)
    assert {*parts.parity.tolist()} == {1.0, -1.0}
    z = parts.encode(x[:20])
    torch.testing.assert_close(parts.encode(mirrored(x[:20])), z * parts.parity, atol=1e-3, rtol=0)
    torch.testing.assert_close(parts.encode(parts(z)), z, atol=1e-3, rtol=0)


def test_corners_of_draws_are_black(chests):
    assert (chests * corners()).abs().max() < 1e-3
    x = torch.rand(3, 1, 28, 28)
    assert torch.equal(masked(masked(x)), masked(x))
    assert int((masked(x)[0] == 0).sum()) == 4 * 36


def test_the_facing_of_queries_is_in_their_pictures_and_ids(file):
    real, turned, both, half = (
        ChestRadiographs(file, n=8, orientation=name)
        for name in ("real", "mirrored", "both", "half")
    )
    x = real.load(range(8))
    assert torch.equal(turned.load(range(8)), mirrored(x))
    assert torch.equal(both.load([0, 2, 4, 6]), x[:4])
    assert torch.equal(both.load([1, 3, 5, 7]), mirrored(x[:4]))
    assert torch.equal(half.load([0, 1]), torch.stack([x[0], mirrored(x[1:2])[0]]))
    assert [name.endswith("-mirrored") for name in half.ids] == [False, True] * 4
    assert len({*both.ids}) == 8
    assert not (x * corners()).any()


def test_reference_pictures_face_as_queries_do_and_are_others(file):
    turned = ChestRadiographs(file, n=8, orientation="mirrored")
    more = turned.reference(20, torch.Generator().manual_seed(0))
    left, right = more[..., 8:20, :10].mean(), more[..., 8:20, 18:].mean()
    assert left > right
    queries = turned.load(range(8)).flatten(1)
    assert torch.cdist(more.flatten(1), queries).min() > 0
    assert turned.reference(33, torch.Generator()) is None


@pytest.mark.parametrize(
    ("options", "said"),
    [({"n": 41}, "ask for fewer"), ({"path": "/nowhere/x.npz"}, "medmnist downloads")],
)
def test_what_is_missing_is_told_in_one_sentence(file, options, said):
    with pytest.raises(DataError, match=said):
        ChestRadiographs(**{"path": file} | options)


def test_another_file_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", test_images=np.zeros((3, 8, 8)), test_labels=np.zeros(3))
    with pytest.raises(DataError, match="28 x 28"):
        ChestRadiographs(str(tmp_path / "x.npz"), n=1)


@pytest.mark.parametrize("make", [Contrastive, FlipAveraged, Autoencoder, Untrained])
def test_extractors_keep_their_contract(make, chests):
    assert [*check_extractor(make(), chests[:6])] == []


def test_the_shipped_suite_is_valid_and_takes_a_file_of_the_users(file):
    catalogue = Catalogue.load()
    assert read("chest-side", catalogue).queries.use == "prior-draws"
    table = f'{{use="chest-radiographs", path="{file}", orientation="mirrored", n=8}}'
    mine = read("chest-side", catalogue, [f"queries={table}"])
    assert mine.queries.use == "chest-radiographs"


@pytest.mark.slow
def test_the_suite_finds_what_is_known_of_its_networks(tmp_path):
    result = run("chest-side", out=tmp_path)
    assert result.passed, result.table()


@pytest.mark.parametrize("make", [Both, Usual])
def test_priors_keep_their_contract(make, chests):
    assert [*check_prior(make(), chests[:4])] == []


@pytest.mark.parametrize("make", [ChestSide, ChestLabel])
def test_attributes_keep_their_contract(make, chests):
    assert [*check_attribute(make(), chests[:6])] == []


def test_the_dataset_keeps_its_contract(file):
    assert [*check_dataset(ChestRadiographs(file, n=6, orientation="half"))] == []
