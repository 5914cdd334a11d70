"""The exercises of Recurrent dropout: solutions pass, plausible wrong answers fail, each with its own message."""

import numpy as np

from regcheck import core
from regcheck import recurrent as check
from reglib.layers.activations import sigmoid as s
from reglib.layers.norm import layer_norm as norm
from tests.regcheck.harness import Chapter

chapter = Chapter("variants/recurrent.ipynb", check)


def backward(grad_i=None, grad_u=None, grad_old=None):
    """Return an answer that is right but for the parts given, functions of f, i, u, m, g."""
    right = (lambda f, i, u, m, g: m * u * g, lambda f, i, u, m, g: m * i * g, lambda f, i, u, m, g: f * g)
    chosen = [given or own for given, own in zip((grad_i, grad_u, grad_old), right, strict=True)]
    return lambda *given: tuple(part(*given) for part in chosen)


def cell(memory=None, h=None, order="ifgo"):
    """Return an answer whose memory and h are given, functions of the gates, the old memory, mask, gain and shift."""

    def answer(a, c, mask, gain=None, shift=None):
        blocks = dict(zip(order, np.split(a, 4, axis=-1), strict=True))
        i, f, g, o = (blocks[letter] for letter in "ifgo")
        new = (memory or right_memory)(i, f, g, o, c, mask)
        if gain is None:
            return (h or plain_h)(o, new), new
        return (h or right_h)(o, new, gain, shift), new

    return answer


def right_memory(i, f, g, o, c, m):
    return s(f) * c + s(i) * m * np.tanh(g)


def right_h(o, c, gain, shift):
    return s(o) * np.tanh(norm(c, gain, shift))


def plain_h(o, c):
    return s(o) * np.tanh(c)


def addons(a, c, mask, gain, shift):
    h, new = cell()(a, c, mask, gain, shift)
    return h, norm(new, gain, shift)


def masked_output(a, c, mask):
    h, new = cell()(a, c, 1.0)
    return mask * h, new


def geometric(write, factor, steps):
    return write * (1 - factor**steps) / (1 - factor)


WRONG = {
    "memory": [
        (lambda f, i, u, c, k, p: (f * c + i * u) * k / (1 - p), "what is dropped is lost"),
        (lambda f, i, u, c, k, p: f * c * k / (1 - p) + i * u, "goes free"),
        (lambda f, i, u, c, k, p: f * c + i * u * k, "has mean 1"),
        (lambda f, i, u, c, k, p: f * c + i * u * k / p, "divide by the rate"),
        (lambda f, i, u, c, k, p: f * c + i * u * (1 - k) / (1 - p), "turned around"),
        (lambda f, i, u, c, k, p: np.where(k > 0, f * c + i * u, c), "zoneout"),
        (lambda f, i, u, c, k, p: c + i * u * k / (1 - p), "forget gate is missing"),
        (lambda f, i, u, c, k, p: 0 * c, "two terms of the new memory"),
    ],
    "mean_after": [
        (lambda f, w, n, p: (1 - p) * geometric(w, f, n), "does not change the mean"),
        (lambda f, w, n, p: (1 - p) * geometric(w, f * (1 - p), n), "hit again at every step"),
        (lambda f, w, n, p: geometric(w, f * (1 - p), n), "one factor too few"),
        (lambda f, w, n, p: w / (1 - f), "infinitely many"),
        (lambda f, w, n, p: w * n, "Old entries fade"),
        (lambda f, w, n, p: w * f ** (n - 1), "first entry alone"),
        (lambda f, w, n, p: f * geometric(w, f, n), "has not faded"),
        (lambda f, w, n, p: geometric(w, f, n) / (1 - p), "in the mask already"),
        (lambda f, w, n, p: 77.0, "then of all of them"),
    ],
    "backward": [
        (backward(grad_i=lambda f, i, u, m, g: u * g), "multiplies a dropped candidate"),
        (backward(grad_i=lambda f, i, u, m, g: m * i * g), "comes first"),
        (backward(grad_i=lambda f, i, u, m, g: m * g), "what is left"),
        (backward(grad_i=lambda f, i, u, m, g: m * u * g * i * (1 - i)), "behind the gate"),
        (backward(grad_i=lambda f, i, u, m, g: 0 * g), "of the input gate is not right"),
        (backward(grad_u=lambda f, i, u, m, g: i * g), "had no influence"),
        (backward(grad_u=lambda f, i, u, m, g: m * g), "through the input gate"),
        (backward(grad_u=lambda f, i, u, m, g: m * i * g * (1 - u**2)), "before tanh"),
        (backward(grad_u=lambda f, i, u, m, g: 0 * g), "of the candidate is not right"),
        (backward(grad_old=lambda f, i, u, m, g: m * f * g), "no mask between"),
        (backward(grad_old=lambda f, i, u, m, g: g), "forget gate multiplies"),
        (backward(grad_old=lambda f, i, u, m, g: i * g), "by the input gate"),
        (backward(grad_old=lambda f, i, u, m, g: 0 * g), "of the old memory is not right"),
        (lambda f, i, u, m, g: m * u * g, "must be 3 values"),
    ],
    "missed": [
        (0.7**5, "all five write it"),
        (1 - 0.3**5, "at least one"),
        (0.3, "That is one unit"),
        (1.5, "do not add"),
        ((1 - 0.7**100) ** 5, "hit at each"),
        (0.7, "that it writes it"),
        (0.0024, "Rounded too far"),
        (5.0, "once and for all"),
    ],
    "spread": [
        (2.25, "Take the root"),
        (9.0, "one mask for the sequence"),
        (18.0, "That is the mean"),
        (1.2, "plain mask; this one"),
        (6.0, "exchanged keep and drop"),
        (4.5**0.5, "squared before the sum"),
        (0.25, "single step"),
        (70.0, "adds up"),
    ],
    "cell_end": [
        (addons, "the cell of Addons"),
        (cell(order="ifog"), "order of the gates"),
        (cell(memory=lambda i, f, g, o, c, m: s(f) * c + s(i) * np.tanh(g)), "mask is missing"),
        (cell(memory=lambda i, f, g, o, c, m: m * (s(f) * c + s(i) * np.tanh(g))), "reaches the old memory"),
        (cell(memory=lambda i, f, g, o, c, m: s(f) * c + s(i) * np.tanh(m * g)), "after tanh"),
        (lambda *given: cell()(*given)[::-1], "another order"),
        (cell(memory=lambda i, f, g, o, c, m: f * c + i * m * np.tanh(g)), "Two gates are sums"),
        (cell(memory=lambda i, f, g, o, c, m: s(f) * c + s(i) * m * g), "candidate needs tanh"),
        (cell(memory=lambda i, f, g, o, c, m: 0 * c), "It should be"),
        (cell(h=lambda o, c, gain, shift: o * np.tanh(norm(c, gain, shift))), "gate is a sum"),
        (cell(h=lambda o, c, gain, shift: s(o) * np.tanh(c)), "normalized before tanh"),
        (cell(h=lambda o, c, gain, shift: s(o) * norm(np.tanh(c), gain, shift)), "First the normalization"),
        (cell(h=lambda o, c, gain, shift: np.tanh(norm(c, gain, shift))), "output gate is missing"),
        (cell(h=lambda o, c, gain, shift: np.tanh(o) * np.tanh(norm(c, gain, shift))), "is a sigmoid"),
        (cell(h=lambda o, c, gain, shift: s(o) * norm(c, gain, shift)), "tanh is missing"),
        (cell(h=lambda o, c, gain, shift: 0 * c), "h is not"),
    ],
    "which": [("a", "before the products"), ("b", "to the next"), ("c", "carried on")],
    "step": [
        (cell(memory=lambda i, f, g, o, c, m: m * (s(f) * c + s(i) * np.tanh(o))), "Nothing is mended"),
        (cell(memory=lambda i, f, g, o, c, m: m * (s(f) * c + s(i) * np.tanh(g))), "gates are in order now"),
        (cell(order="ifog"), "mask is at its place"),
        (cell(memory=lambda i, f, g, o, c, m: m * s(f) * c + s(i) * np.tanh(g)), "old memory alone"),
        (masked_output, "no mask on the candidate"),
        (cell(memory=lambda i, f, g, o, c, m: s(f) * c + s(i) * np.tanh(m * g)), "after tanh"),
        (cell(memory=lambda i, f, g, o, c, m: 0 * c), "What should the mask touch"),
        (lambda a, c, m: (s(np.split(a, 4, -1)[2]) * np.tanh(cell()(a, c, m)[1]), cell()(a, c, m)[1]), "wrong sum"),
        (cell(h=lambda o, c: 0 * c), "had no error"),
    ],
}

EQUIVALENT = {
    "cell_end": {"i, f, g, o = np.split(a, 4, axis=1)": "of two axes, the second is the last"},
    "step": {"i, f, g, o = np.split(a, 4, axis=1)": "of two axes, the second is the last"},
}

TestExercises = chapter.tests(WRONG, EQUIVALENT)


def test_the_bug_hunt_begins_with_two_bugs():
    code = (
        chapter.code_cell("step")
        .replace("c = mask * (sigma(f) * c", "c = (sigma(f) * c * mask")
        .replace("np.tanh(g))", "mask * np.tanh(g))")
    )
    result = chapter.result("step", code)
    assert result.status == core.NOT_YET
    assert "Nothing is mended yet" in result.message
