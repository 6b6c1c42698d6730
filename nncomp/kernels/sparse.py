"""The masked layer: y = x (M * W)T and both its gradients, in the time the kept weights take.

The kept weights come in compressed rows: row i holds `values[row_start[i]:row_start[i+1]]` at `columns[...]`. The batch
is the innermost loop, over contiguous memory, so that one weight multiplies a whole vector of samples at a time.
"""

import numpy as np
import scipy.sparse

from nncomp.kernels.jit import compiled
from nncomp.kernels.pack import check_exact


def row_lengths(row_start: np.ndarray) -> np.ndarray:
    """How many weights each row keeps."""
    start = row_start.astype(np.intp)
    return start[1:] - start[:-1]


def _csr(values: np.ndarray, columns: np.ndarray, row_start: np.ndarray, inputs: int) -> scipy.sparse.csr_array:
    indices = columns.astype(np.int64), row_start.astype(np.int64)
    return scipy.sparse.csr_array((values, *indices), shape=(row_start.size - 1, inputs))


def masked_matmul_reference(
    x: np.ndarray, values: np.ndarray, columns: np.ndarray, row_start: np.ndarray
) -> np.ndarray:
    """`y (batch, out) = x (batch, in) @ W.T` with W (out, in) the matrix of the kept weights."""
    return (_csr(values, columns, row_start, x.shape[1]) @ x.T).T


def masked_matmul(x: np.ndarray, values: np.ndarray, columns: np.ndarray, row_start: np.ndarray) -> np.ndarray:
    """As `masked_matmul_reference`.

    >>> x, w = np.array([[1., 2., 3.]]), np.array([10., 20.])
    >>> masked_matmul(x, w, columns=np.array([0, 2]), row_start=np.array([0, 1, 1, 2]))
    array([[10.,  0., 60.]])
    """
    out = np.zeros((row_start.size - 1, x.shape[0]), x.dtype)
    _masked_matmul(np.ascontiguousarray(x.T), values, columns, row_start.astype(np.int64), out)
    return np.ascontiguousarray(out.T)


def _masked_matmul_py(xT, values, columns, row_start, yT):  # type: ignore[no-untyped-def]
    for i in range(yT.shape[0]):
        y = yT[i]
        for j in range(row_start[i], row_start[i + 1]):
            w = values[j]
            x = xT[columns[j]]
            for b in range(y.size):
                y[b] += w * x[b]


_masked_matmul = compiled(_masked_matmul_py)


def masked_input_grad_reference(
    dy: np.ndarray, values: np.ndarray, columns: np.ndarray, row_start: np.ndarray, inputs: int
) -> np.ndarray:
    """`dx (batch, in) = dy (batch, out) @ W`."""
    return (_csr(values, columns, row_start, inputs).T @ dy.T).T


def masked_input_grad(
    dy: np.ndarray, values: np.ndarray, columns: np.ndarray, row_start: np.ndarray, inputs: int
) -> np.ndarray:
    """As `masked_input_grad_reference`.

    >>> w, dy = np.array([10., 20.]), np.array([[1., 1., 2.]])
    >>> masked_input_grad(dy, w, columns=np.array([0, 2]), row_start=np.array([0, 1, 1, 2]), inputs=3)
    array([[10.,  0., 40.]])
    """
    out = np.zeros((inputs, dy.shape[0]), dy.dtype)
    _masked_input_grad(np.ascontiguousarray(dy.T), values, columns, row_start.astype(np.int64), out)
    return np.ascontiguousarray(out.T)


def _masked_input_grad_py(dyT, values, columns, row_start, dxT):  # type: ignore[no-untyped-def]
    for i in range(dyT.shape[0]):
        dy = dyT[i]
        for j in range(row_start[i], row_start[i + 1]):
            w = values[j]
            dx = dxT[columns[j]]
            for b in range(dy.size):
                dx[b] += w * dy[b]


_masked_input_grad = compiled(_masked_input_grad_py)


def masked_weight_grad_reference(
    x: np.ndarray, dy: np.ndarray, columns: np.ndarray, row_start: np.ndarray
) -> np.ndarray:
    """`dvalues[j] = sum_b dy[b, row of j] x[b, column of j]`: the gradient of W where it is kept, nowhere else."""
    rows = np.repeat(np.arange(row_start.size - 1), row_lengths(row_start))
    return (dy.T @ x)[rows, columns]


def masked_weight_grad(x: np.ndarray, dy: np.ndarray, columns: np.ndarray, row_start: np.ndarray) -> np.ndarray:
    """As `masked_weight_grad_reference`, without the full matrix.

    >>> x, dy = np.array([[1., 2., 3.]]), np.array([[1., 1., 2.]])
    >>> masked_weight_grad(x, dy, columns=np.array([0, 2]), row_start=np.array([0, 1, 1, 2]))
    array([1., 6.])
    """
    out = np.empty(columns.size, x.dtype)
    transposed = np.ascontiguousarray(x.T), np.ascontiguousarray(dy.T)
    _masked_weight_grad(*transposed, columns, row_start.astype(np.int64), out)
    return out


def _masked_weight_grad_py(xT, dyT, columns, row_start, dvalues):  # type: ignore[no-untyped-def]
    for i in range(dyT.shape[0]):
        dy = dyT[i]
        for j in range(row_start[i], row_start[i + 1]):
            x = xT[columns[j]]
            total = dvalues.dtype.type(0)
            for b in range(dy.size):
                total += x[b] * dy[b]
            dvalues[j] = total


# A sum in a fixed order cannot be vectorized; letting LLVM reorder it is worth a factor of five at batch 100.
_masked_weight_grad = compiled(_masked_weight_grad_py, fastmath=frozenset({"reassoc", "contract"}))


def sparse_int8_matmul_reference(
    a: np.ndarray, codes: np.ndarray, columns: np.ndarray, row_start: np.ndarray, a_zero: np.ndarray, zero: np.ndarray
) -> np.ndarray:
    """`C[m, n] = sum over kept k of (A[m, k] - a_zero[m]) (codes[n, k] - zero[n])` in int64; an absent weight is 0."""
    zeros = np.repeat(zero.astype(np.int64), row_lengths(row_start))
    weight = _csr(codes.astype(np.int64) - zeros, columns, row_start, a.shape[1])
    return (weight @ (a.astype(np.int64) - a_zero[:, None]).T).T


def sparse_int8_matmul(
    a: np.ndarray, codes: np.ndarray, columns: np.ndarray, row_start: np.ndarray, a_zero: np.ndarray, zero: np.ndarray
) -> np.ndarray:
    """As `sparse_int8_matmul_reference`, in int32; a ValueError where that could overflow.

    >>> a, codes, none = np.array([[1, 2, 3]], np.int8), np.array([10, 20], np.int8), np.array([0])
    >>> sparse_int8_matmul(a, codes, np.array([0, 2]), np.array([0, 1, 1, 2]), none, np.array([0, 0, 0]))
    array([[10,  0, 60]], dtype=int32)
    """
    check_exact(a.shape[1])
    centered = np.subtract(a.T, a_zero, dtype=np.int16, casting="unsafe", order="C")
    out = np.zeros((row_start.size - 1, a.shape[0]), np.int32)
    _sparse_int8_matmul(centered, codes, columns, row_start.astype(np.int64), zero.astype(np.int16), out)
    return np.ascontiguousarray(out.T)


def _sparse_int8_matmul_py(aT, codes, columns, row_start, zero, outT):  # type: ignore[no-untyped-def]
    for i in range(outT.shape[0]):
        out = outT[i]
        for j in range(row_start[i], row_start[i + 1]):
            w = np.int32(np.int16(codes[j]) - zero[i])
            a = aT[columns[j]]
            for b in range(out.size):
                out[b] = np.int32(out[b] + w * np.int32(a[b]))


_sparse_int8_matmul = compiled(_sparse_int8_matmul_py)
