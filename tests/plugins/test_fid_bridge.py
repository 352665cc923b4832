"""torch-fidelity, both ways: same features, same numbers, no trace left in its registry."""

from __future__ import annotations

import pytest
import torch
import torch_fidelity
from fiber_audit_fid import checkpoints
from fiber_audit_fid.fidelity_bridge import (
    TorchFidelityExtractor,
    register,
    registered,
    torch_fidelity_extractor,
)
from fiber_audit_fid.frechet import frechet_distance
from fiber_audit_fid.inception import _torch_fidelity_graph, inception_tf
from torch import Tensor, nn
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


def test_the_catalogues_factories_register_as_they_are(toy_catalogue):
    factory = toy_catalogue.find("extractor", "color-mnist-shape").factory
    with registered("color-mnist-shape", factory):
        kind = FEATURE_EXTRACTORS_REGISTRY["color-mnist-shape"]
        network = kind("color-mnist-shape", ["features"], cuda=False)
        (features,) = network(torch.zeros(2, 3, 28, 28, dtype=torch.uint8))

    assert features.shape == (2, 48)


def test_a_name_that_is_taken_or_odd_is_refused_in_one_sentence():
    with pytest.raises(UsageError, match="has an extractor 'vgg16' already"):
        register("vgg16", MeansExtractor)
    with pytest.raises(UsageError, match=r"name = 'a/b': .*path delimiters"):
        register("a/b", MeansExtractor)


def test_torch_fidelitys_inception_is_differentiable_here_and_equals_ours():
    graph = _torch_fidelity_graph()
    checkpoints.fill_random(graph, seed=0)
    graph.features_list = ["64"]
    bridged, ours = TorchFidelityExtractor(graph), inception_tf(weights="random", layer="64")
    generator = torch.Generator().manual_seed(0)
    x = (torch.randint(0, 256, (2, 3, 32, 32), generator=generator) / 255).requires_grad_()
    features = bridged.features(x)
    (gradient,) = torch.autograd.grad(features.sum(), x)

    assert bridged.differentiable
    assert bridged.feature_size == 64
    assert torch.allclose(features, ours.features(x), rtol=1e-4, atol=1e-5)
    assert torch.allclose(features.detach(), graph((x * 255).round().to(torch.uint8))[0], rtol=1e-4)
    assert (gradient != 0).any()


def test_an_extractor_that_insists_on_8_bits_measures_but_does_not_guide(strict):
    extractor = torch_fidelity_extractor(strict)
    x = torch.full((2, 3, 4, 4), 0.5)

    assert not extractor.differentiable
    assert torch.equal(extractor.features(x), torch.full((2, 3), 128.0))
    with pytest.raises(UsageError, match="'strict' passes no gradient"):
        extractor.features(x.requires_grad_())


def test_unknown_names_and_layers_come_with_a_suggestion(strict):
    with pytest.raises(UnknownName, match=r"no such extractor\. Did you mean 'vgg16'"):
        torch_fidelity_extractor("vgg61")
    with pytest.raises(UnknownName, match=r"strict has no such layer\. .*Known: mean"):
        torch_fidelity_extractor(strict, layer="means")


@pytest.mark.parametrize("name", ["inception-v3-compat", "clip-vit-b-32", "dinov2-vit-s-14"])
def test_nothing_is_fetched_unless_asked(name, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    with pytest.raises(WeightsError, match=f"torch-fidelity {name}: .*set download = true"):
        torch_fidelity_extractor(name)
