"""What a framework's noise layer does under one draw of its own: the draw itself, the output, the gradient.

Noise makes ``gain * x + offset`` of x. Neither framework shows gain and offset, but both can repeat a draw: started
from the same random state, a layer that acts on zeros shows the offset, and on ones gain + offset. Under the same draw
it acts on the data, and takes a gradient back.
"""

from dataclasses import dataclass

import numpy as np

from regbook.replay.agreement import TOLERANCE, agree
from regbook.replay.frameworks import NAMES, as_array, framework_of, load_tensorflow
from reglib._validate import float_array, same_shape
from reglib.noise.affine import Noise, apply, apply_backward
from reglib.noise.kinds import Additive, Gaussian
from reglib.noise.masks import noise_shape

# Layers of PyTorch that drop whole channels, and look for the channels on the second axis.
CHANNELS_SECOND = ("Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout")
# Normal noise: our kind, Keras' layer, and what either calls its strength.
STRENGTHS = ((Gaussian, "GaussianDropout", "rate", "rate"), (Additive, "GaussianNoise", "std", "stddev"))


@dataclass(frozen=True, eq=False)
class Replayed:
    """What a layer did under one draw; made by `layer`. All arrays have the shape and the dtype of x.

    Attributes
    ----------
    framework : {"PyTorch", "Keras"}
    gain, offset : ndarray
        The draw: ``output = gain * x + offset``.
    output : ndarray
        What the layer made of x.
    gradient : ndarray
        With respect to x.
    """

    framework: str
    gain: np.ndarray
    offset: np.ndarray
    output: np.ndarray
    gradient: np.ndarray

    @property
    def mask(self):
        """The mask of dropout or alpha dropout, in the shape of x: True where a unit was kept."""
        return mask_of(self.gain, self.offset)

    def noise(self, kind):
        """Return the `reglib.noise.affine.Noise` of ``kind``, one of `reglib.noise.kinds`, under this draw.

        Its arrays have the shape that ``kind`` draws, with length 1 at its shared axes.

        Raises
        ------
        AssertionError
            Where the layer's draw differs along an axis that ``kind`` shares; where normal numbers have another
            mean or deviation than those of ``kind``.
        """
        return noise_of(kind, self.gain, self.offset)


def layer(module, x, grad, *, seed=0):
    """Let a noise layer of PyTorch or Keras act under one draw of its own, in training mode.

    Parameters
    ----------
    module : torch.nn.Module or keras.layers.Layer
        Such as ``torch.nn.Dropout(0.5)``, ``keras.layers.AlphaDropout(0.1)``, or a class of one's own.
    x : ndarray of floats
        As the layer wants it: PyTorch's layers for channels have them on the second axis.
    grad : ndarray, in the shape of x
        The gradient with respect to the output.
    seed : int
        Of the draw. The random state of PyTorch, and of the layer in Keras, is left as it was.

    Returns
    -------
    Replayed

    Raises
    ------
    TypeError
        For a layer of neither framework, or one of Keras that computes in another dtype than that of x.
    AssertionError
        Where the layer does not repeat its draw, or does something else than ``gain * x + offset``.
    """
    x, grad = float_array("x", x), float_array("grad", grad)
    same_shape("grad", grad, "x", x)
    framework = framework_of(module)
    act = _in_torch if framework == "torch" else _in_keras
    zeros, ones, output, gradient = act(module, x, grad, seed)
    found = Replayed(NAMES[framework], ones - zeros, zeros, output, gradient)
    noise, loose = Noise(found.gain, found.offset), 10 * TOLERANCE[str(x.dtype)]
    pairs = {"output": (apply(noise, x), output), "gradient": (apply_backward(noise, grad), gradient)}
    try:
        agree({quantity: {found.framework: pair} for quantity, pair in pairs.items()}, loose)
    except AssertionError as error:
        raise AssertionError(f"{module!r} is not gain * x + offset under one draw; {error}") from None
    return found


def noise_parity(kind, x, grad, *modules, name="", seed=0, tolerance=None):
    """Compare a kind of noise with the layers of frameworks, each on its own mask: output and gradient.

    Parameters
    ----------
    kind : a kind of `reglib.noise.kinds`
        Bernoulli, Alpha, Gaussian or Additive, with the rate and the shared axes of the layers.
    x : ndarray of floats
        Channels on the last axis, as everywhere in this book. For PyTorch's layers for channels they are moved to the
        second, and back.
    grad : ndarray, in the shape of x
        The gradient with respect to the output.
    *modules : layers of PyTorch and Keras
        One a framework.
    name : str
        Stands before the quantities.
    seed : int
        Of the layers' draws.
    tolerance : number > 0, optional
        By default 1e-12 in float64 and 1e-6 in float32.

    Returns
    -------
    Parity

    Raises
    ------
    AssertionError
        For a difference above the tolerance, and a draw that keeps all units or none; see also `layer` and
        `Replayed.noise`.
    """
    if not modules:
        raise ValueError("modules must hold at least one layer of PyTorch or Keras, got none")
    pairs = {"output": {}, "gradient": {}}
    for module in modules:
        moved = type(module).__name__ in CHANNELS_SECOND
        there, back = (_to_second, _to_last) if moved else (_as_it_is, _as_it_is)
        done = layer(module, there(x), there(grad), seed=seed)
        noise = noise_of(kind, back(done.gain), back(done.offset))
        _same_strength(kind, module)
        if len(np.unique(back(done.gain) + back(done.offset))) < 2:
            raise AssertionError(f"{done.framework} kept all units, or none: with another seed the draw says more")
        if done.framework in pairs["output"]:
            raise ValueError(f"modules must hold one layer a framework, got two of {done.framework}")
        pairs["output"][done.framework] = (apply(noise, x), back(done.output))
        pairs["gradient"][done.framework] = (apply_backward(noise, grad), back(done.gradient))
    return agree(pairs, tolerance, name)


def _same_strength(kind, module):
    """Complain if Keras' layer of normal noise says another strength than ``kind``: its numbers tell it roughly."""
    for cls, layer_of_keras, own, theirs in STRENGTHS:
        if framework_of(module) == "keras" and isinstance(kind, cls) and type(module).__name__ == layer_of_keras:
            mine, other = getattr(kind, own), getattr(module, theirs)
            if mine != other:
                raise AssertionError(f"{kind} has the {own} {mine}, the layer of Keras {other}")


def mask_of(gain, offset):
    """Return the mask that gain and offset show: True where a unit was kept.

    Raises
    ------
    ValueError
        Where the kept units differ in their gain, or units of a kind in their offset: that noise has no mask.
    """
    mask = gain != 0
    parts = (gain[mask], offset[mask], offset[~mask])
    if any(np.ptp(part) > 1e-5 * np.abs(part).max() for part in parts if part.size):
        raise ValueError("this noise has no mask: its gain or its offset differ from unit to unit")
    return mask


def noise_of(kind, gain, offset):
    """Return the `reglib.noise.affine.Noise` of a ``kind`` under a draw, its ``gain`` and ``offset`` in full.

    See `Replayed.noise`.
    """
    shape = noise_shape(gain.shape, kind.shared)
    if isinstance(kind, Gaussian):
        strength = np.sqrt(kind.rate / (1 - kind.rate))
        return Noise(_drawn(kind, own_part(gain, shape), 1.0, strength))
    if isinstance(kind, Additive):
        return Noise(offset=_drawn(kind, own_part(offset, shape), 0.0, kind.std))
    return kind.given(own_part(mask_of(gain, offset), shape), gain.dtype)


def own_part(draw, shape):
    """Return the part of a ``draw`` that has the ``shape``, with length 1 at the shared axes.

    Raises
    ------
    AssertionError
        If the rest does not repeat it.
    """
    part = draw[tuple(slice(length) for length in shape)]
    if not (part == draw).all():
        raise AssertionError(f"the layer's draw of shape {draw.shape} does not repeat its part of shape {shape}")
    return part


def _drawn(kind, draw, mean, std):
    """Return numbers that look normal: all different, with mean and deviation within six standard errors."""
    if len(np.unique(draw)) < 0.9 * draw.size:
        raise AssertionError(f"{kind} draws numbers that all differ; the layer drew {len(np.unique(draw))} values")
    found, deviation = draw.mean(), draw.std()
    if abs(found - mean) > 6 * std / draw.size**0.5 or abs(deviation - std) > 6 * std / (2 * draw.size) ** 0.5:
        raise AssertionError(
            f"{kind} has the mean {mean:.3g} and the standard deviation {std:.3g}; "
            f"the layer's draw has {found:.3g} and {deviation:.3g}"
        )
    return draw


def _in_torch(module, x, grad, seed):
    """Return what a layer makes of zeros, of ones, of x, and of the gradient."""
    import torch

    training = module.training
    module.train()
    try:
        with torch.random.fork_rng(devices=[]):

            def act(tensor):
                torch.manual_seed(seed)
                return module(tensor)

            inputs = torch.tensor(x, requires_grad=True)
            zeros, ones = (act(torch.full_like(inputs, value, requires_grad=False)) for value in (0.0, 1.0))
            output = act(inputs.clone())  # a copy, for a layer may work in place
            output.backward(torch.tensor(grad))
    finally:
        module.train(training)
    return tuple(as_array(tensor) for tensor in (zeros, ones, output, inputs.grad))


def _in_keras(module, x, grad, seed):
    """Return what a layer makes of zeros, of ones, of x, and of the gradient."""
    tf = load_tensorflow()

    if module.compute_dtype != str(x.dtype):
        raise TypeError(
            f"{module.name} computes in {module.compute_dtype} and x is {x.dtype}; make the layer with "
            f'dtype="{x.dtype}", or after keras.config.set_floatx("{x.dtype}")'
        )
    if not hasattr(module, "seed_generator"):
        raise TypeError(f"{module.name} has no seed_generator: it draws nothing")
    state = module.seed_generator.state
    before = state.numpy()

    def act(tensor):
        state.assign([seed, 0])
        return module(tensor, training=True)

    inputs = tf.Variable(x)
    zeros, ones = act(np.zeros_like(x)), act(np.ones_like(x))
    with tf.GradientTape() as tape:
        output = act(inputs)
    state.assign(before)
    gradient = tape.gradient(output, inputs, output_gradients=tf.constant(grad))
    return tuple(as_array(tensor) for tensor in (zeros, ones, output, gradient))


def _to_second(array):
    return np.ascontiguousarray(np.moveaxis(array, -1, 1))


def _to_last(array):
    return np.ascontiguousarray(np.moveaxis(array, 1, -1))


def _as_it_is(array):
    return array
