r"""Drop-in layers, cells and an optimizer for Keras 3 on TensorFlow.

====================================  =====================================================================
``CandidateDropoutLSTMCell``          dropout of the candidate alone, at every step (Semeniuta et al. 2016)
``CandidateDropoutGRUCell``           the same for a GRU
``LayerNormLSTMCell``                 layer normalization inside an LSTM, with dropout of the candidate
``StateDropoutLSTMCell``              dropout of the state that is carried on, at every step
``ZoneoutLSTMCell``                   units that keep their old value at random (Krueger et al. 2017)
``LearnedGaussianDropout``            Gaussian dropout that learns its strength, with its divergence
``ProximalL1``                        SGD with the proximal step of an L1 penalty: weights that are exactly 0
====================================  =====================================================================

A cell is used as ``keras.layers.RNN(cell)``; masks of padded steps, ``stateful``, ``return_sequences``, mixed precision
and saving are the business of `keras.layers.RNN`, and work. The arguments are named after the places of noise,
as `reglib.layers.recurrent` names them. Each cell is a subclass of Keras' own with its weights, in its order of the
gates. The noise comes from the cell's own ``seed_generator`` and is drawn anew at every step, for every example and
unit. If you call a cell yourself, step by step, with Keras' own ``dropout`` or ``recurrent_dropout``, call
``reset_dropout_mask`` and ``reset_recurrent_dropout_mask`` before each sequence, as `keras.layers.RNN` does: those
masks are kept until then.

What you need not look for here, since Keras has it:

- *Locked* dropout, one mask for all steps of a sequence, is ``keras.layers.SpatialDropout1D(rate)``. It drops whole
  features of (B, T, D) inputs, and Keras' ``LSTM(dropout=rate)`` does the same to what enters the cell.
- Dropout of h before the products, one mask a sequence (Gal and Ghahramani 2016), is ``LSTM(recurrent_dropout=rate)``.
  In Keras 3.15 it draws a mask for each of the four gates, not one for all, and keeps the layer off the fused kernel
  of a GPU.
- Gaussian dropout is ``keras.layers.GaussianDropout(rate)``. Four things to know: ``rate`` is not the standard
  deviation, which is sqrt(rate / (1 - rate)); rate 1 passes its check and divides by zero at the first call; in half
  precision the noise, too, is drawn in half precision; and the noise of an entry is its own, never shared, since
  there is no ``noise_shape``.
"""

from regkit.keras.learned import LearnedGaussianDropout
from regkit.keras.recurrent import (
    CandidateDropoutGRUCell,
    CandidateDropoutLSTMCell,
    LayerNormLSTMCell,
    StateDropoutLSTMCell,
    ZoneoutLSTMCell,
)
from regkit.keras.weights import ProximalL1

__all__ = [
    "CandidateDropoutGRUCell",
    "CandidateDropoutLSTMCell",
    "LayerNormLSTMCell",
    "LearnedGaussianDropout",
    "ProximalL1",
    "StateDropoutLSTMCell",
    "ZoneoutLSTMCell",
]
