"""What is installed: libraries and their versions, extras, and the components that want them."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .._suite.catalogue import Catalogue
from .._suite.component import Component

OURS = "fiber-audit"
_NAMED = re.compile(r'library\("[\w.]+", "([\w-]+)"\)|fiber-audit\[([\w-]+)\]')


@dataclass(frozen=True)
class Library:
    """A distribution that we require, and the version of it that is here; "" is none.

    wanted: what is required, for instance ">=2.4". extra: the extra that it belongs to, if any.
    """

    name: str
    wanted: str
    extra: str
    version: str

    @property
    def wrong(self) -> str:
        """What is wrong with it, in a few words, or ""."""
        if not self.version:
            return "not installed"
        least = re.match(r">=([\d.]+)", self.wanted)
        old = least is not None and _parts(self.version) < _parts(least[1])
        return f"{self.version} is too old" if old else ""


@dataclass(frozen=True)
class MissingExtra:
    """Libraries of an extra that are missing or too old, who may want them, and the way out."""

    libraries: tuple[str, ...]
    components: tuple[str, ...]
    command: str


def wanted(catalogue: Catalogue) -> dict[str, list[str]]:
    """Extra -> the components whose source names it; "" is what fiber-audit needs in any case."""
    found: dict[str, list[str]] = {"": []}
    for component in catalogue:
        for extra in sorted(extras_of(component)):
            found.setdefault(extra, []).append(f"{component.kind} {component.name}")
    return found


def libraries(extras: Iterable[str]) -> list[Library]:
    """What these extras require, and their versions here."""
    every = [_library(text) for text in metadata.requires(OURS) or ()]
    return [each for extra in extras for each in every if each.extra == extra]


def lacks(found: Sequence[Library], wanting: Mapping[str, list[str]]) -> Iterator[MissingExtra]:
    """What is missing of the libraries, with the command that gets it."""
    for extra, components in wanting.items():
        wrong = [f"{e.name} ({e.wrong})" for e in found if e.extra == extra and e.wrong]
        if wrong:
            target = f"{OURS}[{extra}]" if extra else OURS
            yield MissingExtra(tuple(wrong), tuple(components), f'pip install --upgrade "{target}"')


def extras_of(component: Component) -> set[str]:
    """The extras that the source of a component names: of its module and those it imports."""
    if not isinstance(component.offer, str):
        return set()
    ahead, seen = [component.offer.partition(":")[0]], set[str]()
    extras = set[str]()
    while ahead:
        module = ahead.pop()
        source = None if module in seen else _source(module)
        seen.add(module)
        if source is None:
            continue
        extras |= {first or second for first, second in _NAMED.findall(source)}
        package = module.rpartition(".")[0]
        ahead += [f"{package}.{name}" for name in re.findall(r"from \.(\w+) import", source)]
    return extras


def _library(text: str) -> Library:
    """One line of a distribution's requirements, such as ``timm>=1.0; extra == "hub"``."""
    required, _, marker = text.partition(";")
    name = re.match(r"[\w.-]+", required)
    extra = re.search(r"""extra == ['"]([\w-]+)""", marker)
    word = name[0] if name else required
    least = re.sub(r"^[\w.-]+(\[[^]]*\])?", "", required).strip()
    return Library(word, least, extra[1] if extra else "", _version(word))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _source(module: str) -> str | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    path = Path(spec.origin) if spec is not None and spec.origin else None
    return path.read_text("utf-8") if path is not None and path.suffix == ".py" else None


def _parts(version: str) -> list[int]:
    """The numbers of a version, as they are compared.

    >>> _parts("2.10.0+cpu") > _parts("2.9")
    True
    """
    return [int(part) for part in re.findall(r"\d+", version.partition("+")[0])]
