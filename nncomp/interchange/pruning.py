"""Weights of another framework pruned as they are: an array in, its mask and what is left of it out."""

from collections.abc import Callable, Collection
from inspect import Parameter, signature
from typing import Any

import numpy as np

from nncomp.interchange.arrays import to_numpy
from nncomp.layerwise import check_weights
from nncomp.prune import keep_largest, magnitude
from nncomp.prune.checks import check_mask
from nncomp.shown import word


def prune_array(
    weights: Any,
    sparsity: float,
    scores: Callable[..., np.ndarray] = magnitude,
    keep: Callable[[np.ndarray, float], np.ndarray] = keep_largest,
    **given: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """`(mask, pruned)` of weights that `to_numpy` can read, of their shape; the given ones are unchanged.

    The first axis is the outputs; the others, of a convolution's kernels, are its inputs together. `scores` is called
    with the matrix (out, in) and with what is `given` by name, such as `norms` for `wanda` or `g` for `snip`, which
    may be another framework's too; `keep` is a mask of one layer. Floats in, floats of the same kind out, bfloat16 and
    float8 as float32.

    >>> from nncomp.prune import keep_each_row, wanda
    >>> mask, pruned = prune_array([[1.0, -2.0], [3.0, 4.0]], 0.5, wanda, keep_each_row, norms=[3.0, 1.0])
    >>> pruned
    array([[1., 0.],
           [3., 0.]])
    """
    W = to_numpy(weights)
    matrix = as_matrix(W)
    first, *others = signature(scores).parameters.values()
    check_given(scores, others, given, "one array")
    arrays = {name: beside(W, matrix, value) for name, value in given.items()}
    all_layers = first.name == "weights"  # this one is all of them
    found = scores([matrix], **arrays)[0] if all_layers else scores(matrix, **arrays)
    mask = keep(found, sparsity)
    check_mask(found, mask)
    mask = np.broadcast_to(mask, matrix.shape).reshape(W.shape).copy()
    return mask, np.where(mask, W, W.dtype.type(0))


def as_matrix(W: np.ndarray) -> np.ndarray:
    """Weights of any shape as (out, in), in being all axes but the first; a vector as one row.

    >>> as_matrix(np.zeros((4, 3, 5, 5))).shape
    (4, 75)
    """
    matrix = W.reshape(len(W), W[0].size if len(W) else 0) if W.ndim > 1 else W.reshape(1, -1)
    check_weights(matrix)
    return matrix


def check_given(
    method: Callable[..., Any], arguments: Collection[Parameter], given: Collection[str], none: str
) -> None:
    """Raise unless what is `given` by name is all that a method needs of these arguments, and nothing else.

    >>> check_given(round, signature(round).parameters.values(), ["number"], "none")
    """
    needed, known = {p.name for p in arguments if p.default is p.empty}, {p.name for p in arguments}
    if needed - set(given) or set(given) - known:
        told = ", ".join(sorted(needed)) or "no other array"
        raise ValueError(f"{word(method)} needs {told}, not {', '.join(given) or none}")


def beside(W: np.ndarray, matrix: np.ndarray, value: Any) -> Any:
    """What is given beside weights: an array of their shape takes the matrix's, any other is read, a number stays one.

    >>> beside(np.zeros((2, 1, 3)), np.zeros((2, 3)), np.ones((2, 1, 3))).shape
    (2, 3)
    """
    if not hasattr(value, "__len__"):
        return value
    array = to_numpy(value)
    return array.reshape(matrix.shape) if array.shape == W.shape else array
