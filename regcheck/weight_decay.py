"""Checks of the exercises in the chapter Weight decay."""

import numpy as np

from regcheck.core import choice, compare, exercise, parts, trials


@exercise("One step of SGD with coupled decay")
def sgd_step(answer):
    """v <- momentum * v + g + weight_decay * w; w <- w - learning_rate * v."""
    for rng in trials():
        w, g, v = rng.normal(size=(3, 4))
        rate, momentum, decay = rng.uniform(0.1, 0.4), rng.uniform(0.5, 0.9), rng.uniform(0.2, 0.6)
        full = g + decay * w
        right = momentum * v + full
        new_w, new_v = parts(answer(w, g, v, rate, momentum, decay), (w - rate * right, right))
        compare(
            new_v,
            right,
            {
                "Your velocity has no decay in it. Coupled decay is part of the gradient, and the velocity collects "
                "gradients.": momentum * v + g,
                "You added the gradient of weight_decay * sum(w**2), which is twice too much. What does PyTorch's "
                "number multiply?": momentum * v + g + 2 * decay * w,
                "You decay the velocity where the weight should be decayed.": momentum * v + g + decay * v,
                "The decay has the wrong sign: the step that follows subtracts the velocity.": momentum * v
                + g
                - decay * w,
                "Your velocity forgets the past: where is the momentum?": g + decay * w,
                "You averaged old and new. PyTorch's velocity adds the whole gradient.": momentum * v
                + (1 - momentum) * (g + decay * w),
                "Your velocity contains the learning rate. In this form it stays outside, in the step.": momentum * v
                + rate * full,
                "That is Keras' velocity, which contains the learning rate and its sign. PyTorch's does not.": momentum
                * v
                - rate * full,
            },
            "The velocity is not right. What does it collect, and what of it fades?",
        )
        compare(
            new_w,
            w - rate * right,
            {
                "Your weights take the step of the gradient alone, not of the velocity.": w - rate * full,
                "That is Nesterov's step, which looks one step ahead. The task asks for the plain one.": w
                - rate * (full + momentum * right),
                "Your weights move by the velocity alone; the learning rate is missing.": w - right,
                "Your weights are decayed twice: through the velocity, and again on their own.": w
                - rate * right
                - rate * decay * w,
                "Your weights move by the old velocity. Update it before the step.": w - rate * v,
                "Your weights go uphill.": w + rate * right,
            },
            "The velocity is right, the weights are not. Which way do they move, and how far?",
        )


@exercise("One penalty, four names")
def convert(answer):
    """Return PyTorch's SGD decay, Keras' L2 strength and the paper's lambda for l2 under plain SGD."""
    for rng in trials():
        l2, rate = rng.uniform(0.1, 0.4), rng.uniform(0.02, 0.2)
        torch, keras, paper = parts(answer(l2, rate), (2 * l2, l2, 2 * l2 * rate))
        compare(
            torch,
            2 * l2,
            {
                "PyTorch's number multiplies w itself, not w squared; the same number is half as strong.": l2,
                "You converted in the other direction.": l2 / 2,
                "PyTorch multiplies by the learning rate itself; leave it out.": 2 * l2 * rate,
            },
            "PyTorch's weight_decay is not right. Compare what is added to the gradient.",
        )
        compare(
            keras,
            l2,
            {
                "Keras' L2 has no half in front of its square.": 2 * l2,
                "Keras' L2 does not double anything by itself.": l2 / 2,
            },
            "The strength for Keras' L2 is not right. What does that regularizer add to the loss?",
        )
        compare(
            paper,
            2 * l2 * rate,
            {
                "The paper's lambda is not multiplied by the learning rate in the step. What must it contain?": 2 * l2,
                "You lost the factor that differentiating the square brings.": l2 * rate,
                "You divided by the learning rate. Which side of the equation is it on?": 2 * l2 / rate,
            },
            "The paper's lambda is not right. Which share of a weight does one step take away, in either convention?",
        )


def _adam(
    w,
    g,
    m,
    v,
    t,
    rate,
    decay,
    *,
    betas=(0.9, 0.999),
    coupled=1.0,
    into_m=True,
    into_v=True,
    fix=(True, True),
    root=None,
):
    """Return the weight after Adam's step, with or without each of the mistakes."""
    full, (b1, b2) = g + coupled * decay * w, betas
    m = b1 * m + (1 - b1) * (full if into_m else g)
    v = b2 * v + (1 - b2) * (full if into_v else g) ** 2
    c1, c2 = (1 - b1**t if fix[0] else 1.0, 1 - b2**t if fix[1] else 1.0)
    return w - rate * (m / c1) / (root or _root)(v, c2)


def _root(v, correction):
    """Return the denominator with epsilon where PyTorch has it."""
    return np.sqrt(v / correction) + 1e-8


def _given_to_adam(rng):
    """Return the arguments of a step; the first weight has gradients so small that epsilon counts."""
    w, g, m = rng.normal(size=(3, 4))
    v = rng.uniform(0.2, 2.0, 4)
    w[0], g[0], m[0], v[0] = 0.0, 1e-9, 2e-9, 1e-19
    return w, g, m, v, int(rng.integers(2, 9)), rng.uniform(0.2, 0.4), rng.uniform(0.3, 0.8)


def _slips(given, **options):
    """Return what Adam with and without decoupled decay has in common: slips that do not concern the decay."""
    w, g, m, v, t, *rest = given

    def adam(step=t, **slip):
        return _adam(w, g, m, v, step, *rest, **options, **slip)

    return {
        "The averages start at zero and must be corrected for it.": adam(fix=(False, False)),
        "Only the second average is corrected for its start.": adam(fix=(False, True)),
        "Only the first average is corrected for its start.": adam(fix=(True, False)),
        "Your corrections are those of the step after this one. Steps are counted from 1.": adam(step=t + 1),
        "Your corrections are those of the step before this one. Steps are counted from 1.": adam(step=t - 1),
        "The two betas are exchanged.": adam(betas=(0.999, 0.9)),
        "The root is missing: the second average is one of squares.": adam(root=lambda v, c: v / c + 1e-8),
        "Epsilon is missing. It counts where the gradients are tiny.": adam(root=lambda v, c: np.sqrt(v / c)),
        "Your epsilon is under the root. PyTorch's is beside it.": adam(root=lambda v, c: np.sqrt(v / c + 1e-8)),
        "Your epsilon is corrected together with the root, which is Keras' place for it.": adam(
            root=lambda v, c: (np.sqrt(v) + 1e-8) / np.sqrt(c)
        ),
    }


@exercise("One step of Adam with coupled decay")
def adam_step(answer):
    """Adam's step t, with the decay added to the gradient before both averages."""
    for rng in trials():
        given = _given_to_adam(rng)
        w, rate, decay = given[0], *given[-2:]
        compare(
            answer(*given),
            _adam(*given),
            {
                "There is no decay in your step.": _adam(*given, coupled=0.0),
                "Your decay is decoupled: that is AdamW. Coupled decay passes through both averages.": _adam(
                    *given, coupled=0.0
                )
                - rate * decay * w,
                "Your second average sees the gradient without its decay.": _adam(*given, into_v=False),
                "Your first average sees the gradient without its decay.": _adam(*given, into_m=False),
                "Your decay is twice too large: weight_decay multiplies w, without a 2.": _adam(*given, coupled=2.0),
                "Your decay has the wrong sign.": _adam(*given, coupled=-1.0),
                "Your weights go uphill.": 2 * w - _adam(*given),
                **_slips(given),
            },
            "The weights are not right. Gradient with decay, two averages, two corrections, step: check them in turn.",
        )


@exercise("Who is decayed less")
def which(answer):
    """Under Adam with coupled decay the weight with the large gradients."""
    choice(
        answer,
        "b",
        {
            "a": "The same number is added to both gradients. What is each of them divided by afterwards?",
            "c": "A small gradient makes a small denominator, and the decay is divided by it, too.",
            "d": "Both averages forget slowly; the difference does not vanish as long as the gradients differ.",
        },
    )


def _share(left, steps, rate):
    """Return the decay with which ``steps`` steps at ``rate`` leave a share of a weight."""
    return (1 - left ** (1 / steps)) / rate


@exercise("Another schedule, the same share")
def carry(answer):
    """(1 - prod(1 - rates * weight_decay) ** (1 / steps)) / new_rate."""
    for rng in trials():
        rates, decay = rng.uniform(0.1, 0.4, 7), rng.uniform(0.5, 0.9)
        rate, steps = rng.uniform(0.1, 0.3), int(rng.integers(9, 14))
        left = np.prod(1 - rates * decay)
        compare(
            answer(rates, decay, rate, steps),
            _share(left, steps, rate),
            {
                "That is the share that one new step takes. Which decay takes it at the new rate?": _share(
                    left, steps, 1.0
                ),
                "You added up the shares of the steps. Nearly: but each step takes its share of what is left.": decay
                * rates.sum()
                / (rate * steps),
                "Nearly: you added up logarithms, as for steps without end, and each step takes a share.": -np.log(left)
                / (rate * steps),
                "You spread what is left over the steps of the old run.": _share(left, len(rates), rate),
                "You looked at the last learning rate alone.": decay * rates[-1] / rate,
                "You looked at the first learning rate alone.": decay * rates[0] / rate,
                "You took the mean of the factors for what all of them together leave.": _share(
                    np.mean(1 - rates * decay), steps, rate
                ),
                "You used the factor of an L2 penalty, with its 2. AdamW's decay has none.": _share(
                    np.prod(np.abs(1 - 2 * rates * decay)), steps, rate
                ),
                "What is left must be spread over the steps by a root, not divided among them.": (1 - left / steps)
                / rate,
                "You took everything at once: one new step would leave what the whole old run left.": _share(
                    left, 1, rate
                ),
                "You have the factor that a step leaves; the decay is in what is missing to 1.": left ** (1 / steps)
                / rate,
            },
            "What does the old run leave of a weight of 1? And the new one, with your decay?",
        )


def _as_found(w, g, m, v, t, learning_rate, weight_decay):
    g = g + weight_decay * w
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return w - learning_rate * m_hat / (np.sqrt(v_hat) + 1e-8)


@exercise("Bug hunt: an AdamW that is none", given=_as_found)
def adamw(answer):
    """The decay must act on the weight, outside of the averages, scaled by the learning rate."""
    for rng in trials():
        given = _given_to_adam(rng)
        w, rate, decay = given[0], *given[-2:]
        plain = _adam(*given, coupled=0.0)
        compare(
            answer(*given),
            plain - rate * decay * w,
            {
                "The decay still passes through the averages: this is Adam with L2 under another name.": _adam(*given),
                "Now there is no decay at all.": plain,
                "The decay acts on the weight, but without the learning rate. That is the paper's convention; "
                "the task asks for that of PyTorch and Keras.": plain - decay * w,
                "The decay acts twice: in the gradient, and on the weight.": _adam(*given) - rate * decay * w,
                "You decay the weight after Adam's step. The frameworks decay the old weight.": plain
                * (1 - rate * decay),
                "The decay has left one average, but not the other.": _adam(*given, into_v=False),
                "Your weights grow: look at the sign of the decay.": plain + rate * decay * w,
                **{slip: wrong - rate * decay * w for slip, wrong in _slips(given, coupled=0.0).items()},
            },
            "This is neither the given function nor AdamW. Follow the decay through the lines.",
        )
