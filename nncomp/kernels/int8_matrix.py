"""The int8 product on matrix registers: 16 x 16 sums of 64 products at a time.

Two rows and two columns of registers make a block of C, so that each register that is loaded is multiplied twice. The
codes of a block's rows are packed like the weights, so many inputs at a time that they stay in the first cache while
the weights pass from the second; what C has summed up meanwhile waits there too.
"""

from nncomp.kernels.int8_ends import ends_of, finish, shares, writes_sums
from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned
from nncomp.kernels.simd import height, keep, load, pointer, store, zeros
from nncomp.kernels.simd.matrix import DEPTH, SHAPES, SIDE, clear, configure, multiply, release, restore, save

SQUARE = SIDE * SIDE
INPUTS, ROWS, COLUMNS = 512, 256, 512
"""Inputs at a time where they are more than twice as many; the rows and columns of C whose sums wait meanwhile."""


def _int8_matmul_matrix_py(a, move, panels, sums, b_zero, a_zero, out, scales, top, bottom, start, end):  # type: ignore[no-untyped-def]
    minus, excess = shares(a, move, a_zero, b_zero, top, bottom)
    inner, padded = a.shape[1], sums.size
    parts = 1 if inner <= 2 * INPUTS or bottom - top <= SIDE else (inner + INPUTS - 1) // INPUTS
    across = 2 * COLUMNS if parts == 1 else COLUMNS
    inputs = ((inner + DEPTH - 1) // DEPTH + parts - 1) // parts * DEPTH
    left, block = aligned(2 * SIDE * inputs, a), aligned(4 * SQUARE, sums)
    waiting = aligned(ROWS * COLUMNS if parts > 1 else 0, sums)
    ends = ends_of(out, sums, b_zero, minus, excess, scales)
    buffers = pointer(left), inputs, pointer(panels), panels.size // padded, pointer(waiting), pointer(block)
    configure(SHAPES[min(bottom - top, SIDE)])
    for n in range(start, end, across):
        columns = n, min(n + across, end), padded
        for m0 in range(top, bottom, ROWS):
            m1 = min(m0 + ROWS, bottom)
            for k in range(parts):
                place, part = 0, (k * inputs, min((k + 1) * inputs, inner), inner, min(SIDE, bottom - top))
                for m in range(m0, m1, 2 * SIDE):
                    if m1 - m > SIDE:
                        second = min(m + SIDE, bottom - SIDE)
                        _pack(a, m, 0, part, buffers)
                        _pack(a, second, SIDE * inputs, part, buffers)
                        place = _two_rows(m, second, columns, place, part, buffers, ends)
                    else:
                        only = max(min(m, bottom - SIDE), top)
                        _pack(a, only, 0, part, buffers)
                        place = _one_row(only, columns, place, part, buffers, ends)
    release()
    keep(left)
    keep(block)
    keep(waiting)
    keep(minus)
    keep(excess)


def _pack_py(a, m, place, part, buffers):  # type: ignore[no-untyped-def]
    """A register's rows of A from m on, inputs of the `part`, 64 of them after another, to `place` in the buffer."""
    first, last, inner, rows = part
    for r in range(rows):
        for k in range(first, last, DEPTH):
            codes = load(zeros(1, 1, a), a, (m + r) * inner + k, 0, 1, inner - k)
            store(codes, buffers[0], place + (k - first) * SIDE + r * DEPTH, 0, 1, DEPTH)


def _two_rows_py(m, second, columns, place, part, buffers, ends):  # type: ignore[no-untyped-def]
    """Two rows of registers, of C's rows from `m` and from `second` on, which may overlap them."""
    start, end, padded = columns
    for n in range(start, end, 2 * SIDE):
        if padded - n > SIDE:
            _block(2, 2, m, second, n, place, part, buffers, ends)
        else:
            _block(2, 1, m, second, n, place, part, buffers, ends)
        place += 4 * SQUARE
    return place


def _one_row_py(m, columns, place, part, buffers, ends):  # type: ignore[no-untyped-def]
    start, end, padded = columns
    for n in range(start, end, 4 * SIDE):
        if padded - n > 3 * SIDE:
            _block(1, 4, m, m, n, place, part, buffers, ends)
        elif padded - n > 2 * SIDE:
            _block(1, 3, m, m, n, place, part, buffers, ends)
        elif padded - n > SIDE:
            _block(1, 2, m, m, n, place, part, buffers, ends)
        else:
            _block(1, 1, m, m, n, place, part, buffers, ends)
        place += 4 * SQUARE
    return place


def _block_py(rows, columns, m, second, n, place, part, buffers, ends):  # type: ignore[no-untyped-def]
    """Add the products of a part of the inputs to `rows x columns` registers of C; after the last, finish them."""
    left, inputs, panels, depth, waiting, block = buffers
    first, last, inner, height = part
    out, outputs, shares, _ = ends
    plain = writes_sums(out) and not (shares[4] or shares[5])
    if first:
        restore(rows, columns, waiting, place, columns * SQUARE, columns * SIDE)
    else:
        clear(rows, columns)
    for k in range(0, last - first, DEPTH):
        panel = n * depth + (first + k) * SIDE
        multiply(rows, columns, left, k * SIDE, inputs * SIDE, panels, panel, SIDE * depth)
    if last < inner:
        save(rows, columns, waiting, place, columns * SQUARE, columns * SIDE)
    elif plain and n + columns * SIDE <= outputs:
        save(rows, columns, out, m * outputs + n, (second - m) * outputs, outputs)
    else:
        save(rows, columns, block, 0, columns * SQUARE, columns * SIDE)
        _finish_block(block, rows * height, columns * SIDE, m, second, n, height, ends)


def _finish_block_py(block, rows, wide, m, second, n, high, ends):  # type: ignore[no-untyped-def]
    """The sums of a block's rows, `wide` columns each, become what `out` holds: four rows at a time, the last of them

    beginning early where they would end late, as what belongs to each row is read for all four.
    """
    if high < 4:
        for r in range(high):
            _finish_rows(zeros(1, 1, block), block, r, wide, m + r, n, ends)
    else:
        for q in range(0, rows, 4):
            r = q if q % SIDE + 4 <= high else high - 4
            _finish_rows(zeros(4, 1, block), block, r, wide, m + r if r < SIDE else second + r - SIDE, n, ends)


def _finish_rows_py(tile, block, r, wide, m, n, ends):  # type: ignore[no-untyped-def]
    for c in range(0, wide, SIDE):
        acc = load(tile, block, r * wide + c, wide, height(tile), SIDE)
        finish(acc, m, n + c, height(tile), ends)


_finish_rows = inlined(_finish_rows_py)
_finish_block = compiled(_finish_block_py)
_pack = inlined(_pack_py)
_block = inlined(_block_py)
_one_row = inlined(_one_row_py)
_two_rows = inlined(_two_rows_py)
int8_matmul_matrix = compiled(_int8_matmul_matrix_py)
