"""What a framework's layer does under one draw of its own noise: the draw itself, the output, the gradient.

The noise is replayed: put the random state back, let the layer act on a constant, put it back again, and let it act on
the data. Acting on ones shows what dropout multiplies with. Alpha dropout shows its mask on zeros: a kept zero becomes
b > 0, a dropped one a * alpha' + b < 0.
"""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
torch = pytest.importorskip("torch")

TOLERANCE = {"float64": 1e-12, "float32": 1e-6}


def both(shape, dtype):
    """Return activations and the gradient with respect to what the layer makes of them."""
    rng = np.random.default_rng(5)
    return rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype)


def in_torch(layer, x, grad, constant=1.0):
    """Return what the layer makes of a constant, of x, and of the gradient; all under the same noise."""
    torch.manual_seed(3)
    state = torch.get_rng_state()
    shown = layer(torch.full(x.shape, constant, dtype=getattr(torch, str(x.dtype)))).numpy()
    torch.set_rng_state(state)
    tensor = torch.tensor(x, requires_grad=True)
    output = layer(tensor)
    output.backward(torch.tensor(grad))
    return shown, output.detach().numpy(), tensor.grad.numpy()


def in_keras(layer, x, grad, constant=1.0):
    """Return what the layer makes of a constant, of x, and of the gradient; all under the same noise."""
    state = layer.seed_generator.state.numpy()
    shown = layer(np.full(x.shape, constant, x.dtype), training=True).numpy()
    layer.seed_generator.state.assign(state)
    variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        output = layer(variable, training=True)
    return shown, output.numpy(), tape.gradient(output, variable, output_gradients=tf.constant(grad)).numpy()


def agree(ours, theirs, dtype):
    """Fail unless two arrays have this dtype and agree within its tolerance."""
    assert ours.dtype == theirs.dtype == dtype
    assert (np.abs(ours - theirs) <= TOLERANCE[dtype] * np.maximum(np.abs(theirs), 1)).all()


def own_part(mask, shape):
    """Return the part of a mask that has the shape; fail unless the rest repeats it, or all or nothing is dropped."""
    own = mask[tuple(slice(length) for length in shape)]
    np.testing.assert_array_equal(np.broadcast_to(own, mask.shape), mask)
    assert 0 < own.mean() < 1
    return own
