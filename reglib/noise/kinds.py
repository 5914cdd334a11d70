"""Kinds of noise: frozen values that know their rate and what they share, and draw themselves for a shape.

A kind has three methods. ``draw(rng, shape)`` draws a `reglib.noise.affine.Noise`; ``given(mask)`` makes the same of a
mask that somebody else has drawn, another framework for instance; ``expected()`` is what takes its place at inference:
None, for no noise at all, wherever the mean of the output is the input::

    kind        y = gain * h + offset                       at inference
    Bernoulli   h * mask / (1 - rate)                       h
                h * mask                   (not scaled)     (1 - rate) h
    Gaussian    h * N(1, rate / (1 - rate))                 h
    Additive    h + N(0, std^2)                             h
    Alpha       a (h * mask + alpha' (1 - mask)) + b        h
    Zoneout     old where the mask says so, else new        rate * old + (1 - rate) * new

Srivastava et al. (2014) write p for the probability to *keep* a unit; ``rate`` is the probability to *drop* it.

**What is shared.** ``shared`` names axes of the activations, counted from the end, along which there is one draw::

    activations             shared          what is dropped
    (B, H)                  ()              single units, anew for each example
    (B, rows, columns, C)   (-3, -2)        whole channels of an image
    (B, T, H)               -2              units, the same ones at every time step
    (B, H)                  -1              a whole branch of an example: a path

**Replicas.** A rate of shape (S,) belongs to activations of shape (S, ...), one rate a replica; and ``rng`` may be a
list of S generators, one a replica, each of which then draws what it would draw alone. A plain number 0 is no noise
and takes nothing from a generator.
"""

from dataclasses import dataclass, replace

import numpy as np

from reglib._constants import SELU_ALPHA, SELU_SCALE
from reglib._validate import (
    axes,
    boolean,
    float_type,
    generators,
    integer,
    integers,
    number,
    replica_shape,
)
from reglib._values import Value
from reglib.noise import masks
from reglib.noise.affine import Noise

# What alpha dropout puts in the place of a dropped unit: the limit of SELU at minus infinity.
ALPHA_PRIME = -SELU_SCALE * SELU_ALPHA


@dataclass(frozen=True, eq=False)
class Kind(Value):
    """What all kinds share: axes with one draw, one generator a replica."""

    # The fields that may hold one number a replica.
    numbers = ("rate",)
    # What a kind that has no such field does.
    shared = ()
    rate = 0.0
    # Whether `_draw` takes several generators itself: quicker, with the numbers that each would draw alone.
    at_once = False

    def __post_init__(self):
        """Check the fields; those of all kinds here."""
        shared = axes("shared", self.shared)
        if any(axis >= 0 for axis in shared):
            raise ValueError(
                f"shared must hold axes counted from the end, below 0, got {self.shared!r}"
            )
        self._store("shared", shared)
        for name in self.numbers:
            self._store(name, self._number(name, getattr(self, name)))
        shapes = {np.shape(getattr(self, name)) for name in self.numbers} - {
            ()
        }
        if len(shapes) > 1:
            raise ValueError(
                f"{' and '.join(self.numbers)} must be plain numbers or of one shape, one a replica"
            )

    def draw(self, rng, shape, dtype=np.float64):
        """Draw the noise for activations.

        Parameters
        ----------
        rng : numpy.random.Generator, or list of them
            A list holds one a replica, for the first axis of ``shape``.
        shape : tuple of int
            Of the activations.
        dtype : numpy.float64 or numpy.float32

        Returns
        -------
        Noise
            Its arrays have length 1 at the shared axes.
        """
        shape, dtype = (
            self._own(masks.noise_shape(shape, self.shared)),
            float_type(dtype),
        )
        several = generators("rng", rng)
        if several is None:
            return self._drawn(rng, shape, dtype)
        if len(several) != shape[0]:
            raise ValueError(
                f"rng must hold one generator for each of the {shape[0]} replicas, got {len(several)}"
            )
        if self.at_once and np.all(self.rate):
            return self._draw(several, shape, dtype)
        drawn = [
            self.take(s)._drawn(one, shape[1:], dtype)
            for s, one in enumerate(several)
        ]
        gains, offsets = (
            [noise.gain for noise in drawn],
            [noise.offset for noise in drawn],
        )
        return Noise(
            *(
                None if each[0] is None else np.stack(each)
                for each in (gains, offsets)
            )
        )

    def expected(self, shape=()):
        """Return the mean of the noise, to use at inference; None where inference needs no change.

        ``shape``, that of the activations, is needed where the rate holds one number a replica.
        """
        return None

    def take(self, replica):
        """Return the kind with the numbers of one ``replica``."""
        each = {name: getattr(self, name) for name in self.numbers}
        count = max(
            (len(value) for value in each.values() if np.ndim(value)),
            default=None,
        )
        if integer("replica", replica, low=0) >= (
            replica + 1 if count is None else count
        ):
            raise ValueError(
                f"replica must be below {count}, the number of replicas; got {replica}"
            )
        return replace(
            self,
            **{
                name: value[replica]
                for name, value in each.items()
                if np.ndim(value)
            },
        )

    @property
    def acts(self):
        """Whether there is anything to draw: a plain number 0 is no noise."""
        return any(
            np.ndim(getattr(self, name)) or getattr(self, name)
            for name in self.numbers
        )

    def _draw(self, rng, shape, dtype):
        """Draw the noise from one generator, in a shape whose shared axes have length 1."""
        raise NotImplementedError

    def _kept(self, shape):
        """Return the gain 1 - rate, facing activations of the given shape."""
        kept = 1 - np.asarray(self.rate)
        facing = np.broadcast_to(0.0, integers("shape", shape, low=0))
        return Noise(
            replica_shape("rate", kept, "the activations", facing)
            if kept.ndim
            else kept
        )

    def _drawn(self, rng, shape, dtype):
        """Draw; where there is nothing to draw, leave ``rng`` as it is."""
        return self._draw(
            rng if self.acts else np.random.default_rng(0), shape, dtype
        )

    def _own(self, shape):
        """Return the shape of the draw, where it differs from that of the activations."""
        return shape

    @staticmethod
    def _number(name, value):
        return number(
            name, value, low=0, high=1, high_open=True, replicas=True
        )


@dataclass(frozen=True, eq=False)
class Bernoulli(Kind):
    """Dropout: ``h * mask / (1 - rate)``, a mask of independent coins (Hinton et al. 2012; Srivastava et al. 2014).

    Scaled ("inverted"), its mean over the masks is h, and inference needs no change. Not scaled, it is the original of
    Srivastava et al. (2014, Section 4): the mean is (1 - rate) h, and so is the output at inference.

    Parameters
    ----------
    rate : float or ndarray, (S,)
        Probability to drop, in [0, 1).
    shared : int or tuple of int
        Axes with one draw, counted from the end.
    gates : int, optional
        For the products of a recurrent cell: a mask for each gate apart, on a new axis before the last ("untied").
    scaled : bool
    """

    rate: float
    shared: tuple = ()
    gates: int | None = None
    scaled: bool = True

    at_once = True

    def __post_init__(self):
        super().__post_init__()
        if self.gates is not None:
            integer("gates", self.gates, low=1)
        boolean("scaled", self.scaled)

    def _own(self, shape):
        return (
            shape
            if self.gates is None
            else (*shape[:-1], self.gates, shape[-1])
        )

    def _draw(self, rng, shape, dtype):
        return self.given(masks.bernoulli(rng, shape, self.rate), dtype)

    def given(self, mask, dtype=np.float64):
        """Return the noise of a mask: True, or 1, keeps a unit, and False, or 0, drops it."""
        mask, dtype = masks.gate("mask", mask), float_type(dtype)
        scale = 1 / (1 - np.asarray(self.rate)) if self.scaled else np.ones(())
        return Noise(
            np.multiply(
                mask,
                replica_shape("rate", scale, "the mask", mask, dtype),
                dtype=dtype,
            )
        )

    def expected(self, shape=()):
        """Return None for the scaled form, and the gain 1 - rate for the other; ``shape`` as for `Kind.expected`.

        That is the mean of the mask, not that of the network's output: see `reglib.noise.places.expected`.
        """
        return None if self.scaled else self._kept(shape)


@dataclass(frozen=True, eq=False)
class Gaussian(Kind):
    """Gaussian dropout: ``h * N(1, rate / (1 - rate))``, with mean and variance of dropout at the same rate.

    The second number is the variance: the standard deviation is sqrt(rate / (1 - rate)) (Srivastava et al. 2014,
    Section 10, where p, the probability to keep, makes it sqrt((1 - p) / p)).

    Parameters
    ----------
    rate : float or ndarray, (S,)
        The drop rate to match, in [0, 1).
    shared : int or tuple of int
        Axes with one draw, counted from the end.
    """

    rate: float
    shared: tuple = ()

    def _draw(self, rng, shape, dtype):
        return Noise(masks.gaussian(rng, shape, self.rate, dtype=dtype))


@dataclass(frozen=True, eq=False)
class Additive(Kind):
    """Additive noise: ``h + N(0, std^2)``.

    On the inputs it is the noise of Bishop (1995). For a linear model the penalty that it amounts to is plain L2,
    whatever the scale of the inputs.

    Parameters
    ----------
    std : float or ndarray, (S,)
        Standard deviation, at least 0.
    shared : int or tuple of int
        Axes with one draw, counted from the end.
    """

    std: float
    shared: tuple = ()

    numbers = ("std",)

    @staticmethod
    def _number(name, value):
        return number(name, value, low=0, replicas=True)

    def _draw(self, rng, shape, dtype):
        return Noise(offset=masks.normal(rng, shape, self.std, dtype=dtype))


@dataclass(frozen=True, eq=False)
class Alpha(Kind):
    """Alpha dropout: ``a (h * mask + alpha' (1 - mask)) + b``, which keeps mean and variance (Klambauer et al. 2017).

    It does for SELU networks what dropout does not: the variance of the units survives, not only their mean. A dropped
    unit takes the value alpha', the lower limit of SELU; a and b are those of `alpha_constants`.

    Parameters
    ----------
    rate : float or ndarray, (S,)
        Probability to drop, in [0, 1).
    shared : int or tuple of int
        Axes with one draw, counted from the end; over the positions it is feature alpha dropout.
    mean : float
        Of the units; 0 in a self-normalizing network.
    variance : float
        Of the units, above 0; 1 in a self-normalizing network.
    """

    rate: float
    shared: tuple = ()
    mean: float = 0.0
    variance: float = 1.0

    at_once = True

    def __post_init__(self):
        super().__post_init__()
        self._store("mean", number("mean", self.mean))
        self._store(
            "variance", number("variance", self.variance, low=0, low_open=True)
        )

    def _draw(self, rng, shape, dtype):
        return self.given(masks.bernoulli(rng, shape, self.rate), dtype)

    def given(self, mask, dtype=np.float64):
        """Return the noise of a mask: True, or 1, keeps a unit, and False, or 0, drops it."""
        mask, dtype = masks.gate("mask", mask), float_type(dtype)
        constants = alpha_constants(
            self.rate, mean=self.mean, variance=self.variance
        )
        a, b = (
            replica_shape("rate", constant, "the mask", mask, dtype)
            for constant in constants
        )
        kept = mask.astype(dtype)
        return Noise(a * kept, a * (ALPHA_PRIME * (1 - kept)) + b)


@dataclass(frozen=True, eq=False)
class Zoneout(Kind):
    """Zoneout: a unit keeps its old value with probability ``rate`` (Krueger et al. 2017, Section 3).

    For the places ``zone_h`` and ``zone_c`` of a recurrent network, which have an old value. The gain is the share of
    the new value: 0 where the old one is kept, else 1; at inference 1 - rate.

    Parameters
    ----------
    rate : float or ndarray, (S,)
        Probability to keep the old value, in [0, 1).
    shared : int or tuple of int
        Axes with one draw, counted from the end.
    """

    rate: float
    shared: tuple = ()

    at_once = True

    def _draw(self, rng, shape, dtype):
        return Noise(masks.bernoulli(rng, shape, self.rate).astype(dtype))

    def given(self, mask, dtype=np.float64):
        """Return the noise of a mask: True, or 1, keeps the old value, and False, or 0, takes the new one."""
        return Noise(1 - masks.gate("mask", mask).astype(float_type(dtype)))

    def expected(self, shape=()):
        """Return the gain 1 - rate: old and new are mixed; ``shape`` as for `Kind.expected`.

        That is the mean of the mask, not that of the network's output: see `reglib.noise.places.expected`.
        """
        return self._kept(shape)


def alpha_constants(rate, *, mean=0.0, variance=1.0):
    """Return a and b of alpha dropout, which give its output the mean and the variance of its input.

    With q = 1 - rate, for inputs of mean mu and variance nu (Klambauer et al. 2017, the section on the new dropout
    technique):

        a = sqrt(nu / (q ((1 - q) (alpha' - mu)^2 + nu))),   b = mu - a (q mu + (1 - q) alpha')

    Parameters
    ----------
    rate : float or ndarray, (S,)
        Probability to drop, in [0, 1).
    mean : float
        mu, 0 in a self-normalizing network.
    variance : float
        nu > 0, 1 in a self-normalizing network.

    Returns
    -------
    (a, b) : floats, or ndarrays of shape (S,)
    """
    rate = number("rate", rate, low=0, high=1, high_open=True, replicas=True)
    mean = number("mean", mean)
    variance = number("variance", variance, low=0, low_open=True)
    q = 1 - rate
    a = np.sqrt(variance / (q * (rate * (ALPHA_PRIME - mean) ** 2 + variance)))
    return a, mean - a * (q * mean + rate * ALPHA_PRIME)
