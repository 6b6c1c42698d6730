"""Products of thin matrices and sums of weights, in what the laws of all forms do not say."""

import re
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
from nncomp.transforms import FakeQuantize, Masked, Variational
from nncomp.weights import Dense, Encoded, Latent, LowRank, Nested, Quantized, Shared, Sparse, Sum
from tests.strategies.weights import STORED_ALONE, sums, with_batch

RNG = np.random.default_rng(3)
W = RNG.standard_normal((4, 6)).astype(np.float32)
MASK = RNG.random(W.shape) < 0.3
CODES = Quantized.encoded(Dense(W), fit_grid(W, Uniform(3), PerRow()))
OUTLIERS = Sparse.from_dense(W, MASK)
FACTORS = LowRank.of(W[:, :2].copy(), W[:2].copy())
CODED = LowRank(
    Quantized.encoded(Dense(W[:, :2].copy()), fit_grid(W[:, :2], Uniform(), PerRow())),
    Sparse.from_dense(W[:2].copy(), MASK[:2]),
)
TRAINING = LowRank(Latent.of(FakeQuantize(Uniform(3)), W[:, :2].copy()), FACTORS.B)
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
    for weight, more in ((FACTORS, 0), (FACTORS.prepared(), 0), (Sum((FACTORS, OUTLIERS)).prepared(), MASK.sum())):
        assert weight.multiply_adds == 2 * (4 + 6) + more
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
    beside = str(Inspection.of(network(Sum((CODES, LowRank(CODED.A, FACTORS.B))))))
    assert "dense int3 + rank 2 int8 x float32, 4 x 6" in beside
    assert re.search(
        r"weights on Uniform\(bits=3\): codes -4 to 3, .*; Uniform\(\): codes -128 to 127, 4 scales", beside
    )


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
    for weight in (ALL, FACTORS, CODED, Sum((Dense(W), FACTORS))):
        before = network(weight, norm)
        after = before.with_layers(Linear.folded)
        assert after.layers[0].norm is None and type(after.layers[0].weight) is type(weight)
        np.testing.assert_allclose(after(X), before(X), rtol=1e-4, atol=1e-4)
    for weight in (Sum((CODES, SHARED)), LowRank(SHARED, Dense(np.eye(6, dtype=np.float32)))):
        with pytest.raises(ValueError, match="folds into floats and codes, not Shared"):
            network(weight, norm).layers[0].folded()


class Mine(Sparse):
    """A form of one's own."""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LowRank.of(W, W), r"\(out, rank\) and \(rank, in\) of one dtype, not float32 \(4, 6\) and"),
        (lambda: LowRank.of(W[:, :2], W[:2].astype(float)), "of one dtype, not float32 .* and float64"),
        (lambda: LowRank.of(W[:, :2].astype(int), W[:2]), "a weight is float32 or float64, not int64"),
        (lambda: LowRank.of(W[:, 0], W[:1]), "a weight is a matrix"),
        (lambda: LowRank.of(W[:, :0], W[:0]), "at least one of each"),
        (lambda: LowRank(W, W), "as `LowRank.of` makes them of arrays, not ndarray"),  # type: ignore[arg-type]
        (lambda: LowRank(FACTORS, Dense(W)), "in floats or codes, .*, not LowRank"),  # type: ignore[arg-type]
        (lambda: LowRank(ALL, Dense(W)), "in floats or codes, .*, not Sum"),  # type: ignore[arg-type]
        (lambda: LowRank(Mine.from_dense(W), FACTORS.B), "in floats or codes, .*, not Mine"),
        (lambda: LowRank(Sparse.from_dense(np.ones((4, 2), np.int8)), FACTORS.B), "is float32 or float64, not int8"),
        (lambda: LowRank(Latent.of(Variational(), W[:, :2]), FACTORS.B), "does not train by chance, as by Variational"),
        (lambda: TRAINING.scaled(W[:, 0]), "folds into floats and codes, not Latent"),
        (lambda: CODED.apply(X[:, :2]), "does not fit a weight float32 .* = .4, 6"),
        (lambda: CODED.forward(X[:, :2]), "does not fit a weight float32 .* = .4, 6"),
        (lambda: Sum((TRAINING,)), "in floats or codes, not with a factor that is Latent"),
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


def test_each_factor_keeps_what_it_stores() -> None:
    """By hand: bytes and products of both, the params of A and then those of B, the pattern of what runs."""
    A, B = CODED.A, CODED.B
    assert isinstance(A, Quantized) and isinstance(B, Sparse)
    kept = MASK[:2].sum()
    assert CODED.nbytes == 4 * 2 + 4 * 4 + (4 + 1) * kept + 3 and CODED.multiply_adds == 4 * 2 + kept
    assert [p.shape for p in CODED.params] == [(4, 1), (kept,)]
    ran = CODED.prepared()
    assert isinstance(ran.A, Dense) and ran.B is B
    moved = CODED.with_params((CODED.params[0] * 2, B.values * 3))
    np.testing.assert_allclose(moved.dense(), 6 * CODED.dense(), rtol=1e-6)
    pruned = CODED.masked(MASK)
    assert isinstance(pruned, Sparse) and np.array_equal(pruned.mask, MASK)


def test_factors_train_in_their_forms_and_go_into_a_file_and_back() -> None:
    start = network(CODED)
    trained = FineTune(epochs=30, batch=20, optimizer=Adam(rate=0.05))(start, DATA)
    weight = trained.layers[0].weight
    assert isinstance(weight, LowRank) and isinstance(weight.A, Quantized) and isinstance(weight.B, Sparse)
    assert isinstance(CODED.A, Quantized) and np.array_equal(weight.A.plain, CODED.A.plain)  # type: ignore[arg-type]
    assert np.array_equal(weight.B.mask, MASK[:2])
    assert all((now != before).any() for now, before in zip(weight.params, CODED.params, strict=True))
    assert cross_entropy(trained(X), DATA.train.y)[0] < cross_entropy(start(X), DATA.train.y)[0]
    read = from_bytes(to_bytes(trained))
    assert read.fingerprint() == trained.fingerprint() and np.array_equal(read(X), trained(X))


def test_factors_train_through_what_they_are_stored_as() -> None:
    """What ends training is what is stored, bit for bit."""
    trained = FineTune(epochs=3, batch=20, optimizer=Adam(rate=0.05))(network(TRAINING), DATA)
    weight = trained.layers[0].weight
    assert isinstance(weight, LowRank) and isinstance(weight.A, Latent) and (weight.A.w != W[:, :2]).any()
    stored = trained.with_layers(Linear.stored).layers[0].weight
    assert isinstance(stored, LowRank) and isinstance(stored.A, Quantized) and stored.A.grid.format == Uniform(3)
    assert stored.dense().tobytes() == weight.dense().tobytes() and stored.store() is stored
    assert from_bytes(to_bytes(trained)).fingerprint() == trained.fingerprint()


def test_what_the_training_of_a_factor_left_is_not_taken_along() -> None:
    moved = CODED.with_params((CODED.params[0] * 3, CODED.params[1]))  # past a power of two
    for fresh in (replace(moved), network(moved).layers[0].copied().weight, Sum((moved,)).parts[0]):
        assert (moved.params[0] >= 3).all() and (fresh.params[0] < 2).all()
