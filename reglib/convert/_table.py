"""The conventions decoder, row by row; `reglib.convert.conventions` offers it with the functions that it names."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One row of the decoder: the same thing in four libraries.

    Attributes
    ----------
    topic : str
    book, torch, keras, sklearn : str
        What each calls it; "—" where there is no counterpart.
    relation : str
    functions : tuple of str
        The functions of `reglib.convert.conventions` that convert, there and back.
    """

    __module__ = "reglib.convert.conventions"  # where readers import it from, and where its page stands

    topic: str
    book: str
    torch: str
    keras: str
    sklearn: str
    relation: str
    functions: tuple


_ROWS = """\
L2 and coupled weight decay | l2 | SGD, Adam: weight_decay | regularizers.L2(l2) | — | weight_decay = 2 * l2
  l2_to_torch_weight_decay torch_weight_decay_to_l2
L1 and L2 as penalties | l1, l2 | w.abs().sum(), w.square().sum() | regularizers.L1L2(l1, l2) | — | the same
  penalty_to_keras
Half the square, as many texts write | l2 | weight_decay | tf.nn.l2_loss(w) | — | half_l2 = 2 * l2
  l2_to_half_l2 half_l2_to_l2
Loss as mean or sum over N | mean | reduction="mean" or "sum" | mean | depends | sum: N * strength
  mean_to_sum sum_to_mean
Lasso | l1 | — | — | Lasso(alpha) | alpha = l1
  l1_to_lasso_alpha lasso_alpha_to_l1
Ridge | l2 | — | — | Ridge(alpha) | alpha = 2 * N * l2
  l2_to_ridge_alpha ridge_alpha_to_l2
Elastic net | l1, l2 | — | — | ElasticNet(alpha, l1_ratio) | alpha = l1 + 2 * l2, l1_ratio = l1 / alpha
  elastic_net_to_sklearn sklearn_to_elastic_net
Logistic regression | l2 | — | — | LogisticRegression(C) | C = 1 / (2 * N * l2)
  l2_to_logistic_c logistic_c_to_l2
SGD classifier | l2 | — | — | SGDClassifier(alpha) | alpha = 2 * l2
  l2_to_sgd_classifier_alpha sgd_classifier_alpha_to_l2
AdamW and its paper | weight_decay | AdamW(weight_decay) | the same | — | paper's lambda = learning_rate * weight_decay
  adamw_to_paper_decay paper_to_adamw_decay
Decay in SGD | coupled or decoupled | coupled | decoupled; coupled: L2(weight_decay / 2) | — | without momentum the same, with it none
  torch_sgd_to_keras_sgd keras_sgd_to_torch_sgd
Decay over steps | weight_decay | AdamW | any | — | factor = (1 - learning_rate * weight_decay) ** steps
  decay_to_factor factor_to_decay
Decay as a half-life | weight_decay | AdamW | any | — | steps = log(1/2) / log(1 - learning_rate * weight_decay)
  decay_to_half_life half_life_to_decay
Epsilon of Adam | epsilon_at | "corrected" | "raw" | — | raw = corrected * sqrt(1 - beta2 ** step)
  epsilon_to_raw epsilon_to_corrected
Drop or keep | rate | Dropout(p) | Dropout(rate) | — | rate = 1 - keep
  keep_to_rate rate_to_keep
Gaussian dropout | rate, std | — | GaussianDropout(rate) | — | std = sqrt(rate / (1 - rate))
  rate_to_noise_std noise_std_to_rate
Axis of the channels | either | (N, C, ...) | (N, ..., C) | — | move one axis
  to_channels_last to_channels_first
Mask of spatial dropout | either | (N, C, 1, ...) | (N, 1, ..., C) | — | 1 along every spatial axis
  spatial_noise_shape
Weight of a dense layer | (D, H) | Linear: (H, D) | Dense: (D, H) | coef_: (C, D) | transpose
  transpose_dense
Weights of an LSTM | i, f, g, o | i, f, g, o; two biases | i, f, c, o; one bias | — | transpose, add the biases
  lstm_torch_to_keras lstm_keras_to_torch
Order of gates | ifgo | ifgo | ifgo (c for g) | — | TensorFlow 1: igfo (j for g)
  reorder_gates
Defaults | Adam: as PyTorch | "torch" | "keras" | — | never rely on them
  framework_defaults
Momentum of batch norm | — | share of the new | share of the old | — | keras = 1 - torch
  flip_batch_norm_momentum
"""


def rows():
    """Return the rows of the decoder: two lines each in the text above, the second naming the functions."""
    lines = _ROWS.splitlines()
    found = []
    for line, functions in zip(lines[::2], lines[1::2], strict=True):
        topic, book, torch, keras, sklearn, relation = map(
            str.strip, line.split("|")
        )
        found.append(
            Row(
                topic,
                book,
                torch,
                keras,
                sklearn,
                relation,
                tuple(functions.split()),
            )
        )
    return tuple(found)


TABLE = rows()
