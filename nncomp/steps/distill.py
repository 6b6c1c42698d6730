"""Distillation as a step: a student learns the teacher's softened outputs beside the labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from nncomp.data import Data
from nncomp.distill import kd
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.objective import Batch
from nncomp.shown import shown
from nncomp.steps.fine_tune import FineTune


@dataclass(frozen=True, repr=False)
class Distill:
    """Train by `alpha T^2 KL(teacher || student) + (1 - alpha) cross-entropy` (Hinton, Vinyals & Dean 2015).

    `Distill(student=...)`: the incoming network is the teacher, and the given one comes out trained.
    `Distill(teacher=...)`: the incoming network is the student. The teacher's outputs are computed once; it is not
    changed. `during`: how long and how to train; its label smoothing applies to the hard targets.

    >>> Distill(student=MLP.init([64, 16, 10]), T=2.0, during=FineTune(epochs=3)).during
    FineTune(epochs=3)
    """

    student: MLP | None = None
    teacher: MLP | None = None
    T: float = 4.0
    alpha: float = 0.9
    during: FineTune = FineTune()

    __repr__ = shown

    def __post_init__(self) -> None:
        if (self.student is None) == (self.teacher is None):
            raise ValueError("give a student, or a teacher: the incoming network is the other")
        if not self.T > 0:
            raise ValueError(f"the temperature T is positive, not {self.T}")
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha is between 0 and 1, not {self.alpha}")

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        student, teacher = self.student or network, self.teacher or network
        if (student.sizes[0], student.sizes[-1]) != (teacher.sizes[0], teacher.sizes[-1]):
            raise ValueError(
                f"a student {student.sizes} and a teacher {teacher.sizes} need the same inputs and classes"
            )
        soft = SoftTargets(teacher(data.train.x), self.T, self.alpha, self.during.smoothing)
        return self.during(student, data, hooks, soft)


@dataclass(frozen=True, eq=False)
class SoftTargets:
    """The objective of distillation, on teacher logits for the whole training split, computed beforehand."""

    teacher_logits: np.ndarray
    T: float
    alpha: float
    smoothing: float = 0.0

    params = ()

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        return replace(self)

    def __call__(
        self, outputs: list[np.ndarray], batch: Batch
    ) -> tuple[float, dict[int, np.ndarray], tuple[np.ndarray, ...]]:
        targets = self.teacher_logits[batch.index]
        loss, gradient = kd(outputs[-1], targets, batch.y, self.T, self.alpha, smoothing=self.smoothing)
        return loss, {len(outputs) - 1: gradient}, ()
