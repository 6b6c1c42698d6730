"""Masked products: floats within the bound of their sums, integers exactly, absent weights nowhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.kernels.pack import LARGEST_K
from nncomp.kernels.sparse import (
    masked_input_grad,
    masked_input_grad_reference,
    masked_matmul,
    masked_matmul_reference,
    masked_weight_grad,
    masked_weight_grad_reference,
    row_lengths,
    sparse_int8_matmul,
    sparse_int8_matmul_reference,
)
from tests.oracles import (
    Pairs,
    assert_sums,
    masked_codes_loops,
    masked_input_grad_pairs,
    masked_matmul_pairs,
    masked_weight_grad_pairs,
    unchanged,
)
from tests.strategies.arrays import CODES, FLOATS, LAYOUTS, UNSIGNED, Rows, code_layers, compressed, float_layers

each_float = pytest.mark.parametrize("dtype", FLOATS)
Layer = tuple[np.ndarray, Rows, np.ndarray]


def products(layer: Layer):  # type: ignore[no-untyped-def]
    """`(kernel, reference, oracle, arguments, shape)` of the layer's three products."""
    x, rows, dy = layer
    values, columns, row_start, _ = rows
    pattern = columns, row_start
    return [
        (masked_matmul, masked_matmul_reference, masked_matmul_pairs, (x, values, *pattern), dy.shape),
        (masked_input_grad, masked_input_grad_reference, masked_input_grad_pairs, (dy, *rows), x.shape),
        (masked_weight_grad, masked_weight_grad_reference, masked_weight_grad_pairs, (x, dy, *pattern), values.shape),
    ]


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
    mask[1] = False
    values = rng.standard_normal(int(mask.sum())).astype(dtype)
    x, dy = (rng.standard_normal((batch, n)).astype(dtype) for n in (inputs, out))
    return x, compressed(mask, values, columns), dy


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
    x, rows, dy = layer = random_layer(dtype, batch, inputs, 4, columns, density)
    if inputs < 2**16:
        assert_within_bounds(layer)
    x, dy = np.round(8 * x), np.round(8 * dy)  # small integers: every order of summation is exact
    for kernel, reference, _, args, _ in products((x, rows._replace(values=np.round(8 * rows.values)), dy)):
        np.testing.assert_array_equal(unchanged(kernel, *args), reference(*args), err_msg=kernel.__name__)


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


@given(code_layers())
def test_codes_equal_loops(layer: tuple[np.ndarray, Rows, np.ndarray, np.ndarray]) -> None:
    a, (codes, columns, row_start, _), a_zero, zero = layer
    args = a, codes, columns, row_start, a_zero, zero
    result = unchanged(sparse_int8_matmul, *args)
    assert result.dtype == np.int32 and result.shape == (len(a), len(zero))
    assert result.tolist() == unchanged(sparse_int8_matmul_reference, *args).tolist() == masked_codes_loops(*args)


@pytest.mark.parametrize("a", CODES)
@pytest.mark.parametrize("b", CODES)
@pytest.mark.parametrize("columns", UNSIGNED)
def test_codes_equal_the_reference_on_a_layer(a: type, b: type, columns: type) -> None:
    rng = np.random.default_rng(1)
    _, rows, _ = random_layer(np.float32, 1, 200, 30, columns, 0.2)
    (a_low, a_high), (b_low, b_high) = ((np.iinfo(sign).min, np.iinfo(sign).max) for sign in (a, b))
    args = (
        rng.integers(a_low, a_high, (37, 200), a, endpoint=True),
        rng.integers(b_low, b_high, rows.values.size, b, endpoint=True), rows.columns, rows.row_start,
        rng.integers(a_low, a_high, 37, endpoint=True), rng.integers(b_low, b_high, 30, endpoint=True),
    )  # fmt: skip
    np.testing.assert_array_equal(sparse_int8_matmul(*args), sparse_int8_matmul_reference(*args))


def test_the_longest_sum_of_codes_is_exact_and_one_more_raises() -> None:
    for inputs in (LARGEST_K, LARGEST_K + 1):
        full = compressed(np.ones((1, inputs), bool), np.full(inputs, -128, np.int8))
        args = np.full((2, inputs), 255, np.uint8), *full[:3], np.array([0, 255]), np.array([127])
        if inputs == LARGEST_K:
            assert sparse_int8_matmul(*args).tolist() == [[-255 * 255 * inputs], [0]]
        else:
            with pytest.raises(ValueError, match=f"{inputs} inputs can overflow int32"):
                sparse_int8_matmul(*args)


@each_float
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(dtype: type, layout) -> None:  # type: ignore[no-untyped-def]
    x, rows, dy = layer = random_layer(dtype, 5, 9, 4, np.uint8, 0.5)
    other = layout(x), Rows(*map(layout, rows[:3]), rows.inputs), layout(dy)
    for (kernel, _, _, args, _), (*_, others, _) in zip(products(layer), products(other)):
        np.testing.assert_array_equal(unchanged(kernel, *others), kernel(*args))
    codes, a = np.arange(rows.values.size).astype(np.uint8), np.arange(45).reshape(5, 9).astype(np.int8)
    args = a, codes, rows.columns, rows.row_start, np.arange(5), np.arange(4)
    np.testing.assert_array_equal(unchanged(sparse_int8_matmul, *map(layout, args)), sparse_int8_matmul(*args))


@given(st.lists(st.integers(0, 60), max_size=4), st.sampled_from(UNSIGNED))
def test_row_lengths(lengths: list[int], dtype: type) -> None:
    """In signed integers: rows may begin at unsigned positions, whose differences must not wrap."""
    result = row_lengths(np.cumsum([0, *lengths]).astype(dtype))
    assert result.tolist() == lengths and result.dtype == np.intp
