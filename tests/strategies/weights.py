"""Weights of every form: a new form joins the laws by one line in `FORMS`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from nncomp.formats import PerColumn, PerGroup, PerRow, PerTensor, Uniform, divide_add_round, multiply_add_round
from nncomp.formats.names import NAMES
from nncomp.quantize.nearest import fit_grid
from nncomp.transforms import (
    A2Q,
    DSQ,
    EWGS,
    LSQ,
    PARQ,
    TQT,
    TTQ,
    TWN,
    XNOR,
    BinaryConnect,
    BinaryRelax,
    DoReFa,
    FakeQuantize,
    HardConcrete,
    Masked,
    Movement,
    NofM,
    Powerpropagation,
    QuantizationNoise,
    Rounded,
    SoftMovement,
    SoftThreshold,
    StochasticBinaryConnect,
    Supermask,
    TrainedDSQ,
    TrainedEWGS,
    Variational,
)
from nncomp.transforms.binary import levels
from nncomp.weights import (
    Dense,
    Encoded,
    Latent,
    LowRank,
    Nested,
    PackedCodes,
    Quantized,
    Shared,
    Sparse,
    Sum,
    Weight,
)
from nncomp.weights.latent import Transform

seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from([np.float32, np.float64])
sides = st.integers(1, 12)
granularities = st.one_of(
    st.just(PerTensor()), st.just(PerRow()), st.just(PerColumn()), st.integers(1, 13).map(PerGroup)
)
uniforms = st.builds(
    Uniform,
    bits=st.integers(2, 16),
    signed=st.booleans(),
    symmetric=st.booleans(),
    narrow=st.booleans(),
)
byte_uniforms = st.builds(
    Uniform, bits=st.integers(2, 8), signed=st.booleans(), symmetric=st.booleans(), narrow=st.booleans()
)


@st.composite
def matrices(draw: st.DrawFn, dtype: type | None = None) -> np.ndarray:
    """A weight matrix (out, in), some rows and columns all zero, at a random scale."""
    rng = np.random.default_rng(draw(seeds))
    w = rng.standard_normal((draw(sides), draw(sides))) * 10.0 ** draw(st.integers(-3, 3))
    if draw(st.booleans()):
        w[rng.random(len(w)) < 0.3] = 0
        w[:, rng.random(w.shape[1]) < 0.3] = 0
    return w.astype(dtype or draw(dtypes))


@st.composite
def masks(draw: st.DrawFn, shape: tuple[int, int]) -> np.ndarray:
    """A mask of any density, from nothing kept to everything."""
    rng = np.random.default_rng(draw(seeds))
    return rng.random(shape) < draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))


@st.composite
def dense(draw: st.DrawFn, dtype: type | None = None) -> Dense:
    return Dense(draw(matrices(dtype)))


@st.composite
def sparse(draw: st.DrawFn, dtype: type | None = None) -> Sparse:
    w = draw(matrices(dtype))
    return Sparse.from_dense(w, draw(masks(w.shape)))


@st.composite
def dense_codes(
    draw: st.DrawFn,
    dtype: type | None = None,
    formats: st.SearchStrategy[Uniform] = uniforms,
    kept: Callable[[type | None], st.SearchStrategy[Dense | Sparse]] = dense,
) -> Quantized:
    weight = draw(kept(dtype))
    return Quantized.encoded(weight, fit_grid(weight.dense(), draw(formats), draw(granularities)))


def sparse_codes(
    dtype: type | None = None, formats: st.SearchStrategy[Uniform] = uniforms
) -> st.SearchStrategy[Quantized]:
    return dense_codes(dtype, formats, sparse)


def float_zero_codes(dtype: type | None = None) -> st.SearchStrategy[Quantized]:
    """Codes whose zero points are none, of 1 bit too."""
    formats = st.builds(
        Uniform, bits=st.integers(1, 9), signed=st.booleans(), symmetric=st.just(False), integer_zero=st.just(False),
        arithmetic=st.sampled_from([divide_add_round, multiply_add_round]),
    )  # fmt: skip
    return dense_codes(dtype, formats) | dense_codes(dtype, formats, sparse)


@st.composite
def halfway_codes(draw: st.DrawFn, dtype: type | None = None) -> Quantized:
    """Codes with zero points halfway between two, as of signs: of 1 bit and more, kept here and there."""
    weight, format = draw(dense(dtype) | sparse(dtype)), levels(draw(st.integers(1, 9)))
    grid = fit_grid(weight.dense(), format, draw(granularities))
    halves = np.random.default_rng(draw(seeds)).integers(-3, 2 * format.qmax + 3, grid.scale.shape)
    return Quantized.encoded(weight, replace(grid, zero_point=halves.astype(grid.scale.dtype) / 2))


def has_zero(name: str) -> bool:
    """Whether a format has a code for what is pruned."""
    return name not in ("binary", "q4_1", "q5_1")


@st.composite
def encoded(draw: st.DrawFn, dtype: type | None = None) -> Encoded:
    name = draw(st.sampled_from([n for n in NAMES if has_zero(n)]))
    return Encoded.of(NAMES[name], draw(matrices(dtype)))


@st.composite
def shared(draw: st.DrawFn, dtype: type | None = None, pruned: bool = False) -> Shared:
    """Of few centers and of more than a kernel takes, some of which are equal or nobody's."""
    w, k = draw(matrices(dtype)), draw(st.sampled_from([1, 2, 3, 7, 16, 17, 256, 257]))
    rng = np.random.default_rng(draw(seeds))
    indices = rng.integers(0, k, w.shape).astype(np.uint8 if k <= 256 else np.uint16)
    return Shared.of(indices, np.resize(w, k), draw(masks(w.shape)) if pruned else None)


def shared_pruned(dtype: type | None = None) -> st.SearchStrategy[Shared]:
    return shared(dtype, pruned=True)


@st.composite
def low_rank(draw: st.DrawFn, dtype: type | None = None) -> LowRank:
    """Of arrays, of any rank, more than the matrix has too."""
    w, rank = draw(matrices(dtype)), draw(st.integers(1, 14))
    A = np.random.default_rng(draw(seeds)).standard_normal((w.shape[0], rank)).astype(w.dtype)
    return LowRank.of(A, np.resize(w, (rank, w.shape[1])))


@st.composite
def factors(draw: st.DrawFn, dtype: type | None = None) -> LowRank:
    """Of two weights, each in a form of its own."""
    given = dtype or draw(dtypes)
    A, B = (draw(st.one_of([form(given) for form in THIN])) for _ in range(2))
    return LowRank(fitting(A, (A.shape[0], B.shape[0])), B)


@st.composite
def factors_in_training(draw: st.DrawFn, dtype: type | None = None) -> LowRank:
    """Of which one or both train through their rounding."""
    weight = draw(factors(dtype))
    latent = [
        Latent.of(FakeQuantize(draw(uniforms), draw(granularities), mask=draw(st.none() | masks(w.shape))), w.dense())
        for w in (weight.A, weight.B)
    ]
    A, B = draw(st.sampled_from([latent, [latent[0], weight.B], [weight.A, latent[1]]]))
    return LowRank(A, B)


@st.composite
def sums(draw: st.DrawFn, dtype: type | None = None) -> Sum:
    """One to four parts, each of any form, all fitted to the shape of the first."""
    parts = draw(st.lists(st.one_of([form(dtype or np.float32) for form in STORED_ALONE]), min_size=1, max_size=4))
    return Sum(tuple(fitting(part, parts[0].shape) for part in parts))


def fitting(weight: Any, shape: tuple[int, int]) -> Any:
    """The same form with its rows and columns repeated or cut to a shape; itself if it has that."""
    if weight.shape == shape:
        return weight
    rows, columns = (np.arange(n) % size for n, size in zip(shape, weight.shape))
    at = np.ix_(rows, columns)
    match weight:
        case Sum(parts=parts):
            return Sum(tuple(fitting(part, shape) for part in parts))
        case LowRank(A=A, B=B):
            return LowRank(fitting(A, (shape[0], weight.rank)), fitting(B, (weight.rank, shape[1])))
        case Sparse():
            return Sparse.from_dense(weight.dense()[at], weight.mask[at])
        case Quantized():
            values = fitting(weight.decoded(), shape)
            return Quantized.encoded(values, fit_grid(values.dense(), weight.grid.format, PerRow()))
        case Shared(indices=PackedCodes(codes=indices)):
            return Shared.of(indices[at], weight.codebook)
        case Shared(indices=Sparse() as indices):
            return replace(weight, indices=fitting(indices, shape))
        case Encoded():
            return Encoded.of(weight.format, weight.dense()[at])
    return Dense(weight.dense()[at])


@st.composite
def rounded(draw: st.DrawFn, dtype: type | None = None) -> Latent:
    w, name = draw(matrices(dtype)), draw(st.sampled_from([n for n in NAMES if has_zero(n)]))
    return Latent.of(Rounded(NAMES[name], draw(st.none() | masks(w.shape))), w)


@st.composite
def fake_quantized(draw: st.DrawFn, dtype: type | None = None, pruned: bool = False) -> Latent:
    w = draw(matrices(dtype))
    mask = draw(masks(w.shape)) if pruned else None
    return Latent.of(FakeQuantize(draw(uniforms), draw(granularities), mask=mask), w)


def fake_quantized_pruned(dtype: type | None = None) -> st.SearchStrategy[Latent]:
    return fake_quantized(dtype, pruned=True)


@st.composite
def masked(draw: st.DrawFn, dtype: type | None = None) -> Latent:
    w = draw(matrices(dtype))
    return Latent.of(Masked(draw(masks(w.shape))), w)


@st.composite
def soft_threshold(draw: st.DrawFn, dtype: type | None = None) -> Latent:
    w = draw(matrices(dtype))
    mask = draw(st.none() | masks(w.shape))
    return Latent.of(SoftThreshold(draw(st.sampled_from([-8.0, -0.5])), mask), w)


@st.composite
def powerpropagation(draw: st.DrawFn, dtype: type | None = None) -> Latent:
    w = draw(matrices(dtype))
    return Latent.of(Powerpropagation(draw(st.sampled_from([1.0, 1.5, 2.0])), draw(st.none() | masks(w.shape))), w)


@st.composite
def supermask(draw: st.DrawFn, dtype: type | None = None) -> Latent:
    w = draw(matrices(dtype))
    return Latent.of(Supermask(draw(st.floats(0, 1)), draw(st.none() | masks(w.shape))), w)


@st.composite
def n_of_m(draw: st.DrawFn, dtype: type | None = None) -> Latent:
    w = draw(matrices(dtype))
    m = draw(st.integers(1, 5))
    return Latent.of(NofM(draw(st.integers(0, m)), m, 0.0, draw(st.none() | masks(w.shape))), w)


def spread(draw: st.DrawFn, shape: tuple[int, int], dtype: np.dtype, *values: float) -> np.ndarray:
    """An array of some of these values."""
    return np.random.default_rng(draw(seeds)).choice(np.array(values, dtype), shape)


@st.composite
def hard_concrete(draw: st.DrawFn, dtype: type | None = None) -> Latent:
    w = draw(matrices(dtype))
    transform = HardConcrete(by_input=draw(st.booleans()), mask=draw(st.none() | masks(w.shape)))
    a = transform.init(w)[0]
    at = (-5.0, -1.3, 0.2, 1.5, 7.0)  # on both sides of where the gate is shut or open, and in between
    return Latent(transform, (spread(draw, a.shape, w.dtype, *at),), w)


@st.composite
def variational(draw: st.DrawFn, dtype: type | None = None) -> Latent:
    w = draw(matrices(dtype))
    transform = Variational(mask=draw(st.none() | masks(w.shape)))
    return Latent(transform, (spread(draw, w.shape, w.dtype, -9.0, -3.0, 1.0, 5.0),), w)


@st.composite
def movement(draw: st.DrawFn, dtype: type | None = None) -> Latent:
    w = draw(matrices(dtype))
    transform = Movement(draw(st.floats(0, 1)), mask=draw(st.none() | masks(w.shape)))
    done = np.full(1, draw(st.sampled_from([0.0, 0.3, 1.0])), w.dtype)
    return Latent(transform, (spread(draw, w.shape, w.dtype, -1.0, 0.0, 0.5, 2.0), done), w)


@st.composite
def soft_movement(draw: st.DrawFn, dtype: type | None = None) -> Latent:
    w = draw(matrices(dtype))
    transform = SoftMovement(mask=draw(st.none() | masks(w.shape)))
    return Latent(transform, (spread(draw, w.shape, w.dtype, -9.0, -1.0, 0.0, 2.0),), w)


@st.composite
def nested(draw: st.DrawFn, dtype: type | None = None) -> Nested:
    w = draw(matrices(dtype))
    mask = draw(masks(w.shape))
    return Nested.within(w, mask, draw(st.integers(0, int(mask.sum()))))


symmetric = st.builds(Uniform, st.integers(2, 16), st.booleans(), narrow=st.booleans())


@st.composite
def through(
    draw: st.DrawFn, dtype: type | None, by: Callable[..., Transform], **arguments: st.SearchStrategy[Any]
) -> Latent:
    """A matrix behind a transform `by` of these arguments, of a mask sometimes, where that starts."""
    w = draw(matrices(dtype))
    w = w / max(1, np.abs(w).max()) if by is DoReFa else w  # tanh is as good as flat beyond
    given = {name: draw(argument) for name, argument in arguments.items()}
    return Latent.of(by(**given, mask=draw(st.none() | masks(w.shape))), w)


def lsq(dtype: type | None = None) -> st.SearchStrategy[Latent]:
    """With steps below 0 too, as an update can leave them."""
    weights = through(dtype, LSQ, format=symmetric, per=granularities, gradient_scale=st.booleans())
    return st.builds(lambda weight, side: replace(weight, p=(side * weight.p[0],)), weights, st.sampled_from([1, -1]))


def tqt(dtype: type | None = None) -> st.SearchStrategy[Latent]:
    return through(dtype, TQT, format=symmetric, per=granularities)


def a2q(dtype: type | None = None) -> st.SearchStrategy[Latent]:
    formats = st.builds(Uniform, st.integers(2, 8), narrow=st.booleans())
    told = {"accumulator": st.integers(10, 20), "inputs": st.integers(1, 8), "signed_inputs": st.booleans()}
    return through(dtype, A2Q, format=formats, **told)


@st.composite
def relaxed(draw: st.DrawFn, dtype: type | None = None) -> Latent:
    w = draw(matrices(dtype))
    onto = draw(st.sampled_from((XNOR, BinaryConnect, TWN, FakeQuantize)))()
    transform = draw(st.sampled_from((BinaryRelax, PARQ)))(onto, mask=draw(st.none() | masks(w.shape)))
    return Latent(transform, (np.full(1, draw(st.sampled_from([0.0, 0.3, 1.0])), w.dtype),), w)


def dorefa(dtype: type | None = None) -> st.SearchStrategy[Latent]:
    return through(dtype, DoReFa, bits=st.integers(1, 16))


def binary(dtype: type | None = None) -> st.SearchStrategy[Latent]:
    kinds = (BinaryConnect, StochasticBinaryConnect)
    return st.one_of(*(through(dtype, kind, clipped=st.booleans()) for kind in kinds)) | through(
        dtype, XNOR, per=granularities, exact=st.booleans()
    )


def twn(dtype: type | None = None) -> st.SearchStrategy[Latent]:
    return through(dtype, TWN, share=st.sampled_from([0.0, 0.7, 9.0]), per=granularities)


def ttq(dtype: type | None = None) -> st.SearchStrategy[Latent]:
    return through(dtype, TTQ, share=st.sampled_from([0.0, 0.05, 0.5, 1.0]))


def by_gradient_rule(dtype: type | None = None) -> st.SearchStrategy[Latent]:
    """Without the part of EWGS that is no derivative of anything; in steps that are wide beside what is measured by."""
    told: dict[str, st.SearchStrategy[Any]] = {"format": uniforms, "per": granularities}
    wide = st.builds(Uniform, st.integers(2, 4), st.booleans(), st.booleans(), st.booleans())
    return (
        through(dtype, EWGS, **told, delta=st.just(0.0))
        | through(dtype, DSQ, format=wide, per=granularities, alpha=st.sampled_from([0.1, 0.2, 0.9]))
        | through(dtype, QuantizationNoise, **told)
    )


@st.composite
def on_trained_interval(draw: st.DrawFn, dtype: type | None = None) -> Latent:
    """Away from the start, with weights beyond both ends; without the part of EWGS that is no derivative.

    Not of zeros alone, whose interval is so small that no difference stays inside it.
    """
    few: dict[str, st.SearchStrategy[Any]] = {"bits": st.integers(1, 4)}
    weight = draw(
        through(dtype, TrainedEWGS, **few, delta=st.just(0.0)) | through(dtype, TrainedDSQ, **few, alpha=st.just(0.2))
    )
    assume(weight.p[1] > 1e-20)
    factors = [draw(st.sampled_from(near)) for near in ((0.1, 0.4, 1.0), (0.2, 0.4, 1.1), (0.7, 1.0, 1.5))]
    return replace(weight, p=tuple(p * p.dtype.type(factor) for p, factor in zip(weight.p, factors)))


THIN: list[Callable[..., st.SearchStrategy[Any]]] = [
    dense, sparse, dense_codes, sparse_codes, float_zero_codes, halfway_codes, encoded, shared, shared_pruned,
]  # fmt: skip
STORED_ALONE = [*THIN, low_rank, factors]
STORED = [*STORED_ALONE, sums]
FORMS: list[Callable[..., st.SearchStrategy[Weight]]] = [
    *STORED, fake_quantized, fake_quantized_pruned, rounded, masked, soft_threshold, powerpropagation, supermask,
    n_of_m, hard_concrete, variational, movement, soft_movement, nested, factors_in_training,
    lsq, tqt, a2q, relaxed, dorefa, binary, twn, ttq, by_gradient_rule, on_trained_interval,
]  # fmt: skip
each_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)


def quantized(formats: st.SearchStrategy[Uniform] = uniforms) -> st.SearchStrategy[Quantized]:
    """Dense or sparse codes."""
    return st.one_of(dense_codes(None, formats), sparse_codes(None, formats))


def plain_codes(weight: Quantized) -> np.ndarray:
    """The codes as an array (out, in), 0 where there are none."""
    codes = weight.codes
    return codes.dense() if isinstance(codes, Sparse) else codes.codes if isinstance(codes, PackedCodes) else codes


@st.composite
def with_batch(draw: st.DrawFn, weight: st.SearchStrategy[Weight]) -> tuple[Weight, np.ndarray, np.ndarray]:
    """A weight, a batch x (batch, in), sometimes empty, and a gradient dy (batch, out)."""
    w = draw(weight)
    rng = np.random.default_rng(draw(seeds))
    batch = draw(st.sampled_from([3, 1, 9, 0]))
    x, dy = (rng.standard_normal((batch, n)).astype(w.dtype) for n in (w.shape[1], w.shape[0]))
    return w, x, dy
