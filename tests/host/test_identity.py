"""Change anything that a draw depends on, run again: exactly those draws are drawn anew."""

from dataclasses import replace
from pathlib import Path

import pytest

from fiber_audit._run import Options, forecast, run
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.identity import difference
from fiber_audit._suite.read import read

WORLD = """
import torch
from torch import nn
from fiber_audit import hookimpl
from fiber_audit.contracts import Dataset, Extractor, Metric, Sampler, Statistic
from fiber_audit.sampling import finish, unguided
from fiber_audit.testing import GaussianPrior

class Pixels(Dataset):
    data_shape = (1, 4, 4)
    ids = ("a", "b", "c")
    def __init__(self):
        self.images = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
        self.images[1] += {shift}
    def load(self, indices):
        return self.images[list(indices)].clamp(0, 1)

class Net(nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :{size}] * {gain}

class Seen(Extractor):
    feature_size = {size}
    def __init__(self):
        self.network = Net()
    def features(self, x):
        return self.network(x)

class Images(GaussianPrior):
    def __init__(self):
        super().__init__(torch.zeros(16), torch.eye(16))
        self.data_range = (0.0, 1.0)
    def decode(self, state):
        return state.reshape(-1, 1, 4, 4)
    def encode(self, x):
        return x.flatten(1)

class Mover(Sampler):
    def __init__(self, *, share: float = {default}):
        self.share = share
    def sample(self, problem, noise):
        x = unguided(problem.prior, noise, 5).clone()
        x[:, :{size}] += self.share * (problem.targets - x[:, :{size}])
        return finish(problem, x)

class Mean(Metric):
    axis, better = "fidelity", ""
    def observe(self, block):
        return {{"mean": block.data.flatten(1).mean(1) * {scale}}}
    def summarise(self, seen):
        return [Statistic(float(seen.draws("mean").mean()), n=3)]

@hookimpl
def fiber_audit_datasets(): return {{"pixels": Pixels}}
@hookimpl
def fiber_audit_extractors(): return {{"seen": Seen}}
@hookimpl
def fiber_audit_priors(): return {{"images": Images}}
@hookimpl
def fiber_audit_samplers(): return {{"mover": Mover}}
@hookimpl
def fiber_audit_metrics(): return {{"mean_pixel": Mean}}
"""
FIRST = {"shift": 0.0, "size": 2, "gain": 1.0, "default": 1.0, "scale": 1.0}
SUITE = """
name = "world"
draws = 2
metrics = ["mean_pixel"]
[queries]
use = "pixels"
[extractors.seen]
[priors.images]
[samplers.mover]
"""


@pytest.fixture
def world(tmp_path, pageless):
    """Run the world with some of its code changed; returns (to draw, to observe) by audit."""
    suite = tmp_path / "suite.toml"
    suite.write_text(SUITE)

    def go(number, settings=(), **changes):
        folder = tmp_path / f"version{number}"
        folder.mkdir()
        path = folder / "world.py"
        path.write_text(WORLD.format(**{**FIRST, **changes}))
        catalogue = Catalogue.load(extra=[str(path)])
        options = Options(tmp_path / "run")
        resolved = read(str(suite), catalogue, settings)
        told = {f.name: f for f in forecast(resolved, catalogue, options)}
        done = run(resolved, catalogue, options)
        assert done.failed == 0, done.records["message"].dropna().tolist()
        after = forecast(resolved, catalogue, options)
        assert [f.to_draw + f.to_observe for f in after] == [0, 0]
        return told, done

    return go


TOY = str(Path(__file__).with_name("toy.py"))
AUDIT, FREE = "seen/images/mover", "unguided/images"


def test_nothing_changed_nothing_is_drawn(world):
    world(1)
    told, _ = world(2)

    assert told[AUDIT].to_draw == told[AUDIT].to_observe == told[FREE].to_draw == 0


@pytest.mark.parametrize(
    "change", [{"gain": 2.0}, {"default": 0.5}, {"size": 3}], ids=["source", "default", "size"]
)
def test_a_change_of_code_or_of_a_default_draws_anew(world, change):
    world(1)
    told, second = world(2, **change)

    assert told[AUDIT].to_draw == 6
    assert told[AUDIT].why != ()
    assert second.records["run_id"].notna().all()


def test_an_option_that_is_given_like_its_default_changes_nothing(world):
    world(1)
    told, _ = world(2, ["samplers.mover.share=1.0"])

    assert told[AUDIT].to_draw == 0


def test_one_changed_input_draws_its_own_draws_anew_and_no_others(toy_suite, tmp_path):
    catalogue = Catalogue.load(extra=[TOY])
    suite, options = read(str(toy_suite()), catalogue), Options(tmp_path / "inputs")
    run(suite, catalogue, options)
    data = catalogue.find("dataset", "toy-points").factory(n=5)
    data.data[3, 2] += 0.5
    catalogue.components = [c for c in catalogue if c.name != "toy-points"] + [
        replace(catalogue.find("dataset", "toy-points"), offer=lambda *, n=5, scale=1.0: data)
    ]
    free, audit = forecast(suite, catalogue, options)

    assert (free.to_draw, audit.to_draw) == (3, 3)
    assert audit.why == ("1 queries changed, e.g. 'point-3'",)


def test_a_plugin_of_another_version_draws_anew(toy_suite, tmp_path):
    suite = toy_suite()
    catalogue = Catalogue.load(extra=[TOY])
    options = Options(tmp_path / "versions")
    run(read(str(suite), catalogue), catalogue, options)
    newer = Catalogue(
        [replace(c, version="2.0") if c.name == "toy-projecting" else c for c in catalogue]
    )
    (free, audit) = forecast(read(str(suite), newer), newer, options)

    assert (free.to_draw, audit.to_draw) == (0, 15)
    assert audit.why == ("samplers.proj.version:  -> 2.0",)


def test_what_changed_is_told_part_by_part():
    before = {"samplers.a.options": '{"steps": 1}', "samplers.a.code": "x", "seed": "0"}
    now = {"samplers.a.options": '{"steps": 2}', "samplers.a.code": "y", "seed": "0"}

    assert difference(before, now) == ["samplers.a.code changed", "samplers.a.steps: 1 -> 2"]


def test_images_in_8_bits_are_scored_as_kept_and_the_priors_own_draws_are_not_stored(world):
    _, exact = world(1, ["keep='float32'"])
    told, kept = world(2, ["keep='uint8'"])

    assert told[AUDIT].why == ("keep: float32 -> uint8",)
    assert told[FREE].to_draw == 0
    assert list((kept.path / "units").glob("unguided_images-*")) != []  # of the first run
    values = [d.records["value"].iloc[0] for d in (exact, kept)]
    assert values[0] != values[1]
    assert values[0] == pytest.approx(values[1], abs=1 / 255)
