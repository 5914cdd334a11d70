r"""SGD with the proximal step of an L1 penalty, for weights that are exactly 0."""

import keras
from keras import ops

from regkit._check import number


@keras.saving.register_keras_serializable(package="regkit")
class ProximalL1(keras.optimizers.SGD):
    r"""SGD, and after each of its steps the proximal step of ``l1 * sum(|w|)`` on the weights.

    With the learning rate eta of the step and the gradient G of the loss, which must not hold the penalty::

        v = w - eta G,
        w = v - clip(v, -eta l1, eta l1),

    so that what is no larger than eta l1 becomes exactly 0, and the rest moves towards 0 by that much. The subgradient
    of ``kernel_regularizer="l1"`` leaves such weights jumping around 0 instead.

    It is an optimizer, not a callback or a constraint, since here alone the learning rate is surely that of the step:
    schedules, mixed precision, gradient accumulation, ``steps_per_execution`` and your own training loops all work.

    With momentum mu the fixed points would be those of the penalty ``(1 - mu) l1``, and with Adam's scaling each
    weight would have a penalty of its own. So momentum is refused. ``weight_decay`` is welcome: the elastic net.

    Parameters
    ----------
    learning_rate : float or schedule
        That of ``keras.optimizers.SGD``.
    l1 : float
        The strength, at least 0, of a penalty beside the loss that Keras reports (a mean over the batch).
    on : str or sequence of str
        The endings of the paths of the variables that are penalized: ``"kernel"`` for the weights of all layers,
        recurrent ones included, and no bias, gain or embedding; ``"hidden/kernel"`` for those of a layer of that name.
    kwargs
        Those of ``keras.optimizers.SGD``.

    Raises
    ------
    ValueError, TypeError
        For a strength that is none, for momentum, and where no variable has such a path.

    References
    ----------
    N. Parikh and S. Boyd, Proximal algorithms, Foundations and Trends in Optimization 1 (2014), Sections 4.2 and 6.5.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> kernel, bias = model.weights
    >>> _ = kernel.assign([[0.5], [-0.02], [0.25]]), bias.assign([2.0])
    >>> optimizer = ProximalL1(learning_rate=0.5, l1=0.25)
    >>> grads = [ops.zeros_like(w) for w in model.trainable_variables]
    >>> optimizer.apply(grads, model.trainable_variables)
    >>> [weight.ravel().tolist() for weight in model.get_weights()]
    [[0.375, 0.0, 0.125], [2.0]]
    """

    def __init__(self, learning_rate=0.01, l1=0.01, on="kernel", **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.l1 = number("l1", l1)
        self.on = (on,) if isinstance(on, str) else tuple(on)
        if self.momentum:
            raise ValueError(f"momentum must be 0, got {self.momentum}")

    def build(self, variables):
        """Choose the variables to penalize."""
        super().build(variables)
        self.chosen = [v.path.endswith(self.on) for v in variables]
        if not any(self.chosen):
            paths = ", ".join(v.path for v in variables)
            raise ValueError(
                f"on must end a path among {paths}; got {self.on}"
            )

    def update_step(self, gradient, variable, learning_rate):
        """Take one step of SGD, then one proximal step."""
        super().update_step(gradient, variable, learning_rate)
        if self.chosen[self._get_variable_index(variable)]:
            step = ops.cast(learning_rate, variable.dtype) * self.l1
            w = ops.convert_to_tensor(variable)
            self.assign(variable, w - ops.clip(w, -step, step))

    def get_config(self):
        """Return what the optimizer is made again from."""
        return super().get_config() | {"l1": self.l1, "on": self.on}
