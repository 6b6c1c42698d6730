"""The laws of DESIGN section 5, held by every form of a weight."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import Grid, PerRow, PerTensor, Uniform
from nncomp.quantize.nearest import fit_grid
from nncomp.transforms import (
    A2Q,
    TTQ,
    TWN,
    XNOR,
    DoReFa,
    FakeQuantize,
    Movement,
    NofM,
    Powerpropagation,
    Relaxed,
    Rounded,
    SoftMovement,
    SoftThreshold,
    Supermask,
    TrainedDSQ,
    TrainedEWGS,
    Variational,
)
from nncomp.weights import Dense, Latent, LowRank, Nested, Quantized, Sparse, Sum, Weight
from tests.gradients import assert_gradient
from tests.strategies.surrogates import trained_through
from tests.strategies.weights import byte_uniforms, each_form, masks, plain_codes, quantized, seeds, sparse, with_batch

Form = Callable[..., st.SearchStrategy[Weight]]
FITTED = FakeQuantize | Rounded | A2Q | Relaxed | DoReFa | XNOR | TWN | TTQ  # scales follow a mask


def arrays_of(part: Any) -> list[np.ndarray]:
    """Every array in a tree of dataclasses and tuples."""
    if isinstance(part, np.ndarray):
        return [part]
    if isinstance(part, tuple):
        return [a for item in part for a in arrays_of(item)]
    return [a for f in fields(part) for a in arrays_of(getattr(part, f.name))] if is_dataclass(part) else []


def magnitude(weight: Weight) -> np.ndarray:
    """The matrix in float64, had nothing cancelled in it."""
    if isinstance(weight, LowRank):
        return magnitude(weight.A) @ magnitude(weight.B)
    if isinstance(weight, Sum):
        return np.sum([magnitude(part) for part in weight.parts], axis=0)
    return np.abs(weight.dense().astype(np.float64))


def bound(weight: Weight, x: np.ndarray, terms: int) -> np.ndarray:
    """Law 1's rounding: each term, their sum, and the value a form computes, off by a unit in the last place.

    Of a product, the sums over the rank too, in y and in W, and the values of both factors; of a sum, the additions of
    its parts, in y and in W.
    """
    eps = np.finfo(weight.dtype).eps
    if isinstance(weight, LowRank):
        terms += 2 * weight.rank + 2
    if isinstance(weight, Sum):
        parts = [bound(part, x, terms) for part in weight.parts]
        return np.sum([(1 + 2 * len(parts) / (terms + 2)) * part for part in parts], axis=0)
    return (terms + 2) * eps * (np.abs(x.astype(np.float64)) @ magnitude(weight).T)


@each_form
@given(data=st.data())
def test_linearity(form: Form, data: st.DataObject) -> None:
    weight, x, _ = data.draw(with_batch(form()))
    exact = x.astype(np.float64) @ weight.dense().astype(np.float64).T
    for y in (weight.apply(x), weight.forward(x)[0], weight.prepared().apply(x)):
        assert y.dtype == weight.dtype and y.shape == (len(x), weight.shape[0])
        assert (np.abs(y - exact) <= bound(weight, x, weight.shape[1])).all()


def surrogate(start: Weight, weight: Weight, params: tuple[np.ndarray, ...]) -> np.ndarray:
    """The matrix whose gradient at `weight` is tested: the form's own, but for rounding, whose residue is constant."""
    if isinstance(weight, Latent) and (trained := trained_through(weight, params)) is not None:
        return trained
    if isinstance(weight, Latent) and isinstance(weight.transform, FakeQuantize):
        kept = weight.transform.mask if weight.transform.mask is not None else np.ones(weight.shape, bool)
        grid = fit_grid(np.where(kept, weight.w, 0), weight.transform.format, weight.transform.per)
        codes = np.rint(weight.w / grid.spread(grid.scale, weight.shape[1])) + grid.spread(grid.zeros, weight.shape[1])
        passes = kept & (codes >= grid.format.qmin) & (codes <= grid.format.qmax)
        return np.where(passes, params[-1] + (weight.dense() - weight.w), weight.dense())
    if isinstance(weight, Latent) and isinstance(weight.transform, Rounded):  # straight through
        kept = weight.transform.mask if weight.transform.mask is not None else np.ones(weight.shape, bool)
        return weight.dense() + np.where(kept, params[-1] - weight.w, 0)
    if isinstance(weight, Latent) and isinstance(weight.transform, SoftThreshold):  # the piece that is kept
        threshold = 1 / (1 + np.exp(-params[0]))
        return np.where(weight.dense() != 0, params[-1] - np.sign(weight.w) * threshold, 0)
    if isinstance(weight, Latent) and isinstance(weight.transform, Powerpropagation):  # straight at 0
        alpha, mask = weight.transform.alpha, weight.transform.mask
        kept = (weight.dense() != 0) if alpha > 1 else np.ones(weight.shape, bool) if mask is None else mask
        return np.where(kept, np.sign(params[-1]) * np.abs(params[-1]) ** alpha, 0)
    if isinstance(weight, Latent) and isinstance(weight.transform, NofM):  # as if nothing were hidden
        kept = weight.transform.mask if weight.transform.mask is not None else np.ones(weight.shape, bool)
        return weight.dense() + np.where(kept, params[-1] - weight.w, 0)
    if isinstance(weight, Latent) and isinstance(weight.transform, Supermask):  # as if a score were its mask
        kept = weight.transform.mask if weight.transform.mask is not None else np.ones(weight.shape, bool)
        return weight.dense() + np.where(kept, (params[0] - weight.p[0]) * weight.w, 0)
    if isinstance(weight, Latent) and isinstance(weight.transform, Variational):  # those that are kept
        mask = weight.transform.mask if weight.transform.mask is not None else np.ones(weight.shape, bool)
        kept = np.exp(weight.p[0]) < np.exp(3) * (weight.w**2 + 1e-8)
        return np.where(kept & mask, params[-1], 0)
    if isinstance(weight, Latent) and isinstance(weight.transform, Movement | SoftMovement):  # as if S were its mask
        kept = weight.transform.mask if weight.transform.mask is not None else np.ones(weight.shape, bool)
        taken = weight.transform.forward(weight.p, np.ones_like(weight.w))[0]
        moved = np.where(kept, (params[0] - weight.p[0]) * weight.w, 0)
        return weight.dense() + moved + taken * (params[-1] - weight.w)
    if isinstance(weight, Nested):  # as if all took part
        W = weight.dense()
        W[weight.rows, weight.columns] += params[0] - weight.values
        return W
    if isinstance(start, LowRank) and isinstance(weight, LowRank):
        n = len(start.A.params)
        return surrogate(start.A, weight.A, params[:n]) @ surrogate(start.B, weight.B, params[n:])
    return start.with_params(params).dense()


@each_form
@given(data=st.data(), seed=seeds)
def test_gradient(form: Form, data: st.DataObject, seed: int) -> None:
    start, x, dy = data.draw(with_batch(form(np.float64)))
    moved = data.draw(st.sampled_from([1.01, 0.4, 2.7]))  # far from where it began, and from a mantissa of 1
    check_gradient(start, moved, x, dy, seed)


def check_gradient(start: Weight, moved: float, x: np.ndarray, dy: np.ndarray, seed: int) -> None:
    """By finite differences, of the form that began at `start` and whose parameters were multiplied by `moved`."""
    at = tuple(p * moved for p in start.params)
    weight = start.with_params(at)

    def loss(x: np.ndarray, *params: np.ndarray) -> float:
        return float((dy * (x @ surrogate(start, weight, params).T)).sum())

    dx, dparams = weight.vjp(weight.forward(x)[1], dy)
    assert dx is not None and dx.shape == x.shape
    terms = float((np.abs(dy) * (np.abs(x) @ magnitude(weight).T)).sum())
    assert_gradient(lambda x: loss(x, *at), [x], [dx], seed, terms)
    # Apart from x: of three factors that move together, where two are 0, a difference sees the third order alone.
    assert_gradient(partial(loss, x), at, dparams, seed, terms)


def test_gradient_that_cancels() -> None:
    two_bits = FakeQuantize(Uniform(2, signed=False, symmetric=False), PerTensor())
    column = np.array([[0, -0.13210486, 0, 0.10490012, -0.53566937, 0, 0, 0.94708096, -0.70373524]]).T
    product = LowRank(Latent(two_bits, (), np.full((1, 9), 0.12573022)), Latent(two_bits, (), column))
    x, dy = np.array([[0.12573022], [-0.13210486], [0.64042265]]), np.array([[0.10490012], [-0.53566937], [0.36159505]])
    assert abs(product.dense()) < 1e-15
    check_gradient(product, 1.01, x, dy, seed=0)


@pytest.mark.parametrize("size", [0.37474982788497835, *np.linspace(0.1, 0.9, 40)])
def test_gradient_halfway_between_codes(size: float) -> None:
    """Two bits from -u to u: 0 is as near to one code as to the other, and rounding errors say which it takes."""
    u, w = np.array([[size]]), np.array([[0.12573022, 0.0, -0.13210486]])
    x, dy = np.array([[0.64042265, -0.53566937, 0.36159505]]), np.array([[0.41163054]])
    for by, last in ((TrainedDSQ(2, alpha=0.2), 0.14), (TrainedEWGS(2, delta=0.0), 0.3)):
        check_gradient(Latent(by, (-u, u, np.array([[last]])), w), 1.01, x, dy, seed=0)


@each_form
@given(data=st.data())
def test_vjp_skips_what_is_not_needed(form: Form, data: st.DataObject) -> None:
    weight, x, dy = data.draw(with_batch(form()))
    saved = weight.forward(x)[1]
    dx, dparams = weight.vjp(saved, dy, need_dx=False)
    assert dx is None
    for a, b, p in zip(dparams, weight.vjp(saved, dy)[1], weight.params):
        assert a.dtype == p.dtype and a.shape == p.shape
        np.testing.assert_array_equal(a, b)


@each_form
@given(data=st.data())
def test_bytes_are_those_of_every_array_stored(form: Form, data: st.DataObject) -> None:
    weight = data.draw(form())
    assert weight.nbytes == sum(a.nbytes for a in arrays_of(weight))


@each_form
@given(data=st.data())
def test_purity(form: Form, data: st.DataObject) -> None:
    weight, x, dy = data.draw(with_batch(form()))
    inputs = [*arrays_of(weight), x, dy]
    before = [a.copy() for a in inputs]
    for a in inputs:
        a.flags.writeable = False
    first = weight.apply(x), *weight.vjp(weight.forward(x)[1], dy)[1]
    again = weight.apply(x), *weight.vjp(weight.forward(x)[1], dy)[1]
    for a, b in zip(inputs, before):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(first, again):
        assert a.tobytes() == b.tobytes()


@each_form
@given(data=st.data())
def test_masking_keeps_exactly_the_rest(form: Form, data: st.DataObject) -> None:
    weight = data.draw(form())
    mask = data.draw(masks(weight.shape))
    expected = np.where(mask, weight.dense(), 0)
    if not (isinstance(weight, Latent) and isinstance(weight.transform, FITTED)):
        np.testing.assert_array_equal(weight.masked(mask).dense(), expected)
    assert not weight.masked(mask).dense()[~mask].any()


@each_form
@given(data=st.data())
def test_params_round_trip(form: Form, data: st.DataObject) -> None:
    weight = data.draw(form())
    assert weight.with_params(weight.params).dense().tobytes() == weight.dense().tobytes()


@each_form
@given(data=st.data())
def test_what_is_trained_is_what_is_stored(form: Form, data: st.DataObject) -> None:
    weight = data.draw(form())
    if isinstance(weight, Latent | LowRank):
        stored = weight.store()
        assert not any(isinstance(part, Latent) for part in (stored, *vars(stored).values()))
        assert stored.dense().tobytes() == weight.dense().tobytes()


@given(sparse())
def test_sparse_round_trips_and_takes_the_smallest_indices(weight: Sparse) -> None:
    again = Sparse.from_dense(weight.dense(), weight.mask)
    for name in ("values", "columns", "row_start"):
        assert getattr(again, name).tobytes() == getattr(weight, name).tobytes()
    assert weight.columns.dtype == np.uint8 and weight.multiply_adds == weight.mask.sum()


@given(with_batch(quantized(formats=byte_uniforms)), st.data())
def test_integer_product_equals_a_plain_int64_evaluation(
    case: tuple[Quantized, np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    """Block by block, for dense and sparse codes, every granularity and sign; and so does y, scales included."""
    weight, x, _ = case
    format = data.draw(byte_uniforms)
    grid = (
        fit_grid(x, format, data.draw(st.sampled_from([PerRow()])))
        if len(x)
        else Grid(format, np.ones((1, 1), x.dtype))
    )
    q = grid.encode(x)
    check_integer_product(weight, q, grid)


@given(with_batch(quantized()))
def test_integer_product_of_wide_codes(case: tuple[Quantized, np.ndarray, np.ndarray]) -> None:
    weight, x, _ = case
    format = Uniform(bits=16)
    grid = Grid(format, np.full((1, 1), 0.001, x.dtype))
    check_integer_product(weight, grid.encode(x), grid)


def check_integer_product(weight: Quantized, q: np.ndarray, grid: Grid) -> None:
    out, inputs = weight.shape
    kept = weight.codes.mask if isinstance(weight.codes, Sparse) else np.ones(weight.shape, bool)
    codes = plain_codes(weight).astype(np.int64)
    scale, zeros = np.broadcast_arrays(weight.grid.scale, weight.grid.zeros)
    rows, blocks = scale.shape
    size = weight.grid.group or inputs
    y = np.zeros((len(q), out), weight.dtype)
    sums = list(weight.accumulate(q, grid))
    assert len(sums) == blocks
    for b, (acc, block_scale) in enumerate(sums):
        columns = slice(b * size, min((b + 1) * size, inputs))
        zero = np.broadcast_to(zeros[:, b : b + 1], (out, 1)) if rows == 1 else zeros[:, b : b + 1]
        w = np.where(kept, codes - zero, 0)[:, columns]
        x = q[:, columns].astype(np.int64) - grid.zeros.astype(np.int64)
        exact = x @ w.T
        assert acc.dtype.kind == "i"
        np.testing.assert_array_equal(acc, exact)
        s = np.broadcast_to(weight.grid.scale[:, b], (out,))[None, :]
        y += exact.astype(weight.dtype) * (grid.scale * s)
        assert np.broadcast_to(block_scale, (1, out)).tobytes() == s.tobytes()
    assert weight.apply_codes(q, grid).tobytes() == y.tobytes()


def test_the_gradient_of_many_rows_scales() -> None:
    """More rows than Python keeps small integers for."""
    grid = Grid(Uniform(), np.ones((300, 1)))
    weight = Quantized(np.ones((300, 2), np.int8), grid)
    _, (dp,) = weight.vjp(np.ones((1, 2)), np.arange(300.0)[None])
    assert dp.shape == (300, 1) and (dp[:, 0] / dp[1, 0] == np.arange(300)).all()


BAD_PATTERNS = {
    "row starts must rise": dict(row_start=[0, 2, 1, 3]),
    "row starts must rise from 0": dict(row_start=[1, 1, 2, 3]),
    "to the 3 values": dict(row_start=[0, 1, 2, 4]),
    "column 4 in a weight of 4 inputs": dict(columns=[0, 4, 1]),
    "columns must rise within a row": dict(columns=[2, 2, 1], row_start=[0, 2, 3, 3]),
    "do not at value 2": dict(columns=[0, 3, 1], row_start=[0, 0, 3, 3]),
    "one column per value": dict(columns=[0, 1]),
}


@pytest.mark.parametrize("message", BAD_PATTERNS)
def test_broken_patterns_never_reach_a_kernel(message: str) -> None:
    good = dict(values=[1.0, 2.0, 3.0], columns=[0, 3, 1], row_start=[0, 2, 2, 3])
    parts = {k: np.array(v, None if k == "values" else np.uint8) for k, v in {**good, **BAD_PATTERNS[message]}.items()}
    with pytest.raises(ValueError, match=message):
        Sparse(**parts, inputs=4)


def test_bad_weights_say_what_is_wrong() -> None:
    w = np.ones((2, 3), np.float32)
    codes, grid = np.ones((2, 3), np.int8), Grid(Uniform(bits=4), np.ones((1, 1), np.float32))
    for make, message in [
        (lambda: Dense(w.astype(np.float16)), "float32 or float64, not float16"),
        (lambda: Dense(w[0]), r"not of shape \(3,\)"),
        (lambda: Dense(w[:0]), r"not of shape \(0, 3\)"),
        (lambda: Dense(w).apply(w.T), r"\(3, 2\) does not fit a weight float32 \(out, in\) = \(2, 3\)"),
        (lambda: Dense(w).apply(w.astype(np.float64)), "float64"),
        (lambda: Dense(w).masked(np.ones((3, 2), bool)), r"bool \(3, 2\)"),
        (lambda: Quantized(codes.astype(np.int16), grid), "are int8, not int16"),
        (lambda: Quantized(codes * 9, grid), "codes from 9 to 9 leave Uniform.bits=4.: -8 to 7"),
        (lambda: Quantized(codes, Grid(Uniform(), np.ones((3, 1)))), r"\(2, 3\) does not fit scales \(3, 1\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
