"""Every activation and its vjp against torch autograd, in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nncomp import activations
from nncomp.activations import Activation, Identity, LeakyReLU, LogSoftmax, ReLU, Softmax

torch = pytest.importorskip("torch")

from tests.crosscheck.torch_graph import ACTIVATIONS, activate, assert_close, leaf  # noqa: E402

every_activation = pytest.mark.parametrize(
    "activation", [f() for f in ACTIVATIONS] + [LeakyReLU(0.3)], ids=lambda f: str(f)
)


def moderate(bound: float) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(
        np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-bound, bound)
    )


def vjps(activation: Activation, z: np.ndarray, da: np.ndarray) -> tuple[np.ndarray, "torch.Tensor"]:
    """Our gradient at z and torch's."""
    x = leaf(z)
    (theirs,) = torch.autograd.grad(activate(activation, x), x, torch.tensor(da))
    return activation.vjp(z, activation.forward(z), da), theirs


def test_the_table_names_every_activation() -> None:
    public = {f for f in vars(activations).values() if isinstance(f, type) and issubclass(f, Activation)}
    assert public - {Activation} == set(ACTIVATIONS)


# Up to |z| = 4 every derivative is above 1e-4, except around its zeros: far from where 1 - a^2 or 1 + erf cancel.
@every_activation
@settings(max_examples=30)
@given(z=moderate(4), seed=st.integers(0, 2**32 - 1))
def test_forward_and_vjp(activation: Activation, z: np.ndarray, seed: int) -> None:
    da = np.random.default_rng(seed).normal(size=z.shape)
    assert_close(activation.forward(z), activate(activation, torch.tensor(z)))
    assert_close(*vjps(activation, z, da))


# Saturated, the derivative itself is lost in cancellation, in torch as here, and the norm of the gradient measures
# nothing. What remains is a bound in units of the incoming gradient: a few roundings of numbers of size 1, or of |z|
# where the derivative has a factor z; beyond |z| = 40 what z multiplies is 0 in float64.
@every_activation
@settings(max_examples=30)
@given(z=moderate(1e6), seed=st.integers(0, 2**32 - 1))
def test_saturated(activation: Activation, z: np.ndarray, seed: int) -> None:
    da = np.random.default_rng(seed).normal(size=z.shape)
    ours, theirs = vjps(activation, z, da)
    size = 1 + min(np.abs(z).max(), 40)
    assert np.abs(ours - theirs.numpy()).max() <= 16 * np.finfo(float).eps * size * np.abs(da).sum()
    forward = activation.forward(z)
    assert_close(forward, activate(activation, torch.tensor(z)), norm=1 + np.abs(z).max())
    assert np.isfinite(forward).all() and np.isfinite(ours).all()


@pytest.mark.parametrize("activation", [Identity(), ReLU(), LeakyReLU(0.3)], ids=str)
def test_the_derivative_at_the_kink_is_torchs_choice(activation: Activation) -> None:
    ours, theirs = vjps(activation, np.array([[0.0, -0.0, 5e-324, -5e-324]]), np.ones((1, 4)))
    np.testing.assert_array_equal(ours, theirs.numpy())


@pytest.mark.parametrize("activation", [Softmax(), LogSoftmax()], ids=str)
def test_softmaxes_work_along_the_last_of_three_axes(activation: Activation) -> None:
    rng = np.random.default_rng(0)
    z, da = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
    assert_close(activation.forward(z), activate(activation, torch.tensor(z)))
    assert_close(*vjps(activation, z, da))
