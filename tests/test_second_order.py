"""Rounding that looks at the layer's outputs: identities between the methods, textbook loops, and all codes tried."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.formats import Grid, PerGroup, PerRow, Uniform
from nncomp.layerwise import damped, gram, inverse_without, row_losses
from nncomp.quantize import (
    Incoherent,
    adaround,
    coordinate_descent,
    gptq,
    k_best,
    ldlq,
    nearest_plane,
    obq,
    round_to_nearest,
)
from nncomp.quantize.nearest import fit_grid
from tests.strategies.weights import granularities, seeds, uniforms


def quick(W: np.ndarray, H: np.ndarray, grid: Grid, damp: float = 0.01) -> np.ndarray:
    return adaround(W, H, grid, steps=150, damp=damp)


METHODS: list[Callable[..., np.ndarray]] = [gptq, ldlq, obq, nearest_plane, k_best, coordinate_descent, quick]
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)


def layer(seed: int, rows: int = 3, inputs: int = 6, samples: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Weights, and H of correlated inputs of full rank."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((samples, inputs)) @ rng.random((inputs, inputs))
    return rng.standard_normal((rows, inputs)), gram(X)


def fitted(W: np.ndarray, bits: int = 3, group: int | None = None, symmetric: bool = True) -> Grid:
    return fit_grid(W, Uniform(bits, symmetric=symmetric), PerRow() if group is None else PerGroup(group))


def nearest(w: float, grid: Grid, i: int, j: int) -> tuple[int, float]:
    """The code of one weight, and what it stands for."""
    row, block = i if len(grid.scale) > 1 else 0, 0 if grid.group is None else j // grid.group
    s, z = float(grid.scale[row, block]), int(grid.zeros[row, block])
    q = min(max(round(w / s) + z, grid.format.qmin), grid.format.qmax)
    return q, (q - z) * s


@each_method
def test_any_layout_and_any_scale_of_the_inputs_gives_the_same(method) -> None:  # type: ignore[no-untyped-def]
    W, H = layer(5, inputs=9)
    H[3] = H[:, 3] = 0
    grid = fitted(W, 3)
    q = method(W, H, grid)
    for same in (np.asfortranarray(W), W[::-1].copy()[::-1], np.repeat(W, 2, axis=1)[:, ::2]):
        same.flags.writeable = False
        np.testing.assert_array_equal(method(same, H, grid), q)
    np.testing.assert_array_equal(method(W, H * 2.0**-20, grid), q)


@pytest.mark.parametrize("method", [gptq, ldlq, obq, nearest_plane, k_best], ids=lambda method: method.__name__)
@pytest.mark.parametrize("damp", [0.0, 1e-18])
def test_a_singular_hessian_asks_for_damping(method, damp: float) -> None:  # type: ignore[no-untyped-def]
    W, H = layer(0, samples=3)
    with pytest.raises(ValueError, match="is singular: it needs damping"):
        method(W, H, fitted(W), damp=damp)


@each_method
@given(seeds, uniforms, granularities)
def test_where_inputs_are_independent_it_is_rounding(method, seed: int, format: Uniform, per) -> None:  # type: ignore[no-untyped-def]
    W, H = layer(seed)
    H = np.diag(np.diag(H))
    codes, grid = round_to_nearest(W, format, per)
    np.testing.assert_array_equal(method(W, H, grid), codes)


@each_method
@given(seeds, uniforms, granularities, st.booleans())
def test_codes_are_codes_whatever_the_grid(method, seed: int, format: Uniform, per, dead: bool) -> None:  # type: ignore[no-untyped-def]
    """And an input that is always 0 changes nothing of the others."""
    W, H = layer(seed)
    if dead:
        H[2] = H[:, 2] = 0
    grid = fit_grid(W, format, per)
    q = method(W, H, grid)
    assert q.dtype == format.dtype and q.shape == W.shape and format.qmin <= q.min() <= q.max() <= format.qmax
    if dead:
        np.testing.assert_array_equal(q[:, 2], grid.encode(W)[:, 2])


@given(seeds, st.integers(2, 5), st.booleans(), st.sampled_from([None, 1, 2, 4]))
def test_ldlq_is_gptq_from_left_to_right(seed: int, bits: int, symmetric: bool, group: int | None) -> None:
    W, H = layer(seed, inputs=9)
    grid = fitted(W, bits, group, symmetric)
    np.testing.assert_array_equal(ldlq(W, H, grid), gptq(W, H, grid, order=False))


@given(seeds, st.integers(2, 5), st.booleans())
def test_gptq_back_to_front_is_babai_s_nearest_plane(seed: int, bits: int, order: bool) -> None:
    W, H = layer(seed, inputs=40, samples=80)  # more than one block
    grid = fitted(W, bits)
    backwards = gptq(W[:, ::-1], H[::-1, ::-1], grid, order=order)[:, ::-1]
    np.testing.assert_array_equal(nearest_plane(W, H, grid, order=order), backwards)


@given(seeds, st.sampled_from([1, 2, 3, 128]), st.booleans())
def test_gptq_is_a_loop_of_the_optimal_brain_surgeon(seed: int, block: int, order: bool) -> None:
    """Each weight in turn is rounded, and the others make up for it by the inverse of what is left."""
    W, H = layer(seed)
    grid = fitted(W, 3, group=2, symmetric=False)
    columns = sorted(range(6), key=lambda j: -H[j, j]) if order else range(6)
    found = gptq(W, H, grid, order, block)
    for i, row in enumerate(W):
        w, H_inv = row.copy(), np.linalg.inv(damped(H, 0.01))
        for j in columns:
            q, value = nearest(w[j], grid, i, j)
            w -= (w[j] - value) / H_inv[j, j] * H_inv[:, j]
            H_inv = inverse_without(H_inv, j)
            assert found[i, j] == q


@given(seeds, st.integers(2, 4))
def test_obq_is_a_loop_of_the_greedy(seed: int, bits: int) -> None:
    """Until it is too small to matter: the grid is of half the range, so that some weights lie beyond it."""
    W, H = layer(seed, inputs=12, samples=30)
    grid = fitted(W / 2, bits)
    found = obq(W, H, grid)
    for i, row in enumerate(W):
        w, H_inv, left = row.copy(), np.linalg.inv(damped(H, 0.01)), list(range(12))
        while left:
            off = {j: abs(w[j] - nearest(w[j], grid, i, j)[1]) for j in left}
            far = [j for j in left if off[j] > grid.scale[i, 0] / 2 * (1 + 1e-6)]
            p = max(far, key=off.get) if far else min(left, key=lambda j: off[j] ** 2 / H_inv[j, j])  # type: ignore[arg-type]
            q, value = nearest(w[p], grid, i, p)
            assert found[i, p] == q
            w -= (w[p] - value) / H_inv[p, p] * H_inv[:, p]
            H_inv = inverse_without(H_inv, p)
            left.remove(p)


def losses(W: np.ndarray, q: np.ndarray, grid: Grid, H: np.ndarray) -> np.ndarray:
    return row_losses(W, grid.decode(q), damped(H, 0.01))


def optimum(W: np.ndarray, grid: Grid, H: np.ndarray) -> np.ndarray:
    """The least loss of each row over all codes."""
    alls = np.array(list(itertools.product(range(grid.format.qmin, grid.format.qmax + 1), repeat=W.shape[1])))
    return np.array([
        row_losses(np.broadcast_to(w, alls.shape), Grid(grid.format, s[None]).decode(alls), damped(H, 0.01)).min()
        for w, s in zip(W, grid.scale)
    ])  # fmt: skip


@given(seeds)
def test_k_best_of_all_is_the_true_optimum(seed: int) -> None:
    W, H = layer(seed, inputs=5)
    grid = fitted(W, 2)
    np.testing.assert_allclose(losses(W, k_best(W, H, grid, K=4**5), grid, H), optimum(W, grid, H), rtol=1e-9)


def k_best_loop(w: np.ndarray, H: np.ndarray, grid: Grid, i: int, K: int) -> float:
    """The loss of the best row of K that go on, one column after the other from the last, beginnings as lists."""
    R, going_on = np.linalg.cholesky(H).T, [(0.0, [0.0] * len(w))]
    every = [
        (q - int(grid.zeros[i, 0])) * float(grid.scale[i, 0]) for q in range(grid.format.qmin, grid.format.qmax + 1)
    ]
    for j in reversed(range(len(w))):
        each = []
        for cost, off in going_on:
            c = w[j] + sum(R[j, k] * off[k] for k in range(j + 1, len(w))) / R[j, j]
            for value in sorted(every, key=lambda v: abs(c - v))[:K]:
                each.append((cost + R[j, j] ** 2 * (c - value) ** 2, [*off[:j], w[j] - value, *off[j + 1 :]]))
        going_on = sorted(each)[:K]
    return going_on[0][0]


@settings(max_examples=10)
@given(seeds, st.integers(2, 4), st.integers(2, 3))
def test_k_best_is_its_loop(seed: int, K: int, bits: int) -> None:
    W, H = layer(seed, rows=2, inputs=70, samples=100)  # three blocks
    grid = fitted(W, bits, symmetric=False)
    q = k_best(W, H, grid, K, order=False)
    loops = [min(k_best_loop(w, damped(H, 0.01), grid, i, k) for k in (1, K)) for i, w in enumerate(W)]
    np.testing.assert_allclose(losses(W, q, grid, H), loops, rtol=1e-9)


def test_gaps_to_the_true_optimum() -> None:
    """Over a hundred rows of six weights of two bits; by what factor the sum of losses is above the least."""
    found = dict.fromkeys([*METHODS, round_to_nearest], 0.0)
    least = 0.0
    for seed in range(50):
        W, H = layer(seed, rows=2)
        grid = fitted(W, 2)
        least += optimum(W, grid, H).sum()
        for method in METHODS:
            found[method] += losses(W, method(W, H, grid), grid, H).sum()
        found[round_to_nearest] += losses(W, grid.encode(W), grid, H).sum()
    gaps = {method.__name__: total / least for method, total in found.items()}
    assert gaps["k_best"] < 1.05 and all(gap >= 1 for gap in gaps.values()), gaps
    assert max(gaps.values()) == gaps["round_to_nearest"] and gaps["gptq"] < gaps["round_to_nearest"] / 2, gaps


@given(seeds, st.integers(2, 6), st.booleans())
def test_what_never_loses_to_rounding(seed: int, bits: int, symmetric: bool) -> None:
    W, H = layer(seed)
    grid = fitted(W, bits, symmetric=symmetric)
    start = gptq(W, H, grid)
    by_start = losses(W, start, grid, H) * (1 + 1e-9)
    by_rounding = losses(W, grid.encode(W), grid, H) * (1 + 1e-9)
    assert (losses(W, coordinate_descent(W, H, grid), grid, H) <= by_rounding).all()
    assert (losses(W, coordinate_descent(W, H, grid, start), grid, H) <= by_start).all()
    assert (losses(W, quick(W, H, grid), grid, H) <= by_rounding).all()
    assert (losses(W, k_best(W, H, grid, K=3), grid, H) <= by_start).all(), "order by activation: GPTQ's is K = 1"


@given(seeds, st.integers(2, 4))
def test_descent_ends_where_no_single_code_is_better(seed: int, bits: int) -> None:
    W, H = layer(seed)
    grid = fitted(W, bits)
    q = coordinate_descent(W, H, grid, sweeps=100)
    here = losses(W, q, grid, H)
    for j in range(W.shape[1]):
        for code in range(grid.format.qmin, grid.format.qmax + 1):
            other = q.copy()
            other[:, j] = code
            assert (losses(W, other, grid, H) >= here * (1 - 1e-9)).all()


@given(seeds)
def test_adaround_goes_up_or_down(seed: int) -> None:
    W, H = layer(seed)
    grid = fitted(W, 3, symmetric=False)
    q, at = quick(W, H, grid).astype(int), W / grid.scale + grid.zeros
    low, high = np.clip(np.floor(at), 0 - 4, 3), np.clip(np.floor(at) + 1, 0 - 4, 3)
    assert ((q == low) | (q == high)).all()


@given(seeds, st.integers(1, 12), st.integers(1, 12))
def test_incoherence_changes_no_loss(seed: int, rows: int, inputs: int) -> None:
    W, H = layer(seed, rows, inputs)
    turned = Incoherent.of(W, H, seed)
    np.testing.assert_allclose(turned.U @ turned.U.T, np.eye(rows), atol=1e-12)
    np.testing.assert_allclose(turned.V @ turned.V.T, np.eye(inputs), atol=1e-12)
    D = np.random.default_rng(seed).standard_normal(W.shape)
    E = turned.U @ D @ turned.V.T
    np.testing.assert_allclose(np.trace(E @ turned.H @ E.T), np.trace(D @ H @ D.T), rtol=1e-9)
    np.testing.assert_allclose(turned.back(turned.W), W, atol=1e-12)
    again = Incoherent.of(W, H, seed)
    assert again.W.tobytes() == turned.W.tobytes()


def test_incoherence_spreads_what_is_large() -> None:
    W = np.zeros((64, 100), np.float32)
    W[3, 5] = 1.0
    turned = Incoherent.of(W, np.eye(100), seed=0)
    assert np.abs(turned.W).max() < 0.3 and turned.W.dtype == np.float32
    assert np.linalg.norm(turned.W) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda W, H, g: gptq(W, H, g, block=0), "at least 1 column, not 0"),
        (lambda W, H, g: gptq(W[:, :3], H, g), r"H is finite \(in, in\) for weights .* = \(3, 3\)"),
        (lambda W, H, g: ldlq(W * np.nan, H, g), "weights are finite"),
        (lambda W, H, g: obq(W, H, Grid(Uniform(), np.ones((2, 1)))), r"\(3, 6\) does not fit scales \(2, 1\)"),
        (lambda W, H, g: k_best(W, H, g, K=0), "at least 1 beginning goes on, not 0"),
        (lambda W, H, g: nearest_plane(W, -H, g), "no sum of inputs' products"),
        (lambda W, H, g: coordinate_descent(W, H, g, sweeps=-1), "at least 0, not -1"),
        (lambda W, H, g: coordinate_descent(W, H, g, np.full(W.shape, 100, np.int8)), "codes from 100 to 100 leave"),
        (lambda W, H, g: coordinate_descent(W, H, g, W), "the start: codes are int8 .3, 6., not float64"),
        (lambda W, H, g: adaround(W, H, g, steps=0), "at least 1 step"),
        (lambda W, H, g: adaround(W, H, g, lam=np.nan), "lam at least 0"),
        (lambda W, H, g: gptq(W, H, g, damp=-1.0), "at least 0, not -1"),
        (lambda W, H, g: Incoherent.of(W, H[:2, :2], 0), "H is finite"),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    W, H = layer(0)
    with pytest.raises(ValueError, match=message):
        call(W, H, fitted(W))
