"""Run every benchmark, or those named: ``python -m bench [--save] [penalties] [dropout] ...``."""

import argparse
import os

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")

import numpy as np
import torch

from bench import report
from bench.dropout import layer_race, step_race
from bench.recurrent import sequence_race
from bench.study import study_race
from bench.timing import race
from bench.variants import convolution_race, variants_race
from regbook import datasets
from reglib.linear import solvers
from reglib.nets.mlp import MLP
from reglib.train import loop, optim
from reglib.weights import penalties
from reglib.weights.parameters import each

RNG = np.random.default_rng(0)


def penalties_race():
    """The proximal step of L1 beside PyTorch's soft shrinkage, on 1024 x 1024 float32."""
    w = RNG.standard_normal((1024, 1024)).astype(np.float32)
    tensor, l1 = torch.from_numpy(w), penalties.L1(0.1)
    competitors = {
        "reglib: L1.prox": lambda: l1.prox(w, 1.0),
        "PyTorch: softshrink": lambda: torch.nn.functional.softshrink(tensor, 0.1),
    }
    return [("Proximal step of L1, 1024 x 1024 float32", race(competitors))]


def optimizers_race():
    """One step of AdamW over a network of 64-256-256-10, beside PyTorch and Keras."""
    import keras

    params = MLP((64, 256, 256, 10)).init(RNG, dtype=np.float32)
    grads = each(lambda p: RNG.standard_normal(p.shape).astype(np.float32), params)
    ours = optim.AdamW(1e-3)
    state = [ours.init(params)]
    tensors = [torch.tensor(p, requires_grad=True) for p in params.values()]
    for tensor, gradient in zip(tensors, grads.values(), strict=True):
        tensor.grad = torch.from_numpy(gradient)
    theirs = torch.optim.AdamW(tensors, lr=1e-3)
    variables = [keras.Variable(p) for p in params.values()]
    keras_grads = [keras.ops.convert_to_tensor(g) for g in grads.values()]
    keras_adamw = keras.optimizers.AdamW(1e-3)

    def step():
        _, state[0] = ours.step(params, grads, state[0])

    competitors = {
        "reglib: AdamW.step": step,
        "PyTorch: AdamW.step": theirs.step,
        "Keras: AdamW.apply": lambda: keras_adamw.apply(keras_grads, variables),
    }
    return [("One step of AdamW, 64-256-256-10 float32", race(competitors))]


def paths_race():
    """The lasso path of the diabetes data beside scikit-learn, to about the same accuracy."""
    from sklearn.linear_model import lasso_path

    data = datasets.diabetes()
    x, y = data.x - data.x.mean(axis=0), data.y - data.y.mean()
    strengths = solvers.path(x, y).strengths
    competitors = {
        "reglib: path": lambda: solvers.path(x, y, "lasso", strengths, tolerance=1e-6),
        "scikit-learn: lasso_path": lambda: lasso_path(x, y, alphas=strengths, tol=1e-6, max_iter=100_000),
    }
    return [("Lasso path of the diabetes data, 100 strengths, gap 1e-6", race(competitors, turns=7))]


def batches_race():
    """Two hundred lasso problems of 100 x 128: side by side, and one after the other in scikit-learn."""
    from sklearn.linear_model import Lasso

    problems = [datasets.sparse_regression(RNG, 100, 128, 8, noise=0.5) for _ in range(200)]
    x, y = np.stack([p.x for p in problems]), np.stack([p.y for p in problems])
    model = Lasso(alpha=0.2, tol=1e-6)
    competitors = {
        "reglib: fista, 200 at once": lambda: solvers.fista(x, y, penalties.L1(0.2), tolerance=1e-6),
        "scikit-learn: Lasso, 200 in turn": lambda: [model.fit(a, b) for a, b in zip(x, y, strict=True)],
    }
    return [("200 lasso problems, 100 x 128, gap 1e-6", race(competitors, turns=5))]


def replicas_race():
    """Training 32 networks of 64-32-10 for one epoch: in one pass, and as 32 PyTorch models in turn."""
    data = datasets.digits()
    x, y = data.x.astype(np.float32), data.y
    batches = list(loop.minibatches(RNG, len(x), 64))
    net = MLP((64, 32, 10))
    start = net.init(RNG, replicas=(32,), dtype=np.float32)
    tensors = torch.from_numpy(x), torch.from_numpy(np.asarray(y, dtype=np.int64))

    def in_turn():
        for s in range(32):
            params = [torch.tensor(p[s], requires_grad=True) for p in start.values()]
            optimizer = torch.optim.SGD(params, lr=0.1)
            for rows in batches:
                hidden = torch.relu(tensors[0][rows] @ params[0] + params[1])
                loss = torch.nn.functional.cross_entropy(hidden @ params[2] + params[3], tensors[1][rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    competitors = {
        "reglib: 32 replicas in one pass": lambda: loop.train(net, start, optim.SGD(0.1), batches, data=(x, y)),
        "PyTorch: 32 models in turn": in_turn,
    }
    return [("32 networks of 64-32-10 on digits, one epoch, float32", race(competitors, turns=7))]


RACES = {
    "penalties": penalties_race,
    "optimizers": optimizers_race,
    "paths": paths_race,
    "batches": batches_race,
    "replicas": replicas_race,
    "dropout": layer_race,
    "step": step_race,
    "variants": variants_race,
    "convolution": convolution_race,
    "sequences": sequence_race,
    "study": study_race,
}


def main():
    """Run the races named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("races", nargs="*", choices=[*RACES, []], metavar="RACE", help=", ".join(RACES))
    parser.add_argument("--save", action="store_true", help=f"store what was measured in {report.STORED.name}")
    arguments = parser.parse_args()
    if arguments.save and arguments.races:
        parser.error("--save stores all races; name none of them")
    about = report.provenance()
    print(about)
    results = []
    for name in arguments.races or list(RACES):
        for title, timings in RACES[name]():
            print("\n" + report.text(title, timings))
            results.append((title, timings))
    if arguments.save:
        report.save(about, results)
        print(f"\nstored in {report.STORED}")


if __name__ == "__main__":
    main()
