"""Distillation as a step: what a student learns, on which samples, in which form, and whose."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nncomp.data import Data, Split
from nncomp.distill import logit_regression
from nncomp.formats import Uniform
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.prune import cubic
from nncomp.steps import CompressionStep, Distill, Guard, Original, Prune, Quantize, Recipe, Share, Sparsify, compress
from nncomp.steps.choices import SOFT
from nncomp.steps.rehearsal import rehearse
from nncomp.steps.run import run
from nncomp.transforms import A2Q, HardConcrete
from nncomp.weights import Quantized, Sparse
from tests.steps.examples import DATA, SHORT
from tests.strategies.data import blobs

LONG = replace(SHORT, epochs=60)


def without(*classes: int) -> Data:
    kept = ~np.isin(DATA.train.y, classes)
    return replace(DATA, train=Split(DATA.train.x[kept], DATA.train.y[kept]))


def test_it_teaches_a_smaller_student_and_leaves_the_teacher(dense: MLP) -> None:
    student, before = MLP.init([12, 6, 4]), dense.fingerprint()
    taught = Distill(student=student, during=LONG)(dense, DATA)
    assert taught.sizes == student.sizes and dense.fingerprint() == before
    assert student.fingerprint() == MLP.init([12, 6, 4]).fingerprint()
    assert accuracy(taught, DATA.validation) > 0.9
    same = Distill(teacher=dense, during=LONG)(student, DATA)
    assert same.fingerprint() == taught.fingerprint(), "the two ways to say it are one"


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


def test_a_student_that_never_sees_a_class(dense: MLP) -> None:
    step = Distill(student=MLP.init([12, 6, 4]), without=(1, 2), during=LONG)
    taught = step(dense, DATA)
    assert taught.fingerprint() == replace(step, without=())(dense, without(1, 2)).fingerprint()
    with pytest.raises(ValueError, match=r"without the classes \(0, 1, 2, 3\) there is nothing to learn from"):
        replace(step, without=(0, 1, 2, 3))(dense, DATA)


@pytest.mark.parametrize(
    "step",
    [Sparsify(HardConcrete(strength=50.0)), Quantize(inputs=None, through=A2Q(strength=50.0), during=SHORT)],
    ids=repr,
)
def test_a_price_is_shared_by_the_samples_that_are_learned(dense: MLP, step: Sparsify | Quantize) -> None:
    unseen, gone = (replace(step, during=Distill(teacher=dense, without=w, during=SHORT)) for w in ((3,), ()))
    assert unseen(dense, DATA).fingerprint() == gone(dense, without(3)).fingerprint()


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
