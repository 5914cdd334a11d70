"""One cell of the study: one task, one arm, one setting, several seeds, trained side by side.

Each seed has generators of its own for data, start, batches and masks, so that its numbers do not depend on the seeds
that are trained beside it. Data, start and batches are the same in every arm: the seeds are paired.
"""

import time

import numpy as np

from reglib.layers.cells import LSTM
from reglib.nets import sequence
from reglib.noise.places import Noise
from reglib.train import loop
from reglib.train.optim import Adam

CELL = LSTM()
START, BATCHES, MASKS = 1, 2, 3


def train(task, arm, setting, seeds, *, test):
    """Train one arm of one task at one setting; return what is stored, a dict of numbers and lists.

    Parameters
    ----------
    task : Task
    arm : Arm
    setting : (float, float)
        The rate of the noise, and the learning rate of Adam.
    seeds : sequence of int
    test : bool
        Whether to measure the test split: only the chosen setting of an arm does.
    """
    began, (rate, learning_rate) = time.process_time(), setting
    train_part, validation, test_part = task.parts(seeds)
    start = _start(task, train_part.x.shape[-1], seeds)
    generators = [np.random.default_rng([seed, MASKS]) for seed in seeds]
    inference = arm.inference(rate)
    single = [array[0] for array in start]

    def loss_and_grads(params, index):
        part = train_part.rows(index)
        noise = _noise([arm.draw(rng, CELL, single, *part.x.shape[1:3], rate) for rng in generators])
        options = {"readout": task.readout, "steps": part.steps, "loss": task.loss}
        return sequence.loss_and_grads(CELL, params, part.x, part.y, noise=noise, **options)

    def measure(params, part):
        logits, _ = sequence.forward(CELL, params, part.x, readout=task.readout, noise=inference, steps=part.steps)
        return task.measure(logits, part)

    run = loop.train(
        start,
        loss_and_grads,
        Adam(learning_rate),
        _Batches(task, train_part.x.shape[1], seeds),
        measures={"train": lambda p: measure(p, train_part), "validation": lambda p: measure(p, validation)},
        every=task.every,
        early_stopping=loop.EarlyStopping("validation", patience=task.updates, better="lower"),
        allow_divergence=True,
    )
    result = {
        "rate": rate,
        "learning_rate": learning_rate,
        "seeds": list(seeds),
        "validation": _floats(measure(run.params, validation)),
        "train": _floats(measure(run.params, train_part)),
        "best_update": [int(step) for step in run.best_step],
        "updates": [int(step) for step in run.steps],
        "train_curve": _floats(run.curves["train"].mean(axis=1)),
        "validation_curve": _floats(run.curves["validation"].mean(axis=1)),
    }
    if test:
        result["test"] = _floats(measure(run.params, test_part))
    return result | {"cpu_seconds": round(time.process_time() - began, 1)}


class _Batches:
    """The batches of all seeds side by side, (S, B); the last, smaller one of an epoch is left out."""

    def __init__(self, task, rows, seeds):
        epochs = -(-task.updates // (rows // task.batch))
        self.length = task.updates
        self.each = [
            loop.minibatches(np.random.default_rng([seed, BATCHES]), rows, task.batch, epochs, drop_last=True)
            for seed in seeds
        ]

    def __iter__(self):
        for _, index in zip(range(self.length), zip(*self.each, strict=True), strict=False):
            yield np.stack(index)


def _start(task, inputs, seeds):
    """Return the start of all seeds, each from its own generator."""
    each = [
        sequence.init(np.random.default_rng([seed, START]), CELL, inputs, task.hidden, task.outputs, dtype=np.float32)
        for seed in seeds
    ]
    return [np.stack(arrays) for arrays in zip(*each, strict=True)]


def _noise(each):
    """Return the noise of all seeds as one, with a leading axis; None where there is none at all."""
    places = [name for name, mask in vars(each[0]).items() if mask is not None]
    return Noise(**{name: np.stack([getattr(noise, name) for noise in each]) for name in places}) if places else None


def _floats(values):
    """Return numbers as a list, rounded to 7 digits: those that float32 holds."""
    return [float(f"{value:.7g}") for value in values]
