"""Distillation as a step: what the student minimizes, who teaches it, on which samples, and in whose company."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from nncomp.activations import Tanh
from nncomp.augment import Jitter
from nncomp.data import Data, Split
from nncomp.distill import (
    activation_boundaries,
    arithmetic_mean,
    contrastive,
    dist,
    dkd,
    factor_transfer,
    geometric_mean,
    hint,
    kd,
    kl_divergence,
    logit_regression,
    margin_relu,
    nkd,
    pkt,
    rkd_distance,
    vid,
)
from nncomp.formats import Uniform
from nncomp.hooks import Hook
from nncomp.learning_rate import Cosine, Step
from nncomp.measure import accuracy
from nncomp.network import MLP, backward, forward
from nncomp.objective import Batch, Objective
from nncomp.optim import Adam
from nncomp.prune import cubic
from nncomp.steps import (
    CompressionStep,
    Distill,
    FineTune,
    Guard,
    Original,
    Prune,
    Quantize,
    Recipe,
    Share,
    compress,
)
from nncomp.steps.choices import FEATURES, SOFT
from nncomp.steps.match import Match, seen
from nncomp.steps.rehearsal import rehearse
from nncomp.steps.run import run
from nncomp.steps.tables import RecipeError
from nncomp.weights import Quantized, Sparse
from tests.gradients import assert_gradient
from tests.strategies.data import blobs

DATA = Data(blobs(300, 1), blobs(100, 2))
SHORT = FineTune(epochs=2, batch=50, optimizer=Adam(rate=5e-3))
LONG = replace(SHORT, epochs=60)


@pytest.fixture(scope="module")
def dense() -> MLP:
    return replace(SHORT, epochs=10)(MLP.init([12, 16, 8, 4]), DATA)


def test_it_teaches_a_smaller_student_and_leaves_the_teacher(dense: MLP) -> None:
    student, before = MLP.init([12, 6, 4]), dense.fingerprint()
    taught = Distill(student=student, during=LONG)(dense, DATA)
    assert taught.sizes == student.sizes and dense.fingerprint() == before
    assert student.fingerprint() == MLP.init([12, 6, 4]).fingerprint()
    assert accuracy(taught, DATA.validation) > 0.9
    same = Distill(teacher=dense, during=LONG)(student, DATA)
    assert same.fingerprint() == taught.fingerprint(), "the two ways to say it are one"


@dataclass(frozen=True, repr=False)
class Caught(FineTune):
    """A training that does nothing but show what it would have minimized."""

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = (), objective: Objective | None = None) -> MLP:
        assert objective is not None
        caught.append((objective, data))
        return network


caught: list[tuple[Objective, Data]] = []


def objective(step: Distill, network: MLP, data: Data = DATA) -> Objective:
    caught.clear()
    replace(step, during=Caught(smoothing=step.during.smoothing, augment=step.during.augment))(network, data)
    return caught[0][0]


def batch_of(index: np.ndarray, progress: float = 0.0) -> Batch:
    return Batch(DATA.train.x[index], DATA.train.y[index], index, progress)


INDEX = np.array([7, 3, 250, 11, 12, 13])


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


def test_the_original_teaches_all_steps_that_began_with_it(dense: MLP, tmp_path: Path) -> None:
    def steps(teacher: MLP | Original) -> tuple[CompressionStep, ...]:
        taught = Distill(teacher=teacher, T=2.0, during=SHORT)
        return Prune(0.5, during=taught), taught, Share(4, during=Distill(teacher=(dense, teacher), during=SHORT))

    expected = compress(dense, steps(dense), DATA).fingerprint()
    assert compress(dense, steps(Original()), DATA).fingerprint() == expected
    assert compress(dense, steps(Original()), DATA, guard=Guard(0.9)).fingerprint() == expected
    assert list(run(Recipe(dense, None, steps(Original())), DATA, tmp_path))[-1][1].fingerprint() == expected
    trained = Recipe(MLP.init(dense.sizes), SHORT, steps(Original()))
    rehearse(trained, DATA)
    large = SHORT(MLP.init(dense.sizes), DATA)
    assert trained(DATA).fingerprint() == compress(large, trained.steps, DATA).fingerprint()
    for step in steps(Original())[:2]:
        with pytest.raises(ValueError, match="the original is that of several steps"):
            step(dense, DATA)


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


def test_a_student_that_never_sees_a_class(dense: MLP) -> None:
    step = Distill(student=MLP.init([12, 6, 4]), without=(1, 2), during=LONG)
    kept = np.isin(DATA.train.y, (0, 3))
    fewer = replace(DATA, train=Split(DATA.train.x[kept], DATA.train.y[kept]))
    taught = step(dense, DATA)
    assert taught.fingerprint() == replace(step, without=())(dense, fewer).fingerprint()
    with pytest.raises(ValueError, match=r"without the classes \(0, 1, 2, 3\) there is nothing to learn from"):
        replace(step, without=(0, 1, 2, 3))(dense, DATA)


def test_a_transfer_set_needs_no_labels(dense: MLP) -> None:
    x = blobs(500, 7).x
    taught = Distill(student=MLP.init([12, 6, 4]), alpha=1.0, transfer=x, during=LONG)(dense, DATA)
    assert accuracy(taught, DATA.validation) > 0.9
    wrong = Data(Split(x, np.zeros(len(x), int)), DATA.validation)
    same = Distill(student=MLP.init([12, 6, 4]), alpha=1.0, during=LONG)(dense, wrong)
    assert same.fingerprint() == taught.fingerprint(), "with alpha = 1 nobody looks at labels"


@pytest.mark.parametrize("loss", SOFT, ids=lambda loss: loss.__name__)
def test_every_loss_on_logits_teaches(dense: MLP, loss) -> None:  # type: ignore[no-untyped-def]
    step = Distill(student=MLP.init([12, 6, 4]), T=2.0, alpha=1.0, soft=loss, during=LONG)
    assert accuracy(step(dense, DATA), DATA.validation) > 0.9


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


BETWEEN_SAMPLES = [Distill(teacher=Original(), match=(Match(rkd_distance),)), Distill(teacher=Original(), soft=dist)]


@pytest.mark.parametrize("step", BETWEEN_SAMPLES, ids=["match", "soft"])
def test_a_rehearsal_finds_samples_that_are_alone_in_the_last_batch(dense: MLP, step: Distill) -> None:
    taught = Recipe(dense, None, (replace(step, during=replace(SHORT, batch=50)),))
    rehearse(taught, DATA)
    alone = Data(Split(DATA.train.x[:251], DATA.train.y[:251]), DATA.validation)
    with pytest.raises(RecipeError, match=r"^step 1 \(Distill\): .*(not 1|constant)"):
        rehearse(taught, alone)


def test_a_rehearsal_counts_the_samples_that_are_learned(dense: MLP) -> None:
    student = MLP.init([12, 6, 4], norm=True)
    x = blobs(500, 7).x
    odd = Data(Split(DATA.train.x[:251], DATA.train.y[:251]), DATA.validation)
    transfer = Distill(student=student, alpha=1.0, transfer=x, during=replace(SHORT, batch=50))
    rehearse(Recipe(dense, None, (transfer,)), odd)
    with pytest.raises(RecipeError, match="501 samples leave a last batch of one"):
        rehearse(Recipe(dense, None, (replace(transfer, transfer=blobs(501, 7).x),)), odd)


def test_assistants_and_networks_born_again_are_recipes(dense: MLP) -> None:
    assistant, student = MLP.init([12, 8, 4], seed=1), MLP.init([12, 5, 4], seed=2)
    chain = compress(dense, [Distill(student=assistant, during=SHORT), Distill(student=student, during=SHORT)], DATA)
    taught = Distill(student=assistant, during=SHORT)(dense, DATA)
    assert chain.fingerprint() == Distill(teacher=taught, during=SHORT)(student, DATA).fingerprint()
    again = [Distill(student=MLP.init(dense.sizes, seed=s), during=SHORT) for s in (1, 2)]
    assert compress(dense, again, DATA).sizes == dense.sizes


def test_students_are_taught_in_the_form_they_are_in_or_are_to_take(dense: MLP) -> None:
    teaching = Distill(teacher=dense, T=2.0, during=replace(SHORT, epochs=8))
    sparse = Prune(0.7)(dense, DATA)
    taught = teaching(sparse, DATA)
    for a, b in zip(sparse.layers, taught.layers):
        assert isinstance(a.weight, Sparse) and isinstance(b.weight, Sparse)
        np.testing.assert_array_equal(a.weight.mask, b.weight.mask)
    gradually = Prune(0.7, schedule=cubic, during=teaching)(dense, DATA)
    assert all(isinstance(layer.weight, Sparse) for layer in gradually.layers)
    shared = Share(4, during=teaching)(dense, DATA)
    assert all(len(np.unique(layer.weight.dense())) <= 4 for layer in shared.layers)
    aware = Quantize(Uniform(2), inputs=None, during=teaching)(dense, DATA)
    plain = Quantize(Uniform(2), inputs=None, during=teaching.during)(dense, DATA)
    assert all(isinstance(layer.weight, Quantized) for layer in aware.layers)
    assert aware.fingerprint() != plain.fingerprint()
    z, t = aware(DATA.train.x), dense(DATA.train.x)
    assert logit_regression(z, t)[0] < logit_regression(plain(DATA.train.x), t)[0]


STUDENT = MLP.init([12, 4])
MISTAKES = [
    (lambda: Distill(student=STUDENT, T=0), "the temperature T is positive and finite throughout, not 0"),
    (lambda: Distill(student=STUDENT, alpha=1.5), "alpha is between 0 and 1 throughout, not 1.5"),
    (lambda: Distill(), "give a student, or a teacher"),
    (lambda: Distill(student=STUDENT, teacher=STUDENT), "the other"),
    (lambda: Distill(student=MLP.init([12, 5]))(STUDENT, DATA), r"\[12, 5\] and a teacher \[12, 4\] need the same"),
    (lambda: Distill(teacher=())(STUDENT, DATA), "at least one teacher"),
    (lambda: Distill(teacher=STUDENT, transfer=DATA.train.x), "a transfer set has no labels"),
    (lambda: Distill(teacher=STUDENT, transfer=DATA.train.x, alpha=1.0, soft=nkd), "the loss that is given as soft"),
    (lambda: Distill(teacher=STUDENT, T_schedule=Step((0.7,), 0.0)), "T is positive and finite throughout, not 0"),
    (lambda: Distill(teacher=STUDENT, alpha_schedule=Step((0.7,), -1.0)), "between 0 and 1 throughout, not -0.9"),
    (lambda: Distill(teacher=STUDENT, soft=partial(kl_divergence, T=20.0)), "soft is given its T by Distill"),
    (lambda: Distill(teacher=STUDENT, ensemble=partial(arithmetic_mean, T=2.0)), "ensemble is given its T by"),
    (lambda: Distill(teacher=STUDENT, match=Match()), r"match is a tuple of Match, not Match\(\)"),  # type: ignore[arg-type]
    (lambda: Distill(teacher=[STUDENT]), "teacher is an MLP, Original"),  # type: ignore[arg-type]
    (lambda: Distill(student=5), "student is an MLP, not 5"),  # type: ignore[arg-type]
    (lambda: Distill(teacher=STUDENT, during=Distill(teacher=STUDENT)), "during is a FineTune"),  # type: ignore[arg-type]
    (lambda: Distill(teacher=STUDENT, without=(4,))(STUDENT, DATA), r"some of 4 classes, not \(4,\)"),
    (lambda: Distill(teacher=(STUDENT, STUDENT), match=(Match(),)), "those of one teacher"),
    (lambda: Distill(teacher=STUDENT, match=(Match(),))(STUDENT, DATA), r"layer -2 of a network of 1: \[12, 4\]"),
    (lambda: Match(weight=0.0), "weight of a match is positive and finite, not 0.0"),
    (lambda: Quantize(during=Distill(student=STUDENT)), "Distill takes a teacher there"),
    (lambda: Prune(0.5, during=5), "during is a FineTune, a Distill or None, not 5"),  # type: ignore[arg-type]
    (lambda: Jitter(0), "pixels is a whole number of at least 1, not 0"),
    (lambda: Jitter(2)(np.zeros((1, 8)), np.random.default_rng(0)), "8 features are no square picture"),
    (lambda: Jitter(3)(np.zeros((1, 9)), np.random.default_rng(0)), "that can be moved by 3 pixels"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES, ids=[message for _, message in MISTAKES])
def test_mistakes(mistake, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        mistake()


def test_jitter_moves_pictures_whole_and_all_ways() -> None:
    x = np.arange(1.0, 17.0, dtype=np.float32).reshape(1, 16).repeat(400, axis=0)
    before, moved = x.copy(), Jitter(2)(x, np.random.default_rng(0))
    assert moved.dtype == x.dtype and (x == before).all()
    picture, ways = x[0].reshape(4, 4), set()
    for one in moved.reshape(-1, 4, 4):
        found = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if all(
                one[i, j] == (picture[i - down, j - right] if 0 <= i - down < 4 and 0 <= j - right < 4 else 0)
                for i in range(4)
                for j in range(4)
            )
        ]
        assert len(found) == 1
        ways.add(found[0])
    assert len(ways) == 25
