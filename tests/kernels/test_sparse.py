"""Masked products of floats: within the bound of their sums, absent weights nowhere."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.kernels.pattern import Pattern, sparse_pack
from nncomp.kernels.simd.path import LANES
from nncomp.kernels.sparse import (
    masked_input_grad,
    masked_input_grad_reference,
    masked_matmul,
    masked_matmul_reference,
)
from nncomp.kernels.threads import limit_threads
from nncomp.kernels.weight_grad import masked_weight_grad, masked_weight_grad_reference
from tests.oracles import (
    Pairs,
    assert_sums,
    masked_input_grad_pairs,
    masked_matmul_pairs,
    masked_weight_grad_pairs,
    unchanged,
)
from tests.strategies.arrays import FLOATS, LAYOUTS, Rows, compressed, float_layers

each_float = pytest.mark.parametrize("dtype", FLOATS)
Layer = tuple[np.ndarray, Rows, np.ndarray]


def packed_matmul(x: np.ndarray, values: np.ndarray, pattern: Pattern) -> np.ndarray:
    return masked_matmul(x, sparse_pack(values, pattern))


def of_rows(function: Callable) -> Callable:
    """The function of two arrays and plain compressed rows, as the oracles are."""

    def call(first: np.ndarray, second: np.ndarray, *rows: object) -> np.ndarray:
        return function(first, second, Pattern(*rows))  # type: ignore[arg-type]

    call.__name__ = function.__name__
    return call


def products(layer: Layer):  # type: ignore[no-untyped-def]
    """`(kernel, reference, oracle, arguments, shape)` of the layer's three products."""
    x, (values, *rows), dy = layer
    three = [
        (packed_matmul, masked_matmul_reference, masked_matmul_pairs, (x, values, *rows), dy.shape),
        (masked_input_grad, masked_input_grad_reference, masked_input_grad_pairs, (dy, values, *rows), x.shape),
        (masked_weight_grad, masked_weight_grad_reference, masked_weight_grad_pairs, (x, dy, *rows), values.shape),
    ]
    return [(of_rows(kernel), of_rows(reference), *rest) for kernel, reference, *rest in three]


def assert_within_bounds(layer: Layer) -> None:
    for kernel, reference, oracle, args, shape in products(layer):
        expected: list[list[Pairs]] = oracle(*args)
        for function in (kernel, reference):
            result = unchanged(function, *args)
            assert (result.dtype, result.shape) == (layer[0].dtype, shape), function.__name__
            assert_sums(result, expected)


def random_layer(dtype: type, batch: int, inputs: int, out: int, columns: type, density: float) -> Layer:
    rng = np.random.default_rng(batch)
    mask = rng.random((out, inputs)) < density
    mask[:, -1] = True
    mask[1:2] = False
    values = rng.standard_normal(int(mask.sum())).astype(dtype)
    x, dy = (rng.standard_normal((batch, n)).astype(dtype) for n in (inputs, out))
    return x, compressed(mask, values, columns), dy


def rounded(layer: Layer) -> Layer:
    """Small integers, with which every order of summation is exact."""
    x, rows, dy = layer
    return np.round(8 * x), rows._replace(values=np.round(8 * rows.values)), np.round(8 * dy)


def assert_equal_references(layer: Layer) -> None:
    for kernel, reference, _, args, _ in products(rounded(layer)):
        np.testing.assert_array_equal(unchanged(kernel, *args), reference(*args), err_msg=kernel.__name__)


@each_float
@given(st.data())
def test_floats_equal_loops_within_rounding(dtype: type, data: st.DataObject) -> None:
    assert_within_bounds(data.draw(float_layers(dtype)))


@each_float
@pytest.mark.parametrize(
    ("batch", "inputs", "columns", "density"),
    [(0, 5, np.uint8, 0.5), (33, 40, np.uint8, 0.5), (130, 9, np.uint32, 1.0), (7, 256, np.uint8, 0.2),
     (2, 2**16, np.uint16, 0.001), (1, 2**16 + 1, np.uint32, 0.001)],
)  # fmt: skip
def test_vector_loops_and_the_last_column(dtype: type, batch: int, inputs: int, columns: type, density: float) -> None:
    """Batches long enough for the vector loops and their tails; columns up to the largest that their dtype holds."""
    layer = random_layer(dtype, batch, inputs, 4, columns, density)
    if inputs < 2**16:
        assert_within_bounds(layer)
    assert_equal_references(layer)


@each_float
def test_every_tail(dtype: type, large: int) -> None:
    """Each length around that of a register or a panel has a tail of its own, in the batch and on both sides."""
    most = 9 * LANES + 2 if large > 40 else 9
    for batch in range(most):
        assert_equal_references(random_layer(dtype, batch, 5, 3, np.uint8, 0.5))
    for side in range(1, 2 * LANES + 2):
        for batch in (1, 3):
            assert_equal_references(random_layer(dtype, batch, side, 3, np.uint8, 0.5))
            assert_equal_references(random_layer(dtype, batch, 5, side, np.uint8, 0.5))


@each_float
@pytest.mark.parametrize(("inputs", "density"), [(200, 0.5), (300, 0.12), (4200, 0.01)])
def test_columns_in_blocks(dtype: type, inputs: int, density: float, large: int) -> None:
    """Blocks of 64, 128 and 2048 columns, the last one shorter, on both sides; the batch in panels of every width."""
    for batch in (1, 2, LANES + 1, 5 * LANES) if large > 40 else (1, 2):
        x, rows, dy = random_layer(dtype, batch, inputs, 7, np.uint16, density)
        assert_equal_references((x, rows, dy))
    mask = np.zeros((7, inputs), bool)
    mask[np.repeat(np.arange(7), np.diff(rows.row_start)), rows.columns] = True
    turned = compressed(mask.T, rows.values)
    assert_equal_references((dy, turned, x))


@each_float
def test_nan_and_infinity_spread_through_kept_weights_only(dtype: type) -> None:
    """Integers elsewhere, so that all that is finite is exact; some kept weights are 0, and 0 times infinity is NaN."""
    rng = np.random.default_rng(0)
    x, rows, dy = random_layer(dtype, 37, 12, 6, np.uint8, 0.4)
    rows = rows._replace(values=rng.integers(-2, 3, rows.values.size).astype(dtype))
    x, dy = (rng.integers(-3, 4, a.shape).astype(dtype) for a in (x, dy))
    for a in (x, dy):  # in few places: a gradient sums the whole batch, and some sums are to stay finite
        for special in (np.nan, np.inf, -np.inf):
            a.reshape(-1)[rng.choice(a.size, 2, replace=False)] = special
    with np.errstate(invalid="ignore"):
        for kernel, reference, oracle, args, shape in products((x, rows, dy)):
            loops = np.array([sum(float(p * q) for p, q in pairs) for row in oracle(*args) for pairs in row])
            for function in (kernel, reference):
                np.testing.assert_array_equal(function(*args), loops.reshape(shape), err_msg=function.__name__)
            assert np.isnan(loops).any() and np.isinf(loops).any() and np.isfinite(loops).any()


@each_float
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(dtype: type, layout) -> None:  # type: ignore[no-untyped-def]
    x, rows, dy = layer = random_layer(dtype, 5, 9, 4, np.uint8, 0.5)
    other = layout(x), Rows(*map(layout, rows[:3]), rows.inputs), layout(dy)
    for (kernel, _, _, args, _), (*_, others, _) in zip(products(layer), products(other)):
        np.testing.assert_array_equal(unchanged(kernel, *others), kernel(*args))


def test_the_same_bits_on_every_number_of_threads(large: int) -> None:
    layer = random_layer(np.float32, 300 if large > 40 else 7, large, 501 if large > 40 else 11, np.uint16, 0.4)
    for kernel, _, _, args, _ in products(layer):
        results = []
        for threads in (1, 2, 3, 8):
            with limit_threads(threads):
                results.append(kernel(*args).tobytes())
        assert len(set(results)) == 1, kernel.__name__


@given(st.lists(st.integers(0, 60), max_size=4), st.sampled_from([np.uint8, np.uint16, np.uint32]))
def test_rows_of_unsigned_starts(lengths: list[int], dtype: type) -> None:
    """Rows may begin at unsigned positions, whose differences must not wrap."""
    start = np.cumsum([0, *lengths]).astype(dtype)
    pattern = Pattern(np.zeros(int(start[-1]), np.uint8), start, inputs=1)
    assert pattern.rows.tolist() == [row for row, length in enumerate(lengths) for _ in range(length)]
    assert pattern.lists.start.tolist() == start.tolist() and pattern.lists.start.dtype == np.int64
