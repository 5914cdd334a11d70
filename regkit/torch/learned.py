r"""Gaussian dropout that learns its strength: variational dropout (Kingma, Salimans and Welling 2015)."""

import math

import torch
from torch import nn

from regkit._check import number


class LearnedGaussianDropout(nn.Module):
    r"""Gaussian dropout whose variance alpha is learned: one for the layer, or one a unit.

    In training, with epsilon of standard normal numbers of the shape of x::

        y = x * (1 + sqrt(alpha) epsilon);

    in evaluation y is x itself. The loss alone would drive alpha to 0. What holds it up is the divergence of
    N(theta, alpha theta^2) from a prior that is uniform in log|theta|, which falls from infinity to 0 as alpha grows::

        KL(alpha) = integral over t > 0 of 1 - exp(-1 / (2 alpha cosh^2 t)).

    Add it to a loss that is a mean over examples: ``loss + layer.kl() / N``, with N the size of the training set, not
    of the batch. That is minus the variational lower bound over N, for noise that is shared by the outgoing weights of
    a unit; that it counts a unit once is a convention, not a derivation. No weight decay on ``log_alpha``: see
    `regkit.torch.weights.decay_groups`.

    Parameters
    ----------
    num_features : int
        H, the length of the last axis of x.
    p : float
        The drop rate with the same variance to start from, in (0, 1): alpha = p / (1 - p).
    per_unit : bool
        Whether each unit has its own alpha.
    device, dtype
        Of ``log_alpha``, as for any module of PyTorch.

    Raises
    ------
    ValueError, TypeError
        For a p that is none.

    References
    ----------
    D. P. Kingma, T. Salimans and M. Welling, Variational dropout and the local reparameterization trick, NIPS (2015),
    Section 3. The integral is that of `reglib.nets.variational`, where the approximations in use stand, too.

    Examples
    --------
    >>> layer = LearnedGaussianDropout(16, p=0.5)
    >>> layer(torch.ones(8, 16)).shape
    torch.Size([8, 16])
    >>> f"{layer.kl().item():.4f}"  # 16 * KL(1)
    '6.8270'
    """

    def __init__(
        self, num_features, p=0.5, per_unit=False, device=None, dtype=None
    ):
        super().__init__()
        p = number("p", p, 0, 1, low_open=True)
        self.num_features = num_features
        start = torch.full(
            (num_features if per_unit else 1,),
            math.log(p / (1 - p)),
            device=device,
            dtype=dtype,
        )
        self.log_alpha = nn.Parameter(start)

    def draw(self, x):
        """Return standard normal numbers in the shape of x."""
        return torch.randn_like(x)

    def forward(self, x):
        """Return x with noise on it, in training."""
        if x.shape[-1] != self.num_features:
            raise ValueError(
                f"x must have {self.num_features} entries along its last axis, got shape {tuple(x.shape)}"
            )
        if not self.training:
            return x
        std = torch.exp(self.log_alpha / 2).to(x.dtype)
        return x * (1 + std * self.draw(x))

    def kl(self):
        """Return the sum of the divergence over the units: a number with a gradient, at least float32."""
        log_alpha = self.log_alpha.to(
            torch.promote_types(self.log_alpha.dtype, torch.float32)
        )
        t = torch.arange(0, 38, 1 / 16).to(log_alpha)
        scale = torch.exp(-log_alpha)[:, None] / (2 * torch.cosh(t) ** 2)
        values = torch.trapezoid(-torch.expm1(-scale), dx=1 / 16, dim=1)
        return self.num_features * values.mean()

    def extra_repr(self):
        """Return what stands in the brackets."""
        per_unit = self.log_alpha.numel() > 1
        return f"{self.num_features}, per_unit={per_unit}"
