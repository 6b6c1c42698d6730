"""The log of a run: for each stage what was done, what it cost, how good the network still is."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from nncomp.chart import draw
from nncomp.data import Split
from nncomp.fields import brief, plain
from nncomp.files import to_bytes
from nncomp.measure import agreement, network_cost, score
from nncomp.network import MLP
from nncomp.shown import aligned
from nncomp.steps.guard import Attempt
from nncomp.steps.step import CompressionStep


@dataclass(frozen=True)
class Entry:
    """One stage: its name, the step as it was taken, its seed, how long it took since it was last begun.

    Of the network after it the bytes it stores and those of its file, weights other than 0, multiply-adds, the score on
    the validation split and the agreement with the first network there. `tried`: what a guard did not allow, the score
    after it.
    """

    stage: str
    step: str
    seed: int | None
    seconds: float
    stored: int
    disk: int
    nonzeros: int
    multiply_adds: int
    score: float
    agreement: float | None
    tried: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        stage: str,
        step: CompressionStep | None,
        seconds: float,
        network: MLP,
        original: MLP,
        split: Split,
        attempts: Sequence[Attempt] = (),
        coded: bool = False,
    ) -> Self:
        """The entry of a stage that ended with `network`; `attempts` are what its guard tried. Given: no step."""
        cost = network_cost(network)
        taken = next(
            (repr(a.step) for a in attempts if a.allowed), "nothing" if attempts or step is None else repr(step)
        )
        tried = tuple(f"{a.step!r}: {a.score:.4f}" for a in attempts if not a.allowed)
        values = split.y.ndim > 1
        same = None if values else agreement(network, original, split.x)
        seed = getattr(step, "seed", getattr(getattr(step, "during", None), "seed", None))
        sizes = (cost.stored, len(to_bytes(network, coded=coded)), cost.nonzeros, cost.multiply_adds)
        return cls(stage, taken, seed, seconds, *sizes, score(network, split), same, tried)

    def line(self) -> str:
        """As a line of JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Log:
    """The stages of a run in order, as a table; `read` takes them from a file of JSON lines.

    >>> entry = Entry("Train", "FineTune()", 0, 2.5, 2600, 3000, 650, 640, 0.93, 1.0)
    >>> print(Log((entry,)))
    stage  score   agree %  file kB  ratio  nonzeros  mult-adds  seconds
    --------------------------------------------------------------------
    Train  0.9300   100.00      3.0   1.0x       650        640      2.5
    """

    entries: tuple[Entry, ...]

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """A ValueError for a file that is no such log, with the line where it is not."""
        found = []
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is no text: {error}") from error
        for i, line in enumerate(lines, 1):
            try:
                found.append(_entry(json.loads(line)))
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path}: line {i} is no stage of a run: {error}") from error
        if not found:
            raise ValueError(f"{path} holds no stage of a run")
        return cls(tuple(found))

    def plot(self, path: str | Path) -> None:
        """Draw the stages' file size against their error; for values it is minus their score."""
        errors = [100 - 100 * e.score if e.agreement is not None else -e.score for e in self.entries]
        draw(path, [(e.stage, e.disk, error) for e, error in zip(self.entries, errors)], "run", "validation")

    def __str__(self) -> str:
        lines = [["stage", "score", "agree %", "file kB", "ratio", "nonzeros", "mult-adds", "seconds"]]
        for e in self.entries:
            same = "" if e.agreement is None else f"{100 * e.agreement:.2f}"
            sizes = [f"{e.disk / 1e3:.1f}", f"{self.entries[0].disk / e.disk:.1f}x", f"{e.nonzeros:,}"]
            lines.append([e.stage, f"{e.score:.4f}", same, *sizes, f"{e.multiply_adds:,}", f"{e.seconds:.1f}"])
        tried = [f"{e.stage}: took {e.step}; not {'; nor '.join(e.tried)}" for e in self.entries if e.tried]
        return "\n".join([aligned(lines), *tried])


def _entry(told: Any) -> Entry:
    names = {field.name: field.type for field in fields(Entry)}
    if not isinstance(told, dict) or set(told) != set(names):
        raise ValueError(f"a stage has {', '.join(names)}, and not {brief(told)}")
    tried = told["tried"]
    if not isinstance(tried, list) or not all(isinstance(one, str) for one in tried):
        raise ValueError(f"tried is a list of strings, not {brief(tried)}")
    for name, hint in names.items():
        if name != "tried" and not plain(told[name], hint):
            raise ValueError(f"{name} cannot be {brief(told[name])}")
        if name in ("stored", "disk", "nonzeros", "multiply_adds") and told[name] < (name == "disk"):
            raise ValueError(f"{name} cannot be {told[name]}")
    return Entry(**(told | {"tried": tuple(tried)}))
