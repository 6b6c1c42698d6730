"""Steps: what each promises, and that every step takes every other's output or says in one line why not."""

from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest

from nncomp.data import Data, Split
from nncomp.evidence import Evidence
from nncomp.factor import svd
from nncomp.formats import PerGroup, PerTensor, Uniform
from nncomp.hooks import Hook
from nncomp.layerwise import gram, output_error
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.prune import (
    alps,
    alternating,
    column_l2,
    constant,
    cubic,
    fisher,
    grasp,
    input_norms,
    keep_blocks,
    keep_each_group,
    keep_each_row,
    keep_erdos_renyi,
    keep_globally,
    keep_largest,
    lamp,
    magnitude,
    mean_activation,
    nonzero_activation,
    obc,
    obd,
    refit,
    ria,
    row_l1,
    snip,
    sparsegpt,
    sparseml_polynomial,
    synflow,
    synflow_masks,
    taylor,
    wanda,
    woodfisher,
)  # fmt: skip
from nncomp.quantize import Dynamic, Percentile, lqer, magr, minmax, optimal_kmeans, spqr
from nncomp.scoring import scores_of
from nncomp.steps import (
    Distill,
    Factor,
    FineTune,
    Preprocess,
    Prune,
    Quantize,
    Reconstruct,
    Rewind,
    Share,
    Shrink,
    Update,
    compress,
    stages,
)
from nncomp.transforms import LSQ, XNOR, FakeQuantize
from nncomp.weights import Latent, Quantized, Sparse, Weight
from tests.strategies.data import blobs
from tests.strategies.weights import plain_codes

DATA = Data(blobs(300, 1), blobs(100, 2), blobs(100, 3), "blobs")
SHORT = FineTune(epochs=2, batch=50, optimizer=Adam(rate=5e-3))


@pytest.fixture(scope="module")
def dense() -> MLP:
    return FineTune(epochs=10, batch=50, optimizer=Adam(rate=5e-3))(MLP.init([12, 16, 8, 4]), DATA)


def total(network: MLP) -> int:
    return sum(layer.weight.shape[0] * layer.weight.shape[1] for layer in network.layers)


def kept(network: MLP) -> int:
    return sum(layer.weight.multiply_adds for layer in network.layers)


def codes_of(weight: Weight) -> np.ndarray:
    assert isinstance(weight, Quantized)
    return plain_codes(weight)


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("during", [None, SHORT])
def test_prune_keeps_exactly_as_many_as_asked(dense: MLP, sparsity: float, during: FineTune | None) -> None:
    pruned = Prune(sparsity, schedule=cubic if during else constant, interval=3, during=during)(dense, DATA)
    assert kept(pruned) == total(dense) - round(sparsity * total(dense))
    assert all(isinstance(layer.weight, Sparse) for layer in pruned.layers)
    if during is None:
        for a, b in zip(pruned.layers, dense.layers):
            np.testing.assert_array_equal(a.weight.dense()[a.weight.mask], b.weight.dense()[a.weight.mask])


def test_prune_keeps_the_largest_across_layers(dense: MLP) -> None:
    pruned = Prune(0.7)(dense, DATA)
    left = np.concatenate([np.abs(layer.weight.values) for layer in pruned.layers])
    gone = np.concatenate([np.abs(d.weight.dense()[~p.weight.mask]) for d, p in zip(dense.layers, pruned.layers)])
    assert left.min() >= gone.max()


def test_prune_again_counts_what_is_gone_and_never_revives(dense: MLP) -> None:
    once = Prune(0.5)(dense, DATA)
    for during in (None, SHORT):
        twice = Prune(0.8, during=during)(once, DATA)
        assert kept(twice) == total(dense) - round(0.8 * total(dense))
        for a, b in zip(once.layers, twice.layers):
            assert not (b.weight.mask & ~a.weight.mask).any()
    assert kept(Prune(0.2)(once, DATA)) == kept(once), "already sparser than asked"


def test_prune_whole_rows_spares_the_classes(dense: MLP) -> None:
    pruned = Prune(0.5, scores=row_l1, keep=keep_largest)(dense, DATA)
    rows = [layer.weight.mask.all(axis=1) | ~layer.weight.mask.any(axis=1) for layer in pruned.layers]
    assert all(r.all() for r in rows)
    assert [int(layer.weight.mask.any(axis=1).sum()) for layer in pruned.layers] == [8, 4, 4]


def masks_of(network: MLP) -> list[np.ndarray]:
    return [layer.weight.mask for layer in network.layers]


def equal(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_scores_of_inputs_are_compared_where_keep_says(dense: MLP) -> None:
    """Wanda by hand: the inputs of each layer of the unpruned network, each row on its own."""
    x, expected = DATA.train.x[:100].astype(np.float64), []
    for layer in dense.layers:
        w = np.abs(layer.weight.dense()) * np.sqrt((x**2).sum(axis=0))
        rank = np.argsort(np.argsort(-w, axis=1, kind="stable"), axis=1)
        expected.append(rank < w.shape[1] - round(0.4 * w.shape[1]))
        x = layer(x.astype(np.float32)).astype(np.float64)
    pruned = Prune(0.4, scores=wanda, keep=keep_each_row, samples=100)(dense, DATA)
    assert equal(masks_of(pruned), expected)


@pytest.mark.parametrize("scores", [magnitude, lamp, ria, snip, taylor, fisher, obd, grasp, synflow])
@pytest.mark.parametrize("during", [None, SHORT])
def test_every_score_prunes_exactly_as_many(dense: MLP, scores, during: FineTune | None) -> None:  # type: ignore[no-untyped-def]
    pruned = Prune(0.7, scores=scores, during=during, interval=4)(dense, DATA)
    assert kept(pruned) == total(dense) - round(0.7 * total(dense))
    if during is None:
        ranked = scores_of(scores, Evidence(dense, DATA.train))
        assert equal(masks_of(pruned), keep_globally(ranked, 0.7))


def test_rounds_score_anew_what_is_left(dense: MLP) -> None:
    weights = [layer.weight.dense() for layer in dense.layers]
    assert equal(masks_of(Prune(0.9, scores=synflow, rounds=20)(dense, DATA)), synflow_masks(weights, 0.9, rounds=20))
    once, twice = (Prune(0.9, scores=snip, rounds=n)(dense, DATA) for n in (1, 2))
    assert kept(once) == kept(twice) and not equal(masks_of(once), masks_of(twice))
    half = Prune(1 - 0.1**0.5, scores=snip)(dense, DATA)
    assert equal(masks_of(Prune(0.9, scores=snip)(half, DATA)), masks_of(twice))


def test_keep_says_who_competes(dense: MLP) -> None:
    for layer in Prune(0.5, keep=keep_each_group)(dense, DATA).layers:
        assert (layer.weight.mask.reshape(-1, 4).sum(axis=1) == 2).all()
    blocks = Prune(0.5, keep=partial(keep_blocks, block=(2, 4)))(dense, DATA).layers[0].weight.mask
    corners = blocks.reshape(8, 2, 3, 4).sum(axis=(1, 3))
    assert set(corners.ravel().tolist()) == {0, 8} and (corners == 8).sum() == 12
    found = [layer.weight.mask.mean() for layer in Prune(0.6, keep=keep_erdos_renyi)(dense, DATA).layers]
    assert found == sorted(found), "the smaller, the denser"


def test_whole_columns_and_neurons_by_activation(dense: MLP) -> None:
    inputs = Prune(0.25, scores=column_l2, keep=keep_largest)(dense, DATA).layers[0].weight.mask
    lengths = np.sqrt((dense.layers[0].weight.dense() ** 2).sum(axis=0))
    assert (inputs.all(axis=0) == (lengths >= np.sort(lengths)[3])).all() and (inputs == inputs[0]).all()
    first = Prune(0.5, scores=mean_activation, keep=keep_largest)(dense, DATA).layers[0].weight.mask
    activity = np.abs(dense.layers[0](DATA.train.x)).mean(axis=0)
    assert (first.any(axis=1) == (activity >= np.sort(activity)[8])).all()
    small = Shrink(0.5, scores=mean_activation)(dense, DATA)
    assert small.sizes == [12, 8, 4, 4]


def test_a_score_of_ones_own_and_a_method_of_ones_own(dense: MLP) -> None:
    def spread(w: np.ndarray, X: np.ndarray) -> np.ndarray:
        return np.abs(w) * X.std(axis=0)

    assert kept(Prune(0.5, scores=spread)(dense, DATA)) == total(dense) - round(0.5 * total(dense))

    def refitted(W: np.ndarray, X: np.ndarray, H: np.ndarray, sparsity: float) -> np.ndarray:
        return refit(W, keep_each_row(wanda(W, input_norms(X)), sparsity), H)

    network, x = Reconstruct(0.5, refitted)(dense, DATA), DATA.train.x
    for own, layer in zip(network.layers, dense.layers):
        assert (own.weight.mask.sum(axis=1) == layer.weight.shape[1] // 2).all()
    W, H = dense.layers[0].weight.dense(), gram(x)
    by_mask = np.where(network.layers[0].weight.mask, W, 0)
    assert output_error(W, network.layers[0].weight.dense(), H) < output_error(W, by_mask, H)


def test_settings_that_cannot_be(dense: MLP) -> None:
    with pytest.raises(ValueError, match="asks for 'temperature'; it can be given W, w, X"):
        Prune(0.5, scores=lambda w, temperature: w)
    with pytest.raises(ValueError, match="asks for 'mask'; it can be given sparsity, W, w, X"):
        Reconstruct(0.5, lambda W, mask, sparsity: W)
    with pytest.raises(ValueError, match="asks for 'sparsity'"):
        Shrink(0.5, scores=lambda W, sparsity: W)
    with pytest.raises(ValueError, match="takes no sparsity"):
        Reconstruct(0.5, magnitude)
    with pytest.raises(ValueError, match="keep is a function, not 'keep_largest'"):
        Prune(0.5, keep="keep_largest")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a schedule is of pruning during a training"):
        Prune(0.5, schedule=cubic)
    for wrong in (sparseml_polynomial, lambda t, s: s / 2):
        with pytest.raises(ValueError, match="a schedule goes through fractions to 0.6"):
            Prune(0.6, schedule=wrong, during=SHORT)
    with pytest.raises(ValueError, match="3 rounds are of pruning at once"):
        Prune(0.5, rounds=3, during=SHORT)


def test_a_mask_or_weights_that_are_none_are_refused(dense: MLP) -> None:
    for step, message in (
        (Prune(0.5, keep=lambda s, sparsity: s), "layer 0: a mask is boolean"),
        (Prune(0.5, keep=lambda s, sparsity: s[:1] > 0), "layer 0: a mask is boolean"),
        (
            Prune(0.5, scores=row_l1, keep=keep_each_row),
            "scores whole rows or columns, and keep_each_row is for single weights",
        ),
        (Prune(0.5, scores=row_l1, keep=partial(keep_blocks, block=(2, 2))), "is for single weights"),
        (Reconstruct(0.5, lambda W, sparsity: W[:1]), r"layer 0: weights are finite float32 \(16, 12\)"),
        (Reconstruct(0.5, lambda W, sparsity: W * np.nan), "layer 0: weights are finite"),
        (Reconstruct(0.5, lambda W, sparsity: W.astype(float)), "layer 0: weights are finite float32"),
        (Shrink(0.5, scores=magnitude), "neurons go by one score a row"),
        (Prune(0.9, keep=keep_each_group), "keeps none of 4 neighbours"),
    ):
        with pytest.raises(ValueError, match=message):
            step(dense, DATA)
    with pytest.raises(ValueError, match="only layer are its classes"):
        Prune(0.5, scores=row_l1)(MLP.init([12, 4]), DATA)
    with pytest.raises(ValueError, match="gives 2 masks for 3 layers"):
        Prune(0.5, keep=lambda layers, sparsity: keep_globally(layers[:-1], sparsity))(dense, DATA)

    def writes(W: np.ndarray) -> np.ndarray:
        return np.abs(W, out=W)

    with pytest.raises(ValueError, match="read-only"):
        Prune(0.5, scores=writes)(dense, DATA)


def test_blocks_go_by_what_is_left_of_them(dense: MLP) -> None:
    """After single weights were pruned: the blocks whose rest is the largest stay, and dead ones go first."""
    half = Prune(0.4)(dense, DATA)
    blocks = Prune(0.5, keep=partial(keep_blocks, block=(2, 4)))(half, DATA)
    left = np.abs(half.layers[0].weight.dense()).reshape(8, 2, 3, 4).sum(axis=(1, 3))
    found = blocks.layers[0].weight.mask.reshape(8, 2, 3, 4).any(axis=(1, 3))
    assert left[found].min() >= left[~found].max() and found.sum() == 12


@pytest.mark.parametrize("scores", [mean_activation, nonzero_activation])
def test_rows_pruned_before_are_counted(dense: MLP, scores) -> None:  # type: ignore[no-untyped-def]
    pruned = Prune(0.5, scores=scores, keep=keep_largest, rounds=4)(dense, DATA)
    assert [int(m.any(axis=1).sum()) for m in masks_of(pruned)] == [8, 4, 4]


@pytest.mark.parametrize("method", [alps, obc, sparsegpt, woodfisher])
def test_reconstruct_revives_nothing(dense: MLP, method) -> None:  # type: ignore[no-untyped-def]
    half = Prune(0.5, keep=keep_each_group)(dense, DATA)
    assert kept(Reconstruct(0.6, lambda W, sparsity: W + 1)(half, DATA)) == kept(half)
    again = Reconstruct(0.6, method)(half, DATA)
    assert not any((new & ~old).any() for new, old in zip(masks_of(again), masks_of(half)))


def test_gradual_pruning_grows_by_its_schedule_and_holds_masked_weights_at_zero(dense: MLP) -> None:
    densities = []

    class Watch(Hook):
        def after_update(self, t: int, network: MLP) -> None:
            densities.append(sum(int(np.count_nonzero(l.weight.dense())) for l in network.layers))

    during = FineTune(epochs=10, batch=50, optimizer=Adam(rate=5e-3))  # 60 updates
    Prune(0.8, schedule=cubic, ramp=0.5, interval=10, during=during)(dense, DATA, [Watch()])
    n = total(dense)
    for t, density in enumerate(densities, 1):
        at = min(t - t % 10, 30) / 30
        assert density == n - round(cubic(at, 0.8) * n), t


def test_rewind_takes_the_pattern_of_now_and_the_weights_of_then(dense: MLP) -> None:
    start = MLP.init([12, 16, 8, 4], norm=True)
    pruned = Prune(0.7)(dense, DATA)
    ticket = Rewind(start)(pruned, DATA)
    for now, then, found in zip(pruned.layers, start.layers, ticket.layers):
        np.testing.assert_array_equal(found.weight.dense(), np.where(now.weight.mask, then.weight.dense(), 0))
        assert (
            np.array_equal(found.weight.mask, now.weight.mask) and found.bias is then.bias and found.norm is then.norm
        )
    with pytest.raises(ValueError, match=r"\[12, 16, 8, 4\] cannot be rewound to one of \[12, 4\]"):
        Rewind(MLP.init([12, 4]))(pruned, DATA)
    with pytest.raises(ValueError, match="Dense weights have no pattern to keep: prune before"):
        Rewind(start)(dense, DATA)


def test_compressed_and_dense_in_turn(dense: MLP) -> None:
    """AC/DC: sparse in every second half, dense in every first, where what was pruned starts again at 0."""
    seen = []

    class Watch(Hook):
        def after_update(self, t: int, network: MLP) -> None:
            seen.append(np.concatenate([layer.weight.dense().ravel() for layer in network.layers]))

    during = FineTune(epochs=4, batch=30, optimizer=Adam(rate=5e-3))  # 40 updates
    schedule = partial(alternating, periods=2)
    pruned = Prune(0.8, schedule=schedule, ramp=1.0, interval=1, during=during)(dense, DATA, [Watch()])
    n, kept_now = total(dense), [int(np.count_nonzero(w)) for w in seen]
    left = n - round(0.8 * n)
    assert all(k == left for k in kept_now[9:19] + kept_now[29:40]) and all(k > left for k in kept_now[:9])
    back = np.flatnonzero((seen[18] == 0) & (seen[21] != 0))
    assert len(back) and np.abs(seen[20][back]).max() < 0.1, "from 0, not from where they were"
    assert kept(pruned) == left


def test_quantize_rounds_each_row_to_its_grid(dense: MLP) -> None:
    network = Quantize(inputs=None)(dense, DATA)
    for a, b in zip(network.layers, dense.layers):
        w = b.weight.dense()
        scale = np.abs(w).max(axis=1, keepdims=True) / np.float32(127)
        np.testing.assert_array_equal(codes_of(a.weight), np.rint(w / scale).astype(np.int8))
        assert not a.integer and a.prepared.nbytes == w.nbytes


@pytest.mark.parametrize(
    "step",
    [
        Quantize(),
        Quantize(inputs=Dynamic(Uniform())),
        Quantize(weights=Uniform(bits=4), per=PerGroup(5), input_ranges=Percentile(99.9)),
        Quantize(weights=Uniform(symmetric=False), per=PerTensor(), inputs=Uniform(bits=16)),
        Quantize(during=SHORT),
        Quantize(weights=Uniform(bits=3), during=SHORT),
    ],
    ids=repr,
)
def test_quantized_networks_stay_close(dense: MLP, step: Quantize) -> None:
    for network in (dense, Prune(0.5)(dense, DATA)):
        quantized = step(network, DATA)
        assert all(layer.integer for layer in quantized.layers)
        assert accuracy(quantized, DATA.validation) > accuracy(network, DATA.validation) - 0.08
        for a, b in zip(network.layers, quantized.layers):
            if isinstance(a.weight, Sparse):
                np.testing.assert_array_equal(a.weight.mask, b.weight.codes.mask)  # type: ignore[union-attr]


def test_training_through_quantization_beats_rounding_at_two_bits(dense: MLP) -> None:
    rounded = Quantize(weights=Uniform(bits=2))(dense, DATA)
    trained = Quantize(weights=Uniform(bits=2), during=replace(SHORT, epochs=15))(dense, DATA)
    assert accuracy(trained, DATA.train) > accuracy(rounded, DATA.train)
    assert all(set(np.unique(codes_of(layer.weight))) <= {-2, -1, 0, 1} for layer in trained.layers)


def test_quantize_folds_batch_norm() -> None:
    network = SHORT(MLP.init([12, 8, 4], norm=True), DATA)
    quantized = Quantize()(network, DATA)
    assert all(layer.norm is None for layer in quantized.layers)
    assert accuracy(quantized, DATA.validation) > accuracy(network, DATA.validation) - 0.05


STEPS = [
    FineTune(epochs=1),
    Prune(0.5),
    Prune(0.6, schedule=cubic, during=SHORT),
    Quantize(),
    Quantize(inputs=None),
    Quantize(inputs=Dynamic(Uniform()), during=SHORT),
    Quantize(through=LSQ(Uniform(4)), during=SHORT),
    Quantize(inputs=None, through=XNOR(), during=SHORT),
    Distill(student=MLP.init([12, 6, 4], norm=True), during=SHORT),
    Distill(teacher=MLP.init([12, 4]), during=SHORT),
    Update(SHORT),
    Reconstruct(0.5),
    Shrink(),
    Shrink(0.3),
    Share(8),
    Share(5, optimal_kmeans, during=SHORT),
    Preprocess(),
    Quantize(Uniform(3), rank=2),
    Quantize(Uniform(3), inputs=None, method=spqr),
    Factor(rank=2),
    Factor(budget=0.7, by=svd, during=SHORT),
    Factor(rank=2, by=svd, sparsity=0.95),
]


@pytest.mark.parametrize(("first", "second"), list(product(STEPS, STEPS)), ids=lambda s: type(s).__name__)
def test_every_step_takes_every_other_steps_output(dense: MLP, first, second) -> None:  # type: ignore[no-untyped-def]
    network = first(dense, DATA)
    codes_fixed = isinstance(second, Reconstruct | Shrink) or (isinstance(second, Prune) and second.during)
    codes_fixed = codes_fixed and isinstance(first, Quantize | Share | Factor)
    if codes_fixed or (isinstance(first, Quantize | Factor) and isinstance(second, Share)):
        with pytest.raises(ValueError, match="before quantizing"):
            second(network, DATA)
        return
    pairs = isinstance(first, Factor) and first.sparsity == 1
    decoded = isinstance(first, FineTune | Distill | Update | Shrink | Preprocess)
    decoded = decoded or (pairs and isinstance(second, Factor))
    whole = pairs and isinstance(second, Quantize) and second.through is not None
    shared = isinstance(first, Share) and isinstance(second, Quantize)
    if (whole or needs_dense_floats(second)) and not decoded and not shared:
        with pytest.raises(ValueError, match="dense float"):
            second(network, DATA)
        return
    result = second(network, DATA)
    assert np.isfinite(result(DATA.validation.x)).all()
    if isinstance(second, Prune):
        expected = total(network) - round(second.sparsity * total(network))
        assert sum(np.count_nonzero(layer.weight.dense()) for layer in result.layers) <= expected


def needs_dense_floats(step) -> bool:  # type: ignore[no-untyped-def]
    by_layer = isinstance(step, Quantize) and (step.method is not None or step.rank > 0)
    return by_layer or isinstance(step, Preprocess | Factor)


@pytest.mark.parametrize("method", [alps, obc, sparsegpt, woodfisher])
def test_reconstruct_keeps_each_layers_share_and_loses_less_than_magnitude(dense: MLP, method) -> None:  # type: ignore[no-untyped-def]
    network, plain = Reconstruct(0.6, method)(dense, DATA), Prune(0.6, keep=keep_largest)(dense, DATA)
    for layer in network.layers:
        assert isinstance(layer.weight, Sparse)
        assert layer.weight.multiply_adds == layer.weight.mask.size - round(0.6 * layer.weight.mask.size)
    x = DATA.train.x
    lost, more = (((other(x) - dense(x)) ** 2).sum() for other in (network, plain))
    assert lost < more
    few = Reconstruct(0.6, method, samples=20)
    assert (
        few(dense, DATA).fingerprint()
        == few(dense, replace(DATA, train=Split(x[:20], DATA.train.y[:20]))).fingerprint()
    )


def test_shrink_takes_the_fraction_of_each_hidden_layer(dense: MLP) -> None:
    assert Shrink(0.5)(dense, DATA).sizes == [12, 8, 4, 4]
    assert Shrink(1.0)(dense, DATA).sizes == [12, 1, 1, 4], "one neuron stays"
    x = DATA.train.x
    refitted, cut = (((Shrink(0.3, refit=refit)(dense, DATA)(x) - dense(x)) ** 2).sum() for refit in (True, False))
    assert refitted < cut
    pruned = Prune(0.5, scores=row_l1, keep=keep_largest)(dense, DATA)
    small = Shrink()(pruned, DATA)
    assert small.sizes == [12, 8, 4, 4]
    np.testing.assert_allclose(small(x), pruned(x), rtol=1e-4, atol=1e-4)


def test_pruning_codes_gives_sparse_codes(dense: MLP) -> None:
    network = Prune(0.5)(Quantize()(dense, DATA), DATA)
    assert all(isinstance(layer.weight.codes, Sparse) for layer in network.layers)
    assert kept(network) == total(dense) - round(0.5 * total(dense))


def test_latent_weights_are_stored_by_quantize_and_masked_by_prune(dense: MLP) -> None:
    latent = dense.with_layers(lambda l: replace(l, weight=Latent.of(FakeQuantize(), l.weight.dense())))
    masked = Prune(0.5)(latent, DATA)
    assert all(isinstance(layer.weight, Latent) for layer in masked.layers)
    stored = Quantize()(masked, DATA)
    assert sum(int(np.count_nonzero(l.weight.dense())) for l in stored.layers) <= total(dense) - round(
        0.5 * total(dense)
    )


def test_compress_hides_the_test_split(dense: MLP) -> None:
    given = []

    def spy(network: MLP, data: Data, hooks: object = ()) -> MLP:
        given.append(data.test)
        return network

    assert compress(dense, [spy, spy], DATA) is dense and given == [None, None]
    assert [name for name, _ in stages(dense, [Prune(0.1), Quantize()], DATA)] == ["Prune", "Quantize"]
    assert compress(dense, [], DATA) is dense


def test_the_repr_of_a_recipe_reproduces_it() -> None:
    for step in [
        *STEPS[:6],
        Reconstruct(0.5, obc),
        Shrink(0.2, scores=row_l1),
        Prune(0.9, scores=row_l1, keep=keep_largest),
        Prune(0.9, scores=synflow, rounds=100),
        Quantize(input_ranges=Percentile(99.0)),
        Share(8, optimal_kmeans),
        Preprocess(magr, samples=9),
        Quantize(method=spqr, rank=3, low_rank=lqer),
        Factor(budget=0.5, by=svd, during=SHORT),
    ]:
        assert eval(repr(step)) == step
    shown = "Prune(sparsity=0.5, scores=partial(ria, a=1.0), keep=partial(keep_blocks, block=(4, 2)))"
    assert repr(eval(shown)) == shown


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Prune(1.5), "between 0 and 1, not 1.5"),
        (lambda: Prune(0.5, ramp=0), "the ramp is a fraction"),
        (lambda: Prune(0.5, during=FineTune(patience=3)), "cannot stop early"),
        (lambda: Prune(0.5, interval=0), "interval is a whole number of at least 1, not 0"),
        (lambda: Reconstruct(-1), "between 0 and 1, not -1"),
        (lambda: Reconstruct(0.5, samples=0), "samples is a whole number of at least 1, not 0"),
        (lambda: Shrink(2), "between 0 and 1, not 2"),
        (lambda: Shrink(samples=0), "samples is a whole number of at least 1, not 0"),
        (lambda: Quantize(samples=0), "samples is a whole number of at least 1, not 0"),
        (lambda: Quantize(weights=8), "weights is a Uniform or Format, not 8"),  # type: ignore[arg-type]
        (lambda: Quantize(per="row"), "per is a .*PerRow.*, not 'row'"),  # type: ignore[arg-type]
        (lambda: Quantize(inputs=minmax), "inputs is a .*Dynamic.*, not <function minmax"),  # type: ignore[arg-type]
        (lambda: FineTune(optimizer=0.1), "optimizer is an SGD or Adam, not 0.1"),  # type: ignore[arg-type]
        (lambda: FineTune(epochs=0), "epochs is a whole number of at least 1, not 0"),
        (lambda: FineTune(batch=True), "batch is a whole number of at least 1, not True"),
        (lambda: FineTune(seed=-1), "seed is a whole number of at least 0, not -1"),
        (lambda: FineTune(patience=0), "patience is a whole number of epochs, at least 1, not 0"),
        (lambda: FineTune(smoothing=1.1), "label smoothing is between 0 and 1, not 1.1"),
        (lambda: FineTune(dropout=(0.5, 1.0)), "rates of dropout are from 0 to below 1, not .0.5, 1.0."),
        (lambda: Distill(), "give a student, or a teacher"),
        (lambda: Distill(student=MLP.init([12, 4]), teacher=MLP.init([12, 4])), "the other"),
        (
            lambda: Distill(student=MLP.init([12, 5]))(MLP.init([12, 4]), DATA),
            r"student \[12, 5\] and a teacher \[12, 4\]",
        ),
    ],
)
def test_bad_settings_get_one_clear_error(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()
