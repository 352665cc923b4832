"""The pictures of one audit that a page can show: kept with the run, a file per audit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._draw.shown import SHOWN
from ..errors import DataError
from ..files import replacing

FOLDER = "gallery"
"""Where galleries lie in a run directory."""
MOST_QUERIES = SHOWN
SATURATED = 0.05
"""Share of an input's numbers outside the data range above which a draw is suspicious."""

OUT_OF_RANGE = "more than 5 % of its numbers had to be forced into the data range"
FAR = "it is no nearer to its query than another input is"

_FORMAT = 3
_ARRAYS = ("queries", "draws", "unguided", "fiber_loss", "lost", "unguided_lost", "suspected")


@dataclass(frozen=True, eq=False)
class Gallery:
    """Some queries of one audit with all their draws: q queries, k draws each.

    queries: (q, c, h, w) images in [0, 1], or (q, d) table rows in natural units.
    draws, unguided: (q, k, ...), the audit's draws and the prior's own from the same noise. Those
        that were lost hold NaN.
    fiber_loss: (q, k), RMS feature distance of each draw to its target; NaN where lost.
    lost: (q, k) bool, draws that left the finite numbers.
    queries_in_all: how many queries the audit has; 0 if only these.
    suspicions: in words, why a reader should not take a draw at face value -> (q, k) bool, of
        which draws that is said.
    null: mean feature distance of two queries, the scale of fiber_loss; 0 where it is not known.
    """

    audit: str
    query_ids: tuple[str, ...]
    queries: np.ndarray
    draws: np.ndarray
    fiber_loss: np.ndarray
    unguided: np.ndarray
    lost: np.ndarray
    queries_in_all: int = 0
    suspicions: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    null: float = 0.0

    @property
    def suspicious(self) -> NDArray[np.bool_]:
        """(q, k) bool: draws of which some suspicion is said."""
        return np.logical_or.reduce([np.zeros(self.lost.shape, bool), *self.suspicions.values()])

    @property
    def unguided_lost(self) -> NDArray[np.bool_]:
        """(q, k) bool: the prior's own draws that left the finite numbers."""
        return _not_finite(self.unguided)


def gallery_of(
    audit: str,
    ids: Sequence[str],
    queries: ArrayLike,
    draws: ArrayLike,
    unguided: ArrayLike,
    fiber_loss: ArrayLike,
    null: ArrayLike,
    saturation: ArrayLike | None,
    suspected: Mapping[str, ArrayLike],
    lost: ArrayLike,
    queries_in_all: int,
) -> Gallery:
    """The first 16 of the queries that are given.

    Shapes are those of `Gallery`; null may have any shape (its mean counts), saturation and each
    of suspected (name of a metric -> what it suspects) are (q, k).

    A draw is suspicious if more than 5 % of its numbers had to be clamped to the data range (the
    guidance pushed it out of the data), if its fiber loss is above the mean null distance (it is
    no nearer to its query than another input is), or if a metric suspects it. A draw that was lost
    is not suspicious: there is none. Whatever is not finite counts as lost.
    """
    q = min(MOST_QUERIES, len(ids))
    loss, pictures = _floats(fiber_loss)[:q], _floats(draws)[:q]
    gone = np.asarray(lost, bool)[:q] | ~np.isfinite(loss) | _not_finite(pictures)
    distances = _floats(null)
    far = float(np.nanmean(distances)) if np.isfinite(distances).any() else np.inf
    found = {FAR: loss > far}
    if saturation is not None:
        found = {OUT_OF_RANGE: _floats(saturation)[:q] > SATURATED} | found
    found |= {f"{name} suspects it": np.asarray(bad, bool)[:q] for name, bad in suspected.items()}
    return Gallery(
        audit=audit,
        query_ids=tuple(ids[:q]),
        queries=_floats(queries)[:q],
        draws=pictures,
        fiber_loss=np.where(gone, np.nan, loss),
        unguided=_floats(unguided)[:q],
        lost=gone,
        queries_in_all=queries_in_all,
        suspicions={why: draws & ~gone for why, draws in found.items()},
        null=far if np.isfinite(far) else 0.0,
    )


def save(gallery: Gallery, folder: Path) -> Path:
    """Write one gallery into a folder; returns the file, whose name is safe and the audit's own.

    Images in [0, 1] are kept in 8 bits, everything else as float32. No file holds NaN.

    Raises:
        DiskError: the folder cannot be written, or the disk is full.
    """
    facts = {
        "format": _FORMAT,
        "audit": gallery.audit,
        "query_ids": gallery.query_ids,
        "queries_in_all": gallery.queries_in_all,
        "null": gallery.null,
        "suspicions": tuple(gallery.suspicions),
    }
    lost = gallery.lost | ~np.isfinite(gallery.fiber_loss)
    images = gallery.queries.ndim == 4
    arrays = {
        "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8),
        "queries": _small(gallery.queries, images),
        "draws": _small(gallery.draws, images),
        "unguided": _small(gallery.unguided, images),
        "fiber_loss": np.where(lost, 0.0, gallery.fiber_loss),
        "lost": lost,
        "unguided_lost": gallery.unguided_lost,
        "suspected": np.array(list(gallery.suspicions.values()), bool).reshape(-1, *lost.shape),
    }
    path = folder / file_name(gallery.audit)
    with replacing(path) as file:
        np.savez(file, allow_pickle=False, **arrays)
    return path


def file_name(audit: str) -> str:
    """A file's name for an audit, whatever its name holds, and no other audit's.

    >>> file_name("shape/latent/ndtm")
    'shape_latent_ndtm-b0e02f23.npz'
    """
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", audit)[:80].lstrip(".")
    digest = sha256(audit.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{readable}-{digest}.npz"


def load_all(folder: Path) -> list[Gallery]:
    """Every gallery of a folder, by file name; none where there is no such folder.

    Raises:
        DataError: a file is damaged or is not a gallery, or two show one audit.
    """
    found: dict[str, Gallery] = {}
    for path in sorted(folder.glob("*.npz")):
        gallery = _load(path)
        if gallery.audit in found:
            raise DataError(
                f"{path}: shows the audit {gallery.audit!r}, as another file beside it does; "
                f"delete the one that is not named {file_name(gallery.audit)}."
            )
        found[gallery.audit] = gallery
    return list(found.values())


def _load(path: Path) -> Gallery:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            facts = json.loads(archive["facts"].tobytes())
            return _restored(facts, {name: archive[name] for name in _ARRAYS})
    except Exception as error:  # whatever a damaged or foreign file makes of its reader
        raise DataError(
            f"{path}: damaged, or not a gallery of fiber-audit; delete it and run the suite again."
        ) from error


def _restored(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> Gallery:
    """Arrays of a file -> Gallery; ValueError where they do not fit together."""
    ids, reasons = tuple(facts["query_ids"]), tuple(facts["suspicions"])
    q, k = arrays["fiber_loss"].shape
    shape = arrays["queries"].shape[1:]
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(arrays, (q, k))
    shapes |= {"queries": (q, *shape), "draws": (q, k, *shape), "unguided": (q, k, *shape)}
    shapes["suspected"] = (len(reasons), q, k)
    fits = all(arrays[name].shape == expected for name, expected in shapes.items())
    null = float(facts["null"])
    finite = all(np.isfinite(array).all() for array in arrays.values())
    texts = all(isinstance(text, str) for text in (facts["audit"], *ids, *reasons))
    known = facts["format"] == _FORMAT and np.isfinite(null)
    if not (known and fits and finite and texts and len(ids) == q):
        raise ValueError("its parts do not fit together")
    if not arrays["draws"].size:
        raise ValueError("it shows nothing")
    lost, unguided_lost = (arrays[name].astype(bool) for name in ("lost", "unguided_lost"))
    return Gallery(
        audit=facts["audit"],
        query_ids=ids,
        queries=_large(arrays["queries"]),
        draws=_emptied(_large(arrays["draws"]), lost),
        fiber_loss=_emptied(arrays["fiber_loss"].astype(np.float64), lost),
        unguided=_emptied(_large(arrays["unguided"]), unguided_lost),
        lost=lost,
        queries_in_all=int(facts["queries_in_all"]),
        suspicions=dict(zip(reasons, arrays["suspected"].astype(bool), strict=True)),
        null=null,
    )


def _small(found: np.ndarray, images: bool) -> np.ndarray:
    """8 bits for images in [0, 1], else float32; 0 for what is not finite."""
    most = np.finfo(np.float32).max
    known = np.clip(np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0), -most, most)
    if images and known.size and known.min() >= 0 and known.max() <= 1:
        return np.rint(known * 255).astype(np.uint8)
    return known.astype(np.float32)


def _large(kept: np.ndarray) -> np.ndarray:
    if kept.dtype == np.uint8:
        return kept.astype(np.float32) / np.float32(255)
    return kept.astype(np.float32)


def _emptied(found: np.ndarray, lost: NDArray[np.bool_]) -> np.ndarray:
    found[lost] = np.nan
    return found


def _floats(found: ArrayLike) -> np.ndarray:
    kept = np.asarray(found)
    return kept if np.issubdtype(kept.dtype, np.floating) else kept.astype(np.float64)


def _not_finite(rows: np.ndarray) -> NDArray[np.bool_]:
    """(q, k, ...) -> (q, k)."""
    return ~np.isfinite(rows.reshape(*rows.shape[:2], -1)).all(2)
