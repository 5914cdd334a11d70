"""Converting between the conventions of this book, PyTorch, Keras, scikit-learn and the papers.

Every convention answers a few questions: is the square halved, is the loss a sum
or a mean, does the number keep or drop, does the decay pass through the
optimizer, which axis is which? Each function below converts one answer into
another; its inverse stands beside it. ``TABLE`` lists them all, row by row.
Under each equation stand the arguments and what they accept; anything else is an
error (``ValueError``, ``TypeError``) that names argument and value.

This book: ``l2`` means ``l2 * sum(w**2)``; ``l1`` means ``l1 * sum(|w|)``; both
are added to the loss, a mean over examples; linear models have the loss
``||y - Xw - b||**2 / (2*N)``; ``rate`` is the probability to drop.
"""

import numpy as np

from reglib._validate import integer, number
from reglib.convert._table import TABLE, Row  # noqa: F401 - offered here
from reglib.convert.layouts import (  # noqa: F401 - the rows of TABLE name them
    flip_batch_norm_momentum,
    framework_defaults,
    keep_to_rate,
    lstm_keras_to_torch,
    lstm_torch_to_keras,
    noise_std_to_rate,
    rate_to_keep,
    rate_to_noise_std,
    reorder_gates,
    spatial_noise_shape,
    to_channels_first,
    to_channels_last,
    transpose_dense,
)


def l2_to_torch_weight_decay(l2):
    """Return PyTorch's coupled ``weight_decay`` with the gradient of ``l2``: ``2 * l2``.

    - ``l2``: number >= 0
    """
    return 2 * number("l2", l2, low=0)


def torch_weight_decay_to_l2(weight_decay):
    """Return the ``l2`` whose gradient PyTorch's coupled ``weight_decay`` adds: ``weight_decay / 2``.

    - ``weight_decay``: number >= 0
    """
    return number("weight_decay", weight_decay, low=0) / 2


def penalty_to_keras(strength):
    """Return the argument of ``keras.regularizers.L1`` or ``L2`` for ``l1`` or ``l2``: the same number, and back.

    - ``strength``: number >= 0
    """
    return number("strength", strength, low=0)


def l2_to_half_l2(l2):
    """Return the strength for a text that writes ``half_l2 / 2 * ||w||**2``: ``2 * l2``.

    - ``l2``: number >= 0
    """
    return 2 * number("l2", l2, low=0)


def half_l2_to_l2(half_l2):
    """Return the book's ``l2`` for a text that writes ``half_l2 / 2 * ||w||**2``: ``half_l2 / 2``.

    - ``half_l2``: number >= 0
    """
    return number("half_l2", half_l2, low=0) / 2


def mean_to_sum(strength, n):
    """Return the strength beside a loss that is summed over ``n`` examples: ``n * strength``.

    - ``strength``: number >= 0;
      beside a loss that is averaged, as in this book.
    - ``n``: int >= 1
    """
    return number("strength", strength, low=0) * integer("n", n, low=1)


def sum_to_mean(strength, n):
    """Return the strength beside a loss that is averaged over ``n`` examples: ``strength / n``.

    - ``strength``: number >= 0;
      beside a loss that is summed.
    - ``n``: int >= 1
    """
    return number("strength", strength, low=0) / integer("n", n, low=1)


def l1_to_lasso_alpha(l1):
    """Return ``alpha`` of ``sklearn.linear_model.Lasso``: the same number, for the loss has the same 1/(2N).

    - ``l1``: number >= 0
    """
    return number("l1", l1, low=0)


def lasso_alpha_to_l1(alpha):
    """Return the book's ``l1`` for ``sklearn.linear_model.Lasso(alpha)``: the same number.

    - ``alpha``: number >= 0
    """
    return number("alpha", alpha, low=0)


def l2_to_ridge_alpha(l2, n):
    """Return ``alpha`` of ``sklearn.linear_model.Ridge``, whose loss is the plain sum of squares: ``2 * n * l2``.

    - ``l2``: number >= 0
    - ``n``: int >= 1;
      number of examples.

    >>> l2_to_ridge_alpha(0.01, 500)
    10.0
    """
    return 2 * integer("n", n, low=1) * number("l2", l2, low=0)


def ridge_alpha_to_l2(alpha, n):
    """Return the book's ``l2`` for ``sklearn.linear_model.Ridge(alpha)`` on ``n`` examples: ``alpha / (2 * n)``.

    - ``alpha``: number >= 0
    - ``n``: int >= 1
    """
    return number("alpha", alpha, low=0) / (2 * integer("n", n, low=1))


def elastic_net_to_sklearn(l1, l2):
    """Return ``(alpha, l1_ratio)`` of ``sklearn.linear_model.ElasticNet``, which halves the square.

    ``alpha = l1 + 2 * l2`` and ``l1_ratio = l1 / alpha``.

    - ``l1``, ``l2``: numbers >= 0, not both 0

    >>> elastic_net_to_sklearn(0.5, 0.25)
    (1.0, 0.5)
    """
    l1, l2 = number("l1", l1, low=0), number("l2", l2, low=0)
    if l1 + l2 == 0:
        raise ValueError(
            "l1 and l2 must not both be 0: the ratio would be undefined"
        )
    return l1 + 2 * l2, l1 / (l1 + 2 * l2)


def sklearn_to_elastic_net(alpha, l1_ratio):
    """Return ``(l1, l2)`` for ``sklearn.linear_model.ElasticNet(alpha, l1_ratio)``.

    ``l1 = alpha * l1_ratio`` and ``l2 = alpha * (1 - l1_ratio) / 2``.

    - ``alpha``: number >= 0
    - ``l1_ratio``: number in [0, 1]
    """
    alpha, l1_ratio = (
        number("alpha", alpha, low=0),
        number("l1_ratio", l1_ratio, low=0, high=1),
    )
    return alpha * l1_ratio, alpha * (1 - l1_ratio) / 2


def l2_to_logistic_c(l2, n):
    """Return ``C`` of ``sklearn.linear_model.LogisticRegression``: ``1 / (2 * n * l2)``.

    scikit-learn minimizes ``||w||**2 / 2 + C * sum of log losses``.

    - ``l2``: number > 0
    - ``n``: int >= 1;
      number of examples.
    """
    return 1 / (
        2 * integer("n", n, low=1) * number("l2", l2, low=0, low_open=True)
    )


def logistic_c_to_l2(c, n):
    """Return the book's ``l2`` for ``sklearn.linear_model.LogisticRegression(C=c)``: ``1 / (2 * n * c)``.

    - ``c``: number > 0
    - ``n``: int >= 1
    """
    return 1 / (
        2 * integer("n", n, low=1) * number("c", c, low=0, low_open=True)
    )


def l2_to_sgd_classifier_alpha(l2):
    """Return ``alpha`` of ``sklearn.linear_model.SGDClassifier(penalty="l2")``, which halves the square: ``2 * l2``.

    Its loss is a mean over examples, as in this book, so their number does not enter.

    - ``l2``: number >= 0
    """
    return 2 * number("l2", l2, low=0)


def sgd_classifier_alpha_to_l2(alpha):
    """Return the book's ``l2`` for ``sklearn.linear_model.SGDClassifier(penalty="l2", alpha=alpha)``: ``alpha / 2``.

    - ``alpha``: number >= 0
    """
    return number("alpha", alpha, low=0) / 2


def adamw_to_paper_decay(weight_decay, learning_rate):
    """Return the lambda of the AdamW paper for the frameworks' ``weight_decay``: their product with the learning rate.

    - ``weight_decay``: number >= 0;
      as in ``torch.optim.AdamW`` and ``keras.optimizers.AdamW``, which agree.
    - ``learning_rate``: number > 0
    """
    return number("weight_decay", weight_decay, low=0) * number(
        "learning_rate", learning_rate, low=0, low_open=True
    )


def paper_to_adamw_decay(decay, learning_rate):
    """Return the frameworks' AdamW ``weight_decay`` for the paper's lambda: ``decay / learning_rate``.

    - ``decay``: number >= 0;
      Loshchilov and Hutter (2019), Algorithm 2, line 12: multiplied by the schedule alone.
    - ``learning_rate``: number > 0
    """
    return number("decay", decay, low=0) / number(
        "learning_rate", learning_rate, low=0, low_open=True
    )


def torch_sgd_to_keras_sgd(weight_decay, momentum=0.0):
    """Return Keras' SGD ``weight_decay`` for PyTorch's: the same number without momentum, none with it.

    PyTorch's decay enters the velocity, Keras' does not: with momentum no number makes them equal.

    - ``weight_decay``: number >= 0
    - ``momentum``: number in [0, 1)

    Raises
    ------
    ValueError
        With momentum and decay both above 0; add ``keras.regularizers.L2(weight_decay / 2)`` instead.
    """
    weight_decay = number("weight_decay", weight_decay, low=0)
    if (
        number("momentum", momentum, low=0, high=1, high_open=True)
        and weight_decay
    ):
        raise ValueError(
            f"momentum must be 0 for the two decays to agree, got {momentum!r}; "
            f"a Keras regularizer L2({weight_decay / 2:g}) is what PyTorch does"
        )
    return weight_decay


def keras_sgd_to_torch_sgd(weight_decay, momentum=0.0):
    """Return PyTorch's SGD ``weight_decay`` for Keras', with the same ``momentum`` and the same limits."""
    return torch_sgd_to_keras_sgd(weight_decay, momentum)


def decay_to_factor(weight_decay, learning_rate, steps=1):
    """Return what decay alone leaves of a weight: ``(1 - learning_rate * weight_decay) ** steps``.

    - ``weight_decay``: number >= 0
    - ``learning_rate``: number > 0, with a product of at most 1
    - ``steps``: int >= 0
    """
    product = number("weight_decay", weight_decay, low=0)
    product *= number("learning_rate", learning_rate, low=0, low_open=True)
    if product > 1:
        raise ValueError(
            f"learning_rate * weight_decay must be at most 1, got {product:g}"
        )
    return (1 - product) ** integer("steps", steps, low=0)


def factor_to_decay(factor, learning_rate, steps=1):
    """Return the ``weight_decay`` that leaves this factor: ``(1 - factor ** (1/steps)) / learning_rate``.

    - ``factor``: number in (0, 1]
    - ``learning_rate``: number > 0
    - ``steps``: number > 0
    """
    factor, steps = (
        number("factor", factor, low=0, high=1, low_open=True),
        number("steps", steps, low=0, low_open=True),
    )
    return float(-np.expm1(np.log(factor) / steps)) / number(
        "learning_rate", learning_rate, low=0, low_open=True
    )


def decay_to_half_life(weight_decay, learning_rate):
    """Return the steps after which decay alone has halved a weight: ``log(1/2) / log(1 - learning_rate*weight_decay)``.

    - ``weight_decay``: number > 0
    - ``learning_rate``: number > 0, with a product below 1

    >>> round(decay_to_half_life(0.01, 0.001))
    69314
    """
    product = number("weight_decay", weight_decay, low=0, low_open=True)
    product *= number("learning_rate", learning_rate, low=0, low_open=True)
    if product >= 1:
        raise ValueError(
            f"learning_rate * weight_decay must be below 1, got {product:g}"
        )
    return float(np.log(0.5) / np.log1p(-product))


def half_life_to_decay(steps, learning_rate):
    """Return the ``weight_decay`` that halves an unused weight in so many steps.

    ``weight_decay = (1 - 2**(-1/steps)) / learning_rate``

    - ``steps``: number > 0
    - ``learning_rate``: number > 0
    """
    return factor_to_decay(0.5, learning_rate, steps)


def epsilon_to_raw(epsilon, beta2, step):
    """Return Keras' epsilon that acts at one step of Adam as PyTorch's: ``epsilon * sqrt(1 - beta2**step)``.

    PyTorch adds it to ``sqrt(v_hat)``, Keras to ``sqrt(v)``: no single number serves two different steps.

    - ``epsilon``: number > 0
    - ``beta2``: number in [0, 1)
    - ``step``: int >= 1;
      counted from 1.
    """
    return number("epsilon", epsilon, low=0, low_open=True) * _correction(
        beta2, step
    )


def epsilon_to_corrected(epsilon, beta2, step):
    """Return PyTorch's epsilon that acts at one step of Adam as Keras': ``epsilon / sqrt(1 - beta2**step)``.

    - ``epsilon``: number > 0
    - ``beta2``: number in [0, 1)
    - ``step``: int >= 1
    """
    return number("epsilon", epsilon, low=0, low_open=True) / _correction(
        beta2, step
    )


def _correction(beta2, step):
    beta2 = number("beta2", beta2, low=0, high=1, high_open=True)
    return float(np.sqrt(1 - beta2 ** integer("step", step, low=1)))
