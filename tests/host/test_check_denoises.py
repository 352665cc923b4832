"""Does a prior denoise real data? What is right passes, each usual mistake is refused and named.

Networks are the shipped ones and a closed form: the exact denoiser of a Gaussian, called as
diffusers calls its models, in a wrapper that can be told to make each mistake.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.check import check_prior
from fiber_audit.check.denoises import denoising_problem
from fiber_audit.check.others import READINGS
from fiber_audit.check.reconstructs import reconstruction_problem
from fiber_audit.contracts import Prediction, Prior
from fiber_audit.sampling import FlowSchedule, VPSchedule, over
from fiber_audit.testing import GaussianPrior, linear_betas

KINDS = ("epsilon", "sample", "v_prediction", "flow")
VAE = 0.18215
"""A scaling factor of an autoencoder."""


def cosine_betas(steps=1000):
    u = torch.arange(steps + 1, dtype=torch.float64) / steps
    abar = torch.cos((u + 0.008) / 1.008 * torch.pi / 2) ** 2
    return VPSchedule((abar[1:] / abar[:-1]).clamp(min=0.001).cumprod(0))


SCHEDULES = {"linear": linear_betas(), "cosine": cosine_betas(), "flow": FlowSchedule()}


class GaussianNetwork(nn.Module):
    """Predicts for N(mean, root root'), as a diffusers model does: network(x, timestep).sample."""

    def __init__(self, mean, root, kind, schedule, variance=False):
        super().__init__()
        basis, scales, _ = torch.linalg.svd(root.double())
        self.register_buffer("mean", mean.double())
        self.register_buffer("basis", basis)
        self.register_buffer("variance", scales.square())
        self.kind, self.schedule, self.has_variance = kind, schedule, variance

    def forward(self, x, timestep):
        steps = timestep.double() + (1 if isinstance(self.schedule, VPSchedule) else 0)
        t = (steps / 1000).clamp(0, 1).expand(len(x))
        alpha, sigma = self.schedule.alpha(t)[:, None], self.schedule.sigma(t)[:, None]
        state = x.flatten(1).double()
        within = (state - alpha * self.mean) @ self.basis
        share = within / (alpha**2 * self.variance + sigma**2 + 1e-12)
        x0 = self.mean + (alpha * self.variance * share) @ self.basis.T
        eps = (sigma * share) @ self.basis.T
        p, q = READINGS[self.kind](alpha, sigma)
        output = (p * x0 + q * eps).to(x).reshape(x.shape)
        if self.has_variance:
            output = torch.cat([output, torch.cos(3 * x)], dim=1)
        return SimpleNamespace(sample=output)


class Wrapped(Prior):
    """A network of some kind on a schedule, and the mistakes that a wrapper makes."""

    data_range = None

    def __init__(self, network, kind, schedule, **mistakes):
        self.network, self.kind, self.schedule = network, kind, schedule
        self.state_shape = (3, 8, 8)
        self.factor = mistakes.get("factor", 1)
        self.rounded = mistakes.get("rounded", False)
        self.half = mistakes.get("half", 0)

    def predict(self, x_t, t):
        vp = isinstance(self.schedule, VPSchedule)
        time = self.factor * (self.schedule.index(t) if vp else 1000 * t)
        output = self.network(x_t, time.long() if self.rounded else time).sample
        output = output[:, 3:] if self.half else output[:, :3]
        alpha, sigma = over(self.schedule.alpha(t), x_t), over(self.schedule.sigma(t), x_t)
        p, q = READINGS[self.kind](alpha, sigma)
        x0 = (q * x_t - sigma * output) / (q * alpha - p * sigma)
        return Prediction(x0, (x_t - alpha * x0) / sigma)

    def encode(self, x):
        return x

    def decode(self, state):
        return state


def smooth(spread, seed=0):
    """(mean, root) of Gaussian images of 3 x 8 x 8 whose neighbours are alike."""
    x, y = torch.meshgrid(*[torch.arange(8.0, dtype=torch.float64)] * 2, indexing="ij")
    places = torch.stack([x.flatten(), y.flatten()], dim=1)
    near = torch.exp(-torch.cdist(places, places).square() / 8)
    colours = 0.6 + 0.4 * torch.eye(3, dtype=torch.float64)
    root = torch.linalg.cholesky(torch.kron(colours, near) + 1e-3 * torch.eye(192))
    generator = torch.Generator().manual_seed(seed)
    return 0.3 * torch.randn(192, generator=generator, dtype=torch.float64), spread * root


MEAN, ROOT = smooth(0.6)


def images(mean=MEAN, root=ROOT, n=16):
    white = torch.randn(n, 192, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return (mean + white @ root.T).float().reshape(n, 3, 8, 8)


def wrapped(kind, read_as=None, schedule=None, of=None, variance=False, **mistakes):
    """A prior of a network of some kind, read as another, on the schedule of another."""
    default = "flow" if kind == "flow" else "linear"
    mine = SCHEDULES[schedule or default]
    network = GaussianNetwork(MEAN, ROOT, kind, SCHEDULES[of or schedule or default], variance)
    return Wrapped(network, read_as or kind, mine, **mistakes)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_right_prior_denoises(kind, schedule):
    assert denoising_problem(wrapped(kind, schedule=schedule, variance=True), images()) is None


@pytest.mark.parametrize("read_as", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_network_in_the_wrong_prediction_type_is_refused_and_the_right_one_named(kind, read_as):
    problem = denoising_problem(wrapped(kind, read_as), images())

    if kind == read_as:
        assert problem is None
    else:
        assert f"its network's output read as {kind}, not {read_as}, gives" in problem
        assert problem.endswith("correct the prediction type.")


@pytest.mark.parametrize(
    ("kind", "factor"),
    [*(("epsilon", factor) for factor in (0.1, 0.25, 4, 10)), *((kind, 0.001) for kind in KINDS)],
)
def test_times_that_are_off_by_a_factor_are_refused_and_the_factor_named(kind, factor):
    problem = denoising_problem(wrapped(kind, factor=factor), images())

    assert f"its network told {1 / factor:g} times the time gives" in problem


def test_times_that_were_rounded_away_are_refused():
    problem = denoising_problem(wrapped("flow", factor=0.001, rounded=True), images())

    assert "its network told 1000 times the time gives" in problem


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize(("schedule", "of"), [("linear", "cosine"), ("cosine", "linear")])
def test_the_schedule_of_another_model_is_refused(kind, schedule, of):
    problem = denoising_problem(wrapped(kind, schedule=schedule, of=of), images())

    assert "its network told" in problem


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [VAE, 1 / VAE])
def test_a_forgotten_scaling_factor_is_refused_and_named(kind, scale):
    problem = denoising_problem(wrapped(kind), scale * images())

    assert "scaling its states of RMS" in problem
    assert "multiply by the model's scaling factor in encode() and divide in decode()" in problem


@pytest.mark.parametrize("kind", KINDS)
def test_the_learned_variance_used_as_the_prediction_is_refused_and_named(kind):
    problem = denoising_problem(wrapped(kind, variance=True, half=1), images())

    assert "the other half of its network's output gives" in problem


def test_where_no_other_wiring_is_better_the_broken_law_is_told(monkeypatch):
    monkeypatch.setattr("fiber_audit.check.denoises.others", lambda noised: ())
    prior, x = wrapped("sample"), images()
    right = prior.predict

    def predicts(estimate):
        def predict(x_t, t):
            alpha, sigma = over(prior.schedule.alpha(t), x_t), over(prior.schedule.sigma(t), x_t)
            x0 = estimate(x_t / alpha, right(x_t, t).x0)
            return Prediction(x0, (x_t - alpha * x0) / sigma)

        prior.predict = predict
        return denoising_problem(prior, x)

    assert "to leave the noise in gives 0.3, 1 and 3: check" in predicts(lambda x, x0: x.flip(3))
    assert "they do not fall with the noise: check" in predicts(lambda x, x0: x0.flip(0) * 1e-3)
    assert "they are not finite: check" in predicts(lambda x, x0: x0 / 0)
    assert "to guess the mean of the data gives 1: check" in predicts(lambda x, x0: x0 + 0.5 * x)


def between(prior, share, other):
    """The prior with a share of its estimate replaced."""
    predict = prior.predict

    def weak(x_t, t):
        alpha, sigma = (over(f(t), x_t) for f in (prior.schedule.alpha, prior.schedule.sigma))
        x0 = (1 - share) * predict(x_t, t).x0 + share * other(x_t / alpha)
        return Prediction(x0, (x_t - alpha * x0) / sigma)

    prior.predict = weak
    return prior


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("share", "other"),
    [(0.1, lambda x: x), (0.3, torch.zeros_like), (0.3, lambda x: x.roll(1, -1))],
    ids=["idle", "mean", "blurred"],
)
def test_a_weak_denoiser_is_not_accused(kind, share, other):
    assert denoising_problem(between(wrapped(kind), share, other), images()) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_prior_of_white_noise_about_the_mean_is_not_accused_of_what_it_does_not_know(kind):
    size = images().double().std() * torch.eye(192, dtype=torch.float64)
    network = GaussianNetwork(MEAN, size, kind, SCHEDULES["linear"])

    assert denoising_problem(Wrapped(network, kind, SCHEDULES["linear"]), images()) is None


def gaussian_of(rows, schedule="vp"):
    """The Gaussian of some rows (n, d)."""
    return GaussianPrior(
        rows.mean(0), torch.cov(rows.T.double()).reshape(rows.shape[1], -1), schedule
    )


@pytest.mark.parametrize("schedule", ["vp", "flow"])
def test_the_gaussian_of_data_that_are_not_gaussian_is_not_accused(digits, schedule):
    small = nn.functional.avg_pool2d(digits(200), 4).flatten(1)

    assert denoising_problem(gaussian_of(small, schedule), small[:16]) is None


@pytest.mark.parametrize("schedule", ["vp", "flow"])
@pytest.mark.parametrize("columns", [1, 2, 5])
def test_tables_of_few_columns_in_units_of_their_own_are_not_accused(columns, schedule):
    generator = torch.Generator().manual_seed(columns)
    rows = torch.rand(300, columns, generator=generator) ** 3
    rows = rows @ (torch.eye(columns) + torch.rand(columns, columns, generator=generator))
    for table in (rows, 40 * rows + 300, 0.3 * rows):
        assert denoising_problem(gaussian_of(table, schedule), table[:8]) is None


@pytest.mark.parametrize(("size", "part"), [(1e-3, "no less noise than"), (1e3, "no more noise")])
def test_states_out_of_the_reach_of_the_schedule_are_told(size, part):
    rows = size * torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    problem = denoising_problem(gaussian_of(rows), rows)

    assert part in problem
    assert problem.endswith("scale them to about 1 in encode(), and back in decode().")


def test_of_one_row_or_of_equal_rows_nothing_is_told():
    prior, x = gaussian_of(torch.randn(50, 3, generator=torch.Generator())), torch.ones(5, 3)

    assert denoising_problem(prior, x[:1]) is None
    assert denoising_problem(prior, x) is None


def test_the_check_leaves_no_hook_and_no_other_prediction_behind():
    prior, x = wrapped("epsilon", "v_prediction", variance=True), images()
    before = prior.predict(x, torch.full((16,), 0.5))
    denoising_problem(prior, x)

    torch.testing.assert_close(prior.predict(x, torch.full((16,), 0.5)), before, rtol=0, atol=0)
    assert not prior.network._forward_hooks
    assert not prior.network._forward_pre_hooks


CATALOGUE = Catalogue.load()


@pytest.fixture(scope="module")
def digits():
    """The first n coloured digits."""
    dataset = CATALOGUE.find("dataset", "color-mnist").factory(n=200)
    return lambda n: dataset.load(range(n))


@pytest.fixture
def shipped():
    """A shipped prior, by the end of its name, with attributes replaced."""

    def make(name, **attributes):
        prior = CATALOGUE.find("prior", f"color-mnist-{name}").factory()
        vars(prior).update(attributes)
        return prior

    return make


@pytest.mark.parametrize("name", ["latent", "flow", "pixel"])
def test_the_shipped_priors_denoise_their_data(shipped, digits, name):
    assert check_prior(shipped(name), digits(16)) == []


SLOW_PIXEL = pytest.param("pixel", marks=pytest.mark.slow)
NATIVE = {"latent": "epsilon", "flow": "flow", "pixel": "v_prediction"}


def reread(prior, native, read_as):
    """What its network predicts, read as something else."""
    predict = prior.predict

    def wrong(x_t, t):
        x0, eps = predict(x_t, t)
        alpha, sigma = over(prior.schedule.alpha(t), x_t), over(prior.schedule.sigma(t), x_t)
        p, q = READINGS[native](alpha, sigma)
        output = p * x0 + q * eps
        p, q = READINGS[read_as](alpha, sigma)
        x0 = (q * x_t - sigma * output) / (q * alpha - p * sigma)
        return Prediction(x0, (x_t - alpha * x0) / sigma)

    prior.predict = wrong
    return prior


@pytest.mark.parametrize(
    ("name", "read_as"),
    [*(("latent", kind) for kind in KINDS[1:]), *(("flow", kind) for kind in KINDS[:3]),
     ("pixel", "epsilon")],
)  # fmt: skip
def test_a_shipped_prior_in_the_wrong_prediction_type_is_refused(shipped, digits, name, read_as):
    prior = shipped(name)
    reread(prior, NATIVE[name], read_as)
    problem = denoising_problem(prior, prior.encode(digits(8)))

    assert f"read as {NATIVE[name]}, not {read_as}, gives" in problem


class Slow(nn.Module):
    """A network that is told the time in other units."""

    def __init__(self, network, factor):
        super().__init__()
        self.network, self.factor = network, factor

    def forward(self, x, time):
        return self.network(x, self.factor * time)


@pytest.mark.parametrize("name", ["flow", SLOW_PIXEL])
def test_a_shipped_prior_told_other_times_is_refused(shipped, digits, name):
    prior = shipped(name)
    prior.network = Slow(prior.network, 0.001)
    problem = denoising_problem(prior, prior.encode(digits(8)))

    assert "its network told 1000 times the time gives" in problem


@pytest.mark.parametrize("name", ["latent", SLOW_PIXEL])
def test_a_shipped_prior_on_the_schedule_of_another_is_refused(shipped, digits, name):
    prior = shipped(name, schedule=cosine_betas())
    if name == "pixel":
        prior.vp = prior.schedule
    problem = denoising_problem(prior, prior.encode(digits(8)))

    assert "its network told" in problem


@pytest.mark.parametrize("name", ["latent", SLOW_PIXEL])
def test_a_shipped_prior_without_its_scaling_factor_is_refused(shipped, digits, name):
    prior = shipped(name)
    problem = denoising_problem(prior, prior.encode(digits(8)) / VAE)

    assert "multiply by the model's scaling factor" in problem


@pytest.mark.parametrize("scale", [VAE, 1 / VAE])
def test_a_scaling_factor_in_decode_alone_is_refused(shipped, digits, scale):
    prior, x = shipped("latent"), digits(8)
    states, decode = prior.encode(x), prior.decode
    assert reconstruction_problem(prior, x, states) is None
    prior.decode = lambda state: decode(scale * state)
    problem = reconstruction_problem(prior, x, states)

    assert "apply the model's scaling factor in encode() and in decode()" in problem


def test_an_autoencoder_of_something_else_is_refused(shipped, digits):
    prior, x = shipped("latent"), digits(8)
    prior.decode = lambda state: 1 - digits(8)
    problem = reconstruction_problem(prior, x, prior.encode(x))

    assert "use the autoencoder that its network was made for" in problem


def test_a_sample_of_the_posterior_is_refused(shipped, digits):
    prior = shipped("latent")
    vae = prior.vae

    def sampled(x):
        mean, log_variance = vae.posterior(x)
        code = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        return (code - vae.mean) / vae.std

    prior.encode = sampled
    found = {violation.name: violation.message for violation in check_prior(prior, digits(8))}

    assert found["deterministic"] == (
        "two calls differ of encode(); take the mode of a posterior, not a sample."
    )


def test_data_of_another_shape_are_told_and_nothing_else_is_made_of_them(shipped):
    (violation,) = check_prior(shipped("latent"), torch.rand(8, 3, 32, 32))

    assert str(violation) == (
        "data: it draws inputs of shape (3, 28, 28), but the data are (3, 32, 32); resize the data."
    )


class Untrained(nn.Module):
    """It answers with other pixels: under some reading it only fails a little less."""

    def forward(self, x, t):
        return 2 * torch.tanh(x.roll((2, 3), (-2, -1)))


class OfUntrained(Prior):
    """It is read as epsilon."""

    clip, lossless, state_shape = (-1.0, 1.0), True, (1, 8, 8)

    def __init__(self):
        self.network = Untrained().eval()
        self.schedule = VPSchedule((1 - torch.linspace(1e-4, 0.02, 1000)).cumprod(0))

    def predict(self, x_t, t):
        alpha, sigma = over(self.schedule.alpha(t), x_t), over(self.schedule.sigma(t), x_t)
        eps = self.network(x_t, t)
        return Prediction((x_t - sigma * eps) / alpha, eps)

    def decode(self, state):
        return state / 2 + 0.5

    def encode(self, x):
        return 2 * x - 1


def test_of_an_untrained_network_no_reading_is_recommended():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((16, 1, 2, 2), generator=generator).repeat_interleave(4, 2)
    prior = OfUntrained()
    told = denoising_problem(prior, prior.encode(images.repeat_interleave(4, 3)))

    assert told is not None
    assert "correct the prediction type" not in told
    assert "check prediction type, times" in told
