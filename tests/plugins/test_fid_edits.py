"""Laws of the controlled edits: what each keeps, what each changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fiber_audit_fid.image_edits import IMAGE_EDITS, blur, recolour, texture_swap
from fiber_audit_fid.set_edits import SET_EDITS, duplicates, mode_drop

from fiber_audit.errors import UsageError

LABELS = np.arange(20) % 5


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.rand(20, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", IMAGE_EDITS)
def test_strength_zero_changes_no_image(name, x):
    assert torch.allclose(IMAGE_EDITS[name](x, 0.0), x, atol=1e-5)


@pytest.mark.parametrize("name", SET_EDITS)
def test_strength_zero_changes_no_set(name):
    assert SET_EDITS[name](20, LABELS, 0.0, rng()).tolist() == list(range(20))


@pytest.mark.parametrize("name", IMAGE_EDITS)
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_an_edit_changes_every_image_keeps_its_range_and_its_input(name, strength, x):
    before = x.clone()
    found = IMAGE_EDITS[name](x, strength)

    assert torch.equal(x, before)
    assert found.shape == x.shape
    assert found.min() >= -1e-6
    assert found.max() <= 1 + 1e-6
    assert ((found - x).abs().flatten(1).amax(1) > 1e-3).all()
    assert torch.equal(found, IMAGE_EDITS[name](x, strength))


@pytest.mark.parametrize("name", IMAGE_EDITS)
@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 9, 12), (3, 7, 7)])
def test_an_image_is_edited_alike_in_any_block_and_order(name, shape):
    x = torch.rand(8, *shape, generator=torch.Generator().manual_seed(1))
    together = IMAGE_EDITS[name](x, 0.7)
    apart = torch.cat([IMAGE_EDITS[name](part, 0.7) for part in x.split([1, 2, 5])])

    assert torch.allclose(together, apart, atol=1e-6)
    assert torch.allclose(together, IMAGE_EDITS[name](x.flip(0), 0.7).flip(0), atol=1e-6)


def test_mode_drop_leaves_only_rows_of_the_other_classes_where_they_were():
    rows = mode_drop(20, LABELS, 0.4, rng())
    left = np.isin(LABELS, LABELS[rows])

    assert len(np.unique(LABELS[rows])) == 3
    assert (rows[left] == np.flatnonzero(left)).all()
    assert len(np.unique(LABELS[mode_drop(20, LABELS, 1.0, rng())])) == 1
    with pytest.raises(UsageError, match="no labels"):
        mode_drop(20, None, 0.4, rng())


def test_duplicates_lower_the_number_of_distinct_rows():
    assert len(np.unique(duplicates(20, None, 0.5, rng()))) <= 10
    assert len(np.unique(duplicates(20, None, 1.0, rng()))) == 1


def test_recolour_keeps_the_brightness_of_every_pixel(x):
    found = recolour(x, 1.0)

    assert torch.allclose(found.mean(1), x.mean(1), atol=1e-6)
    assert torch.allclose(recolour(x[:, :1], 1.0), 1 - x[:, :1])


def test_recolour_uses_every_order_of_the_channels_but_the_one_that_changes_nothing(x):
    found = recolour(x, 1.0)
    orders = {
        tuple(min(range(3), key=lambda j: float((new[i] - old[j]).abs().max())) for i in range(3))
        for new, old in zip(found, x, strict=True)
    }

    assert orders == {(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)}


@pytest.mark.parametrize("shape", [(16, 16), (15, 15), (9, 16)])
def test_texture_swap_keeps_phases_and_lets_amplitudes_of_one_frequency_change_places(shape):
    noise = torch.rand(6, 2, *shape, generator=torch.Generator().manual_seed(0))
    x = 0.4 + 0.1 * noise.double()  # nothing is clipped
    found = texture_swap(x, 1.0)
    old, new = torch.fft.fft2(x), torch.fft.fft2(found)
    down, right = (torch.fft.fftfreq(side) for side in shape)
    rings = ((down[:, None] ** 2 + right**2) ** 0.5 * max(shape)).round()

    assert torch.allclose(torch.cos(old.angle() - new.angle()), torch.ones(()).double(), atol=1e-6)
    assert torch.allclose(found.mean((2, 3)), x.mean((2, 3)), atol=1e-9)
    for ring in rings.unique():
        before, after = (s.abs()[..., rings == ring].sort(-1).values for s in (old, new))
        assert torch.allclose(before, after, rtol=1e-6)
    assert ((old.abs() - new.abs()).abs() > 0.1).double().mean() > 0.5


def test_blur_keeps_a_constant_and_the_mean_and_lowers_the_contrast(x):
    flat = torch.full((2, 3, 16, 16), 0.3)
    found = blur(x, 0.5)

    assert torch.allclose(blur(flat, 1.0), flat, atol=1e-6)
    assert found.std() < 0.6 * x.std()
    assert found.mean() == pytest.approx(float(x.mean()), abs=0.02)
