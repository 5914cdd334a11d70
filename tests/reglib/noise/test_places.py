"""Noise of recurrent networks: what is refused, and what a schedule means."""

import re

import numpy as np
import pytest

from reglib.layers import recurrent
from reglib.layers.cells import GRU, LSTM, RNN
from reglib.layers.recurrent import Noise
from tests.reglib.layers.recurrent_reference import B, D, H, T, problem

SCHEDULE = "4 entries along time, one a step, or 1 for the whole sequence"


def refused(error, message, cell, noise=None, leads=(), **keywords):
    params, x, _ = problem(cell, leads=leads)
    with pytest.raises(error, match="^" + re.escape(message) + "$"):
        recurrent.forward(cell, params, x, noise=noise, **keywords)


def test_masks_of_a_wrong_schedule_are_refused():
    for field in ("recurrent", "candidate", "state_h", "state_c", "zone_h", "zone_c", "output"):
        mask = np.ones((B, 3, H)) if "zone" not in field else np.ones((B, 3, H), bool)
        message = f"noise.{field} must have {SCHEDULE}; got 3 in shape (3, 3, 5)"
        refused(ValueError, message, LSTM(), Noise(**{field: mask}))
    message = f"noise.input must have {SCHEDULE}; got 5 in shape (2, 3, 5, 4, 2)"
    refused(ValueError, message, LSTM(), Noise(input=np.ones((2, B, 5, 4, D))), leads=(2,))


def test_masks_of_a_wrong_number_of_axes_are_refused():
    message = "noise.recurrent must have 3 axes, for it acts on (3, 4, 5); got shape (3, 5)"
    refused(ValueError, message, LSTM(), Noise(recurrent=np.ones((B, H))))
    message = "noise.recurrent must have 4 axes, for it acts on (2, 3, 4, 5); got shape (3, 4, 5)"
    refused(ValueError, message, LSTM(), Noise(recurrent=np.ones((B, T, H))), leads=(2,))
    message = "noise.candidate must have 3 axes, for it acts on (3, 4, 5); got shape (3, 4, 4, 5)"
    refused(ValueError, message, LSTM(), Noise(candidate=np.ones((B, T, 4, H))))
    message = "noise.output must have 3 axes, for it acts on (3, 4, 5); got shape ()"
    refused(ValueError, message, LSTM(), Noise(output=np.float64(2.0)))
    message = "noise.zone_h must have 3 axes, for it acts on (3, 4, 5); got shape (5,)"
    refused(ValueError, message, LSTM(), Noise(zone_h=np.full(H, 0.5)))
    message = "noise.input must have 3 axes, for it acts on (3, 4, 2); got shape (1, 3, 4, 4, 2)"
    refused(ValueError, message, LSTM(), Noise(input=np.ones((1, B, T, 4, D))))


def test_masks_that_do_not_fit_are_refused():
    cases = [
        (LSTM(), "output", (B + 1, T, H), (B, T, H)),
        (LSTM(), "output", (B, T, D), (B, T, H)),
        (LSTM(), "input", (B, T, H), (B, T, D)),
        (LSTM(), "recurrent", (B, T, 3, H), (B, T, 4, H)),
        (LSTM(), "recurrent", (B, T, 1, H), (B, T, 4, H)),
        (GRU(), "recurrent", (B, T, 4, H), (B, T, 3, H)),
        (GRU(), "input", (B, T, 3, H), (B, T, 3, D)),
        (LSTM(), "state_c", (B, 1, 0), (B, T, H)),
    ]
    for cell, field, shape, full in cases:
        message = f"noise.{field} must broadcast to {full} without enlarging it, got shape {shape}"
        refused(ValueError, message, cell, Noise(**{field: np.ones(shape)}))


def test_places_that_a_cell_does_not_have_are_refused():
    mask, zone = np.ones((B, T, H)), np.ones((B, T, H), bool)
    message = "noise.candidate needs a candidate beside its state, which RNN does not have"
    refused(ValueError, message, RNN(), Noise(candidate=mask))
    for cell in (RNN(), GRU()):
        name = type(cell).__name__
        refused(ValueError, f"noise.state_c needs a memory c, which {name} does not have", cell, Noise(state_c=mask))
        refused(ValueError, f"noise.zone_c needs a memory c, which {name} does not have", cell, Noise(zone_c=zone))


def test_other_kinds_of_numbers_are_refused():
    refused(TypeError, "noise must be a Noise, got 0.5", LSTM(), 0.5)
    with pytest.raises(TypeError, match=r"^noise.recurrent must hold floating-point numbers .* got dtype bool"):
        recurrent.forward(LSTM(), *problem(LSTM())[:2], noise=Noise(recurrent=np.ones((B, T, H), bool)))
    for value, dtype in ((np.ones((B, T, H), int), "int64"), (1, "int64"), (1.5, "float64"), (-0.1, "float64")):
        message = f"noise.zone_h must be of bool (True keeps the old value), or floats in [0, 1]; got {dtype}"
        refused(TypeError, message, LSTM(), Noise(zone_h=value))
    refused(
        TypeError,
        "noise.zone_c must be of bool (True keeps the old value), or floats in [0, 1]; got float64",
        LSTM(),
        Noise(zone_c=np.full((B, T, H), np.nan)),
    )


def test_zoneout_of_nothing_and_of_everything():
    params, x, state = problem(LSTM())
    plain, _, _ = recurrent.forward(LSTM(), params, x, state)
    for zero in (0.0, np.zeros((B, T, H), bool), np.zeros((1, 1, 1))):
        output, _, _ = recurrent.forward(LSTM(), params, x, state, noise=Noise(zone_h=zero, zone_c=zero))
        np.testing.assert_array_equal(output, plain)
    for one in (1.0, np.ones((B, T, H), bool)):
        output, (h, c), _ = recurrent.forward(LSTM(), params, x, state, noise=Noise(zone_h=one, zone_c=one))
        np.testing.assert_array_equal(output, np.repeat(state[0][:, None], T, axis=1))
        np.testing.assert_array_equal(h, state[0])
        np.testing.assert_array_equal(c, state[1])


def test_the_expectation_of_zoneout_is_one_step_of_its_mean():
    params, x, state = problem(LSTM())
    step = recurrent.step(LSTM(), params, x[:, 0], state, noise=Noise(zone_h=0.25, zone_c=0.5))
    new, (_, new_c), _ = recurrent.step(LSTM(), params, x[:, 0], state)
    np.testing.assert_allclose(step[0], 0.25 * state[0] + 0.75 * new, rtol=1e-14)
    np.testing.assert_allclose(step[1][1], 0.5 * state[1] + 0.5 * new_c, rtol=1e-14)


def test_one_number_a_replica_for_zoneout():
    params, x, state = problem(LSTM(), leads=(2,))
    rates = np.array([0.1, 0.6]).reshape(2, 1, 1, 1)
    output, _, _ = recurrent.forward(LSTM(), params, x, state, noise=Noise(zone_c=rates))
    for s in range(2):
        one, _, _ = recurrent.forward(
            LSTM(),
            [p[s] for p in params],
            x[s],
            tuple(part[s] for part in state),
            noise=Noise(zone_c=float(rates[s, 0, 0, 0])),
        )
        np.testing.assert_allclose(output[s], one, rtol=0, atol=1e-15)


def test_dropping_the_candidate_keeps_the_memory_and_dropping_the_state_does_not():
    params, x, state = problem(LSTM())
    params[2][H : 2 * H] = 100  # forget nothing
    zeros = np.zeros((B, T, H))
    _, (_, c), _ = recurrent.forward(LSTM(), params, x, state, noise=Noise(candidate=zeros))
    np.testing.assert_array_equal(c, state[1])
    _, (_, c), _ = recurrent.forward(LSTM(), params, x, state, noise=Noise(state_c=zeros))
    assert not c.any()


def test_state_dropout_acts_on_what_is_carried_not_on_the_output():
    params, x, state = problem(LSTM())
    mask = np.ones((B, T, H))
    mask[:, -1] = 0
    output, (h, _), _ = recurrent.forward(LSTM(), params, x, state, noise=Noise(state_h=mask))
    plain, _, _ = recurrent.forward(LSTM(), params, x, state)
    np.testing.assert_array_equal(output, plain)
    assert not h.any()


def test_step_masks_are_checked():
    refused(
        TypeError, "steps must be of bool, False where there is no step; got float64", LSTM(), steps=np.ones((B, T))
    )
    refused(
        ValueError,
        "steps must have shape (3, 4), or (3, 4) for all replicas; got (4, 3)",
        LSTM(),
        steps=np.ones((T, B), bool),
    )
    refused(
        ValueError, "steps must have shape (2, 3, 4), or (3, 4) for all replicas; got (1, 3, 4)",
        LSTM(), leads=(2,), steps=np.ones((1, B, T), bool),
    )  # fmt: skip


PLAIN = ("input", "recurrent", "candidate", "state_h", "state_c", "output")


@pytest.mark.parametrize(("schedule", "steps"), [("step", T), ("sequence", 1)])
@pytest.mark.parametrize("untied", [True, False])
def test_drawn_noise_has_the_shapes_of_its_schedule_and_fits(schedule, steps, untied):
    params, x, state = problem(LSTM(), leads=(2,))
    params = [p.astype(np.float32) for p in params]
    rates = dict.fromkeys((*PLAIN, "zone_h", "zone_c"), 0.5)
    noise = recurrent.draw_noise(
        np.random.default_rng(0), LSTM(), params, B, T, schedule=schedule, untied=untied, **rates
    )
    gates = (4,) if untied else ()
    for field, mask in vars(noise).items():
        own = gates if field in ("input", "recurrent") else ()
        assert mask.shape == (2, B, steps, *own, D if field == "input" else H)
        if field in PLAIN:
            assert mask.dtype == np.float32
            assert set(np.unique(mask)) == {0, 2}
        else:
            assert mask.dtype == bool
    recurrent.forward(LSTM(), params, x, state, noise=noise)


def test_drawn_noise_drops_at_its_rates():
    params = problem(LSTM(), leads=(2,))[0]
    rates = np.array([0.2, 0.7])
    noise = recurrent.draw_noise(np.random.default_rng(1), LSTM(), params, 50, 80, candidate=rates, zone_h=0.25)
    for s in range(2):
        assert set(np.unique(noise.candidate[s]).round(12)) == {0, round(1 / (1 - rates[s]), 12)}
        assert abs((noise.candidate[s] == 0).mean() - rates[s]) < 0.02  # 6 deviations
    assert abs(noise.zone_h.mean() - 0.25) < 0.02
    assert noise.recurrent is noise.output is None
    tied = recurrent.draw_noise(np.random.default_rng(1), LSTM(), params, 3, 4, recurrent=0.5)
    assert tied.recurrent.shape == (2, 3, 4, H)


def test_drawn_noise_names_what_is_wrong():
    rng, params = np.random.default_rng(0), problem(LSTM())[0]
    cases = [
        (TypeError, r"^rng must be a numpy", (0, LSTM(), params, 2, 3), {}),
        (TypeError, r"^cell must be a cell such as LSTM\(\)", (rng, LSTM, params, 2, 3), {}),
        (ValueError, r"^batch must be at least 0, got -1$", (rng, LSTM(), params, -1, 3), {}),
        (ValueError, r"^steps must be at least 0, got -1$", (rng, LSTM(), params, 2, -1), {}),
        (
            ValueError,
            r"^schedule must be one of 'step', 'sequence'; got 'once'$",
            (rng, LSTM(), params, 2, 3),
            {"schedule": "once"},
        ),
        (
            ValueError,
            r"^a place of noise must be one of 'input', 'recurrent', .*; got 'hidden'$",
            (rng, LSTM(), params, 2, 3),
            {"hidden": 0.5},
        ),
        (
            ValueError,
            r"^rate must be a finite number in \[0, 1\), got 1.0$",
            (rng, LSTM(), params, 2, 3),
            {"output": 1.0},
        ),
    ]
    for error, message, arguments, keywords in cases:
        with pytest.raises(error, match=message):
            recurrent.draw_noise(*arguments, **keywords)
    assert recurrent.draw_noise(rng, LSTM(), params, 0, 0, output=0.5).output.shape == (0, 0, H)
