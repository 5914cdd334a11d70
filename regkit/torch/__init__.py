r"""Drop-in modules and functions for PyTorch.

=============================  ==============================================================================
``GaussianDropout``            Gaussian noise with the mean and the variance of dropout
``LearnedGaussianDropout``     the same with a strength that is learned, and its divergence
``SharedDropout``              dropout with one draw along chosen axes: Keras' ``noise_shape``
``LockedDropout``              one mask for all time steps
``DropPath``                   whole examples: stochastic depth
``DropoutEmbedding``           whole words of an embedding
``NoisyLSTM``                  variational and recurrent dropout, zoneout, dropout of the state
``LayerNormLSTM``              layer normalization inside of an LSTM, with the same noise
``WeightDrop``                 DropConnect, of an LSTM's recurrent weights for instance
``proximal_l1_``               exact zeros after ``optimizer.step()``
``group_lasso``                a penalty on whole rows or columns
``proximal_group_lasso_``      the same with exact zeros
``decay_groups``               weight decay that spares biases and normalizations
=============================  ==============================================================================

What you need not look for here, since PyTorch has it: ``AlphaDropout`` and ``FeatureAlphaDropout``, and spatial dropout
as ``Dropout1d``, ``Dropout2d`` and ``Dropout3d``.

``torch.compile`` makes one graph of each module; of the two LSTMs with ``torch._dynamo.config.allow_rnn = True`` only.
Where PyTorch's own LSTM runs, inside of `WeightDrop` or when a `NoisyLSTM` is evaluated, its limits hold: PyTorch 2.13
does not compile it with gradients on a CPU. ``torch.jit.script``, deprecated there, is not tested.
"""

from regkit.torch.dropout import (
    DropoutEmbedding,
    DropPath,
    GaussianDropout,
    LockedDropout,
    SharedDropout,
)
from regkit.torch.learned import LearnedGaussianDropout
from regkit.torch.recurrent import LayerNormLSTM, NoisyLSTM
from regkit.torch.weights import (
    WeightDrop,
    decay_groups,
    group_lasso,
    proximal_group_lasso_,
    proximal_l1_,
)

__all__ = [
    "DropPath",
    "DropoutEmbedding",
    "GaussianDropout",
    "LayerNormLSTM",
    "LearnedGaussianDropout",
    "LockedDropout",
    "NoisyLSTM",
    "SharedDropout",
    "WeightDrop",
    "decay_groups",
    "group_lasso",
    "proximal_group_lasso_",
    "proximal_l1_",
]
