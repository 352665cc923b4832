"""The kit of authors of what is fitted: data, a resumable training, and a record of it.

A class method `fit(task, **options)` reads like this:

    with alone(folder):
        found = begun(path, options, data, task.seed)
        corpus = gathered(task.data, held_out, task.seed, task.device, spill, task.say)
        state = Training(Regime(...), network, task.device)
        restore(state, folder)
        for _ in train(state, loss, task.say):
            save(state, folder)                            # every few minutes
        write what the constructor reads, and then the record, finished

What a plugin ships is trained by `train_averaged`, in minutes, and stored by `train_parts`. A
velocity field of few pictures starts from that of a `Mixture`, and a network corrects it.
"""

from .averaged import Say, train_averaged
from .checkpoint import FOLDER, remove, restore, save
from .corpus import Corpus, encoded, gathered
from .lock import alone
from .mixture import Mixture
from .parts import Made, train_parts
from .parts import say as say_on_stderr
from .record import Record, begun, differences, finished, read, write_file
from .residual import ResidualBlock
from .training import Regime, Training, train

__all__ = [
    "FOLDER",
    "Corpus",
    "Made",
    "Mixture",
    "Record",
    "Regime",
    "ResidualBlock",
    "Say",
    "Training",
    "alone",
    "begun",
    "differences",
    "encoded",
    "finished",
    "gathered",
    "read",
    "remove",
    "restore",
    "save",
    "say_on_stderr",
    "train",
    "train_averaged",
    "train_parts",
    "write_file",
]
