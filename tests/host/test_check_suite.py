"""`fiber-audit check SUITE`: every component as a suite uses it, on the suite's own queries."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

import pytest

from fiber_audit.commands.main import guarded

WORLD = '''
import os
import torch
from torch import nn
from fiber_audit import WeightsError, hookimpl
from fiber_audit.contracts import Count, Dataset, Extractor, Positive, Prediction
from fiber_audit.testing import GaussianPrior, LinearExtractor

DATA = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))


class Points(Dataset):
    data_shape = (4,)

    def __init__(self, *, n: Count = 20, unit: Positive = 1.0, broken: bool = False):
        self.data, self.broken = unit * DATA[:n], broken
        self.ids = tuple(f"point-{i}" for i in range(n))
        os.write(1, b"points: from C\\n")

    def load(self, indices):
        return self.data[list(indices)] * (float("nan") if self.broken else 1)


class Twos(LinearExtractor):
    """Two of the four numbers, which must be small."""

    def __init__(self, *, largest: Positive = 10.0):
        super().__init__(torch.eye(4)[:2])
        self.largest = largest
        os.write(1, b"twos: from C\\n")

    def features(self, x):
        os.write(1, b"twos: called\\n")
        if x.abs().max() > self.largest:
            raise ValueError("too large")
        return super().features(x)


class Prior(GaussianPrior):
    """Of the data, or with a mistake."""

    def __init__(self, *, scale: Positive = 1.0, sign: float = 1.0):
        super().__init__(torch.zeros(4), torch.eye(4))
        self.scale, self.sign = scale, sign

    def predict(self, x_t, t):
        x0, eps = super().predict(x_t, t)
        x0 = self.sign * x0
        alpha, sigma = (f(t)[:, None] for f in (self.schedule.alpha, self.schedule.sigma))
        return Prediction(x0, (x_t - alpha * x0) / sigma)

    def encode(self, x):
        return x / self.scale

    def decode(self, state):
        return self.scale * state


class Absent(GaussianPrior):
    def __init__(self):
        raise WeightsError("prior.safetensors: not here; put it beside you.")


@hookimpl
def fiber_audit_datasets():
    return {"world-points": Points}


@hookimpl
def fiber_audit_extractors():
    return {"world-twos": Twos}


@hookimpl
def fiber_audit_priors():
    return {"world-prior": Prior, "world-absent": Absent}
'''
SUITE = """
name = "mine"
metrics = ["fiber_loss_rms"]
[queries]
use = "world-points"
[extractors.eyes]
use = "world-twos"
[priors.mine]
use = "world-prior"
[samplers.free]
use = "unconditional"
steps = 5
"""


class Done(NamedTuple):
    code: int
    stdout: str
    stderr: str

    @property
    def rows(self):
        return {row["component"]: row for row in json.loads(self.stdout)}


@pytest.fixture
def world(tmp_path, monkeypatch, capfd):
    """Run `fiber-audit VERB suite.toml ARGUMENTS` in a folder with the plugin above."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "world.py").write_text(WORLD)
    (tmp_path / "mine.toml").write_text(SUITE)

    def call(*arguments, verb="check", name="mine.toml"):
        code = guarded([verb, name, *arguments, "--plugin", str(tmp_path / "world.py")])
        return Done(int(code), *capfd.readouterr())

    yield call
    sys.modules.pop("world", None)


def test_every_component_of_a_suite_has_a_row_that_is_named_as_in_the_suite(world):
    done = world("--json")

    assert {name: row["status"] for name, row in done.rows.items()} == {
        "queries": "kept",
        "extractors.eyes": "kept",
        "priors.mine": "kept",
        "samplers.free": "kept",
        "metrics[0] fiber_loss_rms": "kept",
    }
    assert done.code == 0
    assert "note" not in done.rows["priors.mine"]


def test_components_are_made_with_the_options_of_the_suite_and_tried_on_its_queries(world):
    done = world("--set", "queries.unit=100", "--set", "extractors.eyes.largest=50")

    assert done.code == 3
    assert "violated  extractors.eyes" in done.stdout
    assert "call: features() of (4, 4) float32 raised ValueError: too large" in done.stdout


def test_a_prior_that_does_not_denoise_the_queries_is_violated(world):
    done = world("--set", "priors.mine.sign=-1.0", "--json")

    assert done.code == 3
    assert done.rows["priors.mine"]["status"] == "violated"
    assert [v["name"] for v in done.rows["priors.mine"]["violations"]] == ["denoises"]
    assert done.rows["extractors.eyes"]["status"] == "kept"


def test_a_scaling_factor_that_does_not_fit_the_queries_is_told(world):
    done = world("--set", "priors.mine.scale=6.0")

    assert "denoises: real data under noise" in done.stdout
    assert "multiply by the model's scaling factor" in done.stdout


def test_missing_weights_are_skipped_with_their_sentence(world):
    done = world("--set", "priors.mine.use='world-absent'", "--json")

    assert done.code == 5  # it cannot be audited
    assert done.rows["priors.mine"] == {
        "component": "priors.mine",
        "status": "skipped",
        "violations": [
            {"name": "weights", "message": "prior.safetensors: not here; put it beside you."}
        ],
    }


def test_without_good_queries_the_others_are_tried_without_and_say_so(world):
    done = world("--set", "queries.broken=true", "--json")

    assert done.rows["queries"]["status"] == "violated"
    assert done.rows["extractors.eyes"]["status"] == "kept"
    assert done.rows["priors.mine"]["status"] == "kept"
    assert "cannot be known without data" in done.rows["priors.mine"]["note"]


def test_one_component_is_checked_without_data_and_a_prior_says_so(world):
    done = world("--set", "sign=-1.0", name="world-prior")

    assert done.code == 0
    assert "kept  prior world/world-prior" in done.stdout
    assert "prior world/world-prior: whether it denoises cannot be known" in done.stderr


def test_one_component_without_weights_is_skipped(world):
    done = world(name="world-absent")

    assert done.code == 0
    assert "skipped  prior world/world-absent" in done.stdout
    assert "weights: prior.safetensors: not here" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--set", "priors.mine.scle=2"), "priors.mine.scle = 2: no such option."),
        (("--set", "device='tpu9'"), "device = 'tpu9': not usable here"),
        (("--set", "queries.n=0"), "queries.n = 0: Input should be greater than or equal to 1"),
    ],
)
def test_a_mistake_in_the_suite_is_one_sentence(world, arguments, sentence):
    done = world(*arguments)

    assert done.code == 4
    assert done.stdout == ""
    assert sentence in done.stderr


def test_a_file_that_is_not_there_is_one_sentence(world):
    done = world(name="other.toml")

    assert done.code == 4
    assert "suite 'other.toml': no such file." in done.stderr


def test_a_shipped_suite_is_known_by_name_and_a_component_of_that_name_comes_first(capfd):
    assert guarded(["check", "fid-color-mnist", "--set", "seed='x'"]) == 4
    assert "seed = 'x'" in capfd.readouterr().err
    assert guarded(["check", "color-mnist", "--set", "n=2", "--json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert row["component"] == "dataset color-mnist/color-mnist"


@pytest.mark.parametrize("verb", ["check", "run"])
def test_what_compiled_libraries_print_cannot_break_json(world, verb):
    done = world("--json", verb=verb)

    json.loads(done.stdout)
    for words in ("points: from C", "twos: from C", "twos: called"):
        assert words in done.stderr
