"""Rows of a table in CheXpert's layout: which radiographs, of whom, with which finding."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pandas as pd

from fiber_audit import DataError

from .folder import Folder
from .frames import frame_of, need

View = Literal["frontal", "lateral", "AP", "PA", "all"]
Uncertain = Literal["drop", "positive", "negative"]
PATH, SIDE, PROJECTION = "Path", "Frontal/Lateral", "AP/PA"
PATIENT = re.compile(r"patient\w+")
FINDING = {"1": "1", "0": "0", "": "0", "-1": "uncertain"}
"""What a cell of a finding says; one that is not mentioned is taken for absent."""


def patient_of(name: str) -> str:
    """The patient that a path names.

    >>> patient_of("valid/patient64541/study1/view1_frontal.jpg")
    'patient64541'
    """
    found = PATIENT.search(name)
    if not found:
        raise DataError(f"{name}: names no patient; CheXpert has patient64541/study1/ in a path.")
    return found[0]


def radiographs(folder: Folder, table: str, view: View, label: str) -> pd.DataFrame:
    """One row per radiograph of a view, indexed by its path from the folder; the label as text.

    Raises:
        DataError: a column is missing, or the pictures are not where the table says.
    """
    path = folder.root / table
    wanted = {PATH, SIDE, PROJECTION, label}
    rows = frame_of(path, text=True, only=lambda name: name in wanted)
    need(rows, PATH, path, "table")
    if label:
        need(rows, label, path, "label")
    rows = rows[_seen_from(rows, view, path)]
    rows.index = pd.Index(_located(folder, list(rows[PATH])))
    return rows


def findings(values: pd.Series[str], uncertain: Uncertain) -> pd.Series[str] | None:
    """A column of a finding as "0" and "1", without uncertain rows if they are dropped.

    None where it holds other things than 1, 0, -1 and nothing.
    """
    found = values.str.strip().str.removesuffix(".0").map(FINDING)
    if found.isna().any():
        return None
    if uncertain == "drop":
        return found[found != "uncertain"]
    return found.replace("uncertain", "1" if uncertain == "positive" else "0")


def _seen_from(rows: pd.DataFrame, view: View, path: Path) -> pd.Series[bool]:
    if view in ("AP", "PA"):
        need(rows, PROJECTION, path, "table")
        return rows[PROJECTION].str.strip() == view
    if view == "all":
        return rows[PATH].notna()
    if SIDE in rows:
        return rows[SIDE].str.strip().str.lower() == view
    return rows[PATH].str.contains(f"_{view}.", regex=False)  # the test set has only paths


def _located(folder: Folder, paths: list[str]) -> list[str]:
    """Paths of a table, which begin with the name of the whole collection, from the folder."""
    shorter = [path.partition("/")[2] for path in paths]
    for names in (shorter, paths):
        if not names or (folder.root / names[0]).is_file():
            return names
    raise DataError(
        f"{folder.place(shorter[0])}: no such file; queries.path is the folder that holds the "
        f"tables and, beside them, the pictures that they name."
    )
