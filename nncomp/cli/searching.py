"""Commands that say how far to compress: `sensitivity`, `search`."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock, Timeout

from nncomp.cli.app import AsJson, Folder, NetworkFile, command, data_names, progress_bars, resumable, write
from nncomp.data import NAMES, Data, load_data
from nncomp.files import Lineage, load, read_lineage, save, write_atomically
from nncomp.files.atomic import check_replaceable
from nncomp.formats import Uniform
from nncomp.kernels.threads import CORES
from nncomp.network import MLP
from nncomp.prune import keep_largest
from nncomp.report import Report
from nncomp.search import Found, PruneAndShare, Search, layer_sensitivity, workers
from nncomp.search.sensitivity import Choice
from nncomp.steps import Factor, Prune, Quantize, Recipe
from nncomp.weights import Dense, Sparse

Name = Annotated[str, typer.Option("--data", help=f"{', '.join(NAMES)}.", metavar="NAME", autocompletion=data_names)]
Many = Annotated[int, typer.Option("--workers", help="Processes to work in, one thread each.", min=1)]
Dask = Annotated[
    str | None, typer.Option(help="The scheduler of a Dask cluster to work on instead.", metavar="ADDRESS")
]


@command
def sensitivity(
    network: NetworkFile,
    data: Name = "digits",
    folder: Folder = None,
    many: Many = CORES,
    dask: Dask = None,
    as_json: AsJson = False,
) -> None:
    """Show what compressing each layer alone costs.

    A table a layer, with a line for each way to prune, quantize or factor it: what the cross-entropy on the validation
    split rises by and what the accuracy becomes when this layer alone is compressed so, nothing trained afterwards; and
    the bytes and multiply-adds that it then takes.

    For example: nncomp sensitivity dense/network.safetensors --data mnist --folder data
    """
    loaded = load(network)
    with workers(many, dask) as at_work:
        found = layer_sensitivity(loaded, _source(data, folder), _ways(loaded), workers=at_work)
    write(found.to_json() if as_json else str(found))


@command
def search(
    network: NetworkFile,
    data: Name = "digits",
    folder: Folder = None,
    max_drop: Annotated[float, typer.Option(help="Percentage points of accuracy that may be lost.", min=0)] = 0.1,
    trials: Annotated[int, typer.Option(help="Networks to try.", min=1)] = Search.trials,
    epochs: Annotated[int, typer.Option(help="Epochs that each is trained for.", min=7)] = 70,
    seed: Annotated[int, typer.Option(help="Of the search and of all trainings.", min=0)] = 0,
    many: Many = CORES,
    dask: Dask = None,
    out: Annotated[Path, typer.Option(help="Folder of the search and of what it finds.")] = Path("nncomp-search"),
    as_json: AsJson = False,
) -> None:
    """Find the smallest network that is as good, but for a drop.

    Tries recipes on a trained network: how many weights stay, in which layers, and how many values they share. The
    smallest whose accuracy on the validation split is within the drop, by a standard error to be safe, is the answer;
    the test split is measured once, in the end. Stopped at any moment, the same command goes on from there; with more
    --trials, it goes on further. The same seed gives the same network, whoever works on it.

    For example: nncomp search dense/network.safetensors --data mnist --folder data --max-drop 0.1 --out small
    """
    given, whole = load(network), load_data(data, folder)
    names = ("network.safetensors", "report.json", "front.json", "front.png")
    for result in names:
        check_replaceable(out / result)
    space = PruneAndShare(epochs=(2 * epochs // 7, 4 * epochs // 7, epochs - 2 * epochs // 7 - 4 * epochs // 7))
    wanted = Search(max_drop / 100, trials, seed=seed, space=space)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / ".lock", timeout=0), resumable(out), progress_bars() as bars:
            bar = bars.add_task("Trials", total=trials)
            with workers(many, dask) as at_work:
                source = _source(data, folder)
                found = wanted(given, source, out, at_work, lambda done, _: bars.update(bar, completed=done))
            report = Report.of([("given", given), ("chosen", found.network)], whole, coded=True)
            lineage = _lineage(found, given, report, whole) if found.chosen.recipe else read_lineage(network)
            save(out / names[0], found.network, lineage, coded=True)
            write_atomically(out / names[1], (report.to_json() + "\n").encode())
            write_atomically(out / names[2], (found.to_json() + "\n").encode())
            found.plot(out / names[3])
    except Timeout as error:
        raise ValueError(f"another search is at work in {out}") from error
    write(report.to_json() if as_json else _told(found, report, max_drop, out, names))


def _told(found: Found, report: Report, max_drop: float, out: Path, names: tuple[str, ...]) -> str:
    lost, times = report.rows[0].accuracy - report.rows[1].accuracy, found.original.size / found.chosen.size
    said = f"{times:.1f} times smaller, {100 * lost:+.2f} points lost on the {report.split} split."
    if found.chosen is found.original:
        said = f"No network passed within {max_drop:g} points: chosen is the given one. More --trials may help."
    return f"{found}\n\n{report}\n\n{said}\n{', '.join(names)}, trials/ in {out}/"


def _lineage(found: Found, given: MLP, report: Report, data: Data) -> Lineage | None:
    """Of the chosen network: by what recipe it was made of the given one."""
    row = report.rows[-1]
    metrics = {f"{report.split} accuracy": row.accuracy, "agreement": row.agreement}
    return replace(Recipe.read(found.chosen.recipe), network=given).lineage(data, metrics)


def _source(name: str, folder: Path | None) -> partial[Data]:
    return partial(load_data, name, None if folder is None else str(folder.absolute()))


def _ways(network: MLP) -> dict[str, Choice]:
    """Those that weights of these forms can be compressed by."""
    forms = {type(layer.weight) for layer in network.layers}
    ways: dict[str, Choice] = {f"{s:.0%} pruned": Prune(s, keep=keep_largest) for s in (0.5, 0.8, 0.9, 0.95, 0.98)}
    if forms <= {Dense, Sparse}:
        ways |= {f"{bits} bits": Quantize(Uniform(bits), inputs=None) for bits in (8, 4, 3, 2)}
    if forms <= {Dense}:
        ways |= {f"rank {rank}": Factor(rank=rank) for rank in (64, 32, 16, 8)}
    return ways
