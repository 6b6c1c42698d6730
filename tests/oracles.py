"""Textbook loops in Python numbers: what the kernels are held to. No NumPy arithmetic, no code of the library."""

import numpy as np


def matmul(a: np.ndarray, b: np.ndarray) -> list[list[float]]:
    """`A @ B.T` by three loops, in Python ints or doubles."""
    return [[sum(x * w for x, w in zip(row, column)) for column in b.tolist()] for row in a.tolist()]


def centered_matmul(a: np.ndarray, b: np.ndarray, a_zero: np.ndarray, b_zero: np.ndarray) -> list[list[int]]:
    """`sum_k (A[m, k] - a_zero[m]) (B[n, k] - b_zero[n])` in Python ints, which never overflow."""
    A, B = a.tolist(), b.tolist()
    return [
        [sum((x - p) * (w - q) for x, w in zip(row, column)) for column, q in zip(B, b_zero.tolist())]
        for row, p in zip(A, a_zero.tolist())
    ]


def dense_of(values: np.ndarray, columns: np.ndarray, row_start: np.ndarray, inputs: int) -> list[list[float]]:
    """The matrix that compressed rows stand for."""
    rows = []
    for start, stop in zip(row_start.tolist(), row_start.tolist()[1:]):
        row = [0 * values.dtype.type(0).item()] * inputs
        for value, column in zip(values.tolist()[start:stop], columns.tolist()[start:stop]):
            row[column] = value
        rows.append(row)
    return rows
