"""Layers matched to the teacher's: losses with weights of their own, what they start with, and whose features."""

from dataclasses import replace

import numpy as np
import pytest

from nncomp.distill import contrastive, factor_transfer, hint, margin_relu, vid
from nncomp.network import MLP, forward
from nncomp.steps import Distill
from nncomp.steps.choices import FEATURES
from nncomp.steps.match import Match, seen
from tests.steps.distilling import batch_of, objective
from tests.steps.examples import DATA, SHORT


@pytest.mark.parametrize("loss", FEATURES, ids=lambda loss: loss.__name__)
def test_every_loss_on_layers_falls_and_trains_what_it_has(dense: MLP, loss) -> None:  # type: ignore[no-untyped-def]
    """As many features as the teacher, which some of them ask for; the loss alone, without soft targets."""
    student = MLP.init([12, 10, 8, 4], seed=4)
    step = Distill(teacher=dense, alpha=0.0, match=(Match(loss),), during=replace(SHORT, epochs=30))
    before = objective(step, student)
    started = [p.copy() for p in before.params]

    def of(network: MLP) -> float:
        _, tape = forward(network, DATA.train.x)
        values = [before(tape, batch_of(np.arange(300))).value, before_without(tape)]
        return values[0] - values[1]

    def before_without(tape) -> float:  # type: ignore[no-untyped-def]
        return objective(replace(step, match=()), student)(tape, batch_of(np.arange(300))).value

    taught, alone = step(student, DATA), replace(step, match=())(student, DATA)
    assert taught.fingerprint() != alone.fingerprint() and taught.fingerprint() == step(student, DATA).fingerprint()
    if not before.params:
        assert of(taught) < of(alone)
    assert all(np.array_equal(a, b) for a, b in zip(started, before.params)), "the loss given is unchanged"


def test_what_losses_on_layers_start_with(dense: MLP) -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((400, 9)) @ rng.standard_normal((9, 9))
    z[:, 8] = np.abs(z[:, 8])
    W, b = Match(hint).begin(rng, 5, z).params
    assert W.shape == (9, 5) and W.std() == pytest.approx(np.sqrt(2 / 5), rel=0.4) and not b.any()
    begun = Match(margin_relu).begin(rng, 5, z)
    negative = [z[:, i][z[:, i] < 0].mean() for i in range(8)]
    np.testing.assert_allclose(begun.loss.keywords["m"], [*negative, 0.0])  # type: ignore[attr-defined]
    *_, alpha = Match(vid).begin(rng, 5, z).params
    np.testing.assert_allclose(np.log1p(np.exp(alpha)), 5.0)
    assert [p.shape for p in Match(contrastive).begin(rng, 5, z).params] == [(5, 5), (5,), (5, 9), (5,)]


def test_a_paraphraser_learns_which_factors_tell_most() -> None:
    """Four directions of nine vary ten times as much: what the best linear map from four factors loses, beside PCA."""
    rng = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(rng.standard_normal((9, 9)))
    features = rng.standard_normal((2000, 9)) * np.repeat([1.0, 0.1], (4, 5)) @ rotation
    begun = Match(factor_transfer).begin(rng, 5, features)
    made = begun.of_teacher(features)
    assert made.shape == (2000, 4) and [p.shape for p in begun.params] == [(4, 5), (4,)]

    def lost(factors: np.ndarray) -> float:
        known = np.c_[factors, np.ones(len(factors))]
        return float(((features - known @ np.linalg.lstsq(known, features)[0]) ** 2).sum())

    least = (np.linalg.svd(features - features.mean(axis=0), compute_uv=False)[4:] ** 2).sum()
    before_leak = np.where(made > 0, made, made / 0.1)
    assert least < lost(before_leak) < 3 * least < 6 * least < lost(features @ rng.standard_normal((9, 4)))


def test_features_are_those_of_the_layers() -> None:
    network = MLP.init([12, 5, 4], norm=True)
    a, z, logits = seen(network, [(0, False), (0, True), (1, False)], DATA.train.x, batch=64)
    assert a.shape == z.shape == (300, 5)
    np.testing.assert_array_equal(a, np.maximum(z, 0))
    for batch in (1, 300):
        whole = seen(network, [(0, False), (0, True), (1, False)], DATA.train.x, batch)
        for part, same in zip((a, z, logits), whole):
            np.testing.assert_allclose(part, same, rtol=0, atol=1e-5)
    np.testing.assert_allclose(logits, network(DATA.train.x), rtol=0, atol=1e-5)


def test_a_teacher_in_double_precision_is_matched_in_the_students(dense: MLP) -> None:
    exact = MLP.init([12, 10, 4], dtype=np.float64)
    for loss in (factor_transfer, hint, contrastive):
        step = Distill(student=MLP.init([12, 6, 4]), match=(Match(loss),), during=SHORT)
        assert step(exact, DATA).dtype == np.float32
