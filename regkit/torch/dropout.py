r"""Dropout that PyTorch lacks: with Gaussian noise, with shared masks, of whole examples, of rows of a vocabulary.

p is the probability to drop, in [0, 1), as in ``torch.nn.Dropout``. In training the noise has the dtype and the device
of the input; in evaluation, and at p = 0, the output is the input itself. ``draw`` returns the noise: override it to
feed your own.
"""

import math

import torch
from torch import nn

from regkit._check import rate


class GaussianDropout(nn.Module):
    r"""Gaussian dropout: multiplicative noise with the mean and the variance that dropout has.

    ::

        y = x * N(1, p / (1 - p)),    anew for each entry of x.

    The second number is the variance. Keras has the same as ``keras.layers.GaussianDropout(p)``.

    Parameters
    ----------
    p : float
        The drop rate to match, in [0, 1).

    Raises
    ------
    ValueError, TypeError
        For a p that is none.

    References
    ----------
    N. Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 15 (2014), Section 10.

    Examples
    --------
    >>> y = GaussianDropout(0.2)(torch.ones(1000, 1000))
    >>> round(y.mean().item(), 2), round(y.var().item(), 2)
    (1.0, 0.25)
    """

    def __init__(self, p=0.5):
        super().__init__()
        self.p = rate("p", p)

    def draw(self, x):
        """Return the noise for x, in its shape."""
        return 1 + math.sqrt(self.p / (1 - self.p)) * torch.randn_like(x)

    def forward(self, x):
        """Return x with noise on it, in training."""
        return x * self.draw(x) if self.training and self.p > 0 else x

    def extra_repr(self):
        """Return what stands in the brackets."""
        return f"p={self.p}"


class SharedDropout(nn.Module):
    r"""Dropout with one draw along the ``shared`` axes: what Keras calls ``noise_shape``.

    ::

        y = x * mask / (1 - p),    mask of length 1 along the shared axes.

    PyTorch has one case of it: ``torch.nn.Dropout2d`` shares the mask along the positions of images (B, C, rows,
    columns), and ``Dropout1d`` and ``Dropout3d`` likewise.

    Parameters
    ----------
    p : float
        The probability to drop, in [0, 1).
    shared : int or tuple of int
        Axes of x, counted from the end: -2 for the steps of (B, T, D), -3 for those of (T, B, D), (-3, -2) for the
        positions of an image with its channels last.

    Raises
    ------
    ValueError, TypeError
        For a p that is none, for an axis that is not below 0, and for an x with too few axes.

    Examples
    --------
    >>> y = SharedDropout(0.5, shared=-2)(torch.ones(4, 10, 8))
    >>> bool((y == y[:, :1]).all())
    True
    """

    def __init__(self, p=0.5, shared=()):
        super().__init__()
        self.p = rate("p", p)
        self.shared = (shared,) if isinstance(shared, int) else tuple(shared)
        if any(axis >= 0 for axis in self.shared):
            raise ValueError(f"shared must hold axes below 0, got {shared!r}")

    def draw(self, x):
        """Return the mask for x: 0 where it is dropped, else 1."""
        if x.dim() + min(self.shared, default=0) < 0:
            raise ValueError(
                f"x must have the axes {self.shared}, got {tuple(x.shape)}"
            )
        shape = list(x.shape)
        for axis in self.shared:
            shape[axis] = 1
        return x.new_empty(shape).bernoulli_(1 - self.p)

    def forward(self, x):
        """Return x with some of it dropped, in training."""
        if self.training and self.p > 0:
            x = x * self.draw(x) / (1 - self.p)
        return x

    def extra_repr(self):
        """Return what stands in the brackets."""
        return f"p={self.p}, shared={self.shared}"


class LockedDropout(SharedDropout):
    r"""Dropout of sequences with one mask for all time steps, and another one for each sequence.

    It is the mask of Gal and Ghahramani (2016) for what enters or leaves a recurrent layer; the name is that of the
    code of Merity et al. (2018). ``torch.nn.Dropout`` draws anew at every step, and so does ``dropout=`` of
    ``torch.nn.LSTM``.

    Parameters
    ----------
    p : float
        The probability to drop, in [0, 1).
    batch_first : bool
        Whether x is (B, T, D) instead of (T, B, D), as for ``torch.nn.LSTM``.

    Raises
    ------
    ValueError, TypeError
        For a p that is none, and for an x with too few axes.

    References
    ----------
    Y. Gal and Z. Ghahramani, A theoretically grounded application of dropout in recurrent neural networks, NIPS (2016).
    S. Merity, N. S. Keskar and R. Socher, Regularizing and optimizing LSTM language models, ICLR (2018), Section 4.2.

    Examples
    --------
    >>> y = LockedDropout(0.5)(torch.ones(10, 4, 100))  # steps, batch, features
    >>> bool((y == y[0]).all()), bool((y == y[:, :1]).all())
    (True, False)
    """

    def __init__(self, p=0.5, batch_first=False):
        super().__init__(p, shared=-2 if batch_first else -3)


class DropPath(SharedDropout):
    r"""Drop whole examples: of each one on the first axis of x, all or nothing.

    On the branch of a residual block, ``x + drop_path(branch(x))``, it is the stochastic depth of Huang et al. (2016):
    the example skips the block. They multiply by 1 - p at evaluation; here training divides by it. The same is
    ``torchvision.ops.StochasticDepth(p, "row")``.

    Parameters
    ----------
    p : float
        The probability to drop, in [0, 1).

    Raises
    ------
    ValueError, TypeError
        For a p that is none.

    References
    ----------
    G. Huang et al., Deep networks with stochastic depth, ECCV (2016), Section 3.

    Examples
    --------
    >>> y = DropPath(0.5)(torch.ones(100, 3, 8, 8))
    >>> sorted(set(y.sum(dim=(1, 2, 3)).tolist()))
    [0.0, 384.0]
    """

    def __init__(self, p=0.5):
        super().__init__(p)

    def draw(self, x):
        """Return one number an example: 0 where it is dropped, else 1."""
        shape = [len(x)] + [1] * (x.dim() - 1)
        return x.new_empty(shape).bernoulli_(1 - self.p)

    def extra_repr(self):
        """Return what stands in the brackets."""
        return f"p={self.p}"


class DropoutEmbedding(nn.Embedding):
    r"""An embedding that drops whole words: rows of its table, the same everywhere in the batch.

    ::

        y = (mask * table)[ids] / (1 - p),    mask of shape (V, 1), anew at each call.

    ``torch.nn.Dropout`` behind an embedding drops single numbers, and at each place of the batch others. The weights
    are those of ``torch.nn.Embedding``, whose ``state_dict`` can be loaded. The row of ``padding_idx`` may be dropped
    like any other: it is 0 anyway.

    Parameters
    ----------
    num_embeddings : int
        V, the size of the vocabulary.
    embedding_dim : int
        D, the length of a row.
    p : float
        The probability to drop, in [0, 1).
    options
        The others of ``torch.nn.Embedding``.

    Raises
    ------
    ValueError, TypeError
        For a p that is none.

    References
    ----------
    Y. Gal and Z. Ghahramani, A theoretically grounded application of dropout in recurrent neural networks, NIPS (2016),
    Section 4.2, with a mask for each sequence; S. Merity, N. S. Keskar and R. Socher, Regularizing and optimizing LSTM
    language models, ICLR (2018), Section 4.3, with one for the batch, as here.

    Examples
    --------
    >>> embedding = DropoutEmbedding(1000, 16, p=0.5)
    >>> y = embedding(torch.tensor([[3, 7, 3], [3, 5, 5]]))
    >>> bool((y[0, 0] == y[0, 2]).all() and (y[0, 0] == y[1, 0]).all())
    True
    """

    def __init__(self, num_embeddings, embedding_dim, p=0.1, **options):
        super().__init__(num_embeddings, embedding_dim, **options)
        self.p = rate("p", p)

    def draw(self):
        """Return the mask, (V, 1): 0 where a word is dropped, else 1."""
        shape = (self.num_embeddings, 1)
        return self.weight.new_empty(shape).bernoulli_(1 - self.p)

    def forward(self, input):
        """Return the rows of the ids in ``input``, some of them 0 in training."""
        y = super().forward(input)
        if self.training and self.p > 0:
            y = y * self.draw()[input] / (1 - self.p)
        return y

    def extra_repr(self):
        """Return what stands in the brackets."""
        return f"{super().extra_repr()}, p={self.p}"
