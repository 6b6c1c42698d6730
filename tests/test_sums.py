"""Products of thin matrices and sums of weights, in what the laws of all forms do not say."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.data import Data, Split
from nncomp.files import from_bytes, to_bytes
from nncomp.formats import PerRow, Uniform
from nncomp.formats.names import NAMES
from nncomp.inspection import Inspection
from nncomp.interchange import to_layers
from nncomp.layer import Linear
from nncomp.losses import cross_entropy
from nncomp.network import MLP
from nncomp.norm import BatchNorm
from nncomp.optim import Adam
from nncomp.prune import keep_largest
from nncomp.quantize.nearest import fit_grid
from nncomp.steps import FineTune, Prune, Quantize, Share, Shrink, Sparsify
from nncomp.transforms import Masked
from nncomp.weights import Dense, Encoded, Latent, LowRank, Nested, Quantized, Shared, Sparse, Sum
from tests.strategies.weights import STORED_ALONE, sums, with_batch

RNG = np.random.default_rng(3)
W = RNG.standard_normal((4, 6)).astype(np.float32)
MASK = RNG.random(W.shape) < 0.3
CODES = Quantized.encoded(Dense(W), fit_grid(W, Uniform(3), PerRow()))
OUTLIERS = Sparse.from_dense(W, MASK)
FACTORS = LowRank(W[:, :2].copy(), W[:2].copy())
SHARED = Shared.of(np.zeros(W.shape, np.uint8), W[0])
ALL = Sum((CODES, OUTLIERS, FACTORS))
X = RNG.standard_normal((40, 6)).astype(np.float32)
DATA = Data(Split(X, RNG.integers(0, 4, 40)), Split(X, RNG.integers(0, 4, 40)))


def network(weight: Any, norm: BatchNorm | None = None) -> MLP:
    return MLP((Linear(weight, np.zeros(4, np.float32), norm=norm),))


@pytest.mark.parametrize("form", STORED_ALONE)
@given(data=st.data())
def test_a_sum_of_one_is_that_one(form: Callable[..., Any], data: st.DataObject) -> None:
    part, x, dy = data.draw(with_batch(form()))
    one = Sum((part,))
    assert (one.nbytes, one.multiply_adds, one.shape, one.dtype) == (
        part.nbytes, part.multiply_adds, part.shape, part.dtype,
    )  # fmt: skip
    for ours, its in (
        (one.apply(x), part.apply(x)),
        (one.dense(), part.dense()),
        (one.prepared().dense(), part.dense()),
        *zip(one.params, part.params, strict=True),
        *zip(one.vjp(x, dy)[1], part.vjp(x, dy)[1], strict=True),
        (one.vjp(x, dy)[0], part.vjp(x, dy)[0]),
    ):
        np.testing.assert_array_equal(ours, its)


@given(sums(), st.randoms())
def test_the_order_of_parts_does_not_matter(weight: Sum, random: Any) -> None:
    parts = list(weight.parts)
    random.shuffle(parts)
    other, size = Sum(tuple(parts)).dense(), np.sum([np.abs(p.dense()) for p in parts], axis=0, dtype=np.float64)
    # Each of the n - 1 additions of either is off by half a unit of what it adds up.
    allowed = 0 if len(parts) < 3 else (len(parts) - 1) * np.finfo(weight.dtype).eps * size
    assert (np.abs(other.astype(np.float64) - weight.dense()) <= allowed).all()


@given(sums())
def test_sums_of_sums_are_sums(weight: Sum) -> None:
    again = Sum.of(weight, weight.parts[0])
    assert [type(part) for part in again.parts] == [type(part) for part in (*weight.parts, weight.parts[0])]
    np.testing.assert_array_equal(Sum.of(*weight.parts).dense(), weight.dense())


def test_a_product_is_multiplied_by_its_factors_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    y, gradients = FACTORS.apply(X), FACTORS.vjp(X, X[:, :4])
    np.testing.assert_allclose(y, X @ FACTORS.dense().T, rtol=1e-5, atol=1e-5)
    monkeypatch.setattr(LowRank, "dense", lambda self: pytest.fail("the product was built"))
    for weight in (FACTORS, Sum((FACTORS, OUTLIERS)).prepared()):
        assert weight.multiply_adds == 2 * (4 + 6) + (0 if weight is FACTORS else MASK.sum())
        assert len(weight.apply(X)) == len(weight.vjp(X, X[:, :4])[0]) == len(X)  # type: ignore[arg-type]
    for ours, again in zip(gradients[1], FACTORS.vjp(X, X[:, :4])[1]):
        np.testing.assert_array_equal(ours, again)


def test_what_runs_is_one_matrix_where_a_part_would_be_dense() -> None:
    sparse = Sum((OUTLIERS, Sparse.from_dense(2 * W, ~MASK & (W > 0)))).prepared()
    assert isinstance(sparse, Sparse) and np.array_equal(sparse.mask, MASK | (W > 0))
    assert isinstance(ALL.prepared(), Dense) and isinstance(Sum((CODES,)).prepared(), Dense)
    decoded = Sum((Shared.of(np.zeros(W.shape, np.uint8), W[0], MASK), FACTORS)).prepared()
    assert isinstance(decoded, Sum) and [type(part) for part in decoded.parts] == [Sparse, LowRank]


def test_it_trains_in_its_form_and_goes_into_a_file_and_back() -> None:
    start = network(ALL)
    trained = FineTune(epochs=30, batch=20, optimizer=Adam(rate=0.05))(start, DATA)
    weight = trained.layers[0].weight
    assert isinstance(weight, Sum) and [type(part) for part in weight.parts] == [Quantized, Sparse, LowRank]
    codes, outliers, _ = weight.parts
    assert isinstance(codes, Quantized) and np.array_equal(codes.plain, CODES.plain)
    assert np.array_equal(outliers.mask, MASK)  # type: ignore[union-attr]
    for now, before in zip(weight.params, ALL.params, strict=True):
        assert (now != before).all(), "scales, outliers and both factors move"
    assert cross_entropy(trained(X), DATA.train.y)[0] < 0.8 * cross_entropy(start(X), DATA.train.y)[0]
    read = from_bytes(to_bytes(trained))
    assert read.fingerprint() == trained.fingerprint() and np.array_equal(read(X), trained(X))
    assert np.array_equal(to_layers(trained)[0][0], weight.dense())


def test_a_sum_is_told_part_by_part() -> None:
    told = str(Inspection.of(network(ALL)))
    assert "dense int3 + sparse float32 + rank 2 float32, 4 x 6" in told
    assert "weights on Uniform(bits=3): codes -4 to 3" in told


def smallest(w: np.ndarray) -> np.ndarray:
    return -np.abs(w)


def test_pruning_prunes_every_part_and_counts_what_is_gone() -> None:
    once = Prune(0.5, keep=keep_largest)(network(ALL), DATA)
    weight = once.layers[0].weight
    assert isinstance(weight, Sum) and all(isinstance(part.prepared(), Sparse) for part in weight.parts)
    kept = np.argsort(np.argsort(-np.abs(ALL.dense()), axis=None)).reshape(W.shape) < 12
    np.testing.assert_array_equal(weight.dense(), np.where(kept, ALL.dense(), 0))
    twice = Prune(0.75, scores=smallest, keep=keep_largest)(once, DATA).layers[0].weight.prepared()
    assert isinstance(twice, Sparse) and twice.values.size == 6 and not (twice.mask & ~kept).any()
    assert FACTORS.masked(np.ones(W.shape, bool)) is FACTORS
    with pytest.raises(ValueError, match="has no code for what is pruned"):
        Sum((Encoded.of(NAMES["binary"], W), OUTLIERS)).masked(MASK)


def test_steps_for_single_weights_say_that_they_come_before() -> None:
    train = FineTune(epochs=1)
    for step in (Share(4), Shrink(), Prune(0.5, during=train), Sparsify(during=train)):
        for weight in (ALL, FACTORS):
            with pytest.raises(ValueError, match="before quantizing"):
                step(MLP((*network(weight).layers, Linear(Dense(W[:, :4]), W[:, 0]))), DATA)
    again = Quantize(inputs=None)(network(ALL), DATA).layers[0].weight
    expected = Quantize(inputs=None)(network(Dense(ALL.dense())), DATA).layers[0].weight
    assert np.array_equal(again.dense(), expected.dense())


def test_norms_fold_into_all_parts_that_have_rows_of_their_own() -> None:
    gamma = np.array([1, -2, 3, 0.5], np.float32)
    norm = BatchNorm(gamma, gamma + 1, gamma / 2, np.abs(gamma))
    for weight in (ALL, FACTORS, Sum((Dense(W), FACTORS))):
        before = network(weight, norm)
        after = before.with_layers(Linear.folded)
        assert after.layers[0].norm is None and type(after.layers[0].weight) is type(weight)
        np.testing.assert_allclose(after(X), before(X), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="folds into floats and codes, not Shared"):
        network(Sum((CODES, SHARED)), norm).layers[0].folded()


class Mine(Sparse):
    """A form of one's own."""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LowRank(W, W), r"\(out, rank\) and \(rank, in\) of one dtype, not float32 \(4, 6\) and"),
        (lambda: LowRank(W[:, :2], W[:2].astype(float)), "of one dtype, not float32 .* and float64"),
        (lambda: LowRank(W[:, :2].astype(int), W[:2]), "a factor is float32 or float64, not int64"),
        (lambda: LowRank(W[:, 0], W[:1]), "a weight is a matrix"),
        (lambda: LowRank(W[:, :0], W[:0]), "at least one of each"),
        (lambda: FACTORS.apply(X[:, :2]), "does not fit a weight float32"),
        (lambda: FACTORS.vjp(X, X[:, :3]), "a gradient at the outputs"),
        (lambda: FACTORS.masked(MASK.T), r"bool \(6, 4\)"),
        (lambda: Sum(()), "at least one part"),
        (lambda: Sum((OUTLIERS, Sparse.from_dense(W[:2]))), r"one shape and dtype, not float32 .*, float32 \(2, 6\)"),
        (lambda: Sum((OUTLIERS, Dense(W.astype(float)))), "one shape and dtype, not float32 .*, float64"),
        (lambda: Sum((ALL, CODES)), "in floats or codes, not as Sum"),
        (lambda: Sum((Latent.of(Masked(MASK), W),)), "not as Latent"),
        (lambda: Sum((Nested.within(W, MASK, 1),)), "not as Nested"),
        (lambda: Sum((Mine.from_dense(W),)), "not as Mine"),
        (lambda: ALL.masked(MASK.T), r"bool \(6, 4\)"),
        (lambda: ALL.apply(X[:, :2]), "does not fit a weight float32"),
        (lambda: ALL.vjp(X, X[:, :3]), "a gradient at the outputs"),
    ],
)  # fmt: skip
def test_bad_weights_say_what_is_wrong(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_nothing_that_a_training_left_is_taken_along() -> None:
    """Parts are made anew with their sum: what a training of codes has to start from is what a file would say."""
    moved = ALL.with_params((ALL.params[0] * 3, *ALL.params[1:]))  # past a power of two
    read = from_bytes(to_bytes(network(moved))).layers[0].weight
    assert (moved.params[0] >= 3).all() and (read.params[0] < 2).all()
    for fresh in (replace(moved), network(moved).layers[0].copied().weight):
        assert all(np.array_equal(a, b) for a, b in zip(fresh.params, read.params, strict=True))
