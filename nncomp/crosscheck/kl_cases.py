"""What a distillation loss goes wrong on: each function below is a hazard and says why."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from nncomp.crosscheck.shrink import Case

TEMPERATURES = (1.0, 4.0, 0.7, 1e-6, 1e6)  # none, exact, rounded; probabilities of 0 and 1, or all but equal
Pair = tuple[np.ndarray, np.ndarray]


def kl_cases(dtype: type = np.float32, *, seed: int = 0) -> Iterator[Case]:
    """Cases `(student, teacher, T)` for `kl_divergence`: logits (batch, classes) in `dtype`, float32 or float64.

    `logits / T` and their differences are finite, and so is every divergence.

    >>> student, teacher, T = next(kl_cases())
    >>> student.shape, teacher.shape, student.dtype, T
    ((1, 1), (1, 1), dtype('float32'), 1.0)
    """
    rng = np.random.default_rng(seed)
    for hazard, T in product(HAZARDS, TEMPERATURES):
        for student, teacher in hazard(rng):
            yield student.astype(dtype), teacher.astype(dtype), T


def shapes(rng: np.random.Generator) -> Iterator[Pair]:
    """One class, whose probability is 1, to many, whose sums round; batches of one; vectors and what is left over."""
    for shape in ((1, 1), (4, 1), (1, 2), (3, 2), (1, 7), (8, 10), (2, 16), (2, 17), (5, 31), (2, 65), (2, 1000)):
        yield 3 * rng.normal(size=shape), 3 * rng.normal(size=shape)


def equals(rng: np.random.Generator) -> Iterator[Pair]:
    """A student who is the teacher: the divergence and its gradient are 0, and rounding alone is left of them."""
    for shape in ((1, 2), (3, 10)):
        logits = 3 * rng.normal(size=shape)
        yield logits, logits


def ties(rng: np.random.Generator) -> Iterator[Pair]:
    """Classes of equal logits, some or all: the largest is not the only one, and 0 may be all that is left of them."""
    tied = np.array([[2.0, 2.0, 2.0, 2.0], [2.0, 2.0, -3.0, -3.0], [0.1, 0.1, 0.1, 0.1]])
    yield tied, 3 * rng.normal(size=tied.shape)
    yield 3 * rng.normal(size=tied.shape), tied
    yield tied, tied[::-1]


def zeros(rng: np.random.Generator) -> Iterator[Pair]:
    """Zeros of either sign and subnormals of both dtypes: all are next to nothing in a softmax, none is a special case.

    Divided by a temperature below 1 they may be normal, by one above 1 they may be 0.
    """
    small = np.array([[0.0, -0.0, 1e-45, -1e-45], [1e-40, -1e-40, 5e-324, -1e-310], [-0.0, -0.0, -0.0, -0.0]])
    yield small, small[:, ::-1]
    yield small, 3 * rng.normal(size=small.shape)


def shifted(rng: np.random.Generator) -> Iterator[Pair]:
    """A large number in all of a row's logits changes nothing, unless exp overflows before the largest is taken off."""
    small = rng.integers(-4, 5, (2, 3, 5)).astype(np.float64)  # whole, so that float32 keeps them beside 1e4
    yield small[0] + 1e4, small[1] - 1e4
    yield small[0] - 1e4, small[1] - 1e4


def extremes(rng: np.random.Generator) -> Iterator[Pair]:
    """Probabilities that underflow to 0, in a student the teacher contradicts: log p is -1e30, not log 0."""
    for size in (100.0, 1e4, 1e30):
        signs = np.array([[1.0, -1.0, 0.0], [-1.0, 0.0, 1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, -1.0]])
        yield size * signs, size * np.roll(signs, 1, axis=1)
        yield size * signs, rng.normal(size=signs.shape)


def one_hot(rng: np.random.Generator) -> Iterator[Pair]:
    """Teachers who are certain: what they rule out adds 0, where 0 log 0 is NaN."""
    for size in (1e3, 1e30):
        certain = size * np.eye(5)
        yield rng.normal(size=(5, 5)), certain
        yield rng.normal(size=(5, 5)), certain - size
        yield np.roll(certain, 1, axis=1), certain


HAZARDS = (shapes, equals, ties, zeros, shifted, extremes, one_hot)
