"""Laws of the edit response: it tells what a network sees, whatever blocks the images come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from fiber_audit_fid.edit_response import EditResponse
from torch import Tensor, nn

from fiber_audit.contracts import Dataset, Extractor, Statistic
from fiber_audit.errors import UsageError
from fiber_audit.testing import check_metric, image_audit, measure, table_audit


class Blobs(Dataset):
    """Two classes of 12 x 12 images: a light square left or right, in a random colour."""

    data_shape = (3, 12, 12)

    def __init__(self, fresh: bool = True) -> None:
        self.fresh = fresh
        self.data, self.labels = self.draw(80, torch.Generator().manual_seed(0))
        self.ids = tuple(map(str, range(80)))

    def load(self, indices: Sequence[int]) -> Tensor:
        return self.data[list(indices)]

    def reference(self, n: int, generator: torch.Generator) -> Tensor | None:
        return self.draw(n, generator)[0] if self.fresh else None

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        labels = torch.randint(2, (n,), generator=generator)
        colour = torch.tensor([0.9, 0.5, 0.2]) + 0.05 * torch.randn(n, 3, generator=generator)
        x = torch.zeros(n, 3, 12, 12)
        for i, label in enumerate(labels.tolist()):
            x[i, :, 4:8, 6 * label + 1 : 6 * label + 5] = colour[i, :, None, None]
        return (x + 0.02 * torch.randn(x.shape, generator=generator)).clamp(0, 1), labels


class Pooled(nn.Module):
    """The mean colour (knows no place), or the columns' brightness (knows no colour)."""

    def __init__(self, colour: bool) -> None:
        super().__init__()
        self.colour = colour

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)) if self.colour else x.mean(1).mean(1)


class PooledExtractor(Extractor):
    def __init__(self, colour: bool) -> None:
        self.network, self.feature_size = Pooled(colour), 3 if colour else 12

    def features(self, x: Tensor) -> Tensor:
        return self.network(x)


def scene(colour: bool, fresh: bool = True):
    dataset, extractor = Blobs(fresh), PooledExtractor(colour)
    return replace(
        image_audit(),
        ids=dataset.ids,
        queries=dataset.data,
        labels=dataset.labels,
        extractor=extractor,
        dataset=dataset,
        named=lambda name: PooledExtractor(name == "colour"),
        draws=dataset.data,
        unguided=dataset.data,
        seed=4,  # whose fresh samples do not by chance match the queries, class by class
    )


def by_name(metric: EditResponse, of) -> dict[str, Statistic]:
    return {s.name: s for s in measure(metric, of)}


def test_it_keeps_the_contract_of_metrics():
    assert check_metric(EditResponse()) == []
    assert check_metric(EditResponse(edits=["mode_drop", "duplicates"])) == []


def test_a_colour_network_sees_recolouring_and_misses_a_dropped_mode():
    found = by_name(EditResponse(), scene(colour=True))

    assert found["recolour"].ci_low > 5
    assert found["mode_drop"].ci_low < 1.5
    assert found["recolour"].message == "strength 0.5: seen"
    seen = [s.ci_low > 1 for edit, s in found.items() if edit != "mean"]
    assert found["mean"].value == sum(seen) / 5
    assert found["mean"].message == f"{sum(seen)} of 5 edits are seen"


def test_a_shape_network_sees_a_dropped_mode_and_misses_recolouring():
    found = by_name(EditResponse(), scene(colour=False))

    assert found["mode_drop"].value > 5
    assert found["mode_drop"].ci_low > 1
    assert found["recolour"].ci_low < 1.5


def test_another_network_can_look_and_is_named():
    named = by_name(EditResponse(extractor="colour"), scene(colour=False))
    own = by_name(EditResponse(), scene(colour=True))

    assert {s.seen_by for s in named.values()} == {"colour"}
    assert named["recolour"].value == pytest.approx(own["recolour"].value)


def test_an_edit_of_strength_zero_moves_nothing():
    found = by_name(EditResponse(strength=0.0), scene(colour=True))

    assert found.pop("mean").value == 0
    assert [round(s.value, 4) for s in found.values()] == [1.0] * 5
    assert all("not shown" in s.message for s in found.values())


def test_without_labels_only_the_dropped_mode_is_left_out():
    found = by_name(EditResponse(), replace(scene(colour=True), labels=None))

    assert found["mode_drop"].value is None
    assert found["blur"].value is not None
    assert found["mean"].n == 4


def test_without_fresh_samples_half_of_the_queries_stands_in_for_them():
    found = by_name(EditResponse(), scene(colour=True, fresh=False))

    assert found["recolour"].n == 40
    assert found["recolour"].ci_low > 5


def test_tables_have_no_edits_of_images_but_edits_of_sets():
    with pytest.raises(UsageError, match="are no images"):
        measure(EditResponse(), table_audit())
    assert by_name(EditResponse(edits=["duplicates"]), table_audit())["duplicates"].value > 0
