"""Towers that see a list of patches of any number, as Qwen2-VL's does.

Their processor resizes to whole patches and cuts, in numpy. Here a picture stays one until it is in
the network, so that a gradient reaches it.
"""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from fiber_audit.loading import library

from .towers import Tower
from .transformers_pixels import Processor


class PatchProcessor(Processor):
    """A processor whose patches are put together again to a picture."""

    def of_tensor(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) in [0, 1] -> (n, 3, rows x side, columns x side), differentiable."""
        how = self.tensors
        if how.do_resize:
            factor = how.patch_size * how.merge_size
            x = how.resize(x, size=how.size, resample=how.resample, factor=factor)
        return self.normalised(x)

    def of_picture(self, picture: Image) -> Tensor:
        """An RGB picture -> (1, 3, rows x side, columns x side)."""
        found, how = self.pil(images=picture, return_tensors="pt"), self.pil
        _, rows, columns = found["image_grid_thw"][0].tolist()
        patches = found["pixel_values"].float()[None]
        return joined(patches, rows, columns, how.patch_size, how.merge_size)


class PatchTower(Tower):
    """Pixels (n, 3, rows x side, columns x side) -> features (n, d)."""

    @staticmethod
    def fits(tower: Any) -> bool:
        """Is it called with a grid of patches?"""
        return "grid_thw" in inspect.signature(tower.forward).parameters

    def forward(self, pixels: Tensor) -> Tensor:
        """One call of the tower, with the patches of all pictures in one list."""
        how, n, vision = self.tower.config, len(pixels), library("transformers.vision_utils", "hub")
        rows, columns = (side // how.patch_size for side in pixels.shape[-2:])
        grid = torch.tensor([[1, rows, columns]] * n)  # read on the CPU, wherever pixels are
        places = vision.get_vision_position_ids(grid, how.spatial_merge_size)
        patches = cut(pixels, how.patch_size, how.spatial_merge_size, how.temporal_patch_size)
        output = self.tower(
            patches.flatten(0, 1),
            grid_thw=grid,
            position_ids=places.to(pixels.device),
            cu_seqlens=vision.get_vision_cu_seqlens(grid),
            **self._named(pixels),
        )

        def per_picture(tokens: Tensor) -> Tensor:
            return tokens.unflatten(0, (n, -1))

        found = SimpleNamespace(
            last_hidden_state=per_picture(output.last_hidden_state),
            pooler_output=per_picture(output.pooler_output).mean(dim=1),
            hidden_states=[per_picture(s) for s in getattr(output, "hidden_states", None) or ()],
        )
        return self.pooled(found, places=0)


def cut(pixels: Tensor, side: int, merge: int, times: int) -> Tensor:
    """(n, c, h, w) -> (n, patches, c x times x side x side).

    Blocks of merge x merge patches are adjacent; a picture is a film of equal frames.
    """
    n, c, h, w = pixels.shape
    block = side * merge
    blocks = pixels.reshape(n, c, h // block, merge, side, w // block, merge, side)
    patches = blocks.permute(0, 2, 5, 3, 6, 1, 4, 7).unsqueeze(6)
    patches = patches.expand(-1, -1, -1, -1, -1, -1, times, -1, -1)
    return patches.reshape(n, h * w // side**2, c * times * side**2)


def joined(patches: Tensor, rows: int, columns: int, side: int, merge: int) -> Tensor:
    """Undo `cut`: (n, rows x columns, c x times x side x side) -> (n, c, h, w), the first frame."""
    grid = (rows // merge, columns // merge, merge, merge)
    blocks = patches.reshape(len(patches), *grid, 3, -1, side, side)[:, :, :, :, :, :, 0]
    found = blocks.permute(0, 5, 1, 3, 6, 2, 4, 7)
    return found.reshape(len(patches), 3, rows * side, columns * side)
