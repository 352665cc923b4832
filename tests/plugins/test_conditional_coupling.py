import math
import sys

import numpy as np
import pytest
import torch
from fiber_audit_conditional.coupling import all_in_one, glow, perceptron, split_of
from fiber_audit_conditional.dnf import DenoisingFlow
from fiber_audit_conditional.mlf import MultilevelFlow
from fiber_audit_conditional.nf import NormalisingFlow
from fiber_audit_conditional.rombach import RombachCINN
from torch import nn

from fiber_audit import UsageError, WeightsError
from fiber_audit.sampling import Noise

SMALL = {"path": "unused", "blocks": 3, "width": 16}
NF = NormalisingFlow(**SMALL)
DNF = DenoisingFlow(**SMALL, reconstruction_weight=0.0)
MLF = MultilevelFlow(**SMALL, regression_weight=0.0)
CINN = RombachCINN(**SMALL, embedding=5)
ALL = pytest.mark.parametrize("sampler", [NF, DNF, MLF, CINN], ids=["nf", "dnf", "mlf", "cinn"])
EXACT = pytest.mark.parametrize("sampler", [NF, MLF, CINN], ids=["nf", "mlf", "cinn"])


def built(sampler, shape=(6,), features=3, seed=0):
    """A generator as `fit` builds it, from this seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return sampler.build(shape, features)


def stirred(sampler, shape=(6,), features=3, seed=0, by=0.3):
    """The same with every weight moved, as if it had learned something."""
    generator = built(sampler, shape, features, seed)
    source = numbers(seed)
    with torch.no_grad():
        for weight in trainable(generator):
            weight += by * torch.randn(weight.shape, generator=source)
    return generator


def trainable(module):
    return [weight for weight in module.parameters() if weight.requires_grad]


def numbers(seed):
    return torch.Generator().manual_seed(seed)


def pairs(n, size=6, features=3, seed=1):
    """States and features that depend on each other."""
    source = numbers(seed)
    z = torch.randn(n, size, generator=source)
    return z, torch.tanh(z[:, :1] + torch.randn(n, features, generator=source))


def trained(sampler, z, h, steps, rate=2e-3, jitter=0.01, batch=256, seed=0):
    """The density's loss by Adam, and a learning rate that falls to nothing."""
    generator, source = built(sampler, z.shape[1:], h.shape[1], seed), numbers(seed)
    generator.prepare(z[:1000], h[:1000])
    adam = torch.optim.Adam(trainable(generator), lr=rate)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        rows = torch.randint(len(z), (batch,), generator=source)
        noisy = z[rows] + jitter * torch.randn(z[rows].shape, generator=source)
        adam.zero_grad()
        generator.loss(noisy, h[rows], source).mean().backward()
        nn.utils.clip_grad_norm_(trainable(generator), sampler.clip_norm)
        adam.step()
        fall.step()
    return generator


@EXACT
def test_what_was_trained_is_undone_exactly_in_both_directions(sampler):
    z, h = pairs(512)
    network = trained(sampler, z, h, steps=15).network

    with torch.no_grad():
        zeta, there = network(z, h)
        again, back = network(zeta, h, backwards=True)

    assert not torch.allclose(zeta.norm(dim=1), z.norm(dim=1), atol=0.1)  # it does something
    torch.testing.assert_close(again, z, atol=1e-4, rtol=0)
    torch.testing.assert_close(back, -there, atol=1e-3, rtol=0)


@ALL
def test_the_log_determinant_is_that_of_the_jacobian(sampler):
    network = stirred(sampler).network.double()
    z, h = (rows.double() for rows in pairs(4))

    _, found = network(z, h)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda a, b: network(a[None], b[None])[0][0]))

    torch.testing.assert_close(
        found, torch.linalg.slogdet(jacobian(z, h)).logabsdet, atol=1e-5, rtol=0
    )


@ALL
def test_the_density_integrates_to_one(sampler):
    generator = stirred(sampler, (2,), 1, by=0.1)
    line = torch.linspace(-12, 12, 300)
    z = torch.cartesian_prod(line, line)
    h = torch.full((len(z), 1), 0.7)

    with torch.no_grad():
        density = torch.exp(-generator.loss(z, h, numbers(0)).double()) / (2 * math.pi)

    assert float(density.sum() * (line[1] - line[0]) ** 2) == pytest.approx(1, abs=2e-3)


@ALL
def test_a_draw_is_the_same_alone_and_in_a_batch_and_has_the_shape_of_a_state(sampler):
    generator = stirred(sampler, (2, 3, 1))
    h, seeds = pairs(5)[1], list(range(5))

    with torch.no_grad():
        together = generator.sample(h, Noise(seeds))
        alone = [generator.sample(h[i : i + 1], Noise([i])) for i in seeds]

    assert together.shape == (5, 2, 3, 1)
    torch.testing.assert_close(torch.cat(alone), together, atol=1e-5, rtol=1e-5)


@ALL
def test_a_state_dict_holds_all_that_decides_a_draw(sampler):
    generator = stirred(sampler)
    generator.prepare(*pairs(100))
    other = built(sampler, seed=7)
    h, noise = pairs(5)[1], [1, 2, 3, 4, 5]

    before = other.sample(h, Noise(noise))
    other.load_state_dict(generator.state_dict())

    assert not torch.equal(before, other.sample(h, Noise(noise)))
    assert torch.equal(generator.sample(h, Noise(noise)), other.sample(h, Noise(noise)))


@ALL
def test_a_build_follows_torchs_seed_and_leaves_numpys_alone(sampler):
    np.random.seed(3)  # noqa: NPY002 - the global generator is what is tested
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    one = built(sampler, seed=1).state_dict()
    np.random.seed(4)  # noqa: NPY002
    two, three = built(sampler, seed=1).state_dict(), built(sampler, seed=2).state_dict()
    np.random.seed(3)  # noqa: NPY002
    built(sampler, seed=1)

    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], three[name]) for name in one)


@ALL
def test_the_fiber_loss_reaches_every_weight_and_no_permutation(sampler):
    generator = stirred(sampler)
    z, h = pairs(64)

    fresh = generator.fresh(z, h, numbers(0))
    (fresh.weight * fresh.z.flatten(1).square().sum(1)).sum().backward()
    grown = {name: weight.grad for name, weight in generator.named_parameters()}

    assert all(
        grown[name].abs().max() > 0 for name, w in generator.named_parameters() if w.requires_grad
    )
    assert all(grad is None for name, grad in grown.items() if name.endswith(("w_perm", ".M")))
    assert fresh.weight.tolist() == [1.0] * 64


@ALL
def test_a_draw_depends_on_the_features_everywhere(sampler):
    generator = stirred(sampler)
    h = pairs(3)[1].requires_grad_()

    z = generator.sample(h, Noise([1, 2, 3]))
    slopes = [torch.autograd.grad(z[:, i].sum(), h, retain_graph=True)[0] for i in range(6)]

    assert torch.stack(slopes).abs().amin() > 0


@pytest.mark.parametrize("sampler", [NF, CINN], ids=["nf", "cinn"])
def test_a_state_of_one_number_gets_a_law_that_depends_on_the_features(sampler):
    h = torch.randn(2000, 1, generator=numbers(0))
    z = 0.8 * h + 0.6 * torch.randn(2000, 1, generator=numbers(1))

    generator = trained(sampler, z, h, steps=100, rate=2e-2)
    drawn = generator.sample(torch.full((500, 1), 1.0), Noise(range(500))).detach()

    assert float(drawn.mean()) == pytest.approx(0.8, abs=0.1)
    assert float(drawn.std()) == pytest.approx(0.6, abs=0.1)


def test_a_denoising_flow_draws_states_without_details_with_the_law_of_its_reconstructions():
    generator = stirred(DNF)
    z, h = pairs(16)

    with torch.no_grad():
        drawn = generator.sample(h, Noise(range(16)))
        _, details = generator.network.parts(generator.network.f(drawn, h)[0])
        zeta, _ = generator.network(drawn, h)
        zeta_z, _ = generator.network(z, h)
        core, _ = generator.network.parts(generator.network.f(z, h)[0])
        expected, _ = generator.network.f(torch.nn.functional.pad(core, (0, 3)), h, backwards=True)

    torch.testing.assert_close(details, torch.zeros(16, 3), atol=1e-4, rtol=0)
    torch.testing.assert_close(generator.draw(zeta_z, h), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(generator.draw(zeta, h), drawn, atol=1e-4, rtol=0)


def test_a_denoising_flow_is_charged_for_what_its_reconstruction_loses():
    z, h = pairs(16)
    free, charged = stirred(DNF), stirred(DenoisingFlow(**SMALL, reconstruction_weight=2.0))

    lost = (z - free.draw(free.network(z, h)[0], h)).norm(dim=1)

    added = charged.loss(z, h, numbers(0)) - free.loss(z, h, numbers(0))
    torch.testing.assert_close(added, 2 * lost, atol=1e-4, rtol=1e-4)


def test_a_multilevel_flow_is_charged_for_what_its_coarse_level_misses_the_features_by():
    z, h = pairs(16)
    free, charged = stirred(MLF), stirred(MultilevelFlow(**SMALL, regression_weight=2.0))

    u, _ = free.network.parts(free.network.f(z)[0])

    added = charged.loss(z, h, numbers(0)) - free.loss(z, h, numbers(0))
    torch.testing.assert_close(added, 2 * (u - h).norm(dim=1), atol=1e-4, rtol=1e-4)


def test_the_coarse_level_of_a_draw_is_the_features_where_nothing_is_missed():
    network = built(MLF).network
    h = pairs(16)[1]

    z, _ = network(torch.zeros(16, 6), h, backwards=True)
    u, v = network.parts(network.f(z)[0])

    torch.testing.assert_close(u, h, atol=1e-5, rtol=0)
    torch.testing.assert_close(v, torch.zeros(16, 3), atol=1e-5, rtol=0)


def test_features_that_do_not_fit_into_a_coarse_level_are_cut_to_their_principal_components():
    sizes = torch.tensor([0.1, 3.0, 0.2, 2.0, 0.3, 1.0, 0.1, 0.1])
    h = torch.randn(4000, 8, generator=numbers(0)) * sizes
    generator = built(MLF, (4,), 8)
    generator.prepare(torch.zeros(4000, 4), h)
    found = generator.network.projection

    assert found.shape == (3, 8)
    torch.testing.assert_close(found @ found.T, torch.eye(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[:, [5, 3, 1]].abs(), torch.eye(3), atol=0.05, rtol=0)
    assert torch.equal(built(MLF).network.projection, torch.eye(3))


def test_act_norm_makes_prepared_data_standard_and_nothing_else_sets_it():
    generator = built(CINN)
    z, h = pairs(500)
    z = 3 * z + 2

    untouched, _ = generator.network(z, h)  # a shuffle, whatever it sees first
    generator.prepare(z, h)
    zeta, _ = generator.network(z, h)

    torch.testing.assert_close(untouched.sort(dim=1).values, z.sort(dim=1).values)
    torch.testing.assert_close(zeta.mean(0), torch.zeros(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(zeta.std(0), torch.ones(6), atol=1e-4, rtol=0)


def test_blocks_start_without_any_coupling():
    z, h = pairs(16)

    for flow in (all_in_one(6, 3, 4, 8), glow(6, 3, 4, 8)):
        y, log_det = flow(z, h)
        torch.testing.assert_close(y.norm(dim=1), z.norm(dim=1))
        torch.testing.assert_close(log_det, torch.zeros(16), atol=1e-5, rtol=0)


def test_a_perceptron_has_as_many_hidden_layers_as_it_is_told():
    sizes = [layer.out_features for layer in perceptron(3, 7, 2, 5) if isinstance(layer, nn.Linear)]

    assert sizes == [7, 7, 5]


@pytest.mark.parametrize(
    ("asked", "size", "features", "found"),
    [(0, 54, 48, 48), (0, 54, 512, 48), (0, 8, 3, 3), (0, 8, 100, 7), (0, 2, 5, 1), (5, 8, 3, 5)],
)
def test_a_state_is_split_as_the_paper_does_unless_it_is_told_otherwise(
    asked, size, features, found
):
    assert split_of(asked, size, features, "details") == found


def test_a_split_that_leaves_nothing_is_refused_in_one_sentence():
    with pytest.raises(
        UsageError, match=r"details = 6: a state has 6 numbers, .* choose 5 or fewer"
    ):
        DenoisingFlow(**SMALL, details=6).build((6,), 3)
    with pytest.raises(UsageError, match=r"coarse = 0: a state of a single number .* use nf"):
        MLF.build((1,), 3)
    with pytest.raises(UsageError, match=r"coarse = 4: .* of which there are 3"):
        MultilevelFlow(**SMALL, coarse=4).build((6,), 3)


def test_a_missing_library_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "FrEIA", None)

    with pytest.raises(WeightsError, match=r'pip install "fiber-audit\[conditional\]"'):
        built(NF)


@pytest.fixture(scope="module")
def gaussian():
    """A correlated Gaussian in 8 dimensions, and three linear features of it, all standardised."""
    source = numbers(0)
    root = torch.randn(8, 8, generator=source)
    a = torch.randn(3, 8, generator=source)
    z = torch.randn(20_000, 8, generator=source) @ root.T
    scale = (root @ root.T).diagonal().sqrt()
    cov = root @ root.T / scale[:, None] / scale
    a = a / (a @ cov @ a.T).diagonal().sqrt()[:, None]
    return z / scale, z / scale @ a.T, cov, a


def conditional(cov, a, h):
    """Mean and covariance of the states whose features are h."""
    gain = cov @ a.T @ torch.linalg.inv(a @ cov @ a.T)
    return gain @ h, cov - gain @ a @ cov


def bures(mean, cov, other_mean, other_cov):
    """The 2-Wasserstein distance of two Gaussians."""
    values, vectors = torch.linalg.eigh(cov.double())
    root = vectors @ values.clamp(min=0).sqrt().diag() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ other_cov.double() @ root).clamp(min=0).sqrt().sum()
    square = (mean - other_mean).square().sum() + cov.trace() + other_cov.trace() - 2 * cross
    return float(square.clamp(min=0).sqrt())


@pytest.mark.slow
@pytest.mark.parametrize(
    "sampler",
    [
        NormalisingFlow(path="unused", blocks=8, width=64),
        RombachCINN(path="unused", blocks=4, width=64),
    ],
    ids=["nf", "cinn"],
)
def test_a_linear_gaussian_problem_is_solved(gaussian, sampler):
    z, h, cov, a = gaussian
    generator = trained(sampler, z, h, steps=1000, rate=3e-3)
    distances = []
    for row in range(5):
        drawn = generator.sample(h[row].expand(1500, 3), Noise(range(1500))).detach()
        distances.append(bures(drawn.mean(0), drawn.T.cov(), *conditional(cov, a, h[row])))

    assert sum(distances) / 5 < 0.25, distances
