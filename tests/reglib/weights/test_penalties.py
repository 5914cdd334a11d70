"""Penalties: values by hand, gradients by differences, proximal steps against brute force."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reglib.layers.cells import GRU, LSTM, RNN
from reglib.layers.layer_norm_lstm import LayerNormLSTM
from reglib.nets.mlp import MLP
from reglib.nets.sequence import Sequence
from reglib.train.loop import train
from reglib.train.optim import SGD
from reglib.train.technique import Technique
from reglib.weights import penalties
from reglib.weights.penalties import L1, L2, ElasticNet, GroupLasso, group_soft_threshold, make, soft_threshold
from tests.conftest import exactly

W = np.array([[3.0, -4.0, 0.5], [0.0, 1.0, -0.25]])  # sum |w| = 8.75, sum w^2 = 26.3125
GROUPS = np.array([1, 0, 1])
numbers = st.floats(-5, 5).map(lambda number: round(number, 3))
strengths = st.floats(0.01, 3)
vectors = arrays(float, 3, elements=numbers)


def all_kinds(l1=0.7, l2=0.3):
    return [L1(l1), L2(l2), ElasticNet(l1, l2), GroupLasso(l1, GROUPS)]


kinds = st.builds(lambda l1, l2, which: all_kinds(l1, l2)[which], strengths, strengths, st.integers(0, 3))


def same(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


# Thresholds


def test_soft_threshold_by_hand():
    got = soft_threshold(np.array([3.0, -4.0, 0.5, -0.5, 1.0, 0.0, -1.25]), 1.0)
    same(got, [2, -3, 0, 0, 0, 0, -0.25])
    assert not np.signbit(got[3]), "an exact zero prints as 0, not -0"


def test_soft_threshold_takes_one_threshold_a_column():
    same(soft_threshold(W, np.array([1.0, 5.0, 0.25])), [[2, 0, 0.25], [0, 0, 0]])
    same(soft_threshold(W, np.array([[0.0], [0.5]])), [[3, -4, 0.5], [0, 0.5, 0]])


def test_group_soft_threshold_by_hand():
    w = np.array([[3.0, 1.0, -4.0], [0.3, -2.0, 0.4]])
    same(group_soft_threshold(w, 1.0, [0, 1, 0]), [[3 * 0.8, 0, -4 * 0.8], [0, -1, 0]])


def test_group_soft_threshold_leaves_no_negative_zero():
    got = group_soft_threshold(np.array([-0.3, -0.4, 2.0]), 1.0, [0, 0, 1])
    assert not np.signbit(got).any()
    same(got, [0, 0, 1])


def test_group_soft_threshold_takes_one_threshold_a_group():
    w = np.array([[3.0, 2.0, 4.0], [6.0, 8.0, 8.0]])
    same(group_soft_threshold(w, [2.5, 1.0], [0, 1, 0]), [[1.5, 1, 2], [6 * 0.75, 7, 8 * 0.75]])
    same(group_soft_threshold(w, [[0.0], [5.0]], [0, 1, 0]), [[3, 2, 4], [3, 3, 4]])


def test_a_group_at_its_threshold_is_zero():
    same(group_soft_threshold(np.array([3.0, 4.0]), 5.0, [0, 0]), [0, 0])
    same(group_soft_threshold(np.zeros(2), 0.0, [0, 0]), [0, 0])


def test_thresholds_keep_the_dtype_and_the_argument():
    w = np.array([1.0, -2.0], np.float32)
    for got in (soft_threshold(w, 0.5), group_soft_threshold(w, np.array([0.5, 0.25]), [0, 1])):
        assert got.dtype == np.float32
    assert w.tolist() == [1, -2]


def test_bad_thresholds():
    with pytest.raises(ValueError, match=exactly("threshold must be a finite number in [0, inf], got -0.1")):
        soft_threshold(W, -0.1)
    with pytest.raises(ValueError, match=r"^threshold must be a finite number in \[0, inf\], got nan$"):
        group_soft_threshold(W, np.nan, GROUPS)
    with pytest.raises(ValueError, match=exactly("threshold must broadcast to shape (2, 3); got shape (2,)")):
        soft_threshold(W, [1.0, 2.0])
    with pytest.raises(ValueError, match=exactly("threshold must broadcast to shape (2, 2); got shape (3,)")):
        group_soft_threshold(W, [1.0, 2.0, 3.0], GROUPS)
    with pytest.raises(ValueError, match=exactly("threshold must broadcast to shape (2,); got shape (3, 2)")):
        soft_threshold(W[0, :2], np.ones((3, 2)))
    with pytest.raises(TypeError, match=r"^w must hold floating-point numbers .* got dtype int(32|64); "):
        soft_threshold(np.array([1, 2]), 0.5)
    with pytest.raises(TypeError, match=r"^w must hold floating-point numbers .* got dtype int(32|64); "):
        group_soft_threshold(np.array([1, 2]), 0.5, [0, 1])
    with pytest.raises(ValueError, match=exactly("groups must have shape (3,), the last axis of w; got (2,)")):
        group_soft_threshold(W, 1.0, [0, 1])
    with pytest.raises(ValueError, match=exactly("groups must have shape (3,), the last axis of w; got (4,)")):
        group_soft_threshold(W[0], 1.0, [0, 1, 0, 1])
    with pytest.raises(ValueError, match=exactly("groups must have shape (3,), the last axis of w; got (1, 3)")):
        group_soft_threshold(W, 1.0, [[0, 1, 0]])


# Values, gradients and proximal steps by hand


@pytest.mark.parametrize(
    ("penalty", "value"),
    [
        (L1(0.5), 4.375),
        (L2(0.5), 13.15625),
        (ElasticNet(0.5, 0.25), 4.375 + 6.578125),
        (GroupLasso(0.5, [1, 0]), 0.5 * np.sqrt(3) * (np.sqrt(25.25) + np.sqrt(1.0625))),
        (GroupLasso(0.5, [0, 0]), 0.5 * np.sqrt(6) * np.sqrt(26.3125)),
        (GroupLasso(0.5, [[0, 1, 2], [0, 2, 2]]), 0.5 * (np.sqrt(2) * 3 + 4 + np.sqrt(3) * np.sqrt(1.3125))),
    ],
)
def test_values_by_hand(penalty, value):
    same(penalty.value(W), value)
    assert np.ndim(penalty.value(W)) == 0


def test_the_l1_penalty_is_not_the_l2_norm():
    assert L1(1.0).value(np.array([3.0, -4.0])) == 7


@pytest.mark.parametrize(
    ("penalty", "gradient"),
    [
        (L1(0.5), [[0.5, -0.5, 0.5], [0, 0.5, -0.5]]),
        (L2(0.5), W),
        (ElasticNet(0.5, 0.25), [[2, -2.5, 0.75], [0, 1, -0.625]]),
        (GroupLasso(2.0, [1, 0]), 2 * np.sqrt(3) * W / np.sqrt([[25.25], [1.0625]])),
    ],
)
def test_gradients_by_hand(penalty, gradient):
    same(penalty.gradient(W), gradient)


@pytest.mark.parametrize(
    ("penalty", "nearest"),
    [
        (L1(0.5), [[2.0, -3.0, 0], [0, 0, 0]]),
        (L2(0.5), W / 3),
        (ElasticNet(0.5, 0.25), [[1, -1.5, 0], [0, 0, 0]]),
        (GroupLasso(0.5, [1, 0]), [W[0] * (1 - np.sqrt(3) / np.sqrt(25.25)), [0, 0, 0]]),
    ],
)
def test_proximal_steps_by_hand(penalty, nearest):
    same(penalty.prox(W, 2.0), nearest)


def test_group_gradient_is_zero_for_a_group_at_zero():
    same(GroupLasso(1.0, [0, 0, 1]).gradient(np.array([0.0, 0.0, -2.0])), [0, 0, -1])


@pytest.mark.parametrize("penalty", all_kinds())
def test_a_penalty_of_nothing_is_nothing(penalty):
    zero = np.zeros(3)
    assert penalty.value(zero) == 0
    assert penalty.gradient(zero).tolist() == [0, 0, 0]
    assert penalty.prox(zero, 1.0).tolist() == [0, 0, 0]


def test_shapes_from_a_number_to_four_axes():
    same(L1(0.5).value(-3.0), 1.5)
    same(ElasticNet(0.5, 0.25).prox(-3.0, 1.0), -2.5 / 1.5)
    big = np.arange(24.0).reshape(2, 3, 2, 2) - 12
    same(L2(0.1).value(big), 0.1 * (big**2).sum())
    same(
        GroupLasso(1.0, [[0, 0, 1], [2, 2, 2]]).value(big),
        sum(np.sqrt(part.size) * np.sqrt((part**2).sum()) for part in (big[0, :2], big[0, 2], big[1])),
    )


@pytest.mark.parametrize("penalty", all_kinds())
def test_dtype_follows_the_input_and_nothing_is_changed(penalty):
    w = np.array([1.0, -2.0, 0.5], np.float32)
    assert penalty.value(w).dtype == penalty.gradient(w).dtype == penalty.prox(w, 0.5).dtype == np.float32
    assert w.tolist() == [1, -2, 0.5]


@pytest.mark.parametrize("penalty", all_kinds())
@pytest.mark.parametrize("container", [list, tuple])
def test_lists_of_parameters(penalty, container):
    a, b = W[0], W[1] + 1
    both = container([a, b])
    same(penalty.value(both), penalty.value(a) + penalty.value(b))
    assert isinstance(penalty.gradient(both), list)
    for got, want in zip(penalty.gradient(both), (penalty.gradient(a), penalty.gradient(b)), strict=True):
        same(got, want)
    for got, want in zip(penalty.prox(both, 0.5), (penalty.prox(a, 0.5), penalty.prox(b, 0.5)), strict=True):
        same(got, want)
    assert penalty.value([]) == 0
    assert isinstance(penalty.value([]), float)


# Networks: parameters by name

CELLS = {
    "rnn": RNN(),
    "lstm": LSTM(),
    "gru after": GRU(),
    "gru before": GRU(reset_after=False),
    "layer norm": LayerNormLSTM(),
    "layer norm of gates": LayerNormLSTM(norm="gates"),
}
every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)


def recurrent(cell, seed=0, replicas=()):
    """Parameters of a recurrent network, none of which is 0: biases, gains and shifts neither."""
    rng = np.random.default_rng(seed)
    params = Sequence(cell, 2, 3, 2).init(rng, replicas=replicas)
    return {name: array + rng.standard_normal(array.shape) for name, array in params.items()}


def assert_only(chosen, before, after, expected):
    """The chosen parameters are what was expected, and all others untouched; names and order stay."""
    assert list(after) == list(before)
    for name, array in before.items():
        same(after[name], expected(array)) if name in chosen else np.testing.assert_array_equal(after[name], array)


@every_cell
def test_of_a_recurrent_network_all_weights_are_penalized_and_nothing_else(cell):
    """Recurrent ones included; biases, gains and shifts of a normalization would be pulled to 0 for nothing."""
    params, chosen = recurrent(cell), ("w_x", "w_h", "w_out")
    zero = {name: np.zeros_like(array) for name, array in params.items()}
    for penalty in (L1(0.7), L2(0.3), ElasticNet(0.7, 0.3)):
        same(penalty.value(params), sum(penalty.value(params[name]) for name in chosen))
        gradient = penalty.gradient(params)
        assert list(gradient) == list(params)
        for name, array in params.items():
            same(gradient[name], penalty.gradient(array) if name in chosen else zero[name])
            assert gradient[name].any() == (name in chosen)
        assert_only(chosen, params, penalty.prox(params, 0.5), lambda array, own=penalty: own.prox(array, 0.5))


@every_cell
def test_training_with_a_penalty_shrinks_the_weights_of_a_recurrent_network_alone(cell):
    def flat(params, batch):
        return 0.0, {name: np.zeros_like(array) for name, array in params.items()}

    params, chosen = recurrent(cell), ("w_x", "w_h", "w_out")
    run = train(flat, params, SGD(0.1), [0], technique=Technique(penalty=L2(0.5)))
    assert_only(chosen, params, run.params, lambda array: 0.9 * array)
    run = train(flat, params, SGD(0.1), [0], technique=Technique(penalty=L1(1000.0), proximal=True))
    assert_only(chosen, params, run.params, np.zeros_like)


@pytest.mark.parametrize(
    ("on", "chosen"),
    [
        ("weight", ("w_x", "w_h", "w_out")),
        ("input", ("w_x",)),
        ("recurrent", ("w_h",)),
        ("output", ("w_out",)),
        ("bias", ("b", "b_h", "b_out")),
        ("b_h", ("b_h",)),
        (("input", "b_out"), ("w_x", "b_out")),
        (["recurrent", "w_h"], ("w_h",)),
        ("all", ("w_x", "w_h", "b", "b_h", "w_out", "b_out")),
    ],
)
def test_on_chooses_by_role_place_and_name(on, chosen):
    """Keras' kernel_, recurrent_ and bias_regularizer are on="input", "recurrent" and "bias"."""
    params = recurrent(GRU())
    for penalty in (L1(0.7, on=on), L2(0.3, on=on), ElasticNet(0.7, 0.3, on=on)):
        assert penalty.on == (on if isinstance(on, str) else tuple(on))
        same(penalty.value(params), sum(penalty.value(params[name]) for name in chosen))
        for name, array in params.items():
            same(penalty.gradient(params)[name], penalty.gradient(array) if name in chosen else np.zeros_like(array))
        assert_only(chosen, params, penalty.prox(params, 0.5), lambda array, own=penalty: own.prox(array, 0.5))


def test_groups_of_one_parameter_of_a_network():
    params = recurrent(LSTM())
    rows = GroupLasso(0.3, [0, 1], on="input")
    same(rows.value(params), 0.3 * np.sqrt(12) * np.linalg.norm(params["w_x"], axis=1).sum())
    gradient = rows.gradient(params)
    same(gradient["w_x"], rows.gradient(params["w_x"]))
    assert not any(gradient[name].any() for name in params if name != "w_x")
    assert_only(("w_x",), params, GroupLasso(100.0, [0, 1], on="w_x").prox(params, 1.0), np.zeros_like)
    with pytest.raises(ValueError, match=exactly("groups has shape (2,), so w must have shape (2, ...); got (3, 12)")):
        GroupLasso(0.3, [0, 1]).value(params)


@pytest.mark.parametrize("penalty", [L1(0.7), L2(0.3), ElasticNet(0.7, 0.3), L1(0.7, on="all")])
def test_a_network_in_single_precision_stays_there_and_nothing_changes_in_place(penalty):
    params = {name: array.astype(np.float32) for name, array in recurrent(LSTM()).items()}
    before = {name: array.copy() for name, array in params.items()}
    for after in (penalty.gradient(params), penalty.prox(params, 0.5)):
        assert {array.dtype for array in after.values()} == {np.dtype(np.float32)}
    assert penalty.value(params).dtype == np.float32
    for name, array in params.items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("on", ["weight", "bias", "all"])
def test_replicas_of_a_network_are_penalized_each_with_its_own_strength(on):
    params, many, steps = recurrent(GRU(), replicas=(2,)), np.array([0.2, 3.0]), np.array([0.1, 0.4])
    together = L1(many, on=on)
    for s in range(2):
        alone, own = L1(many[s], on=on), {name: array[s] for name, array in params.items()}
        same(together.value(params)[s], alone.value(own))
        for name in params:
            same(together.gradient(params)[name][s], alone.gradient(own)[name])
            same(together.prox(params, steps)[name][s], alone.prox(own, steps[s])[name])


def test_a_list_has_no_names_so_all_of_it_is_penalized():
    params = list(MLP((2, 3, 2)).init(np.random.default_rng(0)).values())
    params[1] = np.ones(3)
    for on in ("weight", "all", "bias"):
        same(L2(0.5, on=on).value(params), 0.5 * sum((array**2).sum() for array in params))
        same(L2(0.5, on=on).gradient(params)[1], np.ones(3))


def test_a_choice_that_is_none_is_an_error():
    params = recurrent(LSTM())
    for word, penalty in (("gain", L1(0.1, on="gain")), ("kernel", L2(0.1, on=("weight", "kernel")))):
        message = (
            "on must hold roles, places or names of the parameters w_x, w_h, b, w_out, b_out, or be 'all'; "
            f"got {word!r}"
        )
        for call in (penalty.value, penalty.gradient, lambda w, own=penalty: own.prox(w, 0.1)):
            with pytest.raises(ValueError, match=exactly(message)):
                call(params)
    for wrong in (None, 1, ("weight", 1), True):
        message = f"on must be a role, a place or a name of parameters, or a tuple of these; got {wrong!r}"
        for build in (L1, L2, lambda l1, on: ElasticNet(l1, 0.1, on=on), lambda l1, on: GroupLasso(l1, [0], on=on)):
            with pytest.raises(TypeError, match=exactly(message)):
                build(0.1, on=wrong)
    with pytest.raises(TypeError, match="positional"):
        L1(0.1, "bias")


def test_bad_parameters_of_a_network_are_errors():
    params = recurrent(LSTM())
    with pytest.raises(ValueError, match=r"^w must be finite"):
        L2(0.1).value(params | {"w_h": params["w_h"] * np.nan})
    assert np.isfinite(L2(0.1).value(params | {"b": params["b"] * np.nan})), "what is not penalized is not looked at"
    with pytest.raises(TypeError, match=r"^w must hold floating-point numbers .* got dtype float16; "):
        L2(0.1).gradient(params | {"w_h": params["w_h"].astype(np.float16)})


# Replicas


def replicated():
    many = np.array([0.2, 3.0])
    return [
        (L1(many), [L1(0.2), L1(3.0)]),
        (L2(many), [L2(0.2), L2(3.0)]),
        (ElasticNet(many, 0.5), [ElasticNet(0.2, 0.5), ElasticNet(3.0, 0.5)]),
        (ElasticNet(0.5, many), [ElasticNet(0.5, 0.2), ElasticNet(0.5, 3.0)]),
        (ElasticNet(many, many[::-1]), [ElasticNet(0.2, 3.0), ElasticNet(3.0, 0.2)]),
        (GroupLasso(many, GROUPS), [GroupLasso(0.2, GROUPS), GroupLasso(3.0, GROUPS)]),
    ]


@pytest.mark.parametrize(("together", "apart"), replicated())
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 2)])
def test_replicas_are_penalized_each_with_its_own_strength(together, apart, shape):
    w = np.random.default_rng(1).standard_normal(shape)
    assert together.replicas == (2,)
    same(together.value(w), [each.value(part) for each, part in zip(apart, w, strict=True)])
    same(together.gradient(w), [each.gradient(part) for each, part in zip(apart, w, strict=True)])
    for step in (0.3, np.array([0.1, 0.4])):
        steps = np.broadcast_to(step, 2)
        want = [each.prox(part, own) for each, part, own in zip(apart, w, steps, strict=True)]
        same(together.prox(w, step), want)
    same(together.value([w, 2 * w]), together.value(w) + together.value(2 * w))


@pytest.mark.parametrize("penalty", all_kinds())
def test_replicas_with_their_own_steps_share_a_plain_strength(penalty):
    w, steps = np.random.default_rng(2).standard_normal((2, 3)), np.array([0.2, 0.9])
    same(penalty.prox(w, steps), [penalty.prox(part, step) for part, step in zip(w, steps, strict=True)])
    assert penalty.replicas == ()


def test_for_replicas_and_take():
    penalty = GroupLasso(0.5, GROUPS).for_replicas((2,))
    assert penalty.l1.tolist() == [0.5, 0.5]
    assert penalty.groups.tolist() == GROUPS.tolist()
    chosen = ElasticNet(np.array([0.1, 0.2, 0.3]), 0.5).take(np.array([True, False, True]))
    assert ElasticNet(0.1, 0.5, on="all").for_replicas((2,)).take(slice(1)).on == "all"
    assert chosen.l1.tolist() == [0.1, 0.3]
    assert chosen.l2.tolist() == [0.5, 0.5]


def test_strengths_broadcast_by_name():
    named = ElasticNet(np.array([0.1, 0.2]), 0.5).broadcast(np.zeros((2, 3, 4), np.float32))
    assert list(named) == ["l1", "l2"]
    assert named["l1"].shape == named["l2"].shape == (2, 1, 1)
    assert named["l1"].dtype == np.float32


def test_strengths_are_copied_and_frozen():
    many = np.array([0.2, 3.0])
    penalty, groups = L1(many), np.array([0, 1])
    by_group = GroupLasso(0.1, groups)
    many[0] = 9
    groups[0] = 1
    assert penalty.l1.tolist() == [0.2, 3]
    assert by_group.groups.tolist() == [0, 1]
    with pytest.raises(dataclasses.FrozenInstanceError):
        penalty.l1 = 1.0


# Bad input


@pytest.mark.parametrize("build", [L1, L2, lambda bad: ElasticNet(bad, 0.1), lambda bad: GroupLasso(bad, [0])])
@pytest.mark.parametrize("bad", [-1e-9, np.nan, np.inf, [0.1, -0.1]])
def test_a_strength_out_of_range(build, bad):
    with pytest.raises(ValueError, match=r"^l[12] must be a finite number in \[0, inf\], got " + re.escape(repr(bad))):
        build(bad)


def test_the_error_names_the_strength():
    with pytest.raises(ValueError, match=r"^l2 must be"):
        ElasticNet(0.1, -1)
    with pytest.raises(ValueError, match=r"^l1 must be"):
        GroupLasso(-1, [0])
    with pytest.raises(TypeError, match=r"^l1 must be a real number, got 'strong'$"):
        L1("strong")
    with pytest.raises(TypeError, match=r"^l2 must be a real number, got None$"):
        L2(None)


def test_integer_strengths_are_numbers():
    assert L1(1).value(np.array([0.5])) == 0.5
    assert L2(0).value(np.array([0.5])) == 0


def test_strengths_of_different_shapes():
    message = "l1 and l2 must be plain numbers or arrays of one shape, one number a replica; got shapes (2,) and (3,)"
    with pytest.raises(ValueError, match=exactly(message)):
        ElasticNet(np.ones(2), np.ones(3))


def test_from_ratio():
    penalty = ElasticNet.from_ratio(0.8, 0.25)
    same([penalty.l1, penalty.l2], [0.2, 0.6])
    assert penalty.on == "weight"
    assert ElasticNet.from_ratio(0.8, 0.25, on="input").on == "input"
    many = ElasticNet.from_ratio(np.array([0.8, 0.4]), 0.25)
    same([many.l1, many.l2], [[0.2, 0.1], [0.6, 0.3]])
    ratios = ElasticNet.from_ratio(0.8, np.array([0.0, 1.0]))
    same([ratios.l1, ratios.l2], [[0, 0.8], [0.8, 0]])
    for bad in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=exactly(f"l1_ratio must be a finite number in [0, 1], got {bad!r}")):
            ElasticNet.from_ratio(0.8, bad)
    with pytest.raises(ValueError, match=exactly("strength must be a finite number in [0, inf], got -1")):
        ElasticNet.from_ratio(-1, 0.5)


@pytest.mark.parametrize("penalty", all_kinds())
@pytest.mark.parametrize("call", ["value", "gradient", "prox"])
def test_bad_weights(penalty, call):
    ask = (lambda w: penalty.prox(w, 1.0)) if call == "prox" else getattr(penalty, call)
    for bad in (np.array([1, 2, 3]), np.array([1j, 0, 0]), np.array([True, False, True]), np.zeros(3, np.float16)):
        with pytest.raises(TypeError, match=rf"^w must hold floating-point numbers .* got dtype {bad.dtype}; "):
            ask(bad)
    with pytest.raises(ValueError, match=exactly("w must be finite, got 1 NaN or infinite values in shape (3,)")):
        ask(np.array([1, np.nan, 2]))


@pytest.mark.parametrize("step", [0.0, -1.0, np.nan])
def test_bad_steps(step):
    with pytest.raises(ValueError, match=exactly(f"step must be a finite number in (0, inf], got {step!r}")):
        L1(0.1).prox(W, step)


@pytest.mark.parametrize("penalty", [L1(np.ones(3)), L2(np.ones(3)), ElasticNet(np.ones(3), 1.0)])
def test_strengths_that_do_not_fit_the_replicas(penalty):
    for ask in (penalty.value, penalty.gradient, lambda w: penalty.prox(w, 1.0)):
        with pytest.raises(ValueError, match=r"^l[12] has shape \(3,\), one number a replica, so w must have shape"):
            ask(W)
    with pytest.raises(ValueError, match=r"^step has shape \(2,\), one number a replica, so w must have shape"):
        L1(np.ones(3)).prox(np.ones((3, 2)), np.ones(2))
    with pytest.raises(ValueError, match=r"^step has shape \(3,\), one number a replica, so w must have shape"):
        L1(1.0).prox(W, np.ones(3))


def test_groups_that_do_not_fit():
    message = "groups has shape (3,), so w must have shape (3, ...); got (2, 3)"
    with pytest.raises(ValueError, match=exactly(message)):
        GroupLasso(0.1, GROUPS).value(W)
    message = "groups has shape (3,), so w must have shape (2, 3, ...); got (2, 2, 3)"
    with pytest.raises(ValueError, match=exactly(message)):
        GroupLasso(np.ones(2), GROUPS).gradient(np.ones((2, 2, 3)))
    with pytest.raises(ValueError, match=exactly("groups has shape (3,), so w must have shape (3, ...); got (4,)")):
        GroupLasso(0.1, GROUPS).prox(np.ones(4), 1.0)


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        ([0, 2, 2], ValueError, "groups must number the groups 0, 1, ..., G-1 and leave none out; got [0, 2]"),
        ([1, 2], ValueError, "groups must number the groups 0, 1, ..., G-1 and leave none out; got [1, 2]"),
        ([-1, 0], ValueError, "groups must number the groups 0, 1, ..., G-1 and leave none out; got [-1, 0]"),
        (0, ValueError, "groups must hold one group number for each entry; got shape ()"),
        (np.array([], int), ValueError, "groups must hold one group number for each entry; got shape (0,)"),
        ([0.0, 1.0], TypeError, "groups must hold integers, the group number of each entry; got dtype float64"),
        ({0, 1}, TypeError, "groups must hold integers, the group number of each entry; got dtype object"),
        ([False, True], TypeError, "groups must hold integers, the group number of each entry; got dtype bool"),
    ],
)
def test_bad_groups(groups, error, message):
    with pytest.raises(error, match=exactly(message)):
        GroupLasso(0.1, groups)
    with pytest.raises(error, match=exactly(message)):
        group_soft_threshold(np.ones(2), 0.1, groups)


def test_groups_in_any_order_of_any_integer_type():
    w = np.array([1.0, 2.0, 3.0, 4.0])
    want = np.sqrt(2) * (np.sqrt(1 + 9) + np.sqrt(4 + 16))
    for groups in ([1, 0, 1, 0], np.array([0, 1, 0, 1], np.uint8)):
        same(GroupLasso(1.0, groups).value(w), want)


def test_scaled_norms():
    same(GroupLasso(0.1, GROUPS).scaled_norms(np.array([3.0, -2.0, 4.0])), [2, 5 / np.sqrt(2)])
    many = GroupLasso(np.ones(2), [0, 0]).scaled_norms(np.array([[[3.0], [4.0]], [[0.0], [1.0]]]))
    same(many, np.array([[5.0], [1.0]]) / np.sqrt(2))


def test_make():
    assert isinstance(make("l1", l1=0.1), L1)
    assert isinstance(make("l2", l2=0.1), L2)
    net = make("elastic_net", l1=0.1, l2=0.2)
    assert isinstance(net, ElasticNet)
    assert (net.l1, net.l2) == (0.1, 0.2)
    assert make("group_lasso", l1=0.1, groups=[0, 1]).groups.tolist() == [0, 1]
    assert make("l1", l1=0.1).on == "weight"
    assert make("group_lasso", l1=0.1, groups=[0, 1], on=["input", "output"]).on == ("input", "output")
    message = "name must be one of 'l1', 'l2', 'elastic_net', 'group_lasso'; got 'lasso'"
    with pytest.raises(ValueError, match=exactly(message)):
        make("lasso", l1=0.1)
    message = "the penalty 'elastic_net' takes l1, l2; missing: l1, l2; unknown: weight_decay, l3"
    with pytest.raises(TypeError, match=exactly(message)):
        make("elastic_net", weight_decay=1, l3=2)
    with pytest.raises(TypeError, match=exactly("the penalty 'l1' takes l1; missing: l1; unknown: none")):
        make("l1")
    with pytest.raises(TypeError, match=exactly("the penalty 'l2' takes l2; missing: none; unknown: l1")):
        make("l2", l1=0.1, l2=0.1)
    with pytest.raises(ValueError, match=r"^l1 must be a finite number"):
        make("l1", l1=-1)
    assert sorted(penalties.PENALTIES) == ["elastic_net", "group_lasso", "l1", "l2"]


# Properties


def cost(penalty, u, w, step):
    return penalty.value(u) + ((u - w) ** 2).sum() / (2 * step)


@settings(deadline=None)
@given(numbers, strengths, strengths, st.floats(0.05, 3))
def test_the_proximal_step_is_the_minimizer_on_a_grid(w, l1, l2, step):
    grid = np.linspace(-6, 6, 4801)
    for penalty in (L1(l1), L2(l2), ElasticNet(l1, l2), GroupLasso(l1, [0])):
        curve = {L1: l1 * abs(grid), L2: l2 * grid**2, ElasticNet: l1 * abs(grid) + l2 * grid**2}
        curve = curve.get(type(penalty), l1 * abs(grid)) + (grid - w) ** 2 / (2 * step)
        got = penalty.prox(np.array([w]), step)[0]
        assert abs(got - grid[curve.argmin()]) <= 0.0013


@settings(deadline=None)
@given(kinds, vectors, st.floats(0.05, 3), st.integers(0, 1000))
def test_no_perturbation_improves_on_the_proximal_step(penalty, w, step, seed):
    best = penalty.prox(w, step)
    least = cost(penalty, best, w, step)
    rng = np.random.default_rng(seed)
    for size in (1e-3, 0.1, 1.0):
        for direction in rng.standard_normal((10, 3)) * rng.integers(0, 2, (10, 3)):
            assert cost(penalty, best + size * direction, w, step) >= least - 1e-12


@settings(deadline=None)
@given(kinds, vectors, vectors, st.floats(0.05, 3))
def test_the_proximal_step_brings_points_no_farther_apart(penalty, a, b, step):
    apart = np.linalg.norm(penalty.prox(a, step) - penalty.prox(b, step))
    assert apart <= np.linalg.norm(a - b) * (1 + 1e-12) + 1e-14


def project(penalty, w):
    """The projection on the subgradients at 0: the proximal step of the conjugate of a norm."""
    if isinstance(penalty, L1):
        return np.clip(w, -penalty.l1, penalty.l1)
    inside = w.copy()
    for group in range(2):
        chosen = penalty.groups == group
        radius, length = penalty.l1 * np.sqrt(chosen.sum()), np.sqrt((w[chosen] ** 2).sum())
        inside[chosen] *= min(1, radius / length) if length else 1
    return inside


@settings(deadline=None)
@given(vectors, strengths, st.floats(0.05, 3))
def test_the_moreau_identity(w, l1, step):
    for penalty in (L1(l1), GroupLasso(l1, GROUPS)):
        same(penalty.prox(w, step) + step * project(penalty, w / step), w)
    # The conjugate of l2*w^2 is v^2/(4*l2), with proximal step w / (1 + step'/(2*l2)), step' = 1/step.
    same(L2(l1).prox(w, step) + step * (w / step) / (1 + 1 / (2 * l1 * step)), w)


@settings(deadline=None)
@given(kinds, vectors.filter(lambda w: (abs(w) > 0.01).all()))
def test_the_gradient_matches_differences_away_from_the_kinks(penalty, w):
    eps = 1e-5
    for j in range(3):
        step = eps * (np.arange(3) == j)
        slope = (penalty.value(w + step) - penalty.value(w - step)) / (2 * eps)
        assert penalty.gradient(w)[j] == pytest.approx(slope, rel=1e-5, abs=1e-6)


@settings(deadline=None)
@given(vectors, strengths, st.floats(0.05, 3))
def test_groups_of_one_are_the_lasso(w, l1, step):
    single, lasso = GroupLasso(l1, [2, 0, 1]), L1(l1)
    same(single.value(w), lasso.value(w))
    same(single.gradient(w), lasso.gradient(w))
    same(single.prox(w, step), lasso.prox(w, step))


@settings(deadline=None)
@given(vectors, strengths, st.floats(0.05, 3))
def test_an_elastic_net_without_one_part_is_the_other(w, strength, step):
    for net, alone in ((ElasticNet(strength, 0.0), L1(strength)), (ElasticNet(0.0, strength), L2(strength))):
        same(net.value(w), alone.value(w))
        same(net.gradient(w), alone.gradient(w))
        same(net.prox(w, step), alone.prox(w, step))
