"""Checks of the exercises in the chapter Spatial dropout."""

import numpy as np

from regcheck import draws
from regcheck.core import array, choice, compare, exercise, expect, near, trials, whole


@exercise("The shape of the mask")
def mask_shape(answer):
    """1 along every axis but the batch and the channels."""
    for shape, axis in (((7, 5, 6, 3), 3), ((7, 3, 5, 6), 1), ((7, 9, 4), -1), ((2, 3, 4, 5, 6), 1), ((8, 6), -1)):
        got = answer(shape, axis)
        channels = shape[axis]
        place = axis % len(shape)
        mistakes = {
            "You gave the batch the length 1: all examples would lose the same channels.": (
                1,
                *_alone(shape, place)[1:],
            ),
            "You shared the channels and kept the positions: that drops whole positions.": tuple(
                1 if i == place else size for i, size in enumerate(shape)
            ),
            "That is the mask of unit dropout: every unit has a draw of its own.": shape,
            "You took the last axis for the channels, whatever channel_axis says.": _alone(shape, len(shape) - 1),
            "You took axis 1 for the channels, whatever channel_axis says.": _alone(shape, 1),
            "A negative channel_axis counts from the end.": (shape[0], *(1,) * (len(shape) - 1)),
        }
        compare(
            whole(got, len(shape), "The mask has as many axes as the activations; shared ones have the length 1."),
            _alone(shape, place),
            mistakes,
            f"For {shape}, the length {channels} must stay on axis {axis}.",
        )


def _alone(shape, place):
    """Return the shape with length 1 on all axes but the first and the one given."""
    return tuple(size if i in (0, place) else 1 for i, size in enumerate(shape))


@exercise("What the pooling leaves")
def strength(answer):
    """p / q / (1 + (n - 1) rho)."""
    for rng in trials():
        p, n, rho = rng.uniform(0.15, 0.4), int(rng.integers(4, 26)), rng.uniform(0.2, 0.8)
        odds, gain = p / (1 - p), 1 + (n - 1) * rho
        compare(
            answer(p, n, rho),
            odds / gain,
            {
                "You count a unit among its own neighbours.": odds / (1 + n * rho),
                "That is right for perfect correlation only; rho is missing.": odds / n,
                "That is the strength before averaging, and of channel masks after it.": odds,
                "You multiplied where averaging should weaken the noise.": odds * gain,
                "The variance of an inverted gate is p / q, not p q.": p * (1 - p) / gain,
                "The rate itself is not a variance. What is the variance of an inverted gate?": p / gain,
                "You exchanged keep and drop.": 1 / odds / gain,
                "That is a ratio of standard deviations. The definition takes squares.": np.sqrt(odds / gain),
                "The drop rate has no part in it. That is the share that averaging leaves, not the strength.": 1 / gain,
                "That is by how much averaging weakens the noise, not what it leaves.": gain,
                "You turned it over: that is the signal relative to the noise.": gain / odds,
            },
            "Try rho = 0, which must give p / q, and rho = 1, which must give p / (q n).",
        )


@exercise("The same strength")
def match(answer):
    """7 / 16."""
    odds = 0.1 / 0.9 * 7
    near(
        answer,
        odds / (1 + odds),
        {
            "That is p / q. The question asks for p.": odds,
            "Equal rates are not equal strengths: the average takes most of the unit noise.": 0.1,
            "That would hold for perfectly correlated neighbours.": 16 / 9 / (1 + 16 / 9),
            "You multiplied the rate itself. It is p / q that is multiplied.": 0.7,
            "You count a unit among its own neighbours.": (7.4 / 9) / (1 + 7.4 / 9),
            "That is the probability to keep.": 1 / (1 + odds),
            "You weakened the unit dropout. It has to be stronger, to make up for the average.": (1 / 63)
            / (1 + 1 / 63),
        },
        "How strong is the channel noise, and by what does the average divide the strength of unit noise?",
        decimals=2,
    )


@exercise("The gradient of a 1 x 1 convolution")
def weight(answer):
    """Sum over examples and positions of grad * h * mask / q."""
    for rng in trials():
        grad, h, p = rng.normal(size=(4, 6)), rng.normal(size=(4, 6, 3)), rng.uniform(0.2, 0.4)
        mask = rng.random((4, 1, 3)) < 0.6
        mask[0, 0], mask[1, 0] = (True, False, True), (False, True, True)
        all_in = grad[:, :, None] * h * mask / (1 - p)
        compare(
            answer(grad, h, mask, p),
            all_in.sum(axis=(0, 1)),
            {
                "The mask is missing: a dropped channel reached no output.": (grad[:, :, None] * h).sum(axis=(0, 1))
                / (1 - p),
                "Mask and factor are missing: the weight met the noisy maps.": (grad[:, :, None] * h).sum(axis=(0, 1)),
                "The factor 1 / q is missing.": (grad[:, :, None] * h * mask).sum(axis=(0, 1)),
                "That is a mean. The gradient of a shared weight is a sum.": all_in.mean(axis=(0, 1)),
                "You took the mean over the examples; grad holds their shares of the loss already.": all_in.sum(
                    axis=1
                ).mean(axis=0),
                "You took the mean over the positions. Each is a use of the weight.": all_in.mean(axis=1).sum(axis=0),
                "The activations are missing: that is no gradient of a weight.": (
                    grad[:, :, None] * mask / (1 - p) * np.ones_like(h)
                ).sum(axis=(0, 1)),
                "You divided by the rate. Which share is kept?": (grad[:, :, None] * h * mask).sum(axis=(0, 1)) / p,
            },
            "Write y for one example and one position, and differentiate by one weight. Then add them all up.",
        )


@exercise("Before the global average")
def average(answer):
    """Unit dropout behind the mean."""
    choice(
        answer,
        "b",
        {
            "a": "Then the gates of a channel are independent, and the mean averages most of their noise away.",
            "c": "Plain training has no noise. Does the factor of a channel mask average away?",
            "d": "The dense layer mixes the channels. A factor for each channel cannot pass through it.",
        },
    )


def _given(x, rate, rng):
    keep = rng.random((len(x), 1, 1, x.shape[-1])) >= rate
    return x * keep / (1 - rate)


@exercise("Bug hunt: channels first", given=_given)
def spatial_dropout(answer):
    """One draw for each example and channel."""
    for rng in trials(3):
        x, p = rng.uniform(0.5, 1.5, (80, 90, 2, 3)), rng.uniform(0.2, 0.35)
        got = answer(x, p, np.random.default_rng(1))
        kept = array(got, x.shape, "The result should have the shape of x.") != 0
        expect(kept.any() and not kept.all(), "There should be noise: some channels must be dropped, and not all.")
        compare(
            got,
            x * kept / (1 - p),
            {
                "Kept units must be divided by 1 - rate, so that the mean stays.": x * kept,
                "You exchanged keep and drop in the factor.": x * kept / p,
            },
            "The factor of what is kept is not right. It was, in the function as you found it.",
        )
        shared = [bool(np.all(kept == np.take(kept, [0], axis))) for axis in range(4)]
        expect(shared != [False, True, True, False], "It still drops whole columns, of all channels at once.")
        expect(shared != [False, True, False, True], "Now it drops whole rows, of all channels at once.")
        expect(not shared[0], "All examples lose the same channels. Each example needs draws of its own.")
        expect(not shared[1], "All channels of an example are dropped together: that drops the example.")
        expect(
            shared[2] and shared[3], "The positions of a channel must share one draw. Yours differ within a channel."
        )
        draws.independent(kept[:, :, 0, 0], p, columns="channels")
        draws.from_generator(lambda generator, x=x, p=p: answer(x, p, generator))
