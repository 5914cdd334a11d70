"""Each row of the decoder against the libraries themselves: the text of a cell is evaluated, or looked up."""

import functools
import inspect
import re

import numpy as np
import pytest
import sklearn.linear_model as sk
from sklearn import svm
from sklearn.neural_network import MLPClassifier, MLPRegressor

from regbook import decoder, replay
from reglib.train.losses import squared_error

RNG = np.random.default_rng(0)
N, D, B = 40, 3, 8
X = RNG.normal(size=(N, D))
Y = X @ np.array([2.0, -1.0, 0.5]) + 0.3 * RNG.normal(size=N)
LABELS = (Y > 0).astype(int)
W = RNG.normal(size=(D, 1))
ROWS = {row.program: row for row in decoder.STRENGTHS}
NUMBER = 0.375  # a sum of powers of two: Keras holds numbers in single precision


def worth(program, strength="l2", /, **numbers):
    """Return what the decoder says a number is worth in this book."""
    return eval(getattr(ROWS[program], strength), {"N": N, "B": B, **numbers})


def decay(optimizer, w=W):
    """Return what one step on a zero gradient takes away."""
    return w - replay.path(optimizer, [w], [[np.zeros_like(w)]])[-1][0]


def loss_factor(loss):
    """Return how often a library's loss of one output contains this book's."""
    return float(loss) / squared_error(X @ W, Y[:, None])[0]


def slope_of(loss, coef, intercept):
    """Return the gradient of this book's data loss at a solution of scikit-learn."""
    outputs = X @ coef + intercept
    if loss == "squared":
        return X.T @ (outputs - Y) / N
    signs = 2 * LABELS - 1
    if loss == "log":
        return X.T @ (1 / (1 + np.exp(-outputs)) - LABELS) / N
    return X.T @ (-2 * signs * np.maximum(0, 1 - signs * outputs)) / N  # the squared hinge


def test_every_row_is_shown():
    assert len(decoder.strengths().rows) == len(decoder.STRENGTHS) == len(ROWS)
    for topic, rows in decoder.WORDS.items():
        assert len(decoder.words(topic).rows) == len(rows)
        assert all(len(meant) == 3 and all(meant) for meant in rows.values())
    with pytest.raises(ValueError, match="topic"):
        decoder.words("strengths")


def test_versions_are_those_installed():
    import keras
    import sklearn
    import tensorflow as tf
    import torch

    for name, module in (("PyTorch", torch), ("Keras", keras), ("TensorFlow", tf), ("scikit-learn", sklearn)):
        (stated,) = re.findall(rf"{name} ([\d.]+)", decoder.RUN)
        assert module.__version__.startswith(f"{stated}."), f"{name}: {module.__version__}, the decoder says {stated}"


def test_texts_and_sums():
    assert np.allclose(worth("a text: λ/2 times the square", λ=NUMBER) * W**2, NUMBER / 2 * W**2)
    mean, total = np.mean((Y - X @ W[:, 0]) ** 2) / 2, np.sum((Y - X @ W[:, 0]) ** 2) / 2
    l2 = worth("a text: loss summed over N", λ=NUMBER)
    assert (total + NUMBER * np.sum(W**2)) / N == pytest.approx(mean + l2 * np.sum(W**2))


def test_pytorch_and_its_mean_squared_error():
    import torch

    for optimizer in (torch.optim.SGD, lambda p, **how: torch.optim.SGD(p, momentum=0.5, **how)):
        taken = decay(lambda p, step=optimizer: step(p, lr=1.0, weight_decay=NUMBER))
        worth_l2 = worth("PyTorch SGD, Adam: weight_decay", weight_decay=NUMBER)
        np.testing.assert_allclose(taken, 2 * worth_l2 * W, rtol=1e-12)
    factor = loss_factor(torch.nn.MSELoss()(torch.tensor(X @ W), torch.tensor(Y[:, None])))
    assert worth("PyTorch MSELoss, weight_decay", weight_decay=NUMBER) == pytest.approx(worth_l2 / factor)
    defaults = torch.optim.SGD([torch.zeros(1)]).defaults["weight_decay"]
    assert defaults == torch.optim.Adam([torch.zeros(1)]).defaults["weight_decay"]
    assert float(ROWS["PyTorch SGD, Adam: weight_decay"].default) == defaults


def test_keras_and_tensorflow():
    import keras
    import tensorflow as tf

    w = W.astype(np.float32)
    squares, sizes = np.sum(w**2), np.sum(np.abs(w))
    l2 = worth("Keras regularizers.L2", l2=NUMBER)
    assert float(keras.regularizers.L2(NUMBER)(w)) == pytest.approx(l2 * squares, rel=1e-6)
    l1 = worth("Keras regularizers.L1", "l1", l1=NUMBER)
    assert float(keras.regularizers.L1(NUMBER)(w)) == pytest.approx(l1 * sizes, rel=1e-6)
    factor = loss_factor(np.mean(keras.losses.mean_squared_error(Y[:, None], X @ W)))
    assert worth("Keras mse, L2", l2=NUMBER) == pytest.approx(l2 / factor)
    half = worth("TensorFlow: λ * tf.nn.l2_loss(w)", λ=NUMBER)
    assert NUMBER * float(tf.nn.l2_loss(w)) == pytest.approx(half * squares, rel=1e-6)
    assert float(ROWS["Keras regularizers.L2"].default) == pytest.approx(float(keras.regularizers.L2().l2))
    assert float(ROWS["Keras regularizers.L1"].default) == pytest.approx(float(keras.regularizers.L1().l1))


EXACT = {"tol": 1e-12, "max_iter": 100_000}


@pytest.mark.parametrize(
    ("program", "model", "loss", "number"),
    [
        ("Ridge, RidgeClassifier: alpha", sk.Ridge(alpha=3.0), "squared", {"alpha": 3.0}),
        (
            "LogisticRegression: C",
            sk.LogisticRegression(C=0.7, solver="newton-cholesky", **EXACT),
            "log",
            {"C": 0.7},
        ),
        (
            'the same, solver="liblinear"',
            sk.LogisticRegression(C=0.7, solver="liblinear", **EXACT),
            "log",
            {"C": 0.7},
        ),
        ("LinearSVC: C", svm.LinearSVC(C=0.7, **EXACT), "squared hinge", {"C": 0.7}),
    ],
)
def test_smooth_models_of_scikit_learn(program, model, loss, number):
    model.fit(X, Y if loss == "squared" else LABELS)
    coef, intercept = np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])
    l2 = worth(program, **number)
    np.testing.assert_allclose(slope_of(loss, coef, intercept), -2 * l2 * coef, atol=1e-5)
    if "intercept" in ROWS[program].penalty:  # one more weight
        signs = 2 * LABELS - 1
        outputs = X @ coef + intercept
        of_b = (
            -signs / (1 + np.exp(signs * outputs)) if loss == "log" else -2 * signs * np.maximum(0, 1 - signs * outputs)
        )
        assert np.mean(of_b) == pytest.approx(-2 * l2 * intercept, abs=1e-5)
        assert abs(intercept) > 1e-3
    elif loss == "log":
        assert np.mean(1 / (1 + np.exp(-X @ coef - intercept)) - LABELS) == pytest.approx(0, abs=1e-8)
    else:
        assert np.mean(Y - X @ coef - intercept) == pytest.approx(0, abs=1e-8)


def test_svc():
    """At its solution the objective with the decoder's l2 is least; with another it is not."""
    model = svm.SVC(kernel="linear", C=0.7, tol=1e-10).fit(X, LABELS)
    coef, b, signs = model.coef_[0], model.intercept_[0], 2 * LABELS - 1

    def objective(w, l2):
        return np.mean(np.maximum(0, 1 - signs * (X @ w + b))) + l2 * np.sum(w**2)

    l2 = worth("SVC: C", C=0.7)
    near = [coef + 0.02 * RNG.normal(size=D) for _ in range(200)]
    assert all(objective(w, l2) >= objective(coef, l2) - 1e-9 for w in near)
    for wrong in (l2 / 2, 2 * l2):
        assert min(objective(factor * coef, wrong) for factor in (0.98, 1.02)) < objective(coef, wrong) - 1e-6


def test_lasso_and_elastic_net():
    for program, model in (
        ("Lasso: alpha", sk.Lasso(alpha=0.2, tol=1e-14)),
        ("ElasticNet: alpha, l1_ratio", sk.ElasticNet(alpha=0.2, l1_ratio=0.3, tol=1e-14)),
    ):
        number = {name: model.get_params()[name] for name in program.partition(": ")[2].split(", ")}
        coef = model.fit(X, Y).coef_
        assert np.all(coef)
        l1 = worth(program, "l1", **number)
        l2 = 0 if ROWS[program].l2 == "—" else worth(program, **number)
        slope = slope_of("squared", coef, model.intercept_)
        np.testing.assert_allclose(slope, -l1 * np.sign(coef) - 2 * l2 * coef, atol=1e-8)


def test_sgd_models_take_the_step_of_this_book():
    l2 = worth("SGDClassifier, SGDRegressor: alpha", alpha=NUMBER)
    how = {"alpha": NUMBER, "learning_rate": "constant", "eta0": 0.25, "fit_intercept": False, "shuffle": False}
    classifier, regressor = sk.SGDClassifier(loss="log_loss", **how), sk.SGDRegressor(**how)
    for model, target in ((classifier, LABELS), (regressor, Y)):
        w = np.zeros(D)
        for x, y in zip(X[:3], target[:3], strict=True):
            model.partial_fit(x[None], [y], **({"classes": [0, 1]} if model is classifier else {}))
            output = 1 / (1 + np.exp(-x @ w)) if model is classifier else x @ w
            w = w - 0.25 * ((output - y) * x + 2 * l2 * w)
            np.testing.assert_allclose(np.ravel(model.coef_), w, atol=1e-12)


@pytest.mark.parametrize(("kind", "target"), [(MLPClassifier, LABELS), (MLPRegressor, Y)])
def test_multilayer_perceptrons_divide_by_the_batch(kind, target):
    l2 = worth("MLPClassifier, MLPRegressor: alpha", alpha=NUMBER)

    def first_step(alpha, rate):
        how = {"solver": "sgd", "momentum": 0.0, "batch_size": B, "random_state": 0, "shuffle": False}
        model = kind(hidden_layer_sizes=(), alpha=alpha, learning_rate_init=rate, **how)
        model.partial_fit(X[:B], target[:B], **({"classes": [0, 1]} if kind is MLPClassifier else {}))
        return model.coefs_[0], model.intercepts_[0]

    start, intercept = first_step(0.0, 1e-14)
    plain, penalized = first_step(0.0, 0.5)[0], first_step(NUMBER, 0.5)[0]
    np.testing.assert_allclose(plain - penalized, 0.5 * 2 * l2 * start, atol=1e-12)
    outputs = X[:B] @ start + intercept  # the data loss is that of this book: averaged, the squared error halved
    outputs = outputs if kind is MLPRegressor else 1 / (1 + np.exp(-outputs))
    np.testing.assert_allclose((start - plain) / 0.5, X[:B].T @ (outputs - target[:B, None]) / B, atol=1e-12)


@pytest.mark.parametrize(
    ("program", "models"),
    [
        ("Ridge, RidgeClassifier: alpha", (sk.Ridge, sk.RidgeClassifier)),
        ("Lasso: alpha", (sk.Lasso,)),
        ("ElasticNet: alpha, l1_ratio", (sk.ElasticNet,)),
        ("LogisticRegression: C", (sk.LogisticRegression,)),
        ("SVC: C", (svm.SVC,)),
        ("LinearSVC: C", (svm.LinearSVC,)),
        ("SGDClassifier, SGDRegressor: alpha", (sk.SGDClassifier, sk.SGDRegressor)),
        ("MLPClassifier, MLPRegressor: alpha", (MLPClassifier, MLPRegressor)),
    ],
)
def test_default_strengths_of_scikit_learn(program, models):
    names = program.partition(": ")[2].split(", ")
    for model in models:
        assert ", ".join(str(model().get_params()[name]) for name in names) == ROWS[program].default


def test_decay_in_the_optimizers():
    import keras
    import torch

    said, w = decoder.WORDS["decay"], np.array([1.0, -2.0])
    for name in ("SGD", "Adam", "AdamW"):
        how = {"weight_decay": 0.125} | ({"momentum": 0.5} if name == "SGD" else {})
        of_torch, of_keras = getattr(torch.optim, name), getattr(keras.optimizers, name)
        for place, made in enumerate((functools.partial(of_torch, lr=0.25, **how), of_keras(0.25, **how))):
            path = replay.path(made, [w], [[np.zeros(2)]] * 2)
            shares = -np.diff(np.array([[w], *path])[:, 0], axis=0) / np.array([w, path[0][0]])
            decoupled = np.allclose(shares, 0.25 * 0.125, rtol=1e-6)
            assert said[f"weight_decay of {name}"][place].startswith("decoupled" if decoupled else "coupled")
    for place, module in enumerate((torch.optim, keras.optimizers)):
        default = {}
        for kind, optimizer in inspect.getmembers(module, inspect.isclass):
            argument = inspect.signature(optimizer).parameters.get("weight_decay")
            if argument is not None and argument.default is not inspect.Parameter.empty and argument.default:
                default[kind] = argument.default
        told = dict(text.split() for text in said["decay when you say nothing"][place].split(", "))
        assert told == {kind: str(strength) for kind, strength in default.items()}
    row = ROWS["AdamW of PyTorch, Keras: weight_decay"]
    signed = (inspect.signature(module.AdamW).parameters["weight_decay"] for module in (torch.optim, keras.optimizers))
    assert (row.l2, row.default) == ("—", "; ".join(str(parameter.default) for parameter in signed))
    told = decay(lambda p: torch.optim.Adam(p, lr=0.25, weight_decay=0.125, decoupled_weight_decay=True), w)
    np.testing.assert_allclose(told / w, 0.25 * 0.125)
    assert "decoupled_weight_decay=True" in said["weight_decay of Adam"][0]


def test_what_decay_acts_on():
    import keras
    import torch

    a, b, c = (torch.ones(1, requires_grad=True) for _ in range(3))
    a.grad, b.grad = torch.zeros(1), None
    torch.optim.SGD([{"params": [a, b]}, {"params": [c], "weight_decay": 0.0}], lr=0.1, weight_decay=0.5).step()
    assert (a.item(), b.item(), c.item()) == (pytest.approx(0.95), 1.0, 1.0)
    cell = keras.layers.LSTM(2, kernel_regularizer="l2", dtype="float32")
    cell.build((None, 3, 2))
    assert len(cell.losses) == 1
    assert float(cell.losses[0]) == pytest.approx(0.01 * float(np.sum(cell.get_weights()[0] ** 2)), rel=1e-5)
    cell = keras.layers.LSTM(2, recurrent_regularizer="l2", bias_regularizer="l2", dtype="float32")
    cell.build((None, 3, 2))
    squares = sorted(0.01 * float(np.sum(w**2)) for w in cell.get_weights()[1:])
    assert sorted(map(float, cell.losses)) == pytest.approx(squares, rel=1e-5)


def test_velocity_and_epsilon():
    import keras
    import torch

    w, variable, one = torch.ones((), requires_grad=True), keras.Variable(1.0, dtype="float32"), keras.ops.ones(())
    w.grad = torch.ones(())
    ours, theirs = torch.optim.SGD([w], lr=0.25, momentum=0.5), keras.optimizers.SGD(0.25, momentum=0.5)
    for rate in (0.25, 0.125):
        ours.param_groups[0]["lr"] = theirs.learning_rate = rate
        ours.step()
        theirs.apply([one], [variable])
    assert (w.item(), float(variable)) == (1 - 0.25 - 0.125 * 1.5, 1 - 0.25 - (0.125 + 0.5 * 0.25))
    said = decoder.WORDS["decay"]["Adam adds epsilon to"]
    assert str(torch.optim.Adam([w]).defaults["eps"]) in said[0]
    assert str(keras.optimizers.Adam().epsilon) in said[1]
    one = np.array([0.125])  # weight and gradient; v is 0.001 of its square, corrected the square itself
    of_torch = functools.partial(torch.optim.Adam, lr=0.5, eps=0.25)
    for place, adam in enumerate((of_torch, keras.optimizers.Adam(0.5, epsilon=0.25))):
        taken = one - replay.path(adam, [one], [[one]])[-1][0]
        after, before = 0.5 * 0.125 / (0.125 + 0.25), 0.5 * 0.125 / (0.125 + 0.25 / 0.001**0.5)
        assert taken == pytest.approx(after if "after bias" in said[place] else before, rel=1e-5)


def test_dropout():
    import keras
    import torch

    said, ones = decoder.WORDS["noise"], np.ones((4, 3), np.float32)
    assert str(torch.nn.Dropout().p) == said["by default"][0]
    assert inspect.signature(keras.layers.Dropout).parameters["rate"].default is inspect.Parameter.empty
    assert not torch.nn.Dropout(1.0)(torch.ones(4, 3)).any()
    assert not np.any(keras.layers.Dropout(1.0)(ones, training=True))
    for layer in (keras.layers.GaussianDropout, keras.layers.AlphaDropout):
        assert layer.__name__ in said["a rate of 1"][1]
        with pytest.raises(ZeroDivisionError):
            layer(1.0)(ones, training=True)
    shared = np.asarray(keras.layers.Dropout(0.5, noise_shape=(4, 1), seed=1)(ones, training=True))
    assert np.all(np.ptp(shared, axis=1) == 0)
    assert 0 < np.count_nonzero(shared) < shared.size
    last = torch.nn.LSTM(1, 50, num_layers=1, batch_first=True)
    with pytest.warns(UserWarning, match="dropout"):
        alone = torch.nn.LSTM(1, 50, num_layers=1, batch_first=True, dropout=0.5)
    alone.load_state_dict(last.state_dict())
    torch.testing.assert_close(alone(torch.ones(1, 4, 1))[0], last(torch.ones(1, 4, 1))[0])


def test_recurrent_dropout_has_a_mask_a_gate():
    import keras

    for kind, gates in ((keras.layers.GRU, 3), (keras.layers.LSTM, 4)):
        cell = kind(8, recurrent_dropout=0.5).cell
        masks = cell.get_recurrent_dropout_mask(np.ones((1, 50), np.float32))
        assert len({tuple(np.ravel(mask)) for mask in masks}) == gates


def test_layers_and_averages():
    import keras
    import torch

    said = decoder.WORDS["layout"]
    assert tuple(torch.nn.Linear(3, 2).weight.shape) == (2, 3)
    dense = keras.layers.Dense(2)
    dense.build((None, 3))
    assert tuple(dense.kernel.shape) == (3, 2)
    for name, layers in (
        ("epsilon of batch norm", (torch.nn.BatchNorm1d(1).eps, keras.layers.BatchNormalization().epsilon)),
        ("epsilon of layer norm", (torch.nn.LayerNorm(1).eps, keras.layers.LayerNormalization().epsilon)),
    ):
        assert said[name][:2] == tuple(map(str, layers))
    momenta = (torch.nn.BatchNorm1d(1).momentum, keras.layers.BatchNormalization().momentum)
    assert tuple(text.split(", ")[1] for text in said["momentum of batch norm"][:2]) == tuple(map(str, momenta))
    assert len(list(torch.nn.LSTM(1, 1).parameters())) == 4  # two biases
    assert len(keras.layers.LSTMCell(1, dtype="float32").weights) == 0


def test_what_a_reported_number_contains():
    import keras

    x = np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
    layer = keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.5))
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(0.0, weight_decay=0.5), loss="mse", metrics=["mse"])
    seen = model.fit(x, 3 * x, validation_data=(x, 3 * x), batch_size=20, verbose=0).history
    penalty = 0.5 * float(np.sum(np.square(layer.kernel.numpy())))
    evaluated, metric = model.evaluate(x, 3 * x, verbose=0)
    assert metric == pytest.approx(float(np.mean((model.predict(x, verbose=0) - 3 * x) ** 2)), rel=1e-5)
    for loss in (seen["loss"][0], seen["val_loss"][0], evaluated):
        assert loss == pytest.approx(metric + penalty, rel=1e-5)


def test_activity_is_divided_by_the_batch():
    import keras

    for n in (2, 50):
        layer = keras.layers.Dense(5, kernel_initializer="ones", activity_regularizer=keras.regularizers.L2(0.01))
        layer(np.full((n, 5), 2.0, np.float32))
        assert float(layer.losses[0]) == pytest.approx(0.01 * 5 * 10**2, rel=1e-5)
