"""Distillations that cannot be, told in one clear error."""

from functools import partial

import numpy as np
import pytest

from nncomp.augment import Jitter
from nncomp.distill import arithmetic_mean, kl_divergence, nkd
from nncomp.learning_rate import Step
from nncomp.network import MLP
from nncomp.steps import Distill, Prune, Quantize
from nncomp.steps.match import Match
from tests.steps.examples import DATA

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
