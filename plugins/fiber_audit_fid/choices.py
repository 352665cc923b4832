"""What options may say. No torch here: the host reads these types to check a suite."""

from __future__ import annotations

from typing import Literal

Preprocessing = Literal["published", "unit"]
Resize = Literal["tf1", "bilinear", "antialias"]
Layer = Literal["64", "192", "768", "2048"]
Against = Literal["queries", "data"]
EditName = Literal["mode_drop", "recolour", "texture_swap", "blur", "duplicates"]
ImageRange = Literal["unit", "uint8"]
