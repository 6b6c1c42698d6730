"""Activations: gradients against central differences, values against closed forms."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncomp.activations import (
    GELU,
    Activation,
    GELUTanh,
    Identity,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)  # fmt: skip
from tests.gradients import assert_gradient
from tests.strategies.weights import seeds

EACH = [
    Identity(), ReLU(), LeakyReLU(), LeakyReLU(0.3), Tanh(), Sigmoid(), SiLU(), GELU(), GELUTanh(), Softmax(),
    LogSoftmax(),
]  # fmt: skip
each = pytest.mark.parametrize("f", EACH, ids=repr)


@each
@given(st.integers(0, 6), st.integers(1, 6), seeds)
@example(1, 1, 68772141)  # 1 + erf cancelled at z = -6.2
def test_gradient(f: Activation, rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((rows, columns)) * 3
    z += np.copysign(1e-3, z)  # away from the kink at 0
    da = rng.standard_normal(z.shape)
    assert_gradient(lambda z: float((da * f(z)).sum()), [z], [f.vjp(z, f(z), da)], seed)


@each
def test_dtype_and_purity(f: Activation) -> None:
    z = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)
    z.flags.writeable = False
    a = f(z)
    assert a.dtype == np.float32 and f.vjp(z, a, np.ones_like(z)).dtype == np.float32
    assert np.isnan(f(np.array([[np.nan, 1.0]]))[0, 0]), "NaN is never hidden"


@each
def test_all_axes_but_the_last_are_a_batch(f: Activation) -> None:
    z, da = np.random.default_rng(0).standard_normal((2, 6, 4))
    deep, a = z.reshape(2, 3, 4), f(z)
    np.testing.assert_array_equal(f(deep).reshape(6, 4), a)
    np.testing.assert_array_equal(f.vjp(deep, f(deep), da.reshape(2, 3, 4)).reshape(6, 4), f.vjp(z, a, da))


@pytest.mark.parametrize("z", [-40.0, -2.0, -0.5, 0.0, 0.5, 2.0, 40.0])
def test_values(z: float) -> None:
    s = 1 / (1 + math.exp(-z))
    normal = math.erfc(-z / math.sqrt(2)) / 2
    u = math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)
    expected = {
        Identity(): z, ReLU(): max(z, 0.0), LeakyReLU(0.3): z if z > 0 else 0.3 * z, Tanh(): math.tanh(z), Sigmoid(): s,
        SiLU(): z * s, GELU(): z * normal, GELUTanh(): z / (1 + math.exp(-2 * u)) if u > -300 else 0.0,
    }  # fmt: skip
    for f, value in expected.items():
        assert float(f(np.array(z))) == pytest.approx(value, rel=1e-12, abs=1e-300), f


def test_softmax_sums_to_one_at_any_size() -> None:
    z = np.array([[1e4, 0.0, -1e4], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(Softmax()(z), [[1, 0, 0], [1 / 3] * 3], rtol=1e-15)
    np.testing.assert_array_equal(LogSoftmax()(z)[0], [0, -1e4, -2e4])


def test_the_derivative_at_the_kink_is_the_one_from_below() -> None:
    zero = np.zeros(1)
    for f, slope in [(ReLU(), 0.0), (LeakyReLU(), 0.01), (LeakyReLU(0.3), 0.3)]:
        assert f.vjp(zero, f(zero), np.ones(1)).tolist() == [slope]


def test_an_activation_without_its_functions_says_so() -> None:
    class Mine(Activation):
        pass

    z = np.zeros(1)
    with pytest.raises(NotImplementedError, match="Mine has no forward"):
        Mine()(z)
    with pytest.raises(NotImplementedError, match="Mine has no vjp"):
        Mine().vjp(z, z, z)


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_finite_input_has_a_finite_output_and_gradient(f: Activation, dtype: type) -> None:
    powers = 10.0 ** np.linspace(-30, np.log10(np.finfo(dtype).max) - 1, 60)
    z = np.concatenate([-powers, powers]).astype(dtype)[:, None]
    a = f.forward(z)
    dz = f.vjp(z, a, np.ones_like(z))
    assert np.isfinite(a).all() and np.isfinite(dz).all() and a.dtype == dz.dtype == dtype
    if isinstance(f, (ReLU, SiLU, GELU, GELUTanh)):
        np.testing.assert_array_equal(dz[np.abs(z) > 1e4], (z[np.abs(z) > 1e4] > 0))
