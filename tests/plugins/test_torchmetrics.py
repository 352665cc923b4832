"""Fiber loss and Fréchet distance inside torchmetrics."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fiber_audit import DataError, UsageError
from fiber_audit.contracts import Extractor
from fiber_audit.sampling import rms
from fiber_audit.testing import gaussian_problem

pytest.importorskip("torchmetrics")

from fiber_audit_fid.frechet import frechet_distance
from fiber_audit_fid.torchmetrics import FrechetDistance
from fiber_audit_scoring.torchmetrics import FiberLoss
from torchmetrics import MetricCollection
from torchmetrics.image.fid import FrechetInceptionDistance


class Pooled(Extractor):
    """48 means of an image."""

    feature_size = 48

    def __init__(self):
        self.network = nn.AdaptiveAvgPool2d(4)

    def features(self, x):
        return self.network(x).flatten(1)


class Peer(nn.Module):
    """The same features; torchmetrics scales nothing for a network that is not its own."""

    def forward(self, x):
        return nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)


@pytest.fixture
def draws():
    problem = gaussian_problem(12)
    x = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
    return problem, x


def images(seed, n=80):
    noise = torch.rand((n, 3, 8, 8), generator=torch.Generator().manual_seed(seed))
    return (255 * noise ** (1 + seed)).round() / 255


def test_the_fiber_loss_is_the_mean_rms_however_draws_are_batched(draws):
    problem, x = draws
    expected = rms(problem.extractor.features(x) - problem.targets).double().mean()

    for size in (1, 5, 12):
        metric = FiberLoss(problem.extractor)
        for part, targets in zip(x.split(size), problem.targets.split(size), strict=True):
            metric.update(part, targets)
        torch.testing.assert_close(metric.compute(), expected, rtol=1e-12, atol=0)


def test_two_processes_fiber_losses_merge_into_one(draws):
    problem, x = draws
    whole, first, second = (FiberLoss(problem.extractor) for _ in range(3))
    whole.update(x, problem.targets)
    first.update(x[:3], problem.targets[:3])
    second.update(x[3:], problem.targets[3:])

    first.merge_state(second)

    torch.testing.assert_close(first.compute(), whole.compute(), rtol=1e-12, atol=0)


def test_the_fiber_loss_trains_what_makes_the_draws(draws):
    problem, x = draws
    x.requires_grad_(True)

    FiberLoss(problem.extractor)(x, problem.targets).backward()

    assert x.grad is not None
    assert x.grad.any()


class Normalised(Extractor):
    """A network with statistics of its own, which train() would move."""

    feature_size = 3

    def __init__(self, mode):
        self.network = nn.Sequential(nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.network.train(mode).requires_grad_(False)

    def features(self, x):
        return self.network(x)


@pytest.mark.parametrize("mode", [True, False])
def test_nothing_done_to_the_fiber_loss_or_its_holder_reaches_the_network(mode):
    extractor = Normalised(mode)
    before = {name: x.clone() for name, x in extractor.network.state_dict().items()}
    metric = FiberLoss(extractor)
    holder = nn.ModuleDict({"loss": metric})
    first = metric(images(0, 8), torch.zeros(8, 3))
    holder.train(not mode).half()
    metric.set_dtype(torch.float16)
    holder.train()

    assert metric(images(0, 8), torch.zeros(8, 3)) == pytest.approx(float(first))
    assert extractor.network.training is extractor.network[0].training is mode
    assert not list(holder.parameters())
    assert not holder.state_dict()
    assert metric.extractor is extractor
    for name, x in extractor.network.state_dict().items():
        assert x.dtype == before[name].dtype
        assert torch.equal(x, before[name])


@pytest.mark.parametrize(
    ("wrong", "way_out"),
    [
        (lambda x: (255 * x).to(torch.uint8), r"draws are torch.uint8; .* divide by 255"),
        (lambda x: 255 * x, r"images in \[0, 255\]; .* divide by 255"),
        (lambda x: 2 * x - 1, r"images in \[-1, 1\]; .* clamp"),
        (lambda x: x / 0, r"images in \[nan, nan\]"),
    ],
)
def test_images_of_another_range_are_refused_by_the_fiber_loss(wrong, way_out):
    black_and_white = torch.zeros(2, 3, 8, 8)
    black_and_white[1] = 1
    metric = FiberLoss(Pooled())

    with pytest.raises(DataError, match=way_out):
        metric.update(wrong(black_and_white), torch.zeros(2, 48))
    metric.update(black_and_white, torch.zeros(2, 48))
    assert metric.compute() == 0.5


def test_a_draw_without_a_target_of_its_own_is_refused(draws):
    problem, x = draws
    with pytest.raises(DataError, match=r"targets are \(1, 3\), .* features \(12, 3\)"):
        FiberLoss(problem.extractor).update(x, problem.targets[:1])


def test_forward_tells_the_batch_and_compute_tells_all(draws):
    problem, x = draws
    metric = FiberLoss(problem.extractor)
    parts = [metric(x[i : i + 4], problem.targets[i : i + 4]) for i in (0, 4, 8)]

    torch.testing.assert_close(metric.compute(), torch.stack(parts).mean(), rtol=1e-12, atol=0)


def test_a_synced_fiber_loss_is_of_all_processes_and_starts_anew_after_reset(draws):
    problem, x = draws
    metric = FiberLoss(problem.extractor)
    one = metric(x[:3], problem.targets[:3])
    metric.sync(
        dist_sync_fn=lambda state, group=None: [state, state], distributed_available=lambda: True
    )
    assert metric.count == 6

    metric.reset()
    assert metric(x[:3], problem.targets[:3]) == metric.compute() == one
    assert metric.count == 3


def test_the_frechet_distance_agrees_with_torchmetrics_own():
    ours = FrechetDistance(Pooled())
    peer = FrechetInceptionDistance(feature=Peer(), normalize=True, input_img_size=(3, 8, 8))
    for seed, real in ((0, True), (1, False)):
        for part in images(seed).split(30):
            ours.update(part, real=real)
            peer.update(part, real=real)

    assert float(ours.compute()) == pytest.approx(float(peer.compute()), rel=1e-5)


def test_the_frechet_distance_is_exact_with_fewer_images_than_features():
    metric, phi = FrechetDistance(Pooled()), Pooled()
    a, b = images(0, 20), images(1, 20)
    metric.update(a, real=True)
    metric.update(b, real=False)

    assert float(metric.compute()) == frechet_distance(phi.features(a), phi.features(b))


def test_real_features_stay_where_it_is_asked_for():
    metric = FrechetDistance(Pooled(), reset_real_features=False)
    metric.update(images(0), real=True)
    metric.reset()
    metric.update(images(0), real=False)

    assert float(metric.compute()) == pytest.approx(0, abs=1e-9)


def both(metric, *, step=20):
    """Feed a Fréchet distance its real and its generated images."""
    for seed, real in ((0, True), (1, False)):
        for part in images(seed).split(step):
            metric.update(part, real=real)
    return metric


@pytest.mark.parametrize("mode", [True, False])
def test_nothing_done_to_the_frechet_distance_or_its_holder_reaches_the_network(mode):
    extractor = Normalised(mode)
    before = {name: x.clone() for name, x in extractor.network.state_dict().items()}
    metric = FrechetDistance(extractor)
    expected = float(both(metric).compute())
    holder = nn.ModuleDict({"fid": metric})
    metric.reset()
    holder.train(not mode).half()
    holder.train()

    assert float(both(metric).compute()) == expected
    metric.set_dtype(torch.float16)
    assert extractor.network.training is extractor.network[0].training is mode
    assert not list(holder.parameters())
    assert not holder.state_dict()
    assert metric.extractor is extractor
    for name, x in extractor.network.state_dict().items():
        assert x.dtype == before[name].dtype
        assert torch.equal(x, before[name])


def test_an_extractor_that_is_a_module_itself_does_not_become_a_part_of_the_metric():
    class Own(Extractor, nn.Module):
        feature_size = 3

        def __init__(self):
            nn.Module.__init__(self)
            self.network = nn.BatchNorm2d(3)

        def features(self, x):
            return self.network(x).mean((2, 3))

    metric = FrechetDistance(Own())

    assert list(metric.modules()) == [metric]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda x: (255 * x).to(torch.uint8), "images are torch.uint8: .* image_range='uint8'"),
        (lambda x: 255 * x, r"images are in \[0, 255\]: .* floats in \[0, 1\]"),
        (lambda x: 2 * x - 1, r"images are in \[-1, 1\]"),
        (lambda x: x / 0, r"images are in \[nan, nan\]"),
    ],
)
def test_images_of_another_range_are_refused_by_the_frechet_distance(wrong, said):
    black_and_white = torch.zeros(2, 3, 8, 8)
    black_and_white[1] = 1
    metric = FrechetDistance(Pooled())

    with pytest.raises(DataError, match=said):
        metric.update(wrong(black_and_white), real=True)
    assert metric.real == []


def test_8_bit_images_have_the_distance_of_their_floats_and_floats_are_refused_there():
    metric = FrechetDistance(Pooled(), image_range="uint8")
    for seed, real in ((0, True), (1, False)):
        metric.update((255 * images(seed)).round().to(torch.uint8), real=real)

    expected = float(both(FrechetDistance(Pooled())).compute())
    assert float(metric.compute()) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(DataError, match=r"images are torch\.float32: this metric takes uint8"):
        metric.update(images(0), real=True)


@pytest.mark.parametrize("keep", [True, False])
def test_forward_adds_each_image_once_and_tells_the_distance_of_its_batch(keep):
    metric, phi = FrechetDistance(Pooled(), reset_real_features=not keep), Pooled()
    metric.update(images(0), real=True)
    parts = images(1).split(20)
    found = [metric(part, real=False) for part in parts]
    real = phi.features(images(0))

    assert sum(map(len, metric.real)) == sum(map(len, metric.generated)) == 80
    assert float(metric.compute()) == float(both(FrechetDistance(Pooled())).compute())
    for part, value in zip(parts, found, strict=True):
        assert float(value) == frechet_distance(phi.features(part), real[:20])
    with pytest.raises(UsageError, match="0 generated images: a distance needs two of each"):
        FrechetDistance(Pooled())(images(0), real=True)


@pytest.mark.parametrize("keep", [True, False])
def test_a_synced_frechet_distance_is_of_all_processes_and_starts_anew_after_reset(keep):
    metric = both(FrechetDistance(Pooled(), reset_real_features=not keep))
    expected = float(metric.compute())
    metric.sync(
        dist_sync_fn=lambda state, group=None: [state, state], distributed_available=lambda: True
    )
    assert len(metric.real) == 160
    with pytest.raises(UsageError, match=r"synced: call unsync\(\)"):
        metric.update(images(0), real=True)

    metric.reset()
    assert sum(map(len, metric.real)) == 80 * keep
    if not keep:
        metric.update(images(0), real=True)
    metric.update(images(1), real=False)
    assert float(metric.compute()) == pytest.approx(expected, rel=1e-12)


def test_two_processes_frechet_distances_merge_into_one():
    first, second = FrechetDistance(Pooled()), FrechetDistance(Pooled())
    for metric, half in ((first, slice(0, 40)), (second, slice(40, 80))):
        for seed, real in ((0, True), (1, False)):
            metric.update(images(seed)[half], real=real)
    first.merge_state(second)

    assert float(first.compute()) == pytest.approx(
        float(both(FrechetDistance(Pooled())).compute()), rel=1e-12
    )


def test_a_distance_to_nothing_is_one_sentence():
    metric = FrechetDistance(Pooled())
    metric.update(images(0), real=True)

    with pytest.raises(UsageError, match="no images of one kind: call update"):
        metric.compute()


def test_both_work_in_a_collection_and_tell_their_direction(draws):
    problem, x = draws
    collection = MetricCollection({"fiber_loss": FiberLoss(problem.extractor)})

    assert collection(x, problem.targets)["fiber_loss"] > 0
    assert FiberLoss.higher_is_better is FrechetDistance.higher_is_better is False
