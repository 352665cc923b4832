"""torch-fidelity, both ways: same features, same numbers, no trace left in its registry."""

from __future__ import annotations

import pytest
import torch
import torch_fidelity
from fiber_audit_fid import checkpoints
from fiber_audit_fid.fidelity_bridge import register, registered
from fiber_audit_fid.fidelity_extractor import TorchFidelityExtractor
from fiber_audit_fid.fidelity_weights import published
from fiber_audit_fid.frechet import frechet_distance
from fiber_audit_fid.inception_tf import InceptionTF, graph
from torch import Tensor, nn
from torch_fidelity import feature_extractor_inceptionv3
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from fiber_audit.contracts import Extractor
from fiber_audit.errors import UnknownName, UsageError, WeightsError


class Means(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean((2, 3)), x.square().mean((2, 3))], 1)


class MeansExtractor(Extractor):
    feature_size = 6

    def __init__(self) -> None:
        self.network = Means()

    def features(self, x: Tensor) -> Tensor:
        return self.network(x)


class Strict(FeatureExtractorBase):
    """A stranger's extractor that insists on 8 bits in its own words."""

    def __init__(self, name: str, features_list: list[str], **options: object) -> None:
        super().__init__(name, features_list)

    def forward(self, image: Tensor) -> tuple[Tensor]:
        assert image.dtype == torch.uint8
        return (image.float().mean((2, 3)),)

    @staticmethod
    def get_provided_features_list() -> tuple[str]:
        return ("mean",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "mean"


class Images(torch.utils.data.Dataset):
    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.data = torch.randint(0, 256, (40, 3, 8, 8), generator=generator).to(torch.uint8)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> Tensor:
        return self.data[index]


@pytest.fixture
def strict():
    FEATURE_EXTRACTORS_REGISTRY["strict"] = Strict
    yield "strict"
    del FEATURE_EXTRACTORS_REGISTRY["strict"]


def test_calculate_metrics_computes_with_a_fiber_audit_extractor():
    first, second = Images(0), Images(1)
    with registered("means", MeansExtractor):
        found = torch_fidelity.calculate_metrics(
            input1=first, input2=second, feature_extractor="means", cuda=False, fid=True, kid=True,
            prc=True, kid_subset_size=20, verbose=False, save_cpu_ram=True, cache=False,
        )  # fmt: skip
    features = [MeansExtractor().features(s.data.float() / 255) for s in (first, second)]

    assert found["frechet_inception_distance"] == pytest.approx(
        frechet_distance(*features), rel=1e-6
    )
    assert {"kernel_inception_distance_mean", "precision", "recall"} <= set(found)
    assert "means" not in FEATURE_EXTRACTORS_REGISTRY


def test_the_classes_of_plugins_register_as_they_are():
    def make():
        return InceptionTF(weights="random", layer="64")

    with registered("random-inception", make):
        kind = FEATURE_EXTRACTORS_REGISTRY["random-inception"]
        network = kind("random-inception", ["features"], cuda=False)
        (features,) = network(torch.zeros(2, 3, 28, 28, dtype=torch.uint8))

    assert features.shape == (2, 64)


def test_a_name_that_is_taken_or_odd_is_refused_in_one_sentence():
    with pytest.raises(UsageError, match="has an extractor 'vgg16' already"):
        register("vgg16", MeansExtractor)
    with pytest.raises(UsageError, match=r"name = 'a/b': .*path delimiters"):
        register("a/b", MeansExtractor)


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory):
    """A checkpoint of torch-fidelity's Inception with random weights."""
    blocks = graph("2048")
    blocks.add_module("fc", nn.Linear(2048, 1008))
    checkpoints.fill_random(blocks, seed=0)
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(blocks.state_dict(), path)
    return path


def test_torch_fidelitys_inception_is_differentiable_here_and_equals_ours(random_weights):
    name = "inception-v3-compat"
    bridged = TorchFidelityExtractor(name=name, layer="64", weights=str(random_weights))
    ours = InceptionTF(weights="random", layer="64")
    plain = FEATURE_EXTRACTORS_REGISTRY[name](
        name, ["64"], feature_extractor_weights_path=str(random_weights)
    )
    generator = torch.Generator().manual_seed(0)
    x = (torch.randint(0, 256, (2, 3, 32, 32), generator=generator) / 255).requires_grad_()
    features = bridged.features(x)
    (gradient,) = torch.autograd.grad(features.sum(), x)

    assert bridged.differentiable
    assert bridged.feature_size == 64
    assert torch.allclose(features, ours.features(x), rtol=1e-4, atol=1e-5)
    assert torch.allclose(features.detach(), plain((x * 255).round().to(torch.uint8))[0], rtol=1e-4)
    assert (gradient != 0).any()


def test_their_own_networks_still_insist_on_8_bits(random_weights):
    """Floats are let through in one instance; their module and other instances stay as they are."""
    name = "inception-v3-compat"
    theirs = feature_extractor_inceptionv3.vassert
    TorchFidelityExtractor(name=name, layer="64", weights=str(random_weights))
    plain = FEATURE_EXTRACTORS_REGISTRY[name](
        name, ["64"], feature_extractor_weights_path=str(random_weights)
    )

    assert feature_extractor_inceptionv3.vassert is theirs
    with pytest.raises(ValueError, match=r"dtype=torch\.uint8"):
        plain(torch.zeros(1, 3, 32, 32))


def test_an_extractor_that_insists_on_8_bits_measures_but_does_not_guide(strict):
    extractor = TorchFidelityExtractor(name=strict)
    x = torch.full((2, 3, 4, 4), 0.5)

    assert not extractor.differentiable
    assert torch.equal(extractor.features(x), torch.full((2, 3), 128.0))
    with pytest.raises(UsageError, match="'strict' passes no gradient"):
        extractor.features(x.requires_grad_())


def test_unknown_names_and_layers_come_with_a_suggestion(strict):
    with pytest.raises(UnknownName, match=r"no such extractor\. Did you mean 'vgg16'"):
        TorchFidelityExtractor(name="vgg61")
    with pytest.raises(UnknownName, match=r"strict has no such layer\. .*Known: mean"):
        TorchFidelityExtractor(name=strict, layer="means")


@pytest.mark.parametrize("name", ["inception-v3-compat", "clip-vit-b-32", "dinov2-vit-s-14"])
def test_nothing_is_fetched_unless_asked(name, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    with pytest.raises(WeightsError, match=f"torch-fidelity {name}: .*set download = true"):
        TorchFidelityExtractor(name=name)


NAMES = ("inception-v3-compat", "vgg16", "clip-rn50")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
OTHERS = (b"", b"no checkpoint", b"\x80\x02}q\x00.")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((NAMES[0], content) for content in (POINTER, *OTHERS)),
        *((name, POINTER) for name in NAMES[1:]),
        *(pytest.param(n, c, marks=pytest.mark.slow) for n in NAMES[1:] for c in OTHERS),
    ],
)
def test_a_file_that_is_no_checkpoint_is_one_sentence_that_names_it(
    name, content, tmp_path, monkeypatch
):
    """Given as an option, or found in torch's cache; an empty pickle is a checkpoint of nothing."""
    own = tmp_path / "own.pth"
    own.write_bytes(content)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    for path in published(FEATURE_EXTRACTORS_REGISTRY[name], name):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    with pytest.raises(WeightsError, match=f"{own}") as given:
        TorchFidelityExtractor(name=name, weights=str(own))
    with pytest.raises(WeightsError, match=f"{tmp_path}/") as cached:
        TorchFidelityExtractor(name=name)
    for raised in (given, cached):
        assert "\n" not in str(raised.value)
        assert ("Git LFS pointer" in str(raised.value)) == (content == POINTER)


def test_a_path_that_is_not_there_is_named():
    with pytest.raises(WeightsError, match=r"weights = '/nowhere/x\.pth': no such file; give"):
        TorchFidelityExtractor(name="vgg16", weights="/nowhere/x.pth")
