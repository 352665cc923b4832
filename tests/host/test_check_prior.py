"""A prior owns all its networks: denoiser, decoder, text encoder."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from fiber_audit.check import check_component, check_prior
from fiber_audit.contracts import Prediction, Prior
from fiber_audit.errors import WeightsError
from fiber_audit.sampling import FlowSchedule, over


class Denoiser(nn.Module):
    """Half of what it sees."""

    def __init__(self):
        super().__init__()
        self.share = nn.Parameter(torch.tensor(0.5), requires_grad=False)

    def forward(self, x, t):
        return self.share * x


def linear(inputs, outputs):
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(outputs, inputs))
        layer.bias.zero_()
    return layer.eval().requires_grad_(False)


class Latent(Prior):
    """Keeps every promise: rows of 4 numbers as 3; those below break one each."""

    data_range = None
    state_shape = (3,)
    weights_sha256 = "0" * 64

    def __init__(self):
        self.network = Denoiser().eval()
        self.schedule = FlowSchedule()
        self.encoder, self.decoder = linear(4, 3), linear(3, 4)

    def predict(self, x_t, t):
        x0 = self.network(x_t, t)
        alpha, sigma = over(self.schedule.alpha(t), x_t), over(self.schedule.sigma(t), x_t)
        return Prediction(x0, (x_t - alpha * x0) / sigma)

    def encode(self, x):
        return self.encoder(x)

    def decode(self, state):
        return self.decoder(state)


class Learning(Latent):
    def __init__(self):
        super().__init__()
        self.decoder.requires_grad_(True)


class Training(Latent):
    def __init__(self):
        super().__init__()
        self.decoder = nn.Sequential(self.decoder, nn.Dropout())


class Undigested(Latent):
    weights_sha256 = ""

    def __init__(self):
        super().__init__()
        del self.network.share
        self.network.share = 0.5


class Listed(Latent):
    def __init__(self):
        super().__init__()
        self.parts = [self.decoder]
        del self.decoder

    def decode(self, state):
        return self.parts[0](state)


class Piped(Latent):
    """As of a diffusers pipeline, which is no module and has components."""

    def __init__(self):
        super().__init__()
        self.pipe = SimpleNamespace(components={"vae": self.decoder, "scheduler": None})
        del self.decoder

    def decode(self, state):
        return self.pipe.components["vae"](state)


class ByMethod(Latent):
    def __init__(self):
        super().__init__()
        self.paint = self.decoder.forward
        del self.decoder

    def decode(self, state):
        return self.paint(state)


class Headless(Latent):
    modules = property(lambda self: {"decoder": self.decoder})


class Misnamed(Latent):
    modules = property(lambda self: [self.network])


class Anchored(Latent):
    """Its `to` forgets the decoder."""

    def to(self, device):
        self.network.to(device)
        self.encoder.to(device)
        return self


class LooseMean(Latent):
    def __init__(self):
        super().__init__()
        self.mean = torch.ones(4)

    def encode(self, x):
        return self.encoder(x - self.mean)


class HomeSick(Latent):
    def predict(self, x_t, t):
        found = super().predict(x_t, t)
        return Prediction(found.x0 + torch.zeros(3), found.eps)


class Sampled(Latent):
    def encode(self, x):
        mean = super().encode(x)
        return mean + 1e-3 * torch.randn_like(mean)


BAD = {
    Learning: ("frozen", "decoder: 2 parameters require a gradient"),
    Training: ("eval-mode", "decoder: the network is in training mode"),
    Undigested: ("digest", "encoder: weights_sha256 is empty"),
    Listed: ("modules", "parts.0 is a network that modules does not name"),
    Piped: ("modules", "pipe.vae is a network that modules does not name"),
    ByMethod: ("modules", "paint is a network that modules does not name"),
    Headless: ("modules", "modules does not name network"),
    Misnamed: ("modules", "modules must map names to torch modules"),
    Anchored: ("device", "moved to another device, decode() stays behind"),
    LooseMean: ("device", "moved to another device, encode() stays behind"),
    HomeSick: ("device", "moved to another device, predict() stays behind"),
    Sampled: ("deterministic", "two calls differ of encode(); take the mode"),
}


def test_a_prior_of_several_networks_that_keeps_the_contract_has_no_violation():
    assert check_prior(Latent()) == []


def test_a_network_that_is_named_may_be_held_in_a_list_too():
    prior = Latent()
    prior.parts = [prior.decoder, SimpleNamespace(components={"vae": prior.encoder})]

    assert check_prior(prior) == []


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_each_network_that_a_prior_does_not_look_after_is_told_by_name(bad):
    found = {violation.name: violation.message for violation in check_prior(bad())}
    name, words = BAD[bad]

    assert words in found[name]
    assert all("\n" not in message and message.endswith(".") for message in found.values())


@pytest.mark.parametrize("bad", [Learning, Training, Undigested, LooseMean, HomeSick, Sampled])
def test_a_violation_comes_alone(bad):
    assert [violation.name for violation in check_prior(bad())] == [BAD[bad][0]]


def test_a_prior_that_cannot_be_copied_or_moved_is_not_accused():
    prior = Latent()
    prior.lock = (each for each in range(3))  # a generator cannot be copied

    assert check_prior(prior) == []


def test_checking_changes_nothing_of_a_prior():
    prior = Latent()
    before = {name: module.state_dict() for name, module in prior.modules.items()}
    state = torch.get_rng_state()
    check_prior(prior, torch.randn(8, 4, generator=torch.Generator().manual_seed(0)))

    assert torch.equal(torch.get_rng_state(), state)
    for name, module in prior.modules.items():
        for key, value in module.state_dict().items():
            assert value.device.type == "cpu"
            assert torch.equal(value, before[name][key])


def test_missing_weights_are_no_broken_promise():
    def missing():
        raise WeightsError("vae.safetensors: not here; put it beside you.")

    (violation,) = check_component("prior", missing)

    assert str(violation) == "weights: vae.safetensors: not here; put it beside you."


@pytest.mark.parametrize("data", [None, torch.rand(8, 4)], ids=["without data", "with data"])
def test_a_decoder_that_raises_is_told_with_data_and_without(data):
    prior = Latent()
    prior.decode = lambda state: state / torch.zeros(2)
    found = {violation.name: violation.message for violation in check_prior(prior, data)}

    assert found["decode"].startswith("it raised RuntimeError: ")
    assert ("data" in found) == (data is not None)


def test_no_data_are_like_none():
    assert check_prior(Latent(), torch.rand(0, 4)) == []
