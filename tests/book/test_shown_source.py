"""Source code that the pages show without its checks computes the same as the code that runs."""

import ast
import inspect
import textwrap

import numpy as np

from regbook._source import without_checks, without_docstrings
from reglib.linear import solvers
from reglib.noise import kinds, masks
from reglib.noise.affine import apply, apply_backward
from reglib.predict import ensemble


def run(function, *arguments):
    """Call what is left of a function."""
    text = without_checks(without_docstrings(textwrap.dedent(inspect.getsource(function)).strip()))
    assert text != textwrap.dedent(inspect.getsource(function)).strip()
    ast.parse(text)
    names = dict(function.__globals__)
    exec(text, names)
    return names[function.__name__](*arguments)


def test_what_is_left_computes_the_same():
    rng = np.random.default_rng(0)
    h, mask = rng.standard_normal((4, 3)), rng.random((4, 3)) < 0.5
    coin = kinds.Bernoulli(0.5)
    noise = coin.given(mask)
    assert np.array_equal(run(kinds.Bernoulli.given, coin, mask).gain, noise.gain)
    assert np.array_equal(run(apply, noise, h), apply(noise, h))
    assert np.array_equal(run(apply_backward, noise, h), apply_backward(noise, h))
    assert run(kinds.alpha_constants, 0.25) == kinds.alpha_constants(0.25)
    x, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    assert np.array_equal(run(solvers.ridge, x, y, 0.1).coef, solvers.ridge(x, y, 0.1).coef)
    drawn = [
        run(masks.bernoulli, np.random.default_rng(1), (3, 4), 0.5),
        masks.bernoulli(np.random.default_rng(1), (3, 4), 0.5),
    ]
    assert np.array_equal(*drawn)
    assert np.array_equal(run(ensemble.monte_carlo, lambda: np.ones(2), [1, 3]), np.ones((2, 2)))
