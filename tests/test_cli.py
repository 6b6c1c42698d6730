"""The command line end to end: tables, JSON, files, help, and one line with exit code 2 for bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nncomp import __version__
from nncomp.cli.program import app
from nncomp.data import load_data
from nncomp.files import entropy_bytes, load, read_lineage, to_bytes
from nncomp.measure import accuracy
from nncomp.steps.recipe import presets

FILES = ["log.jsonl", "network.safetensors", "report.json", "size-error.png"]
COMMANDS = ["train", "compress", "demo", "sensitivity", "search", "report", "predict", "inspect"]

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


def inside(*words: object):  # type: ignore[no-untyped-def]
    """The same in this process: no start to wait for, where a process of its own would tell no more."""
    return CliRunner().invoke(app, [str(word) for word in words])


def nncomp(*words: object) -> subprocess.CompletedProcess[str]:
    code = "from nncomp.cli import main; main()"
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
    assert len(to_bytes(load(file))) == report["rows"][-1]["disk"]
    assert file.read_bytes() == to_bytes(load(file), read_lineage(file)), "beside the network its lineage alone"
    test = load_data("digits").test
    assert test is not None and accuracy(load(file), test) == report["rows"][-1]["accuracy"]
    assert (tmp_path / "a" / "size-error.png").read_bytes()[:4] == b"\x89PNG"

    again = nncomp("compress", tiny, "--out", tmp_path / "b")
    assert again.stdout.startswith("digits, test split\nnetwork ") and "sparse int8" in again.stdout
    assert (tmp_path / "b" / "network.safetensors").read_bytes() == file.read_bytes(), "same seed, same bytes"
    nncomp("compress", tiny, "--out", tmp_path / "c", "--seed", 1)
    assert (tmp_path / "c" / "network.safetensors").read_bytes() != file.read_bytes()


def test_coded_files_are_reported_as_they_are_written(tiny: Path, tmp_path: Path) -> None:
    done = inside("compress", tiny, "--out", tmp_path / "a", "--coded", "--json")
    last, file = json.loads(done.stdout)["rows"][-1], tmp_path / "a" / "network.safetensors"
    assert file.read_bytes() == to_bytes(load(file), read_lineage(file), coded=True) != to_bytes(load(file))
    assert last["disk"] == len(to_bytes(load(file), coded=True)) < len(to_bytes(load(file)))
    assert last["bound"] == entropy_bytes(load(file)) < last["disk"]
    again = json.loads(inside("report", file, "--json").stdout)["rows"][0]
    assert (again["disk"], again["bound"]) == (last["disk"], last["bound"])


def test_the_program_is_a_module_too() -> None:
    told = subprocess.run([sys.executable, "-m", "nncomp", "--version"], capture_output=True, text=True, timeout=200)
    assert told.stdout == f"nncomp {__version__}\n"


def test_help_teaches() -> None:
    assert all(name in inside("--help").stdout for name in COMMANDS)
    assert "compress" in inside().stdout + inside().stderr
    order = [line.split()[0] for line in inside("--help").stdout.partition("Commands:")[2].splitlines() if line.strip()]
    assert order == COMMANDS
    told = " ".join(inside("compress", "--help").stdout.split())
    for word in ("lenet-300-100", "digits", "mnist", "fashion-mnist", "NNCOMP_DATA", "--json", "For example"):
        assert word in told, word
    assert "under a minute" in " ".join(inside("demo", "--help").stdout.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compress", "nothing"], "'nothing': no such recipe; name a .toml file, a network's file, or a preset"),
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
    done = inside("compress", tiny, "--out", tiny.parent / "out")
    assert done.exit_code == 2 and "tiny.toml: the network takes 60 features, and digits has 64" in done.stderr
    tiny.write_text(TINY.replace("[64, 8, 10]", "[64, 8, 9]"))
    done = inside("compress", tiny, "--out", tiny.parent / "out")
    assert done.exit_code == 2 and "tiny.toml: the network has 9 outputs, and digits has a class 9" in done.stderr


def test_the_demo_needs_no_files_and_tells_five_networks(tmp_path: Path) -> None:
    done = inside("demo", "--json", "--out", tmp_path / "new" / "demo")
    assert done.exit_code == 0 and done.stderr == ""
    report = json.loads(done.stdout)
    assert (report["data"], report["split"]) == ("digits", "test")
    first, *_, last = report["rows"]
    assert [row["name"] for row in report["rows"]] == ["Train", "Prune", "Quantize", "Distill", "Quantize 2"]
    assert last["disk"] < first["disk"] / 10 and last["accuracy"] > 0.9
    files = sorted(p.name for p in (tmp_path / "new" / "demo").iterdir())
    assert files == FILES


def test_the_option_wins_over_the_recipes_data(tiny: Path) -> None:
    tiny.write_text(TINY.replace('"digits"', '"mnist"'))
    done = inside("compress", tiny, "--data", "digits", "--out", tiny.parent / "out")
    assert done.exit_code == 0 and done.stdout.startswith("digits, test split")
    assert done.stdout.rstrip().endswith(
        f"network.safetensors, report.json, size-error.png, log.jsonl in {tiny.parent / 'out'}/"
    )


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ((), ("demo", "compress", "prune, quantize, distill")),
        (("demo",), ("--out", "[default: nncomp-demo]", "--json", "needs no files")),
        (
            ("compress",),
            (
                *presets(),
                "digits, mnist, fashion-mnist",
                "NNCOMP_DATA",
                "[default: 0]",
                "[default: nncomp-out]",
                "TOML",
            ),
        ),
    ],
)
def test_help_of_every_command_tells_choices_and_defaults(command: tuple[str, ...], words: tuple[str, ...]) -> None:
    done = inside(*command, "--help")
    told = " ".join(done.stdout.split()).replace("- ", "-")  # lines may end within a name
    assert done.exit_code == 0 and [word for word in words if word not in told] == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[network]", "[network", "tiny.toml: not TOML"),
        ("sizes = [64, 8, 10]", "sizes = [64]", "tiny.toml: network"),
        ("epochs = 2", "epochs = 0", "tiny.toml: train: epochs is a whole number of at least 1, not 0"),
        ("epochs = 2", "epoch = 2", "tiny.toml: train: unknown key 'epoch'; expected epochs, batch"),
        ("sparsity = 0.5", "sparsity = 2", "tiny.toml: step 1 (Prune): a sparsity is between 0 and 1, not 2"),
        (
            '"Quantize"',
            '"Quantise"',
            "tiny.toml: step 2: needs step = one of Prune, Reconstruct, Shrink, Regrow, Rewind, Sparsify",
        ),
        ('data = "digits"', 'data = "cifar"', "data is one of digits, mnist, fashion-mnist, not 'cifar'"),
    ],
)
def test_a_bad_recipe_is_one_line_and_leaves_nothing_behind(tiny: Path, old: str, new: str, message: str) -> None:
    assert old in TINY
    tiny.write_text(TINY.replace(old, new))
    done = inside("compress", tiny, "--out", tiny.parent / "out")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("nncomp: ") and message in done.stderr
    assert not (tiny.parent / "out").exists()


def test_missing_data_are_one_line_whether_by_option_or_environment(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNCOMP_DATA", str(tiny.parent / "nowhere"))
    for words in (["mnist"], ["fashion-mnist", "--folder", tiny.parent / "nowhere"]):
        done = inside("compress", tiny, "--data", *words)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "no train-images-idx3-ubyte" in done.stderr and str(tiny.parent / "nowhere") in done.stderr


def test_train_follows_no_steps_and_compress_takes_its_network(tiny: Path, tmp_path: Path) -> None:
    done = inside("train", tiny, "--out", tmp_path / "dense", "--json")
    (row,) = json.loads(done.stdout)["rows"]
    assert row["name"] == "Train" and sorted(os.listdir(tmp_path / "dense")) == FILES
    whole = inside("compress", tiny, "--out", tmp_path / "whole", "--json")
    steps = tmp_path / "steps.toml"
    steps.write_text(TINY[: TINY.index("[network]")] + TINY[TINY.index("[[steps]]") :])
    for recipe in (tiny, steps):
        given = inside(
            "compress",
            recipe,
            "--network",
            tmp_path / "dense" / "network.safetensors",
            "--out",
            tmp_path / "b",
            "--json",
        )
        names = [row["name"] for row in json.loads(given.stdout)["rows"]]
        assert names == ["Given", "Prune", "Quantize"]
        networks = [load(tmp_path / name / "network.safetensors") for name in ("b", "whole")]
        assert to_bytes(networks[0]) == to_bytes(networks[1])
    assert json.loads(whole.stdout)["rows"][-1]["accuracy"] == json.loads(given.stdout)["rows"][-1]["accuracy"]
    alone = inside("compress", steps, "--out", tmp_path / "c")
    assert alone.exit_code == 2
    assert "steps.toml: its steps need a network to start from: [network] and [train], or --network" in alone.stderr


def test_the_version_and_the_completion() -> None:
    assert inside("--version").stdout == f"nncomp {__version__}\n"
    assert "--install-completion" in inside("--help").stdout


def test_a_guard_ends_a_run_with_the_last_good_network_and_the_log_tells_it(tiny: Path, tmp_path: Path) -> None:
    longer = TINY.replace("epochs = 2", "epochs = 30")
    tiny.write_text(longer)
    whole = inside("compress", tiny, "--out", tmp_path / "whole")
    guarded = longer.replace("[network]", "guard = { max_drop = 0.2 }\n[network]")
    tiny.write_text(guarded + '[[steps]]\nstep = "Prune"\nsparsity = 0.999\n')
    done = inside("compress", tiny, "--out", tmp_path / "out")
    assert done.exit_code == 2 and done.stdout.startswith("digits, test split") and done.stderr.count("\n") == 1
    assert (
        f"ended by the guard, {tmp_path / 'out' / 'network.safetensors'} is the network before: Prune(" in done.stderr
    )
    assert whole.exit_code == 0 and sorted(os.listdir(tmp_path / "out")) == FILES
    networks = [load(tmp_path / name / "network.safetensors") for name in ("whole", "out")]
    assert to_bytes(networks[0]) == to_bytes(networks[1])
    told = inside("report", tmp_path / "out" / "log.jsonl", "--plot", tmp_path / "log.png")
    assert told.stdout.splitlines()[-1].startswith("Prune 2: took nothing; not Prune(sparsity=0.999): 0.")
    rows = json.loads(inside("report", tmp_path / "out" / "log.jsonl", "--json").stdout)
    assert [row["stage"] for row in rows] == ["Train", "Prune", "Quantize", "Prune 2"]
    two = inside("report", tmp_path / "out" / "log.jsonl", tmp_path / "whole" / "log.jsonl")
    assert two.exit_code == 2 and "one log alone, or networks" in two.stderr
