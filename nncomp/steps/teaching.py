"""The objective of distillation: soft targets, labels, and hidden layers matched with the teacher's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from itertools import accumulate, pairwise
from typing import Self

import numpy as np

from nncomp.learning_rate import Schedule
from nncomp.losses import cross_entropy
from nncomp.network import MLP
from nncomp.objective import Batch, Loss, Passed
from nncomp.steps.match import Begun, FeatureLoss, Match, seen

Soft = Callable[..., tuple[float, np.ndarray]]
"""`(student, teacher)` logits in, and labels and T where it takes them; `(loss, gradient at the student)` out."""


@dataclass(frozen=True, eq=False)
class Teacher:
    """Networks that teach together, and what is asked of them.

    `places`: the layers matched, as `seen` takes them; `made`: what is made of the features there. `logits (teachers,
    n, classes)` and `features` of the training split, computed once, or None to compute them for each batch.
    """

    networks: tuple[MLP, ...]
    ensemble: Callable[[np.ndarray, float], np.ndarray]
    places: tuple[tuple[int, bool], ...] = ()
    made: tuple[Callable[[np.ndarray], np.ndarray], ...] = ()
    logits: np.ndarray | None = None
    features: tuple[np.ndarray, ...] = ()

    def of(self, x: np.ndarray) -> Self:
        """The same, who knows what it makes of the samples `x`."""
        logits = np.stack([network(x) for network in self.networks])
        features = seen(self.networks[0], self.places, x)
        return replace(self, logits=logits, features=tuple(made(f) for made, f in zip(self.made, features)))

    def __call__(self, batch: Batch, T: float) -> tuple[np.ndarray, list[np.ndarray]]:
        """The logits `(batch, classes)` to learn at T, and the features at each of the places."""
        if self.logits is None:
            return self.of(batch.x)(replace(batch, index=np.arange(len(batch.x))), T)
        return self.ensemble(self.logits[:, batch.index], T), [f[batch.index] for f in self.features]


@dataclass(frozen=True, eq=False)
class Term:
    """`weight loss(features of the student's layer, ...)`, by so many `arrays` of its own."""

    loss: FeatureLoss
    layer: int
    before: bool
    weight: float
    arrays: int


@dataclass(frozen=True, eq=False)
class Teaching:
    """`alpha soft + (1 - alpha) cross-entropy + sum_k weight_k loss_k`; T and alpha times their schedules."""

    teacher: Teacher
    soft: Soft
    T: tuple[float, Schedule]
    alpha: tuple[float, Schedule]
    smoothing: float
    terms: tuple[Term, ...]
    params: tuple[np.ndarray, ...]

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        return replace(self, params=params)

    def __call__(self, layers: Sequence[Passed], batch: Batch) -> Loss:
        (T, cooled), (alpha, faded) = self.T, self.alpha
        T, alpha = T * cooled(batch.progress), alpha * faded(batch.progress)
        logits, features = self.teacher(batch, T)
        loss, gradient = self._at_logits(layers[-1].a, logits, batch.y, T, alpha)
        da: dict[int, np.ndarray] = {len(layers) - 1: gradient}
        dz: dict[int, np.ndarray] = {}
        dparams: list[np.ndarray] = []
        ends = accumulate((term.arrays for term in self.terms), initial=0)
        for term, of_teacher, (start, end) in zip(self.terms, features, pairwise(ends)):
            layer = layers[term.layer]
            own = layer.z if term.before else layer.a
            value, down, *rest = term.loss(own, of_teacher, *self.params[start:end])
            loss, w = loss + term.weight * value, own.dtype.type(term.weight)
            at, i = dz if term.before else da, term.layer
            at[i] = at[i] + w * down if i in at else w * down
            dparams += [w * d for ds in rest for d in ds]
        return Loss(loss, da, dz, tuple(dparams))

    def _at_logits(
        self, student: np.ndarray, teacher: np.ndarray, labels: np.ndarray, T: float, alpha: float
    ) -> tuple[float, np.ndarray]:
        mix = student.dtype.type
        loss, gradient = 0.0, np.zeros_like(student)
        if alpha > 0:
            takes = signature(self.soft).parameters
            soft, dsoft = self.soft(
                student, teacher, **{k: v for k, v in {"labels": labels, "T": T}.items() if k in takes}
            )
            loss, gradient = alpha * soft, mix(alpha) * dsoft
        if alpha < 1:
            hard, dhard = cross_entropy(student, labels, self.smoothing)
            loss, gradient = loss + (1 - alpha) * hard, gradient + mix(1 - alpha) * dhard
        return loss, gradient


def begun(
    matches: Sequence[Match], student: MLP, teacher: MLP, x: np.ndarray, seed: int
) -> tuple[tuple[tuple[int, bool], ...], list[Begun], tuple[Term, ...]]:
    """For each match the place in the teacher, what it begins with, and the term, before a training on samples `x`."""
    for match in matches:
        for network, layer in ((student, match.student), (teacher, match.teacher)):
            if not -len(network.layers) <= layer < len(network.layers):
                raise ValueError(f"a match with layer {layer} of a network of {len(network.layers)}: {network.sizes}")
    places = tuple((match.teacher % len(teacher.layers), match.before) for match in matches)
    rng = np.random.default_rng(seed)
    starts, terms = [], []
    for match, features in zip(matches, seen(teacher, places, x)):
        layer = match.student % len(student.layers)
        start = match.begin(rng, student.sizes[layer + 1], features.astype(student.dtype))
        starts.append(start)
        terms.append(Term(start.loss, layer, match.before, match.weight, len(start.params)))
    return places, starts, tuple(terms)
