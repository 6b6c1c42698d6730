"""Distillation as a step: a student learns the teacher's softened outputs beside the labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature

import numpy as np

from nncomp.data import Data, Split
from nncomp.distill import geometric_mean, kl_divergence
from nncomp.fields import brief
from nncomp.hooks import Hook
from nncomp.kernels.threads import on_threads
from nncomp.learning_rate import Constant, Schedule
from nncomp.network import MLP
from nncomp.shown import shown
from nncomp.steps.fine_tune import FineTune
from nncomp.steps.match import Match
from nncomp.steps.original import Original
from nncomp.steps.teaching import Soft, Teacher, Teaching, begun


@dataclass(frozen=True, repr=False)
class Distill:
    """Train by `alpha T^2 KL(teacher || student) + (1 - alpha) cross-entropy` (Hinton, Vinyals & Dean 2015).

    `Distill(student=...)`: the incoming network is the teacher, and the given one comes out trained: two in turn are a
    teacher and its assistant, a student of the teacher's sizes is born again. `Distill(teacher=...)`: the incoming
    network is the student, in the form it is in; so it can stand where others train, as in
    `Quantize(during=Distill(teacher=...))`. `Original()` is the network that the steps of a recipe began with. Several
    teachers teach by their `ensemble`'s mean.

    `soft`: the loss on logits in place of KL, T^2 included. `match`: losses between hidden layers, added. T and alpha
    are multiplied by their schedules, so that `Step((0.7,), 0.0)` for alpha ends distillation early (Cho & Hariharan
    2019). `without`: classes that the student never sees. `transfer`: samples without labels, learned in place of the
    training split, with alpha = 1. `during`: how long and how to train; its label smoothing applies to the hard
    targets. What the teacher makes of the samples is computed once, of each batch where `during` augments it.

    >>> Distill(student=MLP.init([64, 16, 10]), T=2.0, during=FineTune(epochs=3)).during
    FineTune(epochs=3)
    """

    student: MLP | None = None
    teacher: MLP | Original | tuple[MLP | Original, ...] | None = None
    T: float = 4.0
    alpha: float = 0.9
    soft: Soft = kl_divergence
    match: tuple[Match, ...] = ()
    ensemble: Callable[[np.ndarray, float], np.ndarray] = geometric_mean
    T_schedule: Schedule = Constant()
    alpha_schedule: Schedule = Constant()
    without: tuple[int, ...] = ()
    transfer: np.ndarray | None = None
    during: FineTune = FineTune()

    __repr__ = shown

    def __post_init__(self) -> None:
        if (self.student is None) == (self.teacher is None):
            raise ValueError("give a student, or a teacher: the incoming network is the other")
        if self.teacher == ():
            raise ValueError("there is at least one teacher, not an empty list of them")
        self._check_kinds()
        self._check_dials()
        if self.transfer is not None and (self.alpha != 1 or self.alpha_schedule != Constant() or self.without):
            raise ValueError("a transfer set has no labels: it takes alpha = 1, throughout, and all classes")
        if self.transfer is not None and "labels" in signature(self.soft).parameters:
            raise ValueError("a transfer set has no labels, and the loss that is given as soft looks at them")
        if self.match and isinstance(self.teacher, tuple) and len(self.teacher) > 1:
            raise ValueError("hidden layers are matched with those of one teacher, not of several")

    def _check_kinds(self) -> None:
        networks = self.teacher if isinstance(self.teacher, tuple) else (self.teacher,)
        teachers = all(isinstance(one, MLP | Original | None) for one in networks)
        matches = isinstance(self.match, tuple) and all(isinstance(one, Match) for one in self.match)
        for name, kind, fits in (
            ("student", "an MLP", isinstance(self.student, MLP | None)),
            ("teacher", "an MLP, Original() or a tuple of them", teachers),
            ("match", "a tuple of Match", matches),
            ("during", "a FineTune", isinstance(self.during, FineTune)),
        ):
            if not fits:
                raise ValueError(f"{name} is {kind}, not {brief(getattr(self, name))}")

    def _check_dials(self) -> None:
        for progress in np.linspace(0, 1, 101).tolist():
            T, alpha = self.T * self.T_schedule(progress), self.alpha * self.alpha_schedule(progress)
            if not 0 < T < np.inf:
                raise ValueError(f"the temperature T is positive and finite throughout, not {T:g}")
            if not 0 <= alpha <= 1:
                raise ValueError(f"alpha is between 0 and 1 throughout, not {alpha:g}")
        for name, function in (("soft", self.soft), ("ensemble", self.ensemble)):
            if isinstance(function, partial) and (twice := {"T", "labels"} & function.keywords.keys()):
                raise ValueError(f"{name} is given its {' and '.join(sorted(twice))} by Distill: not beside it, too")

    @property
    def patience(self) -> int | None:
        """That of the training."""
        return self.during.patience

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        given = self.teacher or network
        named = given if isinstance(given, tuple) else (given,)
        student, teachers = self.student or network, tuple(one for one in named if not isinstance(one, Original))
        if len(teachers) < len(named):
            raise ValueError("the original is that of several steps: give the network itself, or use compress")
        for teacher in teachers:
            if (student.sizes[0], student.sizes[-1]) != (teacher.sizes[0], teacher.sizes[-1]):
                raise ValueError(
                    f"a student {student.sizes} and a teacher {teacher.sizes} need the same inputs and classes"
                )
        if not set(self.without) <= set(range(student.sizes[-1])):
            raise ValueError(f"without names some of {student.sizes[-1]} classes, not {self.without}")
        data = replace(data, train=self.learned(data.train))
        with on_threads(self.during.threads):
            teaching = self._teaching(student, teachers, data.train.x)
        return self.during(student, data, hooks, teaching)

    def learned(self, split: Split) -> Split:
        """What the student learns from: the transfer set, or the samples of the training split but for `without`."""
        if self.transfer is not None:
            return Split(self.transfer, np.zeros(len(self.transfer), np.int64))
        kept = ~np.isin(split.y, self.without)
        if not kept.any():
            raise ValueError(f"without the classes {self.without} there is nothing to learn from")
        return split if kept.all() else Split(split.x[kept], split.y[kept])

    def _teaching(self, student: MLP, teachers: tuple[MLP, ...], x: np.ndarray) -> Teaching:
        places, starts, terms = begun(self.match, student, teachers[0], x, self.during.seed)
        teacher = Teacher(teachers, self.ensemble, places, tuple(start.of_teacher for start in starts))
        return Teaching(
            teacher if self.during.augment else teacher.of(x),
            self.soft,
            (self.T, self.T_schedule),
            (self.alpha, self.alpha_schedule),
            self.during.smoothing,
            terms,
            tuple(array for start in starts for array in start.params),
        )


Training = FineTune | Distill
"""What a step may do meanwhile."""


def check_training(during: Training | None) -> None:
    """Raise unless a step can do this meanwhile: train its own network.

    >>> check_training(Distill(student=MLP.init([2, 2])))
    Traceback (most recent call last):
    ValueError: during another step the student is that step's network: Distill takes a teacher there
    """
    if not isinstance(during, FineTune | Distill | None):
        raise ValueError(f"during is a FineTune, a Distill or None, not {during!r}")
    if isinstance(during, Distill) and during.teacher is None:
        raise ValueError("during another step the student is that step's network: Distill takes a teacher there")
