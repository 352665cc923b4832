"""Adult radiographs of NIH ChestX-ray14 at 64 x 64 pixels, split by patient."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from fiber_audit_chest.radiographs import masked
from fiber_audit_chest.train.recipes import Radiographs
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from fiber_audit import DataError
from fiber_audit.sampling import derive_seed

SIZE = 64
SEEN = 0.7
"""Share of the patients whose pictures networks are trained on."""


@dataclass(frozen=True)
class Adults:
    """Frontal radiographs (n, 1, 64, 64) in [0, 1], as taken; lying is 1 where the view is AP."""

    x: Tensor
    lying: Tensor
    patients: tuple[str, ...]

    def part(self, index: list[int]) -> Radiographs:
        """Some of them, corners black; their label is the view."""
        return Radiographs(masked(self.x[index]), self.lying[index])

    def halves(self, seed: int = 0) -> tuple[list[int], list[int]]:
        """Places of 70 % of the patients' pictures, and of the others'; no patient has both."""
        people = sorted(set(self.patients), key=lambda name: derive_seed(seed, f"patient-{name}"))
        known = set(people[: round(SEEN * len(people))])
        each = range(len(self.patients))
        return (
            [i for i in each if self.patients[i] in known],
            [i for i in each if self.patients[i] not in known],
        )

    def one_each(self, index: list[int], seed: int = 0) -> list[int]:
        """Of each patient one picture, in an order of chance."""
        mixed = sorted(index, key=lambda i: derive_seed(seed, f"picture-{i}"))
        return list({self.patients[i]: i for i in mixed}.values())


def read(path: Path) -> Adults:
    """The official folder (images/*.png, Data_Entry_2017.csv), or an .npz of it.

    The .npz: images (n, height, width) uint8, view ("AP", "PA") and patient (n,).

    Raises:
        DataError: neither is there.
    """
    if path.is_dir():
        return _folder(path)
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            images, views, patients = file["images"], file["view"], file["patient"]
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        raise DataError(
            f"--data {path}: neither the folder of ChestX-ray14 nor an .npz with images, view and "
            f"patient ({error})."
        ) from error
    return _adults(small(images), views.tolist(), patients.tolist())


def _folder(path: Path) -> Adults:
    try:
        with (path / "Data_Entry_2017.csv").open(newline="") as file:
            table = [
                (path / "images" / row["Image Index"], row["View Position"], row["Patient ID"])
                for row in csv.DictReader(file)
            ]
    except (OSError, KeyError) as error:
        raise DataError(
            f"--data {path}: no Data_Entry_2017.csv to read there ({error})."
        ) from error
    there = [row for row in table if row[0].is_file()]
    if not there:
        raise DataError(f"--data {path}: images/ has none of the pictures that the table names.")
    pictures, views, patients = zip(*there, strict=True)
    return _adults(torch.cat([_picture(path) for path in pictures]), views, patients)


def _picture(path: Path) -> Tensor:
    try:
        with Image.open(path) as image:
            return small(np.asarray(image.convert("L"))[None])
    except OSError as error:
        raise DataError(f"--data: {path} cannot be read as a picture ({error}).") from error


def small(images: np.ndarray) -> Tensor:
    """(n, height, width) uint8 -> (n, 1, 64, 64) in [0, 1], by the mean of each area."""
    x = torch.tensor(images, dtype=torch.float32)[:, None] / 255
    return F.interpolate(x, (SIZE, SIZE), mode="area")


def _adults(x: Tensor, views: Sequence[str], patients: Sequence[str]) -> Adults:
    lying = torch.tensor([view == "AP" for view in views], dtype=torch.int64)
    return Adults(x, lying, tuple(str(name) for name in patients))
