"""Optimizers: hand-computed steps, what the decay passes through, replicas, and clear errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reglib.layers.cells import GRU
from reglib.nets.sequence import Sequence
from reglib.train.optim import SGD, Adam, AdamW, State
from tests.conftest import exactly

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
    assert (Adam().l2, Adam().epsilon_at, Adam().decay_on, AdamW().scale_decay) == (0.0, "corrected", "all", True)
    assert AdamW().decay_on == "all"
    plain = SGD(0.1)
    assert (plain.momentum, plain.nesterov, plain.l2, plain.weight_decay) == (0.0, False, 0.0, 0.0)
    assert (plain.decoupled, plain.scale_decay, plain.decay_on) == (False, True, "all")


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


# Which parameters decay


def recurrent():
    """Parameters of a recurrent network, none of which is 0."""
    rng = np.random.default_rng(0)
    params = Sequence(GRU(), 2, 3, 2).init(rng)
    return {name: array + rng.standard_normal(array.shape) for name, array in params.items()}


DECAYING = [
    (lambda **options: SGD(0.1, l2=0.25, **options), 0.95),
    (lambda **options: SGD(0.1, weight_decay=0.5, **options), 0.95),
    (lambda **options: SGD(0.1, weight_decay=0.5, decoupled=True, **options), 0.95),
    (lambda **options: SGD(0.1, momentum=0.5, weight_decay=0.5, **options), 0.95),
    (lambda **options: AdamW(0.1, weight_decay=0.5, **options), 0.95),
    (lambda **options: AdamW(0.1, weight_decay=0.5, scale_decay=False, **options), 0.5),
]


@pytest.mark.parametrize(("make", "factor"), DECAYING)
@pytest.mark.parametrize(
    ("on", "chosen"),
    [
        ("all", ("w_x", "w_h", "b", "b_h", "w_out", "b_out")),
        ("weight", ("w_x", "w_h", "w_out")),
        ("recurrent", ("w_h",)),
        (("input", "b_out"), ("w_x", "b_out")),
        (["b"], ("b",)),
    ],
)
def test_decay_on_chooses_by_role_place_and_name(make, factor, on, chosen):
    params = recurrent()
    zeros = {name: np.zeros_like(array) for name, array in params.items()}
    after = run(make(decay_on=on), params, [zeros])
    assert list(after) == list(params)
    for name, array in params.items():
        np.testing.assert_allclose(after[name], factor * array if name in chosen else array, rtol=1e-15)


@pytest.mark.parametrize("on", ["weight", "all"])
def test_adams_coupled_decay_is_chosen_too(on):
    """A whole step for what decays at a gradient of zero, none for the rest."""
    params = recurrent()
    zeros = {name: np.zeros_like(array) for name, array in params.items()}
    for optimizer in (Adam(0.1, weight_decay=0.3, decay_on=on), Adam(0.1, l2=0.3, decay_on=on)):
        after = run(optimizer, params, [zeros])
        for name, array in params.items():
            moved = 0.1 * np.sign(array) if on == "all" or name.startswith("w") else 0
            np.testing.assert_allclose(after[name], array - moved, rtol=1e-6, atol=1e-6)


def test_a_choice_of_parameters_that_is_none_is_an_error():
    params = recurrent()
    message = (
        "on must hold roles, places or names of the parameters w_x, w_h, b, b_h, w_out, b_out, or be 'all'; got 'gain'"
    )
    optimizer = AdamW(decay_on=("weight", "gain"))
    state = AdamW().init(params)
    for call in (lambda: optimizer.init(params), lambda: optimizer.step(params, params, state)):
        with pytest.raises(ValueError, match=exactly(message)):
            call()
    message = "params must be a dict by name where on chooses some of them, or on=\"all\"; got 'weight'"
    with pytest.raises(TypeError, match=exactly(message)):
        SGD(0.1, decay_on="weight").init([W])
    for wrong in (None, 1, ("weight", None), True):
        message = f"decay_on must be a role, a place or a name of parameters, or a tuple of these; got {wrong!r}"
        for make in (lambda on: SGD(0.1, decay_on=on), lambda on: Adam(decay_on=on), lambda on: AdamW(decay_on=on)):
            with pytest.raises(TypeError, match=exactly(message)):
                make(wrong)


# Parameters without a gradient

EVERY = [
    SGD(0.1, weight_decay=0.5),
    SGD(0.1, momentum=0.9, l2=0.5),
    SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.5, decoupled=True),
    Adam(0.1, weight_decay=0.5),
    AdamW(0.1, weight_decay=0.5),
    AdamW(0.1, weight_decay=0.5, epsilon_at="raw", scale_decay=False),
]


@pytest.mark.parametrize("optimizer", EVERY)
def test_a_parameter_without_a_gradient_is_not_trained_and_not_decayed(optimizer):
    """None is no zero: at a gradient of zero a parameter decays, and its momentum goes on."""
    params, state = [W, W], optimizer.init([W, W])
    params, state = optimizer.step(params, [G1, G1], state)
    after, later = optimizer.step(params, [G2, None], state)
    np.testing.assert_array_equal(after[1], params[1])
    assert later.counts == [2, 1]
    for new, old in zip(later.slots[1], state.slots[1], strict=True):
        np.testing.assert_array_equal(new, old)
    np.testing.assert_array_equal(after[0], one(optimizer))
    moved, _ = optimizer.step(params, [G2, np.zeros(2)], state)
    assert (moved[1] != params[1]).all()


@pytest.mark.parametrize("optimizer", EVERY)
def test_a_parameter_whose_gradient_is_missing_now_and_then_goes_on_as_if_there_had_been_no_such_step(optimizer):
    """With its own count of steps: Adam's correction for a start at zero is that of its own start."""
    rng = np.random.default_rng(0)
    gradients = [{"w": rng.normal(size=2), "b": rng.normal(size=2)} for _ in range(6)]
    missing = [{"w": g["w"], "b": None if t in (0, 1, 4) else g["b"]} for t, g in enumerate(gradients)]
    both = run(optimizer, {"w": W, "b": -W}, missing)
    np.testing.assert_array_equal(both["w"], one(optimizer, gradients=[g["w"] for g in gradients]))
    kept = [g["b"] for t, g in enumerate(gradients) if t not in (0, 1, 4)]
    np.testing.assert_array_equal(both["b"], one(optimizer, -W, gradients=kept))


def test_nothing_is_trained_where_no_gradient_is_given():
    for optimizer in EVERY:
        params = {"w": W, "b": G1}
        state = optimizer.init(params)
        after, later = optimizer.step(params, {"w": None, "b": None}, state)
        assert after["w"] is W
        assert after["b"] is G1
        assert later.counts == {"w": 0, "b": 0}


# Dicts and lists


@pytest.mark.parametrize("optimizer", EVERY)
def test_a_dict_is_trained_as_a_list_is(optimizer):
    rng = np.random.default_rng(0)
    params = {"w1": rng.normal(size=(3, 2)), "b1": rng.normal(size=2)}
    gradients = [{name: rng.normal(size=array.shape) for name, array in params.items()} for _ in range(3)]
    named = run(optimizer, params, gradients)
    listed = run(optimizer, list(params.values()), [list(grads.values()) for grads in gradients])
    assert isinstance(listed, list)
    assert list(named) == ["w1", "b1"]
    for name, array in zip(params, listed, strict=True):
        np.testing.assert_array_equal(named[name], array)
    as_tuple = run(optimizer, tuple(params.values()), [tuple(grads.values()) for grads in gradients])
    np.testing.assert_array_equal(as_tuple[0], listed[0])


def test_the_state_counts_and_remembers_by_name():
    params = {"w1": W, "b1": G1}
    for optimizer, memory in ((SGD(0.1), 0), (SGD(0.1, momentum=0.5), 1), (Adam(), 2)):
        state = optimizer.init(params)
        assert state.counts == {"w1": 0, "b1": 0}
        assert {name: len(slots) for name, slots in state.slots.items()} == {"w1": memory, "b1": memory}
        _, state = optimizer.step(params, params, state)
        assert state.counts == {"w1": 1, "b1": 1}


# Replicas


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
    assert state.counts == [0]
    assert later.counts == [1]
    assert all(not slot.any() for slot in state.slots[0])


@pytest.mark.parametrize("epsilon_at", ["corrected", "raw"])
@pytest.mark.parametrize("beta2", [0.999, 0.99999, 1 - 1e-7])
def test_betas_close_to_one_in_single_precision(beta2, epsilon_at):
    """1 - beta and 1 - beta**t are computed in double precision and rounded once; from float32 betas they were far off.

    With gradients of one sign v moves by 1 - beta2 of its size a step, so that an error there is one of the step.
    """
    rng = np.random.default_rng(0)
    w, gradients = rng.normal(size=20), rng.uniform(0.5, 2, size=(10, 20))
    optimizer = Adam(0.1, beta1=0.99, beta2=beta2, epsilon_at=epsilon_at, epsilon=1e-8)
    exact = one(optimizer, w, gradients)
    single = one(optimizer, w.astype(np.float32), gradients.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single - w, exact - w, rtol=2e-6)


def test_an_epsilon_that_vanishes_in_single_precision_is_named():
    w, g = W.astype(np.float32), np.zeros(2, np.float32)
    for optimizer in (Adam(epsilon=1e-50), AdamW(epsilon=1e-50), Adam(epsilon=1e-50, epsilon_at="raw")):
        with pytest.raises(
            ValueError, match=exactly("epsilon must stay above 0 in the parameters' dtype, float32; got 1e-50")
        ):
            one(optimizer, w, [g])
        np.testing.assert_array_equal(one(optimizer, W, [np.zeros(2)]), (1 - 0.001 * optimizer.weight_decay) * W)
    many = np.array([1e-8, 1e-50])
    with pytest.raises(
        ValueError, match=exactly(f"epsilon must stay above 0 in the parameters' dtype, float32; got {many!r}")
    ):
        one(Adam(epsilon=many), np.stack([w, w]), [np.stack([g, g])])
    np.testing.assert_array_equal(one(Adam(epsilon=1e-30), w, [g]), w)


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
    (Adam(), Adam().init({"w": W})),
    (Adam(), None),
    (Adam(), (0, [])),
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


def test_a_state_by_name_is_not_that_of_a_list_or_of_other_names():
    for other in ([W], {"b": W}, {"w": W, "b": W}, {"w": np.zeros(3)}):
        with pytest.raises(ValueError, match=r"^state must come from init with the same 1 parameters; got State"):
            Adam().step({"w": W}, {"w": G1}, Adam().init(other))


def test_plain_sgd_remembers_nothing():
    state = SGD(0.1).init([W])
    assert isinstance(state, State)
    assert state.slots == [()]


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
            r"grads\[0\] must have the parameter's shape, \(2,\); got \(3,\)$",
        ),
        (
            lambda: SGD(0.1).step({"w": W}, {"w": np.zeros((2, 1))}, SGD(0.1).init({"w": W})),
            r"the gradient of w must have the parameter's shape, \(2,\); got \(2, 1\)$",
        ),
        (
            lambda: SGD(0.1).step([W], [G1, G1], SGD(0.1).init([W])),
            r"grads must have 1 arrays, as params has; got list of 2$",
        ),
        (
            lambda: SGD(0.1).step({"w": W, "b": W}, {"b": G1, "w": G1}, SGD(0.1).init({"w": W, "b": W})),
            r"grads must have the names w, b, as params has; got b, w$",
        ),
        (
            lambda: SGD(0.1).step({"w": W}, {"b": G1}, SGD(0.1).init({"w": W})),
            r"grads must have the names w, as params has; got b$",
        ),
        (
            lambda: SGD(0.1).step({"w": W}, [G1], SGD(0.1).init({"w": W})),
            r"grads must have the names w, as params has; got list of 1$",
        ),
        (
            lambda: SGD(0.1).step([W], {"w": G1}, SGD(0.1).init([W])),
            r"grads must have 1 arrays, as params has; got w$",
        ),
        (lambda: SGD(0.1).step([W], [G1], None), r"state must come from init with the same 1 parameters; got None"),
        (lambda: SGD(0.1).step([W], [G1], SGD(0.1).init([W, W])), r"state must come from init with the same 1 param"),
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
        (lambda: SGD(0.1, momentum=0.5, nesterov="no"), r"nesterov must be True or False, got 'no'$"),
        (lambda: SGD(0.1, decoupled=1), r"decoupled must be True or False, got 1$"),
        (lambda: AdamW(scale_decay=0.0), r"scale_decay must be True or False, got 0\.0$"),
        (
            lambda: SGD(0.1).step([W, W], [G1, G1.astype(np.float32)], SGD(0.1).init([W, W])),
            r"grads\[1\] must have the parameter's dtype, float64; got float32$",
        ),
        (
            lambda: SGD(0.1).step({"w": W}, {"w": G1.astype(np.float32)}, SGD(0.1).init({"w": W})),
            r"the gradient of w must have the parameter's dtype, float64; got float32$",
        ),
        (lambda: SGD(0.1).init(W), r"params must be a dict or a list of arrays, got ndarray$"),
        (lambda: Adam().init([W.astype(np.float16)]), r"params\[0\] must hold floating-point numbers .* float16;"),
        (lambda: Adam().init({"w": W, "b": W > 0}), r"b must hold floating-point numbers .* got dtype bool;"),
        (
            lambda: SGD(0.1).step({"w": W}, {"w": np.array([1, 2])}, SGD(0.1).init({"w": W})),
            r"the gradient of w must hold floating-point",
        ),
        (lambda: SGD(0.1).init([np.array([1, 2])]), r"params\[0\] must hold floating-point numbers"),
        (lambda: SGD(0.1).step([np.array([1, 2])], [G1], None), r"params\[0\] must hold floating-point numbers"),
        (lambda: SGD(0.1).step([W], [np.array([1, 2])], SGD(0.1).init([W])), r"grads\[0\] must hold floating-point"),
        (lambda: SGD(0.1).step([W], G1, SGD(0.1).init([W])), r"grads must be a dict or a list of arrays, got ndarray$"),
        (
            lambda: SGD(0.1).step([W], None, SGD(0.1).init([W])),
            r"grads must be a dict or a list of arrays, got NoneType$",
        ),
    ],
)
def test_bad_types_are_named(make, message):
    with pytest.raises(TypeError, match="^" + message):
        make()
