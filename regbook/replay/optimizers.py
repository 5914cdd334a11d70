"""Optimizers: reglib's, PyTorch's and Keras' on the same gradients, and one in terms of the others.

Conventions that stand between them (`reglib.train.optim` has the equations):

- Decay. PyTorch's SGD and Adam couple ``weight_decay`` with the gradient, every optimizer of Keras and PyTorch's AdamW
  decouple it. Without momentum the two are the same step of SGD.
- ``l2`` is half of a coupled ``weight_decay``; no optimizer of Keras has either.
- Epsilon. Keras adds it before the correction of the second average, PyTorch after it (``epsilon_at``).
- Rounding. Keras on TensorFlow casts momentum, betas and decay through float32.
"""

from dataclasses import fields

import numpy as np

from regbook.replay.agreement import agree
from regbook.replay.frameworks import (
    NAMES,
    MissingError,
    as_array,
    framework_of,
    held_by_float32,
    in_float64,
    load_keras,
)
from reglib._validate import one_of
from reglib.train.optim import Adam, AdamW, Optimizer
from reglib.weights.parameters import choose, each

# An epsilon so small that its place does not matter.
TINY = 1e-12


def path(optimizer, params, gradients):
    """Return the parameters after each step of an optimizer on given gradients.

    Parameters
    ----------
    optimizer : an optimizer of reglib; a fresh one of Keras; or a function that makes one of PyTorch
        The function takes the tensors in the form of ``params``: ``lambda p: torch.optim.SGD(p, lr=0.1)`` for a list.
    params : dict of ndarray by name, list of ndarray, or ndarray
        One array alone is a list of one for the function.
    gradients : sequence of the same structures
        One a step; None for a parameter that is not trained in it, but not in Keras.

    Returns
    -------
    list of the same structures
    """
    framework, make = _made(optimizer)
    alone = isinstance(params, np.ndarray)
    steps = _PATHS[framework](make, *_structured(params, gradients))
    return [step[0] for step in steps] if alone else steps


def optimizer_parity(optimizer, params, gradients, *theirs, name=None, tolerance=None):
    """Compare an optimizer of reglib with those of frameworks on given gradients, after every step.

    Parameters
    ----------
    optimizer : an optimizer of `reglib.train.optim`
    params : dict of ndarray by name, list of ndarray, or ndarray
        The start.
    gradients : sequence of the same structures
        One a step; gradients that differ from step to step show more.
    *theirs : "torch", "keras", or an optimizer as `path` takes it
        A word means the counterpart that `torch_optimizer` or `keras_optimizer` makes. By default both words.
    name : str, optional
        Of the row; by default the class.
    tolerance : number > 0, optional
        By default 1e-12 in float64 and 1e-6 in float32.

    Returns
    -------
    Parity

    Raises
    ------
    MissingError
        Where a framework has no counterpart.
    AssertionError
        For a difference above the tolerance.
    """
    params, gradients = _structured(params, gradients)
    ours, found = _stacked(path(optimizer, params, gradients)), {}
    for their in theirs or ("torch", "keras"):
        if isinstance(their, str):
            one_of("theirs", their, ("torch", "keras"))
            framework, make = their, torch_optimizer if their == "torch" else keras_optimizer
            steps = _PATHS[their](lambda tensors, make=make: make(optimizer, tensors), params, gradients)
        else:
            framework, _ = _made(their)
            steps = path(their, params, gradients)
        found[NAMES[framework]] = (ours, _stacked(steps))
    return agree({name or type(optimizer).__name__: found}, tolerance)


def torch_optimizer(optimizer, tensors):
    """Return PyTorch's counterpart of an optimizer of reglib.

    Parameters
    ----------
    optimizer : an optimizer of `reglib.train.optim`, its hyperparameters plain numbers
    tensors : dict of torch.Tensor by reglib's names, or list of them
        What is trained. ``decay_on`` becomes two groups of parameters.

    Raises
    ------
    MissingError
        For decoupled decay in SGD with momentum, ``l2`` in AdamW, decay apart from the learning rate, and an epsilon
        at Keras' place, unless it is tiny.
    """
    import torch

    weight_decay, options = _decay(optimizer, "torch"), {"lr": optimizer.learning_rate}
    if isinstance(optimizer, Adam):
        make = torch.optim.AdamW if isinstance(optimizer, AdamW) else torch.optim.Adam
        options |= {"betas": (optimizer.beta1, optimizer.beta2), "eps": _epsilon(optimizer, "torch")}
    else:
        make = torch.optim.SGD
        options |= {"momentum": optimizer.momentum, "nesterov": optimizer.nesterov}
    chosen, all_of_them = _split(optimizer, tensors)
    groups = [
        {"params": [tensor for key, tensor in all_of_them if key in chosen], "weight_decay": weight_decay},
        {"params": [tensor for key, tensor in all_of_them if key not in chosen], "weight_decay": 0.0},
    ]
    return make([group for group in groups if group["params"]], **options)


def keras_optimizer(optimizer, variables=()):
    """Return Keras' counterpart of an optimizer of reglib, in float64.

    Parameters
    ----------
    optimizer : an optimizer of `reglib.train.optim`, its hyperparameters plain numbers
    variables : dict of keras.Variable by reglib's names, or list of them
        What is trained; needed where ``decay_on`` leaves something out.

    Raises
    ------
    MissingError
        For coupled decay, unless in SGD without momentum; for ``l2``, which in Keras is a regularizer; for decay apart
        from the learning rate, and an epsilon at PyTorch's place, unless it is tiny.
    ValueError
        For a momentum, a beta or a decay that Keras would round.
    """
    weight_decay, options = _decay(optimizer, "keras"), {}
    if isinstance(optimizer, Adam):
        options = {"beta_1": optimizer.beta1, "beta_2": optimizer.beta2}
    else:
        options = {"momentum": optimizer.momentum}
    held_by_float32(weight_decay=weight_decay, **options)
    if isinstance(optimizer, Adam):
        options["epsilon"] = _epsilon(optimizer, "keras")
    else:
        options["nesterov"] = optimizer.nesterov
    with in_float64() as keras:
        make = getattr(keras.optimizers, type(optimizer).__name__)
        made = make(optimizer.learning_rate, weight_decay=weight_decay or None, **options)
    chosen, all_of_them = _split(optimizer, variables)
    left_out = [variable for key, variable in all_of_them if key not in chosen]
    if weight_decay and left_out:
        made.exclude_from_weight_decay(var_list=left_out)
    return made


def _decay(optimizer, framework):
    """Return the number that a framework takes for ``weight_decay``."""
    if any(np.ndim(getattr(optimizer, field.name)) for field in fields(optimizer) if field.name != "decay_on"):
        raise ValueError(f"the hyperparameters must be plain numbers, not one a replica; got {optimizer!r}")
    name, decay, l2 = NAMES[framework], optimizer.weight_decay, optimizer.l2
    missing = f"{name} has no counterpart of {optimizer!r}: "
    decoupled = isinstance(optimizer, AdamW) or framework == "keras"
    if l2 and decoupled:
        raise MissingError(missing + "l2 is coupled; take the penalty reglib.weights.penalties.L2")
    if decay and optimizer.decoupled and not optimizer.scale_decay:
        raise MissingError(missing + "it multiplies the decay by the learning rate")
    plain = not isinstance(optimizer, Adam) and not optimizer.momentum
    if decay and optimizer.decoupled != decoupled and not plain:
        raise MissingError(missing + f"its decay is {'decoupled' if decoupled else 'coupled'}")
    return decay + 2 * l2


def _epsilon(optimizer, framework):
    """Return epsilon, if it stands where the framework has it or is so small that its place does not matter."""
    place = {"torch": "corrected", "keras": "raw"}[framework]
    if optimizer.epsilon_at != place and optimizer.epsilon > TINY:
        raise MissingError(
            f"{NAMES[framework]} has no counterpart of {optimizer!r}: its epsilon_at is {place!r}; "
            f"below {TINY:.0e} the place does not matter"
        )
    return optimizer.epsilon


def _split(optimizer, params):
    """Return the keys of the parameters that are decayed, and all keys with their parameters."""
    return (choose(params, optimizer.decay_on) if params else []), _pairs(params)


def _made(optimizer):
    """Return the framework of an optimizer, and a function that makes it for given parameters."""
    if isinstance(optimizer, Optimizer):
        return "numpy", lambda params: optimizer
    if callable(optimizer):
        return "torch", optimizer
    framework_of(optimizer)
    return "keras", lambda variables: optimizer


def _structured(params, gradients):
    """Return one array alone, and its gradients, as lists of one."""
    if isinstance(params, np.ndarray):
        return [params], [[grad] for grad in gradients]
    return params, gradients


def _path_in_numpy(make, params, gradients):
    optimizer, steps = make(params), []
    state = optimizer.init(params)
    for grads in gradients:
        params, state = optimizer.step(params, grads, state)
        steps.append(params)
    return steps


def _path_in_torch(make, params, gradients):
    import torch

    tensors, steps = each(lambda p: torch.tensor(p, requires_grad=True), params), []
    optimizer = make(tensors)
    for grads in gradients:
        for (_, tensor), (_, grad) in zip(_pairs(tensors), _pairs(grads), strict=True):
            tensor.grad = None if grad is None else torch.tensor(grad)
        optimizer.step()
        steps.append(each(lambda tensor: as_array(tensor).copy(), tensors))
    return steps


def _path_in_keras(make, params, gradients):
    keras = load_keras()
    variables, steps = each(lambda p: keras.Variable(p, dtype=str(p.dtype)), params), []
    optimizer = make(variables)
    for grads in gradients:
        tensors = [keras.ops.convert_to_tensor(grad) for _, grad in _pairs(grads)]
        optimizer.apply(tensors, [variable for _, variable in _pairs(variables)])
        steps.append(each(lambda variable: as_array(variable).copy(), variables))
    return steps


_PATHS = {"numpy": _path_in_numpy, "torch": _path_in_torch, "keras": _path_in_keras}


def _pairs(params):
    """Return the keys and the parameters of a dict or a list."""
    return list(params.items() if isinstance(params, dict) else enumerate(params))


def _stacked(steps):
    """Return the path of each parameter as one array, by its name or position."""
    keys = [key for key, _ in _pairs(steps[0])]
    return {str(key): np.stack([step[key] for step in steps]) for key in keys}
