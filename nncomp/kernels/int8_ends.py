"""What becomes of sums of codes: zero points add their share; then they are C, a layer's outputs, or codes of those."""

import numpy as np
from numba import types
from numba.extending import overload

from nncomp.kernels.jit import inlined
from nncomp.kernels.simd import (
    add,
    as_float,
    as_int,
    column,
    divide,
    fma,
    full,
    higher,
    lower,
    multiply,
    pointer,
    rint,
    row,
    store,
)

ROOM = 24
"""Rows of the highest tile."""


def _shares_py(a, move, a_zero, b_zero, top, bottom):  # type: ignore[no-untyped-def]
    """Of A's rows from `top` to `bottom`, minus the zero points of codes moved by `move`, and K zeros less the sum.

    An empty array where all of them would be 0, or nothing is multiplied by them; else with room for the rows of a tile
    that ends beyond the last.
    """
    rows, inner = a.shape
    minus = np.empty(rows + ROOM if move or a_zero.size else 0, np.int32)
    excess = np.empty(rows + ROOM if b_zero.size else 0, np.int32)
    for m in range(top, bottom):
        zero = a_zero[m] if a_zero.size else np.int32(0)
        if minus.size:
            minus[m] = -move - zero
        if excess.size:
            total = np.int32(0)
            for k in range(inner):
                total += np.int32(a[m, k])
            excess[m] = inner * zero - total
    return minus, excess


def _ends_py(out, sums, b_zero, minus, excess, scales):  # type: ignore[no-untyped-def]
    """What `finish` needs besides the sums."""
    shares = pointer(sums), pointer(b_zero), pointer(minus), pointer(excess), minus.size > 0, excess.size > 0
    return pointer(out), out.shape[1], shares, _pointers(scales)


def _finish_py(acc, m, n, rows, ends):  # type: ignore[no-untyped-def]
    """Sums of codes as they are, of `rows` rows from m on and the columns from n on, become what `out` holds."""
    out, outputs, shares, scales = ends
    sums, b_zero, minus, excess, moved, centered = shares
    if moved:
        acc = fma(column(acc, minus, m, 1), row(acc, sums, n), acc)
    if centered:
        acc = fma(column(acc, excess, m, 1), row(acc, b_zero, n), acc)
    _write(acc, m, n, rows, out, outputs, scales)


def writes_sums(out):  # type: ignore[no-untyped-def]
    """Whether `out` holds sums, which may be written as they are."""


def _pointers(scales):  # type: ignore[no-untyped-def]
    """The scales, with pointers in the place of arrays; nothing for sums."""


def _write(acc, m, n, rows, out, outputs, scales):  # type: ignore[no-untyped-def]
    """Write a tile of C, or what it stands for, to rows from m and columns from n on."""


def _outputs(acc, m, n, scales):  # type: ignore[no-untyped-def]
    """What a tile of C stands for in floats: a bias of integers is part of the sums, one of floats is added after."""


# The four are chosen by types, when a kernel is compiled.


@overload(writes_sums, inline="always")
def _choose_writes_sums(out):  # type: ignore[no-untyped-def]
    return (lambda out: True) if out.dtype == types.int32 else (lambda out: False)


@overload(_pointers, inline="always")
def _choose_pointers(scales):  # type: ignore[no-untyped-def]
    def of_some(scales):  # type: ignore[no-untyped-def]
        return pointer(scales[0]), scales[1], pointer(scales[2]), pointer(scales[3]), scales[4:]

    return of_some if len(scales) else (lambda scales: ())


@overload(_write, inline="always")
def _choose_write(acc, m, n, rows, out, outputs, scales):  # type: ignore[no-untyped-def]
    if out.dtype == types.int32:
        return _write_sums
    return _write_floats if isinstance(out.dtype, types.Float) else _write_codes


def _write_sums(acc, m, n, rows, out, outputs, scales):  # type: ignore[no-untyped-def]
    store(acc, out, m * outputs + n, outputs, rows, outputs - n)


def _write_floats(acc, m, n, rows, out, outputs, scales):  # type: ignore[no-untyped-def]
    store(_outputs(acc, m, n, scales), out, m * outputs + n, outputs, rows, outputs - n)


def _write_codes(acc, m, n, rows, out, outputs, scales):  # type: ignore[no-untyped-def]
    y = _outputs(acc, m, n, scales)
    _, scale, zero, least, most = scales[4]
    q = add(rint(divide(y, full(y, scale))), full(y, zero))
    q = as_int(higher(lower(q, full(y, most)), full(y, least)))
    store(q, out, m * outputs + n, outputs, rows, outputs - n)


@overload(_outputs, inline="always")
def _choose_outputs(acc, m, n, scales):  # type: ignore[no-untyped-def]
    return _outputs_of_integers if scales.types[3].dtype == types.int32 else _outputs_of_floats


def _outputs_of_floats(acc, m, n, scales):  # type: ignore[no-untyped-def]
    """`max(acc (a_scale b_scale) + bias, floor)`, NaN kept."""
    a_scale, each, b_scale, bias, rest = scales
    z = as_float(acc, bias)
    z = multiply(z, multiply(column(z, a_scale, m * each, each), row(z, b_scale, n)))
    return higher(full(z, rest[0]), add(z, row(z, bias, n)))


def _outputs_of_integers(acc, m, n, scales):  # type: ignore[no-untyped-def]
    """`max((acc + bias) (a_scale b_scale), floor)`."""
    a_scale, each, b_scale, bias, rest = scales
    z = as_float(add(acc, row(acc, bias, n)), b_scale)
    z = multiply(z, multiply(column(z, a_scale, m * each, each), row(z, b_scale, n)))
    return higher(full(z, rest[0]), z)


shares = inlined(_shares_py)
ends_of = inlined(_ends_py)
finish = inlined(_finish_py)
