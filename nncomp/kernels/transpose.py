"""Batches turned on their side, a register at a time: `(batch, features)` to `(features, lanes of the batch)` and back.

With the batch innermost one weight multiplies a whole register of samples, wherever in the row it stands.
"""

from nncomp.kernels.jit import compiled
from nncomp.kernels.simd import load, square, store, transposed, width


def _to_lanes_py(x, b, first, features, xT, wide):  # type: ignore[no-untyped-def]
    """`xT[k, c] = x[b + c, first + k]` for the `features` k and c < `wide`; 0 where the batch has ended."""
    tile = square(x)
    lanes, total = width(tile), x.shape[1]
    for c in range(0, wide, lanes):
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


to_lanes = compiled(_to_lanes_py)
from_lanes = compiled(_from_lanes_py)
