r"""Gaussian dropout whose strength is learned: variational dropout (Kingma, Salimans and Welling 2015).

The noise of a unit is g = 1 + sqrt(alpha) epsilon, epsilon ~ N(0, 1): a smooth
function of log alpha, so the loss has a gradient with respect to it. The loss alone
would drive alpha to 0. What holds it up is the divergence of q(w) = N(theta,
alpha theta^2) from a prior that is uniform in log|w|; it depends on alpha alone and
falls as alpha grows (Kingma et al. 2015, Section 3.3):

    KL(alpha) = E log|1 + sqrt(alpha) epsilon| - log(alpha) / 2 + constant.

The prior is improper, so the constant is ours to choose; here KL -> 0 for
alpha -> infinity, that is constant = (gamma + log 2) / 2 = 0.6352, gamma Euler's
number 0.5772. The expectation has a closed form, which this module integrates
numerically (with x = 1 / sqrt(2 alpha) and Dawson's function D(x) = exp(-x^2)
times the integral of exp(s^2) from 0 to x; Hron et al. 2017 give an exact form, too):

    KL = integral over t > 0 of 1 - exp(-1 / (2 alpha cosh^2 t)),
    d KL / d log alpha = -x D(x).

Beside it stand the two approximations that are in use; see `kl`.

Shapes. ``log_alpha`` is (..., 1), one number for all units of a layer, or (..., H),
one a unit; the leading axes are replicas. ``epsilon`` is (..., B, H). The drop rate
with the same variance of the noise is alpha / (1 + alpha).
"""

import numpy as np

from reglib._validate import (
    by_name,
    float_array,
    instance,
    integer,
    number,
    one_of,
)
from reglib.layers.activations import sigmoid
from reglib.nets.mlp import MLP, hidden
from reglib.noise.affine import Noise
from reglib.train.losses import softmax_cross_entropy

FORMS = ("exact", "kingma", "molchanov")
# Where KL + log(alpha) / 2 tends to for alpha -> 0, when KL tends to 0 for alpha -> infinity.
CONSTANT = float(np.euler_gamma + np.log(2)) / 2
# Kingma et al. (2015), Section 3.3: -KL = constant + log(alpha) / 2 + c1 alpha + c2 alpha^2 + c3 alpha^3.
C1, C2, C3 = 1.16145124, -1.50204118, 0.58629921
# Molchanov et al. (2017), Eq. 14: -KL = k1 sigmoid(k2 + k3 log alpha) - log(1 + 1 / alpha) / 2 - k1.
K1, K2, K3 = 0.63576, 1.87320, 1.48695
# The trapezoidal rule of `kl`: steps in t. Below LOWEST the divergence is a straight line in log alpha.
LOWEST = -36.0
STEP = 1 / 16
GRID = np.arange(0, 38, STEP)


def noise(log_alpha, epsilon):
    """Return the multiplicative noise 1 + sqrt(alpha) epsilon, of mean 1 and variance alpha.

    Parameters
    ----------
    log_alpha : ndarray, (..., 1) or (..., H)
    epsilon : ndarray, (..., B, H)
        Standard normal numbers, `reglib.noise.masks.normal` with ``std=1``.

    Returns
    -------
    ndarray, (..., B, H)
        The gain of a `reglib.noise.affine.Noise`.

    Raises
    ------
    TypeError
        For arrays that do not hold floating-point numbers.
    ValueError
        For shapes that do not fit together.
    """
    log_alpha, epsilon = _checked(log_alpha, epsilon)
    return 1 + np.exp(log_alpha / 2)[..., None, :] * epsilon


def noise_backward(grad, log_alpha, epsilon):
    """Gradient of `noise` with respect to log_alpha: the sum of grad * sqrt(alpha) epsilon / 2 over what shares alpha.

    ``grad`` is the gradient with respect to the noise: the activations times the
    gradient with respect to the noisy activations. The result has the shape of ``log_alpha``.
    """
    log_alpha, epsilon = _checked(log_alpha, epsilon)
    grad = float_array("grad", grad, finite=False)
    if grad.shape != epsilon.shape:
        raise ValueError(
            f"grad must have the shape of epsilon, {epsilon.shape}; got {grad.shape}"
        )
    per_unit = np.einsum("...bh,...bh->...h", grad, epsilon)
    if log_alpha.shape[-1] == 1:
        per_unit = per_unit.sum(axis=-1, keepdims=True)
    return np.exp(log_alpha / 2) / 2 * per_unit


def kl(log_alpha, form="exact"):
    """Return the divergence from the log-uniform prior, entry by entry; it falls from infinity to 0.

    Parameters
    ----------
    log_alpha : ndarray or float
    form : {"exact", "kingma", "molchanov"}
        The integral at the head of this module, to about 1e-14; the cubic of Kingma
        et al. (2015, Section 3.3), fitted for alpha <= 1, **useless above**; or the
        form of Molchanov et al. (2017, Section 4.2, Eq. 14), for every alpha.

    Returns
    -------
    ndarray or float, like ``log_alpha``
    """
    log_alpha = float_array("log_alpha", log_alpha)
    one_of("form", form, FORMS)
    if form == "exact":
        within = np.maximum(log_alpha, LOWEST)
        value = (
            _integral(-np.expm1(-_exponent(within))) + (within - log_alpha) / 2
        )
    elif form == "kingma":
        with np.errstate(over="ignore"):
            alpha = np.exp(log_alpha)
            value = (
                CONSTANT
                - log_alpha / 2
                - alpha * (C1 + alpha * (C2 + alpha * C3))
            )
    else:
        value = (
            K1
            - K1 * sigmoid(K2 + K3 * log_alpha)
            + np.logaddexp(0, -log_alpha) / 2
        )
    return _like(value, log_alpha)


def kl_gradient(log_alpha, form="exact"):
    """Return the derivative of `kl` with respect to ``log_alpha``, entry by entry; ``form`` as there.

    The exact one is -x D(x) with x = 1 / sqrt(2 alpha): -1/2 for alpha -> 0, and 0 for alpha -> infinity.
    """
    log_alpha = float_array("log_alpha", log_alpha)
    one_of("form", form, FORMS)
    if form == "exact":
        exponent = _exponent(np.maximum(log_alpha, LOWEST))
        value = -_integral(exponent * np.exp(-exponent))
    elif form == "kingma":
        with np.errstate(over="ignore"):
            alpha = np.exp(log_alpha)
            value = -0.5 - alpha * (C1 + alpha * (2 * C2 + alpha * 3 * C3))
    else:
        gate = sigmoid(K2 + K3 * log_alpha)
        value = -K1 * K3 * gate * (1 - gate) - sigmoid(-log_alpha) / 2
    return _like(value, log_alpha)


def start(params, rate):
    """Return ``params`` of a `reglib.nets.mlp.MLP` with one log alpha a hidden layer behind them, all at one ``rate``.

    ``rate`` in (0, 1) is the drop rate of the same variance: alpha = rate / (1 - rate). The new arrays, ``log_alpha1``,
    ``log_alpha2``, ..., have the shape (..., 1); repeat them along the last axis for one a unit.
    """
    rate = number("rate", rate, low=0, high=1, low_open=True, high_open=True)
    if not isinstance(params, dict) or "w2" not in params:
        raise ValueError(
            f"params must be those of an MLP with a hidden layer, a dict by name; got {type(params).__name__}"
        )
    first = float_array("params['w1']", params.get("w1"), finite=False)
    lead, dtype = first.shape[:-2], first.dtype
    value, layers = (
        np.log(rate / (1 - rate)),
        sum(name.startswith("w") for name in params),
    )
    return params | {
        f"log_alpha{layer}": np.full((*lead, 1), value, dtype)
        for layer in range(1, layers)
    }


def loss_and_grads(
    net, params, x, labels, epsilon, *, examples, weight=1.0, form="exact"
):
    """Return the variational objective of a classifier per example, and its gradients.

    With one draw of the noise behind each hidden layer, mean cross-entropy L, N
    examples and one alpha_j a unit (or the same for all units of a layer),

        objective = L + weight / N * (sum over hidden units j of KL(alpha_j)).

    ``weight=1`` is minus the lower bound over N of Kingma et al. (2015, Section 3.4) for
    noise shared by a unit's outgoing weights; ``weight=0`` leaves the divergence out.

    Parameters
    ----------
    net : reglib.nets.mlp.MLP
    params : dict of ndarray
        Those of the network, then a log alpha for each hidden layer: see `start`.
    x, labels : ndarray
        As for the network.
    epsilon : list of ndarray, (..., B, H)
        Standard normal numbers for each hidden layer, from `reglib.noise.masks.normal`.
    examples : int
        N, the size of the training set (not of the batch).
    weight : float
        At least 0.
    form : {"exact", "kingma", "molchanov"}
        Of `kl`.

    Returns
    -------
    (loss, grads)
        The objective, one a replica, and a dict like ``params``.
    """
    places = hidden(
        instance("net", net, MLP, "an MLP of reglib.nets.mlp").depth - 1
    )
    names = [
        *net.names(),
        *(f"log_alpha{layer}" for layer, _ in enumerate(places, start=1)),
    ]
    by_name("params", params, names)
    own = {name: params[name] for name in net.names()}
    strengths = {
        place: params[f"log_alpha{layer}"]
        for layer, place in enumerate(places, start=1)
    }
    instance(
        "epsilon",
        epsilon,
        list | tuple,
        "a list of arrays, one a hidden layer",
    )
    if len(epsilon) != len(strengths):
        raise ValueError(
            f"epsilon must hold one array for each of the {len(strengths)} "
            f"hidden layers, got {len(epsilon)}"
        )
    epsilon = dict(zip(strengths, epsilon, strict=True))
    scale = number("weight", weight, low=0) / integer(
        "examples", examples, low=1
    )
    gains = {
        place: Noise(noise(strengths[place], epsilon[place]))
        for place in strengths
    }
    logits, cache = net.forward(own, x, noise=gains)
    value, grad = softmax_cross_entropy(logits, labels)
    found = net.backward(own, cache, grad, everything=True)
    grads = found.params
    for layer, (place, log_alpha) in enumerate(strengths.items(), start=1):
        share = scale * cache.after[place].shape[-1] / log_alpha.shape[-1]
        value = value + share * np.sum(kl(log_alpha, form), axis=-1)
        slope = noise_backward(
            found.noise[place].gain, log_alpha, epsilon[place]
        )
        grads[f"log_alpha{layer}"] = slope + (
            share * kl_gradient(log_alpha, form)
        ).astype(slope.dtype)
    return value, grads


def _checked(log_alpha, epsilon):
    """Return both as arrays, if one log alpha belongs to each unit or to all of a layer."""
    log_alpha, epsilon = (
        float_array("log_alpha", log_alpha),
        float_array("epsilon", epsilon),
    )
    if epsilon.ndim < 2:
        raise ValueError(
            f"epsilon must have shape (..., B, H), got {epsilon.shape}"
        )
    lead, units = epsilon.shape[:-2], epsilon.shape[-1]
    if log_alpha.shape not in ((*lead, 1), (*lead, units)):
        raise ValueError(
            f"log_alpha must have shape {(*lead, 1)} or {(*lead, units)} beside epsilon of shape {epsilon.shape}; "
            f"got {log_alpha.shape}"
        )
    return log_alpha, epsilon


def _exponent(log_alpha):
    """Return 1 / (2 alpha cosh^2 t) at the nodes t, on a new last axis."""
    return np.exp(-np.asarray(log_alpha, float)[..., None]) / (
        2 * np.cosh(GRID) ** 2
    )


def _integral(values):
    """Return the trapezoidal rule over the last axis, whose last value is 0; for these integrands it is exact."""
    return STEP * (values.sum(axis=-1) - values[..., 0] / 2)


def _like(value, log_alpha):
    """Return the value in the dtype of log_alpha; as a float where that was one."""
    return value.astype(log_alpha.dtype) if np.ndim(value) else float(value)
