"""What a student minimizes: the paper's sum, its gradients, one teacher or several, known beforehand or asked."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from nncomp.activations import Tanh
from nncomp.augment import Jitter
from nncomp.data import Data, Split
from nncomp.distill import (
    activation_boundaries,
    arithmetic_mean,
    dkd,
    geometric_mean,
    hint,
    kd,
    kl_divergence,
    pkt,
    rkd_distance,
    vid,
)
from nncomp.learning_rate import Cosine, Step
from nncomp.network import MLP, backward, forward
from nncomp.objective import Batch
from nncomp.steps import Distill, FineTune
from nncomp.steps.match import Match
from tests.gradients import assert_gradient
from tests.steps.distilling import INDEX, batch_of, objective
from tests.steps.examples import DATA, SHORT
from tests.strategies.data import blobs


def test_the_objective_is_the_papers_at_every_moment(dense: MLP) -> None:
    student = MLP.init([12, 5, 4], seed=3)
    step = Distill(student=student, T=8.0, alpha=0.8, T_schedule=Cosine(last=0.25), alpha_schedule=Step((0.7,), 0.0),
                   during=FineTune(smoothing=0.1))  # fmt: skip
    loss = objective(step, dense)
    _, tape = forward(student, DATA.train.x[INDEX])
    for progress, T, alpha in ((0.0, 8.0, 0.8), (0.5, 5.0, 0.8), (0.9, 8 * Cosine(0.25)(0.9), 0.0)):
        found = loss(tape, batch_of(INDEX, progress))
        expected, gradient = kd(tape[-1].a, dense(DATA.train.x)[INDEX], DATA.train.y[INDEX], T, alpha, smoothing=0.1)
        assert found.value == pytest.approx(expected, rel=1e-6)
        np.testing.assert_allclose(found.da[1], gradient, rtol=1e-5, atol=1e-7)
        assert list(found.da) == [1] and not found.dz and not found.dparams


def test_teachers_are_averaged_at_the_temperature_of_the_moment(dense: MLP) -> None:
    student, other = MLP.init([12, 5, 4], seed=3), MLP.init([12, 6, 4], seed=5)
    step = Distill(teacher=(dense, other), T=8.0, alpha=1.0, T_schedule=Cosine(last=0.25), ensemble=arithmetic_mean)
    loss = objective(step, student)
    _, tape = forward(student, DATA.train.x[INDEX])
    logits = np.stack([teacher(DATA.train.x)[INDEX] for teacher in (dense, other)])
    for progress, T in ((0.0, 8.0), (0.5, 5.0), (1.0, 2.0)):
        expected, gradient = kl_divergence(tape[-1].a, arithmetic_mean(logits, T), T)
        found = loss(tape, batch_of(INDEX, progress))
        assert found.value == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(found.da[1], gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_of_all_terms_together(seed: int) -> None:
    """At the student's weights and at the arrays of the losses, with layers matched before and after activations."""
    data = Data(Split(DATA.train.x.astype(float), DATA.train.y), DATA.validation)
    teacher = MLP.init([12, 7, 6, 4], Tanh(), seed=seed, dtype=np.float64)
    student = MLP.init([12, 5, 3, 4], Tanh(), norm=True, seed=seed + 9, dtype=np.float64)
    match = (
        Match(hint, 0, 1, 0.5),
        Match(activation_boundaries, 1, 1, 2.0),
        Match(vid, 1, 0, 0.3),
        Match(rkd_distance, -1, -1, 0.7),
        Match(pkt),
        Match(activation_boundaries, 1, 0, 0.1),
    )
    loss = objective(Distill(teacher=teacher, match=match, soft=partial(dkd, beta=2.0), alpha=0.6), student, data)
    batch = replace(batch_of(INDEX), x=data.train.x[INDEX])
    own = [p.copy() for p in loss.params]
    weights = [p.copy() for layer in student.params for p in layer]
    sizes = [len(layer) for layer in student.params]

    def value(*arrays: np.ndarray) -> float:
        _, tape = forward(rebuilt(arrays[: len(weights)]), batch.x)
        return loss.with_params(arrays[len(weights) :])(tape, batch).value

    def rebuilt(arrays: Sequence[np.ndarray]) -> MLP:
        ends = np.cumsum([0, *sizes])
        return student.with_params([arrays[a:b] for a, b in pairwise(ends)])

    _, tape = forward(student, batch.x)
    found = loss(tape, batch)
    assert set(found.dz) == {1} and set(found.da) == {0, 1, 2}
    at_weights = [d for layer in backward(student, tape, found.da, found.dz) for d in layer]
    assert_gradient(value, [*weights, *own], [*at_weights, *found.dparams], seed)


def test_several_teachers_teach_by_their_mean(dense: MLP) -> None:
    other, student = MLP.init([12, 4], seed=5), MLP.init([12, 5, 4], seed=3)
    both = np.stack([network(DATA.train.x)[INDEX] for network in (dense, other)])
    _, tape = forward(student, DATA.train.x[INDEX])
    for mean in (geometric_mean, arithmetic_mean):
        loss = objective(Distill(teacher=(dense, other), T=3.0, alpha=1.0, ensemble=mean), student)
        expected, gradient = kl_divergence(tape[-1].a, mean(both, 3.0), 3.0)
        found = loss(tape, batch_of(INDEX))
        assert found.value == pytest.approx(expected, rel=1e-6)
        np.testing.assert_allclose(found.da[1], gradient, rtol=1e-5, atol=1e-7)
    alone = Distill(teacher=(dense,), during=SHORT)(student, DATA)
    assert alone.fingerprint() == Distill(teacher=dense, during=SHORT)(student, DATA).fingerprint()


@pytest.mark.parametrize("T", [0.5, 1.0, 5.0])
def test_means_of_distributions(T: float) -> None:
    z = np.random.default_rng(0).standard_normal((3, 5, 4)) * 3
    p = np.exp(z / T) / np.exp(z / T).sum(axis=2, keepdims=True)
    arithmetic, geometric = (np.exp(mean(z, T) / T) for mean in (arithmetic_mean, geometric_mean))
    np.testing.assert_allclose(arithmetic, p.mean(axis=0), rtol=1e-12)
    product = p.prod(axis=0) ** (1 / 3)
    np.testing.assert_allclose(
        geometric / geometric.sum(axis=1, keepdims=True), product / product.sum(axis=1, keepdims=True), rtol=1e-12
    )


@pytest.mark.parametrize("mean", [geometric_mean, arithmetic_mean])
def test_no_mean_of_no_teachers(mean) -> None:  # type: ignore[no-untyped-def]
    for logits, T, message in (
        (np.zeros((0, 2, 3)), 1.0, r"not empty, not \(0, 2, 3\)"),
        (np.zeros((2, 3)), 1.0, r"\(teachers, batch, classes\)"),
        (np.full((1, 1, 2), np.nan), 1.0, "logits of shape"),
        (np.zeros((1, 1, 2)), 0.0, "temperature is positive and finite, not 0.0"),
    ):
        with pytest.raises(ValueError, match=message):
            mean(logits, T)


class Same:
    """An augmentation that changes nothing."""

    def __call__(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return x.copy()

    __qualname__ = "Same"


@pytest.mark.parametrize("match", [(), (Match(hint), Match(activation_boundaries, 0, 1))], ids=["logits", "layers"])
def test_known_beforehand_or_asked_for_each_batch_the_teacher_says_the_same(
    dense: MLP, match: tuple[Match, ...]
) -> None:
    """The BLAS library may sum up a batch of 50 otherwise than one of 300: equal to the last bits, no more."""
    student = MLP.init([12, 5, 4], seed=3)
    step = Distill(teacher=dense, match=match)
    known = objective(step, student)
    asked = objective(replace(step, during=FineTune(augment=Same())), student)  # type: ignore[arg-type]
    _, tape = forward(student, DATA.train.x[INDEX])
    a, b = known(tape, batch_of(INDEX)), asked(tape, batch_of(INDEX))
    assert a.value == pytest.approx(b.value, rel=1e-5)
    for i in (*a.da, *a.dz):
        np.testing.assert_allclose({**a.da, **a.dz}[i], {**b.da, **b.dz}[i], rtol=1e-4, atol=1e-6)


def test_of_jittered_samples_the_teacher_is_asked_anew() -> None:
    teacher, student = MLP.init([9, 3]), MLP.init([9, 4, 3])
    data = Data(Split(blobs(60, 1).x[:, :9], blobs(60, 1).y % 3), Split(blobs(20, 1).x[:, :9], blobs(20, 1).y % 3))
    loss = objective(Distill(teacher=teacher, alpha=1.0, during=FineTune(augment=Jitter(1))), student, data)
    x = data.train.x[:5] + 1
    _, tape = forward(student, x)
    found = loss(tape, Batch(x, data.train.y[:5], np.arange(5)))
    assert found.value == pytest.approx(kl_divergence(tape[-1].a, teacher(x), 4.0)[0], rel=1e-6)
