"""Gradient steps: SGD with momentum, Adam and AdamW; L2, coupled and decoupled weight decay.

An optimizer is a frozen set of hyperparameters. It changes nothing in place:

    state = optimizer.init(params)
    params, state = optimizer.step(params, grads, state)

``params`` and ``grads`` are lists of arrays. A hyperparameter may be an array of
shape (S,): then every parameter has shape (S, ...), and replica s is trained with
its own value.

Three ways to shrink a weight w, with learning rate eta:

- ``l2``: adds the gradient of ``l2 * sum(w**2)``, which is ``2 * l2 * w``, to the gradient;
- ``weight_decay``, coupled: adds ``weight_decay * w`` to the gradient
  (``torch.optim.SGD`` and ``torch.optim.Adam``);
- ``weight_decay``, decoupled: ``w <- w - eta * weight_decay * w``, apart from the step
  (``torch.optim.AdamW``, and every optimizer of Keras).

What is added to the gradient passes through momentum and through Adam's scaling;
what is decoupled does not. For SGD without momentum the two are the same step.

Keras on TensorFlow rounds momentum and weight decay to float32 even in float64 training
(``keras.ops.cast(0.9, "float64")`` is 0.8999999761581421); it rounds Adam's betas in the bias
correction but not in the averages. Trajectories agree to the last digits for values that float32 holds
exactly, such as 0.875, and to about six digits otherwise.

Sources
-------
I. Sutskever, J. Martens, G. Dahl and G. Hinton, On the importance of initialization and momentum in
deep learning, ICML 2013.
D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, ICLR 2015, arXiv:1412.6980.
I. Loshchilov and F. Hutter, Decoupled weight decay regularization, ICLR 2019, arXiv:1711.05101.
"""

from dataclasses import dataclass

import numpy as np

from reglib._validate import float_array, number, one_of, replica_shape


@dataclass(frozen=True, eq=False)
class State:
    """What an optimizer remembers between steps.

    Attributes
    ----------
    count : int
        Steps taken so far.
    slots : list of tuple of ndarray
        For each parameter its velocity (SGD with momentum) or its two averages (Adam).
    """

    count: int
    slots: list


class Optimizer:
    """What all optimizers share: one step over a list of parameters, and where the decay goes."""

    def init(self, params):
        """Return the state before the first step: no step taken, all memory zero.

        Parameters
        ----------
        params : list of arrays of floats

        Returns
        -------
        State
        """
        params = _floats("params", params)
        self._which(params)
        return State(0, [tuple(np.zeros_like(w) for _ in range(self._memory())) for w in params])

    def step(self, params, grads, state, *, multiplier=1.0):
        """Take one step.

        Parameters
        ----------
        params : list of arrays of floats
        grads : list of arrays of the same shapes and dtypes: the gradient of the data loss
        state : State
            From `init`, or from the step before.
        multiplier : number >= 0
            The schedule's factor on the learning rate at this step.

        Returns
        -------
        params, state : the new ones; the arguments are not changed
        """
        params, grads = _floats("params", params), _floats("grads", grads)
        if [w.shape for w in params] != [g.shape for g in grads]:
            shapes = [w.shape for w in params], [g.shape for g in grads]
            raise ValueError(f"grads must have the shapes of params, {shapes[0]}; got {shapes[1]}")
        for index, (w, g) in enumerate(zip(params, grads, strict=True)):
            if g.dtype != w.dtype:
                raise TypeError(f"grads[{index}] must have the dtype of params[{index}], {w.dtype}; got {g.dtype}")
        if not isinstance(state, State) or _shapes(state) != [(w.shape,) * self._memory() for w in params]:
            raise ValueError(f"state must come from init with the same {len(params)} parameters; got {state!r}")
        multiplier, count = number("multiplier", multiplier, low=0), state.count + 1
        new_params, new_slots = [], []
        for w, g, slots, decays in zip(params, grads, state.slots, self._which(params), strict=True):
            rate = self._of(w, "learning_rate") * w.dtype.type(multiplier)
            if decays and np.any(self.l2):
                g = g + 2 * self._of(w, "l2") * w
            if decays and np.any(self.weight_decay):
                if self.decoupled:
                    scale = rate if self.scale_decay else w.dtype.type(multiplier)
                    w = w - scale * self._of(w, "weight_decay") * w
                else:
                    g = g + self._of(w, "weight_decay") * w
            change, slots = self._change(w, g, slots, rate, count)
            new_params.append(w - change)
            new_slots.append(slots)
        return new_params, State(count, new_slots)

    def _of(self, w, name):
        """Return a hyperparameter, shaped to broadcast against ``w`` replica by replica."""
        return replica_shape(name, getattr(self, name), "each parameter", w)

    def _which(self, params):
        """Return, for each parameter, whether ``l2`` and ``weight_decay`` act on it."""
        if self.decay is None:
            return [True] * len(params)
        if len(self.decay) != len(params):
            raise ValueError(f"decay must say True or False for each of {len(params)} parameters, got {self.decay!r}")
        return list(self.decay)

    def _check(self):
        """Validate the hyperparameters that all optimizers have."""
        self._set("learning_rate", low=0)
        self._set("l2", low=0)
        self._set("weight_decay", low=0)
        for name in ("nesterov", "decoupled", "scale_decay"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}")
        if self.decay is None:
            return
        if not isinstance(self.decay, list | tuple) or not all(isinstance(part, bool) for part in self.decay):
            raise TypeError(f"decay must be None or a sequence of True and False, one a parameter; got {self.decay!r}")

    def _set(self, name, **limits):
        """Validate one hyperparameter and store it."""
        object.__setattr__(self, name, number(name, getattr(self, name), replicas=True, **limits))


@dataclass(frozen=True, eq=False)
class SGD(Optimizer):
    """Gradient descent with momentum.

    With g the gradient (coupled decay included) and v the velocity:

    - ``v <- momentum * v + g``
    - ``w <- w - learning_rate * v``, or with ``nesterov``
      ``w <- w - learning_rate * (g + momentum * v)``

    This is PyTorch's form. Sutskever et al. (2013) and Keras put the learning rate inside the velocity,
    which is the same as long as the learning rate does not change. With ``nesterov``, w is the paper's
    look-ahead point, at which it takes the gradient, not its parameter; the two meet where v vanishes.

    Parameters
    ----------
    learning_rate : number or array of shape (S,), >= 0
    momentum : number or array of shape (S,), in [0, 1)
    nesterov : bool
        Needs ``momentum`` above 0.
    l2 : number or array of shape (S,), >= 0
        Strength of the penalty ``l2 * sum(w**2)``.
    weight_decay : number or array of shape (S,), >= 0
    decoupled : bool
        False: decay is added to the gradient, as in ``torch.optim.SGD``. True: as in ``keras.optimizers.SGD``.
    scale_decay : bool
        Decoupled decay alone: True multiplies the decay by the learning rate (PyTorch, Keras);
        False by the schedule's multiplier alone (SGDW, Loshchilov and Hutter, Algorithm 1).
    decay : sequence of bool, one a parameter, or None
        Which parameters ``l2`` and ``weight_decay`` act on; None means all, biases included.

    Raises
    ------
    TypeError, ValueError
        For a hyperparameter that is not a number, not finite or out of range.
    """

    learning_rate: float
    momentum: float = 0.0
    nesterov: bool = False
    l2: float = 0.0
    weight_decay: float = 0.0
    decoupled: bool = False
    scale_decay: bool = True
    decay: tuple | None = None

    def __post_init__(self):
        self._check()
        self._set("momentum", low=0, high=1, high_open=True)
        if self.nesterov and not np.all(np.asarray(self.momentum) > 0):
            raise ValueError(f"nesterov=True needs momentum above 0, got momentum={self.momentum!r}")

    def _memory(self):
        return int(np.any(np.asarray(self.momentum) > 0))

    def _change(self, w, g, slots, rate, count):
        if not slots:
            return rate * g, slots
        momentum = self._of(w, "momentum")
        velocity = momentum * slots[0] + g
        direction = g + momentum * velocity if self.nesterov else velocity
        return rate * direction, (velocity,)


@dataclass(frozen=True, eq=False)
class Adam(Optimizer):
    """Adam: steps scaled by running averages of the gradient and of its square.

    Kingma and Ba (2015), Algorithm 1, at step t and with gradient g (coupled decay included):

    - ``m <- beta1 * m + (1 - beta1) * g``
    - ``v <- beta2 * v + (1 - beta2) * g**2``
    - ``w <- w - learning_rate * m_hat / (sqrt(v_hat) + epsilon)``

    with ``m_hat = m / (1 - beta1**t)`` and ``v_hat = v / (1 - beta2**t)``.

    Parameters
    ----------
    learning_rate : number or array of shape (S,), >= 0
    beta1, beta2 : number or array of shape (S,), in [0, 1)
    epsilon : number or array of shape (S,), > 0
    l2 : number or array of shape (S,), >= 0
        Strength of the penalty ``l2 * sum(w**2)``, through its gradient.
    weight_decay : number or array of shape (S,), >= 0
        Coupled, as in ``torch.optim.Adam``: added to the gradient, so that the averages see it.
    epsilon_at : "corrected" or "raw"
        Where epsilon is added. "corrected": to ``sqrt(v_hat)``, as in Algorithm 1 and PyTorch.
        "raw": to ``sqrt(v)``, before its correction, as at the end of section 2 of the paper and in Keras:
        ``w <- w - learning_rate * sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(v) + epsilon)``.
    decay : sequence of bool, one a parameter, or None
        Which parameters ``l2`` and ``weight_decay`` act on; None means all, biases included.

    Raises
    ------
    TypeError, ValueError
        For a hyperparameter that is not a number, not finite or out of range.
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    l2: float = 0.0
    weight_decay: float = 0.0
    epsilon_at: str = "corrected"
    decay: tuple | None = None

    nesterov = False
    decoupled = False
    scale_decay = True

    def __post_init__(self):
        self._check()
        for name in ("beta1", "beta2"):
            self._set(name, low=0, high=1, high_open=True)
        self._set("epsilon", low=0, low_open=True)
        one_of("epsilon_at", self.epsilon_at, ("corrected", "raw"))

    def _memory(self):
        return 2

    def _change(self, w, g, slots, rate, count):
        beta1, beta2, epsilon = (self._of(w, name) for name in ("beta1", "beta2", "epsilon"))
        m = beta1 * slots[0] + (1 - beta1) * g
        v = beta2 * slots[1] + (1 - beta2) * g**2
        first, second = 1 - beta1**count, 1 - beta2**count
        if self.epsilon_at == "corrected":
            return rate * (m / first) / (np.sqrt(v / second) + epsilon), (m, v)
        return rate * np.sqrt(second) / first * m / (np.sqrt(v) + epsilon), (m, v)


@dataclass(frozen=True, eq=False)
class AdamW(Adam):
    """Adam with decoupled weight decay: ``w <- w - learning_rate * weight_decay * w`` before Adam's step.

    Loshchilov and Hutter (2019), Algorithm 2, where the decay is multiplied by the schedule's multiplier alone;
    PyTorch and Keras also multiply it by the learning rate. ``scale_decay`` chooses. The paper's lambda is
    the frameworks' ``learning_rate * weight_decay``.

    Parameters
    ----------
    learning_rate, beta1, beta2, epsilon, l2, epsilon_at, decay :
        As in `Adam`.
    weight_decay : number or array of shape (S,), >= 0
        Decoupled. 0.01 is PyTorch's default; that of Keras is 0.004.
    scale_decay : bool
        True: the decay is multiplied by the learning rate, as in PyTorch and Keras.
        False: by the schedule's multiplier alone, as in the paper.

    Raises
    ------
    TypeError, ValueError
        For a hyperparameter that is not a number, not finite or out of range.
    """

    weight_decay: float = 0.01
    scale_decay: bool = True

    decoupled = True


def _floats(name, arrays):
    """Return a list of float arrays, or say what is wrong with which."""
    if not isinstance(arrays, list | tuple):
        raise TypeError(f"{name} must be a list of arrays, got {type(arrays).__name__}")
    return [float_array(f"{name}[{index}]", array, finite=False) for index, array in enumerate(arrays)]


def _shapes(state):
    """Return the shapes of what is remembered, parameter by parameter."""
    return [tuple(memory.shape for memory in slots) for slots in state.slots]
