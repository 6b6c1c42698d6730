"""Commands that look at networks: `report`, `predict`, `inspect`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.special import softmax

from nncomp.chart import check_plot
from nncomp.cli.app import AsJson, Folder, NetworkFile, command, data_names, write
from nncomp.data import NAMES, load_data
from nncomp.files import is_coded, load, read_lineage
from nncomp.inspection import Inspection
from nncomp.measure import outputs
from nncomp.report import Report
from nncomp.samples import read_samples
from nncomp.steps.log import Log


@command
def report(
    networks: Annotated[
        list[Path],
        typer.Argument(
            help="Network files, the first of which the others are compared with; or a run's log.jsonl.",
            metavar="NETWORKS",
        ),
    ],
    data: Annotated[
        str,
        typer.Option(help=f"What to measure on: {', '.join(NAMES)}.", metavar="NAME", autocompletion=data_names),
    ] = "digits",
    folder: Folder = None,
    plot: Annotated[Path | None, typer.Option(help="Draw size against error into this picture.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure networks side by side.

    On the test split of a data set: error, agreement with the first network, size, speed; of coded files the bound of
    their size, too. Or the log.jsonl of a run, stage by stage, as measured on its validation split.

    For example: nncomp report dense/network.safetensors lenet/network.safetensors --data mnist --folder data
    """
    if any(path.suffix == ".jsonl" for path in networks):
        return _report_log(networks, plot, as_json)
    loaded = [(_name(path, networks), load(path)) for path in networks]
    if plot is not None:
        check_plot(plot)
    measured = Report.of(loaded, load_data(data, folder), [is_coded(path) for path in networks])
    if plot is not None:
        measured.plot(plot)
    write(measured.to_json() if as_json else str(measured))


def _report_log(paths: list[Path], plot: Path | None, as_json: bool) -> None:
    if len(paths) > 1:
        raise ValueError(f"one log alone, or networks, and not {', '.join(map(str, paths))}")
    log = Log.read(paths[0])
    if plot is not None:
        log.plot(plot)
    write(json.dumps([asdict(entry) for entry in log.entries], indent=1) if as_json else str(log))


def _name(path: Path, among: list[Path]) -> str:
    """A file's name, or its folder's where files of one name are compared, or its path where folders are alike too."""
    stems, folders = [p.stem for p in among], [p.absolute().parent.name for p in among]
    if stems.count(path.stem) == 1:
        return path.stem
    folder = path.absolute().parent.name
    return folder if folders.count(folder) == 1 else str(path)


@command
def predict(
    network: NetworkFile,
    inputs: Annotated[list[Path], typer.Argument(help="Samples: .npy, .csv or pictures.", metavar="SAMPLES")],
    invert: Annotated[
        bool, typer.Option("--invert", help="Dark on bright becomes bright on dark, as in MNIST.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Classify the samples in files.

    Prints a line for each: file, number, class, and how probable the network takes it to be. A .npy or .csv file holds
    a sample a row, features as in training; bytes are pixels and are divided by 255. A picture is made grey and scaled
    to the network's square.

    For example: nncomp predict lenet/network.safetensors seven.png
    """
    loaded = load(network)
    rows: list[dict[str, Any]] = []
    for path in inputs:
        x = read_samples(path, loaded.sizes[0], invert, loaded.dtype)
        for i, p in enumerate(softmax(outputs(loaded, x).astype(np.float64), axis=1)):
            rows.append({"file": str(path), "sample": i, "class": int(p.argmax()), "probability": float(p.max())})
    if as_json:
        write(json.dumps(rows, indent=1))
    else:
        write("\n".join(f"{r['file']} {r['sample']}: {r['class']} ({r['probability']:.1%})" for r in rows))


@command
def inspect(network: NetworkFile, as_json: AsJson = False) -> None:
    """Show a network layer by layer.

    Form, shape, grids, where its weights are and how they are distributed. The picture of a layer has a row for some
    outputs and a column for some inputs; the darker a cell, the more of its weights are other than 0. Below it the
    histogram of the kept weights, from the lowest to the highest. At the end, if the file says so, by what recipe and
    from what data the network was made, and how good it was then.

    For example: nncomp inspect lenet/network.safetensors
    """
    seen, lineage = Inspection.of(load(network)), read_lineage(network)
    if as_json:
        write(json.dumps(asdict(seen) | {"lineage": lineage and lineage.told()}, indent=1))
    else:
        write(f"{seen}\n\n{lineage}" if lineage else str(seen))
