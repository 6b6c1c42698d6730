"""What a search found: all trials, those that none betters, and the one that was asked for."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nncomp.chart import draw
from nncomp.network import MLP
from nncomp.search.trial import Trial
from nncomp.shown import aligned


@dataclass(frozen=True, eq=False)
class Found:
    """The `network` that a search chose and its trial, `chosen`; the `original` and all `trials`, in their order.

    `values`: whether scores are minus squared errors, and not accuracies.

    >>> original, small = Trial("original", {}, size=9, score=0.9), Trial("a", {"kept": 0.1}, size=3, score=0.9)
    >>> found = Found(MLP.init([2, 2]), small, original, (small, Trial("b", {"kept": 0.2}, size=5, score=0.8)), "toy")
    >>> [trial.key for trial in found.front]
    ['a']
    """

    network: MLP
    chosen: Trial
    original: Trial
    trials: tuple[Trial, ...]
    data: str = ""
    values: bool = False

    @property
    def front(self) -> tuple[Trial, ...]:
        """Trials, and the original, that none betters in size, score and multiply-adds at once, by size."""
        whole = {one.key: one for one in (*self.trials, self.original) if not one.failed}.values()
        return tuple(sorted((one for one in whole if not any(betters(a, one) for a in whole)), key=lambda t: t.size))

    def __str__(self) -> str:
        """The front, trial by trial, the chosen one marked."""
        names = list(dict.fromkeys(name for trial in self.trials for name in trial.parameters))
        lines = [["trial", *names, "file kB", "ratio", "mult-adds", "score", "drop", "+-"]]
        for trial in self.front:
            parameters = [_brief(trial.parameters.get(name, "")) for name in names]
            sizes = [f"{trial.size / 1e3:.1f}", f"{self.original.size / trial.size:.1f}x", f"{trial.multiply_adds:,}"]
            scores = [f"{trial.score:.4f}", f"{trial.drop:+.4f}", f"{trial.error:.4f}"]
            lines.append([f"{trial.key}{' *' if trial.key == self.chosen.key else ''}", *parameters, *sizes, *scores])
        return aligned(lines)

    def to_json(self) -> str:
        """Everything measured on the validation split, in bytes and fractions."""
        told = {
            "data": self.data,
            "original": asdict(self.original),
            "chosen": self.chosen.key,
            "front": [trial.key for trial in self.front],
            "trials": [asdict(trial) for trial in self.trials],
        }
        return json.dumps(told, indent=1)

    def plot(self, path: str | Path) -> None:
        """Draw the front, file size against validation error (of values minus their score), the chosen one marked."""
        errors = [-one.score if self.values else 100 - 100 * one.score for one in self.front]
        points = [(_name(one, self), one.size, error) for one, error in zip(self.front, errors)]
        draw(path, points, self.data, "validation")


def betters(a: Trial, b: Trial) -> bool:
    """Whether a is at least as good in size, score and multiply-adds, and better in one of them.

    >>> betters(Trial("", {}, size=3, score=0.9), Trial("", {}, size=3, score=0.8))
    True
    """
    pairs = ((a.size, b.size), (-a.score, -b.score), (a.multiply_adds, b.multiply_adds))
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


def smallest_within(trials: Sequence[Trial], max_drop: float, caution: float) -> Trial | None:
    """The smallest of those that are `within`; of two of a size the first.

    >>> smallest_within([Trial("a", {}, size=3, drop=0.2), Trial("b", {}, size=5, drop=0.0)], 0.1, 1.0).key
    'b'
    """
    passed = [trial for trial in trials if trial.within(max_drop, caution)]
    return min(passed, key=lambda trial: trial.size, default=None)


def _name(trial: Trial, found: Found) -> str:
    words = [f"{name} {_brief(value)}" for name, value in trial.parameters.items()]
    return (", ".join(words) or "original") + (" *" if trial.key == found.chosen.key else "")


def _brief(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
