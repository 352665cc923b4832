import json
import zipfile

import numpy as np
import pytest

from fiber_audit._score.gallery import (
    FAR,
    MOST_QUERIES,
    OUT_OF_RANGE,
    Gallery,
    file_name,
    gallery_of,
    load_all,
    save,
)
from fiber_audit.errors import DataError

NAMES = [
    "shape/latent/ndtm",
    "shape latent ndtm",
    "../../etc/passwd",
    "Ω/ξ/\x1b[31m",
    "a" * 300,
    "",
]


def made(audit="a/b/c", shape=(3, 4, 5), q=2, k=3, **more):
    rng = np.random.default_rng(0)
    given = {
        "audit": audit, "ids": [f"query-{i}" for i in range(q)],
        "queries": rng.random((q, *shape), np.float32),
        "draws": rng.random((q, k, *shape), np.float32),
        "unguided": rng.random((q, k, *shape), np.float32),
        "fiber_loss": rng.random((q, k)), "null": np.array([[9.0]]), "saturation": None,
        "suspected": {}, "lost": np.zeros((q, k), bool), "queries_in_all": q,
    }  # fmt: skip
    return gallery_of(**given | more)


@pytest.fixture
def kept(tmp_path):
    """Save a gallery, check that its file holds no NaN, and load it."""

    def again(gallery):
        with np.load(save(gallery, tmp_path)) as archive:
            assert all(np.isfinite(archive[name]).all() for name in archive.files)
        (found,) = load_all(tmp_path)
        return found

    return again


def test_images_come_back_in_8_bits(kept):
    gallery = made()
    found = kept(gallery)

    for name in ("queries", "draws", "unguided"):
        assert np.array_equal(np.rint(getattr(gallery, name) * 255), getattr(found, name) * 255)
    assert np.array_equal(found.fiber_loss, gallery.fiber_loss)
    assert (found.audit, found.query_ids) == (gallery.audit, gallery.query_ids)


@pytest.mark.parametrize("shape", [(4,), (2, 3)])
def test_tables_come_back_as_they_are_whatever_their_values(kept, shape):
    gallery = made(shape=shape)
    found = kept(gallery)

    assert found.draws.dtype == np.float32
    assert np.array_equal(found.draws, gallery.draws)


def test_images_beyond_0_and_1_are_not_squeezed_into_8_bits(kept):
    gallery = made(draws=np.linspace(-2, 3, 360, dtype=np.float32).reshape(2, 3, 3, 4, 5))

    assert np.array_equal(kept(gallery).draws, gallery.draws)


def test_a_draw_is_suspicious_if_saturated_or_beyond_the_null_or_suspected():
    loss = np.array([[0.1, 0.1, 0.9], [0.1, 0.1, 0.1]])
    saturation = np.array([[0.06, 0.05, 0.0], [0.0, 0.0, 0.0]])
    suspected = np.array([[False] * 3, [False, False, True]])
    null = np.array([[0.4, 0.6], [0.5, np.nan]])
    found = made(fiber_loss=loss, saturation=saturation, suspected={"odd": suspected}, null=null)

    assert found.suspicious.tolist() == [[True, False, True], [False, False, True]]


def test_why_a_draw_is_suspicious_and_the_null_are_kept(kept):
    suspected = np.array([[False, True, False]] * 2)
    saturation = np.array([[0.5, 0.5, 0.0]] * 2)
    gallery = made(fiber_loss=np.full((2, 3), 0.5), saturation=saturation, null=0.25,
                   suspected={"plausibility": suspected, "odd": ~suspected})  # fmt: skip
    found = kept(gallery)

    told = {why: draws[0].tolist() for why, draws in found.suspicions.items()}
    assert told == {
        OUT_OF_RANGE: [True, True, False], FAR: [True, True, True],
        "plausibility suspects it": [False, True, False], "odd suspects it": [True, False, True],
    }  # fmt: skip
    assert found.suspicious.all()
    assert found.null == 0.25
    assert kept(made(null=np.empty(0))).null == 0


def test_a_single_query_has_no_null_to_be_beyond():
    assert not made(q=1, null=np.empty((1, 0))).suspicious.any()


def test_lost_draws_stay_lost_and_are_not_suspicious(kept):
    lost = np.zeros((2, 3), bool)
    lost[0, 1] = True
    loss, draws, unguided = np.full((2, 3), 5.0), made().draws.copy(), made().unguided.copy()
    loss[0, 1] = draws[0, 1] = unguided[1, 2] = np.nan
    gallery = made(
        lost=lost, fiber_loss=loss, draws=draws, unguided=unguided, null=1.0,
        saturation=np.where(lost, np.nan, 1.0),
    )  # fmt: skip

    for found in (gallery, kept(gallery)):
        assert np.array_equal(found.lost, lost)
        assert np.array_equal(np.isnan(found.fiber_loss), lost)
        assert np.array_equal(np.isnan(found.draws).all((2, 3, 4)), lost)
        assert np.argwhere(found.unguided_lost).tolist() == [[1, 2]]
        assert np.array_equal(found.suspicious, ~lost)


def test_what_is_not_finite_counts_as_lost():
    draws = made().draws.copy()
    draws[1, 1, 0, 0, 0] = np.inf

    assert np.argwhere(made(draws=draws).lost).tolist() == [[1, 1]]


def test_a_gallery_keeps_the_first_16_queries_and_says_of_how_many(kept):
    found = kept(made(q=20, queries_in_all=1000))

    assert found.query_ids == tuple(f"query-{i}" for i in range(MOST_QUERIES))
    assert len(found.draws) == MOST_QUERIES
    assert found.queries_in_all == 1000


def test_every_audit_has_a_file_of_its_own_in_the_folder(tmp_path):
    for name in NAMES:
        path = save(made(name), tmp_path)
        assert path.parent == tmp_path
        assert path.name.isascii()
        assert len(path.name) < 120

    assert {found.audit for found in load_all(tmp_path)} == set(NAMES)


def test_the_same_gallery_is_the_same_bytes(tmp_path):
    assert save(made(), tmp_path / "a").read_bytes() == save(made(), tmp_path / "b").read_bytes()


def test_ids_are_kept_to_the_letter(kept):
    ids = ["", "\0", "\x00tail\x00", "Ω\ud800", "a" * 500]

    assert kept(made(ids=ids, q=5)).query_ids == tuple(ids)


def test_a_folder_that_is_not_there_holds_no_gallery(tmp_path):
    assert load_all(tmp_path / "gallery") == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text", b"\x93NUMPY\x01\x00v\x00{"])
def test_a_foreign_file_is_refused_in_one_sentence_that_names_it(tmp_path, content):
    path = tmp_path / "odd.npz"
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"odd\.npz: damaged, or not a gallery.*; delete it"
    ) as told:
        load_all(tmp_path)
    assert "\n" not in str(told.value)


def test_parts_that_do_not_fit_together_are_refused(tmp_path):
    path = save(made(), tmp_path)
    with np.load(path) as archive:
        parts = dict(archive)
    changes = {
        "format": {"facts": _facts(format=2)}, "ids": {"facts": _facts(query_ids=["one"])},
        "text": {"facts": _facts(audit=5)}, "shape": {"draws": parts["draws"][:1]},
        "reasons": {"facts": _facts(suspicions=[FAR, "odd"])},
        "null": {"facts": _facts(null="far")}, "infinite": {"facts": _facts(null=float("inf"))},
        "nan": {"fiber_loss": np.full((2, 3), np.nan)},
        "nothing": {n: a[..., :0] for n, a in parts.items() if a.ndim > 2},
    }  # fmt: skip
    for change in changes.values():
        np.savez(path, **parts | change)
        with pytest.raises(DataError, match="damaged"):
            load_all(tmp_path)


def _facts(**changed):
    facts = {"format": 3, "audit": "a/b/c", "query_ids": ["x", "y"], "queries_in_all": 2}
    facts |= {"null": 9.0, "suspicions": [FAR]} | changed
    return np.frombuffer(json.dumps(facts).encode(), np.uint8)


def test_two_files_of_one_audit_are_refused(tmp_path):
    path = save(made(), tmp_path)
    (tmp_path / "copy.npz").write_bytes(path.read_bytes())
    with pytest.raises(DataError, match=f"delete the one that is not named {file_name('a/b/c')}"):
        load_all(tmp_path)


def test_no_mutation_of_a_file_leaves_a_foreign_error_or_other_pictures(tmp_path):
    gallery = made(shape=(1, 3, 3))
    path = save(gallery, tmp_path)
    whole = path.read_bytes()
    (before,) = load_all(tmp_path)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), rng.integers(1, 4)):
            damaged[at] ^= 1 << rng.integers(0, 8)
        path.write_bytes(damaged[: rng.integers(1, len(whole))] if rng.random() < 0.3 else damaged)
        try:
            (found,) = load_all(tmp_path)
        except DataError:
            refused += 1
        else:  # a bit that nothing reads, such as a time
            assert all(
                np.array_equal(getattr(found, name), getattr(before, name), equal_nan=True)
                for name in ("queries", "draws", "unguided", "fiber_loss", "lost", "suspicious")
            )
    assert refused > 150


def test_a_gallery_is_no_archive_of_pickles(tmp_path):
    path = save(made(), tmp_path)
    evil = np.array([{"a": 1}], dtype=object)
    with np.load(path) as archive:
        np.savez(path, **dict(archive) | {"draws": evil})
    assert zipfile.is_zipfile(path)
    with pytest.raises(DataError):
        load_all(tmp_path)


def test_a_gallery_built_by_hand_is_saved_too(kept):
    loss = np.array([[0.1, np.nan]])
    pictures = np.zeros((1, 2, 3))
    lost = np.zeros((1, 2), bool)
    found = kept(Gallery("a", ("x",), pictures[:, 0], pictures, loss, pictures, lost))

    assert found.lost.tolist() == [[False, True]]
