"""Rows of floats laid on uniform grids: `q = saturate(round(x / scale) + zero)`, to the nearest even, as ONNX says.

A division takes ten times as long as a multiplication. The product with 1 / scale lies within two units in the last
place of the quotient, so that it rounds to the same code unless it is that close to a tie: only then is it divided.
"""

import numpy as np

from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned_empty
from nncomp.kernels.simd import (
    absolute,
    add,
    any_above,
    as_int,
    divide,
    full,
    higher,
    highest,
    load,
    lower,
    lowest,
    multiply,
    rint,
    store,
    subtract,
    width,
    zeros,
)
from nncomp.kernels.simd.path import PATH
from nncomp.kernels.threads import split


def encode_reference(
    x: np.ndarray, scale: np.ndarray, zero: np.ndarray, low: int, high: int, dtype: np.dtype
) -> np.ndarray:
    """`q = clip(rint(x / scale) + zero, low, high)` for x (M, K), a scale and zero point per row (M) or for all (1)."""
    return np.clip(np.rint(x / scale[:, None]) + zero[:, None], low, high).astype(dtype)


def encode(
    x: np.ndarray, scale: np.ndarray, zero: np.ndarray, low: int, high: int, dtype: np.dtype
) -> np.ndarray | None:
    """As `encode_reference`, for float32 and 8-bit codes; None where a NaN has no code.

    >>> one, none = np.ones(1, np.float32), np.zeros(1, np.int32)
    >>> encode(np.array([[0.5, 1.5, 300]], np.float32), one, none, -128, 127, np.dtype(np.int8))
    array([[  0,   2, 127]], dtype=int8)
    """
    x, out = np.ascontiguousarray(x), aligned_empty(x.shape, dtype)
    found = []
    split(lambda m, end: found.append(_encode(x, scale, zero, low, high, out, m, end)), len(x), 2 * x.size)
    return None if any(found) else out


def encode_dynamic_reference(
    x: np.ndarray, low: int, high: int, middle: int, steps: float, dtype: np.dtype, per_row: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The codes of x (M, K), and the scales and zero points fitted to each row or to all, their range holding 0.

    scale = max |x| / steps, zero = middle, or where `steps` is 0, scale = (max x - min x) / (high - low) and
    zero = clip(rint(low - min x / scale), low, high); a scale of 0 becomes 1.
    """
    values = x if per_row else x.reshape(1, -1)
    least, most = values.min(axis=1, initial=0), values.max(axis=1, initial=0)
    scale = np.maximum(-least, most) / x.dtype.type(steps) if steps else (most - least) / x.dtype.type(high - low)
    scale = np.where(scale == 0, x.dtype.type(1), scale)
    zero = np.clip(np.rint(low - least / scale), low, high) if not steps else np.full(scale.shape, middle)
    return encode_reference(x, scale, zero, low, high, dtype), scale, zero.astype(np.int32)


def encode_dynamic(
    x: np.ndarray, low: int, high: int, middle: int, steps: float, dtype: np.dtype, per_row: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """As `encode_dynamic_reference`, for float32 and 8-bit codes; None where a value or a scale is not finite.

    >>> x = np.array([[-127.0, 1.0], [254.0, 1.0]], np.float32)
    >>> encode_dynamic(x, -128, 127, middle=0, steps=127, dtype=np.dtype(np.int8), per_row=True)[:2]
    (array([[-127,    1],
           [ 127,    0]], dtype=int8), array([1., 2.], dtype=float32))
    """
    x, out = np.ascontiguousarray(x), aligned_empty(x.shape, dtype)
    scale, zero = np.empty(len(x) if per_row else 1, np.float32), np.empty(len(x) if per_row else 1, np.int32)
    fit = low, high, middle, np.float32(steps), scale, zero, out, per_row
    found = []
    work = 4 * x.size if per_row else 0
    split(lambda m, end: found.append(_encode_dynamic(x, *fit, m, end)), len(x), work)
    return None if any(found) else (out, scale, zero)


def _range_scalar_py(x, top, bottom):  # type: ignore[no-untyped-def]
    least = most = rest = x.dtype.type(0)
    for m in range(top, bottom):
        for k in range(x.shape[1]):
            least, most = min(least, x[m, k]), max(most, x[m, k])
            rest += x[m, k] - x[m, k]
    return least, most, bool(np.isnan(rest))


def _range_py(x, top, bottom):  # type: ignore[no-untyped-def]
    """The lowest and the highest value of some rows, 0 among them, and whether one is not finite."""
    least = most = rest = zeros(1, 4, x)
    end = bottom * x.shape[1]
    for i in range(top * x.shape[1], end, width(rest)):
        v = load(rest, x, i, 0, 1, end - i)
        least, most, rest = lower(v, least), higher(v, most), add(rest, subtract(v, v))
    return lowest(least), highest(most), any_above(rest, rest)


def _fit_py(least, most, low, high, middle, steps):  # type: ignore[no-untyped-def]
    """The scale and zero point for values from `least` to `most`."""
    scale = max(-least, most) / steps if steps > 0 else (most - least) / np.float32(high - low)
    if scale == 0:
        scale = np.float32(1)
    zero = np.float32(middle) if steps > 0 else min(max(np.rint(np.float32(low) - least / scale), low), high)
    return scale, np.int32(zero)


def _encode_row_scalar_py(x, m, scale, zero, low, high, out):  # type: ignore[no-untyped-def]
    bad = False
    for k in range(x.shape[1]):
        q = np.rint(x[m, k] / scale) + np.float32(zero)
        if np.isnan(q):
            bad = True
        else:
            out[m, k] = int(min(max(q, np.float32(low)), np.float32(high)))
    return bad


def _encode_row_py(x, m, scale, zero, low, high, out):  # type: ignore[no-untyped-def]
    """Whether there is a NaN in the row; else its codes are in `out`."""
    none, bad, inner = zeros(1, 4, x), False, x.shape[1]
    s, inverse = full(none, scale), full(none, np.float32(1) / scale)
    half, close = full(none, np.float32(0.5)), full(none, np.float32(2.0**-21))
    least, most, z = full(none, low), full(none, high), full(none, zero)
    for k in range(0, inner, width(none)):
        v = load(none, x, m * inner + k, 0, 1, inner - k)
        d = multiply(v, inverse)
        r = rint(d)
        if any_above(absolute(subtract(d, r)), subtract(half, multiply(absolute(d), close))):
            r = rint(divide(v, s))
            bad |= any_above(v, v)
        q = higher(lower(add(r, z), most), least)
        store(as_int(q), out, m * inner + k, 0, 1, inner - k)
    return bad


_fit = inlined(_fit_py)
_range = inlined(_range_scalar_py if PATH == "scalar" else _range_py)
_encode_row = inlined(_encode_row_scalar_py if PATH == "scalar" else _encode_row_py)


def _encode_py(x, scale, zero, low, high, out, top, bottom):  # type: ignore[no-untyped-def]
    bad = False
    for m in range(top, bottom):
        row = m if scale.size > 1 else 0
        bad |= _encode_row(x, m, scale[row], zero[row], low, high, out)
    return bad


def _encode_dynamic_py(x, low, high, middle, steps, scale, zero, out, per_row, top, bottom):  # type: ignore[no-untyped-def]
    bad = False
    for m in range(top, bottom):
        row = m if per_row else 0
        if per_row or m == top:
            least, most, wild = _range(x, m, m + 1 if per_row else bottom)
            scale[row], zero[row] = _fit(least, most, low, high, middle, steps)
            bad |= wild or not np.isfinite(scale[row])
        bad |= _encode_row(x, m, scale[row], zero[row], low, high, out)
    return bad


_encode = compiled(_encode_py)
_encode_dynamic = compiled(_encode_dynamic_py)
