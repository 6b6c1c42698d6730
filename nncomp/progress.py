"""How far a training is: everything that decides what its next update does, as arrays and numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from nncomp.fingerprint import fingerprint


class Stateful(Protocol):
    """A part of a training that remembers something from update to update."""

    def state(self) -> dict[str, np.ndarray]:
        """The arrays it remembers it by, which a training that is gone on with overwrites in place."""


@dataclass(eq=False)
class Progress:
    """A training between two epochs.

    `settings`: all that was asked for; two trainings with equal settings do the same. `live`: the arrays that training
    changes in place. `slots`: the optimizer's state for each of the trained ones. `best`: a copy of `live` after the
    epoch with the highest `score`, `since` epochs ago.
    """

    settings: tuple[Any, ...]
    live: Sequence[np.ndarray]
    slots: Sequence[tuple[np.ndarray, ...]]
    rng: np.random.Generator
    hooks: Sequence[Stateful] = ()
    epoch: int = 0
    t: int = 0
    best: Sequence[np.ndarray] = ()
    score: float = 0.0
    since: int = 0

    def key(self) -> str:
        """The fingerprint of the settings."""
        return fingerprint(*self.settings)

    def judge(self, score: float) -> None:
        """Note how good the network is after an epoch; the first of equals stays the best."""
        self.since += 1
        if not self.best or score > self.score:
            self.best, self.score, self.since = [a.copy() for a in self.live], score, 0

    def take_best(self) -> None:
        """Go back to the best epoch, if any was judged."""
        for array, best in zip(self.live, self.best):
            array[...] = best

    def numbers(self) -> dict[str, Any]:
        """What is not arrays, as JSON holds it: counts, and the state of the random generator."""
        counts = {name: getattr(self, name) for name in ("epoch", "t", "score", "since")}
        return {**counts, "judged": bool(self.best), "generator": self.rng.bit_generator.state}

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array by name; not copies."""
        parts = {f"live.{i}": a for i, a in enumerate(self.live)}
        parts |= {f"best.{i}": a for i, a in enumerate(self.best)}
        parts |= {f"slot.{i}.{j}": a for i, slot in enumerate(self.slots) for j, a in enumerate(slot)}
        states = (state for hook in self.hooks if (state := hook.state()))  # a hook that only watches may come or go
        return parts | {f"hook.{i}.{name}": a for i, state in enumerate(states) for name, a in state.items()}

    def restore(self, numbers: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Go on from where `numbers()` and `arrays()` were taken; a ValueError where they are of no such training."""
        self.best = [np.empty_like(a) for a in self.live] if numbers["judged"] else []
        own = self.arrays()
        if {name: (a.shape, a.dtype) for name, a in arrays.items()} != {n: (a.shape, a.dtype) for n, a in own.items()}:
            raise ValueError("its arrays are not those of this training")
        self.rng.bit_generator.state = numbers["generator"]
        self.epoch, self.t, self.score, self.since = (numbers[name] for name in ("epoch", "t", "score", "since"))
        for name, array in own.items():
            array[...] = arrays[name]
