"""Batches turned on their side, a register at a time: `(batch, features)` to `(features, lanes of the batch)` and back.

With the batch innermost one weight multiplies a whole register of samples, wherever in the row it stands.
"""

import numpy as np

from nncomp.kernels.jit import compiled, inlined
from nncomp.kernels.memory import aligned
from nncomp.kernels.simd import load, square, store, transposed, width


def _to_lanes_py(x, b, first, features, xT, wide):  # type: ignore[no-untyped-def]
    """`xT[k, c] = x[b + c, first + k]` for the `features` k and c < `wide`; 0 where the batch has ended.

    Registers that reach beyond a row are written first, and the next row over what they leave there.
    """
    tile = square(x)
    lanes, total = width(tile), x.shape[1]
    for c in range((wide - 1) // lanes * lanes, -1, -lanes):
        for k in range(0, features, lanes):
            at = (b + c) * total + first + k
            found = load(tile, x, at, total, len(x) - b - c, features - k)
            store(transposed(found), xT, k * wide + c, wide, lanes, lanes)


def _from_lanes_py(yT, y, b, wide):  # type: ignore[no-untyped-def]
    """`y[b + c, k] = yT[k, c]` for all features k and c < `wide`, while the batch lasts."""
    tile = square(y)
    lanes, total = width(tile), y.shape[1]
    for c in range(0, min(wide, len(y) - b), lanes):
        for k in range(0, total, lanes):
            found = load(tile, yT, k * wide + c, wide, lanes, lanes)
            store(transposed(found), y, (b + c) * total + k, total, len(y) - b - c, total - k)


def _words_to_lanes_py(a, move, b, batch, words, wide):  # type: ignore[no-untyped-def]
    """Codes moved by `move`, four inputs of a sample together: `words[k, c] = a[b + c, 4 k : 4 k + 4]`, c < `wide`."""
    inner, lanes = a.shape[1], width(square(words))
    padded = (inner + 4 * lanes - 1) // (4 * lanes) * 4 * lanes  # whole registers of words
    rows = aligned(wide * padded, a)
    for m in range(min(wide, batch - b)):
        for k in range(inner):
            rows[m * padded + k] = a[b + m, k] + move
    to_lanes(rows.view(np.int32).reshape(wide, padded // 4), 0, 0, padded // 4, words, wide)


to_lanes = compiled(_to_lanes_py)
words_to_lanes = inlined(_words_to_lanes_py)
from_lanes = compiled(_from_lanes_py)
