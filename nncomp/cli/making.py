"""Commands that make networks: `train`, `compress`, `demo`; each can be stopped at any moment and gone on with."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock, Timeout

from nncomp.cli.app import AsJson, Coded, DataName, Folder, ProgressBar, command, progress_bars, resumable, write
from nncomp.data import Data, load_data
from nncomp.files import load, save, write_atomically
from nncomp.files.atomic import check_replaceable
from nncomp.files.atomic import replace as move
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.report import Report
from nncomp.steps.guard import TooMuchLost
from nncomp.steps.recipe import Recipe, presets
from nncomp.steps.rehearsal import rehearse
from nncomp.steps.run import log_of, run
from nncomp.steps.tables import RecipeError

PRESETS = f"A recipe.toml, a network made by one, or a preset: {', '.join(presets())}."
RecipeName = Annotated[str, typer.Argument(help=PRESETS, metavar="RECIPE", autocompletion=presets)]
Seed = Annotated[int, typer.Option(help="Added to every seed of the recipe.")]
Out = Annotated[Path, typer.Option(help="Folder for the network, the report and the picture.")]
Start = Annotated[
    Path | None,
    typer.Option(help="A network file to compress; the recipe's [network] and [train] are passed over."),
]


@command
def train(
    recipe: RecipeName,
    data: DataName = None,
    folder: Folder = None,
    seed: Seed = 0,
    out: Out = Path("nncomp-out"),
    as_json: AsJson = False,
) -> None:
    """Train the network of a recipe, without its steps.

    For example: nncomp train lenet-300-100 --folder data --out dense
    """
    _make(recipe, replace(Recipe.load(recipe, seed), steps=()), data, folder, out, as_json)


@command
def compress(
    recipe: RecipeName,
    network: Start = None,
    data: DataName = None,
    folder: Folder = None,
    seed: Seed = 0,
    out: Out = Path("nncomp-out"),
    coded: Coded = False,
    as_json: AsJson = False,
) -> None:
    """Train a network and compress it by a recipe.

    A recipe is a network, how to train it, and the steps to compress it by, in TOML. A network's file stands for the
    recipe that it was made by, which is then followed anew. Stopped at any moment, the same command goes on from there.
    With a [guard] in the recipe, steps that cost too much are halved or left out, or end the run with the network
    before.

    For example: nncomp compress lenet-300-100 --folder data --out lenet
    """
    followed = Recipe.load(recipe, seed)
    if network is not None:
        followed = replace(followed, network=load(network), train=None)
    _make(recipe, followed, data, folder, out, as_json, coded)


@command
def demo(out: Out = Path("nncomp-demo"), as_json: AsJson = False) -> None:
    """Try it all on 8 x 8 digits.

    Trains, prunes, quantizes and distills a network in under a minute; needs no files. Prints what each step did to
    size, accuracy and speed, and writes the compressed network, the report and a picture of size against error.
    """
    _make("digits", Recipe.load("digits"), None, None, out, as_json)


def _make(
    name: str, recipe: Recipe, data_name: str | None, folder: Path | None, out: Path, as_json: bool, coded: bool = False
) -> None:
    data = load_data(data_name or recipe.data, folder)
    names = ("network.safetensors", "report.json", "size-error.png", "log.jsonl")
    for result in names:
        check_replaceable(out / result)
    try:
        rehearse(recipe, data)
    except (RecipeError, MemoryError) as error:
        raise RecipeError(f"{name}: {error}") from error
    kept = out / "unfinished"
    kept.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(kept / ".lock", timeout=0), resumable(kept), progress_bars() as progress:
            done, ended = _followed(recipe, data, kept, lambda stage: (ProgressBar(progress, stage),), coded)
            report = Report.of(done, data, coded)
            row = report.rows[-1]
            metrics = {f"{report.split} accuracy": row.accuracy, "agreement": row.agreement}
            save(kept / names[0], done[-1][1], recipe.lineage(data, metrics), coded)
            write_atomically(kept / names[1], (report.to_json() + "\n").encode())
            report.plot(kept / names[2])
            write_atomically(kept / names[3], "".join(f"{line}\n" for line in log_of(kept)).encode())
            for result in names:
                move(kept / result, out / result)
            shutil.rmtree(kept)
    except Timeout as error:
        raise ValueError(f"another run is at work in {out}") from error
    write(report.to_json() if as_json else f"{report}\n\n{', '.join(names)} in {out}/")
    if ended is not None:
        raise TooMuchLost(f"ended by the guard, {out / names[0]} is the network before: {ended}")


def _followed(
    recipe: Recipe, data: Data, folder: Path, watch: Callable[[str], Sequence[Hook]], coded: bool
) -> tuple[list[tuple[str, MLP]], TooMuchLost | None]:
    """The stages as far as the recipe's guard lets them go, and where it ended them."""
    done = []
    try:
        for stage in run(recipe, data, folder, watch, coded=coded):
            done.append(stage)
    except TooMuchLost as error:
        return done, error
    return done, None
