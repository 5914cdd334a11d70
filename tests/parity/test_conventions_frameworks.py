"""Each row of the decoder against the frameworks themselves: the same numbers out of both, converted either way."""

import keras
import numpy as np
import pytest
import sklearn.linear_model as sk
import torch

from reglib.convert import conventions as c

pytestmark = pytest.mark.usefixtures("keras_float64")

RNG = np.random.default_rng(0)
W = RNG.normal(size=(4, 3))
N, D = 40, 5
X = RNG.normal(size=(N, D))
Y = X @ np.array([2.0, -1.0, 0.0, 0.5, 0.0]) + 0.3 * RNG.normal(size=N)
LABELS = (Y > 0).astype(int)


def torch_decay_gradient(weight_decay, optimizer=torch.optim.SGD):
    """Return what PyTorch adds to a zero gradient, read off one step of SGD with learning rate 1."""
    w = torch.tensor(W, requires_grad=True)
    w.grad = torch.zeros_like(w)
    optimizer([w], lr=1.0, weight_decay=weight_decay).step()
    return W - w.detach().numpy()


def torch_gradient(penalty):
    w = torch.tensor(W, requires_grad=True)
    penalty(w).backward()
    return w.grad.numpy()


def keras_gradient(regularizer):
    """Return the gradient of a Keras regularizer at W."""
    import tensorflow as tf

    w = tf.Variable(W)
    with tf.GradientTape() as tape:
        value = regularizer(w)
    return tape.gradient(value, w).numpy()


def test_l2_and_torch_weight_decay():
    np.testing.assert_allclose(torch_decay_gradient(c.l2_to_torch_weight_decay(0.3)), 2 * 0.3 * W, atol=1e-12)
    l2 = c.torch_weight_decay_to_l2(0.3)
    np.testing.assert_allclose(torch_gradient(lambda w: l2 * w.square().sum()), torch_decay_gradient(0.3), atol=1e-12)


@pytest.mark.parametrize("strength", [0.125, 0.75])
def test_penalties_and_keras(strength):
    number = c.penalty_to_keras(strength)
    for regularizer, value, gradient in (
        (keras.regularizers.L2(number), strength * (W**2).sum(), 2 * strength * W),
        (keras.regularizers.L1(number), strength * np.abs(W).sum(), strength * np.sign(W)),
    ):
        assert float(regularizer(W)) == pytest.approx(value, abs=1e-12)
        np.testing.assert_allclose(keras_gradient(regularizer), gradient, atol=1e-12)
    both = keras.regularizers.L1L2(l1=number, l2=number)
    np.testing.assert_allclose(keras_gradient(both), strength * np.sign(W) + 2 * strength * W, atol=1e-12)
    # back: the number that Keras stores is the book's
    assert c.penalty_to_keras(float(keras.regularizers.L2(strength).l2)) == strength


def test_subgradient_at_zero_is_zero_in_both():
    import tensorflow as tf

    w = tf.Variable([0.0, -2.0], dtype="float64")
    with tf.GradientTape() as tape:
        value = keras.regularizers.L1(0.25)(w)
    np.testing.assert_array_equal(tape.gradient(value, w), [0.0, -0.25])
    tensor = torch.tensor([0.0, -2.0], requires_grad=True)
    (0.25 * tensor.abs().sum()).backward()
    np.testing.assert_array_equal(tensor.grad, [0.0, -0.25])


def test_half_the_square():
    half = c.l2_to_half_l2(0.3)
    np.testing.assert_allclose(torch_gradient(lambda w: half / 2 * w.square().sum()), 2 * 0.3 * W, atol=1e-12)
    back = c.half_l2_to_l2(3.0)
    np.testing.assert_allclose(
        torch_gradient(lambda w: 3.0 / 2 * w.square().sum()), keras_gradient(keras.regularizers.L2(back)), atol=1e-12
    )


def minimizer(reduction, l2):
    """Return the minimizer of PyTorch's squared error plus ``l2 * ||w||**2``: where its linear gradient is zero."""
    x, y = torch.tensor(X), torch.tensor(Y)

    def gradient(w):
        w = torch.tensor(w, requires_grad=True)
        loss = torch.nn.functional.mse_loss(x @ w, y, reduction=reduction) + l2 * w.square().sum()
        loss.backward()
        return w.grad.numpy()

    offset = gradient(np.zeros(D))
    slope = np.stack([gradient(unit) - offset for unit in np.eye(D)], axis=1)
    return np.linalg.solve(slope, -offset)


def test_mean_and_sum():
    np.testing.assert_allclose(minimizer("mean", 0.3), minimizer("sum", c.mean_to_sum(0.3, N)), rtol=1e-10)
    np.testing.assert_allclose(minimizer("sum", 7.0), minimizer("mean", c.sum_to_mean(7.0, N)), rtol=1e-10)


def slope_at(coef, intercept):
    """Return the gradient of the book's data loss ||y - Xw - b||^2 / (2N) with respect to w."""
    return -X.T @ (Y - X @ coef - intercept) / N


def test_ridge_both_ways():
    model = sk.Ridge(alpha=c.l2_to_ridge_alpha(0.3, N), tol=1e-12).fit(X, Y)
    np.testing.assert_allclose(slope_at(model.coef_, model.intercept_) + 2 * 0.3 * model.coef_, 0, atol=1e-10)
    model = sk.Ridge(alpha=3.0, tol=1e-12).fit(X, Y)
    l2 = c.ridge_alpha_to_l2(3.0, N)
    np.testing.assert_allclose(slope_at(model.coef_, model.intercept_) + 2 * l2 * model.coef_, 0, atol=1e-10)


def test_lasso_both_ways():
    for l1, alpha in ((0.3, c.l1_to_lasso_alpha(0.3)), (c.lasso_alpha_to_l1(0.2), 0.2)):
        model = sk.Lasso(alpha=alpha, tol=1e-14, max_iter=100_000).fit(X, Y)
        slope, on = slope_at(model.coef_, model.intercept_), model.coef_ != 0
        assert 0 < on.sum() < D
        np.testing.assert_allclose(slope[on], -l1 * np.sign(model.coef_[on]), atol=1e-8)
        assert np.all(np.abs(slope[~on]) <= l1 + 1e-8)


def test_elastic_net_both_ways():
    for (l1, l2), (alpha, ratio) in (
        ((0.2, 0.1), c.elastic_net_to_sklearn(0.2, 0.1)),
        (c.sklearn_to_elastic_net(0.3, 0.6), (0.3, 0.6)),
    ):
        model = sk.ElasticNet(alpha=alpha, l1_ratio=ratio, tol=1e-14, max_iter=100_000).fit(X, Y)
        slope, on = slope_at(model.coef_, model.intercept_) + 2 * l2 * model.coef_, model.coef_ != 0
        assert on.any()
        np.testing.assert_allclose(slope[on], -l1 * np.sign(model.coef_[on]), atol=1e-8)


def test_logistic_regression_both_ways():
    for l2, big_c in ((0.05, c.l2_to_logistic_c(0.05, N)), (c.logistic_c_to_l2(0.7, N), 0.7)):
        model = sk.LogisticRegression(C=big_c, tol=1e-12, max_iter=10_000, solver="newton-cholesky").fit(X, LABELS)
        coef = model.coef_[0]
        probability = 1 / (1 + np.exp(-(X @ coef + model.intercept_[0])))
        gradient = X.T @ (probability - LABELS) / N + 2 * l2 * coef
        np.testing.assert_allclose(gradient, 0, atol=1e-9)


def test_sgd_classifier_both_ways():
    """Three of its steps, example by example, are three steps on the book's objective."""
    for l2, alpha in ((0.15, c.l2_to_sgd_classifier_alpha(0.15)), (c.sgd_classifier_alpha_to_l2(0.4), 0.4)):
        model = sk.SGDClassifier(
            loss="log_loss", alpha=alpha, learning_rate="constant", eta0=0.25, fit_intercept=False, shuffle=False
        )
        w = np.zeros(D)
        for x, label in zip(X[:3], LABELS[:3], strict=True):
            model.partial_fit(x[None], [label], classes=[0, 1])
            w = w - 0.25 * ((1 / (1 + np.exp(-x @ w)) - label) * x + 2 * l2 * w)
            np.testing.assert_allclose(model.coef_[0], w, atol=1e-12)


def decayed(optimizer_step):
    """Return the factor by which one step with a zero gradient multiplies the weights."""
    return float(np.mean(optimizer_step() / W))


def keras_step(optimizer, gradient=0.0):
    variable = keras.Variable(W, dtype="float64")
    optimizer.apply([keras.ops.convert_to_tensor(np.full_like(W, gradient))], [variable])
    return variable.numpy()


def torch_step(optimizer, **options):
    w = torch.tensor(W, requires_grad=True)
    w.grad = torch.zeros_like(w)
    optimizer([w], **options).step()
    return w.detach().numpy()


def test_adamw_of_both_and_of_the_paper():
    paper = c.adamw_to_paper_decay(0.125, 0.25)
    assert decayed(lambda: torch_step(torch.optim.AdamW, lr=0.25, weight_decay=0.125)) == pytest.approx(1 - paper)
    assert decayed(lambda: keras_step(keras.optimizers.AdamW(0.25, weight_decay=0.125))) == pytest.approx(1 - paper)
    back = c.paper_to_adamw_decay(0.0625, 0.5)
    assert decayed(lambda: torch_step(torch.optim.AdamW, lr=0.5, weight_decay=back)) == pytest.approx(1 - 0.0625)


def sgd_paths(momentum):
    """Return two steps of PyTorch's and of Keras' SGD with the same decay and gradients."""
    w = torch.tensor(W, requires_grad=True)
    theirs = torch.optim.SGD([w], lr=0.25, momentum=momentum, weight_decay=0.125)
    variable = keras.Variable(W, dtype="float64")
    keras_sgd = keras.optimizers.SGD(0.25, momentum=momentum, weight_decay=0.125)
    for gradient in (np.ones_like(W), -np.ones_like(W)):
        w.grad = torch.tensor(gradient)
        theirs.step()
        keras_sgd.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    return w.detach().numpy(), variable.numpy()


def test_decay_in_sgd_agrees_without_momentum_alone():
    assert c.torch_sgd_to_keras_sgd(0.125) == c.keras_sgd_to_torch_sgd(0.125) == 0.125
    np.testing.assert_allclose(*sgd_paths(0.0), atol=1e-12)
    a, b = sgd_paths(0.5)
    assert np.abs(a - b).max() > 1e-3
    with pytest.raises(ValueError, match="momentum must be 0"):
        c.torch_sgd_to_keras_sgd(0.125, 0.5)


def test_half_life():
    decay = c.half_life_to_decay(10, 0.5)
    w = torch.tensor(W, requires_grad=True)
    optimizer = torch.optim.AdamW([w], lr=0.5, weight_decay=decay)
    for _ in range(10):
        w.grad = torch.zeros_like(w)
        optimizer.step()
    np.testing.assert_allclose(w.detach().numpy(), W / 2, rtol=1e-10)
    assert c.decay_to_half_life(decay, 0.5) == pytest.approx(10)


def test_decay_over_steps():
    decay = c.factor_to_decay(0.3, 0.5, 7)
    w = torch.tensor(W, requires_grad=True)
    theirs, variable = torch.optim.AdamW([w], lr=0.5, weight_decay=decay), keras.Variable(W, dtype="float64")
    keras_adamw = keras.optimizers.AdamW(0.5, weight_decay=decay)
    for _ in range(7):
        w.grad = torch.zeros_like(w)
        theirs.step()
        keras_adamw.apply([keras.ops.zeros_like(variable)], [variable])
    np.testing.assert_allclose(w.detach().numpy(), 0.3 * W, rtol=1e-12)
    np.testing.assert_allclose(variable.numpy(), 0.3 * W, rtol=1e-6)  # Keras rounds the decay to float32
    assert c.decay_to_factor(decay, 0.5, 7) == pytest.approx(0.3)


def adam_steps(gradients, torch_epsilon, keras_epsilon):
    """Return W after PyTorch's and after Keras' Adam, each with its own epsilon."""
    w, variable = torch.tensor(W, requires_grad=True), keras.Variable(W, dtype="float64")
    theirs = torch.optim.Adam([w], lr=0.25, betas=(0.875, 0.75), eps=torch_epsilon)
    keras_adam = keras.optimizers.Adam(0.25, beta_1=0.875, beta_2=0.75, epsilon=keras_epsilon)
    for gradient in gradients:
        w.grad = torch.tensor(gradient)
        theirs.step()
        keras_adam.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    return w.detach().numpy(), variable.numpy()


def test_epsilon_of_adam_converts_at_one_step_and_not_for_a_run():
    first, second = RNG.normal(size=W.shape), RNG.normal(size=W.shape)
    np.testing.assert_allclose(*adam_steps([first], 0.5, c.epsilon_to_raw(0.5, 0.75, 1)), atol=1e-12)
    np.testing.assert_allclose(*adam_steps([first], c.epsilon_to_corrected(0.5, 0.75, 1), 0.5), atol=1e-12)
    a, b = adam_steps([first], 0.5, 0.5)
    assert np.abs(a - b).max() > 1e-3
    a, b = adam_steps([first, second], 0.5, c.epsilon_to_raw(0.5, 0.75, 1))
    assert np.abs(a - b).max() > 1e-3


def test_defaults():
    torchs, kerass = c.framework_defaults("torch"), c.framework_defaults("keras")
    parameter = [torch.zeros(1, requires_grad=True)]
    assert torchs == {
        "adamw_weight_decay": torch.optim.AdamW(parameter).defaults["weight_decay"],
        "adam_epsilon": torch.optim.Adam(parameter).defaults["eps"],
        "layer_norm_epsilon": torch.nn.LayerNorm(1).eps,
        "batch_norm_epsilon": torch.nn.BatchNorm1d(1).eps,
        "batch_norm_momentum": torch.nn.BatchNorm1d(1).momentum,
    }
    assert kerass == {
        "adamw_weight_decay": keras.optimizers.AdamW().weight_decay,
        "adam_epsilon": keras.optimizers.Adam().epsilon,
        "layer_norm_epsilon": keras.layers.LayerNormalization().epsilon,
        "batch_norm_epsilon": keras.layers.BatchNormalization().epsilon,
        "batch_norm_momentum": keras.layers.BatchNormalization().momentum,
    }


SEQUENCE, HIDDEN = (2, 5, 3), 4


def both_lstms():
    """Return PyTorch's LSTM and Keras', of the same sizes, each with its own random start."""
    theirs = torch.nn.LSTM(SEQUENCE[-1], HIDDEN, batch_first=True, dtype=torch.float64)
    kerass = keras.layers.LSTM(HIDDEN, return_sequences=True, bias_initializer="random_normal")
    kerass.build((None, *SEQUENCE[1:]))
    return theirs, kerass


def lstm_outputs(theirs, kerass):
    x = RNG.normal(size=SEQUENCE)
    return theirs(torch.tensor(x))[0].detach().numpy(), kerass(x).numpy()


def test_lstm_from_torch():
    theirs, kerass = both_lstms()
    kerass.set_weights(c.lstm_torch_to_keras(*(parameter.detach().numpy() for parameter in theirs.parameters())))
    np.testing.assert_allclose(*lstm_outputs(theirs, kerass), atol=1e-12)


def test_lstm_from_keras():
    theirs, kerass = both_lstms()
    arrays = c.lstm_keras_to_torch(*kerass.get_weights())
    with torch.no_grad():
        for parameter, array in zip(theirs.parameters(), arrays, strict=True):
            parameter.copy_(torch.tensor(array))
    np.testing.assert_allclose(*lstm_outputs(theirs, kerass), atol=1e-12)


def test_order_of_gates_in_tensorflows_own_block():
    """The fused LSTM of TensorFlow 1 holds i, c, f, o on one kernel over [x, h]; it knows float32 alone."""
    import tensorflow as tf

    cell = keras.layers.LSTMCell(HIDDEN, bias_initializer="random_normal", dtype="float32")
    cell.build((None, 3))
    x, h, state = (RNG.normal(size=(2, size)).astype(np.float32) for size in (3, HIDDEN, HIDDEN))
    kernel, recurrent, bias = cell.get_weights()
    none = np.zeros(HIDDEN, np.float32)
    block = tf.raw_ops.LSTMBlockCell(
        x=x,
        cs_prev=state,
        h_prev=h,
        w=c.reorder_gates(np.concatenate([kernel, recurrent]), "ifgo", "igfo"),
        wci=none,
        wcf=none,
        wco=none,
        b=c.reorder_gates(bias, "ifgo", "igfo"),
        forget_bias=0.0,
        cell_clip=-1.0,
        use_peephole=False,
    )
    output, (_, carried) = cell(x, [h, state])
    np.testing.assert_allclose(block.h, output, atol=1e-6)
    np.testing.assert_allclose(block.cs, carried, atol=1e-6)
    np.testing.assert_array_equal(c.reorder_gates(c.reorder_gates(kernel, "ifgo", "igfo"), "igfo", "ifgo"), kernel)


def test_rate_and_keep():
    ones = np.ones((200, 500))
    for rate in (c.keep_to_rate(0.8), 0.2):
        torch.manual_seed(0)
        torchs = torch.nn.Dropout(rate)(torch.tensor(ones)).numpy()
        kerass = keras.layers.Dropout(rate, seed=0)(ones, training=True).numpy()
        for dropped in (torchs, kerass):
            # 100,000 draws: 0.01 is more than seven standard deviations of the share.
            assert np.mean(dropped == 0) == pytest.approx(rate, abs=0.01)
            np.testing.assert_allclose(dropped[dropped != 0], 1 / c.rate_to_keep(rate), rtol=1e-12)


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8])
def test_gaussian_dropout(rate):
    noise = keras.layers.GaussianDropout(rate, seed=1)(np.ones((300, 1000)), training=True).numpy()
    assert noise.std() == pytest.approx(c.rate_to_noise_std(rate), rel=0.01)
    assert noise.mean() == pytest.approx(1.0, abs=0.02)
    assert c.noise_std_to_rate(noise.std()) == pytest.approx(rate, abs=0.01)


def test_axes_of_a_convolution():
    first = torch.nn.Conv2d(3, 4, 1)(torch.zeros(2, 3, 5, 6)).shape
    last = keras.layers.Conv2D(4, 1, data_format="channels_last")(np.zeros((2, 5, 6, 3))).shape
    assert c.to_channels_last(tuple(first)) == tuple(last)
    assert c.to_channels_first(tuple(last)) == tuple(first)


def varies_along(values):
    """Return the shape of the smallest array that broadcasts to ``values``."""
    shape = []
    for axis, size in enumerate(values.shape):
        first = np.take(values, [0], axis=axis)
        shape.append(1 if np.array_equal(values, np.broadcast_to(first, values.shape)) else size)
    return tuple(shape)


@pytest.mark.parametrize(
    ("torch_layer", "keras_layer", "sizes"),
    [
        (torch.nn.Dropout1d, keras.layers.SpatialDropout1D, (7,)),
        (torch.nn.Dropout2d, keras.layers.SpatialDropout2D, (5, 6)),
        (torch.nn.Dropout3d, keras.layers.SpatialDropout3D, (2, 3, 4)),
    ],
)
def test_masks_of_spatial_dropout(torch_layer, keras_layer, sizes):
    first, last = (8, 9, *sizes), (8, *sizes, 9)
    torch.manual_seed(0)
    noise = torch_layer(0.5)(torch.ones(first)).numpy()
    assert varies_along(noise) == c.spatial_noise_shape(first, "first")
    noise = keras_layer(0.5, seed=0)(np.ones(last), training=True).numpy()
    assert varies_along(noise) == c.spatial_noise_shape(last, "last")


def test_dense_weights():
    linear = torch.nn.Linear(3, 2, dtype=torch.float64)
    dense = keras.layers.Dense(2)
    dense.build((None, 3))
    weight = linear.weight.detach().numpy()
    dense.set_weights([c.transpose_dense(weight), linear.bias.detach().numpy()])
    x = RNG.normal(size=(4, 3))
    np.testing.assert_allclose(dense(x).numpy(), linear(torch.tensor(x)).detach().numpy(), atol=1e-12)
    np.testing.assert_array_equal(c.transpose_dense(dense.kernel.numpy()), weight)


def test_batch_norm_momentum():
    x = RNG.normal(3.0, 2.0, size=(50, 4))
    for torch_momentum in (0.125, c.flip_batch_norm_momentum(0.875)):
        torchs = torch.nn.BatchNorm1d(4, momentum=torch_momentum, dtype=torch.float64)
        torchs(torch.tensor(x))
        kerass = keras.layers.BatchNormalization(momentum=c.flip_batch_norm_momentum(torch_momentum))
        kerass(x, training=True)
        np.testing.assert_allclose(kerass.moving_mean.numpy(), torchs.running_mean.numpy(), atol=1e-14)
        kept, share = 1 - torch_momentum, torch_momentum
        np.testing.assert_allclose(kerass.moving_variance.numpy(), kept + share * x.var(axis=0), atol=1e-14)
        np.testing.assert_allclose(torchs.running_var.numpy(), kept + share * x.var(axis=0, ddof=1), atol=1e-14)
