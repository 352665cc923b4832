"""The differentiable Inceptions are the published ones; and where the two graphs part."""

from __future__ import annotations

import io
from functools import cache
from types import SimpleNamespace

import pytest
import torch
import torchvision
from fiber_audit_fid import checkpoints
from fiber_audit_fid.inception_tf import InceptionTF, graph
from fiber_audit_fid.inception_torchvision import InceptionTorchvision, cropped
from fiber_audit_fid.resize import resized
from torch.nn import functional as F
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torchvision.models import inception
from torchvision.transforms import CenterCrop

from fiber_audit.contracts import Extractor
from fiber_audit.errors import UsageError


class Unloaded(FeatureExtractorInceptionV3):
    """torch-fidelity's network without the checkpoint that its constructor insists on."""

    built = False

    def load_state_dict(self, state):
        return super().load_state_dict(state) if self.built else None


@cache
def peer(layer: str = "2048", seed: int = 0) -> Unloaded:
    """torch-fidelity's network with random weights."""
    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    found = Unloaded("peer", [layer], feature_extractor_weights_path=empty)
    found.built = True
    checkpoints.fill_random(found, seed)
    return found


@pytest.fixture(scope="module")
def tf() -> Extractor:
    return InceptionTF(weights="random")


@pytest.fixture(scope="module")
def vision() -> Extractor:
    return InceptionTorchvision(weights="random")


def images(height: int, width: int, n: int = 2) -> torch.Tensor:
    """Smooth 8-bit images, as photographs are."""
    generator = torch.Generator().manual_seed(height)
    noise = torch.randint(0, 256, (n, 3, height, width), generator=generator).float()
    return F.avg_pool2d(noise, 5, 1, 2).to(torch.uint8)


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize(
    "size", [(28, 28), pytest.param((299, 299), marks=pytest.mark.slow), (320, 256)]
)
def test_the_tf_float_path_is_torch_fidelitys_own_on_8_bit_images(tf, size):
    x = images(*size)
    with torch.no_grad():
        (wanted,) = peer()(x)
        found = tf.features(x.float() / 255)

    assert relative(found, wanted) < 1e-4


@pytest.mark.parametrize("layer", ["64", "192", "768"])
def test_the_other_layers_are_torch_fidelitys_too(layer):
    x = images(40, 40)
    with torch.no_grad():
        (wanted,) = peer(layer)(x)
        found = InceptionTF(weights="random", layer=layer).features(x.float() / 255)

    assert found.shape == (2, int(layer))
    assert relative(found, wanted) < 1e-4


@pytest.mark.parametrize(
    "size",
    [
        (28, 28),
        (400, 301),
        *(pytest.param(size, marks=pytest.mark.slow) for size in ((342, 342), (700, 500))),
    ],
)
def test_the_torchvision_float_path_is_its_own_transform_and_model_on_8_bit_images(vision, size):
    network = torchvision.models.inception_v3(
        weights=None, init_weights=False, aux_logits=False, transform_input=True
    ).eval()
    checkpoints.fill_random(network, seed=0)
    network.fc = torch.nn.Identity()
    published = torchvision.models.Inception_V3_Weights.IMAGENET1K_V1.transforms()
    x = images(*size)
    with torch.no_grad():
        wanted = network(published(x))
        found = vision.features(x.float() / 255)

    assert relative(found, wanted) < 1e-4


def test_the_papers_variant_is_the_plain_model_on_unit_images(vision):
    variant = InceptionTorchvision(weights="random", preprocessing="unit")
    x = images(64, 64).float() / 255
    with torch.no_grad():
        wanted = vision.network.inception(F.interpolate(x, (299, 299), mode="bilinear"))
        found = variant.features(x)

    assert relative(found, wanted) < 1e-6
    assert relative(vision.features(x), wanted) > 1e-2


def test_both_pass_gradients_to_the_input_per_sample(tf, vision):
    for extractor in (tf, vision):
        x = (images(32, 32).float() / 255).requires_grad_()
        (both,) = torch.autograd.grad(extractor.features(x).square().sum(), x)
        alone = x[:1].detach().requires_grad_()
        (one,) = torch.autograd.grad(extractor.features(alone).square().sum(), alone)

        assert both.isfinite().all()
        assert (both[..., 1:-1, 1:-1] != 0).float().mean() > 0.99  # one crops the border away
        assert relative(both[:1], one) < 1e-3


def test_the_gradient_is_the_slope_of_the_float_path():
    network = InceptionTF(weights="random", layer="192").network.double()
    x = images(32, 32, 1).double() / 255
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).double()
    direction /= direction.norm()
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(leaf).sum(), leaf)
    with torch.no_grad():
        up, down = (network(x + step * direction).sum() for step in (1e-5, -1e-5))

    assert float((up - down) / 2e-5) == pytest.approx(float((gradient * direction).sum()), rel=1e-3)


def test_with_its_pools_changed_the_torchvision_graph_is_the_tf_graph(tf, monkeypatch):
    """Same weights, same input: what is left of the difference is the pools, and nothing else."""
    tf_blocks = tf.network.blocks
    names = [name for name, _ in tf_blocks.named_children() if "ool" not in name and name != "flat"]
    state = {
        f"{name}.{key}": value
        for name in names
        for key, value in getattr(tf_blocks, name).state_dict().items()
    }
    twin = torchvision.models.inception_v3(weights=None, init_weights=False, aux_logits=False)
    twin.fc = torch.nn.Identity()
    twin.load_state_dict(state)
    twin.eval().transform_input = False
    x = 2 * images(299, 299, 1).float() / 255 - 1
    calls = []

    def without_padding(x, kernel_size, stride, padding):
        calls.append(1)
        if len(calls) == 9:  # the pool of the last block, Mixed_7c
            return F.max_pool2d(x, kernel_size, stride, padding)
        return F.avg_pool2d(x, kernel_size, stride, padding, count_include_pad=False)

    with torch.no_grad():
        wanted, plain = tf_blocks(x), twin(x)
        patched = SimpleNamespace(**{**vars(F), "avg_pool2d": without_padding})
        monkeypatch.setattr(inception, "F", patched)
        same = twin(x)

    assert relative(plain, wanted) > 0.05
    assert relative(same, wanted) < 1e-5
    assert len(calls) == 9


def test_the_tf_network_has_1008_classes_and_torchvisions_1000():
    assert peer().fc.out_features == 1008
    assert torchvision.models.inception_v3(weights=None, init_weights=False).fc.out_features == 1000


def test_tf1_resize_has_no_half_pixel_centres():
    """Doubling a ramp: TF1 repeats samples from the corner on, half-pixel centres straddle them."""
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    tf1 = resized(ramp, (8, 8), "tf1")[0, 0, 0]
    centred = resized(ramp, (8, 8), "bilinear")[0, 0, 0]

    assert tf1.tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3]
    assert centred.tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]


def test_only_the_filter_keeps_a_shrunk_checkerboard_gray():
    board = ((torch.arange(64)[:, None] + torch.arange(64)) % 2).float()[None, None]
    aliased, filtered = (resized(board, (9, 9), how) for how in ("bilinear", "antialias"))

    assert filtered.std() < 0.05 < aliased.std()


def test_the_blocks_have_the_names_and_shapes_of_the_published_checkpoint():
    theirs, ours = peer().state_dict(), graph("2048").state_dict()

    assert {k: v.shape for k, v in theirs.items() if not k.startswith("fc.")} == {
        k: v.shape for k, v in ours.items()
    }


def test_the_crop_is_torchvisions():
    for height, width in ((342, 342), (342, 455), (343, 344), (299, 300)):
        x = torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(0))

        assert torch.equal(cropped(x), CenterCrop(299)(x))


def test_rounding_shows_a_float_image_as_its_8_bit_file():
    rounded = InceptionTF(weights="random", rounded=True, layer="64")
    plain = InceptionTF(weights="random", layer="64")
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    saved = (x * 255).round() / 255

    assert torch.allclose(rounded.features(x), plain.features(saved), rtol=1e-5, atol=1e-6)
    assert not torch.allclose(plain.features(x), plain.features(saved), rtol=1e-5, atol=1e-6)


def test_gray_images_are_seen_in_three_channels_and_tables_are_refused(tf):
    gray = images(32, 32, 1).float()[:, :1] / 255
    small = InceptionTF(weights="random", layer="64")

    assert torch.equal(small.features(gray), small.features(gray.repeat(1, 3, 1, 1)))
    with pytest.raises(UsageError, match=r"sees images .* not \(4, 8\)"):
        tf.features(torch.zeros(4, 8))
