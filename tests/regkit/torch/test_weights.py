"""Proximal steps, groups, decay and dropped weights of PyTorch modules against reglib."""

import numpy as np
import pytest
import torch
from torch import nn

from regkit.torch import WeightDrop, decay_groups, group_lasso, proximal_group_lasso_, proximal_l1_
from reglib.layers import recurrent
from reglib.layers.cells import LSTM
from reglib.noise.kinds import Bernoulli
from reglib.weights import penalties
from tests import statistical
from tests.conftest import exactly
from tests.regkit.torch.common import agree, given, leaf

P = 0.3


@pytest.mark.parametrize("threshold", [0, 0.5, 3])
def test_the_proximal_step_of_l1(threshold):
    w = np.random.default_rng(0).standard_normal((6, 4))
    ours = [leaf(w), leaf(w[0])]
    proximal_l1_(iter(ours), threshold)
    theirs = penalties.soft_threshold(w, threshold)
    agree(ours[0], theirs)
    agree(ours[1], theirs[0])
    assert ((ours[0].detach().numpy() == 0) == (theirs == 0)).all()
    assert ours[0].requires_grad


def test_a_lasso_by_proximal_gradient_descent_has_exact_zeros():
    """Two hundred steps of SGD, each with its proximal step, against the optimality conditions of the lasso."""
    rng = np.random.default_rng(1)
    x = torch.tensor(rng.standard_normal((50, 8)))
    y = x @ torch.tensor([2.0, -1, 0, 0, 0, 0, 0, 0], dtype=torch.float64)
    w, l1 = torch.zeros(8, dtype=torch.float64, requires_grad=True), 0.3
    optimizer = torch.optim.SGD([w], lr=0.2)
    for _ in range(200):
        optimizer.zero_grad()
        (((x @ w - y) ** 2).mean() / 2).backward()
        optimizer.step()
        proximal_l1_([w], optimizer.param_groups[0]["lr"] * l1)
    gradient = x.T @ (x @ w.detach() - y) / 50
    zero = w.detach() == 0
    assert zero.tolist() == [False] * 2 + [True] * 6
    assert gradient[zero].abs().max() < l1
    torch.testing.assert_close(gradient[~zero], -l1 * w.detach()[~zero].sign(), rtol=0, atol=1e-9)


def rows(w, dim):
    """Return the group lasso of reglib whose groups are the slices of w along an axis, and w with that axis first."""
    return penalties.GroupLasso(1.0, np.arange(w.shape[dim])), np.moveaxis(w, dim, 0)


@pytest.mark.parametrize(("shape", "dim"), [((5, 3), 0), ((5, 3), 1), ((5, 3), -1), ((4, 3, 2, 2), 1), ((4,), 0)])
def test_group_lasso(shape, dim):
    w = np.random.default_rng(2).standard_normal(shape)
    np.moveaxis(w, dim, 0)[1] = 0  # a group at the kink
    penalty, ours = rows(w, dim)
    tensor = leaf(w)
    value = group_lasso(tensor, dim)
    value.backward()
    agree(value, np.asarray(penalty.value(ours)))
    agree(tensor.grad, np.moveaxis(penalty.gradient(ours), 0, dim))


@pytest.mark.parametrize("threshold", [0, 0.7, 5])
@pytest.mark.parametrize(("shape", "dim"), [((5, 3), 0), ((5, 3), 1), ((5, 3), -1), ((4, 3, 2, 2), 1), ((4,), 0)])
def test_the_proximal_step_of_group_lasso(shape, dim, threshold):
    w = np.random.default_rng(3).standard_normal(shape)
    np.moveaxis(w, dim, 0)[1] = 0
    penalty, ours = rows(w, dim)
    tensor = leaf(w)
    proximal_group_lasso_([tensor], threshold, dim)
    theirs = penalty.prox(ours, threshold) if threshold else ours
    agree(tensor, np.moveaxis(theirs, 0, dim))


def test_some_groups_die_and_some_live():
    w = leaf(np.array([[3.0, 4.0], [0.3, 0.4]]))
    proximal_group_lasso_([w], 1.0)
    assert (w[1] == 0).all()
    assert (w[0] != 0).all()


@pytest.mark.parametrize("function", [proximal_l1_, proximal_group_lasso_])
def test_bad_arguments_of_proximal_steps(function):
    with pytest.raises(TypeError, match=exactly("params must be a list of tensors, got one of shape (2, 3)")):
        function(torch.ones(2, 3), 0.1)
    with pytest.raises(ValueError, match=exactly("threshold must be a number in [0, inf), got -0.1")):
        function([torch.ones(2, 3)], -0.1)


class Net(nn.Module):
    """One of each kind of owner, with an embedding whose table the last layer shares."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.positions = nn.Embedding(5, 4)
        self.lstm = nn.LSTM(4, 4)
        self.conv = nn.Conv1d(4, 4, 3)
        self.batch, self.layer = nn.BatchNorm1d(4), nn.LayerNorm((5, 4))
        self.group, self.rms = nn.GroupNorm(2, 4), nn.RMSNorm((5, 4))
        self.prelu = nn.PReLU()
        self.head = nn.Linear(4, 7)
        self.head.weight = self.embedding.weight


@pytest.mark.parametrize("embeddings", [True, False])
def test_which_parameters_decay(embeddings):
    net = Net()
    groups = decay_groups(net, 0.1, embeddings=embeddings)
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    decayed = ["lstm.weight_ih_l0", "lstm.weight_hh_l0", "conv.weight"]
    found = [[names[id(parameter)] for parameter in group["params"]] for group in groups]
    assert found[0] == (["embedding.weight", "positions.weight"] if embeddings else []) + decayed
    assert sorted(found[0] + found[1]) == sorted(names.values())
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]


def test_decay_reaches_the_weights_alone():
    net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    optimizer = torch.optim.SGD(decay_groups(net, 0.5), lr=0.1)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(parameter.detach(), before[name] * (0.95 if name == "0.weight" else 1))


def test_no_decay():
    with pytest.raises(ValueError, match=exactly("weight_decay must be a number in [0, inf), got -1")):
        decay_groups(Net(), -1)


def test_dropped_recurrent_weights_against_reglib():
    rng, (batch, steps, inputs, hidden) = np.random.default_rng(4), (4, 6, 3, 5)
    cell = LSTM()
    params = recurrent.init(rng, cell, inputs, hidden)
    x, grad = rng.standard_normal((batch, steps, inputs)), rng.standard_normal((batch, steps, hidden))
    gain = Bernoulli(P).draw(rng, params["w_h"].shape).gain
    output, state, cache = recurrent.forward(cell, params | {"w_h": params["w_h"] * gain}, x)
    grad_x, grads, _ = recurrent.backward(cache, grad)

    lstm = nn.LSTM(inputs, hidden, batch_first=True, dtype=torch.float64)
    values = [params["w_x"].T, params["w_h"].T, params["b"], np.zeros_like(params["b"])]
    for parameter, value in zip(lstm.parameters(), values, strict=True):
        parameter.data = torch.tensor(value.copy())
    module, tensor = given(WeightDrop(lstm, P), (gain.T > 0).astype(float)), leaf(x)
    ours, (h, c) = module(tensor)
    ours.backward(torch.tensor(grad))
    agree(ours, output)
    agree(h[0], state[0])
    agree(c[0], state[1])
    agree(tensor.grad, grad_x)
    agree(lstm.weight_ih_l0.grad.T, grads["w_x"])
    agree(lstm.weight_hh_l0.grad.T, grads["w_h"] * gain)
    agree(lstm.bias_ih_l0.grad, grads["b"])
    agree(lstm.weight_hh_l0.T, params["w_h"])  # as it was


def test_weights_are_dropped_anew_at_each_call_and_not_in_evaluation():
    torch.manual_seed(5)
    linear = nn.Linear(400, 300, bias=False)
    nn.init.ones_(linear.weight)
    module = WeightDrop(linear, P, names=["weight"])
    first, second = module(torch.eye(400)), module(torch.eye(400))
    assert not torch.equal(first, second)
    for drawn in (first, second):
        assert np.unique(drawn.detach()) == pytest.approx([0, 1 / (1 - P)])
        statistical.assert_probability((drawn > 0).sum(), drawn.numel(), 1 - P)
    assert torch.equal(module.eval()(torch.eye(400)), linear(torch.eye(400)))
    assert torch.equal(WeightDrop(linear, 0, names=["weight"])(torch.eye(400)), linear(torch.eye(400)))


def test_every_recurrent_weight_is_dropped():
    module = WeightDrop(nn.GRU(3, 4, num_layers=2, bidirectional=True), P)
    suffixes = ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert module.names == [f"weight_hh_{suffix}" for suffix in suffixes]
    drawn = []
    module.draw = lambda weight: drawn.append(weight) or torch.ones_like(weight)
    module(torch.ones(5, 2, 3))
    assert [id(weight) for weight in drawn] == [id(module.module.get_parameter(name)) for name in module.names]


@pytest.mark.parametrize("names", [None, [], ["weights"]])
def test_no_such_weights(names):
    with pytest.raises(ValueError, match="names must hold some of"):
        WeightDrop(nn.Linear(2, 3), P, names)


def test_it_shows_its_numbers():
    assert "p=0.3, names=['weight_hh_l0']" in repr(WeightDrop(nn.LSTM(3, 4), P))
