import torch

from fiber_audit._draw.meter import Meter
from fiber_audit.sampling import Noise, unguided
from fiber_audit.testing import gaussian_problem


def test_an_unguided_draw_costs_one_forward_per_step_and_row():
    problem = gaussian_problem(3)
    with Meter(problem.prior, problem.extractor) as cost:
        unguided(problem.prior, Noise(range(3)), 7)

    assert (cost.prior_forward, cost.prior_backward) == (21, 0)
    assert cost.extractor_forward == 0
    assert cost.seconds > 0


def test_a_gradient_through_both_networks_counts_one_backward_each():
    problem = gaussian_problem(5)
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    t = torch.full((5,), 0.3)
    with Meter(problem.prior, problem.extractor) as cost:
        loss = problem.features(problem.prior.predict(x, t).x0).square().sum()
        torch.autograd.grad(loss, x, retain_graph=True)
        torch.autograd.grad(loss, x)

    assert (cost.prior_forward, cost.prior_backward) == (5, 10)
    assert (cost.extractor_forward, cost.extractor_backward) == (5, 10)


def test_nothing_is_counted_after_the_meter_is_closed():
    problem = gaussian_problem(2)
    with Meter(problem.prior, problem.extractor) as cost:
        pass
    problem.extractor.features(torch.zeros(2, 8))

    assert cost.extractor_forward == 0
