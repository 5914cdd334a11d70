"""The networks of reglib in PyTorch and Keras, each of the framework's built-in layers, ready to be trained.

`torch_model` and `keras_model` make them, `torch_cost` and `keras_cost` are the frameworks' own losses.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest import mock

import numpy as np

from regbook.replay import _cells
from regbook.replay.frameworks import MissingError, as_array, load_keras, load_tensorflow
from regbook.replay.penalties import keras_regularizer
from reglib.nets.convnet import ConvNet
from reglib.nets.mlp import MLP
from reglib.nets.sequence import Sequence
from reglib.noise.kinds import Additive, Alpha, Bernoulli, Gaussian
from reglib.train.losses import softmax_cross_entropy, squared_error
from reglib.weights.parameters import choose
from reglib.weights.penalties import ElasticNet

ACTIVATIONS = {"relu": "ReLU", "tanh": "Tanh", "sigmoid": "Sigmoid", "selu": "SELU"}


@dataclass
class Model:
    """A network in a framework.

    Attributes
    ----------
    logits : callable
        ``(x, noise) -> logits``; the noise, by place, is what cells are given, while layers draw their own.
    named : dict
        What the optimizer trains, by reglib's names.
    read : callable
        ``() -> params``, a dict of ndarray in reglib's layout.
    noisy : dict
        The noise layers by place.
    drawn : dict
        By place gain and offset of the last call, in the framework's layout of the activations.
    losses : callable
        ``() -> penalties``, of Keras.
    """

    logits: Callable
    named: dict
    read: Callable
    noisy: dict = field(default_factory=dict)
    drawn: dict = field(default_factory=dict)
    losses: Callable = list


def torch_model(by, net, params, kinds, layers, sample):
    """Return a network in PyTorch.

    ``kinds`` are the kinds of noise by place, ``layers`` modules for those that PyTorch has no layer of, and ``sample``
    is the noise of a step that the cells of a `Sequence` will be given.
    """
    import torch

    if isinstance(net, Sequence):
        leaves = {name: torch.tensor(p, requires_grad=True) for name, p in params.items()}
        forward = _sequence(by, net, sample, lambda shape: torch.zeros(shape, dtype=torch.float64), torch.reshape)

        def logits(x, noise):
            return forward(leaves, torch.tensor(x), noise)

        return Model(logits, leaves, _reader(leaves))
    own = copy.deepcopy(layers)  # which stay as they are
    noisy = {place: own[place] if place in own else _torch_noise(kind, net) for place, kind in kinds.items()}
    stack = _torch_stack(net, noisy).double().train()
    weighted = [module for module in stack if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)]
    named = {}
    for number, module in enumerate(weighted, start=1):
        named |= {f"w{number}": module.weight, f"b{number}": module.bias}
    with torch.no_grad():
        for name, tensor in named.items():
            tensor.copy_(torch.tensor(_to_torch(params[name])))

    def logits_of_layers(x, noise):
        return stack(torch.tensor(np.moveaxis(x, -1, 1) if x.ndim == 4 else x))

    model = Model(logits_of_layers, named, _reader(named, _from_torch), noisy)

    def recorded(module, args, place):
        """Before a noise layer acts, let it show its draw on zeros and ones, and put the random state back."""
        state, shown = torch.get_rng_state(), []
        for value in (0.0, 1.0):
            shown.append(as_array(module.forward(torch.full_like(args[0], value, requires_grad=False))))
            torch.set_rng_state(state)
        model.drawn[place] = (shown[1] - shown[0], shown[0])

    for place, module in noisy.items():
        module.register_forward_pre_hook(lambda module, args, place=place: recorded(module, args, place))
    return model


def _torch_stack(net, noisy):
    """Return the layers of a network in their order, the noise by place."""
    import torch

    parts = []

    def noise(place):
        parts.extend([(place, noisy[place])] if place in noisy else [])

    if isinstance(net, MLP):
        for number, sizes in enumerate(zip(net.sizes, net.sizes[1:], strict=False)):
            noise(f"hidden{number}" if number else "input")
            parts.append((f"dense{number}", torch.nn.Linear(*sizes)))
            parts.append((f"activation{number}", getattr(torch.nn, ACTIVATIONS[net.activation])()))
        return torch.nn.Sequential(OrderedDict(parts[:-1]))
    image, first, second, classes = net.channels
    noise("input")
    parts += [("conv1", torch.nn.Conv2d(image, first, 3, padding=1)), ("activation1", torch.nn.ReLU())]
    noise("maps1")
    parts += [("pool", torch.nn.MaxPool2d(2)), ("conv2", torch.nn.Conv2d(first, second, 3, padding=1))]
    parts += [("activation2", torch.nn.ReLU())]
    noise("maps2")
    parts += [("mean", torch.nn.AdaptiveAvgPool2d(1)), ("flat", torch.nn.Flatten())]
    return torch.nn.Sequential(OrderedDict([*parts, ("dense", torch.nn.Linear(second, classes))]))


def _torch_noise(kind, net):
    """Return PyTorch's layer of a kind of noise."""
    import torch

    names = {Bernoulli: ("Dropout", "Dropout2d"), Alpha: ("AlphaDropout", "FeatureAlphaDropout")}.get(type(kind))
    channels = isinstance(net, ConvNet) and set(kind.shared) == {-3, -2}
    if names is None or not _plain(kind) or (kind.shared and not channels):
        raise MissingError(f"PyTorch has no layer of {kind!r}; hand one of your own over in layers, by place")
    return getattr(torch.nn, names[channels])(kind.rate)


def _plain(kind):
    """Return whether a kind has the options of the frameworks' layers."""
    scaled = not isinstance(kind, Bernoulli) or (kind.scaled and kind.gates is None)
    return scaled and not (isinstance(kind, Alpha) and (kind.mean, kind.variance) != (0.0, 1.0))


def _to_torch(w):
    """Return a parameter in PyTorch's layout."""
    return w.transpose(3, 2, 0, 1) if w.ndim == 4 else w.T


def _from_torch(w):
    """Return a parameter of PyTorch in reglib's layout."""
    return w.transpose(2, 3, 1, 0) if w.ndim == 4 else w.T


def _reader(named, layout=np.asarray):
    """Return a function that reads the parameters."""
    return lambda: {name: layout(as_array(tensor)).copy() for name, tensor in named.items()}


def _long(y):
    """Return classes as PyTorch wants them; probabilities stay floats."""
    return y if y.dtype.kind == "f" else y.astype(np.int64)


def torch_cost(loss):
    """Return PyTorch's counterpart of a loss of reglib, a function of logits and targets."""
    import torch

    functional = torch.nn.functional
    if loss is softmax_cross_entropy:
        return lambda logits, y: functional.cross_entropy(logits, torch.tensor(_long(y)))
    return lambda logits, y: functional.mse_loss(logits, torch.tensor(y), reduction="sum") / (2 * len(y))


def keras_model(by, net, params, kinds, penalties, sample, shape):
    """Return a network in Keras, with regularizers for ``penalties``; ``shape`` is that of an example.

    The other arguments are those of `torch_model`.
    """
    keras = load_keras()
    regularizers = _regularizers(penalties, params)
    if isinstance(net, Sequence):
        tf = load_tensorflow()

        leaves = {name: keras.Variable(p, dtype="float64", name=name) for name, p in params.items()}
        forward = _sequence(by, net, sample, lambda shape: tf.zeros(shape, tf.float64), tf.reshape)

        def logits(x, noise):
            return forward({name: leaf.value for name, leaf in leaves.items()}, tf.constant(x), noise)

        def losses():
            return [regularizer(leaves[name].value) for name, regularizer in regularizers.items()]

        return Model(logits, leaves, _reader(leaves), losses=losses)
    noisy = {place: _keras_noise(kind, net, place) for place, kind in kinds.items()}
    model = keras.Sequential([keras.Input(shape), *_keras_stack(net, noisy, regularizers)])
    model.set_weights(list(params.values()))
    named = dict(zip(params, model.trainable_variables, strict=True))
    return Model(lambda x, noise: model(x, training=True), named, _reader(named), noisy, losses=lambda: model.losses)


def _keras_stack(net, noisy, regularizers):
    """Return the layers of a network in their order, the noise by place."""
    kind, parts = load_keras().layers, []

    def weighted(make, number, *sizes, **options):
        both = {"kernel_regularizer": f"w{number}", "bias_regularizer": f"b{number}"}
        parts.append(make(*sizes, **options, **{key: regularizers.get(name) for key, name in both.items()}))

    def noise(place):
        parts.extend([noisy[place]] if place in noisy else [])

    if isinstance(net, MLP):
        for number, units in enumerate(net.sizes[1:], start=1):
            noise(f"hidden{number - 1}" if number > 1 else "input")
            activation = net.activation if number < net.depth else None
            weighted(kind.Dense, number, units, activation=activation)
        return parts
    _, first, second, classes = net.channels
    options = {"padding": "same", "activation": "relu"}
    noise("input")
    weighted(kind.Conv2D, 1, first, 3, **options)
    noise("maps1")
    parts.append(kind.MaxPooling2D(2))
    weighted(kind.Conv2D, 2, second, 3, **options)
    noise("maps2")
    parts.append(kind.GlobalAveragePooling2D())
    weighted(kind.Dense, 3, classes)
    return parts


def _keras_noise(kind, net, place):
    """Return Keras' layer of a kind of noise."""
    layers, axes = load_keras().layers, 4 if isinstance(net, ConvNet) else 2
    if not _plain(kind) or not isinstance(kind, Bernoulli | Alpha | Gaussian | Additive):
        raise MissingError(f"Keras has no layer of {kind!r}")
    if isinstance(kind, Gaussian | Additive):
        if kind.shared:
            raise MissingError(f"Keras has no layer of {kind!r}: its normal noise is one number a unit")
        return layers.GaussianDropout(kind.rate) if isinstance(kind, Gaussian) else layers.GaussianNoise(kind.std)
    if isinstance(kind, Bernoulli) and axes == 4 and set(kind.shared) == {-3, -2}:
        return layers.SpatialDropout2D(kind.rate)
    shape = tuple(1 if axis - axes in kind.shared else None for axis in range(axes)) if kind.shared else None
    return (layers.Dropout if isinstance(kind, Bernoulli) else layers.AlphaDropout)(kind.rate, noise_shape=shape)


def _regularizers(penalties, params):
    """Return a regularizer of Keras for each name that penalties act on."""
    totals = {}
    for penalty in penalties:
        keras_regularizer(penalty)  # complains about what Keras does not have
        for name in choose(params, penalty.on):
            l1, l2 = totals.get(name, (0.0, 0.0))
            totals[name] = (l1 + penalty.strengths.get("l1", 0.0), l2 + penalty.strengths.get("l2", 0.0))
    return {name: keras_regularizer(ElasticNet(*strengths)) for name, strengths in totals.items()}


def keras_cost(loss):
    """Return Keras' counterpart of a loss of reglib, a function of logits and targets; with soft labels, too."""
    losses = load_keras().losses
    if loss is squared_error:
        return lambda logits, y: losses.MeanSquaredError()(y, logits) * (y.shape[-1] / 2)
    sparse, soft = losses.SparseCategoricalCrossentropy, losses.CategoricalCrossentropy
    return lambda logits, y: (soft if _long(y).dtype.kind == "f" else sparse)(from_logits=True)(_long(y), logits)


@contextmanager
def given_to_keras(queue):
    """Let Keras' noise layers take what is in ``queue``, a deque of (kind, Noise), instead of drawing.

    Only the random numbers are exchanged: what a layer makes of them, with its own rate, is the layer's.
    """
    tf = load_tensorflow()

    def take(expected, shape):
        kind, noise = queue.popleft() if queue else (None, None)
        part = np.asarray(getattr(noise, "offset" if isinstance(kind, Additive) else "gain", None))
        if not isinstance(kind, expected) or part.shape != tuple(shape):
            raise AssertionError(
                f"Keras draws {tuple(shape)} for {expected.__name__}; the next noise is {kind}, {noise}"
            )
        return part

    def dropout(inputs, rate, noise_shape=None, seed=None):
        own = inputs.shape if noise_shape is None else noise_shape
        lengths = [full if length is None else length for length, full in zip(own, inputs.shape, strict=True)]
        return inputs * ((take(Bernoulli, lengths) > 0) / (1 - rate))

    def uniform(shape, *args, **options):
        return tf.constant((take(Alpha, shape) > 0).astype(float))

    def normal(shape, mean, stddev, dtype=None, seed=None):
        return tf.constant(take(Gaussian if mean else Additive, shape))

    place = "keras.src.backend.random."
    with (
        mock.patch(f"{place}dropout", dropout),
        mock.patch(f"{place}uniform", uniform),
        mock.patch(f"{place}normal", normal),
    ):
        yield


def _sequence(by, net, sample, zeros, reshape):
    """Return the forward function of a `Sequence` on tensors, ``(params, x, noise) -> logits``, one a row."""
    run = _cells.forward_of(by, net.cell, net.inputs, net.hidden, sample)
    names = tuple(net.cell.shapes(1, 1))

    def forward(params, x, noise):
        start = [zeros((x.shape[0], net.hidden)) for _ in range(1 + net.cell.memory)]
        output, _ = run({name: params[name] for name in names}, x, start, noise, None)
        read = output[:, -1] if net.readout == "last" else reshape(output, (-1, net.hidden))
        return read @ params["w_out"] + params["b_out"]

    return forward
