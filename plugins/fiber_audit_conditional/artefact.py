"""What a fit leaves for one pair: a folder with the generator, its record, and a card."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from fiber_audit import WeightsError
from fiber_audit.contracts import Extractor, Prior
from fiber_audit.fitting import Record, finished, write_file
from fiber_audit.fitting import read as read_record
from fiber_audit.loading import digest_of

from .generator import Generator
from .identity import check_probe, pair_digest, probe
from .standard import Standard

FILE, PROBES = "generator.safetensors", 8
SECONDS_BEFORE = "seconds of its start"
"""Name of the fact: what the fit took that this one began with."""
Build = Callable[[tuple[int, ...], int], Generator]
Pair = tuple[Extractor, Prior]


class Fitted(nn.Module):
    """A generator with its units, and the probes that tell its extractor from others."""

    probe_states: Tensor
    probe_features: Tensor

    def __init__(
        self, generator: Generator, standard: Standard, states: Tensor, features: Tensor
    ) -> None:
        super().__init__()
        self.generator, self.standard = generator, standard
        self.register_buffer("probe_states", states)
        self.register_buffer("probe_features", features)
        self.digest, self.seconds = "", 0.0


def write(folder: Path, fitted: Fitted) -> None:
    """Write the weights, whole or not at all.

    Raises:
        DiskError: there is no room.
    """
    tensors = {name: t.detach().cpu().contiguous() for name, t in fitted.state_dict().items()}
    write_file(folder / FILE, save(tensors))


def read(
    path: Path, identity: Mapping[str, Any], build: Build, extractor: Extractor, prior: Prior
) -> Fitted:
    """The generator that was fitted to a pair with these options, frozen, in float32.

    Raises:
        WeightsError: there is none, or its files are damaged, or the pair is not what it was.
    """
    folder = folder_of(path, extractor, prior)
    if not folder.is_dir() and (others := _others(path)):
        raise WeightsError(
            f"{path}: is fitted to other pairs ({'; '.join(others)}), not to this "
            f"{type(extractor).__name__} of {extractor.feature_size} features and the states of "
            f"this {type(prior).__name__}; run: fiber-audit fit SUITE"
        )
    record = finished(folder, identity, identity["training_steps"])
    try:
        tensors = load_file(folder / FILE)
        states, features = tensors["probe_states"], tensors["probe_features"]
        with torch.random.fork_rng(devices=[]):
            generator = build(tuple(prior.state_shape), extractor.feature_size)
        standard = Standard(tuple(prior.state_shape), extractor.feature_size)
        fitted = Fitted(generator, standard, states.float(), features.float())
        fitted.load_state_dict(tensors)
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        told = str(error).splitlines()[0] if str(error) else ""
        raise WeightsError(
            f"{folder}: the fit is damaged ({type(error).__name__}: {told}); delete it, and run: "
            f"fiber-audit fit SUITE"
        ) from error
    fitted.eval().requires_grad_(False)
    generator.meet(standard.features_of(extractor, prior))
    found = probe(extractor, prior, _beside(fitted.probe_states, prior)).cpu()
    check_probe(found, fitted.probe_features, standard.unit, str(folder))
    fitted.digest = digest_of({"fitted": fitted}, json.dumps(dict(identity), sort_keys=True))
    fitted.seconds = seconds_of(record)
    return fitted


def content(path: Path, extractor: Extractor, prior: Prior) -> tuple[str, float]:
    """Digest of a finished fit that another begins with, and the seconds that it took.

    Raises:
        WeightsError: there is none of this pair, or it cannot be read.
    """
    folder = folder_of(path, extractor, prior)
    record = read_record(folder)
    if record is None or not record.finished:
        raise WeightsError(
            f"start = {str(path)!r}: nothing is fitted there to begin with; fit that sampler "
            f"first: fiber-audit fit SUITE NAME"
        )
    try:
        return sha256((folder / FILE).read_bytes()).hexdigest(), seconds_of(record)
    except OSError as error:
        raise WeightsError(
            f"start = {str(path)!r}: its fit is damaged ({error}); delete {folder}, and fit it."
        ) from error


def seconds_of(record: Record) -> float:
    """Of the whole training, with those of the fit that it began with."""
    facts = record.facts or {}
    return sum(float(facts.get(name) or 0.0) for name in ("seconds", SECONDS_BEFORE))


def begin(path: Path, generator: Generator, standard: Standard, pair: Pair) -> None:
    """Load weights and units of another fit of the same pair.

    Raises:
        WeightsError: its network is another.
    """
    try:
        tensors = load_file(folder_of(path, *pair) / FILE)
        own, units = (
            {n.removeprefix(part): t for n, t in tensors.items() if n.startswith(part)}
            for part in ("generator.", "standard.")
        )
        generator.begin(own)
        standard.load_state_dict(units)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise WeightsError(
            f"start = {str(path)!r}: its fit cannot be begun with ({str(error).splitlines()[0]}); "
            f"give one of the same network."
        ) from error


def folder_of(path: Path, extractor: Extractor, prior: Prior) -> Path:
    """The folder of one pair among the fits of a sampler."""
    return path / pair_digest(extractor, prior)[:16]


def _beside(states: Tensor, prior: Prior) -> Tensor:
    parameter = next(iter(prior.network.parameters()), None)
    return states if parameter is None else states.to(parameter.device)


def _others(path: Path) -> list[str]:
    """What the fits of a folder are of, for a person."""
    records = [read_record(each) for each in sorted(path.glob("*/")) if each.is_dir()]
    return [_told(record) for record in records if record is not None]


def _told(record: Record) -> str:
    facts = record.facts or {}
    return f"{facts.get('extractor', 'an extractor')}, states {facts.get('states', 'unknown')}"
