"""One valid call of every public function of the networks: layers, nets, noise, and how they learn.

Each entry stands under its dotted name, without "reglib.", and is a function that returns the arguments; those of a
method begin with the object. Every argument is given, also those with a default, for each is replaced in turn.
"""

from functools import cached_property

import numpy as np

from reglib.layers import conv, recurrent
from reglib.layers.cells import GRU, LSTM, RNN
from reglib.layers.layer_norm_lstm import LayerNormLSTM
from reglib.nets import variational
from reglib.nets.convnet import ConvNet
from reglib.nets.mlp import MLP
from reglib.nets.sequence import Sequence
from reglib.noise.affine import Noise
from reglib.noise.kinds import Additive, Alpha, Bernoulli, Gaussian, Zoneout
from reglib.train import loop, technique
from reglib.train.losses import softmax_cross_entropy
from reglib.train.optim import SGD, Adam, AdamW
from reglib.weights.penalties import L2


def given(*args, **kwargs):
    """Return arguments as they are given."""
    return args, kwargs


def rng():
    """Return a new generator, always the same."""
    return np.random.default_rng(0)


class Fixtures:
    """What the calls share: small networks, their parameters, batches, caches; all arrays of one dtype."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.net, self.images, self.sequence = MLP((3, 4, 2)), ConvNet((2, 3, 3, 2)), Sequence(LSTM(), 3, 4, 2)
        self.params = self.net.init(rng(), dtype=dtype)
        self.image_params = self.images.init(rng(), dtype=dtype)
        self.sequence_params = self.sequence.init(rng(), dtype=dtype)
        self.cell_params = recurrent.init(rng(), LSTM(), 3, 4, dtype=dtype)
        self.labels, self.steps = np.array([0, 1, 1, 0, 1]), np.arange(4) < np.array([4, 3, 4, 2, 4])[:, None]
        self.kinds = {"hidden1": Bernoulli(0.5)}
        self.technique = technique.Technique(noise=self.kinds, penalty=L2(0.1))
        self.optimizer = SGD(0.1, momentum=0.5)
        self.state = technique.start(self.technique, self.optimizer, self.params)

    def array(self, *shape):
        """Return normal numbers."""
        return rng().standard_normal(shape).astype(self.dtype)

    def noise(self, **shapes):
        """Return a gain a place."""
        return {place: Noise(self.array(*shape)) for place, shape in shapes.items()}

    @cached_property
    def cache(self):
        """The cache of the MLP."""
        return self.net.forward(self.params, self.array(5, 3), noise=self.noise(hidden1=(5, 4)))[1]

    @cached_property
    def image_cache(self):
        """The cache of the convolutional network."""
        return self.images.forward(self.image_params, self.array(5, 4, 4, 2), noise=self.noise(maps1=(5, 1, 1, 3)))[1]

    @cached_property
    def sequence_cache(self):
        """The cache of the network for sequences."""
        return self.sequence.forward(self.sequence_params, self.array(5, 4, 3))[1]

    @cached_property
    def cell_cache(self):
        """The cache of a recurrent layer."""
        return recurrent.forward(LSTM(), self.cell_params, self.array(5, 4, 3))[2]

    @cached_property
    def step_cache(self):
        """The cache of one step of it."""
        return recurrent.step(LSTM(), self.cell_params, self.array(5, 3))[2]


def layers(f):
    """Return the calls of `reglib.layers`."""
    a, pair = f.array, (f.array(5, 4), f.array(5, 4))
    images, kernel = a(5, 4, 4, 2), a(3, 3, 2, 3)
    options = {"stride": 1, "padding": 1}
    calls = {f"layers.activations.{name}": lambda: given(a(5, 4)) for name in ("relu", "tanh", "sigmoid", "selu")}
    names = ("relu_backward", "tanh_backward", "sigmoid_backward", "selu_backward", "softmax_backward")
    calls |= {f"layers.activations.{name}": lambda: given(a(5, 4), a(5, 4)) for name in names}
    calls |= {f"layers.cells.{name}.shapes": lambda cell=cell: given(cell, 3, 4) for name, cell in CELLS.items()}
    return calls | {
        "layers.activations.softmax": lambda: given(a(5, 4)),
        "layers.dense.dense": lambda: given(a(5, 3), a(3, 2), a(2)),
        "layers.dense.dense_backward": lambda: given(a(5, 2), a(5, 3), a(3, 2)),
        "layers.dense.dense_parameter_gradients": lambda: given(a(5, 2), a(5, 3), a(3, 2)),
        "layers.norm.layer_norm": lambda: given(a(5, 3), a(3), a(3), epsilon=1e-3),
        "layers.norm.layer_norm_backward": lambda: given(a(5, 3), a(5, 3), a(3), epsilon=1e-3),
        "layers.conv.patches": lambda: given(images, (3, 3), **options),
        "layers.conv.patches_backward": lambda: given(
            conv.patches(images, (3, 3)), images.shape, (3, 3), stride=1, padding=0
        ),
        "layers.conv.conv2d": lambda: given(images, kernel, a(3), **options),
        "layers.conv.conv2d_backward": lambda: given(a(5, 4, 4, 3), images, kernel, **options),
        "layers.conv.conv2d_parameter_gradients": lambda: given(a(5, 4, 4, 3), images, kernel, **options),
        "layers.conv.average_pool2d": lambda: given(images, 2),
        "layers.conv.average_pool2d_backward": lambda: given(a(5, 2, 2, 2), 2),
        "layers.conv.max_pool2d": lambda: given(images, 2),
        "layers.conv.max_pool2d_backward": lambda: given(a(5, 2, 2, 2), images, 2),
        "layers.conv.global_average_pool2d": lambda: given(images),
        "layers.conv.global_average_pool2d_backward": lambda: given(a(5, 2), images.shape),
        "layers.cells.GRU": lambda: given(reset_after=False),
        "layers.layer_norm_lstm.LayerNormLSTM": lambda: given(epsilon=1e-3, norm="gates", carry="normalized"),
        "layers.layer_norm_lstm.LayerNormLSTM.shapes": lambda: given(LayerNormLSTM(), 3, 4),
        "layers.recurrent.init": lambda: given(rng(), LSTM(), 3, 4, forget_bias=1.0, replicas=(2,), dtype=f.dtype),
        "layers.recurrent.places": lambda: given(LSTM(), f.cell_params, a(5, 4, 3)),
        "layers.recurrent.forward": lambda: given(
            LSTM(), f.cell_params, a(5, 4, 3), (a(5, 4), a(5, 4)), noise=f.noise(recurrent=(5, 1, 4)), steps=f.steps
        ),
        "layers.recurrent.backward": lambda: given(f.cell_cache, a(5, 4, 4), pair, everything=True),
        "layers.recurrent.step": lambda: given(
            LSTM(), f.cell_params, a(5, 3), (a(5, 4), a(5, 4)), noise=f.noise(recurrent=(5, 4))
        ),
        "layers.recurrent.step_backward": lambda: given(f.step_cache, a(5, 4), pair),
    }


CELLS = {"RNN": RNN(), "LSTM": LSTM(), "GRU": GRU()}


def nets(f):
    """Return the calls of `reglib.nets`."""
    a, mlp, images, sequence = f.array, f.net, f.images, f.sequence
    x, image, words = a(5, 3), a(5, 4, 4, 2), a(5, 4, 3)
    started = variational.start(f.params, 0.25)
    return {
        "nets.mlp.hidden": lambda: given(2),
        "nets.mlp.MLP": lambda: given((3, 4, 2), "tanh"),
        "nets.mlp.MLP.names": lambda: given(mlp),
        "nets.mlp.MLP.places": lambda: given(mlp, f.params, x),
        "nets.mlp.MLP.forward": lambda: given(mlp, f.params, x, noise=f.noise(hidden1=(5, 4))),
        "nets.mlp.MLP.backward": lambda: given(mlp, f.params, f.cache, a(5, 2), everything=True),
        "nets.net.Net.init": lambda: given(mlp, rng(), replicas=(2,), dtype=f.dtype),
        "nets.net.Net.logits": lambda: given(mlp, f.params, x),
        "nets.net.Net.cost": lambda: given(mlp, softmax_cross_entropy, a(5, 2), f.labels),
        "nets.convnet.ConvNet": lambda: given((2, 3, 3, 2), "every"),
        "nets.convnet.ConvNet.names": lambda: given(images),
        "nets.convnet.ConvNet.places": lambda: given(images, f.image_params, image),
        "nets.convnet.ConvNet.forward": lambda: given(images, f.image_params, image, noise=f.noise(maps1=(5, 1, 1, 3))),
        "nets.convnet.ConvNet.backward": lambda: given(images, f.image_params, f.image_cache, a(5, 2), everything=True),
        "nets.convnet.ConvNet.cost": lambda: given(
            ConvNet((2, 3, 3, 2), "every"),
            softmax_cross_entropy,
            a(5, 2, 2, 2),
            np.ones((5, 2, 2), int),
        ),
        "nets.sequence.Sequence": lambda: given(LSTM(), 3, 4, 2, "every", 0.5),
        "nets.sequence.Sequence.names": lambda: given(sequence),
        "nets.sequence.Sequence.places": lambda: given(sequence, f.sequence_params, words),
        "nets.sequence.Sequence.forward": lambda: given(
            sequence, f.sequence_params, words, noise=f.noise(recurrent=(5, 1, 4)), steps=f.steps
        ),
        "nets.sequence.Sequence.backward": lambda: given(
            sequence, f.sequence_params, f.sequence_cache, a(5, 2), everything=True
        ),
        "nets.sequence.Sequence.cost": lambda: given(
            Sequence(LSTM(), 3, 4, 2, "every"), softmax_cross_entropy, a(5, 4, 2), f.steps.astype(int), steps=f.steps
        ),
        "nets.variational.noise": lambda: given(a(4), a(5, 4)),
        "nets.variational.noise_backward": lambda: given(a(5, 4), a(4), a(5, 4)),
        "nets.variational.kl": lambda: given(a(4), "exact"),
        "nets.variational.kl_gradient": lambda: given(a(4), "exact"),
        "nets.variational.start": lambda: given(f.params, 0.25),
        "nets.variational.loss_and_grads": lambda: given(
            mlp, started, x, f.labels, [a(5, 4)], examples=50, weight=1.0, form="kingma"
        ),
    }


def noises(f):
    """Return the calls of `reglib.noise`."""
    a, mask, x, y = f.array, np.eye(4) > 0, f.array(5, 3), f.array(5)
    each = {"rate": 0.25, "inverted": False}
    return {
        "noise.affine.Noise": lambda: given(a(5, 4), a(5, 4)),
        "noise.affine.apply": lambda: given(Noise(a(5, 4), a(5, 4)), a(5, 4)),
        "noise.affine.apply_backward": lambda: given(Noise(a(5, 4)), a(5, 4)),
        "noise.affine.noise_gradient": lambda: given(a(5, 4), a(5, 4)),
        "noise.expected.gate_moments": lambda: given(**each),
        "noise.expected.expected_loss": lambda: given(a(3), x, y, **each),
        "noise.expected.expected_gradient": lambda: given(a(3), x, y, **each),
        "noise.expected.penalty": lambda: given(a(3), x, **each),
        "noise.expected.solution": lambda: given(x, y, **each),
        "noise.kinds.Kind.draw": lambda: given(Bernoulli(0.5), rng(), (5, 4), f.dtype),
        "noise.kinds.Kind.expected": lambda: given(Gaussian(0.5), (5, 4)),
        "noise.kinds.Kind.take": lambda: given(Gaussian(np.array([0.5, 0.25])), 1),
        "noise.kinds.Bernoulli": lambda: given(0.5, (-1,), 4, False),
        "noise.kinds.Bernoulli.given": lambda: given(Bernoulli(0.5), mask, f.dtype),
        "noise.kinds.Bernoulli.expected": lambda: given(Bernoulli(np.full(5, 0.5), scaled=False), (5, 4)),
        "noise.kinds.Gaussian": lambda: given(0.5, (-1,)),
        "noise.kinds.Additive": lambda: given(0.5, (-1,)),
        "noise.kinds.Alpha": lambda: given(0.5, (-1,), 0.0, 1.0),
        "noise.kinds.Alpha.given": lambda: given(Alpha(0.5), mask, f.dtype),
        "noise.kinds.Zoneout": lambda: given(0.5, (-1,)),
        "noise.kinds.Zoneout.given": lambda: given(Zoneout(0.5), mask, f.dtype),
        "noise.kinds.Zoneout.expected": lambda: given(Zoneout(np.full(5, 0.5)), (5, 4)),
        "noise.kinds.alpha_constants": lambda: given(0.5, mean=0.0, variance=1.0),
        "noise.masks.bernoulli": lambda: given(rng(), (5, 4), 0.5),
        "noise.masks.gaussian": lambda: given(rng(), (5, 4), 0.5, dtype=f.dtype),
        "noise.masks.normal": lambda: given(rng(), (5, 4), 0.5, dtype=f.dtype),
        "noise.masks.noise_shape": lambda: given((5, 4), (-1,)),
        "noise.masks.all_masks": lambda: given(3),
        "noise.masks.probabilities": lambda: given(mask, 0.5),
        "noise.places.draw": lambda: given(rng(), {"hidden1": Additive(0.5)}, {"hidden1": (5, 4)}, f.dtype),
        "noise.places.expected": lambda: given({"zone_h": Zoneout(0.5)}, {"zone_h": (5, 4)}),
    }


def training(f):
    """Return the calls of `reglib.train`."""
    a, x = f.array, f.array(5, 3)
    soft = np.eye(2, dtype=f.dtype)[f.labels]
    grads = {name: np.ones_like(w) for name, w in f.params.items()}
    batches = loop.minibatches(rng(), 5, 2)

    def do_nothing(*args):
        return args[0] if len(args) == 1 else args

    decay = {"l2": 0.1, "weight_decay": 0.1}
    rule = loop.EarlyStopping("accuracy", 2, "lower")
    return {
        "train.losses.squared_error": lambda: given(a(5, 2), a(5, 2)),
        "train.losses.softmax_cross_entropy": lambda: [given(a(5, 2), f.labels), given(a(5, 2), soft)],
        "train.optim.SGD": lambda: given(
            0.1, momentum=0.5, nesterov=True, **decay, decoupled=True, scale_decay=False, decay_on="weight"
        ),
        "train.optim.Adam": lambda: given(0.1, 0.5, 0.5, 1e-6, **decay, epsilon_at="raw", decay_on="weight"),
        "train.optim.AdamW": lambda: given(
            0.1, 0.5, 0.5, 1e-6, **decay, epsilon_at="raw", decay_on="weight", scale_decay=False
        ),
        "train.optim.Optimizer.init": lambda: given(Adam(), f.params),
        "train.optim.Optimizer.step": lambda: [
            given(optimizer, f.params, grads, optimizer.init(f.params), multiplier=0.5)
            for optimizer in (f.optimizer, Adam(), AdamW())
        ],
        "train.technique.Technique": lambda: given(
            data=lambda rng, x, y: (x, y),
            noise=f.kinds,
            weights=do_nothing,
            loss=do_nothing,
            slope=do_nothing,
            penalty=L2(0.1),
            proximal=True,
            between=do_nothing,
            predict=do_nothing,
            memory=do_nothing,
        ),
        "train.technique.Technique.output": lambda: given(f.technique, f.net, f.params, x, {}, rng=rng()),
        "train.technique.value_and_grads": lambda: [
            given(f.net, f.params, x, f.labels, noise={}, loss=softmax_cross_entropy, steps=None),
            given(
                f.sequence,
                f.sequence_params,
                a(5, 4, 3),
                f.labels,
                noise=None,
                loss=softmax_cross_entropy,
                steps=f.steps,
            ),
        ],
        "train.technique.step": lambda: given(
            f.net, f.technique, f.optimizer, f.state, (x, f.labels), rng(), loss=softmax_cross_entropy, multiplier=1.0
        ),
        "train.technique.start": lambda: given(f.technique, f.optimizer, f.params, rng()),
        "train.loop.minibatches": lambda: given(rng(), 5, 2, 2, replicas=(2,), drop_last=True),
        "train.loop.EarlyStopping": lambda: given("accuracy", 2, "lower", 0.1),
        "train.loop.EarlyStopping.read": lambda: given(rule, [2.0, 1.0]),
        "train.loop.train": lambda: given(
            f.net,
            f.params,
            f.optimizer,
            batches,
            data=(x, f.labels),
            technique=f.technique,
            rng=rng(),
            loss=softmax_cross_entropy,
            schedule=lambda share: 1 - share,
            measures={"one": lambda state: f.dtype(1)},
            every=1,
            early_stopping=loop.EarlyStopping("one", 2),
            allow_divergence=False,
            progress=iter,
        ),
    }


def calls(f):
    """Return the calls of this module by name."""
    return layers(f) | nets(f) | noises(f) | training(f)
