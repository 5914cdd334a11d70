"""Races of dropout: the layer alone, and a training step of 32 networks with it."""

import importlib
import timeit
from itertools import pairwise

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from bench.timing import Timing, race
from reglib.nets.mlp import MLP, hidden
from reglib.noise.affine import apply, apply_backward
from reglib.noise.kinds import Bernoulli
from reglib.train.optim import SGD
from reglib.train.technique import Technique, start, step

RATE, REPLICAS, BATCH, SIZES = 0.5, 32, 64, (64, 256, 256, 10)


def layer_race():
    """Mask, forward and backward of dropout, beside PyTorch with autograd and Keras."""
    import keras
    import tensorflow as tf

    races = []
    for shape in ((128, 512), (1024, 1024)):
        rng = np.random.default_rng(0)
        x, grad = (rng.standard_normal(shape, dtype=np.float32) for _ in range(2))
        tensor, tensor_grad = torch.from_numpy(x).requires_grad_(), torch.from_numpy(grad)
        variable, upstream, layer = tf.Variable(x), tf.constant(grad), keras.layers.Dropout(RATE)

        def ours(x=x, grad=grad, shape=shape, rng=rng):
            noise = Bernoulli(RATE).draw(rng, shape, np.float32)
            return apply(noise, x), apply_backward(noise, grad)

        def pytorch(tensor=tensor, tensor_grad=tensor_grad):
            return torch.autograd.grad(torch.nn.functional.dropout(tensor, RATE), tensor, tensor_grad)

        def keras_layer(variable=variable, upstream=upstream, layer=layer):
            with tf.GradientTape() as tape:
                y = layer(variable, training=True)
            return tape.gradient(y, variable, output_gradients=upstream)

        competitors = {
            "reglib: mask, forward, backward": ours,
            "PyTorch: F.dropout, autograd": pytorch,
            "Keras: Dropout, GradientTape": keras_layer,
        }
        races.append((f"Dropout layer, {shape[0]} x {shape[1]} float32", race(competitors)))
    return races


def step_race():
    """One step of SGD for 32 networks with dropout: batched, beside 32 PyTorch models in turn and two compilers.

    Once with one thread, as the book's notebooks run, and once with all. JAX takes all threads from its start, so
    it stands in the second table alone.
    """
    rng = np.random.default_rng(0)
    net = MLP(SIZES)
    params = net.init(rng, replicas=(REPLICAS,), dtype=np.float32)
    x = rng.standard_normal((REPLICAS, BATCH, SIZES[0]), dtype=np.float32)
    y = rng.integers(0, SIZES[-1], (REPLICAS, BATCH))
    sgd, technique = SGD(0.1), Technique(noise=dict.fromkeys(hidden(2), Bernoulli(RATE)))
    state = start(technique, sgd, params)
    tensors, tx, ty = [torch.from_numpy(p) for p in params.values()], torch.from_numpy(x), torch.from_numpy(y)

    def ours():
        return step(net, technique, sgd, state, (x, y), rng)

    def loss(weights, x, y):
        h = torch.nn.functional.dropout(torch.relu(x @ weights[0] + weights[1]), RATE)
        h = torch.nn.functional.dropout(torch.relu(h @ weights[2] + weights[3]), RATE)
        return torch.nn.functional.cross_entropy(h @ weights[4] + weights[5], y)

    def loop():
        new = []
        for s in range(REPLICAS):
            weights = [tensor[s].requires_grad_() for tensor in tensors]
            grads = torch.autograd.grad(loss(weights, tx[s], ty[s]), weights)
            new.append([w.detach() - 0.1 * g for w, g in zip(weights, grads, strict=True)])
        return new

    batched = torch.func.vmap(torch.func.grad(loss), randomness="different")

    def vmap():
        return [w - 0.1 * g for w, g in zip(tensors, batched(tensors, tx, ty), strict=True)]

    competitors = {
        "reglib: 32 networks in one pass": ours,
        "PyTorch: 32 networks in turn": loop,
        "PyTorch: torch.func.vmap": vmap,
    }
    compiled = torch.compile(vmap)
    if compiles(compiled):
        competitors["PyTorch: torch.compile of vmap"] = compiled
    title = f"A training step with dropout, 32 networks of {'-'.join(map(str, SIZES))}, batch {BATCH}, float32"
    every = torch.get_num_threads()
    in_jax = jax_step([tensor.numpy() for tensor in tensors], x, y)
    races = []
    for threads in sorted({1, every}):
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            timings = race(competitors | (in_jax if threads == every else {}))
            if threads == every and not in_jax:
                timings.append(Timing("JAX: jit(vmap(grad)), not installed", ()))
            races.append((f"{title}, threads: {threads}", [*timings, at_peak()]))
    torch.set_num_threads(every)
    return races


def compiles(work):
    """Call what `torch.compile` returned; say so and return False if this machine has no C++ compiler."""
    from torch._dynamo.exc import BackendCompilerFailed
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        work()
    except BackendCompilerFailed as error:
        if not isinstance(error.inner_exception, InvalidCxxCompiler):
            raise
        print("torch.compile is left out: it found no C++ compiler")
        return False
    return True


def jax_step(weights, x, y):
    """Return the step in JAX, jit(vmap(grad)), under its name; nothing where JAX is not installed."""
    try:
        jax = importlib.import_module("jax")
    except ModuleNotFoundError:
        return {}
    weights, x, y = jax.device_put((weights, x, y))
    key = jax.random.key(0)

    def dropout(key, h):
        return jax.numpy.where(jax.random.bernoulli(key, 1 - RATE, h.shape), h / (1 - RATE), 0)

    def loss(weights, x, y, key):
        first, second = jax.random.split(key)
        h = dropout(first, jax.nn.relu(x @ weights[0] + weights[1]))
        h = dropout(second, jax.nn.relu(h @ weights[2] + weights[3]))
        logs = jax.nn.log_softmax(h @ weights[4] + weights[5])
        return -jax.numpy.take_along_axis(logs, y[:, None], axis=1).mean()

    @jax.jit
    def update(weights, x, y, key):
        keys = jax.random.split(key, REPLICAS + 1)
        grads = jax.vmap(jax.grad(loss))(weights, x, y, keys[1:])
        return keys[0], [w - 0.1 * g for w, g in zip(weights, grads, strict=True)]

    def work():
        nonlocal key
        key, new = jax.block_until_ready(update(weights, x, y, key))
        return new

    return {f"JAX {jax.__version__}: jit(vmap(grad))": work}


def at_peak():
    """Return the time that the matrix products of the step would take at the speed of one large product."""
    n = 1024
    a, b = np.random.default_rng(0).standard_normal((2, n, n), dtype=np.float32)
    seconds = timeit.repeat(lambda: a @ b, number=5, repeat=15)
    speed = 5 * 2 * n**3 / np.array(seconds)
    products = [3 * d * h for d, h in pairwise(SIZES[1:])] + [2 * SIZES[0] * SIZES[1]]
    work = 2 * REPLICAS * BATCH * sum(products)
    return Timing("peak: its products at full speed", tuple(work / speed))
