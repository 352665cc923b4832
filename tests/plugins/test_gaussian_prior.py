"""The Gaussian prior: its moments are those of the data, and its denoiser is exact."""

import math

import pytest
import torch
from fiber_audit_gaussian import moments, prior
from fiber_audit_gaussian.moments import moments_of, rank_for
from fiber_audit_gaussian.prior import GaussianPrior
from fiber_audit_moment_matched.moment_matched import MomentMatched
from fiber_audit_ndtm.ndtm import NDTM

from fiber_audit import DataError, WeightsError
from fiber_audit.check import check_prior
from fiber_audit.contracts import Dataset, Fitting, Problem
from fiber_audit.sampling import Noise, rms, unguided
from fiber_audit.testing import LinearExtractor


class Rows(Dataset):
    def __init__(self, rows, stamps=None):
        self.rows, self.data_shape, self.stamps = rows, tuple(rows.shape[1:]), stamps
        self.ids = tuple(map(str, range(len(rows))))

    def load(self, indices):
        return self.rows[list(indices)]

    def stamp(self, index):
        return self.stamps[index] if self.stamps else ""


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def correlated(n, d, seed=0):
    mixing = torch.randn(d, d, generator=generator(seed)) / math.sqrt(d)
    mixing = mixing * torch.logspace(0, 1, d)[:, None]  # columns of different units
    return torch.randn(n, d, generator=generator(seed + 1)) @ mixing.T + torch.arange(float(d))


def fitted(rows, path, said=None, **options):
    said = [] if said is None else said
    GaussianPrior.fit(Fitting(Rows(rows), "cpu", 0, said.append), path=str(path), **options)
    return GaussianPrior(path=str(path), **options)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rows = correlated(3000, 8)
    return rows, fitted(rows, tmp_path_factory.mktemp("table"))


def dense(gaussian):
    """Mean and covariance of the states, as matrices."""
    net = gaussian.network
    u, values, rest = net.vectors.double(), net.values.double(), net.rest.double()
    eye = torch.eye(len(net.mean), dtype=torch.float64)
    return net.mean.double(), u @ torch.diag(values) @ u.T + rest * (eye - u @ u.T)


def smooth(n, channels, side, seed=0):
    coarse = torch.rand(n, channels, 4, 4, generator=generator(seed))
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")


def test_its_draws_have_mean_and_covariance_of_the_data(table):
    rows, gaussian = table
    states = unguided(gaussian, Noise(range(4000)), steps=200)
    drawn = gaussian.decode(states)

    apart = (drawn.mean(0) - rows.mean(0)) / rows.std(0)
    assert apart.abs().max() < 0.06
    torch.testing.assert_close(torch.corrcoef(drawn.T), torch.corrcoef(rows.T), atol=0.06, rtol=0)
    torch.testing.assert_close(drawn.std(0), rows.std(0), atol=0, rtol=0.05)


@pytest.mark.parametrize("rank", [0, 3])
def test_the_denoiser_is_the_posterior_mean(tmp_path, rank):
    gaussian = fitted(correlated(500, 8), tmp_path, rank=rank)
    mean, covariance = dense(gaussian)
    x_t = torch.randn(5, 8, generator=generator(), dtype=torch.float64)
    for t in (1.0, 0.7, 0.1, 0.01):
        alpha, sigma = 1 - t, t
        noisy = alpha**2 * covariance + sigma**2 * torch.eye(8)
        wanted = mean + alpha * (x_t - alpha * mean) @ torch.linalg.inv(noisy) @ covariance

        x0, eps = gaussian.predict(x_t.float(), torch.full((5,), t))

        torch.testing.assert_close(x0.double(), wanted, atol=2e-5, rtol=2e-5)
        torch.testing.assert_close((1 - t) * x0 + t * eps, x_t.float())


def test_all_components_are_the_full_covariance(table, tmp_path):
    rows, gaussian = table
    states = gaussian.encode(rows).double()

    torch.testing.assert_close(dense(gaussian)[1], torch.cov(states.T), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        dense(fitted(rows, tmp_path, rank=8))[1], dense(gaussian)[1], atol=1e-6, rtol=0
    )


def test_fewer_components_keep_the_whole_variance(table, tmp_path):
    rows, gaussian = table
    few = dense(fitted(rows, tmp_path, rank=2))[1]
    largest = torch.linalg.eigvalsh(dense(gaussian)[1]).flip(0)

    torch.testing.assert_close(few.trace(), largest.sum(), atol=1e-5, rtol=0)
    found = torch.linalg.eigvalsh(few).flip(0)
    torch.testing.assert_close(found[:2], largest[:2], atol=1e-5, rtol=0)
    torch.testing.assert_close(found[2:], largest[2:].mean().expand(6), atol=1e-5, rtol=0)


def test_data_read_in_small_pieces_give_the_same(table, tmp_path, monkeypatch):
    rows, gaussian = table
    monkeypatch.setattr(prior, "CHUNK", 77)
    pieces = fitted(rows, tmp_path)

    torch.testing.assert_close(dense(pieces)[1], dense(gaussian)[1], atol=1e-6, rtol=0)
    torch.testing.assert_close(pieces.scaling.scale, gaussian.scaling.scale)
    torch.testing.assert_close(pieces.scaling.center, gaussian.scaling.center)


def test_the_units_of_a_column_do_not_matter(table, tmp_path):
    rows, gaussian = table
    other = fitted(rows * 1e6 + 1e7, tmp_path)

    torch.testing.assert_close(dense(other)[1], dense(gaussian)[1], atol=1e-4, rtol=0)


def test_a_search_for_the_largest_components_finds_them(monkeypatch):
    rows = correlated(400, 60).double()
    whole = moments_of(lambda: rows.split(50), 60, 12, generator())
    monkeypatch.setattr(moments, "FULL", 20)
    found = moments_of(lambda: rows.split(50), 60, 12, generator())

    torch.testing.assert_close(found.values, whole.values, rtol=1e-3, atol=0)
    assert found.rest == pytest.approx(whole.rest, rel=1e-3)
    overlap = (found.vectors.T @ whole.vectors[:, :8]).square().sum(0)
    assert overlap.min() > 0.98


def test_no_direction_is_impossible_though_items_are_few(tmp_path):
    few = fitted(smooth(40, 3, 64), tmp_path)

    assert len(few.network.values) == rank_for(40, 3 * 64 * 64) == 19
    assert few.network.rest > 0
    state = few.encode(smooth(3, 3, 64, seed=9))
    x0 = few.predict(state, torch.full((3,), 1e-3)).x0
    assert (x0 - state).abs().max() < 0.1


def test_it_keeps_the_contract_on_pictures_and_on_tables(table, tmp_path):
    pictures = fitted(smooth(50, 1, 12), tmp_path)

    assert check_prior(table[1]) == []
    assert check_prior(pictures) == []
    assert pictures.data_range == (0.0, 1.0)
    assert table[1].data_range is None
    assert "blurry" in pictures.facts["prior"]


@pytest.mark.parametrize("sampler", [MomentMatched(), NDTM(guidance=10.0, steps=50)])
def test_guided_draws_solve_a_linear_network(table, sampler):
    rows, gaussian = table
    matrix = torch.linalg.qr(torch.randn(8, 8, generator=generator(3))).Q[:2]
    extractor = LinearExtractor(matrix / rows.std(0))
    targets = extractor.features(rows[:1]).expand(64, -1)
    problem = Problem(extractor, gaussian, rows[:1].expand(64, -1), targets)
    free = extractor.features(gaussian.decode(unguided(gaussian, Noise(range(64)))))

    draws = sampler.sample(problem, Noise(range(64)))

    assert rms(extractor.features(draws.data) - targets).mean() < 0.05 * rms(free - targets).mean()


def test_a_second_fit_is_at_once_and_other_data_are_fitted_anew(tmp_path):
    said = []
    rows = correlated(50, 4)
    first = fitted(rows, tmp_path, said)
    again = fitted(rows, tmp_path, said)
    other = fitted(rows + 1, tmp_path, said)

    assert ["already" in line for line in said] == [False, True, False]
    assert again.weights_sha256 == first.weights_sha256 != other.weights_sha256


def test_another_crop_of_the_same_files_is_seen_though_their_stamps_are_the_same(tmp_path):
    said, stamps = [], ["a"] * 50
    for rows in (correlated(50, 4), 2 * correlated(50, 4)):
        task = Fitting(Rows(rows, stamps), "cpu", 0, said.append)
        GaussianPrior.fit(task, path=str(tmp_path))

    assert not any("already" in line for line in said)


def test_an_option_that_changes_few_items_is_seen_where_the_data_tell_it(tmp_path):
    said = []
    for facts in ({"on": "white"}, {"on": "black"}, {"on": "black"}):
        data = Rows(correlated(50, 4), ["a"] * 50)
        data.facts = facts
        GaussianPrior.fit(Fitting(data, "cpu", 0, said.append), path=str(tmp_path))

    assert ["already" in line for line in said] == [False, False, True]


def test_a_column_is_constant_in_any_unit_or_in_none(tmp_path):
    varying = torch.randn(1000, 2, generator=generator()) * torch.tensor([1e-13, 1e13])
    x = torch.cat([torch.tensor([0.1, 1234.567]).expand(1000, 2), varying], 1)
    scale = fitted(x, tmp_path).scaling.scale

    assert scale[:2].tolist() == [1.0, 1.0]
    torch.testing.assert_close(scale[2:], varying.std(0))


def test_a_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    fitted(correlated(50, 4), "~/fit")

    assert (tmp_path / "fit" / "gaussian.safetensors").exists()
    assert not (tmp_path / "~").exists()


def test_what_cannot_be_is_said_in_a_sentence(tmp_path):
    with pytest.raises(WeightsError, match=r"nothing is fitted there; run: fiber-audit fit SUITE"):
        GaussianPrior(path=str(tmp_path))
    fitted(correlated(50, 4), tmp_path)
    with pytest.raises(WeightsError, match=r"other options \(rank 0, not 2\)"):
        GaussianPrior(path=str(tmp_path), rank=2)
    with pytest.raises(DataError, match="at least 2"):
        fitted(torch.zeros(1, 4), tmp_path)
    with pytest.raises(DataError, match="not finite"):
        fitted(torch.full((9, 4), torch.nan), tmp_path)
    (tmp_path / "gaussian.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="not a fitted Gaussian"):
        GaussianPrior(path=str(tmp_path))
