"""Published weights: where they are looked for, and the proof that they are the right ones.

Nothing is downloaded unless the suite says ``download = true``. A file is opened only after its
sha256 is the expected one, and then with torch's loader of tensors alone, which runs no code.
"""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from fiber_audit import WeightsError


@dataclass(frozen=True)
class Checkpoint:
    """One published file: the extractor it belongs to, file names in the cache, url, sha256."""

    extractor: str
    files: tuple[str, ...]
    url: str
    sha256: str


TF_INCEPTION = Checkpoint(
    "inception-tf",
    ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth"),
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
TORCHVISION_INCEPTION = Checkpoint(
    "inception-torchvision",
    ("inception_v3_google-0cc3c7bd.pth",),
    "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
    "0cc3c7bd75056d25e46cba549dc184522069b81e9787eff6df84f397bd52a5ef",
)


LFS = b"version https://git-lfs.github.com/spec/"
"""How a Git LFS pointer begins, which stands in a checkout for a file that was not fetched."""
UNREADABLE = (
    AttributeError,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)
"""What torch raises on a file that is no checkpoint, or one of another network."""


def cache() -> Path:
    """The folder where torch.hub keeps checkpoints."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def load(
    network: nn.Module,
    checkpoint: Checkpoint,
    weights: str = "",
    seed: int = 0,
    download: bool = False,
    sha256: str = "",
) -> str:
    """Fill a network with weights and return their digest.

    The checkpoint may hold more than the network has, say a classifier.

    weights: "" for torch's cache (and the net, if `download`), "random" for He-normal weights from
    `seed`, or the path of a checkpoint. sha256: expected digest of a file of one's own.

    Raises:
        WeightsError: no such file, another digest, a file that is not a checkpoint of this network.
    """
    if weights == "random":
        fill_random(network, seed)
        return hashlib.sha256(f"random weights, seed {seed}".encode()).hexdigest()
    path = _path(checkpoint, weights, download)
    found, expected = digest_of(path), sha256.lower() or checkpoint.sha256
    if found != expected:
        raise WeightsError(
            f"{path}: sha256 is {found[:12]}…, {checkpoint.extractor} expects {expected[:12]}…; "
            "fetch the file again, or set sha256 if these weights are meant."
        )
    try:
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        known = network.state_dict()
        network.load_state_dict({key: value for key, value in state.items() if key in known})
    except UNREADABLE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"{path}: not a checkpoint of {checkpoint.extractor} ({reason}); give another file."
        ) from error
    return found


def digest_of(path: Path) -> str:
    """The sha256 of a file of weights.

    Raises:
        WeightsError: it cannot be read, or is a Git LFS pointer.
    """
    try:
        with path.open("rb") as file:
            pointer = file.read(len(LFS)) == LFS
            file.seek(0)
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be read ({error.strerror}); give a file that can."
        ) from error
    if pointer:
        raise WeightsError(
            f"{path}: a Git LFS pointer, not the weights; fetch them with `git lfs pull`."
        )
    return found


def fill_random(network: nn.Module, seed: int) -> None:
    """He-normal weights and lively normalisation, all from one generator; for tests."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                fan_in = module.weight[0].numel()
                module.weight.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
                if module.bias is not None:
                    module.bias.normal_(0, 0.1, generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.9, 1.1, generator=generator)
                module.bias.normal_(0, 0.1, generator=generator)
                if module.running_mean is not None and module.running_var is not None:
                    module.running_mean.normal_(0, 0.1, generator=generator)
                    module.running_var.uniform_(0.9, 1.1, generator=generator)


def _path(checkpoint: Checkpoint, weights: str, download: bool) -> Path:
    if weights:
        path = Path(weights).expanduser()
        if not path.is_file():
            raise WeightsError(
                f"weights = {weights!r}: no such file; {checkpoint.extractor} reads "
                f"{checkpoint.files[0]} from {checkpoint.url}."
            )
        return path
    for name in checkpoint.files:
        if (cache() / name).is_file():
            return cache() / name
    target = cache() / checkpoint.files[0]
    if not download:
        raise WeightsError(
            f"{checkpoint.extractor}: its weights are absent; put {checkpoint.files[0]} into "
            f"{cache()}, or set weights to its path, or set download = true to fetch it from "
            f"{checkpoint.url}."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(checkpoint.url, str(target), checkpoint.sha256, False)
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"{checkpoint.extractor}: the download of {checkpoint.url} failed ({error}); "
            f"put the file into {cache()} by hand."
        ) from error
    return target
