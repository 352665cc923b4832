"""A folder of pictures: what is found in it, which are queries, what happens to damaged ones."""

import os

import numpy as np
import pytest
import torch
from fiber_audit_data import picture_set, resize
from fiber_audit_data.image_folder import ImageFolder
from PIL import Image

from fiber_audit import DataError
from fiber_audit._suite import options
from fiber_audit.testing import check_dataset


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(path, seed, colour=True, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (8, 8, 3) if colour else (8, 8)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return pixels


@pytest.fixture
def folder(tmp_path):
    """20 pictures of 8 x 8 in two folders, names with an umlaut and large letters among them."""
    root = tmp_path / "photos"
    for i in range(10):
        draw(root / "cats" / f"kätzchen {i}.PNG", i)
        draw(root / "dogs" / "large" / f"{i}.png", 10 + i)
    return root


def made(folder, **options):
    return ImageFolder(str(folder), size=8, **options)


def test_it_keeps_the_contract(folder):
    assert check_dataset(made(folder, n=8, labels="folder")) == []
    assert check_dataset(made(folder, on_error="skip", channels="grey")) == []


def test_pixels_are_those_of_the_files_under_their_relative_paths(folder):
    dataset = made(folder)

    assert sorted(dataset.ids) == sorted(
        [f"cats/kätzchen {i}.PNG" for i in range(10)] + [f"dogs/large/{i}.png" for i in range(10)]
    )
    for name, x in zip(dataset.ids, dataset.load(range(20)), strict=True):
        pixels = np.asarray(Image.open(folder / name))
        assert torch.equal(x, torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255)


def test_permuted_indices_load_permuted_pictures(folder):
    dataset = made(folder)
    order = torch.randperm(20, generator=generator()).tolist()

    assert torch.equal(dataset.load(order), dataset.load(range(20))[order])
    assert dataset.load([]).shape == (0, 3, 8, 8)


def test_more_queries_are_the_same_ones_and_more_and_a_new_file_moves_none(folder):
    before = made(folder).ids
    assert [made(folder, n=n).ids for n in range(1, 21)] == [before[:n] for n in range(1, 21)]
    assert made(folder, seed=1).ids != before
    draw(folder / "birds" / "new.jpg", 99)

    after = made(folder).ids
    assert [name for name in after if name != "birds/new.jpg"] == [*before]


def test_a_few_of_many_are_from_everywhere(folder):
    for seed in range(5):
        assert 2 <= sum(name.startswith("cats") for name in made(folder, n=10, seed=seed).ids) <= 8


def test_more_than_there_are_is_an_error(folder, tmp_path):
    with pytest.raises(DataError, match=r"queries.n = 21: there are 20 pictures in .*photos"):
        made(folder, n=21)
    with pytest.raises(DataError, match=r"queries.path = .*nowhere'"):
        made(tmp_path / "nowhere")
    with pytest.raises(DataError, match="nothing to load pictures that match 'x"):
        made(folder, glob="x*")


def test_only_what_is_asked_for_is_decoded(tmp_path, monkeypatch):
    picture = tmp_path / "0.png"
    draw(picture, 0)
    for i in range(1, 10_000):
        os.link(picture, tmp_path / f"{i}.png")
    decoded, opened = [], []
    real = resize.decoded
    monkeypatch.setattr(resize, "decoded", lambda *a: decoded.append(a) or real(*a))
    header = picture_set.is_grey
    monkeypatch.setattr(picture_set, "is_grey", lambda file: opened.append(file) or header(file))
    dataset = made(tmp_path)

    assert (len(dataset), len(decoded), len(opened)) == (10_000, 0, 1)
    assert len(dataset.load([17, 9_999, 5])) == len(decoded) == 3


def test_hidden_files_other_files_and_links_to_folders_are_left_out(folder, tmp_path):
    (folder / "notes.txt").write_text("hello")
    draw(folder / ".hidden.png", 1)
    draw(folder / ".cache" / "x.png", 1)
    draw(folder / "__MACOSX" / "._x.png", 1)
    draw(tmp_path / "elsewhere" / "x.png", 1)
    (folder / "loop").symlink_to(folder)
    (folder / "cats" / "other").symlink_to(tmp_path / "elsewhere")
    (folder / "linked.png").symlink_to(tmp_path / "elsewhere" / "x.png")
    dataset = made(folder)

    assert {*dataset.ids} == {*made(folder, glob="*/*").ids} | {"linked.png"}
    assert len(dataset) == 21
    assert dataset.facts["links to folders, not entered"] == "cats/other, loop"


@pytest.mark.parametrize(
    ("glob", "count"),
    [("*", 20), ("*.png", 20), ("cats/*", 10), ("**/*.png", 20), ("*/[0-4].*", 5), ("*3*", 2)],
)
def test_a_glob_chooses_files(folder, glob, count):
    assert len(made(folder, glob=glob)) == count


def test_labels_number_the_first_folders_whatever_n_is(folder):
    dataset = made(folder, labels="folder")

    assert dataset.classes == ("cats", "dogs")
    assert dataset.labels.tolist() == [int(name.startswith("dogs")) for name in dataset.ids]
    assert made(folder, n=1, labels="folder").facts["labels"] == "0 cats, 1 dogs"
    draw(folder / "alone.png", 1)
    with pytest.raises(DataError, match=r"alone\.png: has no label"):
        made(folder, labels="folder")


def spoil(folder):
    (folder / "cats" / "empty.png").write_bytes(b"")
    (folder / "cats" / "letter.png").write_text("Dear reader,")
    draw(folder / "cats" / "cut.jpg", 5)
    content = (folder / "cats" / "cut.jpg").read_bytes()
    (folder / "cats" / "cut.jpg").write_bytes(content[: len(content) - 60])
    return {"cats/empty.png": "an empty file", "cats/letter.png": "not a picture",
            "cats/cut.jpg": "truncated"}  # fmt: skip


def test_a_damaged_file_is_one_sentence_that_names_it(folder):
    for name, why in spoil(folder).items():
        with pytest.raises(DataError, match=f"{name}: cannot be used .{why}.; mend it"):
            made(folder, glob=name, channels="rgb").load([0])
        if why != "truncated":  # its header is as good as any
            with pytest.raises(DataError, match=name):
                made(folder, glob=name, channels="auto")


def test_a_damaged_file_is_skipped_and_told(folder):
    whole = made(folder).ids
    reasons = spoil(folder)
    dataset = made(folder, on_error="skip")

    assert dataset.ids == whole
    told = dataset.facts["left out"]
    assert told.startswith("3 files left out: ")
    assert all(f"{name} ({why})" in told for name, why in reasons.items())
    assert check_dataset(dataset) == []
    with pytest.raises(DataError, match=r"n = 21: there are 20 .* \(3 files left out: "):
        made(folder, n=21, on_error="skip")


def test_skipping_looks_no_further_than_n_whole_pictures(folder, monkeypatch):
    spoil(folder)
    seen = []
    real = picture_set.decoded
    monkeypatch.setattr(picture_set, "decoded", lambda *a: seen.append(a) or real(*a))
    dataset = made(folder, n=5, on_error="skip")

    assert len(seen) == 5 + len(dataset.left_out)
    assert dataset.ids == made(folder, on_error="skip").ids[:5]


def test_a_file_that_goes_away_is_one_sentence(folder):
    dataset = made(folder, n=1)
    (folder / dataset.ids[0]).unlink()

    with pytest.raises(DataError, match="no such file or directory"):
        dataset.load([0])
    assert dataset.stamp(0) == ""


def test_a_stamp_knows_path_size_and_time(folder):
    dataset = made(folder)
    path = folder / dataset.ids[3]
    before = dataset.stamp(3)
    assert str(path) in before

    os.utime(path, ns=(0, 12345))
    assert dataset.stamp(3) != before
    assert len({dataset.stamp(i) for i in range(20)}) == 20


def test_reference_pictures_are_other_ones_and_none_where_there_are_too_few(folder):
    dataset = made(folder, n=8)
    queries = dataset.load(range(8)).flatten(1)
    others = dataset.reference(12, generator()).flatten(1)

    assert torch.cdist(queries, others).min() > 0
    assert torch.pdist(others).min() > 0
    assert dataset.reference(13, generator()) is None
    assert made(folder, n=11).reference(1, generator()) is None  # nine for eleven queries
    assert made(folder).reference(1, generator()) is None


def test_reference_pictures_skip_damaged_ones_too(folder):
    names = [name for name in made(folder).ids if name not in made(folder, n=4).ids]
    dataset = made(folder, n=4, on_error="skip")
    for name in names[:10]:
        (folder / name).write_bytes(b"")

    assert len(dataset.reference(6, generator())) == 6
    assert dataset.reference(7, generator()) is None
    with pytest.raises(DataError, match="an empty file"):
        made(folder, n=4).reference(16, generator())


def test_channels_are_grey_where_all_pictures_are(folder, tmp_path):
    for i in range(4):
        draw(tmp_path / "xray" / f"{i}.png", i, colour=False)
    grey = made(tmp_path / "xray")
    assert grey.data_shape == (1, 8, 8)
    rgb = made(tmp_path / "xray", channels="rgb")
    assert torch.equal(rgb.load([0]), grey.load([0]).expand(-1, 3, -1, -1))

    draw(tmp_path / "xray" / "colour.png", 4)
    assert made(tmp_path / "xray").data_shape == (3, 8, 8)


def test_the_two_parts_are_a_partition_that_no_new_file_changes(folder):
    every, out, rest = (made(folder, part=p).ids for p in ("all", "held-out", "rest"))
    assert {*out} | {*rest} == {*every}
    assert not {*out} & {*rest}
    draw(folder / "new.png", 99)

    assert {*made(folder, part="held-out").ids} - {"new.png"} == {*out}
    assert {*made(folder, part="held-out", seed=3).ids} - {"new.png"} == {*out}


def test_options_are_checked_as_those_of_a_suite():
    good = {"path": "x", "n": "all", "size": [8, 16], "resize": "pad", "alpha": "refuse"}
    assert options.problems_of(ImageFolder, good, "queries") == []
    assert options.validated(ImageFolder, good)["size"] == (8, 16)
    for wrong in ({"n": 0}, {"n": "some"}, {"size": 0}, {"size": [8]}, {"resize": "zoom"}):
        (problem,) = options.problems_of(ImageFolder, {"path": "x", **wrong}, "queries")
        assert next(iter(wrong)) in problem


def test_height_comes_before_width(folder):
    assert ImageFolder(str(folder), size=(4, 6)).load([0]).shape == (1, 3, 4, 6)
