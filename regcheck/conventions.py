"""Checks of the exercises in the chapter "Conventions decoder"."""

import numpy as np

from regcheck.core import choice, compare, exercise, expect, near, parts, trials, whole


@exercise("From Ridge to this book")
def ridge(answer):
    for rng in trials():
        alpha, n = rng.uniform(0.5, 50.0), int(rng.integers(20, 500))
        compare(
            answer(alpha, n),
            alpha / (2 * n),
            {
                "The N is there, but a factor 2 is missing. Is this book's loss the mean of the squares?": alpha / n,
                "You halved it, but forgot that Ridge sums over the examples and this book averages.": alpha / 2,
                "That is the other direction: from l2 to alpha. A sum outweighs a mean, so l2 must be smaller.": (
                    2 * n * alpha
                ),
                "The number cannot stay the same: the two losses differ by a factor that grows with n.": alpha,
                "The n is there; the 2 stands on the wrong side.": 2 * alpha / n,
            },
            "Write both objectives down and divide one so that the data losses become equal.",
        )


@exercise("A twin in Keras")
def twin(answer):
    choice(
        answer,
        "c",
        {
            "a": "Keras' weight_decay acts beside the velocity, PyTorch's enters it. With momentum they part at the "
            "second step.",
            "b": "The right place, but look at the gradient of L2(0.02): what does it add for a weight of 1?",
            "d": "Halving does not help: Keras' weight_decay never enters the velocity, whatever the number.",
        },
    )


@exercise("Dropout as the paper says it")
def dropout(answer):
    for rng in trials():
        x, u, p = rng.normal(size=(9, 8)), rng.uniform(size=(9, 8)), rng.uniform(0.6, 0.9)
        u[0, :3] = p  # a number equal to p is not below it
        compare(
            answer(x, u, p),
            np.where(u < p, x / p, 0),
            {
                "You drop with probability p. In the paper p is the probability to retain.": (
                    np.where(u >= p, x / (1 - p), 0)
                ),
                "You drop the units that should be kept.": np.where(u >= p, x / p, 0),
                "The right units are kept, but the scale is that of the dropped ones. Who survives how often?": (
                    np.where(u < p, x / (1 - p), 0)
                ),
                "The mask is right; nothing is rescaled, so on average you return p times x.": np.where(u < p, x, 0),
                "Multiplying by p is what the paper does at test time. During training, inverted scaling does the "
                "opposite.": np.where(u < p, x * p, 0),
                "The right units are dropped, but a unit is kept where its number is below p, not below 1 - p.": (
                    np.where(u < 1 - p, x / p, 0)
                ),
                "Share and scale are right, but the task keeps a unit where its number is below p. With your "
                "comparison the same numbers keep other units.": np.where(u >= 1 - p, x / p, 0),
                "A number that equals p is not below it.": np.where(u <= p, x / p, 0),
            },
            "Not the paper's dropout yet. Look at the mask and at the scale, one at a time.",
        )


@exercise("The mask's shape, channels first")
def shape(answer):
    for rng in trials():
        n, c, h, w = (int(size) for size in rng.permutation(np.arange(2, 12))[:4])
        compare(
            whole(answer((n, c, h, w)), 4),
            np.array([n, c, 1, 1]),
            {
                "That is the shape for channels last, Keras' order: it is constant along the wrong axes.": (
                    np.array([n, 1, 1, w])
                ),
                "Every image would lose the same channels: the first axis must not be 1.": np.array([1, c, 1, 1]),
                "All channels would share one number: the whole image is dropped, or nothing.": np.array([n, 1, 1, 1]),
                "Every pixel would get a number of its own: that is ordinary dropout.": np.array([n, c, h, w]),
                "You drop pixels, through all channels. Which axis holds the channels?": np.array([n, 1, h, w]),
            },
            "One random number for each image and each channel: what is the size along each of the four axes?",
        )


@exercise("Read it off")
def decode(answer):
    seen = []

    for rng in trials():
        factor, constant = rng.uniform(0.05, 2.0), rng.uniform(0.5, 3.0)

        def penalty(w, factor=factor, constant=constant):
            w = np.asarray(w, dtype=float)
            seen.append(w)
            return constant + factor * np.sum(w**2)

        seen.clear()
        got = answer(penalty)
        expect(seen, "Your function never calls the penalty. There is nothing else that it could measure.")
        largest = max(seen, key=lambda w: np.sum(w**2))
        expect(np.any(largest), "You only looked at w = 0. There every multiple of the squared norm is the same.")
        compare(
            got,
            factor,
            {
                "The slope is right, and half of it is due to the square: the gradient of l2 * w**2 is 2 * l2 * w.": (
                    2 * factor
                ),
                "You halved once too often: the book's l2 multiplies the square without a half.": factor / 2,
                "There is a constant in the penalty that does not depend on w. Remove it first.": (
                    factor + constant / np.sum(largest**2)
                ),
                "You divided by the norm. The penalty is a multiple of its square.": (
                    factor * np.sqrt(np.sum(largest**2))
                ),
                "That is the difference of two values. It still depends on the w that you chose.": (
                    factor * np.sum(largest**2)
                ),
                "That is the value at one w: it contains the constant, and depends on the w that you chose.": (
                    constant + factor * np.sum(largest**2)
                ),
            },
            "Try your function on lambda w: 0.3 * np.sum(w**2) + 1. It should return 0.3.",
            tolerance=1e-5,
        )


@exercise("What the paper's number leaves")
def paper_decay(answer):
    near(
        answer,
        0.05,
        {
            "The same number would be multiplied by the learning rate a second time: far too little decay.": 0.0001,
            "That is the other direction: from PyTorch's number to the paper's.": 0.0001 * 0.002,
            "Nothing is squared here, so there is no factor 2: compare what one step leaves of a weight.": 0.1,
            "Nothing is halved here: compare what one step leaves of a weight.": 0.025,
            "Upside down: the learning rate divides, it is not divided.": 20.0,
        },
        "After one step with a zero gradient, both programs must leave the same share of a weight.",
    )


def _as_found(keep, decay, old_share, n):
    p = keep
    weight_decay = 2 * decay
    momentum = old_share
    return p, weight_decay, momentum


@exercise("Bug hunt: the port that would not reproduce", given=_as_found)
def bug(answer):
    for rng in trials():
        keep, old, n = rng.uniform(0.6, 0.95), rng.uniform(0.6, 0.99), int(rng.integers(50, 500))
        decay = rng.uniform(0.5, 5.0) * n
        p, weight_decay, momentum = parts(answer(keep, decay, old, n), (1 - keep, decay / n, 1 - old))
        compare(
            weight_decay,
            decay / n,
            {
                "The decay has two things wrong: the paper sums over n examples, and its penalty is halved already.": (
                    2 * decay
                ),
                "The decay: the half in the penalty cancels the 2 of the derivative, so none is left.": 2 * decay / n,
                "The decay: the paper's loss is a sum over n examples, PyTorch's a mean.": decay,
                "The decay: that is the book's l2. PyTorch's weight_decay is twice as much.": decay / (2 * n),
                "The decay: a mean is smaller than a sum, so its penalty must be smaller, too.": decay * n,
            },
            "The decay: divide the paper's objective by n, then take the gradient of the penalty.",
        )
        compare(
            p,
            1 - keep,
            {"The dropout: PyTorch's p is the probability to drop; you pass the probability to keep.": keep},
            "The dropout: with which probability is a unit dropped?",
        )
        compare(
            momentum,
            1 - old,
            {"The batch norm: PyTorch's momentum is the share of the new batch; you pass the share of the old.": old},
            "The batch norm: to which of the two averages does PyTorch's momentum belong?",
        )
