"""What is trained is learned: known laws come out again, and no kind of death costs a bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from fiber_audit_diffusers.trained import sheet
from fiber_audit_diffusers.trained.prior import TrainedPrior
from rows import Rows
from safetensors.torch import load_file

from fiber_audit.check import check_prior
from fiber_audit.contracts import Fitting
from fiber_audit.sampling import Noise, unguided

MLP = {
    "network": "mlp", "width": 64, "depth": 2, "batch": 256, "steps": 400, "learning_rate": 3e-3,
    "ema": 0.99, "judged": 0,
}  # fmt: skip


def correlated(n, d):
    g = torch.Generator().manual_seed(3)
    mixing = torch.randn(d, d, generator=g) / d**0.5 + torch.eye(d) / 2
    return torch.randn(n, d, generator=g) @ mixing.T * 10 + 100


def fitted(rows, path, **options):
    TrainedPrior.fit(Fitting(Rows(rows), "cpu", 0, lambda line: None), path=str(path), **options)
    return TrainedPrior(path=str(path), **options)


@pytest.mark.parametrize(
    ("d", "options"),
    [
        (8, {}),
        pytest.param(2, {}, marks=pytest.mark.slow),
        pytest.param(8, {"objective": "ddpm"}, marks=pytest.mark.slow),
    ],
    ids=["flow-8", "flow-2", "ddpm-8"],
)
def test_a_gaussian_comes_out_with_its_moments(tmp_path, d, options):
    rows = correlated(4000, d)
    prior = fitted(rows, tmp_path, **MLP, **options)
    drawn = prior.decode(unguided(prior, Noise(range(1500)), steps=50))

    apart = (drawn.mean(0) - rows.mean(0)) / rows.std(0)
    assert apart.abs().max() < 0.2
    torch.testing.assert_close(drawn.std(0), rows.std(0), atol=0, rtol=0.15)
    torch.testing.assert_close(torch.corrcoef(drawn.T), torch.corrcoef(rows.T), atol=0.15, rtol=0)
    assert check_prior(prior) == []


PROGRAM = """
import sys, torch
sys.path.insert(0, sys.argv[1])
from test_trained_learns import MLP, correlated, fitted
fitted(correlated(500, 4), sys.argv[2], **{**MLP, "steps": 4000, "checkpoint_minutes": 1e-3})
"""


@pytest.mark.slow
def test_a_fit_that_is_killed_outright_goes_on_to_the_same_bits(tmp_path):
    def start(name):
        here = str(Path(__file__).parent)
        return subprocess.Popen([sys.executable, "-c", PROGRAM, here, str(tmp_path / name)])

    for _ in range(3):
        process = start("killed")
        checkpoint = tmp_path / "killed" / "checkpoint" / "state.safetensors"
        while process.poll() is None and not checkpoint.exists():
            time.sleep(0.05)
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert start("killed").wait() == 0
    assert start("whole").wait() == 0

    one, other = (
        load_file(tmp_path / name / "mlp" / "diffusion_pytorch_model.safetensors")
        for name in ("killed", "whole")
    )
    assert all(torch.equal(one[name], other[name]) for name in other)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_unet_learns_pictures_that_no_gaussian_knows(tmp_path, precision, monkeypatch):
    monkeypatch.setattr(sheet, "STEPS", 20)
    g = torch.Generator().manual_seed(0)
    dark = torch.rand(600, 1, 1, 1, generator=g) < 0.5
    rows = torch.where(dark, 51 / 255, 204 / 255).expand(-1, 1, 8, 8)  # all dark or all light
    options = {"width": 16, "depth": 1, "levels": 2, "batch": 32, "steps": 400, "judged": 0}
    prior = fitted(rows, tmp_path, **options, learning_rate=2e-3, ema=0.98, precision=precision)
    drawn = prior.decode(unguided(prior, Noise(range(100)), steps=20))

    level = drawn.flatten(1).mean(1)
    near = torch.minimum((level - 0.2).abs(), (level - 0.8).abs())
    assert near.median() < 0.05
    assert 0.25 < (level > 0.5).float().mean() < 0.75
