"""What `fiber-audit fit` leaves draws the true conditional law of a Gaussian table."""

from pathlib import Path

import pytest
from fiber_audit_conditional.cond_diffusion import ConditionalDiffusion
from fiber_audit_conditional.cond_flow import ConditionalFlow
from fiber_audit_conditional.nf import NormalisingFlow

from fiber_audit.sampling import Noise, rms
from fiber_audit.testing import gaussian_problem, wasserstein_to_gaussian

WORLD = str(Path(__file__).with_name("conditional_world.py"))
HEAD = """
name = "closed-form"
draws = 2
metrics = ["fiber_loss_rms"]
[queries]
use = "gaussian-table"
n = 3
[training]
use = "gaussian-table"
seed = 1
[extractors.linear]
[priors.exact]
[samplers]
"""
OPTIONS = {"training_steps": 2000, "width": 64, "patience": 40, "learning_rate": 3e-3}
BLOCKS = {"nf": 8, "cond-diffusion": 3, "cond-flow": 3}
CLASSES = {
    "nf": NormalisingFlow,
    "cond-diffusion": ConditionalDiffusion,
    "cond-flow": ConditionalFlow,
}
WEIGHTS = (0.0, 1.0, 10.0)
FALLS = {"nf": 1.05, "cond-diffusion": 0.7, "cond-flow": 0.7}
"""What the fiber loss leaves of itself; the exact density of nf is at its floor without."""


def options_of(name, weight):
    return {"path": f"{name}-{weight:g}", "fiber_weight": weight, "blocks": BLOCKS[name], **OPTIONS}


def written(name, weight):
    options = "\n".join(f"{key} = {value!r}" for key, value in options_of(name, weight).items())
    return f'[samplers.{name}-{weight:g}]\nuse = "{name}"\n{options}\n'


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSES)
def test_fitted_by_the_command_it_draws_the_true_law_and_its_fiber_loss_falls(
    command, tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    Path("suite.toml").write_text(HEAD + "".join(written(name, weight) for weight in WEIGHTS))
    done = command("fit", "suite.toml", "--plugin", WORLD, toy=False)
    assert done.returncode == 0, done.stderr

    problem = gaussian_problem(2000)
    law = problem.prior.conditional(problem.extractor.matrix, problem.targets[0])
    distances, losses = [], []
    for weight in WEIGHTS:
        sampler = CLASSES[name](**options_of(name, weight))
        draws = sampler.sample(problem, Noise(range(2000)))
        distances.append(wasserstein_to_gaussian(draws.states, *law))
        losses.append(float(rms(problem.extractor.features(draws.data) - problem.targets).mean()))

    assert max(distances) <= 0.25
    assert max(losses[1:]) < FALLS[name] * losses[0], losses
