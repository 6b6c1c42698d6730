"""MagR: the proximal step against a search for the clipping limit and SLSQP, and its own objective as it falls."""

import re
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, minimize, minimize_scalar

from nncomp.calibration import calibrate
from nncomp.evidence import Evidence
from nncomp.formats import PerColumn, PerGroup, PerRow, PerTensor, Uniform
from nncomp.layerwise import gram
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.quantize import gptq, magr, round_to_nearest, shrink_largest
from nncomp.steps import FineTune, Preprocess, Prune, Quantize
from tests.steps.examples import DATA
from tests.strategies.weights import seeds

EPS = np.finfo(np.float64).eps


def layer(seed: int, rows: int = 3, inputs: int = 6, samples: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, inputs)), rng.standard_normal((samples, inputs)) @ rng.random((inputs, inputs))


def blocks(V: np.ndarray, per) -> list[np.ndarray]:  # type: ignore[no-untyped-def]
    """Views of what has a maximum of its own."""
    if per == PerTensor():
        return [V.reshape(-1)]
    if per == PerColumn():
        return [V[:, j] for j in range(V.shape[1])]
    size = V.shape[1] if per in (None, PerRow()) else per.group
    return [row[start : start + size] for row in V for start in range(0, V.shape[1], size)]


def objective(W: np.ndarray, W_new: np.ndarray, X: np.ndarray, alpha: float, per=None) -> float:  # type: ignore[no-untyped-def]
    largest = np.linalg.svd(X, compute_uv=False)[0]
    error = ((X @ (W - W_new).T / largest) ** 2).sum() / 2
    return float(error + alpha * sum(abs(v).max() for v in blocks(W_new, per)))


pers = st.sampled_from([None, PerRow(), PerTensor(), PerColumn(), PerGroup(2), PerGroup(4)])


@given(seeds, st.floats(0, 8), pers)
def test_the_proximal_step_is_the_best_clipping_and_nothing_nearby_is_better(seed: int, t: float, per) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    V = rng.standard_normal((3, 6)) * rng.integers(1, 4)
    for v, z in zip(blocks(V, per), blocks(shrink_largest(V, t, per), per)):

        def loss(x: np.ndarray, v: np.ndarray = v) -> float:
            return float(((x - v) ** 2).sum() / 2 + t * abs(x).max())

        # Whatever the limit, the nearest point to v below it is v clipped: one number to search for.
        search = minimize_scalar(
            lambda m, v=v, loss=loss: loss(np.clip(v, -m, m)), bounds=(0, abs(v).max()), method="bounded"
        )
        assert loss(z) <= search.fun + 64 * EPS * (1 + (v @ v))
        nearby = z + rng.standard_normal((20, len(v))) * 10.0 ** rng.integers(-6, 1, (20, 1))
        assert all(loss(z) <= loss(x) + 64 * EPS * (1 + v @ v) for x in nearby)
        np.testing.assert_allclose(abs(v - z).sum(), min(t, abs(v).sum()), atol=1e-13 * (1 + abs(v).sum()))


@pytest.mark.parametrize("seed", range(5))
def test_the_proximal_step_as_a_quadratic_program(seed: int) -> None:
    """Over z and a bound m on it: min ||z - v||^2 / 2 + t m, with -m <= z_j <= m."""
    v = np.random.default_rng(seed).standard_normal(5)
    A = np.block([[np.eye(5), -np.ones((5, 1))], [-np.eye(5), -np.ones((5, 1))]])
    found = minimize(
        lambda x: ((x[:5] - v) ** 2).sum() / 2 + 0.7 * x[5],
        np.append(0 * v, 1.0),
        jac=lambda x: np.append(x[:5] - v, 0.7),
        constraints=LinearConstraint(A, -np.inf, 0),
        method="SLSQP",
        options={"ftol": 1e-14},
    )
    np.testing.assert_allclose(shrink_largest(v[None], 0.7)[0], found.x[:5], atol=1e-6)


@given(seeds, st.sampled_from([1e-3, 1e-2, 0.1]), pers)
def test_ranges_shrink_and_the_objective_falls_at_every_step(seed: int, alpha: float, per) -> None:  # type: ignore[no-untyped-def]
    W, X = layer(seed)
    H = gram(X)
    values = [objective(W, W, X, alpha, per)]
    values += [objective(W, magr(W, H, alpha, per, n), X, alpha, per) for n in (1, 2, 3, 10, 50)]
    assert all(b <= a * (1 + 1e-12) for a, b in pairwise(values))
    new = magr(W, H, alpha, per)
    assert sum(abs(v).max() for v in blocks(new, per)) <= sum(abs(v).max() for v in blocks(W, per)) * (1 + 1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_in_the_end_it_is_the_solution_of_the_quadratic_program(seed: int) -> None:
    W, X = layer(seed, rows=1)
    w, alpha = W[0], 0.05
    A = np.block([[np.eye(6), -np.ones((6, 1))], [-np.eye(6), -np.ones((6, 1))]])
    Y = X / np.linalg.svd(X, compute_uv=False)[0]
    found = minimize(
        lambda x: ((Y @ (x[:6] - w)) ** 2).sum() / 2 + alpha * x[6],
        np.append(w, abs(w).max()),
        jac=lambda x: np.append(Y.T @ (Y @ (x[:6] - w)), alpha),
        constraints=LinearConstraint(A, -np.inf, 0),
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    ours = objective(W, magr(W, gram(X), alpha, steps=20000), X, alpha)
    np.testing.assert_allclose(ours, found.fun, rtol=1e-6)


def test_rounding_after_it_loses_less_of_the_outputs() -> None:
    """60 inputs that 20 numbers tell, 3 bits."""
    rng = np.random.default_rng(0)
    W, X = rng.standard_normal((30, 60)), rng.standard_normal((200, 20)) @ rng.standard_normal((20, 60))
    new = magr(W, gram(X), alpha=0.01)

    def lost(M: np.ndarray) -> float:
        codes, grid = round_to_nearest(M, Uniform(bits=3))
        return float(((X @ (W - grid.decode(codes)).T) ** 2).sum())

    assert abs(new).max(axis=1).mean() < 0.8 * abs(W).max(axis=1).mean()
    assert lost(new) < 0.6 * lost(W), lost(new) / lost(W)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (3, 3)])
def test_degenerate_layers(shape: tuple[int, int], dtype: type) -> None:
    n = shape[1]
    for W in (np.zeros(shape, dtype), np.ones(shape, dtype)):
        for H in (np.zeros((n, n)), np.eye(n), np.ones((n, n))):
            new = magr(W, H, alpha=0.01)
            assert new.shape == shape and new.dtype == dtype and np.isfinite(new).all() and (abs(new) <= abs(W)).all()
            assert (magr(W, H, alpha=0.0) == W).all() and not magr(W, H, alpha=1e3).any()


@pytest.fixture(scope="module")
def dense() -> MLP:
    return FineTune(epochs=5, batch=50, optimizer=Adam(rate=5e-3))(MLP.init([12, 16, 8, 4]), DATA)


def test_the_step_gives_each_layer_the_weights_of_the_function(dense: MLP) -> None:
    """On what the new layers before hand on; two bits then lose less."""
    new = Preprocess(partial(magr, alpha=0.01, per=PerGroup(4)))(dense, DATA)
    inputs = Evidence(new, DATA.train).X
    for before, x, after in zip(dense.layers, inputs, new.layers, strict=True):
        W = before.weight.dense()
        np.testing.assert_array_equal(after.weight.dense(), magr(W, gram(x), 0.01, PerGroup(4)))
        assert abs(after.weight.dense()).max() < abs(W).max() and after.bias is before.bias
    few, x = Preprocess(samples=20)(dense, DATA), DATA.train.x
    assert few.fingerprint() == Preprocess()(dense, replace(DATA, train=DATA.train.first(20))).fingerprint()
    rounded = [Quantize(Uniform(2), inputs=None)(network, DATA) for network in (new, dense)]
    lost = [((network(x) - dense(x)) ** 2).mean() for network in rounded]
    assert lost[0] < lost[1]


def test_what_the_step_refuses(dense: MLP) -> None:
    for make, message in (
        (lambda: Preprocess(gptq), "asks for 'grid'; it can be given W, w, X"),
        (lambda: Preprocess(lambda X: X), "takes no W"),
        (lambda: Preprocess(samples=0), "samples is a whole number of at least 1"),
        (lambda: Preprocess(lambda W: W[:1])(dense, DATA), r"layer 0: weights are finite float32 \(16, 12\)"),
        (lambda: Preprocess(lambda W: W * np.nan)(dense, DATA), "layer 0: weights are finite"),
        (lambda: Preprocess()(Prune(0.5)(dense, DATA), DATA), "dense floats are made ready, not Sparse: before"),
        (lambda: Preprocess()(Quantize()(dense, DATA), DATA), "not Quantized: before quantizing"),
        (lambda: Preprocess()(calibrate(dense, DATA.train.x, Uniform()), DATA), "not quantized inputs: before"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


one = np.ones((1, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: magr(one, np.eye(2)), "H is finite (in, in)"),
        (lambda: magr(one * np.nan, one), "weights are finite"),
        (lambda: magr(one, one, alpha=-1), "not -1 and 200"),
        (lambda: magr(one, one, steps=0), "at least 1 step, not 0.001 and 0"),
        (lambda: shrink_largest(one, np.nan), "not (1, 1) by nan"),
        (lambda: shrink_largest(one * np.inf, 1.0), "finite (rows, columns) are shrunk by t"),
        (lambda: shrink_largest(np.ones(3), 1.0), "not (3,) by 1.0"),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
