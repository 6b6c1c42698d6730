"""Settings, methods and masks that cannot be, told in one clear error."""

from functools import partial

import numpy as np
import pytest

from nncomp.layerwise import gram, output_error
from nncomp.network import MLP
from nncomp.prune import (
    cubic,
    input_norms,
    keep_blocks,
    keep_each_group,
    keep_each_row,
    keep_globally,
    magnitude,
    refit,
    row_l1,
    sparseml_polynomial,
    wanda,
)  # fmt: skip
from nncomp.quantize import minmax
from nncomp.steps import Distill, FineTune, Prune, Quantize, Reconstruct, Shrink
from tests.steps.examples import DATA, SHORT, kept, total


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
