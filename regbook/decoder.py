"""The decoder: what the numbers and names of one library are in another, row by row.

`strengths` shows what a strength is worth in this book; `words` shows, topic by topic, what PyTorch, Keras and JAX
mean by a word. Each row on PyTorch, Keras, TensorFlow and scikit-learn is measured by a test, with the versions in
``RUN``; what stands under JAX, and what is said of other versions, was read in the documentation or the source of the
versions in ``READ``, and not run.
"""

from dataclasses import dataclass

from regbook.notebook import table
from reglib._validate import one_of

RUN = "PyTorch 2.13, Keras 3.15, TensorFlow 2.21, scikit-learn 1.9"
READ = "optax 0.2.8, Flax 0.12.7"


@dataclass(frozen=True)
class Strength:
    """One program that adds a penalty to a loss.

    Attributes
    ----------
    program : str
        With the name of its number.
    loss, penalty : str
        What it minimizes.
    l1, l2 : str
        What its number is in this book: Python expressions in the number, ``N`` examples and batches of ``B``; or "—".
    default : str
        The number if you give none, or "—" where you must give one.
    """

    program: str
    loss: str
    penalty: str
    l1: str
    l2: str
    default: str


_STRENGTHS = """\
this book: l1, l2 | mean of losses; linear models: Σr²/(2N) | l1 Σ|w| + l2 Σw² | l1 | l2 | 0
a text: λ/2 times the square | the same | λ/2 Σw² | — | λ / 2 | —
a text: loss summed over N | sum of losses, or Σr²/2 | λ Σw² | — | λ / N | —
PyTorch SGD, Adam: weight_decay | mean of losses | weight_decay/2 Σw² | — | weight_decay / 2 | 0
AdamW of PyTorch, Keras: weight_decay | mean of losses | none: decoupled | — | — | 0.01; 0.004
PyTorch MSELoss, weight_decay | Σr²/N | weight_decay/2 Σw² | — | weight_decay / 4 | 0
Keras regularizers.L1 | mean of losses | l1 Σ|w| | l1 | — | 0.01
Keras regularizers.L2 | mean of losses | l2 Σw² | — | l2 | 0.01
Keras mse, L2 | Σr²/N | l2 Σw² | — | l2 / 2 | 0.01
TensorFlow: λ * tf.nn.l2_loss(w) | mean of losses | λ/2 Σw² | — | λ / 2 | —
optax.add_decayed_weights before sgd † | mean of losses | weight_decay/2 Σw² | — | weight_decay / 2 | 0
optax.l2_loss(...).mean(), a data loss † | Σr²/(2N) | as you write it | — | as you write it | —
Ridge, RidgeClassifier: alpha | Σr² | alpha Σw² | — | alpha / (2 * N) | 1.0
Lasso: alpha | Σr²/(2N) | alpha Σ|w| | alpha | — | 1.0
ElasticNet: alpha, l1_ratio | Σr²/(2N) | alpha (l1_ratio Σ|w| + (1 - l1_ratio)/2 Σw²) \
 | alpha * l1_ratio | alpha * (1 - l1_ratio) / 2 | 1.0, 0.5
LogisticRegression: C | C times sum of losses | Σw²/2 | — | 1 / (2 * N * C) | 1.0
the same, solver="liblinear" | C times sum of losses | (Σw² + b²)/2: the intercept, too | — | 1 / (2 * N * C) | 1.0
SVC: C | C times sum of losses | Σw²/2 | — | 1 / (2 * N * C) | 1.0
LinearSVC: C | C times sum of losses | (Σw² + b²)/2: the intercept, too | — | 1 / (2 * N * C) | 1.0
SGDClassifier, SGDRegressor: alpha | mean of losses, or Σr²/(2N) | alpha/2 Σw² | — | alpha / 2 | 0.0001
MLPClassifier, MLPRegressor: alpha | over a batch: mean of losses, or Σr²/(2B) | alpha/(2B) Σw² \
 | — | alpha / (2 * B) | 0.0001"""

# What | PyTorch | Keras | JAX
_WORDS = {
    "decay": """\
weight_decay of SGD | coupled | decoupled | no such argument; add_decayed_weights before sgd couples
weight_decay of Adam | coupled, unless decoupled_weight_decay=True | decoupled | no such argument; use adamw
weight_decay of AdamW | decoupled | decoupled | decoupled
decay when you say nothing | AdamW 0.01, Muon 0.1 | AdamW 0.004, Muon 0.004 | adamw 0.0001, adamaxw 0.0001, lion 0.001
coupled decay | SGD, Adam: weight_decay | kernels alone: kernel_regularizer=L2(weight_decay / 2) \
 | add_decayed_weights first in a chain
the share that decoupled decay removes | learning_rate * weight_decay | the same | the same
λ of the AdamW paper | learning_rate * weight_decay | the same | the same
acts on | all it is given, if grad is not None | all; exclude_from_weight_decay | all; mask, a choice of parameters
one part alone | a parameter group | kernel_, recurrent_, bias_regularizer | the same mask, or optax.masked
momentum keeps | gradients | learning_rate * gradients | gradients
Adam adds epsilon to | √v after bias correction, 1e-08 | √v before bias correction, 1e-07 \
 | √v after bias correction, 1e-08""",
    "noise": """\
the number is | Dropout(p): drop | Dropout(rate): drop | nnx.Dropout(rate): drop
by default | 0.5 | must be given | must be given
kept units are | divided by 1 - p in training | the same | the same
a rate of 1 | zeros | zeros; GaussianDropout, AlphaDropout fail | zeros
older names that keep | — | TensorFlow 1: keep_prob, input_keep_prob, state_keep_prob † | —
axes that share a mask | Dropout1d, 2d, 3d | noise_shape: size 1; SpatialDropout | broadcast_dims
Gaussian noise | — | GaussianDropout(rate): std sqrt(rate / (1 - rate)) | —
dropout of an LSTM or GRU acts on | outputs between layers, not the last | inputs | —
recurrent_dropout acts on | — | the state: since 3.8 one mask a gate, before one for all † | —
recurrent_dropout in Keras 3.0, 3.1 | — | drawn at the rate of dropout, not its own † | —""",
    "layout": """\
weight of a dense layer | (H, D) | (D, H) | (D, H)
images | (N, C, height, width) | (N, height, width, C) | (N, height, width, C)
mask that drops channels | (N, C, 1, 1) | (N, 1, 1, C) | broadcast_dims=(1, 2)
gates of an LSTM | i, f, g, o; two biases | i, f, g, o; one bias | —
momentum of batch norm | share of the new, 0.1 | share of the old, 0.99 | share of the old, 0.99
its running variance | divided by n - 1 | divided by n | divided by n
epsilon of batch norm | 1e-05 | 0.001 | 1e-05
epsilon of layer norm | 1e-05 | 0.001 | 1e-06""",
    "report": """\
a training loss contains | what you add; never weight_decay | all regularizers, never weight_decay | what you add
val_loss, evaluate contain | what you add | all regularizers | what you add
a metric contains | what you add | no regularizer | what you add
activity_regularizer | — | since 3.14 divided by the batch size, in 3.0 to 3.13 not † | —""",
}
HEADS = {
    "decay": "Decay in the optimizer",
    "noise": "Dropout",
    "layout": "Axes, averages, small constants",
    "report": "What a reported number contains",
}
STRENGTHS = tuple(Strength(*map(str.strip, line.split(" | "))) for line in _STRENGTHS.splitlines())
WORDS = {
    name: {line.split(" | ")[0]: tuple(line.split(" | ")[1:]) for line in text.splitlines()}
    for name, text in _WORDS.items()
}


def strengths():
    """Show what the strengths of other programs are in this book.

    Returns
    -------
    regbook.notebook.Table
    """
    heads = ["Program: its number", "Its loss", "Its penalty", "l1 of this book", "l2 of this book", "Default"]
    rows = [[row.program, row.loss, row.penalty, row.l1, row.l2, row.default] for row in STRENGTHS]
    return table(rows, heads, caption=f"Strengths. Run: {RUN}. †: from the documentation of {READ}.")


def words(topic):
    """Show what PyTorch, Keras and JAX mean by the same words.

    Parameters
    ----------
    topic : {"decay", "noise", "layout", "report"}

    Returns
    -------
    regbook.notebook.Table
    """
    heads = ["What", "PyTorch", "Keras", "JAX: optax, Flax †"]
    rows = [[what, *meant] for what, meant in WORDS[one_of("topic", topic, tuple(WORDS))].items()]
    return table(rows, heads, caption=f"{HEADS[topic]}. †: read in the documentation or the source, not run.")
