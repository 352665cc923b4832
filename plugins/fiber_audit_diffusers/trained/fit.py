"""The fit from end to end: data, training, samples on the way, the folder, the judgement."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from fiber_audit import UsageError
from fiber_audit.contracts import Fitting
from fiber_audit.fitting import (
    FOLDER,
    Corpus,
    Record,
    Training,
    alone,
    begun,
    encoded,
    gathered,
    remove,
    restore,
    save,
    train,
)
from fiber_audit.loading import fingerprint, versions
from fiber_audit.sampling import derive_seed

from . import artefact, sheet
from .batches import Batches
from .card import write_card
from .latent_space import FOLDER as AUTOENCODER
from .latent_space import autoencoder, content
from .model import Model, objective_of, space_of
from .networks import built
from .objective import Objective
from .quality import judged
from .recipe import Recipe
from .regression import loss_of
from .space import Space


def fit(task: Fitting, recipe: Recipe) -> None:
    """Train, or go on training, until the folder holds a finished fit.

    Raises:
        UsageError: the options do not go with the data, the folder holds another fit, or one is at
            work there.
        WeightsError: there is no such autoencoder.
        DivergedError: the training left the finite numbers; the last good checkpoint is kept.
    """
    recipe.suits(task.data.data_shape)
    data = _data(task, recipe)
    found = begun(recipe.folder, recipe.identity, data, task.seed)
    if found.finished:
        task.say(f"{recipe.path}: is fitted already")
        return
    with alone(recipe.folder):
        _fit(task, recipe, begun(recipe.folder, recipe.identity, data, task.seed))


def _data(task: Fitting, recipe: Recipe) -> dict[str, Any]:
    """What it is fitted to, for the record."""
    found: dict[str, Any] = {
        "digest": fingerprint(task.data),
        "items": len(task.data),
        "shape": list(task.data.data_shape),
    }
    if recipe.source is not None:
        copy = recipe.folder / AUTOENCODER  # stands for it where it was deleted after the fit
        gone = copy.is_dir() and not recipe.source.exists()
        found["autoencoder"] = content(autoencoder(copy if gone else recipe.source))
    return found


def _fit(task: Fitting, recipe: Recipe, found: Record) -> None:
    found.write(recipe.folder)
    spill = recipe.folder / FOLDER / "items"
    corpus = gathered(task.data, recipe.held_out, task.seed, task.device, spill, task.say)
    space, objective = space_of(recipe, task.data.data_shape), objective_of(recipe)
    space.to(task.device)
    space.measure(corpus.chunks(corpus.training))
    try:
        state = _trained(task, recipe, corpus, space, objective, found)
    except torch.OutOfMemoryError as error:
        raise UsageError(
            f"batch = {recipe.batch}: does not fit into the memory of {task.device} with this "
            f"network; lower batch or width, or set patch."
        ) from error
    model = Model(state.average, objective, space)
    _sheet(task, recipe, corpus, model)
    quality = None
    if recipe.judged:
        quality = judged(
            model,
            corpus,
            recipe.judged,
            task.seed,
            task.device,
            recipe.batch,
            task.say,
            recipe.flip,
        )
    artefact.write(recipe, state.average, objective, space)
    done = _noted(found, state, finished=True)
    if quality is not None:
        done = replace(done, facts={**(done.facts or {}), "quality": quality.sentence})
    for line in write_card(recipe.folder, done, quality):
        task.say(line)
    done.write(recipe.folder)
    remove(recipe.folder)
    task.say(f"{recipe.path}: fitted in {state.step} steps")


def _trained(
    task: Fitting,
    recipe: Recipe,
    corpus: Corpus,
    space: Space,
    objective: Objective,
    found: Record,
) -> Training:
    network = built(recipe, space.state_shape, derive_seed(task.seed, "weights"))
    if recipe.network == "unet":
        network.to(memory_format=torch.channels_last)
    state = Training(recipe.regime, network, task.device)
    if restore(state, recipe.folder) is not None:
        task.say(f"going on at step {state.step} of {recipe.steps}")
    count = sum(weight.numel() for weight in network.parameters())
    task.say(f"{recipe.network} of {count / 1e6:.2f} million weights on {task.device}")
    batches = _batches(task, recipe, corpus, space)
    model = Model(state.average, objective, space)
    saved = shown = time.monotonic()
    with closing(batches):
        for _ in train(state, partial(loss_of, network, objective, batches, recipe), task.say):
            now = time.monotonic()
            if now - saved > 60 * recipe.checkpoint_minutes:
                save(state, recipe.folder)
                _noted(found, state).write(recipe.folder)
                saved = time.monotonic()
            if recipe.sample_minutes and now - shown > 60 * recipe.sample_minutes:
                _sheet(task, recipe, corpus, model)
                shown = time.monotonic()
    save(state, recipe.folder)
    _noted(found, state).write(recipe.folder)
    return state


def _batches(task: Fitting, recipe: Recipe, corpus: Corpus, space: Space) -> Batches:
    size, seed, device, steps = recipe.batch, task.seed, task.device, recipe.steps
    if recipe.source is None:
        return Batches(corpus, space.encode, size, recipe.flip, seed, device, steps)
    spill = recipe.folder / FOLDER / "states"
    states = encoded(corpus, space.encode, space.state_shape, recipe.flip, task.device, spill)
    return Batches(states, lambda z: z, size, False, seed, device, steps)


def _sheet(task: Fitting, recipe: Recipe, corpus: Corpus, model: Model) -> None:
    if len(task.data.data_shape) != 3:
        return
    rows = corpus.held_out if len(corpus.held_out) else corpus.training
    real = corpus.take(rows[: sheet.ACROSS]).cpu()
    draws = sheet.drawn(model, sheet.ACROSS * sheet.DOWN, task.seed, recipe.batch)
    sheet.write_sheet(recipe.folder / "samples.png", real, draws)


def _noted(found: Record, state: Training, finished: bool = False) -> Record:
    facts: dict[str, Any] = {
        "seconds": round(state.seconds, 1),
        "loss": state.loss if state.loss == state.loss else None,
        "device": state.device,
        "versions": versions("torch", "diffusers", "fiber-audit"),
        "threads": torch.get_num_threads(),
    }
    return replace(found, step=state.step, finished=finished, facts=facts)
