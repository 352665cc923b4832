"""The fit from end to end: pairs, training with a fiber loss, early stopping, the folder."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from fiber_audit import UsageError
from fiber_audit.contracts import Fitting
from fiber_audit.fitting import (
    FOLDER,
    Record,
    Regime,
    Training,
    alone,
    begun,
    remove,
    restore,
    save,
    train,
)
from fiber_audit.loading import fingerprint, placed, versions
from fiber_audit.sampling import derive_seed

from . import artefact
from .artefact import PROBES, SECONDS_BEFORE, Fitted
from .card import write_card
from .fiber_loss import FiberLoss
from .generator import Generator, normal
from .identity import pair_digest, probe
from .pairs import Pairs, names_of
from .recipe import Recipe
from .standard import Standard
from .stopping import LOOKS, Best


def fit(task: Fitting, recipe: Recipe) -> None:
    """Train, or go on training, until the folder of the pair holds a finished fit.

    Raises:
        UsageError: the folder holds another fit, or one is at work there.
        DivergedError: the training left the finite numbers; the last good checkpoint is kept.
        WeightsError: what is fitted there, or what it begins with, cannot be used.
    """
    extractor, prior = task.extractor, task.prior
    if extractor is None or prior is None:
        raise UsageError(f"{recipe.path}: a generator is fitted to an extractor and a prior.")
    folder = artefact.folder_of(recipe.folder, extractor, prior)
    data = {
        "digest": fingerprint(task.data),
        "items": len(task.data),
        "shape": list(task.data.data_shape),
        "extractor or autoencoder": pair_digest(extractor, prior),
    }
    told: dict[str, Any] = names_of(extractor, prior)
    if recipe.start:
        start = placed(recipe.start)
        data["start"], told[SECONDS_BEFORE] = artefact.content(start, extractor, prior)
    with alone(folder):
        found = begun(folder, recipe.identity, data, task.seed)
        if found.finished:
            artefact.read(recipe.folder, recipe.identity, recipe.build, extractor, prior)
            remove(folder)  # what a kill at the very end left
            task.say(f"{folder}: is fitted already")
            return
        found = replace(found, facts={**(found.facts or {}), **told})
        try:
            begins = _Fit(task, recipe, found)
            found.write(folder)  # not before its parts are made: options that fail hold no folder
            begins.run()
        except torch.OutOfMemoryError as error:
            raise UsageError(
                f"batch = {recipe.batch}: does not fit into the memory of {task.device}; lower "
                f"batch or fiber_batch."
            ) from error


class _Fit:
    """One training: its parts, and the loss of a step."""

    def __init__(self, task: Fitting, recipe: Recipe, found: Record) -> None:
        assert task.extractor is not None
        assert task.prior is not None
        self.task, self.recipe, self.found = task, recipe, found
        self.extractor, self.prior = task.extractor, task.prior
        self.folder = artefact.folder_of(recipe.folder, self.extractor, self.prior)
        self.pairs = Pairs.of(task, recipe.held_out, self.folder / FOLDER)
        shape, features = tuple(self.prior.state_shape), self.extractor.feature_size
        self.standard = Standard(shape, features).requires_grad_(False)
        self.standard.measure(self.pairs.states, self.pairs.features)
        self.standard.to(task.device)
        self.fiber = FiberLoss(self.extractor, self.prior, self.standard)
        with torch.random.fork_rng(devices=[]):
            torch.random.manual_seed(derive_seed(task.seed, "weights"))
            self.network = recipe.build(shape, features)
        self.network.to(task.device)
        self.network.meet(self.standard.features_of(self.extractor, self.prior))
        some = self.pairs.at(0, max(1024, recipe.batch))
        generator = self.pairs.generator("prepare", 0, some.states.device)
        self.network.prepare(
            self._jittered(some.states, generator), self.standard.condition(some.features)
        )
        if recipe.start:
            start = placed(recipe.start)
            artefact.begin(start, self.network, self.standard, (self.extractor, self.prior))

    def run(self) -> None:
        """Train to the end, and leave the artefact."""
        state = Training(self._regime(), self.network, self.task.device)
        best = Best(self.recipe.patience, self.recipe.fiber_weight)
        saved = time.monotonic()
        also = restore(state, self.folder)
        if also is not None:
            best.restore(also)
            self.task.say(f"going on at step {state.step} of {self.recipe.training_steps}")
        count = sum(weight.numel() for weight in state.weights)
        self.task.say(f"{count / 1e6:.2f} million weights on {self.task.device}")
        every = math.ceil(self.recipe.training_steps / LOOKS)
        for _ in () if best.enough else train(state, self.loss, self.task.say):
            if state.step % every == 0 or state.progress >= 1:
                best.look(state.average, self.judged(state.average), state.step, self.task.say)
            if best.enough:
                self.task.say(f"stopped at step {state.step}: no better for {best.patience} looks")
                break
            if time.monotonic() - saved > 60 * self.recipe.checkpoint_minutes:
                save(state, self.folder, best.tensors())
                self._noted(state).write(self.folder)
                saved = time.monotonic()
        save(state, self.folder, best.tensors())
        best.give(self.network, state)
        self._leave(state, best)

    def loss(self, step: int) -> Tensor:
        """The density's loss of a batch, and of its first rows the fiber loss."""
        batch = self.pairs.at(step, self.recipe.batch)
        generator = self.pairs.generator("noise", step, batch.states.device)
        z = self._jittered(batch.states, generator)
        loss = self.network.loss(z, self.standard.condition(batch.features), generator).mean()
        weight = self.recipe.fiber_weight * self._ramp(step)
        if weight > 0:
            some = type(batch)(*(rows[: self.recipe.fiber_batch] for rows in batch))
            loss = loss + weight * self.fiber.of(self.network, some, generator)
        return loss

    def _jittered(self, states: Tensor, generator: torch.Generator) -> Tensor:
        z = self.standard.from_state(states)
        return z + self.recipe.jitter * normal(z, generator)

    def _ramp(self, step: int) -> float:
        rise = self.recipe.warm_up * self.recipe.training_steps
        return min(1.0, step / rise) if rise else 1.0

    @torch.no_grad()
    def judged(self, network: torch.nn.Module) -> tuple[float, float]:
        """Density's and fiber loss of held-out rows, from the same noise every time."""
        assert isinstance(network, Generator)
        network.eval()  # some losses are exact there, and surrogates in training
        rows = self.pairs.states.held_out
        rows = (rows if len(rows) else self.pairs.states.training)[:512]
        density, fiber, n = 0.0, 0.0, 0
        for i, part in enumerate(rows.split(self.recipe.batch)):
            batch = self.pairs.take(part)
            generator = self.pairs.generator("judged", i, batch.states.device)
            z = self._jittered(batch.states, generator)
            with torch.enable_grad():  # some losses are made of derivatives
                losses = network.loss(z, self.standard.condition(batch.features), generator)
            density += float(losses.detach().double().sum())
            fiber += float(self.fiber.of(network, batch, generator)) * len(part)
            n += len(part)
        return density / n, fiber / n

    def _regime(self) -> Regime:
        r = self.recipe
        return Regime(
            path=str(self.folder),
            steps=r.training_steps,
            batch=r.batch,
            learning_rate=r.learning_rate,
            ema=r.ema,
            clip_norm=r.clip_norm,
            advice="lower learning_rate, fiber_weight or clip_norm",
        )

    def _leave(self, state: Training, best: Best) -> None:
        states = self.pairs.take(self.pairs.states.training[:PROBES]).states
        features = probe(self.extractor, self.prior, states)
        fitted = Fitted(self.network, self.standard, states, features)
        artefact.write(self.folder, fitted)
        done = replace(self._noted(state), finished=True)
        done = replace(done, facts={**(done.facts or {}), **best.facts})
        write_card(self.folder, done)
        done.write(self.folder)
        remove(self.folder)
        self.task.say(f"{self.folder}: fitted in {state.step} steps, {state.seconds:.0f} s")

    def _noted(self, state: Training) -> Record:
        facts = {
            **(self.found.facts or {}),
            "seconds": round(state.seconds, 1),
            "device": state.device,
            "versions": versions("torch", "fiber-audit"),
            "threads": torch.get_num_threads(),
        }
        return replace(self.found, step=state.step, facts=facts)
