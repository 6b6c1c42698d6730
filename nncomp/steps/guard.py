"""Guarded steps: what a step costs in accuracy is looked at, and a step that costs too much is not taken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nncomp.data import Data, Split
from nncomp.fields import NotFinite
from nncomp.hooks import Hook
from nncomp.measure import agreement, score
from nncomp.network import MLP
from nncomp.shown import shown, word
from nncomp.steps.gentler import gentler
from nncomp.steps.original import taken
from nncomp.steps.step import CompressionStep


class TooMuchLost(ValueError):
    """A step that costs more than its guard allows, where the guard says to stop; `attempts` are what was tried."""

    attempts: "list[Attempt]"


class Attempt(NamedTuple):
    """A step that was tried: the score on the validation split, the agreement with the original, if it is allowed.

    The score is minus infinity where the training diverged, or what came out of it says NaN.
    """

    step: CompressionStep
    score: float
    agreement: float | None
    allowed: bool


Then = Callable[[CompressionStep, MLP, str], CompressionStep | None]
"""After a step that costs too much, with the network before it and what was lost in words: what to try, or None."""


def stop(step: CompressionStep, before: MLP, lost: str) -> CompressionStep | None:
    """End the run: what was reached before stays."""
    raise TooMuchLost(lost)


def undo(step: CompressionStep, before: MLP, lost: str) -> CompressionStep | None:
    """Go on without the step, from the network before it."""
    return None


def halve(step: CompressionStep, before: MLP, lost: str) -> CompressionStep | None:
    """Try half of it (`gentler`); go on without it where there is no half."""
    return gentler(step, before)


@dataclass(frozen=True, repr=False)
class Guard:
    """How far steps may take a network from the original, the one that their run started with.

    `max_drop`: of the score on the validation split, which is the accuracy of labels, or minus the squared error of
    values. `min_agreement`: of its samples, the fraction that both put in the same class. `then`: `stop`, which raises
    `TooMuchLost`; `undo`; or `halve`, up to three times, then undo. A step whose training diverges has lost everything.

    >>> from nncomp.data import load_data
    >>> from nncomp.steps import FineTune, Prune
    >>> data = load_data("digits")
    >>> network = FineTune(epochs=5)(MLP.init([64, 32, 10]), data)
    >>> pruned, attempts = Guard(max_drop=0.02, then=halve)(Prune(0.9), network, network, data)
    >>> [attempt.step for attempt in attempts if attempt.allowed]
    [Prune(sparsity=0.225)]
    """

    max_drop: float = 0.01
    min_agreement: float | None = None
    then: Then = stop

    __repr__ = shown

    def __post_init__(self) -> None:
        if not 0 <= self.max_drop < np.inf:
            raise ValueError(f"the drop that is allowed is at least 0 and finite, not {self.max_drop}")
        if self.min_agreement is not None and not 0 <= self.min_agreement <= 1:
            raise ValueError(f"an agreement is between 0 and 1, not {self.min_agreement}")
        if not callable(self.then):
            raise ValueError(f"then is stop, undo, halve or a function like them, not {self.then!r}")

    def __call__(
        self,
        step: CompressionStep,
        network: MLP,
        original: MLP,
        data: Data,
        hooks: Callable[[int], Sequence[Hook]] = lambda attempt: (),
    ) -> tuple[MLP, list[Attempt]]:
        """The network after the step, or as it was, and what was tried; `hooks` are those of an attempt."""
        attempts: list[Attempt] = []
        current: CompressionStep | None = step
        while current is not None and len(attempts) <= TRIES:
            try:
                after = taken(current, network, original, data, hooks(len(attempts)))
                attempt, lost = self._judged(current, after, original, data.validation)
            except NotFinite as error:
                attempt, lost = Attempt(current, -np.inf, None, False), f"{word(current)}: {error}"
            attempts.append(attempt)
            if attempt.allowed:
                return after, attempts
            try:
                current = self.then(current, network, lost)
            except TooMuchLost as error:
                error.attempts = attempts
                raise
        return network, attempts

    def _judged(self, step: CompressionStep, after: MLP, original: MLP, split: Split) -> tuple[Attempt, str]:
        reached, before = score(after, split), score(original, split)
        same = agreement(after, original, split.x) if self.min_agreement is not None else None
        told = []
        if not reached >= before - self.max_drop:
            told.append(f"the score on the validation split falls from {before:.4f} to {reached:.4f}")
        if same is not None and self.min_agreement is not None and same < self.min_agreement:
            told.append(f"agreement with the original falls to {same:.4f}")
        lost = f"{word(step)}: {' and '.join(told)}, more than {self!r} allows"
        return Attempt(step, reached, same, not told), lost


TRIES = 3
"""Halvings, at most."""
