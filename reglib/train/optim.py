"""Gradient steps: SGD with momentum, Adam and AdamW; L2, coupled and decoupled weight decay.

An optimizer is a frozen set of hyperparameters. It changes nothing in place:

    state = optimizer.init(params)
    params, state = optimizer.step(params, grads, state)

``params`` and ``grads`` are dicts of arrays by name, the parameters of a network, or
lists of arrays. A gradient of None means that a parameter is not trained: it stays,
undecayed, as in PyTorch. A hyperparameter may be an array of shape (S,): then every
parameter has shape (S, ...), and replica s is trained with its own value.

Three ways to shrink a weight w, with learning rate eta:

- ``l2``: adds the gradient of ``l2 * sum(w**2)``, which is ``2 * l2 * w``, to the gradient;
- ``weight_decay``, coupled: adds ``weight_decay * w`` to the gradient
  (``torch.optim.SGD`` and ``torch.optim.Adam``);
- ``weight_decay``, decoupled: ``w <- w - eta * weight_decay * w``, apart from the step
  (``torch.optim.AdamW``, and every optimizer of Keras).

Both act on everything that the optimizer is given, biases included, as in PyTorch;
``decay_on`` chooses roles, places or names (`reglib.weights.parameters`).
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

from reglib._validate import (
    boolean,
    float_array,
    number,
    one_of,
    replica_shape,
)
from reglib._values import Value
from reglib.weights.parameters import choose, each, words


@dataclass(frozen=True, eq=False)
class State:
    """What an optimizer remembers between steps.

    Attributes
    ----------
    counts : dict or list of int
        For each parameter the steps taken so far; a step without a gradient does not count.
    slots : dict or list of tuple of ndarray
        For each parameter its velocity (SGD with momentum) or its two averages (Adam).
    """

    counts: dict | list
    slots: dict | list


@dataclass(frozen=True, eq=False)
class Optimizer(Value):
    """What all optimizers share: one step over all parameters, and where the decay goes."""

    # What an optimizer that has no such field does.
    learning_rate = l2 = weight_decay = 0.0
    nesterov = decoupled = False
    scale_decay = True
    decay_on = "all"

    def init(self, params):
        """Return the state before the first step: no step taken, all memory zero.

        Parameters
        ----------
        params : dict or list of arrays of floats

        Returns
        -------
        State
        """
        params = _floats("params", params)
        self._decayed(params)
        zeros = each(
            lambda w: tuple(np.zeros_like(w) for _ in range(self._memory())),
            params,
        )
        return State(each(lambda w: 0, params), zeros)

    def step(self, params, grads, state, *, multiplier=1.0):
        """Take one step.

        Parameters
        ----------
        params : dict or list of arrays of floats
        grads : the same structure, of arrays of the same shapes and dtypes
            The gradient of the data loss; None for a parameter that is not trained.
        state : State
            From `init`, or from the step before.
        multiplier : number >= 0
            The schedule's factor on the learning rate at this step.

        Returns
        -------
        params, state : the new ones; the arguments are not changed
        """
        params = _floats("params", params)
        grads = _matching(params, grads)
        if not isinstance(state, State) or _shapes(state) != each(
            lambda w: (w.shape,) * self._memory(), params
        ):
            raise ValueError(
                f"state must come from init with the same {len(params)} parameters; got {state!r}"
            )
        multiplier, decayed = (
            number("multiplier", multiplier, low=0),
            self._decayed(params),
        )

        def one(w, g, decays, count, slots):
            if g is None:
                return w, count, slots
            w, g = self._decay(w, g, multiplier) if decays else (w, g)
            rate = self._of(w, "learning_rate") * w.dtype.type(multiplier)
            change, slots = self._change(w, g, slots, rate, count + 1)
            return w - change, count + 1, slots

        done = each(one, params, grads, decayed, state.counts, state.slots)
        new, counts, slots = (
            each(lambda entry, part=part: entry[part], done)
            for part in range(3)
        )
        return new, State(counts, slots)

    def _memory(self) -> int:
        """Return how many arrays are remembered for each parameter."""
        raise NotImplementedError

    def _change(self, w, g, slots, rate, count) -> tuple:
        """Return what is subtracted from a parameter, and what is remembered."""
        raise NotImplementedError

    def _decay(self, w, g, multiplier):
        """Return a parameter and its gradient, shrunk or with what shrinks added."""
        if np.any(self.l2):
            g = g + 2 * self._of(w, "l2") * w
        if np.any(self.weight_decay):
            if self.decoupled:
                rate = (
                    self._of(w, "learning_rate")
                    if self.scale_decay
                    else w.dtype.type(1)
                )
                w = (
                    w
                    - rate
                    * w.dtype.type(multiplier)
                    * self._of(w, "weight_decay")
                    * w
                )
            else:
                g = g + self._of(w, "weight_decay") * w
        return w, g

    def _of(self, w, name, function=lambda value: value):
        """Return a function of a hyperparameter, shaped to broadcast against ``w`` replica by replica.

        The function is computed in float64 and rounded once: 1 - 0.999 in float32 would be 0.1% off.
        """
        return replica_shape(
            name,
            function(np.asarray(getattr(self, name))),
            "each parameter",
            w,
        )

    def _decayed(self, params):
        """Return, for each parameter, whether ``l2`` and ``weight_decay`` act on it."""
        chosen = choose(params, self.decay_on)
        if isinstance(params, dict):
            return {name: name in chosen for name in params}
        return [True] * len(params)

    def _check(self):
        """Validate the hyperparameters that all optimizers have."""
        self._set("learning_rate", low=0)
        self._set("l2", low=0)
        self._set("weight_decay", low=0)
        for name in ("nesterov", "decoupled", "scale_decay"):
            boolean(name, getattr(self, name))
        self._store("decay_on", words("decay_on", self.decay_on))

    def _set(self, name, **limits):
        """Validate one hyperparameter and store it."""
        self._store(
            name, number(name, getattr(self, name), replicas=True, **limits)
        )


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
    decay_on : str or tuple of str
        Which parameters ``l2`` and ``weight_decay`` act on: roles, places or names; "all", biases included.

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
    decay_on: str | tuple = "all"

    def __post_init__(self):
        self._check()
        self._set("momentum", low=0, high=1, high_open=True)
        if self.nesterov and not np.all(np.asarray(self.momentum) > 0):
            raise ValueError(
                f"nesterov=True needs momentum above 0, got momentum={self.momentum!r}"
            )

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
    decay_on : str or tuple of str
        Which parameters ``l2`` and ``weight_decay`` act on: roles, places or names; "all", biases included.

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
    decay_on: str | tuple = "all"

    def __post_init__(self):
        self._check()
        for name in ("beta1", "beta2"):
            self._set(name, low=0, high=1, high_open=True)
        self._set("epsilon", low=0, low_open=True)
        one_of("epsilon_at", self.epsilon_at, ("corrected", "raw"))

    def _memory(self):
        return 2

    def _change(self, w, g, slots, rate, count):
        beta1, beta2, epsilon = (
            self._of(w, name) for name in ("beta1", "beta2", "epsilon")
        )
        m = beta1 * slots[0] + self._of(w, "beta1", lambda beta: 1 - beta) * g
        v = (
            beta2 * slots[1]
            + self._of(w, "beta2", lambda beta: 1 - beta) * g**2
        )
        first, second = (
            self._of(w, name, lambda beta: 1 - beta**count)
            for name in ("beta1", "beta2")
        )
        if not np.all(epsilon > 0):
            raise ValueError(
                f"epsilon must stay above 0 in the parameters' dtype, "
                f"{w.dtype}; got {self.epsilon!r}"
            )
        if self.epsilon_at == "corrected":
            return rate * (m / first) / (np.sqrt(v / second) + epsilon), (m, v)
        change = rate * np.sqrt(second) / first * m / (np.sqrt(v) + epsilon)
        return change, (m, v)


@dataclass(frozen=True, eq=False)
class AdamW(Adam):
    """Adam with decoupled weight decay: ``w <- w - learning_rate * weight_decay * w`` before Adam's step.

    Loshchilov and Hutter (2019), Algorithm 2, where the decay is multiplied by the schedule's multiplier alone;
    PyTorch and Keras also multiply it by the learning rate. ``scale_decay`` chooses. The paper's lambda is
    the frameworks' ``learning_rate * weight_decay``.

    Parameters
    ----------
    learning_rate, beta1, beta2, epsilon, l2, epsilon_at, decay_on :
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
    """Return float arrays by name or in a list, or say what is wrong with which."""
    if isinstance(arrays, dict):
        return {
            key: float_array(key, array, finite=False)
            for key, array in arrays.items()
        }
    if not isinstance(arrays, list | tuple):
        raise TypeError(
            f"{name} must be a dict or a list of arrays, got {type(arrays).__name__}"
        )
    return [
        float_array(f"{name}[{index}]", array, finite=False)
        for index, array in enumerate(arrays)
    ]


def _matching(params, grads):
    """Return the gradients if each is None or has the shape and dtype of its parameter."""
    if not isinstance(grads, dict | list | tuple):
        raise TypeError(
            f"grads must be a dict or a list of arrays, got {type(grads).__name__}"
        )
    named = isinstance(params, dict)
    if named != isinstance(grads, dict) or (
        list(params) != list(grads) if named else len(params) != len(grads)
    ):
        expected = (
            f"the names {', '.join(params)}"
            if named
            else f"{len(params)} arrays"
        )
        got = (
            ", ".join(map(str, grads))
            if isinstance(grads, dict)
            else f"{type(grads).__name__} of {len(grads)}"
        )
        raise ValueError(
            f"grads must have {expected}, as params has; got {got}"
        )
    found = {}
    for key, w in params.items() if named else enumerate(params):
        name = f"the gradient of {key}" if named else f"grads[{key}]"
        g = grads[key]
        if g is not None:
            g = float_array(name, g, finite=False)
            if g.shape != w.shape:
                raise ValueError(
                    f"{name} must have the parameter's shape, {w.shape}; got {g.shape}"
                )
            if g.dtype != w.dtype:
                raise TypeError(
                    f"{name} must have the parameter's dtype, {w.dtype}; got {g.dtype}"
                )
        found[key] = g
    return found if named else list(found.values())


def _shapes(state):
    """Return the shapes of what is remembered, parameter by parameter."""
    return each(
        lambda slots: tuple(memory.shape for memory in slots), state.slots
    )
