"""Rows of floats laid on uniform grids: `q = saturate(round(x / scale) + zero)`, to the nearest even, as ONNX says.

A division takes ten times as long as a multiplication. The product with 1 / scale lies within two units in the last
place of the quotient, so that it rounds to the same code unless it is that close to a tie: only then is it divided.
"""

from typing import NamedTuple

import numpy as np

from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned_empty
from nncomp.kernels.simd import (
    absolute,
    add,
    any_above,
    as_int,
    divide,
    fma,
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

FIXED, TO_ROW, TO_ALL = range(3)


class Codes(NamedTuple):
    """The codes from `low` to `high`, and the grid they are on: `fitted` says whether it is fixed, or to what it fits.

    A fixed grid has `scale` and `zero`, of each row (M) or of all (1). One that is fitted, to each row or to all, has

        scale = max |x| / steps,                      zero = middle,                           or where steps is 0,
        scale = (max x - min x) / (high - low),       zero = clip(rint(low - min x / scale), low, high),

    the range holding 0 and a scale of 0 becoming 1.
    """

    low: int
    high: int
    dtype: np.dtype
    fitted: int = FIXED
    middle: int = 0
    steps: np.float32 = np.float32(0)
    scale: np.ndarray = np.ones(1, np.float32)
    zero: np.ndarray = np.zeros(1, np.int32)


def encode_reference(x: np.ndarray, codes: Codes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The codes of x (M, K), `q = clip(rint(x / scale) + zero, low, high)`, and the scales and zero points (M or 1)."""
    low, high, dtype, fitted, middle, steps, scale, zero = codes
    if fitted:
        values = x if fitted == TO_ROW else x.reshape(1, -1)
        least, most = values.min(axis=1, initial=0), values.max(axis=1, initial=0)
        scale = np.maximum(-least, most) / steps if steps else (most - least) / np.float32(high - low)
        scale = np.where(scale == 0, np.float32(1), scale)
        zero = np.full(scale.shape, middle, np.int32)
        if not steps:
            zero = np.clip(np.rint(low - least / scale), low, high).astype(np.int32)
    return np.clip(np.rint(x / scale[:, None]) + zero[:, None], low, high).astype(dtype), scale, zero


def encode(x: np.ndarray, codes: Codes) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """As `encode_reference`, for float32 and 8-bit codes; None where a NaN has no code, or no finite grid fits.

    >>> encode(np.array([[-127.0, 1.0], [254.0, 1.0]], np.float32), Codes(-128, 127, np.dtype(np.int8), TO_ROW, 0, 127))
    (array([[-127,    1],
           [ 127,    0]], dtype=int8), array([1., 2.], dtype=float32), array([0, 0], dtype=int32))
    """
    x, out = np.ascontiguousarray(x), aligned_empty(x.shape, codes.dtype)
    scale, zero = grids(codes, len(x))
    found: list[bool] = []
    args = x, codes.fitted, codes.low, codes.high, codes.middle, np.float32(codes.steps), scale, zero, out
    work = 0 if codes.fitted == TO_ALL else 4 * x.size
    split(lambda m, end: found.append(_encode(*args, m, end)), len(x), work)
    return None if any(found) else (out, scale, zero)


def fit_to_all(x: np.ndarray, codes: Codes) -> Codes:
    """The fixed grid that is fitted to all of x; NaN where it is not finite."""
    scale, zero = grids(codes, 1)
    _fit_to_all(np.ascontiguousarray(x), codes.low, codes.high, codes.middle, np.float32(codes.steps), scale, zero)
    return codes._replace(fitted=FIXED, scale=scale, zero=zero)


def grids(codes: Codes, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The fixed scales and zero points, or places for those to be fitted."""
    if codes.fitted == FIXED:
        writable = codes.scale.flags.writeable and codes.zero.flags.writeable  # as kernels that fit them ask for
        return (codes.scale, codes.zero) if writable else (codes.scale.copy(), codes.zero.copy())
    several = rows if codes.fitted == TO_ROW else 1
    return np.empty(several, np.float32), np.empty(several, np.int32)


def _range_scalar_py(x, start, stop):  # type: ignore[no-untyped-def]
    least = most = rest = np.float32(0)
    for v in x.reshape(-1)[start:stop]:
        least, most, rest = min(least, v), max(most, v), rest + (v - v)
    return least, most, bool(np.isnan(rest))


def _range_py(x, start, stop):  # type: ignore[no-untyped-def]
    """The lowest and the highest of some values, 0 among them, and whether one is not finite."""
    least = most = rest = zeros(1, 4, x)
    for i in range(start, stop, width(rest)):
        v = load(rest, x, i, 0, 1, stop - i)
        least, most, rest = lower(v, least), higher(v, most), add(rest, subtract(v, v))
    return lowest(least), highest(most), any_above(rest, rest)


def _fit_py(least, most, low, high, middle, steps):  # type: ignore[no-untyped-def]
    """The scale and zero point for values from `least` to `most`."""
    scale = max(-least, most) / steps if steps > 0 else (most - least) / np.float32(high - low)
    if scale == 0:
        scale = np.float32(1)
    zero = np.float32(middle) if steps > 0 else min(max(np.rint(np.float32(low) - least / scale), low), high)
    return scale, np.int32(zero)


def _lay_scalar_py(x, start, stop, scale, zero, low, high, out, place):  # type: ignore[no-untyped-def]
    bad, flat, codes = False, x.reshape(-1), out.reshape(-1)
    for i in range(start, stop):
        q = np.rint(flat[i] / scale) + np.float32(zero)
        if np.isnan(q):
            bad = True
        else:
            codes[place + i - start] = int(min(max(q, np.float32(low)), np.float32(high)))
    return bad


def _lay_py(x, start, stop, scale, zero, low, high, out, place):  # type: ignore[no-untyped-def]
    """The codes of some values, to `place` and on in `out`; whether one of them has none."""
    none, bad = zeros(1, 4, x), False
    s, inverse = full(none, scale), full(none, np.float32(1) / scale)
    half, close = full(none, np.float32(0.5)), full(none, np.float32(2.0**-21))
    least, most, z = full(none, low), full(none, high), full(none, zero)
    for i in range(start, stop, width(none)):
        v = load(none, x, i, 0, 1, stop - i)
        d = multiply(v, inverse)
        r = rint(d)
        if any_above(fma(absolute(d), close, absolute(subtract(d, r))), half):
            r = rint(divide(v, s))
            bad |= any_above(r, r)
        q = higher(lower(add(r, z), most), least)
        store(as_int(q), out, place + i - start, 0, 1, stop - i)
    return bad


_fit = inlined(_fit_py)
_range = inlined(_range_scalar_py if PATH == "scalar" else _range_py)
_lay = inlined(_lay_scalar_py if PATH == "scalar" else _lay_py)


def _encode_rows_py(x, fitted, low, high, middle, steps, scale, zero, out, first, top, bottom):  # type: ignore[no-untyped-def]
    """Rows from `top` to `bottom`, which `out` has from its row `top - first` on; whether they have no codes."""
    bad, inner = False, x.shape[1]
    several = 1 if scale.size > 1 or fitted == TO_ROW else max(bottom - top, 1)  # rows of one grid lie end to end
    for m in range(top, bottom, several):
        row, start, stop = m if scale.size > 1 else 0, m * inner, (m + several) * inner
        if fitted:
            least, most, wild = _range(x, start, stop)
            scale[row], zero[row] = _fit(least, most, low, high, middle, steps)
            bad |= wild or not np.isfinite(scale[row])
        bad |= _lay(x, start, stop, scale[row], zero[row], low, high, out, (m - first) * inner)
    return bad


encode_rows = inlined(_encode_rows_py)


def _encode_py(x, fitted, low, high, middle, steps, scale, zero, out, top, bottom):  # type: ignore[no-untyped-def]
    return encode_rows(x, fitted, low, high, middle, steps, scale, zero, out, 0, top, bottom)


def _fit_to_all_py(x, low, high, middle, steps, scale, zero):  # type: ignore[no-untyped-def]
    least, most, wild = _range(x, 0, x.size)
    scale[0], zero[0] = _fit(least, most, low, high, middle, steps)
    if wild or not np.isfinite(scale[0]):
        scale[0] = np.nan


_encode = compiled(_encode_py)
_fit_to_all = compiled(_fit_to_all_py)
