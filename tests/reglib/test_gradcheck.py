"""Would the check itself let a wrong gradient pass?"""

import numpy as np
import pytest

from reglib import gradcheck
from reglib.gradcheck import GradientError, check, check_coordinates, check_vector, numeric_gradient
from tests.conftest import exactly

A = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.5], [2.0, 0.75, -0.5]])


def rng():
    return np.random.default_rng(1)


def quadratic(x):
    """f(x) = 1/2 sum(x * (A x)), on square x: its gradient is not symmetric in x."""
    return 0.5 * np.sum(x * (A @ x)) + np.sum(x**3) / 3


def quadratic_grad(x):
    return 0.5 * (A + A.T) @ x + x * x


X = np.random.default_rng(0).standard_normal((3, 3))
MASK = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])


def test_the_right_gradient_passes_and_reports():
    report = check(quadratic, quadratic_grad, X, rng(), directions=7)
    assert report.passed
    assert report.failures == ()
    assert [c.direction for c in report.comparisons] == list(range(7))
    assert {c.argument for c in report.comparisons} == {"x"}
    assert 0 < report.worst.error < 1e-8
    assert report.worst.error == max(c.error for c in report.comparisons)
    assert str(report).startswith("the analytic and the numeric gradient agree (tolerance 1e-06)\n  x, direction 0: ")
    assert len(str(report).splitlines()) == 8
    assert len(check(quadratic, quadratic_grad, X, rng()).comparisons) == 5


WRONG = {
    "factor 2": lambda x: 2 * quadratic_grad(x),
    "sign": lambda x: -quadratic_grad(x),
    "transposed": lambda x: quadratic_grad(x).T,
    "zero": lambda x: np.zeros_like(x),
    "one entry": lambda x: quadratic_grad(x) + 1e-4 * (np.arange(9).reshape(3, 3) == 5),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_gradient_is_caught(name):
    with pytest.raises(GradientError, match="disagree"):
        check(quadratic, WRONG[name], X, rng())
    with pytest.raises(AssertionError):
        check_coordinates(quadratic, WRONG[name], X)


def test_a_missing_mask_is_caught():
    def f(x):
        return np.sum((MASK * x) ** 2)

    check(f, lambda x: 2 * MASK * x, X, rng())
    check(f, lambda x: 2 * MASK**2 * x, X, rng())
    with pytest.raises(GradientError):
        check(f, lambda x: 2 * x, X, rng())


def test_the_failure_prints_both_numbers_the_direction_and_the_argument():
    x = {"w": np.array([3.0]), "b": np.array([1.0])}
    # every direction of one number is +1 or -1; w has slope 2 w = 6, and 12 is claimed
    with pytest.raises(GradientError) as caught:
        check(
            lambda p: p["w"][0] ** 2 + p["b"][0],
            lambda p: {"w": 4 * p["w"], "b": np.ones(1)},
            x,
            rng(),
            directions=2,
            step=2.0**-10,
        )
    signs = [int(np.sign(rng().standard_normal(2))[0])]
    lines = str(caught.value).splitlines()
    assert lines[0] == "the analytic and the numeric gradient disagree (tolerance 1e-06)"
    assert lines[1] == f"  w, direction 0: analytic {12 * signs[0]}, numeric {6 * signs[0]}, relative error 0.5"
    assert lines[2].startswith("  w, direction 1: analytic ")
    assert len(lines) == 3


def test_each_array_of_a_list_is_varied_alone_and_named():
    xs = [np.array([1.0, 2.0]), np.array([[0.5]])]

    def f(p):
        assert type(p) is list
        return np.sum(p[0] ** 2) * p[1][0, 0]

    def grad(p):
        return [2 * p[0] * p[1][0, 0], np.array([[np.sum(p[0] ** 2)]])]

    assert {c.argument for c in check(f, grad, xs, rng()).comparisons} == {"x[0]", "x[1]"}
    with pytest.raises(GradientError, match=r"x\[1\], direction 0") as caught:
        check(f, lambda p: [grad(p)[0], 2 * grad(p)[1]], xs, rng())
    assert "x[0]" not in str(caught.value)
    check(lambda p: f(list(p)), lambda p: tuple(grad(p)), tuple(xs), rng())


def test_a_gradient_may_be_given_as_arrays():
    check(quadratic, quadratic_grad(X), X, rng())
    with pytest.raises(GradientError):
        check(quadratic, quadratic_grad(X) * 1.001, X, rng())


def test_coordinates_name_the_wrong_entry():
    wrong = quadratic_grad(X)
    wrong[1, 2] += 0.5
    with pytest.raises(GradientError) as caught:
        check_coordinates(quadratic, wrong, X)
    assert len(str(caught.value).splitlines()) == 2
    assert "x, direction (1, 2): analytic" in str(caught.value)
    report = check_coordinates(quadratic, quadratic_grad, X)
    assert [c.direction for c in report.comparisons] == list(np.ndindex(3, 3))
    assert report.tolerance == 1e-6


def test_the_numeric_gradient_has_the_structure_and_values():
    gradient = numeric_gradient(quadratic, X)
    np.testing.assert_allclose(gradient, quadratic_grad(X), rtol=1e-8)
    parts = numeric_gradient(lambda p: p["a"] ** 2 * p["b"].sum(), {"a": np.array(3.0), "b": np.array([1.0, 4.0])})
    assert parts["a"] == pytest.approx(30, rel=1e-9)
    np.testing.assert_allclose(parts["b"], [9, 9], rtol=1e-9)
    # with h = 1 the central difference of x^3 at 2 is (27 - 1) / 2 = 13; at |x| = 2 the step is doubled: (64 - 0) / 4
    assert numeric_gradient(lambda x: x**3, np.array(2.0), step=1.0) == 16
    assert numeric_gradient(lambda x: x**3, np.array(0.5), step=1.0) == 1.75
    assert numeric_gradient(lambda x: x[0] ** 3, np.array([-2.0]), step=1.0) == [16]


def test_directions_have_length_one_and_come_from_the_generator():
    seen = []

    def f(x):
        seen.append(x)
        return np.sum(x)

    report = check(f, lambda x: np.ones_like(x), np.zeros((2, 3)), rng(), directions=1, step=0.5)
    np.testing.assert_allclose([np.linalg.norm(x) for x in seen], 0.5)
    np.testing.assert_allclose(seen[0], -seen[1])
    u = rng().standard_normal((2, 3))
    assert report.comparisons[0].analytic == pytest.approx(np.sum(u) / np.linalg.norm(u))


def test_the_default_step_is_the_cube_root_of_eps():
    assert abs(gradcheck.STEP - 6.0554544523933429e-6) < 1e-14


def test_vector_functions_through_a_random_cotangent():
    def f(x):
        return np.stack([x[0] * x[1], np.sin(x[0]), x[1] ** 2])

    def backward(c, x):
        return np.array([c[0] * x[1] + c[1] * np.cos(x[0]), c[0] * x[0] + 2 * c[2] * x[1]])

    x = np.array([0.3, -1.7])
    report = check_vector(f, backward, x, rng(), directions=3)
    assert len(report.comparisons) == 3
    assert len(check_vector(f, backward, x, rng()).comparisons) == 5
    with pytest.raises(GradientError):
        check_vector(f, lambda c, x: backward(c, x)[::-1], x, rng())
    with pytest.raises(GradientError):
        check_vector(f, lambda c, x: backward(np.ones(3), x), x, rng())
    # a tolerance, a floor and a step that are handed on
    check_vector(f, lambda c, x: 1.01 * backward(c, x), x, rng(), tolerance=0.02)
    with pytest.raises(GradientError):
        check_vector(f, backward, x, rng(), step=0.5)
    check_vector(f, lambda c, x: 1.01 * backward(c, x), x, rng(), floor=1e6)


def test_tolerance_step_and_floor_are_obeyed():
    nearly = 1.001 * quadratic_grad(X)
    assert check(quadratic, nearly, X, rng(), tolerance=2e-3).tolerance == 2e-3
    assert check_coordinates(quadratic, nearly, X, tolerance=2e-3).tolerance == 2e-3
    check(quadratic, nearly, X, rng(), floor=1e4)
    check_coordinates(quadratic, nearly, X, floor=1e4)
    for run in (check, lambda f, g, x, _, **k: check_coordinates(f, g, x, **k)):
        with pytest.raises(GradientError):
            run(quadratic, quadratic_grad, X, rng(), step=0.5)


def test_the_relative_error_is_relative_whatever_the_scale():
    for scale in (1e-12, 1.0, 1e12):
        check(lambda x, s=scale: s * quadratic(x), lambda x, s=scale: s * quadratic_grad(x), X, rng())
        with pytest.raises(GradientError):
            check(lambda x, s=scale: s * quadratic(x), lambda x, s=scale: 1.001 * s * quadratic_grad(x), X, rng())


def test_the_relative_error_is_over_the_larger_number():
    for factor, error in ((0.5, 0.5), (2.0, 0.5), (-1.0, 2.0)):
        wrong = gradcheck.Comparison("x", 0, 3.0 * factor, 3.0, error)
        assert gradcheck._error(wrong.analytic, wrong.numeric, 1e-3) == pytest.approx(wrong.error)


def test_the_floor_is_a_thousandth_of_the_function():
    # slope 1e-7 beside a value of 1: |2e-7 - 1e-7| / 1e-3 = 1e-4
    def f(x):
        return 1 + 1e-7 * x[0]

    x, wrong = np.zeros(1), np.array([2e-7])
    report = check(f, wrong, x, rng(), tolerance=1.1e-4, directions=1)
    assert report.worst.error == pytest.approx(1e-4, rel=1e-3)
    assert check_coordinates(f, wrong, x, tolerance=1.1e-4).worst.error == pytest.approx(1e-4, rel=1e-3)
    assert check_vector(
        lambda x: f(x), lambda c, x: c * wrong, x, rng(), tolerance=1.1e-4
    ).worst.error == pytest.approx(1e-4, rel=1e-3)


def test_a_constant_function_has_gradient_zero():
    assert check(lambda x: 0.0, lambda x: 0 * x, X, rng()).worst.error == 0
    with pytest.raises(GradientError):
        check(lambda x: 0.0, lambda x: 0 * x + 1e-30, X, rng())


def test_a_nan_gradient_fails():
    with pytest.raises(GradientError, match="nan"):
        check(quadratic, np.full((3, 3), np.nan), X, rng())


def test_nothing_is_changed_in_place():
    x = [X.copy(), X.copy()]

    def careless(p):
        p[0] += 1
        p[1] *= 2
        return np.sum(p[0]) + np.sum(p[1])

    check(careless, lambda p: [np.ones((3, 3)), 2 * np.ones((3, 3))], x, rng())
    np.testing.assert_array_equal(x[0], X)
    np.testing.assert_array_equal(x[1], X)


def test_bad_input_is_named():
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
        check(quadratic, quadratic_grad, X, 3)
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
        check_vector(quadratic, quadratic_grad, X, None)
    with pytest.raises(ValueError, match=exactly("directions must be at least 1, got 0")):
        check(quadratic, quadratic_grad, X, rng(), directions=0)
    for name, value in (("step", 0.0), ("step", -1.0), ("tolerance", 0.0), ("floor", -1.0)):
        with pytest.raises(ValueError, match=rf"^{name} must be a finite number in"):
            check(quadratic, quadratic_grad, X, rng(), **{name: value})
    check(quadratic, quadratic_grad, X, rng(), floor=0)
    with pytest.raises(ValueError, match=r"^step must be a finite number in"):
        numeric_gradient(quadratic, X, step=0)
    with pytest.raises(TypeError, match=exactly("x must be float64, so that rounding hides no error; got float32")):
        check(quadratic, quadratic_grad, X.astype(np.float32), rng())
    with pytest.raises(TypeError, match=r"^w must hold floating-point numbers"):
        check(quadratic, quadratic_grad, {"w": np.arange(3)}, rng())
    with pytest.raises(ValueError, match=exactly("x[1] must hold at least one number, got shape (0, 2)")):
        check(quadratic, quadratic_grad, [X, np.zeros((0, 2))], rng())
    message = "f must return a single number, got an array of shape (3,); see check_vector"
    with pytest.raises(ValueError, match=exactly(message)):
        check(lambda x: x.sum(axis=0), quadratic_grad, X, rng())
    with pytest.raises(ValueError, match=exactly("f must return a finite number, got nan")):
        check(lambda x: np.nan, quadratic_grad, X, rng())
    with pytest.raises(ValueError, match=exactly("grad must hold one array for each of the 2 in x, got 1")):
        check(lambda p: 0.0, lambda p: [p[0]], [X, X], rng())
    with pytest.raises(GradientError, match=exactly("the gradient of x must have shape (3, 3), got (3,)")):
        check(quadratic, lambda x: np.ones(3), X, rng())
