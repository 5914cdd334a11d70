"""Penalties on weights: L1, L2, elastic net and group lasso; value, gradient, proximal step.

A penalty Omega(w) is added to the data loss L(w). Each class answers three
questions about it. What does it cost (``value``)? Which way does it push
(``gradient``)? Where does one exact step bring a point (``prox``)?

Each acts on an array, on every array of a list, or on the parameters of a network,
a dict by name. Of a network it penalizes what ``on`` chooses, by default the weights,
recurrent ones included, and no bias, gain or shift (`reglib.weights.parameters`).

Strengths are plain numbers, or arrays of shape (S,). With an array, every
parameter has shape (S, ...) and replica s is penalized with its own strength.

Sources
-------
R. Tibshirani, Regression shrinkage and selection via the lasso, JRSS B 58 (1996).
A. E. Hoerl and R. W. Kennard, Ridge regression, Technometrics 12 (1970).
H. Zou and T. Hastie, Regularization and variable selection via the elastic net, JRSS B 67 (2005).
M. Yuan and Y. Lin, Model selection and estimation in regression with grouped variables, JRSS B 68 (2006).
N. Parikh and S. Boyd, Proximal algorithms, Foundations and Trends in Optimization 1 (2014).
"""

from dataclasses import KW_ONLY, dataclass, fields, replace

import numpy as np

from reglib._validate import (
    as_array,
    float_array,
    integers,
    number,
    one_of,
    replica_shape,
)
from reglib._values import Value
from reglib.weights.parameters import choose, words


def soft_threshold(w, threshold):
    """Move every entry towards zero by ``threshold``, and stop at zero.

    ``sign(w) * max(|w| - threshold, 0)``, computed as w minus its projection on
    the interval [-threshold, threshold], so that small entries become exactly 0.

    Parameters
    ----------
    w : array of floats, any shape
    threshold : number or array that broadcasts to the shape of ``w``, >= 0

    Returns
    -------
    array of the shape and dtype of ``w``

    Raises
    ------
    TypeError, ValueError
        If ``w`` does not hold floats; if ``threshold`` is negative or not finite, or does not broadcast to ``w``.

    Notes
    -----
    The proximal operator of ``threshold * sum(|w|)``: Parikh and Boyd, section 6.5.2.
    """
    w = float_array("w", w)
    return _soft(w, _thresholds(threshold, w.shape, w.dtype))


def group_soft_threshold(w, threshold, groups):
    """Shorten the vector of each group by its ``threshold``, and stop at zero.

    ``w_g * max(1 - threshold_g / ||w_g||_2, 0)``: a group that is no longer than
    its threshold becomes exactly 0 as a whole.

    Parameters
    ----------
    w : array of floats, shape (..., P)
        The last axis is divided into groups.
    threshold : number or array that broadcasts to shape (..., G), >= 0
        One threshold a group.
    groups : array of integers, shape (P,)
        The group of each entry: 0, 1, ..., G-1, in any order, none left out.

    Returns
    -------
    array of the shape and dtype of ``w``

    Notes
    -----
    The proximal operator of ``sum_g threshold_g * ||w_g||_2``, known as block
    soft thresholding: Parikh and Boyd, sections 6.5.1 and 6.5.4.
    """
    w, groups = float_array("w", w), _labels(groups)
    if groups.ndim != 1 or w.shape[-1:] != groups.shape:
        raise ValueError(
            f"groups must have shape {w.shape[-1:]}, the last axis of w; got {groups.shape}"
        )
    thresholds = _thresholds(
        threshold, (*w.shape[:-1], int(groups.max()) + 1), w.dtype
    )
    return _group_soft(w[..., None], thresholds, groups)[..., 0]


@dataclass(frozen=True, eq=False)
class Penalty(Value):
    """What all penalties share: arrays of any shape, lists and dicts of parameters, replicas."""

    on = "weight"

    def __post_init__(self):
        """Check the strengths; a plain number beside an array stands for every replica."""
        values = {
            name: number(name, value, low=0, replicas=True)
            for name, value in self.strengths.items()
        }
        shapes = {np.shape(value) for value in values.values()} - {()}
        if len(shapes) > 1:
            raise ValueError(
                f"{' and '.join(values)} must be plain numbers or arrays of one shape, one number a replica; "
                f"got shapes {' and '.join(str(np.shape(value)) for value in values.values())}"
            )
        for name, value in values.items():
            self._store(
                name,
                np.broadcast_to(value, next(iter(shapes)))
                if shapes
                else value,
            )
        self._store("on", words("on", self.on))

    def value(self, w):
        """Return the number Omega(w).

        Parameters
        ----------
        w : array of floats of any shape, or a list or tuple of such arrays, or a dict of them by name
            With strengths of shape (S,), each array has shape (S, ...). Of a dict, what ``on`` chooses is penalized.

        Returns
        -------
        number, or array of shape (S,); for several arrays, the sum over them
        """
        if isinstance(w, dict):
            w = [w[name] for name in choose(w, self.on)]
        if isinstance(w, list | tuple):
            return sum((self.value(part) for part in w), start=0.0)
        w = float_array("w", w)
        return self._total(self._cost(w, **self.broadcast(w)))

    def gradient(self, w):
        """Return the gradient of Omega at w; where Omega has a kink, the subgradient that is 0 there.

        ``w`` is an array, or a list or dict of arrays, as for ``value``; the result is shaped like it.
        """
        if isinstance(w, dict):
            chosen = choose(w, self.on)
            return {
                name: self.gradient(part)
                if name in chosen
                else np.zeros_like(part)
                for name, part in w.items()
            }
        if isinstance(w, list | tuple):
            return [self.gradient(part) for part in w]
        w = float_array("w", w)
        return self._slope(w, **self.broadcast(w))

    def prox(self, w, step):
        """Return the proximal step from w: the u that minimizes ``Omega(u) + ||u - w||^2 / (2*step)``.

        Parameters
        ----------
        w : array of floats of any shape, or a list or tuple of such arrays, or a dict of them by name
        step : number > 0, or array of shape (S,) for arrays of shape (S, ...)

        Returns
        -------
        array shaped like ``w``, or a list or dict of them

        Raises
        ------
        TypeError, ValueError
            ``w`` does not hold finite floats, ``step`` is not above 0, or shapes do not fit.
        """
        if isinstance(w, dict):
            chosen = choose(w, self.on)
            return {
                name: self.prox(part, step) if name in chosen else part
                for name, part in w.items()
            }
        if isinstance(w, list | tuple):
            return [self.prox(part, step) for part in w]
        step = number("step", step, low=0, low_open=True, replicas=True)
        if np.ndim(step) and not self.replicas:
            return self.for_replicas(np.shape(step)).prox(w, step)
        w = float_array("w", w)
        return self._nearest(
            w, replica_shape("step", step, "w", w), **self.broadcast(w)
        )

    def for_replicas(self, shape):
        """Return the same penalty with its strengths repeated to ``shape``, one for each replica."""
        shape = integers("shape", shape, low=0)
        if self.replicas not in ((), shape):
            raise ValueError(
                f"shape must be that of the strengths, {self.replicas}; got {shape}"
            )
        return replace(
            self,
            **{
                name: np.broadcast_to(value, shape)
                for name, value in self.strengths.items()
            },
        )

    def take(self, index):
        """Return the same penalty for the chosen replicas only."""
        if isinstance(index, slice):
            index = np.arange(len(np.empty(self.replicas)))[index]
        index = as_array("index", index)
        if index.dtype.kind not in "iu" and (
            index.dtype != bool or index.shape != self.replicas
        ):
            raise TypeError(
                f"index must hold integers, or one bool a replica; got {index.dtype} of shape {index.shape}"
            )
        if index.dtype != bool and (
            not self.replicas
            or not np.all((index >= 0) & (index < self.replicas[0]))
        ):
            raise ValueError(
                f"index must choose among the replicas {self.replicas}, got {index.tolist()}"
            )
        return replace(
            self,
            **{name: value[index] for name, value in self.strengths.items()},
        )

    @property
    def strengths(self):
        """The strengths by name, a dict such as ``{"l1": 0.1}``."""
        return {
            name: getattr(self, name)
            for name in ("l1", "l2")
            if hasattr(self, name)
        }

    @property
    def replicas(self):
        """The shape of the strengths: () for plain numbers, (S,) with one number a replica."""
        return np.broadcast_shapes(*map(np.shape, self.strengths.values()))

    def broadcast(self, w):
        """The strengths by name, shaped so that they broadcast against the array ``w``."""
        w = float_array("w", w, finite=False)
        return {
            name: replica_shape(name, value, "w", w)
            for name, value in self.strengths.items()
        }

    def _cost(self, w, **strengths):
        """Return what each entry costs, or each group."""
        raise NotImplementedError

    def _slope(self, w, **strengths):
        """Return the gradient."""
        raise NotImplementedError

    def _nearest(self, w, step, **strengths):
        """Return the proximal step."""
        raise NotImplementedError

    def _total(self, array):
        return array.sum(axis=tuple(range(len(self.replicas), array.ndim)))


@dataclass(frozen=True, eq=False)
class L1(Penalty):
    """``Omega(w) = l1 * sum(|w|)``: the lasso penalty, which sets weights to exactly zero.

    - gradient: ``l1 * sign(w)``; at 0 any number in [-l1, l1] is a subgradient, and 0 is returned;
    - proximal step: ``soft_threshold(w, step * l1)``.

    Parameters
    ----------
    l1 : number or array of shape (S,), finite and >= 0
    on : str or tuple of str
        Which parameters of a network: roles, places or names.

    Notes
    -----
    Tibshirani 1996; the proximal step in Parikh and Boyd, section 6.5.2.
    """

    l1: float
    _: KW_ONLY
    on: str | tuple = "weight"

    def _cost(self, w, l1):
        return l1 * np.abs(w)

    def _slope(self, w, l1):
        return l1 * np.sign(w)

    def _nearest(self, w, step, l1):
        return _soft(w, step * l1)


@dataclass(frozen=True, eq=False)
class L2(Penalty):
    """``Omega(w) = l2 * sum(w**2)``: the ridge penalty, which shrinks all weights in proportion.

    - gradient: ``2 * l2 * w``; mind the 2;
    - proximal step: ``w / (1 + 2*step*l2)``.

    Parameters
    ----------
    l2 : number or array of shape (S,), finite and >= 0
    on : str or tuple of str
        Which parameters of a network: roles, places or names.

    Notes
    -----
    Hoerl and Kennard 1970. The proximal step follows from setting ``2*l2*u + (u - w)/step`` to 0.
    """

    l2: float
    _: KW_ONLY
    on: str | tuple = "weight"

    def _cost(self, w, l2):
        return l2 * w**2

    def _slope(self, w, l2):
        return 2 * l2 * w

    def _nearest(self, w, step, l2):
        return w / (1 + 2 * step * l2)


@dataclass(frozen=True, eq=False)
class ElasticNet(Penalty):
    """``Omega(w) = l1 * sum(|w|) + l2 * sum(w**2)``: exact zeros, and shared weight among correlated inputs.

    - gradient: ``l1 * sign(w) + 2 * l2 * w``, with 0 at 0;
    - proximal step: threshold, then shrink: ``soft_threshold(w, step*l1) / (1 + 2*step*l2)``.

    Parameters
    ----------
    l1, l2 : numbers or arrays of one shape (S,), finite and >= 0
    on : str or tuple of str
        Which parameters of a network: roles, places or names.

    Notes
    -----
    Zou and Hastie 2005, who call this the naive elastic net; Parikh and Boyd, section 6.5.
    """

    l1: float
    l2: float
    _: KW_ONLY
    on: str | tuple = "weight"

    @classmethod
    def from_ratio(cls, strength, l1_ratio, *, on="weight"):
        """Divide one strength between the parts: ``l1 = strength*l1_ratio``, ``l2 = strength*(1 - l1_ratio)``.

        Numbers or arrays of shape (S,): ``strength`` finite and >= 0, ``l1_ratio`` in [0, 1]. ``on`` as for the class.
        """
        strength = number("strength", strength, low=0, replicas=True)
        l1_ratio = number("l1_ratio", l1_ratio, low=0, high=1, replicas=True)
        return cls(strength * l1_ratio, strength * (1 - l1_ratio), on=on)

    def _cost(self, w, l1, l2):
        return l1 * np.abs(w) + l2 * w**2

    def _slope(self, w, l1, l2):
        return l1 * np.sign(w) + 2 * l2 * w

    def _nearest(self, w, step, l1, l2):
        return _soft(w, step * l1) / (1 + 2 * step * l2)


@dataclass(frozen=True, eq=False)
class GroupLasso(Penalty):
    """``Omega(w) = l1 * sum_g sqrt(n_g) * ||w_g||_2``: weights enter and leave the model a group at a time.

    n_g is the number of weights in group g.

    - gradient: ``l1 * sqrt(n_g) * w_g / ||w_g||_2``, with 0 for a group at 0;
    - proximal step: ``group_soft_threshold`` with threshold ``step * l1 * sqrt(n_g)`` for group g.

    Parameters
    ----------
    l1 : number or array of shape (S,), finite and >= 0
    groups : array of integers
        Labels 0, 1, ..., G-1 along the first axes of the parameter (behind the
        replica axis, if there is one), in any order, none left out. For a
        matrix W (D, H), ``groups = np.arange(D)`` makes each row a group.
    on : str or tuple of str
        Which parameters of a network; each must have the axes of ``groups``.

    Notes
    -----
    Yuan and Lin 2006; the proximal step in Parikh and Boyd, section 6.5.4.
    """

    l1: float
    groups: np.ndarray
    _: KW_ONLY
    on: str | tuple = "weight"

    def __post_init__(self):
        super().__post_init__()
        self._store("groups", _labels(self.groups))

    def _cost(self, w, l1):
        rows, roots = self._rows(w)
        return self._per_group(l1) * roots * _norms(rows, self.groups)

    def _slope(self, w, l1):
        rows, roots = self._rows(w)
        norms = _norms(rows, self.groups)
        factors = np.divide(
            self._per_group(l1) * roots,
            norms,
            out=np.zeros_like(norms),
            where=norms > 0,
        )
        return (rows * _spread(factors, self.groups)).reshape(w.shape)

    def _nearest(self, w, step, l1):
        rows, roots = self._rows(w)
        return _group_soft(
            rows, self._per_group(step * l1) * roots, self.groups
        ).reshape(w.shape)

    def scaled_norms(self, w):
        """Return ``||w_g||_2 / sqrt(n_g)`` for each group, shape (G,) or (S, G)."""
        rows, roots = self._rows(float_array("w", w))
        return _norms(rows, self.groups) / roots

    def _per_group(self, strength):
        return strength.reshape(*self.replicas, 1)

    def _rows(self, w):
        """``w`` as rows (..., P, n), one for each label; and sqrt(n_g), shape (G,)."""
        lead, axes = self.replicas, self.groups.shape
        if w.shape[len(lead) : len(lead) + len(axes)] != axes:
            expected = ", ".join(map(str, lead + axes))
            raise ValueError(
                f"groups has shape {axes}, so w must have shape ({expected}, ...); got {w.shape}"
            )
        rows = w.reshape(*lead, self.groups.size, -1)
        return rows, np.sqrt(
            np.bincount(self.groups.ravel()) * rows.shape[-1]
        ).astype(w.dtype)


PENALTIES = {
    "l1": L1,
    "l2": L2,
    "elastic_net": ElasticNet,
    "group_lasso": GroupLasso,
}


def make(name, **strengths):
    """Return the penalty called ``name`` with its ``strengths``.

    ``make("l1", l1=0.1)``, ``make("l2", l2=0.1)``, ``make("elastic_net", l1=0.1, l2=0.1)``,
    ``make("group_lasso", l1=0.1, groups=[0, 0, 1])``; each also takes ``on``.

    Raises
    ------
    ValueError, TypeError
        If there is no penalty of that name; if a strength is missing, or is none of its own.
    """
    penalty = PENALTIES[one_of("name", name, tuple(PENALTIES))]
    expected = [field.name for field in fields(penalty) if field.name != "on"]
    missing = [key for key in expected if key not in strengths]
    unknown = [key for key in strengths if key not in (*expected, "on")]
    if missing or unknown:
        raise TypeError(
            f"the penalty {name!r} takes {', '.join(expected)}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    return penalty(**strengths)


def _soft(w, threshold):
    return w - np.clip(w, -threshold, threshold)


def _group_soft(rows, thresholds, groups):
    norms = _norms(rows, groups)
    kept = 1 - np.divide(
        thresholds, norms, out=np.ones_like(norms), where=norms > thresholds
    )
    return np.where(_spread(kept, groups) > 0, rows * _spread(kept, groups), 0)


def _norms(rows, groups):
    """``||w_g||_2`` for each group: (..., P, n) to (..., G)."""
    belongs = groups.ravel()[:, None] == np.arange(groups.max() + 1)
    return np.sqrt((rows**2).sum(axis=-1) @ belongs.astype(rows.dtype))


def _spread(per_group, groups):
    """One number a group, (..., G), to one number a row, (..., P, 1)."""
    return per_group[..., groups.ravel(), None]


def _labels(groups):
    groups = as_array("groups", groups)
    if groups.dtype.kind not in "iu":
        raise TypeError(
            f"groups must hold integers, the group number of each entry; got dtype {groups.dtype}"
        )
    if groups.ndim == 0 or groups.size == 0:
        raise ValueError(
            f"groups must hold one group number for each entry; got shape {groups.shape}"
        )
    used = np.unique(groups)
    if not np.array_equal(used, np.arange(used.size)):
        raise ValueError(
            f"groups must number the groups 0, 1, ..., G-1 and leave none out; got {used.tolist()}"
        )
    return groups.astype(int)


def _thresholds(threshold, shape, dtype):
    threshold = np.asarray(
        number("threshold", threshold, low=0, replicas=True)
    )
    try:
        return np.broadcast_to(threshold, shape).astype(dtype)
    except ValueError:
        raise ValueError(
            f"threshold must broadcast to shape {shape}; got shape {threshold.shape}"
        ) from None
