"""Laws of the controlled edits: what each keeps, what each changes."""

from __future__ import annotations

import pytest
import torch
from fiber_audit_fid.edits import EDITS, blur, duplicates, mode_drop, recolour, texture_swap

from fiber_audit.errors import UsageError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.rand(20, 3, 16, 16, generator=generator())


LABELS = torch.arange(20) % 5


@pytest.mark.parametrize("name", EDITS)
def test_strength_zero_changes_nothing(name, x):
    assert torch.allclose(EDITS[name](x, LABELS, 0.0, generator()), x, atol=1e-5)


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_an_edit_changes_the_set_keeps_its_size_and_range_and_its_input(name, strength, x):
    before = x.clone()
    found = EDITS[name](x, LABELS, strength, generator())

    assert torch.equal(x, before)
    assert found.shape == x.shape
    assert found.min() >= -1e-6
    assert found.max() <= 1 + 1e-6
    assert not torch.allclose(found, x, atol=1e-3)
    assert torch.equal(found, EDITS[name](x, LABELS, strength, generator()))


def test_mode_drop_leaves_only_images_of_the_other_classes(x):
    found = mode_drop(x, LABELS, 0.4, generator())
    source = (found[:, None] == x[None]).flatten(2).all(2).float().argmax(1)

    assert len(LABELS[source].unique()) == 3
    with pytest.raises(UsageError, match="no labels"):
        mode_drop(x, None, 0.4, generator())


def test_recolour_keeps_the_brightness_of_every_pixel(x):
    found = recolour(x, None, 1.0, generator())

    assert torch.allclose(found.mean(1), x.mean(1), atol=1e-6)
    assert torch.allclose(recolour(x[:, :1], None, 1.0, generator()), 1 - x[:, :1])


def test_texture_swap_keeps_phases_and_takes_the_amplitudes_of_another_image():
    x = 0.4 + 0.1 * torch.rand(6, 1, 16, 16, generator=generator())  # nothing is clipped
    found = texture_swap(x, None, 1.0, generator())
    old, new = torch.fft.fft2(x.double()), torch.fft.fft2(found.double())

    assert torch.allclose(torch.cos(old.angle() - new.angle()), torch.ones(()).double(), atol=1e-2)
    sorted_old = old.abs().flatten(1).sum(1).sort().values
    sorted_new = new.abs().flatten(1).sum(1).sort().values
    assert torch.allclose(sorted_old, sorted_new, rtol=1e-4)
    assert not torch.allclose(old.abs().flatten(1).sum(1), new.abs().flatten(1).sum(1), rtol=1e-4)


def test_blur_keeps_a_constant_and_the_mean_and_lowers_the_contrast(x):
    flat = torch.full((2, 3, 16, 16), 0.3)
    found = blur(x, None, 0.5, generator())

    assert torch.allclose(blur(flat, None, 1.0, generator()), flat, atol=1e-6)
    assert found.std() < 0.6 * x.std()
    assert found.mean() == pytest.approx(float(x.mean()), abs=0.02)


def test_duplicates_lower_the_number_of_distinct_images(x):
    found = duplicates(x, None, 0.5, generator())
    distinct = len(found.flatten(1).unique(dim=0))

    assert distinct <= 10
    assert len(duplicates(x, None, 1.0, generator()).flatten(1).unique(dim=0)) == 1
