"""The two scenes of the study: their queries, priors and networks, made when they are asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from fiber_audit_chest.dataset import ChestRadiographs
from fiber_audit_chest.extractors import Contrastive, Untrained
from fiber_audit_chest.priors import Both
from fiber_audit_data.image_folder import ImageFolder
from fiber_audit_diffusers.prior import DiffusersPrior
from fiber_audit_hub.efficientnet_lite0 import EfficientNetLite0
from fiber_audit_hub.torch_module import TorchModuleExtractor
from torch import Tensor

from fiber_audit.contracts import Extractor, Prior

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "cifar"))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RESNETS = {"resnet20": "resnet20-12fca82f.th", "resnet56": "resnet56-4bfd9763.th"}
PRIOR = HERE.parent / "priors" / "cifar10"


@dataclass(frozen=True)
class Sources:
    """Where a user has things; see `real_networks`."""

    weights: Path
    inception: Path
    pictures: Path
    radiographs: Path
    prior: Path = PRIOR


@dataclass(frozen=True)
class Scene:
    """What is drawn for which queries, and who looks. All networks see the same pictures."""

    name: str
    queries: Callable[[int], Tensor]
    prior: Callable[[], Prior]
    networks: Mapping[str, Callable[[], Extractor]]


def scenes(given: Sources) -> list[Scene]:
    """Photographs, and radiographs."""
    real = {"lite0": lite0, "inception": partial(inception, given.inception)}
    on_photographs = {
        **{name: partial(resnet, name, given.weights) for name in RESNETS},
        "untrained": partial(resnet, "resnet20", None),
    }
    on_radiographs: dict[str, Callable[[], Extractor]] = {
        "F": partial(Contrastive, flips=True),
        "G": partial(Contrastive, flips=False),
        "untrained": Untrained,
    }
    return [
        Scene(
            "photographs",
            partial(photographs, given.pictures),
            partial(DiffusersPrior, str(given.prior)),
            real | on_photographs,
        ),
        Scene("radiographs", partial(radiographs, given.radiographs), Both, real | on_radiographs),
    ]


def photographs(folder: Path, n: int) -> Tensor:
    """(n, 3, 32, 32), test pictures of CIFAR-10: folder/CLASS/*.jpg or .png."""
    return loaded(ImageFolder(str(folder), n=n, size=32))


def radiographs(file: Path, n: int) -> Tensor:
    """(n, 1, 28, 28), test pictures of PneumoniaMNIST as they are."""
    return loaded(ChestRadiographs(str(file), n=n))


def loaded(data: ImageFolder | ChestRadiographs) -> Tensor:
    """All pictures of a data set."""
    return data.load(range(len(data)))


def lite0() -> Extractor:
    """EfficientNet-Lite0 of ImageNet, which sees the whole picture, enlarged as it is used to."""
    return EfficientNetLite0(resize=(224, 224), crop=0)


def inception(folder: Path) -> Extractor:
    """InceptionV3 of nsfwjs."""
    sys.path.insert(0, str(HERE))
    return TorchModuleExtractor(
        target="real_networks_inception:made",
        arguments={"folder": str(folder)},
        mean=(0.0,),
        std=(1.0,),
        resize=(299, 299),
    )


def resnet(name: str, weights: Path | None) -> Extractor:
    """A residual network of CIFAR-10, pooled before its classifier; without weights untrained."""
    found = next(weights.glob(f"*{RESNETS[name]}")) if weights else ""
    return TorchModuleExtractor(
        target=f"cifar_resnet:{name}", weights=str(found), mean=MEAN, std=STD, layer="layer3"
    )


def device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
