"""The command line end to end: tables, JSON, files, help, and one line with exit code 2 for bad input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nncomp.data import load_data
from nncomp.files import load
from nncomp.measure import accuracy

TINY = """
data = "digits"
[network]
sizes = [64, 8, 10]
[train]
epochs = 2
[[steps]]
step = "Prune"
sparsity = 0.5
[[steps]]
step = "Quantize"
"""


def nncomp(*words: object) -> subprocess.CompletedProcess[str]:
    code = "from nncomp.cli import app; app()"
    return subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, timeout=200)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path / "tiny.toml"


def test_compress_writes_what_it_tells(tiny: Path, tmp_path: Path) -> None:
    done = nncomp("compress", tiny, "--out", tmp_path / "a", "--json")
    assert done.returncode == 0 and done.stderr == "", "no progress where nobody watches"
    report = json.loads(done.stdout)
    assert [row["name"] for row in report["rows"]] == ["Train", "Prune", "Quantize"]
    assert json.loads((tmp_path / "a" / "report.json").read_text()) == report
    file = tmp_path / "a" / "network.safetensors"
    assert file.stat().st_size == report["rows"][-1]["disk"]
    test = load_data("digits").test
    assert test is not None and accuracy(load(file), test) == report["rows"][-1]["accuracy"]
    assert (tmp_path / "a" / "size-error.png").read_bytes()[:4] == b"\x89PNG"

    again = nncomp("compress", tiny, "--out", tmp_path / "b")
    assert again.stdout.startswith("digits, test split\nnetwork ") and "sparse int8" in again.stdout
    assert (tmp_path / "b" / "network.safetensors").read_bytes() == file.read_bytes(), "same seed, same bytes"
    nncomp("compress", tiny, "--out", tmp_path / "c", "--seed", 1)
    assert (tmp_path / "c" / "network.safetensors").read_bytes() != file.read_bytes()


def test_help_teaches() -> None:
    assert "demo" in nncomp("--help").stdout and "compress" in nncomp().stdout + nncomp().stderr
    told = " ".join(nncomp("compress", "--help").stdout.split())
    for word in ("lenet-300-100", "digits", "mnist", "fashion-mnist", "NNCOMP_DATA", "--json", "For example"):
        assert word in told, word
    assert "in under a minute" in " ".join(nncomp("demo", "--help").stdout.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compress", "nothing"], "nothing: no such recipe; name a .toml file or a preset"),
        (["compress", "TINY", "--data", "cifar"], "unknown data set 'cifar'"),
        (["compress", "TINY", "--data", "mnist", "--folder", "HERE"], "it should hold mnist's IDX files"),
        (["compress", "TINY", "--out", "TINY"], "tiny.toml"),
        (["compress", "HERE"], "no such recipe"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tiny: Path, words: list[str], message: str) -> None:
    done = nncomp(*(w.replace("TINY", str(tiny)).replace("HERE", str(tiny.parent)) for w in words))
    assert done.returncode == 2 and done.stdout == ""
    assert message in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_data_that_do_not_fit_the_network_are_refused_before_training(tiny: Path) -> None:
    tiny.write_text(TINY.replace("[64, 8, 10]", "[60, 8, 10]"))
    done = nncomp("compress", tiny)
    assert done.returncode == 2 and "inputs are floats (batch, 60), not float32 of shape (1137, 64)" in done.stderr
    tiny.write_text(TINY.replace("[64, 8, 10]", "[64, 8, 9]"))
    done = nncomp("compress", tiny)
    assert done.returncode == 2 and "in 9 classes" in done.stderr
