"""The command line: `nncomp demo` and `nncomp compress`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nncomp.data import NAMES, Data, load_data
from nncomp.files import save
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.report import Report
from nncomp.steps import stages
from nncomp.steps.recipe import Recipe, presets

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def main() -> None:
    """Compress neural networks: prune, quantize, distill, and see what each step did."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the network, the report and the picture.")] = Path(
        "nncomp-demo"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Train, prune, quantize and distill a network on 8 x 8 digits, in under a minute; needs no files.

    Prints what each step did to size, accuracy and speed, and writes the compressed network, the report and a picture
    of size against error into a folder.
    """
    _compress("digits", None, None, 0, out, as_json)


@app.command()
def compress(
    recipe: Annotated[str, typer.Argument(help=f"A recipe.toml, or a preset: {', '.join(presets())}.")],
    data: Annotated[str | None, typer.Option(help=f"{', '.join(NAMES)}; else what the recipe says.")] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where the IDX files of mnist and fashion-mnist lie; else NNCOMP_DATA, else downloaded once."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Added to every seed of the recipe.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the network, the report and the picture.")] = Path("nncomp-out"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Train a network and compress it by a recipe: a network, how to train it, and steps, in TOML.

    For example: nncomp compress lenet-300-100 --folder data --out lenet
    """
    _compress(recipe, data, folder, seed, out, as_json)


def _compress(name: str, data_name: str | None, folder: Path | None, seed: int, out: Path, as_json: bool) -> None:
    with _one_line_errors():
        recipe = Recipe.load(name, seed)
        data = load_data(data_name or recipe.data, folder)
        out.mkdir(parents=True, exist_ok=True)
        done = _run(recipe, data)
        report = Report.of(done, data)
        save(out / "network.safetensors", done[-1][1])
        (out / "report.json").write_text(report.to_json() + "\n", encoding="utf-8")
        report.plot(out / "size-error.png")
    typer.echo(
        report.to_json() if as_json else f"{report}\n\nnetwork.safetensors, report.json, size-error.png in {out}/"
    )


def _run(recipe: Recipe, data: Data) -> list[tuple[str, MLP]]:
    """Every named stage of the recipe, a progress bar for each training on standard error if that is a terminal."""
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        bar = ProgressBar(progress)
        bar.name = "Train"
        done = [("Train", recipe.train(recipe.network, data.without_test(), (bar,)))]
        for step in recipe.steps:
            bar.name = type(step).__name__
            done.extend(stages(done[-1][1], [step], data, (bar,)))
    return done


class ProgressBar(Hook):
    """Shows how far the training of the step called `name` is."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.name = progress, ""

    def before_training(self, total: int, network: MLP) -> None:
        self.task = self.progress.add_task(self.name, total=total)

    def after_update(self, t: int, network: MLP) -> None:
        self.progress.update(self.task, completed=t)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Bad input ends the program with one line and exit code 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        typer.echo(f"nncomp: {error}", err=True)
        raise typer.Exit(2) from error
    except ImportError as error:
        typer.echo(f"nncomp: {error}; pip install 'nncomp[demo]'", err=True)
        raise typer.Exit(2) from error
