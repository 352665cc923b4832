"""The picture of the README: queries, what three networks take for the same, unguided draws.

Command   python benchmarks/color_mnist/picture.py RUN [--out docs/img/fibers.png]
          RUN is the run directory of `fiber-audit run color-mnist`
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.image
import numpy as np

from fiber_audit.components import Components
from fiber_audit.plan import audits, references, units
from fiber_audit.plugins import Catalogue
from fiber_audit.store import existing
from fiber_audit.suite import read

QUERIES, DRAWS, ZOOM, GAP, WIDE = (3, 5, 7, 12), 4, 3, 4, 16


def draws_of(components: Components, path: Path) -> dict[str, np.ndarray]:
    """Extractor (or "unguided") -> draws (q, k, 3, 28, 28)."""
    suite, store = components.suite, existing(path)
    digests = {f"extractors.{e}": components.extractor(e).weights_sha256 for e in suite.extractors}
    digests |= {f"priors.{p}": components.prior(p).weights_sha256 for p in suite.priors}
    planned = audits(suite)
    found = {}
    for audit in [*planned, *references(planned)]:
        arrays = store.load(audit, units(suite, audit, components.queries, digests))
        if arrays is None:
            raise SystemExit(f"{path}: draws of {audit.name} are missing; finish the run first.")
        found[audit.extractor] = arrays["data"].reshape(-1, suite.draws, 3, 28, 28)
    return found


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
    catalogue = Catalogue.load()
    components = Components(read(str(arguments.run / "suite.toml"), catalogue), catalogue)
    found = draws_of(components, arguments.run)
    rows = []
    for q in QUERIES:
        query = enlarged(components.queries.data[q].numpy())
        groups = [tile([enlarged(x) for x in found[name][q][:DRAWS]], GAP, 1) for name in found]
        rows.append(tile([query, *groups], WIDE, 1))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    matplotlib.image.imsave(arguments.out, tile(rows, GAP * 2, 0).clip(0, 1))
    print(f"{arguments.out}: query | {' | '.join(found)}")


if __name__ == "__main__":
    main()
