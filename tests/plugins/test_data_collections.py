"""Known collections: cue conflict by Geirhos et al., and CheXpert."""

import numpy as np
import pytest
import torch
from fiber_audit_data.chexpert import CheXpert
from fiber_audit_data.cue_conflict import CLASSES, CueConflict
from PIL import Image

from fiber_audit import DataError
from fiber_audit.testing import check_dataset

RNG = np.random.default_rng(0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(path, shape=(8, 8, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(path)


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory):
    """Each of 16 shapes with four textures, of which one agrees with the shape."""
    root = tmp_path_factory.mktemp("style-transfer-preprocessed-512")
    for i, shape in enumerate(CLASSES):
        for step in (0, 1, 5, 9):
            draw(root / shape / f"{shape}{1 + step}-{CLASSES[(i + step) % 16]}2.png")
    return root


def cues(stimuli, **options):
    return CueConflict(str(stimuli), size=8, **options)


def test_cue_conflict_keeps_the_contract(stimuli):
    assert check_dataset(cues(stimuli, n=16)) == []


def test_a_name_tells_shape_and_texture_and_agreeing_ones_are_left_out(stimuli):
    dataset = cues(stimuli)
    assert len(dataset) == 48
    assert dataset.facts["no conflict"] == "16 stimuli whose cues agree are left out"
    for name, shape, texture in zip(dataset.ids, dataset.shapes, dataset.textures, strict=True):
        first, second = name.rpartition("/")[2].removesuffix("2.png").split("-")
        assert (first.rstrip("0123456789"), second) == (CLASSES[shape], CLASSES[texture])
    assert torch.equal(dataset.labels, dataset.shapes)
    assert (dataset.shapes != dataset.textures).all()

    every = cues(stimuli, agreeing=True, labels="texture")
    assert len(every) == 64
    assert torch.equal(every.labels, every.textures)
    assert (every.shapes == every.textures).sum() == 16


def test_labels_do_not_depend_on_what_else_is_there(tmp_path):
    draw(tmp_path / "zoo" / "truck10-bear3.png")

    assert cues(tmp_path).labels.tolist() == [15]
    assert cues(tmp_path, labels="texture").labels.tolist() == [1]
    draw(tmp_path / "cat.png")
    with pytest.raises(DataError, match=r"cat\.png: names no shape and texture"):
        cues(tmp_path)
    (tmp_path / "cat.png").rename(tmp_path / "fox1-cat2.png")
    with pytest.raises(DataError, match=r"fox1-cat2\.png: names no"):
        cues(tmp_path)


HEADER = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Cardiomegaly"
FINDINGS = ("1.0", "0.0", "-1.0", "")


def rows_of(patients=24):
    """Path and the other cells: each patient has a lateral and two frontal radiographs."""
    for p in range(patients):
        sex, age = ("Female", "Male")[p % 2], 30 + p
        for view, (side, projection) in enumerate(
            [("Frontal", "AP"), ("Lateral", ""), ("Frontal", "PA")], start=1
        ):
            path = f"valid/patient{64541 + p}/study1/view{view}_{side.lower()}.jpg"
            yield path, [sex, str(age), side, projection, "", FINDINGS[(p + view) % 4]]


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "CheXpert-v1.0-small"
    lines = [HEADER]
    for path, cells in rows_of():
        draw(root / path, (8, 10))
        lines.append(",".join([f"CheXpert-v1.0-small/{path}", *cells]))
    (root / "valid.csv").write_text("\n".join(lines))
    return root


def chest(radiographs, **options):
    return CheXpert(str(radiographs), size=8, **options)


def patient(name):
    return name.split("/")[1]


def test_chexpert_keeps_the_contract(radiographs):
    assert check_dataset(chest(radiographs, n=10, label="Cardiomegaly", uncertain="negative")) == []


@pytest.mark.parametrize(
    ("view", "count"), [("frontal", 48), ("lateral", 24), ("AP", 24), ("PA", 24), ("all", 72)]
)
def test_a_view_chooses_radiographs_and_one_of_a_patient_is_taken(radiographs, view, count):
    every = chest(radiographs, view=view, per_patient="all")
    wanted = {
        path
        for path, (_, _, side, projection, *_) in rows_of()
        if view in ("all", side.lower(), projection)
    }
    assert {*every.ids} == wanted
    assert len(every) == count

    one = chest(radiographs, view=view)
    assert len({patient(name) for name in one.ids}) == len(one) == 24
    assert {*one.ids} <= wanted


@pytest.mark.parametrize(("policy", "meaning"), [("drop", None), ("positive", 1), ("negative", 0)])
def test_labels_are_findings_by_the_policy_for_uncertain_ones(radiographs, policy, meaning):
    truth = {"1.0": 1, "0.0": 0, "": 0, "-1.0": meaning}
    expected = {path: truth[cells[-1]] for path, cells in rows_of()}
    dataset = chest(
        radiographs, label="Cardiomegaly", uncertain=policy, view="all", per_patient="all"
    )

    assert {*dataset.ids} == {path for path, value in expected.items() if value is not None}
    assert dataset.labels.tolist() == [expected[name] for name in dataset.ids]


def test_any_other_column_may_be_the_label(radiographs):
    dataset = chest(radiographs, label="Sex")
    expected = {path: int(cells[0] == "Male") for path, cells in rows_of()}

    assert dataset.classes == ("Female", "Male")
    assert dataset.labels.tolist() == [expected[name] for name in dataset.ids]


def test_no_patient_is_on_both_sides(radiographs):
    out, rest = (chest(radiographs, part=p, per_patient="all") for p in ("held-out", "rest"))
    assert len(out) + len(rest) == 48
    assert not {*map(patient, out.ids)} & {*map(patient, rest.ids)}

    dataset = chest(radiographs, n=10, per_patient="all")
    assert not {*map(patient, dataset.ids)} & {*map(patient, dataset.others)}
    assert dataset.reference(10, generator()).shape == (10, 1, 8, 8)


def test_a_radiograph_is_padded_and_not_cut(radiographs):
    dataset = chest(radiographs)
    x = dataset.load([0])[0, 0]

    assert x[0].max() == x[-1].max() == 0  # 8 x 10 becomes 6.4 x 8
    assert x[2:6].min(dim=1).values.max() > 0


def test_tables_without_views_are_read_by_the_names_of_the_pictures(radiographs):
    lines = ["Path,Cardiomegaly", *(f"{path},{cells[-1]}" for path, cells in rows_of())]
    (radiographs / "test_labels.csv").write_text("\r".join(lines))
    dataset = chest(radiographs, table="test_labels.csv", label="Cardiomegaly")

    assert dataset.ids == chest(radiographs, label="Cardiomegaly").ids
    assert torch.equal(dataset.labels, chest(radiographs, label="Cardiomegaly").labels)
    with pytest.raises(DataError, match=r"table = 'AP/PA': no such column in .*test_labels\.csv"):
        chest(radiographs, table="test_labels.csv", view="AP")


def test_chexpert_mistakes_are_one_sentence(radiographs, tmp_path):
    with pytest.raises(DataError, match=r"train\.csv: no such file"):
        chest(radiographs, table="train.csv")
    with pytest.raises(DataError, match=r"label = 'Kardiomegaly': no such column in"):
        chest(radiographs, label="Kardiomegaly")
    (tmp_path / "valid.csv").write_text((radiographs / "valid.csv").read_text())
    with pytest.raises(DataError, match=r"no such file; queries\.path is the folder that holds"):
        chest(tmp_path)
    (tmp_path / "valid.csv").write_text("Path\nx/a_frontal.jpg\n")
    draw(tmp_path / "a_frontal.jpg")
    with pytest.raises(DataError, match=r"a_frontal\.jpg: names no patient"):
        chest(tmp_path)
