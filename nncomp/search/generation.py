"""A generation of trials: those that the folder holds, and the others made, kept as they are done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nncomp.data import Split
from nncomp.fingerprint import fingerprint
from nncomp.search.executors import Workers
from nncomp.search.source import Source
from nncomp.search.store import Store
from nncomp.search.trial import Trial, attempt, judged
from nncomp.steps import CompressionStep
from nncomp.steps.written import written


@dataclass(frozen=True, eq=False)
class Maker:
    """Makes trials of one network: its file's `content`, the `source` of its data and their `key`, who does it, where.

    `losses`: of the original, on each sample of the `split` that trials are judged on.
    """

    content: bytes
    source: Source
    key: str
    split: Split
    losses: np.ndarray
    store: Store
    workers: Workers

    def __call__(
        self,
        recipes: Sequence[Sequence[CompressionStep]],
        parameters: Sequence[dict[str, Any]],
        watch: Callable[[int], object],
    ) -> list[Trial]:
        """The trial of each recipe, in order; the same recipe is followed once. `watch` is told how many are done."""
        keys = [fingerprint(self.content.hex(), self.key, steps)[:16] for steps in recipes]
        found = {key: self.store.read(key) for key in keys}
        told = dict(zip(keys, parameters))
        missing = {
            key: (self.content, self.source, self.key, steps) for key, steps in zip(keys, recipes) if found[key] is None
        }

        def done() -> int:
            return sum(found[key] is not None for key in keys)

        watch(done())
        for key, made in self.workers.each(attempt, missing):
            if isinstance(made, str):
                trial, content = Trial(key, told[key], failed=made), None
            else:
                trial, content = judged(key, told[key], made, self.losses, self.split), made
            trial = replace(trial, recipe=_recipe(missing[key][-1]))
            self.store.write(trial, content)
            found[key] = trial
            watch(done())
        return [trial for trial in map(found.get, keys) if trial is not None]


def _recipe(steps: Sequence[CompressionStep]) -> str:
    try:
        return written(steps)
    except ValueError:
        return ""
