"""A recipe followed in a folder: each stage is kept as soon as it is done, so a run can be stopped at any moment."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nncomp.data import Data
from nncomp.files import Checkpoint, FileError, load, save, write_atomically
from nncomp.files.atomic import remove_partials
from nncomp.fingerprint import fingerprint
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.steps.guard import Attempt, Guard, TooMuchLost
from nncomp.steps.log import Entry
from nncomp.steps.original import taken
from nncomp.steps.recipe import Recipe
from nncomp.steps.step import CompressionStep
from nncomp.steps.tables import RecipeError


def run(
    recipe: Recipe,
    data: Data,
    folder: str | Path,
    watch: Callable[[str], Sequence[Hook]] = lambda stage: (),
    every: float = 2.0,
    coded: bool = False,
) -> Iterator[tuple[str, MLP]]:
    """The name of each stage and the network after it; stages that `folder` already holds are read from there.

    Stopped at any moment, SIGKILL included, and started again with the same recipe, data and folder, a run goes on
    where it was, in the middle of a training too, and ends with the same bytes as if it had never stopped. A training
    is written every so many seconds. `watch` gives the hooks that may look on, by the name of the stage. A folder that
    holds another run raises a RecipeError; only one run at a time may work in it. A step that the recipe's guard ends
    the run at raises `TooMuchLost`. `log_of` tells what was done; `coded`: the files that it tells the sizes of.

    >>> import tempfile
    >>> from nncomp.data import load_data
    >>> from nncomp.steps import FineTune
    >>> recipe = Recipe(MLP.init([64, 10]), FineTune(epochs=1), ())
    >>> [name for name, _ in run(recipe, load_data("digits"), tempfile.mkdtemp())]
    ['Train']
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    remove_partials(folder)
    _claim(folder / "run.json", fingerprint(recipe.network, recipe.train, recipe.steps, recipe.guard, data))
    network = recipe.started()
    original = network if recipe.train is None else None
    if original is not None:
        entry = Entry.of("Given", None, 0.0, network, network, data.validation, coded=coded)
        write_atomically(folder / "0-Given.json", entry.line().encode())
        yield "Given", network
    for i, (name, step) in enumerate(recipe.stages(), recipe.train is None):
        stage = _Stage(folder / f"{i}-{name}", name, step, lambda: watch(name), every, coded)  # noqa: B023 - called in its turn
        network = stage.done(network, original, recipe.guard, data)
        original = original or network
        yield name, network


@dataclass(frozen=True)
class _Stage:
    """A step of a run and the files that its name starts."""

    files: Path
    name: str
    step: CompressionStep
    watch: Callable[[], Sequence[Hook]]
    every: float
    coded: bool

    def done(self, network: MLP, original: MLP | None, guard: Guard | None, data: Data) -> MLP:
        """The network after it: from its file, or by doing it."""
        kept = self._file("safetensors")
        if not kept.exists():
            save(kept, self._taken(network, original, guard, data.without_test()))
        for training in self.files.parent.glob(f"{self.files.name}.*.training"):
            training.unlink()
        try:
            return load(kept)
        except FileError as error:
            raise FileError(f"{error}; remove it, and the stage is done anew") from error

    def _taken(self, network: MLP, original: MLP | None, guard: Guard | None, data: Data) -> MLP:
        began, after = time.perf_counter(), network
        attempts: list[Attempt] = []
        try:
            if original is None or guard is None:
                after = taken(self.step, network, original or network, data, self._hooks(0))
            else:
                after, attempts = guard(self.step, network, original, data, self._hooks)
        except TooMuchLost as error:
            attempts = error.attempts
            raise
        finally:
            if attempts or after is not network:
                seconds = time.perf_counter() - began
                split, first = data.validation, original or after
                entry = Entry.of(self.name, self.step, seconds, after, first, split, attempts, self.coded)
                write_atomically(self._file("json"), entry.line().encode())
        return after

    def _hooks(self, attempt: int) -> Sequence[Hook]:
        return (*self.watch(), Checkpoint(self._file(f"{attempt}.training"), self.every))

    def _file(self, suffix: str) -> Path:
        return self.files.with_name(f"{self.files.name}.{suffix}")


def log_of(folder: str | Path) -> list[str]:
    """The lines of the log of the run in `folder`, so far; one that its guard ended the run at included."""
    entries = Path(folder).glob("*-*.json")
    return [file.read_text(encoding="utf-8") for file in sorted(entries, key=lambda f: int(f.name.split("-")[0]))]


def _claim(path: Path, key: str) -> None:
    """Note whose folder this is; a RecipeError if it is another run's."""
    told = {"version": 1, "key": key}
    if path.exists():
        try:
            same = json.loads(path.read_text(encoding="utf-8")) == told
        except ValueError:
            same = False
        if not same:
            raise RecipeError(
                f"{path.parent} holds an unfinished run of another recipe, network, data or seed: go on with that one, "
                "or remove the folder"
            )
    else:
        write_atomically(path, json.dumps(told).encode())
