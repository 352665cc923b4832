"""NDTM as a textbook prints it: the oracle of test_ndtm.py and the rival of ndtm_speed.py.

Every evaluation of the pseudocode is made, whether it is needed or not: the unguided prediction at
each step, the optimiser object, the target at each step. With always=True the inner loop also runs
where gamma = 0, as in Pandey et al. (arXiv 2502.03686); its control then has no effect.
"""

import torch

from fiber_audit.sampling import at, noise_of, over, start


def tweedie(prior, x, t):
    """Clipped E[x_0 | x_t], the raw eps, and the eps that belongs to the clipped estimate."""
    x0, raw = prior.predict(x, at(t, x))
    if prior.clip is None:
        return x0, raw, raw
    x0 = x0.clamp(*prior.clip)
    return x0, raw, noise_of(prior.schedule, x, x0, t)


def terminal(loss, phi, h):
    if loss == "l2":
        return ((phi - h) ** 2).sum(1).sqrt()
    if loss == "l1":
        return (phi - h).abs().sum(1)
    if loss == "squared":
        return ((phi - h) ** 2).sum(1)
    return -(h.softmax(1) * phi.log_softmax(1)).sum(1)


def sample(problem, noise, o, always=False):
    """Final states (n, *state_shape); o is the NDTM instance, read for its options only."""
    prior, schedule = problem.prior, problem.prior.schedule
    times = schedule.times(o.steps)
    fresh = noise.child("target")
    x = start(prior, noise, times[0])
    h = problem.targets
    for i in range(o.steps):
        t, s = times[i], times[i + 1]
        gamma = o.strength(float(t))
        if o.target == "reapproximated" and gamma != 0:
            clean = prior.encode(problem.queries)
            e = fresh.normal(prior.state_shape, x)
            noisy = over(schedule.alpha(t), x) * clean + over(schedule.sigma(t), x) * e
            h = problem.features(tweedie(prior, noisy, t)[0]).detach()
        rate = (
            o.learning_rate
            * {
                "linear": 1 - i / o.steps,
                "constant": 1,
                "cosine": (1 - torch.tensor(torch.pi * i / o.steps).cos().item()) / 2,
            }[o.decay]
        )
        u = torch.zeros_like(x, requires_grad=True)
        optimiser = torch.optim.Adam([u], lr=rate)
        e0 = prior.predict(x, at(t, x)).eps.detach()
        for _ in range(o.inner_steps if gamma != 0 or always else 0):
            xt = x + gamma * u
            x0, e1, _ = tweedie(prior, xt, t)
            cost = terminal(o.loss, problem.features(x0), h)
            cost = cost + o.kappa * ((xt - x) ** 2).flatten(1).sum(1)
            cost = cost + o.tau * ((e1 - e0) ** 2).flatten(1).sum(1)
            optimiser.zero_grad()
            cost.sum().backward()
            norm = u.grad.flatten(1).norm(dim=1)
            u.grad *= over((o.clip_gradient / (norm + 1e-6)).clamp(max=1), u)
            optimiser.step()
        x = x + gamma * u.detach()
        with torch.no_grad():
            x0, _, eps = tweedie(prior, x, t)
        a_t, s_t, a_s, s_s = (f(v) for v in (t, s) for f in (schedule.alpha, schedule.sigma))
        posterior = s_t**2 - (a_t / a_s) ** 2 * s_s**2  # variance of x_t given x_s
        c1 = o.eta * (posterior if o.variance == "large" else posterior * s_s**2 / s_t**2).sqrt()
        c2 = (s_s**2 - o.eta**2 * posterior * s_s**2 / s_t**2).clamp(min=0).sqrt()
        x = over(a_s, x) * x0 + over(c2, x) * eps
        if s > 0 and o.eta > 0:
            x = x + over(c1, x) * noise.normal(prior.state_shape, x)
    return x.detach()
