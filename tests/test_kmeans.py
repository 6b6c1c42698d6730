"""k-means in one dimension: the exact optimum by brute force, Lloyd's iterations below it never, SciPy's neither."""

from collections.abc import Callable
from itertools import combinations_with_replacement, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.vq import kmeans2
from sklearn.cluster import KMeans

from nncomp.kernels.segments import one_more_segment, one_more_segment_reference
from nncomp.quantize import (
    density,
    fisher_importance,
    hessian_importance,
    kmeans,
    kmeans_plus_plus,
    linear,
    optimal_kmeans,
    random,
)
from nncomp.quantize.centers import Init
from nncomp.quantize.clusters import Values, nearest

INITS = [linear, density, random, kmeans_plus_plus]
EPS = float(np.finfo(np.float64).eps)
BOTH = [kmeans, optimal_kmeans]
each_init = pytest.mark.parametrize("init", INITS, ids=lambda init: init.__name__)
each_method = pytest.mark.parametrize("method", BOTH, ids=lambda method: method.__name__)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def values(draw: st.DrawFn, largest: int = 40) -> np.ndarray:
    """Of any scale, or from a lattice, where many are equal and halfway between two others."""
    rng, n = np.random.default_rng(draw(seeds)), draw(st.integers(1, largest))
    if draw(st.booleans()):
        return rng.integers(-5, 6, n) / 4
    return rng.standard_normal(n) * 10.0 ** draw(st.integers(-200, 200))


@st.composite
def counted(draw: st.DrawFn, largest: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Values and what each counts for: all alike, a few times or not at all, or more than the others by far."""
    w = draw(values(largest))
    rng, kind = np.random.default_rng(draw(seeds)), draw(st.sampled_from(["alike", "times", "wide"]))
    h = {"alike": np.ones(w.size), "times": rng.integers(0, 4, w.size), "wide": 10.0 ** rng.uniform(-12, 12, w.size)}
    weights = h[kind].astype(np.float64)
    weights[0] += 1
    return w, weights


def loss(w: np.ndarray, h: np.ndarray, codebook: np.ndarray, indices: np.ndarray) -> float:
    """In units of the largest value, squared."""
    return float((h * ((w - codebook[indices]) / np.abs(w).max(initial=1e-300)) ** 2).sum())


def slack(w: np.ndarray, h: np.ndarray) -> float:
    """Rounding: of sums of n terms and of their differences, twice."""
    return 4 * (w.size + 4) * EPS * float(h.sum())


def brute_force(w: np.ndarray, h: np.ndarray, k: int, zero: bool = False) -> float:
    """The least loss of all cuts of the sorted values into k segments, each about its mean; or one of them about 0."""
    order, least = np.argsort(w), np.inf
    w, h = w[order] / np.abs(w).max(initial=1e-300), h[order]
    for cuts in combinations_with_replacement(range(w.size + 1), k - 1):
        costs, extra = 0.0, []
        for start, stop in pairwise((0, *cuts, w.size)):
            v, n = w[start:stop], h[start:stop]
            about_mean = float((n * (v - np.average(v, weights=n)) ** 2).sum()) if n.any() else 0.0
            costs += about_mean
            extra.append(float((n * v**2).sum()) - about_mean)
        least = min(least, costs + (min(extra) if zero else 0))
    return least


@given(counted(largest=8), st.integers(1, 4), st.booleans())
def test_the_optimum_is_that_of_all_partitions(case: tuple[np.ndarray, np.ndarray], k: int, zero: bool) -> None:
    w, h = case
    codebook, indices = optimal_kmeans(w, k, h, zero)
    assert codebook.shape == (k,) and (np.diff(codebook) >= 0).all() and (0 in codebook or not zero)
    assert abs(loss(w, h, codebook, indices) - brute_force(w, h, k, zero)) <= slack(w, h)


@each_init
@given(case=counted(), k=st.integers(1, 9), zero=st.booleans())
def test_lloyd_is_never_below_the_optimum(init: Init, case: tuple[np.ndarray, np.ndarray], k: int, zero: bool) -> None:
    w, h = case
    least = loss(w, h, *optimal_kmeans(w, k, h, zero))
    codebook, indices = kmeans(w, k, init, h, zero)
    assert codebook.shape == (k,) and (np.diff(codebook) >= 0).all() and (0 in codebook or not zero)
    assert loss(w, h, codebook, indices) >= least - slack(w, h)
    if not zero:
        assert least <= loss(w, h, *optimal_kmeans(w, k, h, zero=True)) + slack(w, h)


@each_init
@given(case=counted(), k=st.integers(1, 9), zero=st.booleans())
def test_no_step_makes_it_worse_and_the_last_moves_nothing(
    init: Init, case: tuple[np.ndarray, np.ndarray], k: int, zero: bool
) -> None:
    w, h = case
    losses = [loss(w, h, *kmeans(w, k, init, h, zero, steps)) for steps in range(12)]
    for before, after in pairwise(losses):
        assert after <= before + slack(w, h)
    codebook, indices = kmeans(w, k, init, h, zero)
    for c in range(k):
        own = (indices == c) & (h > 0)
        if own.any() and not (zero and codebook[c] == 0):
            largest = np.abs(w).max()
            assert abs(np.average(w[own], weights=h[own]) - codebook[c]) <= (w.size + 4) * EPS * largest


@each_method
@given(w=values(), k=st.integers(1, 9))
def test_every_value_has_its_nearest_center(method: Callable, w: np.ndarray, k: int) -> None:
    codebook, indices = method(w, k)
    distance = np.abs(w[:, None] - codebook)
    assert (distance[np.arange(w.size), indices] <= distance.min(axis=1) + 2 * EPS * np.abs(w).max()).all()


@each_method
@given(w=values(), times=seeds, k=st.integers(1, 9), zero=st.booleans())
def test_whole_weights_are_repetition(method: Callable, w: np.ndarray, times: int, k: int, zero: bool) -> None:
    n = np.random.default_rng(times).integers(0, 5, w.size)
    n[0] += 1
    codebook, indices = method(w, k, weights=n, zero=zero)
    again, repeated = method(np.repeat(w, n), k, zero=zero)
    np.testing.assert_array_equal(codebook, again)
    np.testing.assert_array_equal(np.repeat(indices, n), repeated)


@each_init
@given(w=values(), seed=seeds, k=st.integers(1, 9), exponent=st.integers(-30, 30))
def test_order_scale_and_shape_do_not_matter(init: Init, w: np.ndarray, seed: int, k: int, exponent: int) -> None:
    order = np.random.default_rng(seed).permutation(w.size)
    for method in (lambda w: kmeans(w, k, init), lambda w: optimal_kmeans(w, k)):
        codebook, indices = method(w)
        again, moved = method(np.ldexp(w[order], exponent)[None])
        np.testing.assert_array_equal(again, np.ldexp(codebook, exponent))
        np.testing.assert_array_equal(moved[0], indices[order])


@each_init
@given(w=values(), k=st.integers(1, 12))
def test_where_it_begins(init: Init, w: np.ndarray, k: int) -> None:
    v, h, _ = Values.of(w)
    c = init(v, h, k)
    assert 1 <= c.size <= k and v[0] <= c.min() and c.max() <= v[-1]
    if init is linear:
        np.testing.assert_allclose(np.diff(c), (v[-1] - v[0]) / max(k - 1, 1), atol=8 * EPS)
    else:
        assert np.isin(c, v).all()
    if init in (random, kmeans_plus_plus):
        assert np.unique(c).size == c.size == min(k, v.size), "none twice"
        assert (init(v, h, k, seed=0) == c).all()  # type: ignore[call-arg]


def test_what_counts_more_is_drawn_more_often() -> None:
    """By chance of 9 in 10; and k-means++ then takes what is far: 81 in 82, for 1 and 9 count alike."""
    v, h = np.array([0.0, 1.0, 9.0]), np.array([18.0, 1.0, 1.0])
    for init in (random, kmeans_plus_plus):
        first = [float(init(v, h, 1, seed=seed)[0]) for seed in range(2000)]
        assert abs(np.mean(np.equal(first, 0)) - 0.9) < 5 * np.sqrt(0.09 / 2000)
    pairs = [kmeans_plus_plus(v, h, 2, seed=seed) for seed in range(2000)]
    far = [9 in pair for pair in pairs if 0 in pair]
    assert abs(np.mean(far) - 81 / 82) < 0.02
    pairs = [kmeans_plus_plus(v, np.array([1e6, 81.0, 1.0]), 2, seed=seed) for seed in range(2000)]
    assert abs(np.mean([9 in pair for pair in pairs]) - 0.5) < 5 * 0.5 / np.sqrt(2000), "81 times nearer counts as much"


def test_steps_of_the_cumulative_distribution() -> None:
    assert density(np.arange(8.0), np.ones(8), 4).tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize("k", [2, 5, 16])
@pytest.mark.parametrize("seed", range(3))
def test_scipy_and_scikit_learn_are_never_better(k: int, seed: int) -> None:
    w = np.random.default_rng(seed).standard_normal(400)
    least = loss(w, np.ones(400), *optimal_kmeans(w, k))
    centers, _ = kmeans2(w, k, minit="++", rng=seed)
    fitted = KMeans(k, n_init=20, random_state=seed, tol=0).fit(w[:, None])
    for c in (np.sort(centers), np.sort(fitted.cluster_centers_[:, 0])):
        assert loss(w, np.ones(400), c, nearest(w, c)) >= least - slack(w, np.ones(400))
    if k == 2:
        np.testing.assert_allclose(fitted.inertia_ / np.abs(w).max() ** 2, least, rtol=1e-9)


@pytest.mark.parametrize("k", [2, 5, 16])
def test_scikit_learns_iterations_from_the_same_start_end_alike(k: int) -> None:
    rng = np.random.default_rng(k)
    w, h = rng.standard_normal(300), rng.random(300)
    start = np.linspace(w.min(), w.max(), k)[:, None]
    fitted = KMeans(k, init=start, n_init=1, tol=0, max_iter=1000).fit(w[:, None], sample_weight=h)
    codebook, indices = kmeans(w, k, weights=h)
    np.testing.assert_allclose(codebook, np.sort(fitted.cluster_centers_[:, 0]), atol=1e-12)
    np.testing.assert_array_equal(codebook[indices].round(9), fitted.cluster_centers_[fitted.labels_, 0].round(9))


@given(counted(), st.integers(1, 3))
def test_the_kernel_is_its_reference(case: tuple[np.ndarray, np.ndarray], layers: int) -> None:
    v, h, _ = Values.of(*case)
    H, S, Q = (np.append(0, np.cumsum(a)) for a in (h, h * v, h * v**2))
    best = np.append(0.0, np.full(v.size, np.inf))
    for _ in range(layers):
        new, last = one_more_segment(best, H, S, Q)
        expected, _ = one_more_segment_reference(best, H, S, Q)
        np.testing.assert_allclose(new, expected, rtol=0, atol=8 * EPS * Q[-1])
        assert last.dtype == np.int32 and (np.diff(last) >= 0).all() and (last <= np.arange(last.size)).all()
        best = new


@each_method
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_degenerate_values(method: Callable, dtype: type) -> None:
    def share(w: list[float], k: int, **options: object) -> tuple[list[float], list[int]]:
        codebook, indices = method(np.array(w, dtype), k, **options)
        assert codebook.dtype == dtype and indices.dtype == np.uint8
        return codebook.tolist(), indices.tolist()

    assert share([3.0], 1) == ([3], [0]) and share([3.0], 4) == ([3, 3, 3, 3], [0])
    assert share([0.0, -0.0], 2) == ([0, 0], [0, 0])
    assert share([5.0, 5.0], 1, zero=True) == ([0], [0, 0])
    assert share([5.0, 5.0], 2, zero=True) == ([0, 5], [1, 1])
    assert share([-5.0, 5.0], 2, zero=True) in (([0, 5], [0, 1]), ([-5, 0], [0, 1]))
    assert share([0.0, 1.0, 2.0, 9.0], 2, weights=np.array([1, 0, 1, 0])) == ([0, 2], [0, 0, 1, 1]), "a tie goes down"
    assert share([1.0, 9.0], 1, weights=np.array([True, False])) == ([1], [0, 0])
    assert share([2.0, 2.0, 7.0], 3)[0][::2] == [2, 7]
    assert share([0.5, 0.75], 3, weights=np.array([2, 1]), zero=True) == ([0, 0.5, 0.75], [1, 2])
    largest = float(np.finfo(dtype).max)
    assert share([-largest, largest], 2) == ([-largest, largest], [0, 1])
    codebook, indices = method(np.linspace(0, 1, 600, dtype=dtype), 300)
    assert indices.dtype == np.uint16 and codebook.shape == (300,) and indices.max() == 299


def test_deep_compressions_figure_3() -> None:
    w = np.array(
        [[2.09, -0.98, 1.48, 0.09], [0.05, -0.14, -1.08, 2.12], [-0.91, 1.92, 0, -1.03], [1.87, 0, 1.53, 1.49]]
    )
    for codebook, indices in (kmeans(w, 4), optimal_kmeans(w, 4)):
        np.testing.assert_allclose(codebook, [-1.00, 0.00, 1.50, 2.00], atol=1e-12)
        assert indices.tolist() == [[3, 0, 2, 1], [1, 1, 0, 3], [0, 3, 1, 0], [3, 1, 2, 2]]


def test_from_the_optimum_of_many_values_lloyd_goes_nowhere() -> None:
    rng = np.random.default_rng(0)
    w, h = rng.standard_normal(100_000).astype(np.float32), rng.random(100_000)
    codebook, indices = optimal_kmeans(w, 16, h)
    again, _ = kmeans(w, 16, lambda v, h, k: codebook.astype(np.float64) / 2.0 ** int(np.frexp(np.abs(w).max())[1]), h)
    np.testing.assert_allclose(again, codebook, rtol=1e-6)
    assert loss(w, h, codebook, indices) < min(loss(w, h, *kmeans(w, 16, init, h)) for init in INITS)


def test_of_equal_centers_the_first_has_all() -> None:
    assert nearest(np.array([0.5, 1.0, 2.0, 9.0]), np.array([1.0, 1.0, 8.0, 8.0])).tolist() == [0, 0, 0, 2]


def test_importance_is_never_negative() -> None:
    h = np.array([[0.5, -3.0, 0.0]])
    assert hessian_importance(h).tolist() == [[0.5, 0, 0]] and fisher_importance(h[:, :1]).tolist() == [[0.5]]
    W = np.array([[0.0, 1.0, 2.0]])
    assert kmeans(W, 1, weights=hessian_importance(h))[0].tolist() == [0]


@each_method
@pytest.mark.parametrize(
    ("w", "k", "options", "message"),
    [
        ([np.nan], 1, {}, r"finite floats, at least one, not float64 of shape \(1,\)"),
        ([np.inf, 0], 1, {}, "finite floats"),
        ([], 1, {}, r"not float64 of shape \(0,\)"),
        ([1.0], 0, {}, "1 to 65536 values are shared, not 0"),
        ([1.0], 65537, {}, "not 65537"),
        ([1.0], 2.0, {}, "not 2.0"),
        ([1.0, 2.0], 1, {"weights": np.ones(3)}, r"values \(2,\) count for .* not for \(3,\)"),
        ([1.0, 2.0], 1, {"weights": np.array([1, -1])}, "from -1.0 to 1.0"),
        ([1.0, 2.0], 1, {"weights": np.zeros(2)}, "not all of them"),
        ([1.0, 2.0], 1, {"weights": np.array([1, np.nan])}, "finite weights"),
    ],
)
def test_bad_input_gets_one_clear_error(method: Callable, w: list, k: int, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        method(np.array(w, np.float64), k, **options)


@pytest.mark.parametrize("start", [np.zeros(0), np.zeros(3), np.zeros((1, 1)), np.array([np.nan])])
def test_a_start_that_is_none(start: np.ndarray) -> None:
    with pytest.raises(ValueError, match="k-means begins at 1 to 2 finite centers"):
        kmeans(np.array([1.0, 2.0]), 2, lambda v, h, k: start)
    with pytest.raises(ValueError, match="finite floats, at least one, not int64"):
        kmeans(np.array([1, 2]), 2)
