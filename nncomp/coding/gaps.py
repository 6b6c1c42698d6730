"""Where a sparse matrix has values, as the number of places passed over before each."""

import numpy as np


def gaps(columns: np.ndarray, row_start: np.ndarray, inputs: int) -> np.ndarray:
    """`g_i = p_i - p_(i-1) - 1` in int64: `p = row * inputs + column` of one value after another, and p_(-1) = -1.

    `columns (kept)`, `row_start (out + 1)` as in `Sparse`. Where each place is kept with the same chance, gaps are
    distributed geometrically, and their entropy is that of the mask (Golomb 1966).

    >>> gaps(np.array([1, 0, 2]), np.array([0, 1, 3]), inputs=3)
    array([1, 1, 1])
    """
    start = row_start.astype(np.int64)
    rows = np.repeat(np.arange(row_start.size - 1), start[1:] - start[:-1])
    return np.diff(rows * inputs + columns, prepend=-1) - 1


def from_gaps(gaps: np.ndarray, rows: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and row starts, in the smallest unsigned dtypes that hold them; undoes `gaps`.

    A ValueError where they do not stay within the matrix (rows, inputs).

    >>> from_gaps(np.array([1, 1, 1]), rows=2, inputs=3)
    (array([1, 0, 2], dtype=uint8), array([0, 1, 3], dtype=uint8))
    """
    if rows < 1 or inputs < 1 or rows * inputs > 2**31:
        raise ValueError(f"a matrix has 1 to 2^31 places, and not those of {rows} x {inputs}")
    if not np.issubdtype(gaps.dtype, np.integer) or (gaps.size and not 0 <= gaps.min() <= gaps.max() < 2**31):
        raise ValueError("gaps are at least 0, whole, and below 2^31")
    places = np.cumsum(gaps.astype(np.int64) + 1) - 1
    if places.size and places[-1] >= rows * inputs:
        raise ValueError(f"gaps lead to place {places[-1]} of a matrix {rows} x {inputs}")
    columns = (places % inputs).astype(np.min_scalar_type(inputs - 1))
    starts = np.searchsorted(places, np.arange(rows + 1) * inputs)
    return columns, starts.astype(np.min_scalar_type(places.size))
