"""Weights of another framework quantized as they are: an array in, codes and what they stand for out."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from nncomp.formats import Grid, PerRow, Uniform
from nncomp.formats.granularity import Granularity
from nncomp.interchange.arrays import to_numpy
from nncomp.interchange.pruning import as_matrix, beside, check_given
from nncomp.quantize import minmax
from nncomp.quantize.checks import check_codes
from nncomp.quantize.nearest import fit_grid
from nncomp.quantize.ranges import Range
from nncomp.shown import word


def quantize_array(
    weights: Any,
    format: Uniform | None = None,
    per: Granularity | None = None,
    ranges: Range = minmax,
    method: Callable[..., np.ndarray] | None = None,
    **given: Any,
) -> tuple[np.ndarray, Grid, np.ndarray]:
    """`(codes, grid, quantized)` of weights that `to_numpy` can read; codes and new weights are of their shape.

    The first axis is the outputs; the others, of a convolution's kernels, are its inputs together, and the grid is that
    of the matrix: symmetric int8 with a scale for each output if nothing is said. `method` is called with the matrix
    (out, in), the grid, and what is `given` by name, such as `H` for `gptq` or `X` for `gpfq`, which may be another
    framework's too; without one, each weight is rounded to nearest. Floats in, floats of the same kind out, bfloat16
    and float8 as float32.

    >>> from nncomp.quantize import gptq
    >>> codes, grid, new = quantize_array([[0.4, 0.4, 7.0]], Uniform(4), method=gptq, H=np.eye(3) + 9)
    >>> codes, new
    (array([[0, 1, 7]], dtype=int8), array([[0., 1., 7.]]))
    """
    W = to_numpy(weights)
    matrix = as_matrix(W)
    if not isinstance(per or PerRow(), Granularity):
        raise ValueError(f"what shares a scale is a granularity such as PerRow(), not {per!r}")
    if method is None and given:
        raise ValueError(f"rounding to nearest needs nothing else, not {', '.join(given)}")
    if method is not None:
        arguments = signature(method).parameters
        if "grid" not in arguments:
            raise ValueError(f"{word(method)} takes no grid: it does not round to one")
        check_given(method, [p for p in arguments.values() if p.name not in ("W", "grid")], given, "none")
    wide = matrix if matrix.dtype in (np.float32, np.float64) else matrix.astype(np.float32)
    grid = fit_grid(wide, format or Uniform(), per or PerRow(), ranges)
    arrays = {name: beside(W, matrix, value) for name, value in given.items()}
    codes = grid.encode(wide) if method is None else method(W=wide, grid=grid, **arrays)
    check_codes(codes, matrix.shape, grid, word(method))
    return codes.reshape(W.shape), grid, grid.decode(codes).astype(W.dtype).reshape(W.shape)
