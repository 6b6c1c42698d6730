"""Plain arrays for the kernels: floats, 8-bit codes with zero points, compressed rows, and other memory layouts."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

FLOATS = [np.float32, np.float64]
CODES = [np.int8, np.uint8]
UNSIGNED = [np.uint8, np.uint16, np.uint32]
sides = st.integers(0, 7)
foreign_weights = arrays(
    st.sampled_from([np.float16, np.float32, np.float64]),
    array_shapes(min_dims=1, max_dims=4, max_side=4),
    elements=st.integers(-9, 9),
)
"""Weights of any shape, a convolution's too, in small whole numbers."""


def finite(dtype: type, largest: float | None = None) -> st.SearchStrategy[float]:
    """Finite numbers of either sign up to `largest`; the default keeps every sum of products below infinity."""
    info = np.finfo(dtype)
    largest = float(2.0 ** (info.maxexp // 2 - 5) if largest is None else largest)
    tiny = float(info.smallest_subnormal)
    special = [0.0, -0.0, 1.0, -1.0, tiny, -tiny, 3 * tiny, float(info.tiny), largest, -largest]
    return st.sampled_from(special) | st.floats(-largest, largest, width=info.bits, allow_subnormal=True)  # type: ignore[arg-type]


def floats(dtype: type, shape: Any, largest: float | None = None) -> st.SearchStrategy[np.ndarray]:
    return arrays(dtype, shape, elements=finite(dtype, largest))


def codes(dtype: type, shape: Any) -> st.SearchStrategy[np.ndarray]:
    """Codes of every value, the ends more often than chance would have them."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return arrays(dtype, shape, elements=st.sampled_from([low, high, 0]) | st.integers(int(low), int(high)))


@st.composite
def zero_points(draw: st.DrawFn, dtype: type, rows: int) -> np.ndarray:
    """One zero point per row, each some code of `dtype`, in an integer dtype that holds it."""
    return draw(codes(dtype, rows)).astype(draw(st.sampled_from([dtype, np.int16, np.int64])))


@st.composite
def code_products(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`(a, b, a_zero, b_zero)` of any sizes from 0 and any signs."""
    rows, columns, inner = draw(sides), draw(sides), draw(st.integers(0, 20))
    a, b = draw(st.sampled_from(CODES)), draw(st.sampled_from(CODES))
    return (
        draw(codes(a, (rows, inner))), draw(codes(b, (columns, inner))),
        draw(zero_points(a, rows)), draw(zero_points(b, columns)),
    )  # fmt: skip


class Rows(NamedTuple):
    """A matrix (out, inputs) of kept values in compressed rows."""

    values: np.ndarray
    columns: np.ndarray
    row_start: np.ndarray
    inputs: int


def compressed(mask: np.ndarray, values: np.ndarray, columns: type = np.uint16, starts: type = np.uint32) -> Rows:
    """The kept places of `mask` in rows; `values`, one per kept place, in their order."""
    row_start = np.concatenate([[0], np.cumsum(mask.sum(axis=1))])
    return Rows(values, np.nonzero(mask)[1].astype(columns), row_start.astype(starts), mask.shape[1])


@st.composite
def compressed_rows(draw: st.DrawFn, values: Callable[[int], st.SearchStrategy[np.ndarray]]) -> Rows:
    """Any pattern from nothing kept, over empty rows, to everything, of any size from 0."""
    shape = draw(sides), draw(sides)
    some = arrays(np.bool_, shape)
    mask = draw(st.one_of(some, some, st.just(np.zeros(shape, bool)), st.just(np.ones(shape, bool))))
    unsigned = st.sampled_from(UNSIGNED)
    return compressed(mask, draw(values(int(mask.sum()))), draw(unsigned), draw(unsigned))


@st.composite
def float_layers(draw: st.DrawFn, dtype: type) -> tuple[np.ndarray, Rows, np.ndarray]:
    """A batch x (batch, inputs), kept weights, and a gradient dy (batch, out)."""
    rows = draw(compressed_rows(lambda kept: floats(dtype, kept)))
    batch = draw(sides)
    x, dy = draw(floats(dtype, (batch, rows.inputs))), draw(floats(dtype, (batch, rows.row_start.size - 1)))
    return x, rows, dy


@st.composite
def code_layers(draw: st.DrawFn) -> tuple[np.ndarray, Rows, np.ndarray, np.ndarray]:
    """Codes of a batch, kept codes, and the zero points of both: one per sample, one per row."""
    a, b = draw(st.sampled_from(CODES)), draw(st.sampled_from(CODES))
    rows = draw(compressed_rows(lambda kept: codes(b, kept)))
    batch = draw(sides)
    zeros = draw(zero_points(a, batch)), draw(zero_points(b, rows.row_start.size - 1))
    return draw(codes(a, (batch, rows.inputs))), rows, *zeros


def strided(a: np.ndarray) -> np.ndarray:
    """The same values with a gap after each."""
    wide = np.ones([2 * n for n in a.shape], a.dtype)
    view = wide[(slice(None, None, 2),) * a.ndim]
    view[...] = a
    return view


def backward(a: np.ndarray) -> np.ndarray:
    """The same values from the last to the first in memory."""
    return a[::-1].copy()[::-1]


def transposed(a: np.ndarray) -> np.ndarray:
    return a.T.copy().T


def read_only(a: np.ndarray) -> np.ndarray:
    a = a.copy()
    a.setflags(write=False)
    return a


LAYOUTS = [strided, backward, transposed, read_only, lambda a: read_only(transposed(a))[...]]
