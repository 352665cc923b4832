"""Adult radiographs: the folder and the .npz say the same, and no patient is on both sides."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from fiber_audit_chest.components import Components
from fiber_audit_chest.nets import Code, SideJudge, dense, pooled
from fiber_audit_chest.radiographs import corners, mirrored
from fiber_audit_chest.train.recipes import augmented
from PIL import Image

from fiber_audit import DataError

STUDIES = Path(__file__).parents[2] / "benchmarks" / "studies"
PATIENTS = [str(i // 2 if i < 10 else i) for i in range(30)]
VIEWS = ["AP" if i % 3 else "PA" for i in range(30)]


@pytest.fixture
def data(monkeypatch):
    monkeypatch.syspath_prepend(str(STUDIES))
    import chest_nih_data

    return chest_nih_data


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (30, 128, 128)).astype(np.uint8)


@pytest.fixture
def file(images, tmp_path):
    np.savez(tmp_path / "adults.npz", images=images, view=VIEWS, patient=PATIENTS)
    return tmp_path / "adults.npz"


@pytest.fixture
def folder(images, tmp_path):
    """As the official one: a table of more pictures than are there, one of them in colour."""
    (tmp_path / "images").mkdir()
    rows = []
    for i, image in enumerate(images):
        name = f"{i:08}_000.png"
        picture = Image.fromarray(image)
        (picture.convert("RGBA") if i == 3 else picture).save(tmp_path / "images" / name)
        rows.append([name, "No Finding", PATIENTS[i], VIEWS[i]])
    rows.insert(4, ["99999999_000.png", "No Finding", "999", "PA"])
    with (tmp_path / "Data_Entry_2017.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Image Index", "Finding Labels", "Patient ID", "View Position"])
        writer.writerows(rows)
    return tmp_path


def test_the_official_folder_and_the_npz_are_the_same_pictures(data, file, folder):
    one, other = data.read(file), data.read(folder)
    assert torch.equal(one.x, other.x)
    assert torch.equal(one.lying, other.lying)
    assert one.patients == other.patients


def test_a_pixel_is_the_mean_of_the_area_that_it_stands_for(data, file, images):
    expected = images.reshape(30, 64, 2, 64, 2).mean((2, 4)) / 255
    np.testing.assert_allclose(data.read(file).x[:, 0].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_no_patient_is_on_both_sides_and_none_is_lost(seed, data, file):
    adults = data.read(file)
    seen, held = adults.halves(seed)
    assert sorted(seen + held) == list(range(30))
    people = [{adults.patients[i] for i in part} for part in (seen, held)]
    assert not people[0] & people[1]
    assert len(people[0]) == round(data.SEEN * len(set(PATIENTS)))


def test_other_seeds_split_otherwise(data, file):
    assert len({tuple(data.read(file).halves(seed)[0]) for seed in range(5)}) > 1


def test_queries_are_of_a_patient_each(data, file):
    adults = data.read(file)
    chosen = adults.one_each(list(range(30)))
    assert sorted(adults.patients[i] for i in chosen) == sorted(set(PATIENTS))
    assert chosen != sorted(chosen)


def test_the_corners_of_what_networks_see_are_black(data, file):
    x = data.read(file).part([0, 1]).x
    assert corners(64)[0, :13, :13].all()
    assert not (x * corners(64)).any()
    assert (x * ~corners(64)).any()


@pytest.mark.parametrize("size", [28, 64])
@pytest.mark.parametrize("body", [pooled, dense])
def test_judges_are_exactly_fair_at_any_size(body, size):
    x = torch.rand(4, 1, size, size, generator=torch.Generator().manual_seed(0))
    judge = SideJudge(body(size=size)).eval()
    torch.testing.assert_close(judge(mirrored(x)), -judge(x))
    assert Code(unit=True, size=size)(x).shape == (4, 32)


def test_components_of_any_size_are_even_or_odd_and_draw_pictures_again(data, file):
    x = torch.nn.functional.avg_pool2d(data.read(file).x, 4)
    parts = Components(59, 16)  # of 30 pictures: 29 even, 30 odd
    parts.measure(x)
    z = parts.encode(x)
    torch.testing.assert_close(parts.encode(mirrored(x)), z * parts.parity, atol=1e-3, rtol=0)
    torch.testing.assert_close(parts(z), x, atol=2e-3, rtol=0)


def test_augmented_adults_stay_black_in_the_corners_and_move_as_far_as_children(data, file):
    x = data.read(file).part([0]).x.expand(300, -1, -1, -1)
    moved = augmented(x, torch.Generator().manual_seed(0), flips=False, by=2)
    assert not (moved * corners(data.SIZE)).any()
    assert moved.shape == x.shape
    found = [
        by
        for by in product(range(-6, 7), repeat=2)
        if (_alike(moved, x.roll(by, (2, 3))) > 0.7).any()
    ]
    assert {dy for dy, _ in found} == {dx for _, dx in found} == set(range(-4, 5))


def _alike(a, b):
    """(n,) correlation of the middles of two pictures."""
    a, b = (part[:, 0, 16:48, 16:48].flatten(1) for part in (a, b))
    a, b = (part - part.mean(1, keepdim=True) for part in (a, b))
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))


SPOILT = {"empty": b"", "not arrays": b"nothing", "half a file": b"PK\3\4", "missing": None}


@pytest.mark.parametrize("spoil", [*SPOILT, "no view", "empty folder"])
def test_data_that_is_not_there_is_one_sentence(spoil, data, tmp_path):
    path = tmp_path / "adults.npz"
    if (content := SPOILT.get(spoil)) is not None:
        path.write_bytes(content)
    if spoil == "no view":
        np.savez(path, images=np.zeros((1, 64, 64), np.uint8))
    if spoil == "empty folder":
        path = tmp_path
    with pytest.raises(DataError, match="--data"):
        data.read(path)


def test_a_picture_that_is_cut_off_is_one_sentence(data, folder):
    first = folder / "images" / "00000000_000.png"
    first.write_bytes(first.read_bytes()[:200])
    with pytest.raises(DataError, match="00000000_000"):
        data.read(folder)


def test_a_table_without_its_pictures_is_one_sentence(data, folder):
    for picture in (folder / "images").iterdir():
        picture.unlink()
    with pytest.raises(DataError, match="images/"):
        data.read(folder)
