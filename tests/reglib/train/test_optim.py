"""Optimizers: hand-computed steps, what the decay passes through, replicas, and clear errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reglib.train.optim import SGD, Adam, AdamW

W, G1, G2 = np.array([2.0, -1.0]), np.array([0.5, 3.0]), np.array([-1.0, 0.25])


def run(optimizer, params, gradients, **options):
    state = optimizer.init(params)
    for grads in gradients:
        params, state = optimizer.step(params, grads, state, **options)
    return params


def one(optimizer, w=W, gradients=(G1, G2), **options):
    return run(optimizer, [w], [[g] for g in gradients], **options)[0]


def test_sgd_by_hand():
    np.testing.assert_allclose(one(SGD(0.1)), W - 0.1 * G1 - 0.1 * G2, rtol=1e-15)


def test_momentum_by_hand():
    velocity = 0.8 * G1 + G2
    np.testing.assert_allclose(one(SGD(0.1, momentum=0.8)), W - 0.1 * G1 - 0.1 * velocity, rtol=1e-15)


def test_nesterov_by_hand():
    first, second = G1, 0.8 * G1 + G2
    expected = W - 0.1 * (G1 + 0.8 * first) - 0.1 * (G2 + 0.8 * second)
    np.testing.assert_allclose(one(SGD(0.1, momentum=0.8, nesterov=True)), expected, rtol=1e-15)


def test_nesterov_walks_the_look_ahead_points_of_the_paper():
    curvature, theta, v = np.array([0.5, 3.0]), W, np.zeros(2)
    w, optimizer = [W], SGD(0.1, momentum=0.8, nesterov=True)
    state = optimizer.init(w)
    for _ in range(6):
        w, state = optimizer.step(w, [curvature * w[0]], state)
        v = 0.8 * v - 0.1 * curvature * (theta + 0.8 * v)
        theta = theta + v
        np.testing.assert_allclose(w[0], theta + 0.8 * v, rtol=1e-12)


def test_adam_first_step_is_the_sign_of_the_gradient():
    step = one(Adam(0.1, epsilon=1e-300), gradients=[G1]) - W
    np.testing.assert_allclose(step, -0.1 * np.sign(G1), rtol=1e-12)


@pytest.mark.parametrize("epsilon_at", ["corrected", "raw"])
def test_adam_by_hand(epsilon_at):
    w, m, v = W, 0.0, 0.0
    for t, g in enumerate((G1, G2), start=1):
        m, v = 0.7 * m + 0.3 * g, 0.9 * v + 0.1 * g**2
        if epsilon_at == "corrected":
            w = w - 0.1 * m / (1 - 0.7**t) / (np.sqrt(v / (1 - 0.9**t)) + 0.5)
        else:
            w = w - 0.1 * np.sqrt(1 - 0.9**t) / (1 - 0.7**t) * m / (np.sqrt(v) + 0.5)
    optimizer = Adam(0.1, beta1=0.7, beta2=0.9, epsilon=0.5, epsilon_at=epsilon_at)
    np.testing.assert_allclose(one(optimizer), w, rtol=1e-14)


def test_defaults():
    assert (Adam().learning_rate, Adam().beta1, Adam().beta2, Adam().epsilon) == (0.001, 0.9, 0.999, 1e-8)
    assert (Adam().weight_decay, AdamW().weight_decay) == (0.0, 0.01)
    assert (Adam().l2, Adam().epsilon_at, Adam().decay, AdamW().scale_decay) == (0.0, "corrected", None, True)
    plain = SGD(0.1)
    assert (plain.momentum, plain.nesterov, plain.l2, plain.weight_decay) == (0.0, False, 0.0, 0.0)
    assert (plain.decoupled, plain.scale_decay, plain.decay) == (False, True, None)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.8}, {"momentum": 0.8, "nesterov": True}])
def test_l2_is_half_of_coupled_weight_decay(options):
    np.testing.assert_allclose(
        one(SGD(0.1, l2=0.15, **options)), one(SGD(0.1, weight_decay=0.3, **options)), rtol=1e-15
    )
    np.testing.assert_allclose(one(Adam(0.1, l2=0.15)), one(Adam(0.1, weight_decay=0.3)), rtol=1e-15)


def test_coupled_decay_is_added_to_the_gradient():
    np.testing.assert_allclose(one(SGD(0.1, weight_decay=0.3), gradients=[G1]), W - 0.1 * (G1 + 0.3 * W), rtol=1e-15)


def test_decoupled_equals_coupled_for_plain_sgd_and_not_with_momentum():
    coupled, decoupled = SGD(0.1, weight_decay=0.3), SGD(0.1, weight_decay=0.3, decoupled=True)
    np.testing.assert_allclose(one(coupled), one(decoupled), rtol=1e-14)
    coupled = SGD(0.1, momentum=0.8, weight_decay=0.3)
    decoupled = SGD(0.1, momentum=0.8, weight_decay=0.3, decoupled=True)
    assert np.abs(one(coupled) - one(decoupled)).max() > 0.01


def test_decoupled_decay_stays_out_of_the_velocity():
    w = (1 - 0.1 * 0.3) * W - 0.1 * G1
    w = (1 - 0.1 * 0.3) * w - 0.1 * (0.8 * G1 + G2)
    np.testing.assert_allclose(one(SGD(0.1, momentum=0.8, weight_decay=0.3, decoupled=True)), w, rtol=1e-14)


def test_adamw_decays_and_then_takes_adams_step():
    adam_step = W - one(Adam(0.1), gradients=[G1])
    np.testing.assert_allclose(
        one(AdamW(0.1, weight_decay=0.3), gradients=[G1]), (1 - 0.03) * W - adam_step, rtol=1e-14
    )


def test_a_weight_without_gradient_decays_geometrically_under_adamw_and_by_whole_steps_under_adam():
    zero = [np.zeros(2)] * 3
    np.testing.assert_allclose(one(AdamW(0.1, weight_decay=0.3), gradients=zero), 0.97**3 * W, rtol=1e-14)
    np.testing.assert_allclose(one(Adam(0.1, weight_decay=0.3), gradients=zero[:1]), W - 0.1 * np.sign(W), rtol=1e-6)


@pytest.mark.parametrize(("optimizer", "options"), [(AdamW, {}), (SGD, {"decoupled": True})])
def test_the_papers_decay_leaves_the_learning_rate_out(optimizer, options):
    ours = optimizer(0.1, weight_decay=0.3, **options)
    paper = optimizer(0.1, weight_decay=0.03, scale_decay=False, **options)
    np.testing.assert_allclose(one(ours), one(paper), rtol=1e-14)


@pytest.mark.parametrize("scale_decay", [True, False])
def test_the_schedule_scales_step_and_decay(scale_decay):
    decay = 0.5 * (0.1 if scale_decay else 1.0) * 0.3
    optimizer = SGD(0.1, weight_decay=0.3, decoupled=True, scale_decay=scale_decay)
    expected = (1 - decay) * W - 0.05 * G1
    np.testing.assert_allclose(one(optimizer, gradients=[G1], multiplier=0.5), expected, rtol=1e-14)
    adam = W - one(Adam(0.1), gradients=[G1])
    np.testing.assert_allclose(one(Adam(0.1), gradients=[G1], multiplier=0.5), W - 0.5 * adam, rtol=1e-14)


@pytest.mark.parametrize(
    "optimizer", [SGD(0.1, l2=0.5, decay=(True, False)), AdamW(0.1, weight_decay=0.5, decay=(True, False))]
)
def test_decay_can_leave_parameters_out(optimizer):
    zeros = [np.zeros(2), np.zeros(3)]
    weights, biases = run(optimizer, [W, np.ones(3)], [zeros])
    assert np.all(np.abs(weights) < np.abs(W))
    np.testing.assert_array_equal(biases, np.ones(3))


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (SGD, {"momentum": np.array([0.0, 0.9, 0.5]), "l2": np.array([0.1, 0.0, 0.2])}),
        (SGD, {"weight_decay": np.array([0.1, 0.0, 0.2]), "decoupled": True}),
        (
            Adam,
            {
                "beta1": np.array([0.5, 0.9, 0.8]),
                "beta2": np.array([0.9, 0.99, 0.5]),
                "epsilon": np.array([1e-8, 1, 2]),
            },
        ),
        (AdamW, {"weight_decay": np.array([0.1, 0.0, 0.2])}),
    ],
)
def test_replicas_train_as_they_would_alone(optimizer, options):
    rng = np.random.default_rng(0)
    rates = np.array([0.1, 0.01, 0.3])
    params = [rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 4))]
    gradients = [[rng.normal(size=p.shape) for p in params] for _ in range(4)]
    together = run(optimizer(rates, **options), params, gradients)
    for s in range(3):
        own = {key: float(value[s]) if isinstance(value, np.ndarray) else value for key, value in options.items()}
        alone = run(optimizer(float(rates[s]), **own), [p[s] for p in params], [[g[s] for g in gs] for gs in gradients])
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(a[s], b, rtol=1e-14)


@pytest.mark.parametrize("optimizer", [SGD(0.1, momentum=0.9, l2=0.1), Adam(), AdamW()])
def test_float32_stays_and_nothing_changes_in_place(optimizer):
    params, grads = [W.astype(np.float32)], [G1.astype(np.float32)]
    state = optimizer.init(params)
    new, later = optimizer.step(params, grads, state)
    assert new[0].dtype == np.float32
    assert all(slot.dtype == np.float32 for slot in later.slots[0])
    np.testing.assert_array_equal(params[0], W.astype(np.float32))
    np.testing.assert_array_equal(grads[0], G1.astype(np.float32))
    assert state.count == 0
    assert later.count == 1
    assert all(not slot.any() for slot in state.slots[0])


@pytest.mark.parametrize("decay", [[True, False], (True, False)])
def test_coupled_decay_leaves_parameters_out_too(decay):
    after = run(SGD(0.1, weight_decay=0.5, decay=decay), [W, W], [[np.zeros(2), np.zeros(2)]])
    np.testing.assert_allclose(after, [0.95 * W, W], rtol=1e-15)


def test_a_state_serves_every_optimizer_with_the_same_memory():
    state = SGD(0.1, momentum=0.8).init([W])
    _, state = SGD(0.1, momentum=0.8).step([W], [G1], state)
    after, _ = SGD(0.2, momentum=0.5).step([W], [G2], state)
    np.testing.assert_allclose(after[0], W - 0.2 * (0.5 * G1 + G2), rtol=1e-15)


OTHER_STATES = [
    (SGD(0.1), SGD(0.1).init([W, W])),
    (SGD(0.1), Adam().init([W])),
    (SGD(0.1, momentum=0.5), SGD(0.1).init([W])),
    (Adam(), SGD(0.1, momentum=0.5).init([W])),
    (Adam(), Adam().init([np.zeros(1)])),
    (Adam(), None),
]


@pytest.mark.parametrize(("optimizer", "state"), OTHER_STATES)
def test_a_state_that_does_not_fit_is_refused(optimizer, state):
    with pytest.raises(ValueError, match=r"^state must come from init with the same 1 parameters; got "):
        optimizer.step([W], [G1], state)


@pytest.mark.parametrize("optimizer", [SGD(0.1, momentum=0.5, l2=0.1), AdamW()])
def test_a_replica_that_diverges_leaves_the_others_alone(optimizer):
    lost = np.array([np.nan, np.nan])
    (after,) = run(optimizer, [np.stack([W, lost])], [[np.stack([G1, lost])]])
    np.testing.assert_array_equal(after[0], one(optimizer, gradients=[G1]))
    assert np.isnan(after[1]).all()


def test_plain_sgd_remembers_nothing():
    assert SGD(0.1).init([W]).slots == [()]


@given(st.floats(0, 1), st.floats(0.001, 1), st.floats(0, 0.99))
def test_decay_alone_shrinks_and_keeps_the_sign(weight_decay, learning_rate, momentum):
    optimizer = SGD(learning_rate, momentum=momentum, weight_decay=weight_decay, decoupled=True)
    after = one(optimizer, gradients=[np.zeros(2)] * 3)
    np.testing.assert_allclose(after, (1 - learning_rate * weight_decay) ** 3 * W, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(-0.1), r"learning_rate must be a finite number in \[0, inf\], got -0\.1"),
        (lambda: SGD(np.nan), r"learning_rate must be a finite number in \[0, inf\], got nan"),
        (lambda: SGD(0.1, momentum=1.0), r"momentum must be a finite number in \[0, 1\), got 1\.0"),
        (lambda: SGD(0.1, momentum=-0.1), r"momentum must be a finite number in \[0, 1\), got -0\.1"),
        (lambda: SGD(0.1, l2=-1), r"l2 must be a finite number in \[0, inf\], got -1"),
        (lambda: SGD(0.1, weight_decay=np.inf), r"weight_decay must be a finite number in \[0, inf\], got inf"),
        (lambda: SGD(0.1, nesterov=True), r"nesterov=True needs momentum above 0, got momentum=0\.0"),
        (lambda: Adam(beta1=1.0), r"beta1 must be a finite number in \[0, 1\), got 1\.0"),
        (lambda: Adam(beta2=-0.5), r"beta2 must be a finite number in \[0, 1\), got -0\.5"),
        (lambda: Adam(epsilon=0.0), r"epsilon must be a finite number in \(0, inf\], got 0\.0"),
        (lambda: Adam(epsilon_at="inside"), r"epsilon_at must be one of 'corrected', 'raw'; got 'inside'"),
        (lambda: SGD(0.1).step([W], [G1], SGD(0.1).init([W]), multiplier=-1), r"multiplier must be a finite number"),
        (
            lambda: SGD(0.1).step([W], [np.zeros(3)], SGD(0.1).init([W])),
            r"grads must have the shapes of params, \[\(2,\)\]; got \[\(3,\)\]",
        ),
        (lambda: SGD(0.1).step([W], [G1], None), r"state must come from init with the same 1 parameters; got None"),
        (lambda: SGD(0.1).step([W], [G1], SGD(0.1).init([W, W])), r"state must come from init with the same 1 param"),
        (
            lambda: SGD(0.1, decay=(True,)).init([W, W]),
            r"decay must say True or False for each of 2 parameters, got \(True,\)",
        ),
        (
            lambda: SGD(np.array([0.1, 0.2, 0.3])).step([W], [G1], SGD(0.1).init([W])),
            r"learning_rate has shape \(3,\), one number a replica, so each parameter must have shape \(3, \.\.\.\)",
        ),
    ],
)
def test_bad_values_are_named(make, message):
    with pytest.raises(ValueError, match="^" + message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD("fast"), r"learning_rate must be a real number, got 'fast'"),
        (
            lambda: SGD(0.1, decay=(1, 0)),
            r"decay must be None or a sequence of True and False, one a parameter; got \(1, 0\)",
        ),
        (
            lambda: SGD(0.1, decay=True),
            r"decay must be None or a sequence of True and False, one a parameter; got True",
        ),
        (lambda: SGD(0.1, momentum=0.5, nesterov="no"), r"nesterov must be True or False, got 'no'$"),
        (lambda: SGD(0.1, decoupled=1), r"decoupled must be True or False, got 1$"),
        (lambda: AdamW(scale_decay=0.0), r"scale_decay must be True or False, got 0\.0$"),
        (
            lambda: SGD(0.1).step([W, W], [G1, G1.astype(np.float32)], SGD(0.1).init([W, W])),
            r"grads\[1\] must have the dtype of params\[1\], float64; got float32$",
        ),
        (lambda: SGD(0.1).init(W), r"params must be a list of arrays, got ndarray"),
        (lambda: SGD(0.1).init([np.array([1, 2])]), r"params\[0\] must hold floating-point numbers"),
        (lambda: SGD(0.1).step([np.array([1, 2])], [G1], None), r"params\[0\] must hold floating-point numbers"),
        (lambda: SGD(0.1).step([W], [np.array([1, 2])], SGD(0.1).init([W])), r"grads\[0\] must hold floating-point"),
        (lambda: SGD(0.1).step([W], G1, SGD(0.1).init([W])), r"grads must be a list of arrays, got ndarray"),
    ],
)
def test_bad_types_are_named(make, message):
    with pytest.raises(TypeError, match="^" + message):
        make()
