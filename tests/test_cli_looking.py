"""`report`, `predict` and `inspect`, as a user calls them."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nncomp.data import load_data
from nncomp.files import load, save
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.report import Report
from nncomp.steps import FineTune, Prune, Quantize
from tests.test_cli import inside, nncomp

DIGITS = load_data("digits")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("networks")
    dense = FineTune(epochs=5, optimizer=Adam(rate=0.01))(MLP.init([64, 16, 10]), DIGITS)
    save(folder / "dense.safetensors", dense)
    save(folder / "small.safetensors", Quantize()(Prune(0.3)(dense, DIGITS), DIGITS))
    return folder / "dense.safetensors", folder / "small.safetensors"


def replace_bias(network: MLP, value: float) -> MLP:
    return network.with_layers(lambda layer: replace(layer, bias=np.full_like(layer.bias, value)))


def test_report_compares_with_the_first(files: tuple[Path, Path], tmp_path: Path) -> None:
    done = inside("report", *files, "--json", "--plot", tmp_path / "plot.svg")
    dense, small = json.loads(done.stdout)["rows"]
    assert done.exit_code == 0 and done.stderr == ""
    assert (dense["name"], small["name"], dense["ratio"]) == ("dense", "small", 1.0)
    assert small["disk"] == files[1].stat().st_size and small["ratio"] == dense["disk"] / small["disk"]
    assert b"<svg" in (tmp_path / "plot.svg").read_bytes()
    text = inside("report", files[0], files[0]).stdout
    assert text.startswith("digits, test split\n") and text.count(str(files[0])) >= 2, "same names are told apart"
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "network.safetensors").write_bytes(files[0].read_bytes())
    done = inside("report", *sorted(tmp_path.glob("*/network.safetensors")), files[0], "--json")
    assert [row["name"] for row in json.loads(done.stdout)["rows"]] == ["one", "two", "dense"]


def test_predict_tells_every_sample_of_every_file(files: tuple[Path, Path], tmp_path: Path) -> None:
    assert DIGITS.test is not None
    np.save(tmp_path / "x.npy", DIGITS.test.x)
    np.savetxt(tmp_path / "x.csv", DIGITS.test.x[:2], delimiter=",")
    Image.fromarray((DIGITS.test.x[0].reshape(8, 8) * 255).round().astype(np.uint8)).save(tmp_path / "x.png")
    done = inside("predict", files[1], tmp_path / "x.npy", tmp_path / "x.csv", tmp_path / "x.png", "--json")
    rows = json.loads(done.stdout)
    assert [row["sample"] for row in rows] == [*range(360), 0, 1, 0]
    assert {row["class"] for row in rows[:1] + rows[360:361] + rows[362:]} == {rows[0]["class"]}
    network = inside("report", files[1], "--json")
    correct = np.mean([row["class"] for row in rows[:360]] == DIGITS.test.y)
    assert correct == json.loads(network.stdout)["rows"][0]["accuracy"]
    assert all(0 < row["probability"] <= 1 for row in rows)
    text = inside("predict", files[1], tmp_path / "x.png").stdout
    assert text.startswith(f"{tmp_path / 'x.png'} 0: {rows[0]['class']} (") and text.endswith("%)\n")
    inverted = tmp_path / "inverted.png"
    Image.fromarray(255 - np.asarray(Image.open(tmp_path / "x.png"))).save(inverted)
    assert f"0: {rows[0]['class']} " in inside("predict", files[1], inverted, "--invert").stdout


def test_inspect_shows_every_layer(files: tuple[Path, Path]) -> None:
    text = inside("inspect", files[1]).stdout
    assert text.startswith("network 64 -> 16 -> 10, float32, 1,210 parameters, ")
    for words in (
        "0: sparse int8, 16 x 64, ",
        "1: sparse int8, 10 x 16",
        "codes -128 to 127, 16 scales",
        "codes 0 to 255",
    ):
        assert words in text
    told = json.loads(inside("inspect", files[0], "--json").stdout)
    assert [layer["form"] for layer in told["layers"]] == ["dense float32"] * 2


def test_a_terminal_without_unicode_is_served(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = nncomp("inspect", files[0])
    assert done.returncode == 0 and done.stdout.startswith("network 64 -> 16 -> 10") and done.stderr == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("report", "none"), "No such file or directory: 'none'"),
        (("report", "TEXT"), "TEXT is not a network file: it announces a header"),
        (("report", "FOLDER"), "is not a network file: it is not a regular file"),
        (("report", "DENSE", "--data", "cifar"), "unknown data set 'cifar'; there are digits, mnist, fashion-mnist"),
        (("report", "DENSE", "--data", "mnist", "--folder", "FOLDER"), "it should hold mnist's IDX files"),
        (("report", "DENSE", "--plot", "FOLDER/x.what"), "x.what: pictures end in .avif, "),
        (("report", "DENSE", "--plot", "FOLDER/none/x.png"), "none/x.png: there is no folder "),
        (("report", "DENSE", "--plot", "FOLDER"), "is a folder"),
        (("report", "DENSE", "--plot", "PIPE"), "is a device or a pipe"),
        (("report", "DENSE", "--data", "mnist", "--folder", "FOLDER"), "no train-images-idx3-ubyte or"),
        (("report", "NAN"), "the network's outputs of shape (360, 10) hold nan at (0, "),
        (("predict", "NAN", "SAMPLES"), "the network's outputs of shape (1, 10) hold nan at (0, "),
        (("predict", "DENSE", "PIPE"), "told by the name's end"),
        (("predict", "DENSE", "FOLDER"), "told by the name's end"),
        (("inspect", "none"), "No such file or directory: 'none'"),
        (("inspect", "TEXT"), "is not a network file"),
        (("predict", "TEXT", "TEXT"), "is not a network file"),
        (("predict", "DENSE", "none.npy"), "No such file or directory: 'none.npy'"),
        (("predict", "DENSE", "none.png"), "No such file or directory: "),
        (("predict", "DENSE", "TEXT"), "samples are .npy, .csv or a picture"),
    ],
)
def test_bad_input_is_one_line(files: tuple[Path, Path], tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    (tmp_path / "TEXT").write_text("neither a network nor samples")
    os.mkfifo(tmp_path / "PIPE")
    np.save(tmp_path / "SAMPLES.npy", np.ones((1, 64)))
    save(tmp_path / "NAN", replace_bias(load(files[0]), np.nan))
    places = {"TEXT": tmp_path / "TEXT", "DENSE": files[0], "PIPE": tmp_path / "PIPE", "FOLDER": tmp_path}
    places |= {"NAN": tmp_path / "NAN", "SAMPLES": tmp_path / "SAMPLES.npy"}
    filled = []
    for word in words:
        for name, path in places.items():
            word = word.replace(name, str(path))
        filled.append(word)
    done = inside(*filled)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.output
    assert message in done.stderr and done.stderr.startswith("nncomp: ")


def test_a_pipe_closed_early_ends_it_in_silence(files: tuple[Path, Path]) -> None:
    code = "from nncomp.cli import main; main()"
    line = f"{sys.executable} -c '{code}' inspect {files[0]} --json | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (141, "")
    line = f"{sys.executable} -c '{code}' inspect {files[0]} >&-"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_picture_that_cannot_be_drawn_is_told_before_anything_is_measured(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Report, "of", lambda *_: pytest.fail("measured"))
    assert "pictures end in" in inside("report", files[0], "--plot", "x.docx").stderr
