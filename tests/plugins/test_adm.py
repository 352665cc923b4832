"""ADM checkpoints: diffusers' network computes what guided-diffusion's does, and so does the prior.

The reference below is the architecture of Dhariwal and Nichol (2021), written from its description
with the published names of its weights.
"""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from diffusers import DDPMScheduler
from fiber_audit_diffusers.adm import AdmPrior
from fiber_audit_diffusers.adm_keys import Layout
from torch import nn
from torch.nn import functional as F

from fiber_audit import UsageError, WeightsError
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.check import check_component
from fiber_audit.sampling import Noise, unguided

HEAD = 16


def norm(channels):
    return nn.GroupNorm(32, channels)


class Residual(nn.Module):
    """Norm, activation, convolution, twice; time scales and shifts the second norm."""

    def __init__(self, inputs, outputs, embedding, change=None, scale_shift=True):
        super().__init__()
        self.change, self.scale_shift = change, scale_shift
        self.in_layers = nn.Sequential(
            norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(
            nn.SiLU(), nn.Linear(embedding, 2 * outputs if scale_shift else outputs)
        )
        self.out_layers = nn.Sequential(
            norm(outputs), nn.SiLU(), nn.Dropout(0), nn.Conv2d(outputs, outputs, 3, padding=1)
        )
        if inputs != outputs:
            self.skip_connection = nn.Conv2d(inputs, outputs, 1)

    def resized(self, x):
        if self.change == "up":
            return F.interpolate(x, scale_factor=2, mode="nearest")
        return F.avg_pool2d(x, 2) if self.change == "down" else x

    def forward(self, x, embedding):
        h = self.in_layers[2](self.resized(self.in_layers[:2](x)))
        time = self.emb_layers(embedding)[:, :, None, None]
        if self.scale_shift:
            scale, shift = time.chunk(2, dim=1)
            h = self.out_layers[1:](self.out_layers[0](h) * (1 + scale) + shift)
        else:
            h = self.out_layers(h + time)
        skip = self.resized(x)
        return h + (self.skip_connection(skip) if hasattr(self, "skip_connection") else skip)


class SelfAttention(nn.Module):
    """Over all places, with heads of HEAD channels; q, k and v come from one convolution."""

    def __init__(self, channels, order):
        super().__init__()
        self.order, self.norm = order, norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x, embedding):
        n, c, *size = x.shape
        flat = x.reshape(n, c, -1)
        qkv = self.qkv(self.norm(flat))
        if self.order == "legacy":  # of each head in turn
            q, k, v = qkv.reshape(n, c // HEAD, 3, HEAD, -1).unbind(2)
        else:
            q, k, v = qkv.reshape(n, 3, c // HEAD, HEAD, -1).unbind(1)
        weights = torch.einsum("nhct,nhcs->nhts", q, k / math.sqrt(HEAD)).softmax(dim=-1)
        found = torch.einsum("nhts,nhcs->nhct", weights, v).reshape(n, c, -1)
        return (flat + self.proj_out(found)).reshape(n, c, *size)


class Block(nn.ModuleList):
    """Layers in turn; those that look at the time are given it."""

    def forward(self, x, embedding):
        for layer in self:
            x = layer(x) if isinstance(layer, nn.Conv2d) else layer(x, embedding)
        return x


class Reference(nn.Module):
    """The network of guided-diffusion with resblock_updown and learn_sigma."""

    def __init__(
        self, widths=(32, 32, 64), attends=(False, True, True), layers=1, classes=0,
        order="legacy", scale_shift=True, outputs=6,
    ):  # fmt: skip
        super().__init__()
        base, embedding = widths[0], 4 * widths[0]
        self.base = base
        self.time_embed = nn.Sequential(
            nn.Linear(base, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        if classes:
            self.label_emb = nn.Embedding(classes, embedding)

        def residual(inputs, outputs, change=None):
            return Residual(inputs, outputs, embedding, change, scale_shift)

        self.input_blocks = nn.ModuleList([Block([nn.Conv2d(3, base, 3, padding=1)])])
        channels, kept = base, [base]
        for level, width in enumerate(widths):
            for _ in range(layers):
                block = [residual(channels, width)]
                channels = width
                if attends[level]:
                    block.append(SelfAttention(width, order))
                self.input_blocks.append(Block(block))
                kept.append(width)
            if level < len(widths) - 1:
                self.input_blocks.append(Block([residual(width, width, "down")]))
                kept.append(width)
        self.middle_block = Block(
            [residual(channels, channels), SelfAttention(channels, order),
             residual(channels, channels)]
        )  # fmt: skip
        self.output_blocks = nn.ModuleList()
        for level, width in reversed([*enumerate(widths)]):
            for i in range(layers + 1):
                block = [residual(channels + kept.pop(), width)]
                channels = width
                if attends[level]:
                    block.append(SelfAttention(width, order))
                if level and i == layers:
                    block.append(residual(width, width, "up"))
                self.output_blocks.append(Block(block))
        self.out = nn.Sequential(norm(base), nn.SiLU(), nn.Conv2d(base, outputs, 3, padding=1))

    def forward(self, x, steps, labels=None):
        frequencies = torch.exp(-math.log(10000) * torch.arange(self.base // 2) / (self.base // 2))
        angles = steps[:, None].float() * frequencies
        embedding = self.time_embed(torch.cat([angles.cos(), angles.sin()], dim=1))
        if labels is not None:
            embedding = embedding + self.label_emb(labels)
        kept = []
        for block in self.input_blocks:
            x = block(x, embedding)
            kept.append(x)
        x = self.middle_block(x, embedding)
        for block in self.output_blocks:
            x = block(torch.cat([x, kept.pop()], dim=1), embedding)
        return self.out(x)


def reference(**changes):
    """A reference with random weights, none of them zero."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Reference(**changes).eval().requires_grad_(False)
        for name, value in network.named_parameters():
            if value.ndim == 1:
                value.add_(0.1 * torch.randn_like(value))
            elif "qkv" in name:
                value.mul_(2)
    return network


@pytest.fixture
def saved(tmp_path):
    """The path of a checkpoint of a reference."""

    def save(network, name="adm.pt"):
        path = tmp_path / name
        torch.save(network.state_dict(), path)
        return str(path)

    return save


def states(n=2, size=16):
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(1))


STEPS = torch.tensor([3, 700])
VARIANTS = [
    {},
    {"order": "new"},
    {"layers": 2},
    {"widths": (32, 64, 96, 96), "attends": (False, False, True, True)},
    {"widths": (64, 64), "attends": (False, False), "layers": 2},
    {"widths": (32,), "attends": (True,)},
    {"scale_shift": False},
    {"outputs": 3},
]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: ",".join(v) or "as published")
def test_diffusers_network_computes_what_guided_diffusions_does(saved, variant):
    ours = reference(**variant)
    order = variant.get("order", "legacy")
    prior = AdmPrior(saved(ours), size=16, head_channels=HEAD, attention=order)
    found = prior.network(states(), STEPS).sample

    assert found.std() > 0.1
    torch.testing.assert_close(found, ours(states(), STEPS), rtol=1e-4, atol=1e-5)


def test_of_classes_one_is_drawn(saved):
    ours = reference(classes=5)
    prior = AdmPrior(saved(ours), size=16, head_channels=HEAD, label=3)
    t = (STEPS + 1) / 1000

    eps = ours(states(), STEPS, torch.tensor([3, 3]))[:, :3]
    torch.testing.assert_close(prior.predict(states(), t).eps, eps, rtol=1e-4, atol=1e-5)


def test_heads_in_the_other_order_are_another_network(saved):
    path = saved(reference())
    legacy, new = (
        AdmPrior(path, size=16, head_channels=HEAD, attention=order) for order in ("legacy", "new")
    )
    x, t = states(), (STEPS + 1) / 1000

    assert (legacy.predict(x, t).eps - new.predict(x, t).eps).std() > 1e-3
    assert legacy.weights_sha256 != new.weights_sha256


def test_the_variance_is_dropped_and_the_schedule_is_the_linear_one(saved):
    ours = reference()
    prior = AdmPrior(saved(ours), size=16, head_channels=HEAD)
    x0, eps = prior.predict(states(), (STEPS + 1) / 1000)
    abar = torch.tensor(1.0, dtype=torch.float64)
    for step in range(701):
        abar = abar * (1 - (1e-4 + step * (0.02 - 1e-4) / 999))

    torch.testing.assert_close(eps, ours(states(), STEPS)[:, :3], rtol=1e-4, atol=1e-5)
    rebuilt = abar.sqrt() * x0[1] + (1 - abar).sqrt() * eps[1]
    torch.testing.assert_close(rebuilt.float(), states()[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("noise", "name"), [("linear", "linear"), ("cosine", "squaredcos_cap_v2")])
def test_a_schedule_of_that_name_is_the_librarys_and_another_identity(saved, noise, name):
    path = saved(reference())
    prior = AdmPrior(path, size=16, head_channels=HEAD, noise=noise)
    abar = DDPMScheduler(beta_schedule=name).alphas_cumprod.double()
    t = torch.arange(1, 1001).double() / 1000

    torch.testing.assert_close(prior.schedule.alpha(t) ** 2, abar, rtol=2e-4, atol=1e-7)
    other = AdmPrior(
        path, size=16, head_channels=HEAD, noise="linear" if noise == "cosine" else "cosine"
    )
    assert prior.weights_sha256 != other.weights_sha256
    assert (prior.schedule.alpha(t) - other.schedule.alpha(t)).abs().max() > 0.1
    assert noise in prior.facts["noise"]


def test_unguided_it_draws_what_ddim_draws_with_the_reference(saved):
    ours = reference()
    prior = AdmPrior(saved(ours), size=16, head_channels=HEAD)
    noise = [Noise([4, 5]) for _ in range(2)]
    found = unguided(prior, noise[0], steps=4)

    times = prior.schedule.times(4)
    x = noise[1].normal((3, 16, 16)) * prior.schedule.sigma(times[0]).float()
    for t, s in pairwise(times):
        step = prior.schedule.index(t).expand(2)
        alpha, sigma = (f(t).float() for f in (prior.schedule.alpha, prior.schedule.sigma))
        x0 = ((x - sigma * ours(x, step)[:, :3]) / alpha).clamp(-1, 1)
        eps = (x - alpha * x0) / sigma
        x = prior.schedule.alpha(s).float() * x0 + prior.schedule.sigma(s).float() * eps
    torch.testing.assert_close(found, x, rtol=1e-4, atol=1e-4)


def test_it_keeps_the_contract(saved):
    options = {"path": saved(reference()), "size": 16, "head_channels": HEAD}
    factory = Catalogue.load().find("prior", "adm").factory

    assert factory is AdmPrior
    assert check_component("prior", factory, options) == []


def test_in_half_precision_it_is_nearly_the_same_and_another_identity(saved):
    path = saved(reference())
    full = AdmPrior(path, size=16, head_channels=HEAD)
    half = AdmPrior(path, size=16, head_channels=HEAD, dtype="bfloat16")
    x, t = states(), (STEPS + 1) / 1000
    eps = half.predict(x, t).eps

    assert eps.dtype == torch.float32
    assert (eps - full.predict(x, t).eps).std() < 0.05 * eps.std()
    assert full.weights_sha256 != half.weights_sha256


def test_weights_of_safetensors_are_the_same_weights(saved, tmp_path):
    from safetensors.torch import save_file

    network = reference()
    save_file(network.state_dict(), tmp_path / "adm.safetensors")
    one, other = (
        AdmPrior(path, size=16, head_channels=HEAD)
        for path in (saved(network), str(tmp_path / "adm.safetensors"))
    )

    assert one.weights_sha256 == other.weights_sha256


def test_making_it_draws_no_global_random_numbers(saved):
    path = saved(reference())
    before = torch.get_rng_state()
    AdmPrior(path, size=16, head_channels=HEAD)

    assert torch.equal(torch.get_rng_state(), before)


def test_the_published_networks_are_read_from_their_shapes():
    """The unconditional 256 x 256 model: shapes only, on the meta device."""
    with torch.device("meta"):
        network = Reference(
            widths=(256, 256, 512, 512, 1024, 1024),
            attends=(False, False, False, True, True, True),
            layers=2,
        )
    layout = Layout.of(network.state_dict())

    assert layout.widths == (256, 256, 512, 512, 1024, 1024)
    assert layout.attends == (False, False, False, True, True, True)
    assert (layout.layers, layout.channels, layout.outputs, layout.classes) == (2, 3, 6, 0)
    assert sum(value.numel() for value in network.parameters()) == 552_814_086


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"size": 18}, UsageError, "size = 18: this network needs a multiple of 4"),
        ({"head_channels": 24}, UsageError, "head_channels = 24: does not divide the width 32"),
        ({"label": 0}, UsageError, "label = 0: this network has no classes"),
        ({"path": "~nobody-of-this-name/a.pt"}, WeightsError, "there is no such home folder"),
        ({"path": "no.pt"}, WeightsError, "'no.pt': no such file; download a checkpoint"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(saved, options, error, words):
    given = {"path": saved(reference()), "size": 16, "head_channels": HEAD, **options}

    with pytest.raises(error, match=words.replace("(", r"\(")) as raised:
        AdmPrior(**given)
    assert "\n" not in str(raised.value)


def test_a_network_of_classes_needs_one_that_it_has(saved):
    path = saved(reference(classes=5))

    with pytest.raises(UsageError, match="the network is of 5 classes; give a label"):
        AdmPrior(path, size=16, head_channels=HEAD)
    with pytest.raises(UsageError, match="label = 5: this network is of 5 classes"):
        AdmPrior(path, size=16, head_channels=HEAD, label=5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: {}, "no blocks like ADM's"),
        (lambda w: {"state_dict": w}, "no state_dict; save only the weights"),
        (lambda w: {k: v for k, v in w.items() if "middle" not in k}, "of an attention; give ADM"),
        (
            lambda w: {k: v for k, v in w.items() if k != "out.2.bias"},
            "does not fit",
        ),
        (lambda w: {**w, "head.weight": torch.ones(1)}, "head.weight has no place in UNet2DModel"),
        (lambda w: {**w, "out.2.weight": torch.ones(7, 32, 3, 3)}, "takes 3 channels and gives 7"),
        (
            lambda w: {**w, "input_blocks.0.0.weight": torch.ones(32, 6, 3, 3)},
            "takes 6 channels and gives 6; give a diffusion model, not an upsampler",
        ),
    ],
)
def test_weights_of_something_else_are_one_sentence(tmp_path, change, words):
    path = tmp_path / "other.pt"
    torch.save(change(reference().state_dict()), path)

    with pytest.raises(WeightsError, match=words) as raised:
        AdmPrior(str(path), size=16, head_channels=HEAD)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_checkpoint_is_one_sentence(tmp_path):
    for name in ("broken.pt", "broken.safetensors"):
        path = tmp_path / name
        path.write_bytes(b"these are no weights")
        with pytest.raises(WeightsError, match="state_dict") as raised:
            AdmPrior(str(path), size=16)
        assert "\n" not in str(raised.value)
