"""How the learning rate changes while a network trains."""

import math
from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[float], float]
"""Progress from 0 to 1 in, the factor on the optimizer's rate out."""


@dataclass(frozen=True)
class Constant:
    """The same rate throughout.

    >>> Constant()(0.5)
    1.0
    """

    def __call__(self, progress: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Step:
    """The rate times `factor` at each of the `at` fractions of the training that has passed.

    >>> [Step(at=(0.5, 0.75), factor=0.1)(t) for t in (0.4, 0.5)]
    [1.0, 0.1]
    """

    at: tuple[float, ...] = (0.5, 0.75)
    factor: float = 0.1

    def __call__(self, progress: float) -> float:
        return self.factor ** sum(progress >= t for t in self.at)


@dataclass(frozen=True)
class Cosine:
    """`factor = last + (1 - last) (1 + cos(pi t)) / 2` (Loshchilov & Hutter 2017, equation 5, without restarts).

    >>> [round(Cosine()(t), 6) for t in (0, 0.5, 1)]
    [1.0, 0.5, 0.0]
    """

    last: float = 0.0

    def __call__(self, progress: float) -> float:
        return self.last + (1 - self.last) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class OneCycle:
    """Half a cosine from `first` up to 1 over the `warmup` fraction, another down to `last` (after Smith & Topin 2018).

    >>> [round(OneCycle()(t), 6) for t in (0, 0.3, 1)]
    [0.04, 1.0, 0.0]
    """

    warmup: float = 0.3
    first: float = 0.04
    last: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.warmup < 1:
            raise ValueError(f"the warm-up is a fraction between 0 and 1, not {self.warmup}")

    def __call__(self, progress: float) -> float:
        if progress < self.warmup:
            return Cosine(self.first)(1 - progress / self.warmup)
        return Cosine(self.last)((progress - self.warmup) / (1 - self.warmup))
