r"""What acts on weights: exact zeros, groups, a decay that spares biases, and dropped weights.

`proximal_l1_` and `proximal_group_lasso_` are called after ``optimizer.step()``, with ``lr * l1``: the two together are
one step of proximal gradient descent, when the optimizer is ``torch.optim.SGD`` without momentum. Behind SGD with
momentum or Adam they give exact zeros, too, but not those of the penalty's minimum for sure. The loss must not contain
the penalty as well.

What you need not look for here, since PyTorch has it: spectral and weight normalization are in
``torch.nn.utils.parametrizations``, averages of weights in ``torch.optim.swa_utils``, and the projection of max-norm is
``weight.copy_(torch.renorm(weight, 2, 0, maximum))`` under ``torch.no_grad()``.
"""

import torch
from torch import nn

from regkit._check import number, rate

# Those whose gains may have several axes; gains of the others have one.
NORMALIZATIONS = (nn.LayerNorm, nn.RMSNorm)
EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)


@torch.no_grad()
def proximal_l1_(params, threshold):
    r"""Move every entry towards 0 by ``threshold``, and stop at 0: the proximal step of an L1 penalty, in place.

    ::

        w <- sign(w) * max(|w| - threshold, 0).

    A gradient of l1 * sum(abs(w)) brings weights near 0, and lets them jump across it; this leaves them at exactly 0.

    Parameters
    ----------
    params : iterable of tensors
        Such as ``[layer.weight]``; a single tensor is refused, for it would be taken for the list of its rows.
    threshold : float
        At least 0: ``lr * l1``.

    Raises
    ------
    ValueError, TypeError
        For a threshold that is none, and for a single tensor.

    References
    ----------
    N. Parikh and S. Boyd, Proximal algorithms, Foundations and Trends in Optimization 1 (2014), Section 6.5.2.

    Examples
    --------
    >>> layer = nn.Linear(2, 1)
    >>> _ = layer.weight.data.copy_(torch.tensor([[0.5, -0.02]]))
    >>> proximal_l1_([layer.weight], 0.1 * 1.0)  # after optimizer.step(): lr * l1
    >>> layer.weight.data
    tensor([[0.4000, 0.0000]])
    """
    threshold = number("threshold", threshold)
    for w in _listed(params):
        w.sub_(w.clamp(-threshold, threshold))


def group_lasso(w, dim=0):
    r"""Return the group lasso of a weight, whose groups are the slices along ``dim``; times l1, it is a penalty.

    ::

        sum over groups g of sqrt(n_g) * ||w_g||_2,    n_g numbers in group g.

    Its gradient is 0 for a group at 0. For groups of exact zeros use `proximal_group_lasso_`.

    Parameters
    ----------
    w : tensor
        Of at least one axis.
    dim : int
        0: a group is all that leads to an output unit of ``torch.nn.Linear``, or to a channel of a convolution. 1: all
        that leaves an input.

    Returns
    -------
    tensor without axes

    References
    ----------
    M. Yuan and Y. Lin, Model selection and estimation in regression with grouped variables, JRSS B 68 (2006).

    Examples
    --------
    >>> group_lasso(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), dim=0) / 2**0.5
    tensor(5.)
    """
    groups = w.movedim(dim, -1).reshape(-1, w.shape[dim])
    norms = torch.linalg.vector_norm(groups, dim=0)
    return len(groups) ** 0.5 * norms.sum()


@torch.no_grad()
def proximal_group_lasso_(params, threshold, dim=0):
    r"""Shorten every slice along ``dim``, and stop at 0: the proximal step of a `group_lasso`, in place.

    ::

        w_g <- w_g * max(1 - sqrt(n_g) * threshold / ||w_g||_2, 0).

    Parameters
    ----------
    params : iterable of tensors
        A single tensor is refused, for it would be taken for the list of its rows.
    threshold : float
        At least 0: ``lr * l1``.
    dim : int
        As for `group_lasso`.

    Raises
    ------
    ValueError, TypeError
        For a threshold that is none, and for a single tensor.

    References
    ----------
    N. Parikh and S. Boyd, Proximal algorithms, Foundations and Trends in Optimization 1 (2014), Section 6.5.4.

    Examples
    --------
    >>> w = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    >>> proximal_group_lasso_([w], 1.0 / 2**0.5)
    >>> w
    tensor([[2.4000, 3.2000],
            [0.0000, 0.0000]])
    """
    threshold = number("threshold", threshold)
    for w in _listed(params):
        groups = w.movedim(dim, -1).reshape(-1, w.shape[dim])
        norms = torch.linalg.vector_norm(groups, dim=0)
        kept = 1 - len(groups) ** 0.5 * threshold / norms
        w.movedim(dim, -1).mul_(torch.where(kept > 0, kept, 0))


def decay_groups(model, weight_decay, embeddings=True):
    r"""Return two groups of parameters for an optimizer: those that decay, and those that are spared.

    Spared are parameters of fewer than two axes (biases, gains, the strength of a learned noise), and all that a
    normalization owns. ``optimizer(model.parameters(), weight_decay=...)`` decays everything.

    Parameters
    ----------
    model : torch.nn.Module
    weight_decay : float
        Of the first group, at least 0; what it means is the optimizer's business.
    embeddings : bool
        Whether the tables of embeddings decay. A weight that an embedding shares with another module counts as one.

    Returns
    -------
    list of two dicts
        With ``params`` and ``weight_decay``: every parameter of the model once.

    Raises
    ------
    ValueError, TypeError
        For a weight decay that is none.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    >>> groups = decay_groups(model, 0.01)
    >>> [[tuple(p.shape) for p in group["params"]] for group in groups]
    [[(4, 3), (2, 4)], [(4,), (4,), (4,), (2,)]]
    >>> optimizer = torch.optim.AdamW(groups, lr=1e-3)
    """
    weight_decay = number("weight_decay", weight_decay)
    owners = NORMALIZATIONS if embeddings else NORMALIZATIONS + EMBEDDINGS
    owned = {
        parameter
        for module in model.modules()
        if isinstance(module, owners)
        for parameter in module.parameters(recurse=False)
    }
    decayed, spared = [], []
    for parameter in model.parameters():
        spare = parameter.dim() < 2 or parameter in owned
        (spared if spare else decayed).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]


class WeightDrop(nn.Module):
    r"""A module some of whose weights are dropped in training: DropConnect, by default of what is recurrent.

    ::

        W -> W * mask / (1 - p),    anew at each call: the same for all examples and steps.

    The module keeps its weights as they are, and is called with dropped copies: the optimizer, ``state_dict`` and
    evaluation see the weights themselves. An LSTM still runs on its fused kernel.

    Parameters
    ----------
    module : torch.nn.Module
        Such as ``torch.nn.LSTM``; called as it would be.
    p : float
        The probability to drop a weight, in [0, 1).
    names : list of str, optional
        Names of parameters, as in ``module.named_parameters()``. By default those of the recurrent weights of
        ``torch.nn.RNN``, ``LSTM`` and ``GRU``, ``weight_hh_l0`` and so on.

    Raises
    ------
    ValueError, TypeError
        For a p that is none, and for names that the module does not have.

    References
    ----------
    S. Merity, N. S. Keskar and R. Socher, Regularizing and optimizing LSTM language models, ICLR (2018), Section 2;
    L. Wan et al., Regularization of neural networks using DropConnect, ICML (2013), with a mask for each example.

    Examples
    --------
    >>> lstm = WeightDrop(nn.LSTM(8, 16), p=0.5)
    >>> output, (h, c) = lstm(torch.ones(5, 4, 8))
    >>> lstm.names, bool((lstm.module.weight_hh_l0 == 0).any())
    (['weight_hh_l0'], False)
    """

    def __init__(self, module, p=0.5, names=None):
        super().__init__()
        self.module, self.p = module, rate("p", p)
        known = [name for name, _ in module.named_parameters()]
        recurrent = [name for name in known if "weight_hh_l" in name]
        self.names = recurrent if names is None else list(names)
        if not self.names or not set(self.names) <= set(known):
            raise ValueError(
                f"names must hold some of {known}, got {self.names}"
            )

    def draw(self, weight):
        """Return the mask for a weight: 0 where it is dropped, else 1."""
        return torch.empty_like(weight).bernoulli_(1 - self.p)

    def forward(self, *inputs, **options):
        """Return what the module makes of the same arguments, with dropped weights in training."""
        if not self.training or self.p == 0:
            return self.module(*inputs, **options)
        dropped = {}
        for name in self.names:
            weight = self.module.get_parameter(name)
            dropped[name] = weight * self.draw(weight) / (1 - self.p)
        return torch.func.functional_call(
            self.module, dropped, inputs, options
        )

    def extra_repr(self):
        """Return what stands in the brackets."""
        return f"p={self.p}, names={self.names}"


def _listed(params):
    """Return parameters, if they are no single tensor."""
    if isinstance(params, torch.Tensor):
        raise TypeError(
            f"params must be a list of tensors, got one of shape {tuple(params.shape)}"
        )
    return params
