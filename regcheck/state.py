"""Checks of the exercises in the chapter State dropout."""

import numpy as np

from regcheck import draws
from regcheck.core import Wrong, array, compare, exercise, expect, near, parts, trials


@exercise("Mean and mean square")
def moments(answer):
    """phi^T and (phi^2 / q)^T; with one mask q (phi / q)^T and q (phi / q)^(2T)."""
    for rng in trials():
        p, forget, steps = rng.uniform(0.1, 0.4), rng.uniform(0.8, 0.99), int(rng.integers(3, 8))
        q = 1 - p
        mean, square = parts(answer(p, forget, steps, False), (forget**steps, (forget**2 / q) ** steps))
        compare(
            mean,
            forget**steps,
            {
                "With a new mask: that mean belongs to plain masks. The mask is inverted.": (q * forget) ** steps,
                "With a new mask: the mean of one inverted factor is 1, not 1 / q.": (forget / q) ** steps,
                "With a new mask: the forget gate acts at each step.": forget,
                "With a new mask: you exchanged keep and drop.": (forget * q / p) ** steps,
            },
            "With a new mask: the mean is not right. What is the mean of one step's factor?",
        )
        compare(
            square,
            (forget**2 / q) ** steps,
            {
                "With a new mask: that is the square of the mean. The mean square is larger.": forget ** (2 * steps),
                "With a new mask: that mean square belongs to plain masks.": (q * forget**2) ** steps,
                "With a new mask: the forget gate has to be squared, too.": (forget / q) ** steps,
                "With a new mask: an inverted factor is 1 / q with probability q. Square, then average.": (forget / q)
                ** (2 * steps),
                "With a new mask: that is the variance.": (forget**2 / q) ** steps - forget ** (2 * steps),
            },
            "With a new mask: the mean square is not right. What is the mean of a squared factor?",
        )
        kept = (forget / q) ** steps
        mean, square = parts(answer(p, forget, steps, True), (q * kept, q * kept**2))
        compare(
            mean,
            q * kept,
            {
                "With one mask: you returned what a new mask at each step gives.": forget**steps,
                "With one mask: that is a kept unit. What about those that are dropped?": kept,
                "With one mask: that mean belongs to a plain mask.": q * forget**steps,
            },
            "With one mask: the mean is not right. Which value has a kept unit after all the steps?",
        )
        compare(
            square,
            q * kept**2,
            {
                "With one mask: that is the square of the mean.": (q * kept) ** 2,
                "With one mask: that is the square of a kept unit. How likely is it?": kept**2,
                "With one mask: you returned the mean square for a new mask at each step.": (forget**2 / q) ** steps,
            },
            "With one mask: the mean square is not right. Which values are possible, and how likely is each?",
        )


@exercise("Half-life")
def half_life(answer):
    """log(1/2) / log(0.9 * 0.95)."""
    near(
        answer,
        np.log(0.5) / np.log(0.855),
        {
            "Right as far as it goes; the task asks for two decimals.": 4.4,
            "That is in whole steps; the task asks for the crossing, with two decimals.": 5.0,
            "That is the half-life without any mask.": np.log(0.5) / np.log(0.95),
            "That is the half-life with an open forget gate.": np.log(0.5) / np.log(0.9),
            "That is when the mean square has halved.": np.log(0.5) / np.log(0.9 * 0.95**2),
            "You took the drop rate for the keep probability.": np.log(0.5) / np.log(0.095),
            "That is when the mean has shrunk to 1/e, not to a half.": -1 / np.log(0.855),
        },
        "Each step multiplies the mean by the same factor. How often until a half is left?",
        decimals=2,
    )


@exercise("Where the explosion begins")
def threshold(answer):
    """log(0.9 / 0.1)."""
    root = np.sqrt(0.9)
    near(
        answer,
        np.log(9),
        {
            "That is the gate's value. Which bias gives it?": 0.9,
            "You took the drop rate for the keep probability.": -np.log(9),
            "The gate is a logistic function, not an exponential.": np.log(0.9),
            "At that bias the gate is a half: far from the border.": 0.0,
            "That is the border for the mean square with a new mask at each step.": np.log(root / (1 - root)),
        },
        "What must the gate be for the memory neither to grow nor to fade? Then invert the logistic function.",
        decimals=2,
    )


@exercise("One step back")
def backward(answer):
    """grad_y + m_h next_h; m_c next_c + d_h o (1 - tanh^2 c)."""
    for rng in trials():
        grad_y, next_h, next_c, c = rng.normal(size=(4, 3, 5))
        m_h, m_c = (rng.random((2, 3, 5)) < 0.6) / 0.6
        o = rng.uniform(0.1, 0.9, (3, 5))
        right, slope = grad_y + m_h * next_h, o * (1 - np.tanh(c) ** 2)
        after = m_c * next_c + right * slope
        d_h, d_c = parts(answer(grad_y, next_h, next_c, m_h, m_c, o, c), (right, after))
        compare(
            d_h,
            right,
            {
                "For h: the mask is missing. What was dropped on the way forward gets nothing back.": grad_y + next_h,
                "For h: the output has no mask, so the gradient from above has none.": m_h * (grad_y + next_h),
                "For h: the gradient from the layer above is missing.": m_h * next_h,
                "For h: you took the mask of c.": grad_y + m_c * next_h,
            },
            "The gradient of h is not right. Where does h go, and what comes back from there?",
        )
        compare(
            d_c,
            after,
            {
                "For c: o is already the value of the gate, after sigma.": m_c * next_c
                + right * (1 - np.tanh(c) ** 2) / (1 + np.exp(-o)),
                "For c: c is the memory itself, so tanh is still to be taken.": m_c * next_c + right * o * (1 - c**2),
                "For c: the output is computed from c before its mask.": m_c * next_c
                + right * o * (1 - np.tanh(m_c * c) ** 2),
                "For c: the mask of the carried memory is missing.": next_c + right * slope,
                "For c: the path through the output is missing.": m_c * next_c,
                "For c: the mask acts on what is carried on, not on the path through the output.": m_c
                * (next_c + right * slope),
                "For c: the slope of tanh is missing.": m_c * next_c + right * o,
                "For c: the output gate is missing.": m_c * next_c + right * (1 - np.tanh(c) ** 2),
                "For c: what goes through the output is the gradient of h, with both its parts.": m_c * next_c
                + grad_y * slope,
            },
            "The gradient of h is right, that of c is not. Where does c go, and what comes back from there?",
        )


_NOT_FOR_NUMBERS = (
    "The bools are right, but something in your function works for bools alone (`~`, say, or an index). "
    "Which weight has the new value where zone is a number?"
)


@exercise("Zoneout in one line")
def zoneout(answer):
    """zone * old + (1 - zone) * new."""
    for rng in trials():
        old, new = rng.normal(size=(2, 4, 6))
        p = rng.uniform(0.2, 0.4)
        zone = rng.random((4, 6)) < p
        compare(
            answer(old, new, zone),
            np.where(zone, old, new),
            {
                "True keeps the old value; yours keeps the new one there.": np.where(zone, new, old),
                "That is dropout: zoneout puts the old value where you have 0.": np.where(zone, 0, new),
                "You add the old value to the new one instead of taking its place.": new + zone * old,
            },
            "Where zone is True the result should be the old memory, elsewhere the new one.",
        )
        try:
            mixed = answer(old, new, p)
        except Wrong as reason:
            expect("Your function stops" not in str(reason), _NOT_FOR_NUMBERS)
            raise
        compare(
            mixed,
            p * old + (1 - p) * new,
            {
                "The bools are right. For a number you return one of the two values, not their mean.": old,
                "The bools are right. For a number you return the new value alone.": new,
                "The bools are right. With a number, the weights are exchanged.": (1 - p) * old + p * new,
                "Nothing has to be divided by q: no unit is lost.": (p * old + (1 - p) * new) / (1 - p),
            },
            "The bools are right. For a number the result should be the mean over the draws.",
        )


@exercise("The highest rate")
def highest_rate(answer):
    """1 - share^(1 / steps)."""
    for rng in trials():
        steps, share = int(rng.integers(5, 40)), rng.uniform(0.3, 0.8)
        compare(
            answer(steps, share),
            1 - share ** (1 / steps),
            {
                "That is the probability to keep.": share ** (1 / steps),
                "That is the rate of one mask a sequence. With a new mask each step a unit is at risk at every one.": 1
                - share,
                "You raised to the power of steps. From the share after all steps back to one step it is a root.": 1
                - share**steps,
                "You divided the loss by the steps. Near it: but the losses do not add up, the shares multiply.": (
                    1 - share
                )
                / steps,
                "You took q for e^(-p). Near it for small rates, and too high.": -np.log(share) / steps,
                "That is the rate at which about 1/e is left, whatever the share.": 1 / steps,
            },
            "Which share is alive after one step, after two, after all? Set the last equal to the share, and solve.",
        )


def _as_found(x, forget, rate, rng):
    mask = (rng.random((1, x.shape[2])) >= rate) / (1 - rate)
    c = np.zeros((x.shape[0], x.shape[2]))
    for t in range(x.shape[1]):
        c = (forget * c + x[:, t]) * mask
    return c


@exercise("Bug hunt: one mask a sequence", given=_as_found)
def memory(answer):
    """A plain mask for each example, and one scaling at the end."""
    for rng in trials():
        x, forget, p = rng.uniform(0.5, 1.5, (80, 6, 90)), rng.uniform(0.85, 0.95), rng.uniform(0.2, 0.35)
        got = answer(x, forget, p, np.random.default_rng(1))
        kept, q = array(got, (80, 90), "The result should have the shape (batch, units).") != 0, 1 - p
        expect(kept.any() and not kept.all(), "Some units should be dropped, and not all.")
        expect(
            not np.array_equal(kept, kept[:1].repeat(80, axis=0)),
            "All examples of the batch lose the same units. There should be a mask for each.",
        )
        clean = sum(forget ** (5 - t) * x[:, t] for t in range(6))
        each = sum((forget / q) ** (5 - t) * x[:, t] for t in range(6)) / q
        compare(
            got,
            kept * clean / q,
            {
                "The mean is lost: what is kept has no factor.": kept * clean,
                "The factor is multiplied in again at every step, so that what is kept explodes.": kept * each,
                "You exchanged keep and drop in the factor.": kept * clean / p,
                "The factor is there twice.": kept * clean / q**2,
            },
            "What a kept unit holds is not the memory without dropout, times one factor. Is the mask the same at all "
            "steps? And how often does the factor act?",
        )
        draws.independent(kept, p)
        draws.from_generator(lambda generator, x=x, forget=forget, p=p: answer(x, forget, p, generator))
