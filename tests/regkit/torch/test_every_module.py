"""What every module promises: rate 0, evaluation, dtype, ranges, state_dict, deepcopy, pickle, torch.compile."""

import copy
import pickle

import pytest
import torch

from regkit import torch as kit

P = 0.3
SEQUENCE = (7, 4, 6)
# By name: the module at a rate, and the shape of an input.
MODULES = {
    "GaussianDropout": lambda p: kit.GaussianDropout(p),
    "SharedDropout": lambda p: kit.SharedDropout(p, shared=-1),
    "LockedDropout": lambda p: kit.LockedDropout(p),
    "DropPath": lambda p: kit.DropPath(p),
    "LearnedGaussianDropout": lambda p: kit.LearnedGaussianDropout(6, p, per_unit=True),
    "DropoutEmbedding": lambda p: kit.DropoutEmbedding(9, 6, p),
    "NoisyLSTM": lambda p: kit.NoisyLSTM(6, 5, recurrent=p, candidate=p, output=p),
    "zoneout": lambda p: kit.NoisyLSTM(6, 5, zone_h=p, zone_c=p, state_h=p),
    "LayerNormLSTM": lambda p: kit.LayerNormLSTM(6, 5, candidate=p),
    "WeightDrop": lambda p: kit.WeightDrop(torch.nn.LSTM(6, 5), p),
}
UNITS = ["GaussianDropout", "SharedDropout", "LockedDropout", "DropPath"]


def data(name, dtype=torch.float32, seed=0):
    """Return an input."""
    torch.manual_seed(seed)
    return torch.randint(9, (7, 4)) if name == "DropoutEmbedding" else torch.randn(SEQUENCE).to(dtype)


def output(module, x, seed=1):
    """Return the output of a module at a seed."""
    torch.manual_seed(seed)
    found = module(x)
    return found[0] if isinstance(found, tuple) else found


def test_every_class_is_here():
    classes = {name for name in kit.__all__ if isinstance(getattr(kit, name), type)}
    assert classes == MODULES.keys() - {"zoneout"}


@pytest.mark.parametrize("name", UNITS)
def test_rate_0_and_evaluation_return_the_input_itself(name):
    x = data(name)
    assert MODULES[name](0)(x) is x
    assert MODULES[name](P).eval()(x) is x
    assert MODULES[name](P)(x) is not x


@pytest.mark.parametrize("name", MODULES)
def test_noise_in_training_alone(name):
    module, x = MODULES[name](P), data(name)
    assert not torch.equal(output(module, x, 1), output(module, x, 2))
    assert torch.equal(output(module, x, 1), output(module, x, 1))
    module.eval()
    assert torch.equal(output(module, x, 1), output(module, x, 2))


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("p", [1, -0.1, 50, float("nan")])
def test_rates_out_of_range(name, p):
    with pytest.raises(ValueError, match=rf"must be a number in [\[(]0, 1\), got {p}$"):
        MODULES[name](p)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_output_has_the_dtype_of_the_input(name, dtype):
    module = MODULES[name](P).to(dtype)
    for mode in (True, False):
        y = output(module.train(mode), data(name, dtype))
        assert y.dtype == dtype
        assert torch.isfinite(y).all()


@pytest.mark.parametrize("name", MODULES)
def test_a_loaded_state_gives_the_same_output(name):
    module, other, x = MODULES[name](P), MODULES[name](P), data(name)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1
    other.load_state_dict(copy.deepcopy(module.state_dict()))
    for mode in (True, False):
        assert torch.equal(output(module.train(mode), x), output(other.train(mode), x))


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("again", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies(name, again):
    module, x = MODULES[name](P), data(name)
    output(module, x).sum()
    other = again(module)
    assert repr(other) == repr(module)
    assert torch.equal(output(other, x), output(module, x))
    for mine, theirs in zip(module.parameters(), other.parameters(), strict=True):
        assert mine is not theirs


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # tracing looks at it
@pytest.mark.parametrize("name", MODULES)
def test_compiled(name):
    """In one graph, by the backend that traces forward and backward, and then runs PyTorch's own operations."""
    module, x = MODULES[name](P), data(name)
    if name == "WeightDrop":  # not with an LSTM: see below
        module = kit.WeightDrop(torch.nn.Linear(6, 5), P, names=["weight"])
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    for mode in (True, False):
        module.train(mode)
        mine = output(module, x)
        # PyTorch 2.13 does not compile its own LSTM with gradients on a CPU, and that is what NoisyLSTM evaluates with.
        with torch._dynamo.config.patch(allow_rnn=True), torch.set_grad_enabled(mode):
            theirs = output(compiled, x)
        torch.testing.assert_close(mine, theirs)
        if theirs.requires_grad:
            grads = [torch.autograd.grad(y.sum(), list(module.parameters()), allow_unused=True) for y in (mine, theirs)]
            torch.testing.assert_close(*grads)
