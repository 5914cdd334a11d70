"""Applying noise, gain * h + offset: values by hand, gradients by central differences, and what must be refused."""

import dataclasses

import numpy as np
import pytest

from reglib import gradcheck
from reglib.noise.affine import Noise, apply, apply_backward, noise_gradient
from tests.conftest import exactly

H = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])
GAIN = np.array([[0.5, 2.0, -1.0], [0.0, 1.0, 3.0]])
OFFSET = np.array([[0.25, -1.0, 0.0], [2.0, 0.0, -3.0]])


def rng():
    return np.random.default_rng(6)


def test_values_by_hand():
    times, plus = [[0.5, -4, -3], [0, 5, -18]], [[1.25, -3, 3], [6, 5, -9]]
    np.testing.assert_array_equal(apply(Noise(GAIN), H), times)
    np.testing.assert_array_equal(apply(Noise(offset=OFFSET), H), plus)
    np.testing.assert_array_equal(apply(Noise(GAIN, OFFSET), H), [[0.75, -5, -3], [2, 5, -21]])
    np.testing.assert_array_equal(apply(Noise(), H), H)
    np.testing.assert_array_equal(apply(None, H), H)


def test_the_backward_pass_multiplies_by_the_same_gain():
    for noise in (Noise(GAIN), Noise(GAIN, OFFSET)):
        np.testing.assert_array_equal(apply_backward(noise, H), [[0.5, -4, -3], [0, 5, -18]])
    for noise in (Noise(offset=OFFSET), Noise(), None):
        np.testing.assert_array_equal(apply_backward(noise, H), H)
    found = noise_gradient(H, OFFSET)
    np.testing.assert_array_equal(found.gain, [[0.25, 2, 0], [8, 0, 18]])
    np.testing.assert_array_equal(found.offset, H)


def test_a_single_number_is_the_same_for_all():
    for half in (0.5, np.float64(0.5), np.array(0.5)):
        np.testing.assert_array_equal(apply(Noise(half), H), H / 2)
        np.testing.assert_array_equal(apply(Noise(offset=half), H), H + 0.5)
        np.testing.assert_array_equal(apply_backward(Noise(half), H), H / 2)
    np.testing.assert_array_equal(apply(Noise(2, 1), H), 2 * H + 1)
    assert apply(Noise(0.5, 1.0), 3.0) == 2.5


@pytest.mark.parametrize("shape", [(2, 3), (1, 3), (2, 1), (1, 1)])
def test_an_axis_of_length_one_is_shared(shape):
    gain, offset = rng().standard_normal((2, *shape))
    noise, full = Noise(gain, offset), Noise(*(np.broadcast_to(part, (2, 3)) for part in (gain, offset)))
    np.testing.assert_array_equal(apply(noise, H), apply(full, H))
    np.testing.assert_array_equal(apply_backward(noise, H), apply_backward(full, H))


def test_activations_that_replicas_share_gain_their_axes():
    gain, offset = rng().standard_normal((2, 4, 2, 3))
    y = apply(Noise(gain, offset), H)
    assert y.shape == (4, 2, 3)
    for s in range(4):
        np.testing.assert_array_equal(y[s], apply(Noise(gain[s], offset[s]), H))
    numbers = np.array([0.5, 2.0]).reshape(2, 1, 1)
    np.testing.assert_array_equal(apply(Noise(numbers), H), np.stack([H / 2, 2 * H]))
    np.testing.assert_array_equal(apply(Noise(offset=numbers), H), np.stack([H + 0.5, H + 2]))
    assert apply(Noise(np.ones((1,) * 11)), np.ones((1,) * 11)).shape == (1,) * 11


@pytest.mark.parametrize("shape", [(2, 3), (1, 3), (4, 2, 3), (4, 1, 1)])
def test_gradients_match_central_differences(shape):
    """Of the activations, which replicas may share, and of gain and offset, which may be shared themselves."""
    point = {"h": H, "gain": rng().standard_normal(shape), "offset": rng().standard_normal(shape)}

    def summed(grad, like):
        grad = grad.sum(axis=tuple(range(grad.ndim - like.ndim)))
        return grad.sum(axis=tuple(np.flatnonzero(np.equal(like.shape, 1))), keepdims=True).reshape(like.shape)

    def backward(grad, point):
        noise = Noise(point["gain"], point["offset"])
        grads = noise_gradient(grad, point["h"])
        found = {"h": apply_backward(noise, grad), "gain": grads.gain, "offset": grads.offset}
        return {name: summed(found[name], point[name]) for name in point}

    gradcheck.check_vector(lambda p: apply(Noise(p["gain"], p["offset"]), p["h"]), backward, point, rng())


@pytest.mark.parametrize("other", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_that_of_the_activations_and_nothing_changes_in_place(dtype, other):
    h, gain, offset = H.astype(dtype), GAIN.astype(other), OFFSET.astype(other)
    for noise in (Noise(gain, offset), Noise(gain), Noise(offset=offset), Noise(other(0.3), other(0.7)), Noise()):
        for y in (apply(noise, h), apply_backward(noise, h)):
            assert y.dtype == dtype
    assert noise_gradient(h, h).gain.dtype == noise_gradient(h, h).offset.dtype == dtype
    for array, before in ((h, H), (gain, GAIN), (offset, OFFSET)):
        np.testing.assert_array_equal(array, before)


def test_errors_in_the_numbers_are_passed_on_not_hidden():
    h = np.array([np.nan, np.inf, 1.0])
    noise = Noise(np.array([1.0, 2.0, 0.0]), np.array([0.0, 1.0, 1.0]))
    np.testing.assert_array_equal(apply(noise, h), [np.nan, np.inf, 1])
    np.testing.assert_array_equal(apply_backward(noise, h), [np.nan, np.inf, 0])
    with np.errstate(invalid="ignore"):
        assert np.isnan(apply(Noise(np.zeros(3)), h)[:2]).all()
    np.testing.assert_array_equal(apply(Noise(np.array([np.nan, 1.0, 1.0])), np.ones(3)), [np.nan, 1, 1])


def test_noise_is_frozen_and_made_of_floats():
    noise = Noise([1.0, 2.0])
    assert noise.gain.dtype == np.float64
    assert noise.offset is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        noise.gain = None
    for wrong in (GAIN > 0, GAIN.astype(int), GAIN.astype(np.float16), GAIN.astype(complex)):
        for name in ("gain", "offset"):
            message = (
                f"the noise's {name} must hold floating-point numbers (float32 or float64), got dtype {wrong.dtype}"
            )
            with pytest.raises(TypeError, match=f"^{exactly(message)[1:-1]}; "):
                Noise(**{name: wrong})


def test_noise_that_does_not_fit_is_refused():
    """Fewer axes than the activations have would be a guess: (H,) on (B, H) shares a mask over the batch."""
    for shape in ((3,), (2,), (1,), (3, 2), (2, 2), (4, 3), (0, 3), (5, 3, 3), (2, 4), (5, 2, 4)):
        for name, calls in (("gain", (apply, apply_backward)), ("offset", (apply,))):
            message = (
                f"the noise's {name} must have one axis for each of the activations' (2, 3), "
                f"of that length or of length 1 where it is shared; got shape {shape}"
            )
            for call in calls:
                with pytest.raises(ValueError, match=exactly(message)):
                    call(Noise(**{name: np.ones(shape)}), H)
    message = (
        "the noise's gain must have one axis for each of the activations' (1, 3), "
        "of that length or of length 1 where it is shared; got shape (2, 3)"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        apply(Noise(GAIN), H[:1])


def test_other_bad_input():
    for wrong in (H.astype(int), H.astype(complex), H.astype(object), H > 0, H.astype(np.float16)):
        for call, name in ((apply, "h"), (apply_backward, "grad")):
            with pytest.raises(
                TypeError, match=rf"^{name} must hold floating-point numbers .* got dtype {wrong.dtype};"
            ):
                call(Noise(GAIN), wrong)
            with pytest.raises(
                TypeError, match=rf"^{name} must hold floating-point numbers .* got dtype {wrong.dtype};"
            ):
                call(None, wrong)
        with pytest.raises(TypeError, match=rf"^grad must hold floating-point numbers .* got dtype {wrong.dtype};"):
            noise_gradient(wrong, H)
        with pytest.raises(TypeError, match=rf"^h must hold floating-point numbers .* got dtype {wrong.dtype};"):
            noise_gradient(H, wrong)
    for wrong in (0.5, {"gain": 1.0}, (1.0, 0.0)):
        for call in (apply, apply_backward):
            with pytest.raises(TypeError, match=exactly(f"noise must be a Noise, or None for none; got {wrong!r}")):
                call(wrong, H)


def test_the_backward_pass_has_no_use_for_the_offset():
    """Not even for its shape: `apply` has refused what does not fit."""
    np.testing.assert_array_equal(apply_backward(Noise(GAIN, np.ones((7, 7, 7))), H), GAIN * H)


def test_the_gradients_of_the_noise_pass_on_what_is_not_finite_and_refuse_other_shapes():
    wild = np.array([[np.inf, np.nan, 1.0], [2.0, 3.0, 4.0]])
    found = noise_gradient(np.ones((2, 3)), wild)
    np.testing.assert_array_equal(found.gain, wild)
    np.testing.assert_array_equal(noise_gradient(wild, np.ones((2, 3))).offset, wild)
    for shape in ((3,), (2, 4), (3, 3), (5, 2, 2), (1, 3)):
        message = f"grad must have the shape of h, (2, 3), or leading axes before it; got {shape}"
        with pytest.raises(ValueError, match=exactly(message)):
            noise_gradient(np.ones(shape), H)
    assert noise_gradient(np.ones((5, 2, 3)), H).gain.shape == (5, 2, 3)
