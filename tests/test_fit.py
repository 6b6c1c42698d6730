"""What does not fit a weight is refused, too small and too large alike; what a transform trains besides the weight."""

import re
from dataclasses import dataclass

import numpy as np
import pytest

from nncomp.formats import Grid, Uniform
from nncomp.layer import Linear
from nncomp.norm import BatchNorm
from nncomp.transforms import Masked
from nncomp.weights import Dense, Latent, Quantized, Sparse, Weight
from tests.gradients import assert_gradient

F4, F8 = np.float32, np.float64
MASK = np.array([[True, False, True], [False, True, True]])


def forms(dtype: type) -> list[Weight]:
    """Each form of a weight (2, 3)."""
    w = np.ones((2, 3), dtype)
    codes, grid = w.astype(np.int8), Grid(Uniform(), np.ones((1, 1), dtype))
    return [
        Dense(w), Sparse.from_dense(w, MASK), Quantized(codes, grid),
        Quantized(Sparse.from_dense(codes, MASK), grid), Latent.of(Masked(MASK), w),
    ]  # fmt: skip


names = ["dense", "sparse", "dense_codes", "sparse_codes", "latent"]
each = pytest.mark.parametrize("form", range(len(names)), ids=names)
dtypes = pytest.mark.parametrize(("dtype", "other"), [(F4, F8), (F8, F4)])


@each
@dtypes
def test_inputs(form: int, dtype: type, other: type) -> None:
    weight = forms(dtype)[form]
    for x in (
        np.ones(3, dtype), np.ones((1, 3, 3), dtype), np.ones((4, 2), dtype), np.ones((4, 4), dtype),
        np.ones((4, 3), other),
    ):  # fmt: skip
        message = f"an input {x.dtype} of shape {x.shape} does not fit a weight {np.dtype(dtype)} (out, in) = (2, 3)"
        with pytest.raises(ValueError, match=re.escape(message)):
            weight.forward(x)
        with pytest.raises(ValueError, match=re.escape(message)):
            weight.apply(x)


@dtypes
@pytest.mark.parametrize("form", range(4), ids=names[:4])
def test_gradients(form: int, dtype: type, other: type) -> None:
    weight, x = forms(dtype)[form], np.ones((4, 3), dtype)
    for dy in (
        np.ones((3, 2), dtype), np.ones((5, 2), dtype), np.ones((4, 1), dtype), np.ones((4, 3), dtype),
        np.ones((4, 2), other),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=re.escape(f"is {np.dtype(dtype)} (4, 2), not {dy.dtype} {dy.shape}")):
            weight.vjp(x, dy)


@pytest.mark.parametrize("form", range(4), ids=names[:4])
@pytest.mark.parametrize("mask", [MASK[:1], MASK[:, :2], np.ones((3, 3), bool), MASK.astype(np.int8), MASK * 1.0])
def test_masks(form: int, mask: np.ndarray) -> None:
    message = f"shape (2, 3) is boolean of that shape, not {mask.dtype} {mask.shape}"
    with pytest.raises(ValueError, match=re.escape(message)):
        forms(F4)[form].masked(mask)


@pytest.mark.parametrize("shape", [(3,), (0, 3), (3, 0), (1, 2, 3)])
def test_weights_are_matrices(shape: tuple[int, ...]) -> None:
    for make in (Dense, lambda w: Latent(Masked(MASK), (), w), lambda w: Quantized(w.astype(np.int8), None)):
        with pytest.raises(ValueError, match=re.escape(f"at least one of each, not of shape {shape}")):
            make(np.ones(shape, F4))


@each
def test_multiplications_are_those_of_the_kept_weights(form: int) -> None:
    """A latent weight is dense while it trains."""
    assert forms(F4)[form].multiply_adds == [6, 4, 6, 4, 6][form]


@dataclass(frozen=True, eq=False)
class Affine:
    """`w' = a w + b`, a and b per row."""

    def init(self, w):  # type: ignore[no-untyped-def]
        return np.ones((len(w), 1)), np.zeros((len(w), 1))

    def forward(self, p, w):  # type: ignore[no-untyped-def]
        return p[0] * w + p[1], w

    def vjp(self, p, saved, g):  # type: ignore[no-untyped-def]
        return ((g * saved).sum(axis=1, keepdims=True), g.sum(axis=1, keepdims=True)), g * p[0]


def test_a_transform_may_have_trainable_arrays_of_its_own() -> None:
    rng = np.random.default_rng(0)
    start = Latent.of(Affine(), rng.standard_normal((2, 3)))  # type: ignore[arg-type]
    assert start.nbytes == (2 + 2 + 6) * 8
    params = tuple(p + rng.standard_normal(p.shape) for p in start.params)
    weight = start.with_params(params)
    np.testing.assert_array_equal(weight.dense(), params[0] * params[2] + params[1])
    x, dy = rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
    dx, dparams = weight.vjp(weight.forward(x)[1], dy)

    def loss(x: np.ndarray, *p: np.ndarray) -> float:
        return float((dy * start.with_params(p).apply(x)).sum())

    assert_gradient(loss, [x, *params], [dx, *dparams])
    layer = Linear(weight, np.zeros(2), norm=BatchNorm.init(2, np.float64))
    assert all(p is q for p, q in zip(layer.params, layer.with_params(layer.params).params, strict=True))
