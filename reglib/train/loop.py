"""The training loop: mini-batches, S replicas in one pass, a penalty, learning curves, early stopping.

The loop knows nothing of the model. It takes a function that returns the loss
and the gradients, an optimizer of `reglib.train.optim` and a sequence of batches, and
returns new parameters; nothing is changed in place, and the same arguments give
the same numbers.
"""

from dataclasses import dataclass, field

import numpy as np

from reglib._validate import generator, integer, one_of
from reglib.train.optim import SGD


class DivergenceError(ArithmeticError):
    """The loss became infinite or NaN; the text names the step and the replicas."""


@dataclass(frozen=True)
class Minibatches:
    """Index arrays, one a step; made by `minibatches`, from ``rows``, ``batch_size``, ``epochs`` and ``drop_last``.

    Going through it a second time gives the same batches again, so that two arms
    of an experiment, or two frameworks, can be trained on the very same ones; each
    pass starts a new generator from ``seed``.
    """

    rows: np.ndarray = field(repr=False)
    batch_size: int
    epochs: int
    seed: int
    drop_last: bool = False

    @property
    def per_epoch(self):
        """Number of batches in one epoch."""
        n = self.rows.shape[-1]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __len__(self):
        return self.per_epoch * self.epochs

    def __iter__(self):
        rng = np.random.default_rng(self.seed)
        for _ in range(self.epochs):
            order = rng.permuted(self.rows, axis=-1)
            for i in range(self.per_epoch):
                yield order[..., i * self.batch_size : (i + 1) * self.batch_size]


def minibatches(rng, rows, batch_size, epochs=1, *, replicas=(), drop_last=False):
    """Return an iterable of index arrays that passes over the examples ``epochs`` times, in a new order each time.

    Parameters
    ----------
    rng : numpy.random.Generator
        Drawn from once, here.
    rows : int, or integer ndarray of shape (n,) or (..., n)
        The examples to go through: 0, ..., n - 1, or the ones listed. With leading
        axes each replica has its own, for instance its own training split.
    batch_size : int
        At most n. The last batch of an epoch is smaller when n is not a multiple.
    epochs : int
    replicas : tuple of int
        ``(S,)`` shuffles the same rows for each of S replicas independently; by
        default all replicas see the same batches.
    drop_last : bool
        Leave the smaller last batch out.

    Returns
    -------
    Minibatches
        With a length; yields arrays of shape (B,), or (..., B) with one row a replica.
    """
    generator("rng", rng)
    rows = np.arange(integer("rows", rows, low=1)) if np.ndim(rows) == 0 else np.asarray(rows)
    if rows.dtype.kind not in "iu" or not rows.size:
        raise TypeError(f"rows must be a count or a non-empty integer array, got {rows.dtype} of shape {rows.shape}")
    batch_size = integer("batch_size", batch_size, low=1)
    if batch_size > rows.shape[-1]:
        raise ValueError(f"batch_size must be at most the number of rows, {rows.shape[-1]}; got {batch_size}")
    replicas = tuple(integer("replicas", count, low=1) for count in replicas)
    if replicas and rows.ndim > 1:
        raise ValueError(f"replicas must be left out when rows has leading axes of its own; got shape {rows.shape}")
    rows = np.broadcast_to(rows, replicas + rows.shape)
    return Minibatches(rows, batch_size, integer("epochs", epochs, low=1), int(rng.integers(2**63)), bool(drop_last))


@dataclass(frozen=True)
class EarlyStopping:
    """Keep each replica's best parameters, and stop it after ``patience`` measurements without a better one.

    ``measure`` is a name in the ``measures`` of `train`, best taken on a validation
    split; ``better`` is "higher" or "lower". A replica that has stopped keeps its
    parameters whatever happens later in the others' training, so that it ends as
    it would have ended alone.
    """

    measure: str
    patience: int
    better: str = "higher"

    def __post_init__(self):
        integer("patience", self.patience, low=1)
        one_of("better", self.better, ("higher", "lower"))


@dataclass(frozen=True)
class Run:
    """What `train` returns; ``params, losses = run`` takes the two main parts.

    Attributes
    ----------
    params : list of ndarray
        After the last step; with early stopping, each replica's best.
    losses : ndarray, (T, ...)
        Data loss of each step's batch before the step, one a replica; without the penalty.
    steps : ndarray, (K,)
        Steps after which the measures were taken, the first 0 and the last T.
    curves : dict of ndarray, (K, ...)
        The measures, by name.
    best_step : ndarray of int, (...), or None
        With early stopping, the step that each replica's parameters come from.
    """

    params: list
    losses: np.ndarray
    steps: np.ndarray
    curves: dict
    best_step: np.ndarray | None = None

    def __iter__(self):
        return iter((self.params, self.losses))


def train(
    params,
    loss_and_grads,
    optimizer,
    batches,
    *,
    data=None,
    penalty=None,
    proximal=False,
    weights=None,
    measures=None,
    every=None,
    early_stopping=None,
    allow_divergence=False,
    progress=None,
):
    """Take one step of the optimizer for each batch.

    One step, with the batch's data loss L, penalty Omega and learning rate eta:

        gradient:  w <- optimizer(w, grad L(w) + grad Omega(w))
        proximal:  w <- prox(w - eta grad L(w)),   the prox of eta Omega

    The second reaches exact zeros where Omega has kinks. It asks for plain SGD:
    with momentum, or with the step sizes of Adam, the fixed point would be that
    of another penalty.

    Parameters
    ----------
    params : list of ndarray
        The start; with leading replica axes, S models are trained in one pass.
    loss_and_grads : callable
        Takes ``params`` and a batch, returns the loss (one number a replica) and
        the gradients, a list like ``params``; for instance `reglib.nets.mlp.loss_and_grads`.
    optimizer : an optimizer of `reglib.train.optim`
    batches : iterable
        For instance `minibatches`.
    data : tuple of ndarray, optional
        Each batch indexes every one of these arrays along its first axis, and
        ``loss_and_grads(params, *parts)`` is called. Without it, ``loss_and_grads(params, batch)``.
    penalty : a penalty of `reglib.weights.penalties`, optional
    proximal : bool
        Apply the penalty by its proximal step instead of its gradient.
    weights : sequence of int, optional
        Positions in ``params`` to penalize; by default 0, 2, 4, ..., the weights but not the biases.
    measures : dict of callable, optional
        Functions of ``params`` to record, one number a replica, before the first
        step, after every ``every`` steps, and at the end.
    every : int
        Needed with ``measures``.
    early_stopping : EarlyStopping, optional
    allow_divergence : bool
        When a loss becomes infinite or NaN, do not raise: that replica stops, its
        losses are NaN from there on, and its parameters those of its last finite loss.
    progress : callable, optional
        Wraps the batches, for instance ``tqdm.tqdm``.

    Returns
    -------
    Run

    Raises
    ------
    DivergenceError
        When a loss becomes infinite or NaN.
    """
    params = list(params)
    apply = _penalized(penalty, proximal, _positions(weights, params), optimizer)
    watch = _Watch(params, measures, every, early_stopping)
    state = optimizer.init(params)
    losses, alive, before = [], np.array(True), params
    with np.errstate(**dict.fromkeys(("over", "invalid"), "ignore" if allow_divergence else "warn")):
        for batch in batches if progress is None else progress(batches):
            parts = (batch,) if data is None else (array[batch] for array in data)
            loss, grads = loss_and_grads(params, *parts)
            alive = alive & np.isfinite(loss)
            if not alive.all():
                if not allow_divergence:
                    raise _diverged(alive, len(losses) + 1)
                loss = np.where(alive, loss, np.nan)
                params, grads = _keep(alive, params, before), _keep(alive, grads, [np.zeros_like(g) for g in grads])
            losses.append(loss)
            before = params
            params, state = apply(params, grads, state)
            params = params if alive.all() else _keep(alive, params, before)
            if watch.look(len(losses), params):
                break
    return watch.finish(params, losses)


def _positions(weights, params):
    """Return the positions of the penalized parameters."""
    if weights is None:
        return list(range(0, len(params), 2))
    positions = [integer("weights", position, low=0) for position in weights]
    if any(position >= len(params) for position in positions):
        raise ValueError(f"weights must be positions below {len(params)}, the length of params; got {positions}")
    return positions


def _penalized(penalty, proximal, positions, optimizer):
    """Return the function that takes one step of the objective: the loss, and the penalty on some parameters."""
    if penalty is None:
        if proximal:
            raise ValueError("proximal=True needs a penalty; got penalty=None")
        return optimizer.step
    if proximal and not (isinstance(optimizer, SGD) and np.all(np.equal(optimizer.momentum, 0))):
        raise ValueError(f"proximal=True needs SGD without momentum, got {optimizer!r}")

    def replace(arrays, new):
        arrays = list(arrays)
        for position, array in zip(positions, new, strict=True):
            arrays[position] = array
        return arrays

    def gradient_step(params, grads, state):
        slopes = penalty.gradient([params[i] for i in positions])
        total = [grads[i] + slope for i, slope in zip(positions, slopes, strict=True)]
        return optimizer.step(params, replace(grads, total), state)

    def proximal_step(params, grads, state):
        params, state = optimizer.step(params, grads, state)
        return replace(params, penalty.prox([params[i] for i in positions], optimizer.learning_rate)), state

    return proximal_step if proximal else gradient_step


def _diverged(alive, step):
    """Return the error that names the replicas whose loss is infinite or NaN."""
    who = f"of replicas {np.flatnonzero(~alive).tolist()} " if alive.ndim else ""
    return DivergenceError(
        f"the loss {who}is not finite at step {step}; a smaller learning rate usually helps, "
        "and allow_divergence=True goes on with the others"
    )


class _Watch:
    """Takes the measures, and keeps each replica's best parameters."""

    def __init__(self, params, measures, every, early_stopping):
        self.measures = dict(measures or {})
        if self.measures:
            every = integer("every", every, low=1)
        if early_stopping is not None:
            one_of("early_stopping.measure", early_stopping.measure, tuple(self.measures))
        self.every, self.rule = every, early_stopping
        self.steps, self.curves = [], {name: [] for name in self.measures}
        if self.measures:
            self._measure(0, params)
        if self.rule is not None:
            self.best = self._current()
            self.best_params = params
            self.best_step = np.zeros(self.best.shape, int)
            self.active = np.ones(self.best.shape, bool)

    def look(self, step, params):
        """Measure if it is time; return whether every replica has stopped."""
        if not self.measures or step % self.every:
            return False
        self._measure(step, params)
        return self._stop_early(step, params)

    def finish(self, params, losses):
        """Return the run, measured at its end."""
        if self.measures and self.steps[-1] != len(losses):
            self._measure(len(losses), params)
            self._stop_early(len(losses), params)
        curves = {name: np.array(values) for name, values in self.curves.items()}
        if self.rule is None:
            return Run(params, np.array(losses), np.array(self.steps, int), curves)
        return Run(self.best_params, np.array(losses), np.array(self.steps, int), curves, self.best_step)

    def _measure(self, step, params):
        self.steps.append(step)
        for name, measure in self.measures.items():
            self.curves[name].append(measure(params))

    def _current(self):
        """Return the newest measurement that early stopping goes by, as larger is better."""
        value = np.asarray(self.curves[self.rule.measure][-1], float)
        return np.where(np.isnan(value), -np.inf, value if self.rule.better == "higher" else -value)

    def _stop_early(self, step, params):
        """Update the best parameters of the replicas still active; return whether none is."""
        if self.rule is None:
            return False
        value = self._current()
        improved = self.active & (value > self.best)
        self.best = np.where(improved, value, self.best)
        self.best_step = np.where(improved, step, self.best_step)
        self.best_params = _keep(improved, params, self.best_params)
        self.active = self.active & (step - self.best_step < self.rule.patience * self.every)
        return not self.active.any()


def _keep(mask, new, old):
    """Return the arrays ``new`` for the replicas in the mask and ``old`` for the others."""
    return [
        np.where(mask.reshape(mask.shape + (1,) * (after.ndim - mask.ndim)), after, before)
        for after, before in zip(new, old, strict=True)
    ]
