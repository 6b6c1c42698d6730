"""Batch normalization: its gradient, its running statistics, and that folding it away changes nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.activations import ReLU
from nncomp.layer import Linear
from nncomp.norm import BatchNorm
from nncomp.weights import Dense, Quantized, Shared, Sparse
from tests.gradients import assert_gradient
from tests.strategies.weights import (
    dense,
    dense_codes,
    float_zero_codes,
    halfway_codes,
    seeds,
    shared,
    sparse,
    sparse_codes,
)


def random_norm(rng: np.random.Generator, features: int) -> BatchNorm:
    gamma, beta, mean = rng.standard_normal((3, features))
    return BatchNorm(gamma, beta, mean, rng.random(features) + 0.1)


@given(st.integers(2, 7), st.integers(1, 4), seeds)
def test_gradient(batch: int, features: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    norm, x, dy = (
        random_norm(rng, features),
        rng.standard_normal((batch, features)),
        rng.standard_normal((batch, features)),
    )
    if x.var(axis=0).min() < 0.1:
        x[0] += 3  # 1 / standard deviation is steep where it is nearly 0
    dx, dparams = norm.vjp(norm.forward(x)[1], dy)
    assert_gradient(
        lambda x, *params: float((dy * norm.with_params(params).forward(x)[0]).sum()),
        [x, *norm.params],
        [dx, *dparams],
        seed,
    )


def test_forward_standardizes_and_track_follows() -> None:
    x = np.random.default_rng(0).standard_normal((50, 3)) * [1, 10, 100] + [5, 0, -5]
    norm = BatchNorm.init(3, np.float64)
    y, saved = norm.forward(x)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-4)
    norm.track(saved)
    np.testing.assert_allclose(norm.mean, 0.1 * x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(norm.var, 0.9 + 0.1 * x.var(axis=0, ddof=1), rtol=1e-12)


FOLDED = [dense, sparse, dense_codes, sparse_codes, float_zero_codes, halfway_codes]


@given(st.one_of(*(form(np.float64) for form in FOLDED)), seeds)
def test_folding_is_exact(weight: Dense | Sparse | Quantized, seed: int) -> None:
    """The same function but for the rounding of its two orders of evaluation."""
    rng = np.random.default_rng(seed)
    out, inputs = weight.shape
    layer = Linear(weight, rng.standard_normal(out), ReLU(), random_norm(rng, out))
    x = rng.standard_normal((5, inputs))
    folded = layer.folded()
    assert folded.norm is None and type(folded.weight) is type(weight)
    a, b = layer.norm.affine()  # type: ignore[union-attr]
    terms = np.abs(x) @ np.abs(weight.dense()).T + np.abs(layer.bias)
    size = np.abs(a) * terms + np.abs(a * layer.norm.mean) + np.abs(b)  # type: ignore[union-attr]
    assert (np.abs(folded(x) - layer(x)) <= 2 * (inputs + 6) * np.finfo(np.float64).eps * size).all()


@given(shared(np.float32))
def test_shared_values_cannot_absorb_a_norm(weight: Shared) -> None:
    out = weight.shape[0]
    with pytest.raises(ValueError, match="folds into floats and codes, not Shared"):
        Linear(weight, np.zeros(out, np.float32), norm=BatchNorm.init(out)).folded()


def test_bad_norms() -> None:
    one = np.ones(2)
    with pytest.raises(ValueError, match="at least 2 samples, not 1"):
        BatchNorm.init(2).forward(np.ones((1, 2), np.float32))
    with pytest.raises(ValueError, match="four vectors of one length"):
        BatchNorm(one, one, one, np.ones(3))
    with pytest.raises(ValueError, match="at least 0 and eps above 0"):
        BatchNorm(one, one, one, -one)
