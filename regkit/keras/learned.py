r"""Gaussian dropout that learns its strength: variational dropout (Kingma, Salimans and Welling 2015)."""

import math

import keras
from keras import ops

from regkit._check import number

# The nodes of the trapezoidal rule, where the integrand of the divergence is smooth and ends at 0.
STEP = 1 / 16
NODES = [k * STEP for k in range(608)]


def kl(log_alpha):
    r"""Return the divergence of N(theta, alpha theta^2) from a prior that is uniform in log|theta|, entry by entry.

    It depends on alpha alone, and falls from infinity to 0 as alpha grows (Kingma et al. 2015, Section 3.3, with the
    constant chosen so that it ends at 0)::

        KL = integral over t > 0 of 1 - exp(-1 / (2 alpha cosh^2 t)).

    Parameters
    ----------
    log_alpha : tensor
        Not below -36, in float64; `reglib.nets.variational.kl` goes on from there.

    Returns
    -------
    tensor, of the shape and dtype of ``log_alpha``

    Examples
    --------
    >>> print(f"{float(kl(ops.zeros(()))):.4f}")  # alpha = 1
    0.4267
    """
    shift = [math.log(2) + 2 * math.log(math.cosh(t)) for t in NODES]
    shift = ops.convert_to_tensor(shift, log_alpha.dtype)
    values = -ops.expm1(-ops.exp(-ops.expand_dims(log_alpha, -1) - shift))
    return STEP * (ops.sum(values, axis=-1) - values[..., 0] / 2)


class _Divergence(keras.regularizers.Regularizer):
    """The penalty on a strength: ``scale`` times the mean of `kl` over its entries."""

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, log_alpha):
        return self.scale * ops.mean(kl(log_alpha))


@keras.saving.register_keras_serializable(package="regkit")
class LearnedGaussianDropout(keras.layers.Layer):
    r"""Gaussian dropout whose variance alpha is learned, one for the layer or one a unit.

    In training, with epsilon of standard normal numbers of the shape of x::

        y = x * (1 + sqrt(alpha) epsilon),

    and always a penalty on the strength, which would else fall to 0::

        model.losses:  (sum over the H units of KL(alpha)) / examples.

    With a loss that is a mean over examples, the sum is minus the variational lower bound over N, for noise that is
    shared by the outgoing weights of a unit; that it counts a unit once is a convention, not a derivation. Keras
    adds the penalty to the loss it prints, that of ``evaluate`` included. At evaluation y = x. Spare ``log_alpha`` from
    weight decay: ``optimizer.exclude_from_weight_decay(var_names=["log_alpha"])``.

    Parameters
    ----------
    examples : float
        N, the size of the training set (not of the batch), above 0; N / w to give the penalty a weight w.
    rate : float
        The drop rate with the same variance to start from, in (0, 1): alpha = rate / (1 - rate).
    per_unit : bool
        Whether each entry of the last axis has its own alpha.
    seed : int, optional
        Of the noise.
    kwargs
        Those of ``keras.layers.Layer``.

    Raises
    ------
    ValueError, TypeError
        For a number out of its range.

    References
    ----------
    D. P. Kingma, T. Salimans and M. Welling, Variational dropout and the local reparameterization trick, NIPS (2015).

    Examples
    --------
    >>> layer = LearnedGaussianDropout(examples=1000, rate=0.5)
    >>> layer(ops.ones((8, 16)), training=True).shape
    TensorShape([8, 16])
    >>> [f"{float(loss):.6f}" for loss in layer.losses]  # 16 * KL(1) / 1000
    ['0.006827']
    """

    def __init__(
        self, examples, rate=0.5, per_unit=False, seed=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.examples = number("examples", examples, low_open=True)
        self.rate = number("rate", rate, 0, 1, low_open=True)
        self.per_unit, self.seed = bool(per_unit), seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, input_shape):
        """Make log alpha, with the divergence as its regularizer."""
        start = math.log(self.rate / (1 - self.rate))
        units = input_shape[-1]
        self.log_alpha = self.add_weight(
            shape=(units if self.per_unit else 1,),
            initializer=keras.initializers.Constant(start),
            regularizer=_Divergence(units / self.examples),
            name="log_alpha",
        )

    def draw(self, like):
        """Return standard normal numbers of the shape and dtype of ``like``."""
        return keras.random.normal(
            ops.shape(like), dtype=like.dtype, seed=self.seed_generator
        )

    def call(self, inputs, training=False):
        """Return the inputs with noise on them, in training."""
        if not training:
            return inputs
        std = ops.exp(self.log_alpha / 2)
        return inputs * (1 + std * self.draw(inputs))

    def get_config(self):
        """Return what the layer is made again from."""
        own = ("examples", "rate", "per_unit", "seed")
        return super().get_config() | {
            name: getattr(self, name) for name in own
        }
