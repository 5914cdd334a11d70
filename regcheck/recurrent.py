"""Checks of the exercises in the chapter Recurrent dropout."""

import numpy as np

from regcheck.core import choice, compare, exercise, near, parts, trials
from reglib.layers.activations import sigmoid as sigma
from reglib.layers.norm import layer_norm


@exercise("The new memory")
def memory(answer):
    """f c + i candidate kept / q."""
    for rng in trials():
        f, i = rng.uniform(0.2, 0.9, (2, 4, 6))
        candidate, c, rate = rng.uniform(-0.9, 0.9, (4, 6)), rng.normal(size=(4, 6)), rng.uniform(0.2, 0.4)
        kept = (rng.random((4, 6)) < 0.6) * 1.0
        q, written = 1 - rate, i * candidate
        compare(
            answer(f, i, candidate, c, kept, rate),
            f * c + written * kept / q,
            {
                "Your mask reaches the old memory. That is state dropout: what is dropped is lost.": (f * c + written)
                * kept
                / q,
                "Your mask is on the old memory, and the candidate goes free.": f * c * kept / q + written,
                "An inverted mask has mean 1; yours makes what is written smaller on average.": f * c + written * kept,
                "You divide by the rate. Which share is kept?": f * c + written * kept / rate,
                "Your mask is turned around: it drops what is kept.": f * c + written * (1 - kept) / q,
                "Where the candidate is dropped, the old memory takes its place in full. That is zoneout.": np.where(
                    kept > 0, f * c + written, c
                ),
                "The forget gate is missing.": c + written * kept / q,
            },
            "Look at the two terms of the new memory apart, and at the mean of the mask.",
        )


@exercise("The mean after many steps")
def mean_after(answer):
    """write (1 - forget^steps) / (1 - forget)."""
    for rng in trials():
        forget, write, steps, rate = rng.uniform(0.6, 0.9), rng.uniform(0.3, 0.9), int(rng.integers(4, 9)), 0.25
        q, right = 1 - rate, write * (1 - forget**steps) / (1 - forget)
        carried = sum(write * q ** (t + 1) * forget**t for t in range(steps))
        compare(
            answer(forget, write, steps, rate),
            right,
            {
                "An inverted mask has mean 1: the rate does not change the mean.": q * right,
                "That is a plain mask on the carried memory: each entry is hit again at every step.": carried,
                "That is a plain mask on the forget gate's path: one factor too few for each step.": write
                * (1 - (q * forget) ** steps)
                / (1 - q * forget),
                "That is the limit of infinitely many steps.": write / (1 - forget),
                "Old entries fade: each step multiplies them by the forget gate.": write * steps,
                "That is what is left of the first entry alone.": write * forget ** (steps - 1),
                "Count the entries again: the last one has not faded at all.": right * forget,
                "You divided by the keep probability once more: it is in the mask already.": right / q,
            },
            "What is left at the end of what was written at one step? And then of all of them?",
        )


@exercise("Backward")
def backward(answer):
    """mask candidate grad, mask i grad, f grad."""
    for rng in trials():
        f, i = rng.uniform(0.2, 0.9, (2, 4, 6))
        candidate, grad = rng.uniform(-0.9, 0.9, (4, 6)), rng.normal(size=(4, 6))
        mask = (rng.random((4, 6)) < 0.6) / 0.6
        right = (mask * candidate * grad, mask * i * grad, f * grad)
        grad_i, grad_candidate, grad_old = parts(answer(f, i, candidate, mask, grad), right)
        compare(
            grad_i,
            mask * candidate * grad,
            {
                "The input gate multiplies a dropped candidate, too: its gradient needs the mask.": candidate * grad,
                "That is the gradient of the candidate. The input gate comes first.": mask * i * grad,
                "Differentiate i m u by i: what is left?": mask * grad,
                "That is the gradient of the sum behind the gate. Here the gate itself is asked for.": mask
                * candidate
                * grad
                * i
                * (1 - i),
            },
            "The gradient of the input gate is not right: differentiate i m u by i.",
        )
        compare(
            grad_candidate,
            mask * i * grad,
            {
                "A dropped candidate had no influence: its gradient needs the mask.": i * grad,
                "The candidate reaches the memory through the input gate.": mask * grad,
                "That is the gradient of the sum before tanh. Here the candidate itself is asked for.": mask
                * i
                * grad
                * (1 - candidate**2),
            },
            "The gradient of the candidate is not right: differentiate i m u by u.",
        )
        compare(
            grad_old,
            f * grad,
            {
                "There is no mask between the old memory and the new one.": mask * f * grad,
                "The forget gate multiplies on the way back, too.": grad,
                "That is as if the old memory had been multiplied by the input gate.": i * grad,
            },
            "The gradient of the old memory is not right: differentiate f c by c.",
        )


@exercise("A single event")
def missed(answer):
    """0.3^5."""
    near(
        answer,
        0.3**5,
        {
            "That is the probability that all five write it.": 0.7**5,
            "That is the probability that at least one writes it.": 1 - 0.3**5,
            "That is one unit. There are five, and they miss independently.": 0.3,
            "Probabilities of independent misses multiply; they do not add.": 1.5,
            "Rounded too far: give a formula, or at least three digits.": 0.0024,
            "That is a mask on the carried memory, hit at each of the steps.": 1 - 0.7**101,
            "That is one unit, and the probability that it writes it.": 0.7,
        },
        "Each unit misses it with the same probability, once and for all.",
        decimals=5,
    )


@exercise("How much it spreads")
def spread(answer):
    """sqrt(p / q * 36 * 0.5^2)."""
    near(
        answer,
        1.5,
        {
            "That is the variance. Take the root.": 2.25,
            "That is one mask for the sequence. Here each step has its own, and they average out.": 9.0,
            "That is the mean.": 18.0,
            "That is with the variance of a plain mask; this one is inverted.": (0.16 * 36 * 0.25) ** 0.5,
            "You exchanged keep and drop.": (4 * 36 * 0.25) ** 0.5,
            "Is what is written squared before the sum?": (0.25 * 36 * 0.5) ** 0.5,
            "That is the noise of a single step.": 0.25,
        },
        "How much does a single step vary? And what adds up over the steps, if their masks are independent?",
    )


def _gates(a):
    """Return the four sums."""
    return np.split(a, 4, axis=-1)


@exercise("With layer normalization")
def cell_end(answer):
    """o tanh(LN(c)), and c as it is."""
    for rng in trials():
        a, c, mask = rng.normal(size=(3, 20)), rng.normal(size=(3, 5)), (rng.random((3, 5)) < 0.6) / 0.6
        gain, shift = rng.uniform(0.5, 2.0, 5), rng.normal(size=5)
        i, f, g, o = _gates(a)
        new = sigma(f) * c + sigma(i) * mask * np.tanh(g)
        swapped = sigma(f) * c + sigma(i) * mask * np.tanh(o)
        both = mask * (sigma(f) * c + sigma(i) * np.tanh(g))
        right = (sigma(o) * np.tanh(layer_norm(new, gain, shift)), new)
        h, carried = parts(answer(a, c, mask, gain, shift), right)
        compare(
            carried,
            new,
            {
                "That is the cell of Addons: it carries the normalized memory. The paper carries it raw.": layer_norm(
                    new, gain, shift
                ),
                "The order of the gates is i, f, g, o.": swapped,
                "The mask is missing.": sigma(f) * c + sigma(i) * np.tanh(g),
                "Your mask reaches the old memory.": both,
                "The mask acts on the candidate after tanh, not on the sum before it.": sigma(f) * c
                + sigma(i) * np.tanh(mask * g),
                "Two gates are sums still: they need sigma.": f * c + i * mask * np.tanh(g),
                "The candidate needs tanh.": sigma(f) * c + sigma(i) * mask * g,
            },
            "The memory is not right. It should be that of an LSTM with a mask on the candidate.",
        )
        compare(
            h,
            sigma(o) * np.tanh(layer_norm(new, gain, shift)),
            {
                "The memory has to be normalized before tanh.": sigma(o) * np.tanh(new),
                "First the normalization, then tanh.": sigma(o) * layer_norm(np.tanh(new), gain, shift),
                "The output gate is missing.": np.tanh(layer_norm(new, gain, shift)),
                "The output gate is a sum still: it needs sigma.": o * np.tanh(layer_norm(new, gain, shift)),
                "The output gate is a sigmoid.": np.tanh(o) * np.tanh(layer_norm(new, gain, shift)),
                "The tanh is missing.": sigma(o) * layer_norm(new, gain, shift),
            },
            "The memory is right, h is not. Look at the last line of the equation.",
        )


@exercise("Which argument")
def which(answer):
    """A cell of your own."""
    choice(
        answer,
        "d",
        {
            "a": "In Keras that is a mask on h before the products, one a sequence: the same name, another place.",
            "b": "That drops what one layer gives to the next. The recurrent path is not touched.",
            "c": "That drops the h that is carried on. Which of the four does the paper mask: i, f, g or o?",
        },
    )


def _as_found(a, c, mask):
    i, f, o, g = np.split(a, 4, axis=-1)
    c = mask * (sigma(f) * c + sigma(i) * np.tanh(g))
    return sigma(o) * np.tanh(c), c


@exercise("Bug hunt: the memory that leaks", given=_as_found)
def step(answer):
    """The mask on the candidate, and the gates in order."""
    for rng in trials():
        a, c, mask = rng.normal(size=(3, 20)), rng.normal(size=(3, 5)), (rng.random((3, 5)) < 0.6) / 0.6
        i, f, g, o = _gates(a)
        kept, new = sigma(f) * c, sigma(i) * np.tanh(g)
        h, carried = parts(answer(a, c, mask), (sigma(o) * np.tanh(kept + mask * new), kept + mask * new))
        wrong = sigma(i) * np.tanh(o)
        compare(
            carried,
            kept + mask * new,
            {
                "Nothing is mended yet: the mask still reaches the old memory.": mask * (kept + wrong),
                "The gates are in order now, but the mask still reaches the old memory.": mask * (kept + new),
                "The mask is at its place. Now look at the order of the gates.": kept + mask * wrong,
                "The mask is on the old memory alone.": mask * kept + new,
                "There is no mask on the candidate now.": kept + new,
                "The mask acts on the candidate after tanh, not on the sum before it.": kept
                + sigma(i) * np.tanh(mask * g),
            },
            "The memory is not right. What should the mask touch, and what not?",
        )
        compare(
            h,
            sigma(o) * np.tanh(kept + mask * new),
            {"The output gate reads the wrong sum.": sigma(g) * np.tanh(kept + mask * new)},
            "The memory is right, h is not. That line had no error.",
        )
