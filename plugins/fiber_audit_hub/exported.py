"""`exported`: a program that torch.export saved, with its preprocessing written out.

    [extractors.deployed]
    use = "exported"
    path = "encoder.pt2"
    resize = 256
    crop = 224
    mean = [0.485, 0.456, 0.406]
    std = [0.229, 0.224, 0.225]

It is what it is: no layer can be chosen, and its dtype is the one it was saved with.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal, Self
from zipfile import BadZipFile, ZipFile

import torch
from torch import nn

from fiber_audit import UsageError, WeightsError
from fiber_audit.contracts import Count, NonNegativeInt
from fiber_audit.loading import versions

from .graphs import Graph, digest_of_file
from .images import ImageExtractor
from .pooling import FLAT_LIMIT, Channels, Pool, Pooling
from .preprocessing import Interpolation, Mean, Preprocessing, Side
from .proof import blank

MARKS = ("archive_format", "serialized_exported_program.json")
"""What only archives of torch.export hold, now and before torch 2.7."""


class ExportedExtractor(ImageExtractor):
    """A saved program of one input, images, whose first output is features. Trust its source.

    Args:
        path: the .pt2 file of torch.export.save, exported in eval mode.
        mean: see torch-module, like all of the preprocessing; 0 and 1 where the program does it.
        std: likewise.
        format: "torchscript" for a file of torch.jit.save.
        resize: the short edge, or [height, width]; 0 leaves the size.
        crop: the centre, of this side or [height, width]; 0 is all.
        interpolation: of the resize.
        antialias: shrink with a filter, as PIL does.
        range: what black and white are before mean and std.
        grey: the network takes one channel.
        pool: from maps or tokens to features; "auto" is the mean.
        channels: "last" where the program returns (n, h, w, c).
        prefix: leading tokens, class or registers, that a mean leaves out; "cls" is
            the first of them.
        flat_limit: features that pool = "flatten" may give.

    Raises:
        UsageError: the program takes no such pixels.
        WeightsError: no such file, or none of this format.
    """

    def __init__(
        self,
        *,
        path: str,
        mean: Mean,
        std: Mean,
        format: Literal["torch.export", "torchscript"] = "torch.export",
        resize: Side = 0,
        crop: Side = 0,
        interpolation: Interpolation = "bilinear",
        antialias: bool = True,
        range: tuple[float, float] = (0.0, 1.0),
        grey: bool = False,
        pool: Pool = "auto",
        channels: Channels = "first",
        prefix: NonNegativeInt = 0,
        flat_limit: Count = FLAT_LIMIT,
    ) -> None:
        steps = Preprocessing(resize, crop, interpolation, antialias, mean, std, range, grey)
        self._file = file = Path(path).expanduser()
        digest = digest_of_file(file)
        self._program = _program(file) if format == "torch.export" else None
        inner = self._program.module() if self._program else _script(file)
        takes = _dtype(self._program, file) if self._program else None
        graph = Graph(inner, steps.of_tensor(blank()), takes)
        super().__init__(
            graph,
            name=f"exported {file.name}",
            tensor_path=steps.of_tensor,
            library_path=steps.of_picture,
            preprocessing=repr(steps),
            pool=Pooling(pool, channels, prefix, flat_limit),
            facts={"versions": versions("torch"), **graph.told},
            identity=(format, digest),
        )

    def to(self, device: torch.device | str) -> Self:
        """Move the program, which names devices in its graph, too."""
        if self._program is None:
            self.network.inner = _script(self._file, device)
        else:
            from torch.export.passes import move_to_device_pass

            self._program = move_to_device_pass(self._program, str(device))
            self.network.inner = self._program.module()
        self.network.requires_grad_(False)
        for part in self.network.modules():
            part.training = False
        return self


def _program(path: Path) -> Any:
    try:
        with ZipFile(path) as archive:  # asked first, since torch logs a page where it is another
            if not any(name.endswith(MARKS) for name in archive.namelist()):
                raise BadZipFile
        return torch.export.load(str(path))
    except Exception as error:  # whatever is said to a file of another kind
        raise WeightsError(
            f"{path} is no program of torch.export ({type(error).__name__}); save one with "
            'torch.export.save, or set format = "torchscript".'
        ) from error


def _script(path: Path, device: torch.device | str = "cpu") -> nn.Module:
    try:
        with warnings.catch_warnings(action="ignore"):  # TorchScript is deprecated, and asked for
            module: nn.Module = torch.jit.load(str(path), map_location=str(device))
            return module.eval()
    except Exception as error:
        raise WeightsError(
            f"{path} is no TorchScript ({type(error).__name__}); save one with torch.jit.save."
        ) from error


def _dtype(program: Any, path: Path) -> torch.dtype:
    """Of the one input of a program."""
    inputs = program.graph_signature.user_inputs
    if len(inputs) != 1:
        raise UsageError(f"{path} takes {len(inputs)} inputs; export a program of images alone.")
    nodes = {node.name: node for node in program.graph.find_nodes(op="placeholder")}
    dtype: torch.dtype = nodes[inputs[0]].meta["val"].dtype
    return dtype
