"""The picture of the README: queries, what three networks take for the same, unguided draws.

Command   python benchmarks/color_mnist/picture.py RUN [--out docs/img/fibers.png]
          RUN is the run directory of `fiber-audit run color-mnist`
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.image
import numpy as np

from fiber_audit._score.gallery import FOLDER, Gallery, load_all

QUERIES, DRAWS, ZOOM, GAP, WIDE = (2, 3, 6, 9), 4, 3, 4, 16
ORDER = ("shape", "colour", "classifier")


def draws_of(galleries: list[Gallery]) -> dict[str, np.ndarray]:
    """Extractor (or "unguided") -> draws (q, k, 3, 28, 28), in the order of the README."""
    found = {gallery.audit.split("/")[0]: gallery.draws for gallery in galleries}
    ordered = {name: found[name] for name in ORDER if name in found}
    return ordered | {"unguided": galleries[0].unguided}


def tile(images: list[np.ndarray], gap: int, axis: int) -> np.ndarray:
    """Lay images side by side (axis 1) or below each other (axis 0) with transparent gaps."""
    shape = list(images[0].shape)
    shape[axis] = gap
    space = np.zeros(shape)
    parts = [part for image in images for part in (space, image)][1:]
    return np.concatenate(parts, axis=axis)


def enlarged(image: np.ndarray) -> np.ndarray:
    """(3, 28, 28) -> (28 ZOOM, 28 ZOOM, 4), opaque."""
    big = image.transpose(1, 2, 0).repeat(ZOOM, 0).repeat(ZOOM, 1)
    return np.concatenate([big, np.ones_like(big[..., :1])], axis=2)


def main() -> None:
    """Paint RUN into one PNG."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/img/fibers.png"))
    arguments = parser.parse_args()
    galleries = load_all(arguments.run / FOLDER)
    if not galleries:
        raise SystemExit(f"{arguments.run}: it shows no draws; finish the run first.")
    queries, found = galleries[0].queries, draws_of(galleries)
    rows = []
    for q in QUERIES:
        query = enlarged(queries[q])
        groups = [tile([enlarged(x) for x in found[name][q][:DRAWS]], GAP, 1) for name in found]
        rows.append(tile([query, *groups], WIDE, 1))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    matplotlib.image.imsave(arguments.out, tile(rows, GAP * 2, 0).clip(0, 1))
    print(f"{arguments.out}: query | {' | '.join(found)}")


if __name__ == "__main__":
    main()
