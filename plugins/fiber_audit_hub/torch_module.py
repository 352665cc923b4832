"""`torch-module`: any network of an installed package, with its preprocessing written out.

    [extractors.mine]
    use = "torch-module"
    target = "our_package.networks:encoder"
    arguments = { width = 64 }
    weights = "encoder.safetensors"
    resize = 256
    crop = 224
    mean = [0.485, 0.456, 0.406]
    std = [0.229, 0.224, 0.225]

Pictures are prepared by PIL as in training, and images in the same way with a gradient.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fiber_audit import FiberAuditError, UnknownName, UsageError
from fiber_audit.contracts import Count, NonNegativeInt
from fiber_audit.loading import hub, versions

from .checkpoints import fill, read
from .images import Dtype, ImageExtractor
from .layers import Layer
from .names import nearest
from .pooling import FLAT_LIMIT, Channels, Pool, Pooling
from .preprocessing import Interpolation, Mean, Preprocessing, Side
from .sources import code_digest, loose_digest


class TorchModuleExtractor(ImageExtractor):
    """A network that a package makes. Its code is run: name packages that you trust.

    Args:
        target: "package.module:factory" of an installed package; it returns a torch.nn.Module.
        arguments: keyword arguments of the factory.
        weights: a checkpoint, .safetensors or a state_dict; "" where the factory loads its own.
        download: let the package fetch what it loads; otherwise it is kept off the network.
        mean: of the network's training data, one number or one per channel, after `range`; 0 where
            nothing is subtracted. There is no default: the wrong one is the usual mistake.
        std: likewise; 1 where nothing is divided by.
        resize: the short edge, or [height, width] whatever the aspect ratio; 0 leaves the size.
        crop: the centre, of this side or [height, width]; 0 is all.
        interpolation: of the resize.
        antialias: shrink with a filter, as PIL does; false for what tensors or OpenCV were given.
        range: what black and white are before mean and std: [0, 255] for bytes, [-1, 1].
        grey: the network takes one channel.
        layer: any module of the network; "" is what the network returns.
        pool: from maps or tokens to features; "auto" is the mean.
        channels: "last" where the layer returns (n, h, w, c).
        prefix: leading tokens, class or registers, that a mean leaves out; "cls" is
            the first of them.
        flat_limit: features that pool = "flatten" may give.
        dtype: of the network; features are float32.

    Raises:
        UsageError: the target is a file, or gives no network, or the network takes no such pixels.
        WeightsError: the weights are absent, or not this network's, or would have to be fetched.
    """

    def __init__(
        self,
        *,
        target: str,
        mean: Mean,
        std: Mean,
        arguments: Mapping[str, Any] | None = None,
        weights: str = "",
        download: bool = False,
        resize: Side = 0,
        crop: Side = 0,
        interpolation: Interpolation = "bilinear",
        antialias: bool = True,
        range: tuple[float, float] = (0.0, 1.0),
        grey: bool = False,
        layer: str = "",
        pool: Pool = "auto",
        channels: Channels = "first",
        prefix: NonNegativeInt = 0,
        flat_limit: Count = FLAT_LIMIT,
        dtype: Dtype = "float32",
    ) -> None:
        steps = Preprocessing(resize, crop, interpolation, antialias, mean, std, range, grey)
        given = dict(arguments or {})
        network = _made(target, given, download).float()
        if weights:
            fill(network, read(Path(weights).expanduser()), target)
        super().__init__(
            Layer(network, layer),
            name=f"torch-module {target}",
            tensor_path=steps.of_tensor,
            library_path=steps.of_picture,
            preprocessing=repr(steps),
            pool=Pooling(pool, channels, prefix, flat_limit),
            dtype=dtype,
            facts={"versions": versions(target.partition(".")[0].partition(":")[0], "torch")},
            identity=(
                target,
                json.dumps(given, sort_keys=True, default=repr),
                layer,
                code_digest(target, network),
                loose_digest(network),
            ),
        )


def _made(target: str, arguments: Mapping[str, Any], download: bool) -> nn.Module:
    """Call the factory, with a seed in case it draws its weights."""
    if not re.fullmatch(r"\w+(\.\w+)*:\w+(\.\w+)*", target):
        raise UsageError(
            f'target = {target!r}: write "package.module:factory", of an installed package; a file '
            "of your own becomes one with a pyproject.toml and pip install -e."
        )
    module_name, _, path = target.partition(":")
    if module_name.partition(".")[0] in sys.stdlib_module_names:
        raise UsageError(f"target = {target!r}: Python's own library makes no networks.")
    with _strangers(target, "cannot be imported", download):
        try:
            factory: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            raise UsageError(
                f"target = {target!r}: {error.name} is not installed; pip install it, or mend the "
                "name."
            ) from error
    for part in path.split("."):
        if not hasattr(factory, part):
            public = [name for name in vars(factory) if not name.startswith("_")]
            raise UnknownName(f"target = {target!r}: no {part!r}. {nearest(part, public)}")
        factory = getattr(factory, part)
    how = f"fails with arguments = {dict(arguments)}"
    with torch.random.fork_rng(devices=[]), _strangers(target, how, download):
        torch.manual_seed(0)
        made = factory(**arguments)
    if not isinstance(made, nn.Module):
        raise UsageError(f"{target} returns a {type(made).__name__}, not a torch.nn.Module.")
    return made


@contextmanager
def _strangers(target: str, how: str, download: bool) -> Iterator[None]:
    """Run code that may raise anything, and reach for anything: off the network unless told.

    Failures of files and of servers are told as those of a hub, all else as the code's own.
    """
    with hub(target, download):
        try:
            yield
        except FiberAuditError:
            raise
        except Exception as error:
            if any(isinstance(cause, OSError) for cause in _chain(error)):
                raise
            said = " ".join(str(error).split()).rstrip(".")
            raise UsageError(
                f"target = {target!r}: {how} ({type(error).__name__}: {said})."
            ) from error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
