"""BatchNorm in training and afterwards, its vjp, running statistics and folding, against torch, in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.layer import Linear
from nncomp.norm import BatchNorm
from nncomp.weights import Dense, Sparse

torch = pytest.importorskip("torch")
F = torch.nn.functional

from tests.crosscheck.torch_graph import assert_close, leaf, normalize  # noqa: E402

seeds = st.integers(0, 2**32 - 1)
features = st.integers(1, 6)


def random_norm(rng: np.random.Generator, features: int, eps: float = 1e-5, momentum: float = 0.1) -> BatchNorm:
    gamma, beta, mean = rng.normal(size=(3, features))
    return BatchNorm(gamma, beta, mean, rng.uniform(0.1, 3, features), eps, momentum)


def assert_training_step(norm: BatchNorm, x: np.ndarray, dy: np.ndarray) -> None:
    """Forward, all three gradients, and what `track` makes of the running statistics."""
    leaves = leaf(norm.gamma), leaf(norm.beta), leaf(x)
    theirs, mean, var = normalize(norm, *leaves, training=True)
    dgamma, dbeta, dx = torch.autograd.grad(theirs, leaves, torch.tensor(dy))

    y, saved = norm.forward(x)
    ours_dx, (ours_dgamma, ours_dbeta) = norm.vjp(saved, dy)
    tracked = norm.copied()
    tracked.track(saved)
    for ours, expected in zip(
        (y, ours_dx, ours_dgamma, ours_dbeta, tracked.mean, tracked.var), (theirs, dx, dgamma, dbeta, mean, var)
    ):
        assert_close(ours, expected)


@settings(max_examples=40)
@given(st.integers(4, 20), features, st.sampled_from([1e-5, 1e-3]), st.sampled_from([0.1, 0.01, 1.0]), seeds)
def test_training_step(batch: int, features: int, eps: float, momentum: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(rng.normal(size=features), rng.uniform(0.5, 2, features), (batch, features))
    assert_training_step(random_norm(rng, features, eps, momentum), x, rng.normal(size=x.shape))


@settings(max_examples=40)
@given(features, seeds)
def test_training_step_on_two_samples(features: int, seed: int) -> None:
    # Two samples become -1 and 1 but for eps, and the gradient at x is only what eps leaves of it: eps / var of terms
    # of size 1. The usual 1e-5 would cancel by 1e6 and more; 0.1 does not.
    rng = np.random.default_rng(seed)
    x = np.stack([rng.uniform(-2, -1, features), rng.uniform(1, 2, features)])
    assert_training_step(random_norm(rng, features, eps=0.1), x, rng.normal(size=x.shape))


def test_a_constant_feature_is_beta_and_keeps_its_gradient() -> None:
    norm = random_norm(np.random.default_rng(0), 1)
    x, dy = np.full((4, 1), 0.5), np.array([[1.0], [2.0], [-1.0], [0.5]])
    assert_training_step(norm, x, dy)
    np.testing.assert_array_equal(norm.forward(x)[0], np.broadcast_to(norm.beta, x.shape))


@settings(max_examples=40)
@given(st.integers(1, 20), features, seeds)
def test_running_statistics_after_training(batch: int, features: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    norm, x = random_norm(rng, features), rng.normal(size=(batch, features))
    theirs, _, _ = normalize(norm, torch.tensor(norm.gamma), torch.tensor(norm.beta), torch.tensor(x), training=False)
    assert_close(norm.apply(x), theirs)


@settings(max_examples=40)
@given(st.integers(1, 6), features, st.booleans(), seeds)
def test_folding(inputs: int, outputs: int, sparse: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    w, bias, norm = rng.normal(size=(outputs, inputs)), rng.normal(size=outputs), random_norm(rng, outputs)
    mask = rng.random(w.shape) < 0.5 if sparse else np.ones(w.shape, bool)
    layer = Linear(Sparse.from_dense(w, mask) if sparse else Dense(w), bias, norm=norm)
    folded = layer.folded()

    fused_w, fused_bias = torch.nn.utils.fusion.fuse_linear_bn_weights(
        *(torch.tensor(a) for a in (w * mask, bias, norm.mean, norm.var)), norm.eps,
        torch.tensor(norm.gamma), torch.tensor(norm.beta),
    )  # fmt: skip
    assert folded.norm is None
    assert_close(folded.weight.dense(), fused_w)
    assert_close(folded.bias, fused_bias)
    x = rng.normal(size=(5, inputs))
    z = F.linear(torch.tensor(x), torch.tensor(w * mask), torch.tensor(bias))
    theirs, _, _ = normalize(norm, torch.tensor(norm.gamma), torch.tensor(norm.beta), z, training=False)
    assert_close(folded(x), theirs)
