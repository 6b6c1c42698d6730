"""Weights rounded after training, by methods that are given what they ask for, and what stays in floats beside codes.

A step's methods are functions of arrays, told apart by what they ask for. One of a `grid` gives codes on it. One of a
`format` makes its own grid and gives that (`hqq`), or codes, grid, and a mask of outliers with their values (`spqr`).
Of a low-rank pair, one of `W_new` gives the factors of what was lost (`lqer`, `qera`); without it, factors that go
first, and the rest to be rounded (`svdquant`).
"""

from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from typing import Any

import numpy as np

from nncomp.evidence import Evidence
from nncomp.formats import Grid, Uniform
from nncomp.formats.granularity import Granularity
from nncomp.layer import Linear
from nncomp.layerwise import described
from nncomp.network import MLP
from nncomp.quantize.checks import check_codes
from nncomp.quantize.nearest import fit_grid
from nncomp.quantize.ranges import Range, minmax
from nncomp.scoring import asked
from nncomp.shown import word
from nncomp.transforms import Relaxed
from nncomp.weights import Dense, Latent, LowRank, Quantized, Shared, Sparse, Sum


def in_floats(layer: Linear) -> Linear:
    """A layer as it comes to be quantized: values that weights share in floats, and inputs."""
    layer = layer.stored()
    if isinstance(layer.weight, Shared):
        layer = replace(layer, weight=layer.weight.decoded())
    return replace(layer, input=None)


def shipped(layer: Linear) -> Linear:
    """The layer as it ships: what was to be drawn onto codes in a training is on them, however far that was."""
    weight = layer.weight
    if isinstance(weight, Latent) and isinstance(weight.transform, Relaxed):
        layer = replace(layer, weight=weight.with_params((np.ones_like(weight.p[0]), weight.w)))
    layer = layer.stored()
    rows = layer.weight.A if isinstance(layer.weight, LowRank) else layer.weight
    return layer.folded() if isinstance(rows, Quantized) else layer


def check_method(method: Callable[..., Any], ranges: Range) -> None:
    """Raise unless `method` can be given all that it asks for to round weights, with `ranges` that its grid is of."""
    asked(method, *_of_grid(method))
    if brings_grid(method) and ranges is not minmax:
        raise ValueError(f"{word(method)} brings its own grid: weight_ranges are not for it")


def check_pairs(network: MLP, *ways: str) -> None:
    """Raise where `ways` that weights are rounded, if any, would meet factors, each of which is rounded by itself."""
    for i, layer in enumerate(network.layers):
        if ways and isinstance(layer.weight, LowRank):
            told = f"layer {i}: {ways[0]} is for dense float weights, not LowRank, whose factors are rounded to nearest"
            raise ValueError(f"{told}: leave {ways[0]} out, or do not factor before")


def check_low_rank(method: Callable[..., Any]) -> None:
    """Raise unless `method` can be given all that it asks for to find factors."""
    asked(method, *_of_factors(method))


def brings_grid(method: Callable[..., Any]) -> bool:
    """Whether a method makes the grid that it rounds to.

    >>> from nncomp.quantize import gptq, hqq
    >>> brings_grid(gptq), brings_grid(hqq)
    (False, True)
    """
    return callable(method) and "format" in signature(method).parameters


def by_method(
    method: Callable[..., Any],
    layer: Linear,
    i: int,
    evidence: Evidence,
    format: Uniform,
    per: Granularity,
    ranges: Range,
) -> Linear:
    """Layer i, of dense floats, with the codes that `method` finds, and its outliers."""
    W, told = layer.weight.dense(), f"{word(method)}, layer {i}"
    given = {name: getattr(evidence, name)[i] for name in asked(method, *_of_grid(method))}
    if not brings_grid(method):
        grid = fit_grid(W, format, per, ranges)
        codes = method(**given, grid=grid)
        check_codes(codes, W.shape, grid, told)
        return replace(layer, weight=Quantized.of(codes, grid))
    match method(**given, format=format, per=per):
        case Grid() as grid:
            return replace(layer, weight=Quantized.of(grid.encode(W), grid))
        case (codes, Grid() as grid, np.ndarray() as mask, np.ndarray() as values):
            check_codes(codes, W.shape, grid, told)
            return replace(layer, weight=with_outliers(codes, grid, mask, values))
        case other:
            raise ValueError(f"{told}: gives a grid, or codes, grid, mask and values, not {described(other)}")


def with_outliers(codes: np.ndarray, grid: Grid, mask: np.ndarray, values: np.ndarray) -> Quantized | Sum:
    """`W = values` where the mask (out, in) is True, `grid.decode(codes)` elsewhere: codes and a sparse part.

    In place of an outlier stands the code of 0, or the nearest to it, and the sparse part holds what is missing then.

    >>> grid = Grid(Uniform(2), np.array([[1.0]]))
    >>> with_outliers(np.array([[1, 1]], np.int8), grid, np.array([[True, False]]), np.array([[9.0, 0.0]])).dense()
    array([[9., 1.]])
    """
    codes = np.where(mask, grid.encode(np.zeros_like(values)), codes)
    quantized = Quantized.of(codes, grid)
    return Sum((quantized, Sparse.from_dense(values - grid.decode(codes), mask))) if mask.any() else quantized


def with_factors(
    method: Callable[..., Any],
    rank: int,
    layer: Linear,
    i: int,
    evidence: Evidence,
    rounded: Callable[[Linear, int, Evidence], Linear],
) -> Linear:
    """Layer i as `W ~ Q + A B`, Q `rounded` before `method` finds the factors, or of what they leave."""
    rank = min(rank, *layer.weight.shape)
    given = {name: getattr(evidence, name)[i] for name in asked(method, *_of_factors(method))}
    if "W_new" in _of_factors(method):
        new = rounded(layer, i, evidence)
        A, B = method(**given, W_new=new.weight.dense(), rank=rank)
    else:
        A, B, rest = method(**given, rank=rank)
        layer = replace(layer, weight=Dense(rest))
        new = rounded(layer, i, Evidence(evidence.network.with_layer(i, layer), evidence.samples))
    return replace(new, weight=Sum.of(new.weight, LowRank.of(A, B)))  # type: ignore[arg-type]


def _of_grid(method: Callable[..., Any]) -> tuple[str, ...]:
    return ("format", "per") if brings_grid(method) else ("grid",)


def _of_factors(method: Callable[..., Any]) -> tuple[str, ...]:
    return ("W_new", "rank") if callable(method) and "W_new" in signature(method).parameters else ("rank",)
