"""Pictures packed by others: Parquet as the hub has it, tar shards, MedMNIST's .npz."""

import gc
import gzip
import io
import sys
import tarfile
import weakref
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from fiber_audit_data import npz, parquet_files
from fiber_audit_data.medmnist import MedMNIST
from fiber_audit_data.parquet_images import ParquetImages
from fiber_audit_data.webdataset import WebDataset
from PIL import Image

from fiber_audit import DataError
from fiber_audit.testing import check_dataset

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
X = torch.from_numpy(PIXELS).permute(0, 3, 1, 2).float() / 255


def encoded(i, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(PIXELS[i]).save(file, kind)
    return file.getvalue()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def write(path, rows, image=None, **columns):
    """A Parquet file with groups of four rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = image or [{"bytes": encoded(i), "path": f"{i}.png"} for i in rows]
    table = pa.table({"image": image, "label": [i % 3 for i in rows], **columns})
    pq.write_table(table, path, row_group_size=4)
    return path


@pytest.fixture
def parquet(tmp_path):
    write(tmp_path / "data" / "train-00000.parquet", range(18))
    write(tmp_path / "data" / "train-00001.parquet", range(18, 30))
    return tmp_path / "data"


def parquet_images(path, **options):
    return ParquetImages(str(path), size=8, **options)


def number(name):
    """Which picture an id of the fixture means."""
    file, row = name.split(":")
    return int(row) + 18 * int(file[10])


def test_parquet_keeps_the_contract(parquet):
    assert check_dataset(parquet_images(parquet, n=12, label="label")) == []


def test_every_row_of_every_parquet_file_is_the_picture_that_was_written(parquet):
    dataset = parquet_images(parquet / "train-*.parquet", label="label")
    numbers = [number(name) for name in dataset.ids]

    assert numbers == [*range(30)]
    assert torch.equal(dataset.load(range(30)), X)
    assert dataset.labels.tolist() == [i % 3 for i in range(30)]
    order = torch.randperm(30, generator=generator()).tolist()
    assert torch.equal(dataset.load(order), X[order])


def test_n_rows_are_a_sample_in_the_order_of_the_files_and_more_rows_contain_them(parquet):
    few, more = ({*parquet_images(parquet, n=n).ids} for n in (7, 8))
    numbers = [number(name) for name in parquet_images(parquet, n=7).ids]

    assert few < more
    assert numbers == sorted(numbers) != [*range(7)]
    assert {*parquet_images(parquet, n=7, seed=1).ids} != few


def test_neighbours_are_read_together_and_nothing_else_is(parquet, monkeypatch):
    groups = []
    real = parquet_files.ParquetFiles._read_group
    monkeypatch.setattr(
        parquet_files.ParquetFiles,
        "_read_group",
        lambda self, *at: groups.append(at) or real(self, *at),
    )
    dataset = parquet_images(parquet, channels="rgb")
    dataset.load([6, 1, 5, 2])

    assert groups == [("train-00000.parquet", 0), ("train-00000.parquet", 1)]


def test_a_source_that_nobody_holds_leaves_with_the_rows_that_it_kept(parquet):
    source = parquet_files.ParquetFiles(str(parquet), "image")
    source.open(source.names[0])
    kept = weakref.ref(source)

    gc.disable()  # no cycle of references has to be found
    try:
        del source
        assert kept() is None
    finally:
        gc.enable()


def test_bytes_alone_and_texts_as_labels_are_read(tmp_path):
    path = write(tmp_path / "a.parquet", range(6), image=[encoded(i, "BMP") for i in range(6)],
                 kind=[*"cabbac"])  # fmt: skip
    dataset = parquet_images(path, label="kind", n=5)

    assert dataset.classes == ("a", "b", "c")
    rows = [int(name.split(":")[1]) for name in dataset.ids]
    assert dataset.labels.tolist() == ["abc".index("cabbac"[row]) for row in rows]
    assert torch.equal(dataset.load(range(5)), X[rows])


def test_what_the_library_datasets_writes_is_what_it_reads(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["even", "odd"])}
    )
    rows = {"image": [Image.fromarray(PIXELS[i]) for i in range(6)], "label": [0, 1] * 3}
    theirs = datasets.Dataset.from_dict(rows, features=features)
    path = tmp_path / "theirs.parquet"
    theirs.to_parquet(path)
    ours = parquet_images(path, label="label")

    pixels = np.stack([np.asarray(row["image"]) for row in theirs])
    assert torch.equal(ours.load(range(6)), torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255)
    assert ours.labels.tolist() == [row["label"] for row in theirs]
    assert ours.facts["labels"] == "label: 0 even, 1 odd"


def test_parquet_mistakes_are_one_sentence(tmp_path):
    path = write(tmp_path / "a.parquet", range(4), half=[0, 0.5, 1, 1], gap=[0, None, 1, 1])
    with pytest.raises(DataError, match=r"column = 'img': no such column in .*image, label"):
        parquet_images(path, column="img")
    with pytest.raises(DataError, match=r"column = 'label': .* holds int64 there"):
        parquet_images(path, column="label")
    for label, value in {"half": "0.5", "gap": "None"}.items():
        with pytest.raises(DataError, match=f"label = '{label}': {value} is no label"):
            parquet_images(path, label=label)
    (tmp_path / "b.parquet").write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"b\.parquet: cannot be read as Parquet"):
        parquet_images(tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"no \.parquet or \.pq file there; write \* where"):
        parquet_images(tmp_path / "{0..9}.parquet")


def test_a_row_without_a_picture_is_named_or_skipped(tmp_path):
    image = [{"bytes": encoded(0), "path": ""}, {"bytes": None, "path": "there.png"},
             {"bytes": b"text", "path": ""}, None]  # fmt: skip
    path = write(tmp_path / "a.parquet", range(4), image=image)
    whole = parquet_images(path, channels="rgb")
    for row, words in {1: "no bytes", 2: "not a picture", 3: "no bytes"}.items():
        with pytest.raises(DataError, match=rf"a\.parquet, row {row}: cannot be used \({words}"):
            whole.load([row])

    skipped = parquet_images(path, on_error="skip")
    assert skipped.ids == ("a.parquet:0",)
    assert skipped.facts["left out"].startswith("3 files left out: a.parquet:")


def tar(path, samples):
    """A shard: {name: bytes}."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, content in samples.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def samples(rows):
    return {
        name: content
        for i in rows
        for name, content in {
            f"{i:06d}.png": encoded(i),
            f"{i:06d}.cls": str(i % 3).encode(),
            f"{i:06d}.seg.png": encoded(0),
            f"{i:06d}.txt": b"odd" if i % 2 else b"even\n",
            f"{i:06d}.json": b"{}",
        }.items()
    }


@pytest.fixture
def webdataset(tmp_path):
    tar(tmp_path / "shards" / "00.tar", samples(range(18)))
    tar(tmp_path / "shards" / "01.tar", samples(range(18, 30)))
    return tmp_path / "shards"


def web(path, **options):
    return WebDataset(str(path), **{"image": "png", "size": 8, **options})


def test_webdataset_keeps_the_contract(webdataset):
    assert check_dataset(web(webdataset, n=12, label="cls")) == []


def test_every_sample_of_every_shard_is_what_was_written(webdataset):
    dataset = web(webdataset / "*.tar", label="cls")
    numbers = [int(name[7:13]) for name in dataset.ids]

    assert sorted(numbers) == [*range(30)]
    assert torch.equal(dataset.load(range(30)), X[numbers])
    assert dataset.labels.tolist() == [i % 3 for i in numbers]
    texts = web(webdataset, label="txt", n=1)
    assert texts.classes == ("even", "odd")
    assert texts.labels.tolist() == [numbers[0] % 2]
    assert len(web(webdataset, image="")) == 60


def test_shards_are_as_tarfile_writes_them_with_folders_and_long_names(tmp_path):
    name = "x" * 150 + "/" + "y" * 120 + "/a.b"
    path = tar(tmp_path / "0.tar", {f"./{name}.png": encoded(3), "folder/._a.png": b""})
    dataset = web(path, image="b.png")

    assert dataset.ids == (f"0.tar/{name}.png",)
    assert torch.equal(dataset.load([0]), X[3:4])


def test_webdataset_mistakes_are_one_sentence(webdataset, tmp_path):
    path = webdataset / "00.tar"
    packed = tmp_path / "packed.tar"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    wrong = [packed]
    for i, size in enumerate((300, 512, 512 * 7, 512 * 7 + 300, 512 * 8)):
        wrong.append(tmp_path / f"cut{i}.tar")
        wrong[-1].write_bytes(path.read_bytes()[:size])
    for each in wrong:
        with pytest.raises(DataError, match=r"whole and not compressed"):
            web(each)
    with pytest.raises(DataError, match=r"label = 'class': None is no label"):
        web(webdataset, label="class")
    with pytest.raises(DataError, match="nothing to load pictures in"):
        web(webdataset, image="jpg")


GREY = PIXELS[..., 0]
LABELS = np.arange(30, dtype=np.uint8)[:, None] % 2


def store(root, name, images, labels=LABELS, save=np.savez_compressed):
    """A file in the layout of MedMNIST: three splits of images and labels."""
    root.mkdir(exist_ok=True)
    parts = {"train": slice(20), "val": slice(20, 24), "test": slice(24, 30)}
    arrays = {f"{k}_images": images[v] for k, v in parts.items()}
    save(root / name, **arrays, **{f"{k}_labels": labels[v] for k, v in parts.items()})


def medmnist(root, **options):
    return MedMNIST(**{"flag": "pneumoniamnist", "root": str(root), **options})


def test_medmnist_keeps_the_contract(tmp_path):
    store(tmp_path, "pneumoniamnist.npz", GREY)

    assert check_dataset(medmnist(tmp_path, split="train", n=9)) == []


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_medmnist_is_what_its_file_holds(tmp_path, save, monkeypatch):
    monkeypatch.setattr(npz, "BYTES", 200)  # three pictures at once
    store(tmp_path, "pneumoniamnist.npz", GREY, save=save)
    dataset = medmnist(tmp_path)
    rows = [24 + int(name.removeprefix("test-")) for name in dataset.ids]

    assert sorted(rows) == [*range(24, 30)]
    assert torch.equal(dataset.load(range(6)), torch.from_numpy(GREY[rows])[:, None] / 255)
    assert dataset.labels.tolist() == LABELS[rows, 0].tolist()
    assert medmnist(tmp_path, n=2).ids == dataset.ids[:2]


def test_medmnist_agrees_with_its_own_package(tmp_path, monkeypatch):
    package = pytest.importorskip("medmnist")
    store(tmp_path, "bloodmnist_64.npz", PIXELS)
    ours = medmnist(tmp_path, flag="bloodmnist", size=64, split="val")
    theirs = package.BloodMNIST(split="val", root=str(tmp_path), size=64)

    for name, x, label in zip(ours.ids, ours.load(range(4)), ours.labels, strict=True):
        image, target = theirs[int(name.removeprefix("val-"))]
        assert torch.equal(x, torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255)
        assert target.tolist() == [label]


def test_medmnist_in_several_labels_colours_and_dimensions(tmp_path):
    many = np.random.default_rng(1).integers(0, 2, (30, 14), dtype=np.uint8)
    store(tmp_path, "chestmnist.npz", GREY, many)
    dataset = medmnist(tmp_path, flag="chestmnist", label=13, channels="rgb")
    rows = [24 + int(name.removeprefix("test-")) for name in dataset.ids]
    assert dataset.labels.tolist() == many[rows, 13].tolist()
    assert dataset.data_shape == (3, 8, 8)
    assert torch.equal(dataset.load([0])[:, 0], dataset.load([0])[:, 2])
    with pytest.raises(DataError, match=r"label = 14: .* has 14 of them"):
        medmnist(tmp_path, flag="chestmnist", label=14)

    store(tmp_path, "organmnist3d.npz", np.zeros((30, 8, 8, 8), np.uint8))
    with pytest.raises(DataError, match=r"holds volumes of \[8, 8, 8\]"):
        medmnist(tmp_path, flag="organmnist3d")
    store(tmp_path, "pathmnist.npz", PIXELS)
    with pytest.raises(DataError, match="is in colour"):
        medmnist(tmp_path, flag="pathmnist", channels="grey")


def test_medmnist_reference_is_of_other_pictures(tmp_path):
    store(tmp_path, "pneumoniamnist.npz", GREY)
    dataset = medmnist(tmp_path, split="train", n=3)
    others = dataset.reference(12, generator()).flatten(1)

    assert torch.cdist(dataset.load(range(3)).flatten(1), others).min() > 0
    assert dataset.reference(13, generator()) is None  # four for each query


def test_medmnist_mistakes_are_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"pneumoniamnist_64\.npz: no such file; set queries.root"):
        medmnist(tmp_path, size=64)
    store(tmp_path, "pneumoniamnist.npz", GREY)
    with pytest.raises(DataError, match=r"n = 7: there are 6 pictures"):
        medmnist(tmp_path, n=7)
    path = tmp_path / "pneumoniamnist.npz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"cannot be read as an \.npz"):
        medmnist(tmp_path)
    np.savez(path, x=GREY)
    with pytest.raises(DataError, match=r"holds no array 'test_images'"):
        medmnist(tmp_path)


def test_medmnist_is_downloaded_only_on_request_from_the_address_of_its_package(
    tmp_path, monkeypatch
):
    info = {"pneumoniamnist": {"url": "https://x/pneumoniamnist.npz", "MD5": "abc"}}
    package = SimpleNamespace(info=SimpleNamespace(INFO=info))
    monkeypatch.setitem(sys.modules, "medmnist", package)
    monkeypatch.setitem(sys.modules, "medmnist.info", package.info)
    asked = []

    def download_url(url, root, filename, md5):
        asked.append((url, filename, md5))
        if len(asked) == 2:
            raise RuntimeError("File not found or corrupted.")
        store(tmp_path, "pneumoniamnist.npz", GREY)

    monkeypatch.setattr("torchvision.datasets.utils.download_url", download_url)
    assert len(medmnist(tmp_path, download=True)) == 6
    assert len(medmnist(tmp_path, download=True)) == 6
    assert asked == [("https://x/pneumoniamnist.npz", "pneumoniamnist.npz", "abc")]

    (tmp_path / "pneumoniamnist.npz").unlink()
    with pytest.raises(DataError, match=r"cannot be downloaded from https://x/pneu"):
        medmnist(tmp_path, download=True)
    with pytest.raises(DataError, match=r"flag = 'mnist': no such collection at 28 .*: pneumonia"):
        medmnist(tmp_path, flag="mnist", download=True)
