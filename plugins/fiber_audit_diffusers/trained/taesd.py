"""The tiny autoencoders of madebyollin/taesd from their own files, a pair of encoder and decoder.

Their layers, in the order of the files' numbers: convolutions of 3 x 3 with 64 channels and blocks
of three of them around a skip; the encoder halves three times, the decoder doubles three times. The
newest ones (TAEF2) have a normalised detour in the blocks at the lowest resolution, for which
diffusers' AutoencoderTiny has no place.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from fiber_audit import WeightsError
from fiber_audit.loading import read_tensors

WIDTH, GROUPS, LIMIT = 64, 4, 3.0


class Block(nn.Module):
    """relu(x + three convolutions of x), with the detour before them where there is one."""

    def __init__(self, detour: bool) -> None:
        super().__init__()
        self.conv = nn.Sequential(_conv(), nn.ReLU(), _conv(), nn.ReLU(), _conv())
        self.pool: nn.Module | None = None
        if detour:
            wide = 4 * WIDTH
            self.pool = nn.Sequential(
                nn.Conv2d(WIDTH, wide, 1, bias=False), nn.GroupNorm(GROUPS, wide), nn.ReLU(),
                nn.Conv2d(wide, WIDTH, 1, bias=False),
            )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(n, 64, h, w) -> the same."""
        if self.pool is not None:
            x = x + self.pool(x)
        return (self.conv(x) + x).relu()


class Limit(nn.Module):
    """3 tanh(z / 3): latents are kept from running away."""

    def forward(self, z: Tensor) -> Tensor:
        """Latents -> limited latents."""
        return (z / LIMIT).tanh() * LIMIT


class TaesdAutoencoder(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Pictures (n, 3, h, w) in [-1, 1] <-> latents (n, c, h / 8, w / 8), as diffusers calls it.

    No normalisation across rows; each row on its own.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        latent_channels: int = 4,
        detours: bool = False,
        block_out_channels: tuple[int, ...] = (WIDTH,) * 4,
    ) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            _conv(3), Block(False),
            *(layer for lowest in (False, False, detours)
              for layer in (_conv(stride=2, bias=False), *(Block(lowest) for _ in range(3)))),
            _conv(out=latent_channels),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            Limit(), _conv(latent_channels), nn.ReLU(),
            *(layer for lowest in (detours, False, False)
              for layer in (*(Block(lowest) for _ in range(3)), nn.Upsample(scale_factor=2),
                            _conv(bias=False))),
            Block(False), _conv(out=3),
        )  # fmt: skip

    def encode(self, x: Tensor) -> Any:
        """Pictures in [-1, 1] -> an object with `latents`."""
        return SimpleNamespace(latents=self.encoder((x + 1) / 2))

    def decode(self, z: Tensor) -> Any:
        """Latents -> an object with `sample`, pictures in [-1, 1]."""
        return SimpleNamespace(sample=self.decoder(z) * 2 - 1)


def _conv(channels: int = WIDTH, out: int = WIDTH, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, stride, 1, bias=bias)


def pair_in(folder: Path) -> tuple[Path, Path] | None:
    """The files of encoder and decoder in a folder, where there is one of each."""
    found = [sorted(folder.glob(f"*{part}.pth")) for part in ("encoder", "decoder")]
    return (found[0][0], found[1][0]) if [len(files) for files in found] == [1, 1] else None


def read_pair(encoder: Path, decoder: Path) -> TaesdAutoencoder:
    """The autoencoder of two files, in float32.

    Raises:
        WeightsError: they are no such files.
    """
    try:
        states = [read_tensors(path) for path in (encoder, decoder)]
        channels = states[1]["1.weight"].shape[1]
        found = TaesdAutoencoder(channels, any(".pool." in name for name in states[0]))
        for part, state in zip((found.encoder, found.decoder), states, strict=True):
            part.load_state_dict(state)
    except Exception as error:  # a pickle may fail in any way
        raise WeightsError(
            f"{encoder}: not the encoder of a TAESD with a decoder beside it ({error})."
        ) from error
    return found.float()
