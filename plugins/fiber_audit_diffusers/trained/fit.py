"""The fit from end to end: data, training, samples on the way, the folder, the judgement."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch

from fiber_audit import UsageError
from fiber_audit.contracts import Fitting
from fiber_audit.loading import versions
from fiber_audit.sampling import derive_seed

from . import artefact, checkpoint, record, sheet
from .batches import Batches
from .card import write_card
from .corpus import Corpus, encoded, gathered
from .fingerprint import fingerprint
from .model import Model, objective_of, space_of
from .networks import built
from .objective import Objective
from .quality import judged
from .recipe import Recipe
from .record import Record
from .space import Space
from .training import Training, train


def fit(task: Fitting, recipe: Recipe) -> None:
    """Train, or go on training, until the folder holds a finished fit.

    Raises:
        UsageError: the options do not go with the data, or the folder holds another fit.
        DivergedError: the training left the finite numbers; the last good checkpoint is kept.
    """
    recipe.suits(task.data.data_shape)
    data = {
        "digest": fingerprint(task.data),
        "items": len(task.data),
        "shape": list(task.data.data_shape),
    }
    found = record.begun(recipe, data, task.seed)
    if found.finished:
        task.say(f"{recipe.path}: is fitted already")
        return
    found.write(recipe.folder)
    spill = recipe.folder / checkpoint.FOLDER / "items"
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
    checkpoint.remove(recipe.folder)
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
    state = Training(recipe, network, task.device)
    if checkpoint.restore(state, recipe.folder):
        task.say(f"going on at step {state.step} of {recipe.steps}")
    count = sum(weight.numel() for weight in network.parameters())
    task.say(f"{recipe.network} of {count / 1e6:.2f} million weights on {task.device}")
    batches = _batches(task, recipe, corpus, space)
    model = Model(state.average, objective, space)
    saved = shown = time.monotonic()
    for _ in train(state, objective, batches, task.say):
        now = time.monotonic()
        if now - saved > 60 * recipe.checkpoint_minutes:
            checkpoint.save(state, recipe.folder)
            _noted(found, state).write(recipe.folder)
            saved = time.monotonic()
        if recipe.sample_minutes and now - shown > 60 * recipe.sample_minutes:
            _sheet(task, recipe, corpus, model)
            shown = time.monotonic()
    checkpoint.save(state, recipe.folder)
    _noted(found, state).write(recipe.folder)
    return state


def _batches(task: Fitting, recipe: Recipe, corpus: Corpus, space: Space) -> Batches:
    if not recipe.autoencoder:
        return Batches(corpus, space.encode, recipe.batch, recipe.flip, task.seed, task.device)
    spill = recipe.folder / checkpoint.FOLDER / "states"
    states = encoded(corpus, space.encode, space.state_shape, recipe.flip, task.device, spill)
    return Batches(states, lambda z: z, recipe.batch, False, task.seed, task.device)


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
