"""The masked products against textbook loops: integers exactly, floats within the bound of their own terms."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.kernels.sparse import (
    masked_input_grad,
    masked_input_grad_reference,
    masked_matmul,
    masked_matmul_reference,
    masked_weight_grad,
    masked_weight_grad_reference,
    sparse_int8_matmul,
    sparse_int8_matmul_reference,
)  # fmt: skip
from tests.oracles import centered_matmul, dense_of, matmul
from tests.strategies.arrays import Rows, bytes_, codes, compressed, seeds

batches = st.sampled_from([3, 1, 17, 0])


def within(ours: np.ndarray, exact: list, absolute: np.ndarray, terms: int) -> None:
    """Law 3: `|ours - exact| <= (n + 2) eps |x| @ |W|T`."""
    eps = np.finfo(ours.dtype).eps
    assert (np.abs(ours.astype(np.float64) - np.array(exact).reshape(ours.shape)) <= (terms + 2) * eps * absolute).all()


@settings(max_examples=60)
@given(compressed(), batches, seeds)
def test_float_kernels(rows: Rows, batch: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, columns, row_start, inputs = rows
    W = np.array(dense_of(values, columns, row_start, inputs))
    x, dy = (rng.standard_normal((batch, n)).astype(values.dtype) for n in (inputs, len(W)))
    for array in (x, dy, values, columns, row_start):
        array.flags.writeable = False
    size = [np.abs(a.astype(np.float64)) for a in (x, dy, W)]
    for kernel in (masked_matmul, masked_matmul_reference):
        within(kernel(x, values, columns, row_start), matmul(x, W), size[0] @ size[2].T, inputs)
    for kernel in (masked_input_grad, masked_input_grad_reference):
        within(kernel(dy, values, columns, row_start, inputs), matmul(dy, W.T), size[1] @ size[2], len(W))
    at = np.repeat(np.arange(len(W)), np.diff(row_start.astype(int))), columns
    exact = np.array(matmul(dy.T, x.T)).reshape(len(W), inputs)[at]
    for kernel in (masked_weight_grad, masked_weight_grad_reference):
        dvalues = kernel(x, dy, columns, row_start)
        assert dvalues.dtype == values.dtype and dvalues.shape == values.shape
        within(dvalues, exact.tolist(), (size[1].T @ size[0])[at], batch)


@settings(max_examples=60)
@given(compressed(bytes_), bytes_, batches, seeds)
def test_integer_kernel(rows: Rows, a_type: type, batch: int, seed: int) -> None:
    """An absent weight contributes nothing, whatever the zero points."""
    rng = np.random.default_rng(seed)
    values, columns, row_start, inputs = rows
    out = len(row_start) - 1
    a = codes(rng, a_type, (batch, inputs))
    a_zero, zero = codes(rng, a_type, (batch,)).astype(np.int32), codes(rng, values.dtype.type, (out,)).astype(np.int32)
    steps = values.astype(np.int64) - np.repeat(zero, np.diff(row_start.astype(int)))
    W = np.array(dense_of(steps, columns, row_start, inputs), np.int64).reshape(out, inputs)
    expected = centered_matmul(a, W, a_zero, np.zeros(out, int))
    assert sparse_int8_matmul(a, values, columns, row_start, a_zero, zero).tolist() == expected
    assert sparse_int8_matmul_reference(a, values, columns, row_start, a_zero, zero).tolist() == expected


def test_nan_and_infinity_reach_only_the_outputs_that_see_them() -> None:
    values, columns, starts = np.ones(3, np.float32), np.array([0, 1, 1], np.uint8), np.array([0, 1, 3], np.uint8)
    y = masked_matmul(np.array([[2, np.nan], [np.inf, 1], [5, -np.inf]], np.float32), values, columns, starts)
    np.testing.assert_array_equal(y, [[2, np.nan], [np.inf, 2], [5, -np.inf]])
