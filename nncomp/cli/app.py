"""What all commands share: the program, its errors, its options, its progress bars."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nncomp import __version__
from nncomp.data import NAMES
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.progress import Progress as TrainingProgress

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 120},
)


def data_names() -> list[str]:
    """What the shell offers after --data."""
    return list(NAMES)


NetworkFile = Annotated[Path, typer.Argument(help="A network file.", metavar="NETWORK")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
DataName = Annotated[
    str | None,
    typer.Option(
        "--data", help=f"{', '.join(NAMES)}; else what the recipe says.", metavar="NAME", autocompletion=data_names
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option(help="Where the IDX files of mnist and fashion-mnist lie; else NNCOMP_DATA, else downloaded once."),
]
Coded = Annotated[
    bool, typer.Option("--coded", help="Files of entropy-coded integers, their bounds beside their sizes.")
]


EXTRAS = {"optuna": "search", "loky": "search", "distributed": "dask", "constriction": "coding"}


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"nncomp {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Compress neural networks: prune, quantize, distill, and see what each step did."""


def command(function: Callable[..., None]) -> Callable[..., None]:
    """A command of the program whose bad input is one line on standard error and exit code 2."""

    @wraps(function)
    def told(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except BrokenPipeError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to print has no reader
            raise typer.Exit(128 + 13) from error
        except (ValueError, OSError, MemoryError) as error:
            _end(str(error) or type(error).__name__, 2, error)
        except ImportError as error:
            _end(f"{error}; pip install 'nncomp[{EXTRAS.get(error.name or '', 'demo')}]'", 2, error)
        except KeyboardInterrupt as error:
            _end("stopped", 130, error)

    return app.command()(told)


def _end(message: str, code: int, error: BaseException) -> None:
    typer.echo(f"nncomp: {' '.join(message.split())}", err=True)
    raise typer.Exit(code) from error


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Ctrl-C ends the program with a line that says how to go on."""
    try:
        yield
    except KeyboardInterrupt as error:
        _end(f"stopped; the same command goes on from here, or remove {folder} to start anew", 130, error)


def write(text: str) -> None:
    """Print, whatever the terminal's encoding, and even without one."""
    if sys.stdout is not None:
        encoding = sys.stdout.encoding or "utf-8"
        typer.echo(text.encode(encoding, "replace").decode(encoding))


class ProgressBar(Hook):
    """Shows how far a training is, one bar per stage."""

    def __init__(self, progress: Progress, name: str) -> None:
        self.progress, self.name = progress, name

    def before_training(self, total: int, network: MLP) -> None:
        self.task = self.progress.add_task(self.name, total=total)

    def resume(self, progress: TrainingProgress) -> None:
        self.progress.update(self.task, completed=progress.t)

    def after_update(self, t: int, network: MLP) -> None:
        self.progress.update(self.task, completed=t)


def progress_bars() -> Progress:
    """Bars on standard error, if that is a terminal."""
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
