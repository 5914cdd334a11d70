"""One valid call of every public function beside the networks: penalties, linear models, conversions, checks.

As in `tests.reglib.bad_input.networks`.
"""

import inspect

import numpy as np

from reglib.convert import conventions, layouts
from reglib.linear import solvers
from reglib.weights import averaging
from reglib.weights.penalties import L1, ElasticNet, GroupLasso
from tests.reglib.bad_input.networks import given, rng

# The functions that convert take one number an argument; these are their arguments by name.
NUMBERS = {
    "alpha": 0.5,
    "beta2": 0.5,
    "c": 0.5,
    "decay": 0.5,
    "epsilon": 1e-3,
    "factor": 0.5,
    "half_l2": 0.5,
    "keep": 0.5,
    "l1": 0.5,
    "l1_ratio": 0.5,
    "l2": 0.5,
    "learning_rate": 0.5,
    "momentum": 0.0,
    "n": 5,
    "rate": 0.5,
    "std": 0.5,
    "step": 5,
    "steps": 5,
    "strength": 0.5,
    "weight_decay": 0.5,
}


def conversions(f):
    """Return the calls of `reglib.convert`."""
    a = f.array
    calls = {}
    for module in (conventions, layouts):
        for name, function in vars(module).items():
            if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_"):
                names = list(inspect.signature(function).parameters)
                if all(argument in NUMBERS for argument in names):
                    numbers = {argument: NUMBERS[argument] for argument in names}
                    calls[f"{module.__name__.removeprefix('reglib.')}.{name}"] = lambda numbers=numbers: given(
                        **numbers
                    )
    return calls | {
        "convert.layouts.to_channels_last": lambda: given((5, 2, 4, 4)),
        "convert.layouts.to_channels_first": lambda: given((5, 4, 4, 2)),
        "convert.layouts.spatial_noise_shape": lambda: given((5, 4, 4, 2), "last"),
        "convert.layouts.transpose_dense": lambda: given(a(3, 2)),
        "convert.layouts.lstm_torch_to_keras": lambda: given(a(16, 3), a(16, 4), a(16), a(16)),
        "convert.layouts.lstm_keras_to_torch": lambda: given(a(3, 16), a(4, 16), a(16)),
        "convert.layouts.reorder_gates": lambda: given(a(3, 16), "ifgo", "igfo", axis=1),
        "convert.layouts.framework_defaults": lambda: given("torch"),
    }


def weights(f):
    """Return the calls of `reglib.weights`."""
    a, groups = f.array, np.array([0, 1, 1])
    penalty, grouped = ElasticNet(0.1, 0.1), GroupLasso(0.1, groups)
    average = averaging.EMA(0.9)
    return {
        "weights.averaging.EMA": lambda: given(0.9, start=1, every=1, unbiased=True),
        "weights.averaging.SWA": lambda: given(1, every=1),
        "weights.averaging.Averaging.parts": lambda: given(average),
        "weights.averaging.Averaging.predict": lambda: given(average, rng(), f.net.logits, a(5, 3), f.params, {}),
        "weights.averaging.ema_weights": lambda: given(0.9, 5, unbiased=False),
        "weights.parameters.role": lambda: given("w1"),
        "weights.parameters.place": lambda: given("w_x"),
        "weights.parameters.choose": lambda: given(f.params, "weight"),
        "weights.parameters.each": lambda: given(np.add, f.params, f.params),
        "weights.penalties.soft_threshold": lambda: given(a(5, 3), 0.5),
        "weights.penalties.group_soft_threshold": lambda: given(a(5, 3), 0.5, groups),
        "weights.penalties.L1": lambda: given(0.1, on="weight"),
        "weights.penalties.L2": lambda: given(0.1, on="weight"),
        "weights.penalties.ElasticNet": lambda: given(0.1, 0.1, on="weight"),
        "weights.penalties.ElasticNet.from_ratio": lambda: given(ElasticNet, 0.1, 0.5, on="weight"),
        "weights.penalties.GroupLasso": lambda: given(0.1, groups, on="weight"),
        "weights.penalties.GroupLasso.scaled_norms": lambda: given(grouped, a(3, 4)),
        "weights.penalties.Penalty.value": lambda: [given(penalty, f.params), given(grouped, a(3, 4))],
        "weights.penalties.Penalty.gradient": lambda: [given(penalty, f.params), given(grouped, a(3, 4))],
        "weights.penalties.Penalty.prox": lambda: [given(penalty, f.params, 0.5), given(grouped, a(3, 4), 0.5)],
        "weights.penalties.Penalty.for_replicas": lambda: given(penalty, (2,)),
        "weights.penalties.Penalty.take": lambda: given(L1(np.array([0.1, 0.2])), 1),
        "weights.penalties.Penalty.broadcast": lambda: given(penalty, a(3, 4)),
        "weights.penalties.make": lambda: given("l1", l1=0.1, on="weight"),
    }


def linear(f):
    """Return the calls of `reglib.linear`."""
    X, y = f.array(6, 3), f.array(6, 4)[:, 3]
    penalty = ElasticNet(0.1, 0.1)
    options = {"fit_intercept": True, "tolerance": 1e-4, "max_iter": 1000, "check_every": 5}
    options |= {"progress": lambda *numbers: None}
    fit, path = solvers.ridge(X, y, 0.1), solvers.path(X, y, "ridge", [0.1, 0.2])
    return {
        "linear.duality.dual_scale": lambda: given(penalty, f.array(3)),
        "linear.duality.least_squares_gap": lambda: given(penalty, f.array(3), f.array(3), 1.0),
        "linear.solvers.l1_max": lambda: given(X, y, True),
        "linear.filters.stopped_factors": lambda: given(np.abs(X[0]), 0.01, 3),
        "linear.filters.ridge_factors": lambda: given(np.abs(X[0]), 0.1),
        "linear.filters.matched_l2": lambda: given(np.abs(X[0]), 0.01, 3),
        "linear.solvers.ridge": lambda: given(X, y, 0.1, True),
        "linear.solvers.fista": lambda: given(X, y, penalty, start=np.zeros_like(X[0]), restart=True, **options),
        "linear.solvers.coordinate_descent": lambda: given(X, y, penalty, start=np.zeros_like(X[0]), **options),
        "linear.solvers.path": lambda: [
            given(X, y, family, [0.2, 0.1], l1_ratio=0.5, n_strengths=3, smallest=0.1, **options)
            for family in ("elastic_net", lambda strength: L1(strength))
        ],
        "linear.solvers.Fit.predict": lambda: given(fit, X),
        "linear.solvers.Path.order_of_entry": lambda: given(path),
    }


def predictions(f):
    """Return the calls of `reglib.predict`."""
    probabilities = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]], f.dtype)
    labels = np.array([0, 1, 0])
    calls = {
        f"predict.metrics.{name}": lambda: given(probabilities, labels)
        for name in ("accuracy", "negative_log_likelihood", "brier_score")
    }
    calls |= {
        f"predict.metrics.{name}": lambda: given(probabilities, labels, 2)
        for name in ("reliability", "calibration_error")
    }
    even = np.array([0.25, 0.25, 0.5], f.dtype)
    return calls | {
        "predict.ensemble.arithmetic_mean": lambda: given(probabilities, even),
        "predict.ensemble.geometric_mean": lambda: given(probabilities, even),
        "predict.ensemble.monte_carlo": lambda: given(lambda: probabilities, [1, 2]),
    }


def checks(f):
    """Return the calls of `reglib.gradcheck`, which is for float64 alone."""
    x, options = f.array(3).astype(float), {"step": 1e-5, "tolerance": 1e-4, "floor": 1e-3}

    def value(x):
        return np.sum(x**2)

    def slope(x):
        return 2 * x

    return {
        "gradcheck.numeric_gradient": lambda: given(value, x, step=1e-5),
        "gradcheck.check": lambda: [
            given(value, grad, x, rng(), directions=2, **options) for grad in (slope, slope(x))
        ],
        "gradcheck.check_coordinates": lambda: given(value, slope, x, **options),
        "gradcheck.check_vector": lambda: given(
            np.square, lambda grad, x: 2 * grad * x, x, rng(), directions=2, **options
        ),
    }


def calls(f):
    """Return the calls of this module by name."""
    return conversions(f) | weights(f) | linear(f) | predictions(f) | checks(f)
