"""Whole training runs of the same network in NumPy, PyTorch and Keras, on the same masks.

A framework's own noise layers draw; their masks are recorded at every step and handed to the others. PyTorch draws
where it takes part, otherwise Keras. Only the random numbers are handed over: every layer, loss, regularizer and
optimizer is the framework's own, and NumPy's run is `reglib.train.loop.train`. Inside of recurrent cells no layer
draws: there the masks are reglib's.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from regbook.notebook import table
from regbook.replay import _models
from regbook.replay.agreement import Parity, agree
from regbook.replay.frameworks import NAMES, MissingError, as_array, framework_of, in_float64, load_tensorflow
from regbook.replay.layers import noise_of
from regbook.replay.optimizers import keras_optimizer, torch_optimizer
from regbook.replay.penalties import torch_penalty
from reglib._validate import one_of
from reglib.nets.convnet import ConvNet
from reglib.nets.mlp import MLP
from reglib.nets.sequence import Sequence
from reglib.noise import places
from reglib.noise.kinds import Kind
from reglib.train.loop import train
from reglib.train.losses import softmax_cross_entropy, squared_error
from reglib.train.technique import Technique
from reglib.weights.parameters import choose

# Of the losses.
TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Runs(Mapping):
    """Training runs that agree; made by `training_parity`. Shows as a table; ``runs["Keras"]`` is a framework's losses.

    Attributes
    ----------
    losses : dict of ndarray, (T,)
        By "NumPy" and the frameworks' names, the data loss of each step's batch, without penalties.
    params : dict of dict of ndarray
        The parameters at the end, likewise, in reglib's layout.
    parity : Parity
        The largest differences.
    """

    losses: dict
    params: dict
    parity: Parity

    def __getitem__(self, name):
        return self.losses[name]

    def __iter__(self):
        return iter(self.losses)

    def __len__(self):
        return len(self.losses)

    def table(self, caption="Loss of the batch"):
        """Return a `regbook.notebook.Table` of the runs under a ``caption``, with the largest gap to NumPy's."""
        rows = []
        for name, losses in self.losses.items():
            gap = "—" if name == "NumPy" else f"{np.abs(losses - self.losses['NumPy']).max():.0e}"
            rows.append([name, len(losses), f"{losses[0]:.4f}", f"{losses[-1]:.6f}", gap])
        return table(rows, ["Run", "Steps", "First loss", "Last loss", "Largest gap"], caption=caption)

    def plot(self, axis=None, *, ylabel="loss of the batch"):
        """Draw the losses, NumPy's as a broad band under the others; return the axis.

        Parameters
        ----------
        axis : Axes, optional
            By default that of a new figure.
        ylabel : str
        """
        import matplotlib.pyplot as plt

        from regbook import plotting

        axis = plt.subplots()[1] if axis is None else axis
        steps = np.arange(1, len(self.losses["NumPy"]) + 1)
        apart = max(2, len(steps) // 12)
        for index, (name, losses) in enumerate(self.losses.items()):
            role = {"N": "numpy", "P": "torch"}.get(name[0], "keras")
            look: dict = plotting.style(role, marker=True) | {
                "linewidth": 1.2,
                "markevery": (index * apart // 2, apart),
            }
            if name == "NumPy":
                look = {"color": plotting.color(role), "linewidth": 6, "alpha": 0.4}
            axis.plot(steps, losses, label=name, **look)
        axis.set(xlabel="step", ylabel=ylabel)
        axis.legend()
        return axis

    def __repr__(self):
        return repr(self.table())

    def _repr_html_(self):
        return self.table()._repr_html_()


def training_parity(
    net,
    params,
    technique,
    optimizer,
    batches,
    data,
    *,
    frameworks=None,
    layers=None,
    loss=softmax_cross_entropy,
    seed=0,
    tolerance=TOLERANCE,
):
    """Train a network in NumPy and in frameworks, step by step on the same masks; fail where the losses part.

    Parameters
    ----------
    net : MLP, ConvNet or Sequence, of `reglib.nets`
    params : dict of ndarray
        The start, float64, without replica axes.
    technique : Technique
        With noise and penalties. Noise: Bernoulli, of whole channels too, Alpha, and in Keras Gaussian and Additive;
        in recurrent cells what `regbook.replay.sequences` knows. Penalties: L1, L2 and ElasticNet.
    optimizer : an optimizer of `reglib.train.optim`
        Mapped by `regbook.replay.optimizers`.
    batches : iterable
        As for `reglib.train.loop.train`, for instance its ``minibatches``.
    data : tuple of ndarray, or callable
        ``(x, y)``, or a function from a batch to these.
    frameworks : sequence of str, optional
        "torch" and "keras" by default. For a Sequence words of `regbook.replay.sequences`, by default "torch cell" and
        "keras cell".
    layers : dict, optional
        Modules of PyTorch by place of the noise, for a kind that PyTorch has no layer of:
        ``{"hidden1": GaussianDropout(0.5)}`` with a class of one's own.
    loss : `reglib.train.losses.softmax_cross_entropy` or `reglib.train.losses.squared_error`
    seed : int
        Of the masks.
    tolerance : number > 0
        Of every step's loss, and of the loss after the last step, without noise. (Not of the parameters: where a
        gradient is zero but for rounding, Adam moves them at random, and no loss notices.)

    Returns
    -------
    Runs

    Raises
    ------
    MissingError
        Where a framework has no counterpart; leave it out of ``frameworks`` then.
    AssertionError
        For a difference above the tolerance.
    """
    frameworks = _checked(net, params, technique, loss, frameworks)
    batches = list(batches)
    parts = [_part(net, data(batch) if callable(data) else [array[batch] for array in data]) for batch in batches]
    task = _Task(net, params, technique, optimizer, parts, loss, dict(layers or {}), seed)
    drawn = None
    if isinstance(net, Sequence):
        rng = np.random.default_rng(seed)
        drawn = [places.draw(rng, technique.noise, net.places(params, x)) for x, _ in parts]
    found = {}
    for word in sorted(frameworks, key=lambda word: "torch" not in word):
        run = _in_torch if "torch" in word else _in_keras
        losses, end, drawn = run(word, task, drawn)
        found[NAMES[word]] = (losses, end)
    given = {place: Given([noise[place] for noise in drawn or ()]) for place in technique.noise}
    ours = train(net, params, optimizer, batches, data=data, technique=replace(technique, noise=given), loss=loss)
    names = [NAMES[word] for word in frameworks]
    pairs = {
        "loss of every step": {name: (ours.losses, found[name][0]) for name in names},
        "loss after the last": {name: (_after(task, ours.params), _after(task, found[name][1])) for name in names},
    }
    parity = agree(pairs, tolerance)
    losses = {"NumPy": ours.losses} | {name: found[name][0] for name in names}
    return Runs(losses, {"NumPy": ours.params} | {name: found[name][1] for name in names}, parity)


class Given(Kind):
    """A kind of noise that draws nothing: it hands out what somebody else has drawn, one `Noise` a step.

    ``noises`` are these draws, in the order of the steps.
    """

    shared = ()

    def __init__(self, noises):
        self._rest = iter(noises)

    @property
    def acts(self):
        """Whether there is anything to draw: yes."""
        return True

    def draw(self, rng, shape, dtype=np.float64):
        """Return the next noise; the arguments, those of `reglib.noise.kinds.Kind.draw`, do not matter."""
        return next(self._rest)


@dataclass(frozen=True, eq=False)
class _Task:
    """What all runs have in common."""

    net: object
    params: dict
    technique: Technique
    optimizer: object
    parts: list
    loss: Callable
    layers: dict
    seed: int


def _part(net, batch):
    """Return x in float64, and targets with one axis for the examples: those of every step of a sequence in a row."""
    if len(batch) != 2:
        raise MissingError(f"training runs of frameworks know x and y; a batch has {len(batch)} parts")
    x, y = np.asarray(batch[0], np.float64), np.asarray(batch[1])
    return x, y.reshape(-1, *y.shape[2:]) if getattr(net, "readout", "last") == "every" else y


def _after(task, params):
    """Return the loss of the last batch after the last step, without noise."""
    x, y = task.parts[-1]
    logits = task.net.logits(params, x)
    return np.asarray(task.loss(logits.reshape(-1, logits.shape[-1]), y)[0])


def _checked(net, params, technique, loss, frameworks):
    """Return the words of the frameworks; complain about what no framework can do here."""
    if not isinstance(net, MLP | ConvNet | Sequence):
        raise MissingError(f"no framework has a counterpart of {net!r}; MLP, ConvNet and Sequence have one")
    if isinstance(net, ConvNet) and net.readout != "mean":
        raise MissingError(f"training runs of frameworks know a ConvNet's readout 'mean', got {net.readout!r}")
    net.check(params)
    if any(p.dtype != np.float64 for p in params.values()):
        raise TypeError("params must be float64: in float32 runs part at the first steps")
    for name in ("data", "weights", "loss", "slope", "between", "proximal"):
        if getattr(technique, name):
            raise MissingError(f"training runs of frameworks know noise and penalties; the technique has {name}")
    one_of("loss", loss, (softmax_cross_entropy, squared_error))
    known = tuple(NAMES)[1:] if isinstance(net, Sequence) else ("torch", "keras")
    if frameworks is None:
        return ("torch cell", "keras cell") if isinstance(net, Sequence) else known
    if not frameworks:
        raise ValueError("frameworks must name at least one, got none")
    return tuple(one_of("frameworks", word, known) for word in frameworks)


def _in_torch(word, task, drawn):
    """Return the losses, the parameters at the end, and the noise of every step."""
    import torch

    kinds, recorded = task.technique.noise, []
    for place, module in task.layers.items():
        if place not in kinds or framework_of(module) != "torch":
            raise ValueError(f"layers must hold modules of PyTorch at places with noise, got {module!r} at {place!r}")
    with torch.random.fork_rng(devices=[]):
        sample = drawn[0] if drawn else {}
        model = _models.torch_model(word, task.net, task.params, kinds, task.layers, sample)
        optimizer, cost = torch_optimizer(task.optimizer, model.named), _models.torch_cost(task.loss)
        penalties = [(torch_penalty(p), choose(model.named, p.on)) for p in task.technique.penalty]
        torch.manual_seed(task.seed)
        losses = []
        for step, (x, y) in enumerate(task.parts):
            value = cost(model.logits(x, drawn[step] if drawn else {}), y)
            objective = value + sum(penalty(model.named[name]) for penalty, names in penalties for name in names)
            optimizer.zero_grad()
            objective.backward()
            optimizer.step()
            losses.append(value.item())
            recorded.append(
                {place: noise_of(kinds[place], *map(_channels_last, draw)) for place, draw in model.drawn.items()}
            )
    return np.array(losses), model.read(), drawn or recorded


def _in_keras(word, task, drawn):
    """Return the losses, the parameters at the end, and the noise of every step."""
    tf = load_tensorflow()

    kinds, recorded, losses, queue = task.technique.noise, [], [], deque()
    order = [place for place in task.net.places(task.params, task.parts[0][0]) if place in kinds]
    with in_float64():
        sample, shape = drawn[0] if drawn else {}, np.shape(task.parts[0][0])[1:]
        penalties = task.technique.penalty
        model = _models.keras_model(word, task.net, task.params, kinds, penalties, sample, shape)
        variables = model.named
        optimizer, cost = keras_optimizer(task.optimizer, variables), _models.keras_cost(task.loss)
        for number, place in enumerate(model.noisy):
            model.noisy[place].seed_generator.state.assign([task.seed, number])

        def step(x, y, noise):
            with tf.GradientTape() as tape:
                value = cost(model.logits(x, noise), y)
                objective = value + sum(model.losses())
            sources = [variable.value for variable in variables.values()]
            optimizer.apply(tape.gradient(objective, sources), list(variables.values()))
            losses.append(float(value))

        for number, (x, y) in enumerate(task.parts):
            if drawn is None:
                shapes = task.net.places(task.params, x)
                recorded.append({p: noise_of(kinds[p], *_shown(model.noisy[p], shapes[p])) for p in order})
                step(x, y, {})
                continue
            queue.extend((kinds[place], drawn[number][place]) for place in order if place in model.noisy)
            with _models.given_to_keras(queue):
                step(x, y, drawn[number])
            if queue:
                raise AssertionError(f"Keras drew less often than there is noise: {len(queue)} draws are left")
    return np.array(losses), model.read(), drawn or recorded


def _shown(module, shape):
    """Return gain and offset of the next draw of a layer of Keras, for activations of a shape."""
    state = module.seed_generator.state
    before, shown = state.numpy(), []
    for value in (0.0, 1.0):
        shown.append(as_array(module(np.full(shape, value), training=True)))
        state.assign(before)
    return shown[1] - shown[0], shown[0]


def _channels_last(array):
    """Return activations of PyTorch in this book's layout."""
    return np.moveaxis(array, 1, -1) if array.ndim == 4 else array
