import math

import pytest
import torch
from fiber_audit_conditional.fff import FreeFormFlow, log_volume, on_sphere, through
from fiber_audit_conditional.fif import FreeFormInjectiveFlow
from fiber_audit_conditional.mlp_network import ConditionalMLP, waves
from fiber_audit_conditional.residual_mlp import ResidualMLP
from torch.func import jacfwd, jacrev, jvp, vjp

from fiber_audit import UsageError
from fiber_audit.sampling import Noise
from fiber_audit.testing import LinearExtractor, gaussian_problem, wasserstein_to_gaussian

SMALL = {"path": "unused", "blocks": 2, "width": 16}
FFF = FreeFormFlow(**SMALL)
FIF = FreeFormInjectiveFlow(**SMALL, latent=2)
BOTH = pytest.mark.parametrize("sampler", [FFF, FIF], ids=["fff", "fif"])


def numbers(seed):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=numbers(seed))


def built(sampler, shape=(6,), features=3, seed=0):
    """A generator as `fit` builds it, from this seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return sampler.build(shape, features)


def stirred(module, by=0.3, seed=0):
    """The same with every weight moved, as if it had learned something."""
    source = numbers(seed)
    with torch.no_grad():
        for weight in module.parameters():
            weight += by * torch.randn(weight.shape, generator=source) / weight.shape[-1] ** 0.5
    return module


# the surrogate


def linear(rows, columns):
    """A map of full rank, and its (pseudo-)inverse, which knows nothing of the map's gradient."""
    matrix = (torch.eye(rows, columns) + 0.4 * normal(rows, columns)).double()
    return matrix.requires_grad_(), torch.linalg.pinv(matrix.detach())


def mean_gradient(matrix, back, probes, n=100_000):
    """Of the surrogate's mean over probes, with its standard error."""
    z = normal(1, matrix.shape[1], seed=2).double().expand(n, -1)
    v = probes(normal(n, matrix.shape[0], seed=3).double())
    _, _, volume = through(lambda z: z @ matrix.T, lambda zeta: zeta @ back.T, z, v)
    (found,) = torch.autograd.grad(volume.mean(), matrix)
    rows = v[:, :, None] * (v @ back.T)[:, None, :]  # v (g' v)^T, its gradient for one probe
    return found, rows.std(0) / math.sqrt(n)


@pytest.mark.parametrize("columns", [3, 5], ids=["square", "injective"])
def test_the_surrogate_has_the_gradient_of_the_exact_volume_in_expectation(columns):
    matrix, back = linear(3, columns)
    found, error = mean_gradient(matrix, back, on_sphere)
    exact = torch.logdet(matrix @ matrix.T) / 2
    (truth,) = torch.autograd.grad(exact, matrix)

    assert ((found - truth).abs() < 5 * error).all()
    assert error.max() < 0.05 * truth.abs().max()


def test_probes_of_another_size_are_caught_by_that_law():
    matrix, back = linear(3, 3)
    found, error = mean_gradient(matrix, back, lambda v: v / v.norm(dim=1, keepdim=True))
    (truth,) = torch.autograd.grad(torch.logdet(matrix @ matrix.T) / 2, matrix)

    assert ((found - truth).abs() > 5 * error).any()


def test_the_surrogate_follows_a_curved_map_whose_inverse_is_known():
    matrix, back = linear(3, 3)
    z = normal(1, 3, seed=4).double().expand(100_000, -1)
    v = on_sphere(normal(100_000, 3, seed=5).double())
    _, again, volume = through(
        lambda z: (z @ matrix.T).asinh(), lambda zeta: zeta.sinh() @ back.T, z, v
    )
    (found,) = torch.autograd.grad(volume.mean(), matrix)
    jacobian = jacrev(lambda z: (matrix @ z).asinh())(z[0])
    (truth,) = torch.autograd.grad(jacobian.det().abs().log(), matrix)

    torch.testing.assert_close(again, z)
    torch.testing.assert_close(found, truth, atol=0.03, rtol=0.03)


def test_where_the_decoder_inverts_the_encoder_the_surrogate_is_the_dimension():
    matrix, back = linear(3, 3)
    v = on_sphere(normal(50, 3).double())
    _, _, volume = through(lambda z: z @ matrix.T, lambda s: s @ back.T, torch.zeros_like(v), v)

    torch.testing.assert_close(volume, torch.full_like(volume, 3.0))


# the loss


@BOTH
def test_the_exact_volume_is_that_of_the_jacobian(sampler):
    generator = stirred(built(sampler)).double()
    z, h = normal(4, 6).double(), normal(4, 3, seed=1).double()
    found = log_volume(generator.encode, z, h)

    for row in range(4):
        j = jacrev(lambda z, row=row: generator.encode(z[None], h[row, None])[0])(z[row])
        torch.testing.assert_close(found[row], torch.logdet(j @ j.T) / 2)


@BOTH
def test_the_loss_weighs_likelihood_and_the_norm_of_the_reconstruction_by_1_and_10(sampler):
    generator = stirred(built(sampler)).eval()
    z, h = normal(5, 6), normal(5, 3, seed=1)
    zeta = generator.encode(z, h)
    nll = zeta.square().sum(1) / 2 - log_volume(generator.encode, z, h)
    missed = (z - generator.decode(zeta, h)).square().sum(1).sqrt()

    torch.testing.assert_close(generator.loss(z, h, numbers(0)), nll + 10 * missed)
    assert (missed > 0.1).all()


def test_only_in_eval_mode_is_the_loss_least_at_the_right_scale():
    z, h = normal(500, 6), normal(500, 3, seed=1)

    def loss(scale, training):
        generator = built(FFF).train(training)
        generator.encode = lambda z, h: scale * z
        generator.decode = lambda zeta, h: zeta / scale
        return generator.loss(z, h, numbers(0)).mean()

    scales = [0.5, 0.8, 1.0, 1.25, 2.0]
    assert min(scales, key=lambda scale: loss(scale, training=False)) == 1.0
    assert min(scales, key=lambda scale: loss(scale, training=True)) == 0.5


@BOTH
@pytest.mark.parametrize("training", [True, False], ids=["training", "held out"])
def test_a_loss_needs_no_gradient_to_be_measured(sampler, training):
    generator = stirred(built(sampler)).train(training)
    z, h = normal(5, 6), normal(5, 3, seed=1)
    with torch.no_grad():
        found = generator.loss(z, h, numbers(0))

    torch.testing.assert_close(found, generator.loss(z, h, numbers(0)).detach())


@BOTH
def test_the_loss_reaches_all_weights_and_draws_those_of_the_decoder(sampler):
    generator = stirred(built(sampler))
    z, h = normal(5, 6), normal(5, 3, seed=1)

    def reached(result):
        weights = dict(generator.named_parameters())
        found = torch.autograd.grad(result, list(weights.values()), allow_unused=True)
        return {n for n, g in zip(weights, found, strict=True) if g is not None and g.any()}

    names = {name for name, _ in generator.named_parameters()}
    decoder = {name for name in names if name.startswith("network.")}
    assert reached(generator.loss(z, h, numbers(0)).sum()) == names
    assert reached(generator.fresh(z, h, numbers(0)).z.square().sum()) == decoder


# draws


@BOTH
@pytest.mark.parametrize("shape", [(6,), (2, 2, 3)], ids=["flat", "image"])
def test_a_draw_depends_on_its_own_row_only(sampler, shape):
    generator = stirred(built(sampler, shape))
    h = normal(5, 3)
    together = generator.sample(h, Noise(range(5)))
    alone = torch.cat([generator.sample(h[i, None], Noise([i])) for i in range(5)])

    assert together.shape == (5, *shape)
    torch.testing.assert_close(together, alone)


@BOTH
def test_a_fresh_build_with_the_same_state_draws_the_same_bit_for_bit(sampler):
    generator, other = stirred(built(sampler)), built(sampler, seed=1)
    other.load_state_dict(generator.state_dict())
    h = normal(5, 3)

    assert generator.sample(h, Noise(range(5))).equal(other.sample(h, Noise(range(5))))


@BOTH
def test_a_draw_is_one_call_of_the_network(sampler):
    generator, calls = built(sampler), []
    generator.network.register_forward_hook(lambda *_: calls.append(1))
    generator.sample(normal(5, 3), Noise(range(5)))

    assert calls == [1]


def test_an_injective_flow_draws_from_a_surface_of_its_latent_dimension():
    generator = stirred(built(FIF)).double()
    h = normal(1, 3).double()
    j = jacrev(lambda zeta: generator.decode(zeta[None], h)[0])(normal(2).double())

    assert torch.linalg.matrix_rank(j) == j.shape[1] == 2


def test_an_injective_flow_of_too_many_dimensions_is_refused_in_a_sentence():
    with pytest.raises(UsageError, match=r"latent = 3: a state has 3 numbers.*fff\.$"):
        FreeFormInjectiveFlow(path="unused").build((3,), 2)


# the closed form


def trained(generator, z, h, steps, jitter, rate=1e-2, batch=128):
    """The density's loss by Adam, and a learning rate that falls to nothing."""
    source = numbers(0)
    optimizer = torch.optim.Adam(generator.parameters(), lr=rate, betas=(0.9, 0.99))
    for step in range(steps):
        rows = torch.randint(len(z), (batch,), generator=source)
        optimizer.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        noise = jitter * torch.randn(batch, *z.shape[1:], generator=source)
        optimizer.zero_grad()
        generator.loss(z[rows] + noise, h[rows], source).mean().backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 1.0)
        optimizer.step()
    return generator


def test_an_injective_flow_learns_the_closed_form_of_a_gaussian_under_linear_features():
    sampler = FreeFormInjectiveFlow(path="unused", blocks=2, width=32, latent=5)

    assert distance_after_training(sampler, steps=400) < 0.25


@pytest.mark.slow
def test_a_free_form_flow_learns_the_closed_form_of_a_gaussian_under_linear_features():
    sampler = FreeFormFlow(path="unused", blocks=2, width=32)

    assert distance_after_training(sampler, steps=1000) < 0.25


def distance_after_training(sampler, steps):
    """W2 of its draws from the true conditional law."""
    problem = gaussian_problem(1000)
    prior, extractor = problem.prior, problem.extractor
    assert isinstance(extractor, LinearExtractor)
    root = torch.linalg.cholesky(prior.covariance)
    x = (prior.mean + normal(20_000, 8).double() @ root.T).float()
    f = extractor.features(x)
    (z_mean, z_std), (h_mean, h_std) = ((a.mean(0), a.std(0)) for a in (x, f))
    z, h = (x - z_mean) / z_std, (f - h_mean) / h_std
    generator = trained(built(sampler, (8,), f.shape[1]), z, h, steps, sampler.jitter)
    z = generator.sample((problem.targets - h_mean) / h_std, Noise(range(1000)))
    mean, covariance = prior.conditional(extractor.matrix, problem.targets[0])

    return wasserstein_to_gaussian((z * z_std + z_mean).detach(), mean, covariance)


# the network


def test_a_residual_network_is_zero_before_training_and_told_of_everything_after():
    z, h, t = normal(6, 4), normal(6, 3, seed=1), torch.linspace(0, 1, 6)
    vectors, denoiser = ResidualMLP(4, 5, 3, width=8, blocks=2), ConditionalMLP((4,), 3, 8, 2)
    for network, told, others in [
        (vectors, (z, h), [(z + 1, h), (z, h + 1)]),
        (denoiser, (z, t, h), [(z + 1, t, h), (z, t, h + 1), (z, t.flip(0), h)]),
    ]:
        assert not network(*told).any()

        out = stirred(network)(*told)
        for other in others:
            assert not torch.isclose(network(*other), out).all(1).any()
        torch.testing.assert_close(network(*(part[2:4] for part in told)), out[2:4])


def test_forward_and_reverse_mode_agree_through_a_residual_network():
    network = stirred(ResidualMLP(4, 5, 3, width=8, blocks=2)).double()
    z, h = normal(6, 4).double(), normal(6, 3, seed=1).double()
    v, w = normal(6, 4, seed=2).double(), normal(6, 5, seed=3).double()
    _, pushed = jvp(lambda z: network(z, h), (z,), (v,))
    _, pull = vjp(lambda z: network(z, h), z)

    torch.testing.assert_close((pushed * w).sum(1), (pull(w)[0] * v).sum(1))
    torch.testing.assert_close(
        jacfwd(lambda z: network(z, h).sum(0))(z), jacrev(lambda z: network(z, h).sum(0))(z)
    )


def test_times_a_thousandth_apart_are_told_apart():
    found = waves(torch.linspace(0, 1, 1001))

    assert found.abs().max() <= 1
    assert (found[1:] - found[:-1]).norm(dim=1).min() > 0.5
