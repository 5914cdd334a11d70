"""A regularization technique is a value that says what it does at each place of one training step.

    1  data        what happens to the batch           mixup, label smoothing, noise on the labels
    2  noise       ... to activations                  dropout and its family, zoneout, Gaussian noise
    3  weights     ... to the weights that are used    DropConnect, weight drop, spectral normalization
    4  loss        ... to the loss                     confidence penalty
    5  slope       ... to the gradient                 SAM, penalties on gradients
    6  penalty     what is added to the objective      L1, L2, elastic net, group lasso
    7  (optimizer: weight decay is a matter of reglib.train.optim)
    8  between     what happens between two steps      max-norm, averages of the weights
    9  predict     ... and at prediction               averaged weights, Monte Carlo dropout, zoneout's mean

`step` takes them in this order. Everything random is drawn once a step, before the slope, so that a second pass (SAM)
sees the same draw. The penalty's gradient is added *after* the slope: SAM climbs on the data loss alone, as in Foret et
al. (2021), Eq. 2, where the L2 term stands outside of the maximum. Nothing is kept in a technique: what it wants to
remember between steps (averages, say) it puts into ``memory``, a dict. That is empty before the first step, unless the
technique's ``memory`` says what it holds: the first weights as the first average, random vectors to begin a power
iteration with.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from reglib._validate import boolean, function, generators, instance
from reglib._values import Value
from reglib.noise import places
from reglib.train.losses import softmax_cross_entropy
from reglib.train.optim import SGD, Optimizer
from reglib.weights.parameters import each
from reglib.weights.penalties import Penalty


@dataclass(frozen=True, eq=False)
class Technique(Value):
    """What a technique does in a training step; the defaults do nothing. See the head of this module.

    Every function takes and returns new values and changes none. ``rng`` is what `step` is given: a generator, or a
    list of them, one a replica.

    Parameters
    ----------
    data : callable or tuple of them, optional
        ``(rng, x, y) -> x, y``.
    noise : dict
        A kind of `reglib.noise.kinds` by place of the network.
    weights : callable, optional
        ``(rng, params, memory) -> use``, which draws once a step, and may write to ``memory``. ``use(params) -> used,
        pullback`` gives the parameters that the network uses, and a function that takes their gradients back to those
        of ``params``; the slope may call it more than once.
    loss : callable, optional
        ``(logits, targets) -> loss, gradient``, as in `reglib.train.losses`; by default that of the task.
    slope : callable, optional
        ``(slope, params) -> loss, grads``, where ``slope(params)`` is the loss and its gradient on this step's batch,
        under this step's noise.
    penalty : a penalty of `reglib.weights.penalties`, or tuple of them, optional
        Each acts on what its ``on`` chooses.
    proximal : bool
        Apply the penalty by its proximal step instead of its gradient, several of them in the order given; asks for
        plain SGD.
    between : callable or tuple of them, optional
        ``(params, memory) -> params, memory``, in the order given.
    predict : callable, optional
        ``(rng, forward, x, params, memory) -> output``. ``forward(params, x)`` returns logits under the expected
        noise, ``forward(params, x, rng)`` under a draw of this technique's noise; by default the first.
    memory : callable, optional
        ``(rng, params) -> memory``, a dict: what is remembered before the first step. Its arrays have the replicas'
        axes in front, so that early stopping can keep each replica's own. By default nothing.
    """

    data: Callable | tuple = ()
    noise: Mapping = field(default_factory=dict)
    weights: Callable | None = None
    loss: Callable | None = None
    slope: Callable | None = None
    penalty: Penalty | tuple = ()
    proximal: bool = False
    between: Callable | tuple = ()
    predict: Callable | None = None
    memory: Callable | None = None

    def __post_init__(self):
        for name in ("data", "between"):
            functions = _several(getattr(self, name))
            for one in functions:
                function(name, one)
            self._store(name, functions)
        penalties = _several(self.penalty)
        for penalty in penalties:
            if not isinstance(penalty, Penalty):
                raise TypeError(
                    f"penalty must be a penalty of reglib.weights.penalties, got {penalty!r}"
                )
        self._store("penalty", penalties)
        for name in ("weights", "loss", "slope", "predict", "memory"):
            function(name, getattr(self, name), optional=True)
        if not isinstance(self.noise, Mapping):
            raise TypeError(
                f"noise must be a dict of kinds by place, got {self.noise!r}"
            )
        self._store("noise", dict(places.checked(self.noise, self.noise)))
        boolean("proximal", self.proximal)
        if self.proximal and not penalties:
            raise ValueError("proximal=True needs a penalty, got none")

    def _content(self):
        return tuple(
            frozenset(part.items()) if isinstance(part, dict) else part
            for part in super()._content()
        )

    def output(self, net, params, x, memory=None, *, rng=None, **options):
        """Return the network's output at prediction, which is what ``predict`` says.

        ``net``, ``params``, ``x``, ``memory`` and ``rng`` are those of `step`; ``options`` those of the network's
        ``forward``, such as the ``steps`` of a sequence.
        """
        _network(net)
        if rng is not None:
            generators("rng", rng)
        if memory is not None:
            instance("memory", memory, Mapping, "a dict")

        def forward(params, x, rng=None):
            shapes = net.places(params, x)
            noise = places.expected(self.noise, shapes)
            if rng is not None:
                noise = places.draw(rng, self.noise, shapes, _dtype(params))
            return net.logits(params, x, noise=noise, **options)

        if self.predict is None:
            return forward(params, x)
        return self.predict(
            rng, forward, x, params, {} if memory is None else memory
        )


class State(NamedTuple):
    """What a training step hands to the next: ``params``, the optimizer's ``slots``, the technique's ``memory``."""

    params: dict | list
    slots: object
    memory: dict


def value_and_grads(
    net, params, x, y, *, noise=None, loss=softmax_cross_entropy, steps=None
):
    """Return the data loss of a batch, one number a replica, and the gradients of all parameters.

    Parameters
    ----------
    net : a network of `reglib.nets`
    params : dict of ndarray
    x, y : ndarray
        The batch, as the network's ``forward`` and the loss want it.
    noise : dict of Noise, optional
        By place, from `reglib.noise.places.draw`.
    loss : callable
        `reglib.train.losses.softmax_cross_entropy` or `reglib.train.losses.squared_error`.
    steps : ndarray of bool, optional
        For sequences of unequal length.

    Returns
    -------
    (loss, grads)
    """
    _network(net)
    options = {} if steps is None else {"steps": steps}
    logits, cache = net.forward(params, x, noise=noise, **options)
    value, grad = net.cost(loss, logits, y, **options)
    return value, net.backward(params, cache, grad)


def step(
    net,
    technique,
    optimizer,
    state,
    batch,
    rng=None,
    *,
    loss=softmax_cross_entropy,
    multiplier=1.0,
):
    """Take one training step; every technique acts at its place.

    Parameters
    ----------
    net : a network of `reglib.nets`
        Or a function ``(params, *batch) -> loss, grads`` for another model: a technique can then have no noise and no
        loss of its own.
    technique : Technique
    optimizer : an optimizer of `reglib.train.optim`
    state : State
        From `start`, or from the step before.
    batch : (x, y), or (x, y, steps) for sequences of unequal length
    rng : numpy.random.Generator, or list of them, one a replica
        For what is drawn: data, noise, weights.
    loss : callable
        The task's loss, where the technique has none.
    multiplier : number >= 0
        A schedule's factor on the learning rate at this step.

    Returns
    -------
    value : float or ndarray, (S,)
        The data loss of the batch before the step; without the penalty.
    state : State
    """
    _checked(net, technique, optimizer, loss)
    params, slots, memory = instance(
        "state", state, State, "a State, from start or from the step before"
    )
    if rng is not None:
        generators("rng", rng)
    instance("batch", batch, tuple | list, "a tuple (x, y) or (x, y, steps)")
    if hasattr(net, "places") and len(batch) not in (2, 3):
        raise ValueError(
            f"batch must be (x, y) or (x, y, steps), got {len(batch)} parts"
        )
    for change in technique.data:
        batch = (*change(rng, *batch[:2]), *batch[2:])
    noise, memory = _drawn(net, technique, params, batch, rng), dict(memory)
    use = (
        technique.weights(rng, params, memory)
        if technique.weights
        else _as_they_are
    )

    def slope(params):
        used, pullback = use(params)
        value, grads = _gradient(
            net, used, batch, noise, technique.loss or loss
        )
        return value, pullback(grads)

    value, grads = (
        technique.slope(slope, params) if technique.slope else slope(params)
    )
    for penalty in () if technique.proximal else technique.penalty:
        grads = each(_sum, grads, penalty.gradient(params))
    params, slots = optimizer.step(params, grads, slots, multiplier=multiplier)
    for penalty in technique.penalty if technique.proximal else ():
        params = each(
            _trained,
            params,
            _near(penalty, params, optimizer.learning_rate * multiplier),
            grads,
        )
    for change in technique.between:
        params, memory = change(params, memory)
    return value, State(params, slots, memory)


def start(technique, optimizer, params, rng=None):
    """Return the `State` before the first step; check that ``technique`` and ``optimizer`` fit together.

    Parameters
    ----------
    technique : Technique
    optimizer : an optimizer of `reglib.train.optim`
    params : dict of ndarray
        To begin with; for a function also a list.
    rng : numpy.random.Generator, or list of them, one a replica
        For what the technique's ``memory`` draws; then that of the steps, which draw on.

    Returns
    -------
    State
    """
    instance("technique", technique, Technique, "a Technique")
    instance(
        "optimizer", optimizer, Optimizer, "an optimizer of reglib.train.optim"
    )
    if rng is not None:
        generators("rng", rng)
    plain = (
        isinstance(optimizer, SGD)
        and not getattr(
            optimizer.momentum, "any", lambda: optimizer.momentum
        )()
    )
    if technique.proximal and not plain:
        raise ValueError(
            f"proximal=True needs SGD without momentum, got {optimizer!r}"
        )
    memory = technique.memory(rng, params) if technique.memory else {}
    instance("what memory returns", memory, dict, "a dict")
    return State(params, optimizer.init(params), memory)


def _network(net):
    """Complain about what is no network."""
    if isinstance(net, type) or not hasattr(net, "places"):
        raise TypeError(f"net must be a network of reglib.nets, got {net!r}")


def _checked(net, technique, optimizer, loss):
    """Complain about the parts of a step that are none; their numbers were checked when they were made."""
    if isinstance(net, type) or not (hasattr(net, "places") or callable(net)):
        raise TypeError(
            f"net must be a network of reglib.nets or a function, got {net!r}"
        )
    instance("technique", technique, Technique, "a Technique")
    instance(
        "optimizer", optimizer, Optimizer, "an optimizer of reglib.train.optim"
    )
    function("loss", loss)


def _drawn(net, technique, params, batch, rng):
    """Return the noise of this step; None for a model that is a function."""
    if hasattr(net, "places"):
        return places.draw(
            rng, technique.noise, net.places(params, batch[0]), _dtype(params)
        )
    if technique.noise or technique.loss:
        raise ValueError(
            "noise and loss of a technique need a network of reglib.nets, got a function"
        )
    return None


def _as_they_are(params):
    """Return the parameters, and the way back of their gradients: nothing is changed."""
    return params, lambda grads: grads


def _gradient(net, params, batch, noise, loss):
    """Return the loss of a batch and its gradient, of a network or of a function."""
    if hasattr(net, "places"):
        x, y, *steps = batch
        return value_and_grads(
            net,
            params,
            x,
            y,
            noise=noise,
            loss=loss,
            steps=steps[0] if steps else None,
        )
    return net(params, *batch)


def _sum(gradient, slope):
    """Return the gradient with a penalty's added; None stays None: what is not trained is not penalized."""
    return None if gradient is None else gradient + slope


def _near(penalty, params, rate):
    """Return the proximal step; what is infinite or NaN stays, for `reglib.train.loop.train` to see."""
    finite = each(
        lambda w: np.where(np.isfinite(w), w, w.dtype.type(0)), params
    )
    return each(
        lambda w, near: np.where(np.isfinite(w), near, w),
        params,
        penalty.prox(finite, rate),
    )


def _trained(old, new, gradient):
    """Return the new parameter, or the old one where there is no gradient: it is not trained."""
    return old if gradient is None else new


def _dtype(params):
    """Return the dtype of the parameters."""
    return next(iter(params.values())).dtype


def _several(given):
    """Return a tuple of what is one or several; None is none."""
    return (
        tuple(given)
        if isinstance(given, list | tuple)
        else ()
        if given is None
        else (given,)
    )
