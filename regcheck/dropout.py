"""Checks of the exercises in the chapter Dropout."""

import numpy as np

from regcheck import draws
from regcheck.core import array, choice, compare, exercise, expect, near, parts, trials


@exercise("Forward")
def forward(answer):
    """x * (u >= rate) / (1 - rate)."""
    for rng in trials():
        x, u, rate = rng.normal(size=(4, 30)), rng.random((4, 30)), rng.uniform(0.15, 0.4)
        u[0, :5] = rate  # a number equal to the rate is not below it
        kept = u >= rate
        compare(
            answer(x, u, rate),
            x * kept / (1 - rate),
            {
                "The mean is not preserved: what is kept must grow.": x * kept,
                "You keep what should be dropped. With which probability is your comparison true?": x * ~kept / rate,
                "Your mask is turned around, though your factor is right.": x * ~kept / (1 - rate),
                "The factor should make what is kept larger, so that the mean stays.": x * kept * (1 - rate),
                "You divide by the probability to drop.": x * kept / rate,
                "Nothing is dropped in your output.": x / (1 - rate),
                "A number that equals the rate does not lie below it.": x * (u > rate) / (1 - rate),
            },
            "Not inverted dropout yet. Write the mask and the factor on two lines and look at each.",
        )


@exercise("Backward")
def backward(answer):
    """2 * grad * mask."""
    for rng in trials():
        grad, mask = rng.normal(size=(4, 30)), rng.random((4, 30)) < 0.6
        compare(
            answer(grad, mask),
            2 * grad * mask,
            {
                "The mask is missing: a dropped unit must get no gradient.": 2 * grad,
                "The forward pass did two things to each entry. You take one of them back.": grad * mask,
                "Look at your factor. How much does y change when x changes by one?": grad * mask / 2,
                "You give the gradient to the dropped units.": 2 * grad * ~mask,
            },
            "Write down the derivative of one output by its own input.",
        )


@exercise("The variance of a unit")
def variance(answer):
    """9 * 0.2 / 0.8."""
    near(
        answer,
        2.25,
        {
            "That is the variance without the factor 1/q, of unscaled dropout.": 9 * 0.2 * 0.8,
            "That is the mean square. Take the square of the mean away.": 11.25,
            "That is the standard deviation.": 1.5,
            "You exchanged keep and drop.": 36.0,
            "That is the variance of the gate; the unit's value comes in squared.": 0.25,
            "The value of the unit comes in squared.": 0.75,
        },
        "List the two values, their probabilities, the mean, and the mean square.",
    )


@exercise("From a paper to a library")
def keep(answer):
    """0.1, 0.5, 1 / 0.9."""
    torch, keras, factor = parts(answer(), (0.1, 0.5, 1 / 0.9))
    compare(
        torch,
        0.1,
        {"That is the paper's number. PyTorch asks for the probability to drop.": 0.9},
        "The argument of torch.nn.Dropout is a probability to drop an input. With which one does the paper drop them?",
    )
    compare(
        keras,
        0.5,
        {"That is the number for the inputs.": 0.1},
        "The hidden units are kept with probability 0.5. With which one are they dropped?",
    )
    compare(
        factor,
        1 / 0.9,
        {
            "That is how the unscaled form multiplies at test time.": 0.9,
            "That is one over the probability to drop.": 10.0,
            "That is the factor of the hidden units.": 2.0,
            "Nearly. Give the fraction itself, or three digits.": 1.1,
        },
        "The factor makes up for the inputs that are gone, so that the mean stays.",
        tolerance=2e-3,
    )


@exercise("What reaches the next layer")
def next_layer(answer):
    """p / q * sum((w h)^2)."""
    for rng in trials():
        w, h, rate = rng.normal(size=12), rng.normal(size=12), rng.uniform(0.15, 0.4)
        each, gate = (w * h) ** 2, rate / (1 - rate)
        right = gate * each.sum()
        compare(
            answer(w.copy(), h.copy(), rate),
            right,
            {
                "That holds if one gate opens or shuts all units together.": gate * (w @ h) ** 2,
                "That is the variance of unscaled dropout, without the factor 1/q.": rate * (1 - rate) * each.sum(),
                "That adds up mean squares. A variance takes the square of the mean away.": each.sum() / (1 - rate),
                "A factor in front of a random number comes into its variance squared.": gate * (w @ h**2),
                "That is a standard deviation.": np.sqrt(right),
                "You exchanged keep and drop.": each.sum() / gate,
                "The rate is missing: what is the variance of a gate?": each.sum(),
            },
            "Write the variance of one summand first; then add the summands up.",
        )


@exercise("At test time")
def test_time(answer):
    """An approximation."""
    choice(
        answer,
        "c",
        {
            "a": "That holds as long as everything is linear. What does a nonlinear function do to a mean?",
            "b": "The factor 1/q was there in training, to keep the mean of each unit as it is without a mask.",
            "d": "There are too many thinned networks: hardly any is trained twice.",
        },
    )


def _as_found(x, grad, rate, rng):
    mask = rng.random(x.shape) >= rate
    x *= mask / (1 - rate)
    mask = rng.random(x.shape) >= rate
    return x, grad * mask / (1 - rate)


@exercise("What a table shows")
def verdict(answer):
    """An interval on the other side of zero shows the opposite."""
    choice(
        answer,
        "c",
        {
            "a": "The interval of row 3 has zero in it. Which other values does it have in it?",
            "b": "The verdict is about the claim. Where does the interval lie?",
            "d": "How far is each of the two from zero, and how many rows are there?",
        },
    )


@exercise("Bug hunt: two draws", given=_as_found)
def both_ways(answer):
    """One mask for both ways, and no argument changed."""
    for rng in trials():
        x, grad = rng.uniform(0.5, 1.5, (2, 80, 90))
        rate = rng.uniform(0.2, 0.35)

        def both(generator, x=x, grad=grad, rate=rate):
            output, grad_x = parts(answer(x, grad, rate, generator), 2)
            for result in (output, grad_x):
                array(result, x.shape, "Both results should have the shape of x.")
            return output, grad_x

        output, grad_x = both(np.random.default_rng(1))
        kept = array(output, x.shape) != 0
        expect(kept.any() and not kept.all(), "Your forward pass should drop some units, and keep others.")
        compare(
            output,
            x * kept / (1 - rate),
            {"The output has lost its factor.": x * kept},
            "The forward pass was right but for what it did to x. Keep its mask and its factor.",
        )
        compare(
            grad_x,
            grad * kept / (1 - rate),
            {
                "The gradient has lost its factor.": grad * kept,
                "The gradient goes to all units, dropped or not.": grad / (1 - rate),
                "The gradient goes to all units, dropped or not, and has no factor.": grad,
                "The gradient goes to the dropped units.": grad * ~kept / (1 - rate),
            },
            "The gradient is not that of your output. Which mask does it use, and which factor?",
        )
        draws.independent(kept, rate)
        draws.from_generator(both)
        silent = x * (np.arange(90) % 4 > 0)  # zeros, as behind a ReLU; the same draw
        output, grad_x = both(np.random.default_rng(1), x=silent)
        compare(output, silent * kept / (1 - rate), {}, "Draw the mask from rng alone: the same state, the same mask.")
        compare(
            grad_x,
            grad * kept / (1 - rate),
            {},
            "Where x itself is 0, your gradient is wrong. An output of 0 does not mean that the unit was dropped.",
        )
