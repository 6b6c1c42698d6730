"""`nncomp sensitivity` and `nncomp search`: what they tell, what they leave, how they are stopped and gone on with."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock

from nncomp.cli.program import searching
from nncomp.data import load_data
from nncomp.files import Lineage, load, read_lineage, save, to_bytes
from nncomp.measure import accuracy, score
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.steps import FineTune, Prune, Recipe, Share
from tests.search.test_executors import wait
from tests.test_cli import inside, nncomp

DATA = load_data("digits")
QUICK = ("--workers", 1, "--epochs", 7, "--trials", 2, "--max-drop", 60)

MADE = Lineage("steps = []", 0, 0, "digits", "ab12")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("given") / "given.safetensors"
    save(file, FineTune(60, optimizer=Adam(3e-3))(MLP.init([64, 32, 10]), DATA), MADE)
    return file


def test_sensitivity_tells_each_layer_in_every_way(given: Path) -> None:
    told = json.loads(inside("sensitivity", given, "--workers", 1, "--json").stdout)
    network = load(given)
    assert told["before"]["score"] == accuracy(network, DATA.validation)
    assert [*told["choices"][:1], *told["choices"][-1:]] == ["50% pruned", "rank 8"]
    assert [len(row) for row in told["loss"]] == [13, 13]
    text = inside("sensitivity", given, "--workers", 1).stdout
    assert "layer 1, 10 x 32" in text and "98% pruned" in text and "2 bits" in text


def test_sensitivity_of_networks_that_are_compressed_already(given: Path, tmp_path: Path) -> None:
    sparse, shared = Prune(0.5)(load(given), DATA), Share(4)(load(given), DATA)
    for network, ways in ((sparse, 9), (shared, 5)):
        save(tmp_path / "a.safetensors", network)
        told = json.loads(inside("sensitivity", tmp_path / "a.safetensors", "--workers", 1, "--json").stdout)
        assert len(told["choices"]) == ways


def test_search_leaves_what_it_tells_and_goes_on_with_more_trials(given: Path, tmp_path: Path) -> None:
    done = nncomp("search", given, "--out", tmp_path / "a", *QUICK)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "digits, test split" in done.stdout and "times smaller" in done.stdout
    report = json.loads((tmp_path / "a" / "report.json").read_text())
    front = json.loads((tmp_path / "a" / "front.json").read_text())
    file = tmp_path / "a" / "network.safetensors"
    network, lineage = load(file), read_lineage(file)
    assert lineage is not None and lineage.parent == load(given).fingerprint()
    assert Recipe.load(file)(DATA, load(given)).fingerprint() == network.fingerprint(), "followed once more"
    assert DATA.test is not None and report["split"] == "test"
    assert [row["accuracy"] for row in report["rows"]] == [accuracy(n, DATA.test) for n in (load(given), network)]
    chosen = next(trial for trial in front["trials"] if trial["key"] == front["chosen"])
    assert chosen["size"] == len(to_bytes(network, coded=True)) < front["original"]["size"]
    assert file.read_bytes() == to_bytes(network, lineage, coded=True)
    assert chosen["score"] == score(network, DATA.validation)
    assert (tmp_path / "a" / "front.png").read_bytes()[:4] == b"\x89PNG"

    again = inside("search", given, "--out", tmp_path / "b", *QUICK, "--json")
    assert [row["accuracy"] for row in json.loads(again.stdout)["rows"]] == [row["accuracy"] for row in report["rows"]]
    files = ("network.safetensors", "front.json")
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)

    more = inside("search", given, "--out", tmp_path / "a", *QUICK, "--trials", 3)
    assert more.exit_code == 0
    longer = json.loads((tmp_path / "a" / "front.json").read_text())["trials"]
    assert len(longer) == 3 and longer[:2] == front["trials"]
    other = inside("search", given, "--out", tmp_path / "a", *QUICK, "--seed", 1)
    assert other.exit_code == 2 and "a search of another network, data, seed or space" in other.stderr


def test_search_that_finds_nothing_gives_the_network_back(given: Path, tmp_path: Path) -> None:
    done = inside("search", given, "--out", tmp_path, *QUICK, "--max-drop", 0, "--trials", 1)
    assert done.exit_code == 0 and "No network passed within 0 points: chosen is the given one." in done.stdout
    assert load(tmp_path / "network.safetensors").fingerprint() == load(given).fingerprint()
    assert read_lineage(tmp_path / "network.safetensors") == read_lineage(given) == MADE


def test_ctrl_c_ends_all_processes_and_says_how_to_go_on(given: Path, tmp_path: Path) -> None:
    endless = (*QUICK, "--trials", 4000, "--workers", 2)
    words = [str(word) for word in ("search", given, "--out", tmp_path / "out", *endless)]
    running = subprocess.Popen(
        [sys.executable, "-c", "from nncomp.cli import main; main()", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where tests run in the background
    )  # fmt: skip
    wait(lambda: list((tmp_path / "out").glob("trials/*.json")))
    os.killpg(running.pid, signal.SIGINT)
    try:
        out, error = running.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
    folder = tmp_path / "out"
    assert (running.returncode, out) == (130, "")
    assert error == f"nncomp: stopped; the same command goes on from here, or remove {folder} to start anew\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "nothing.safetensors"], "nothing.safetensors"),
        (["search", "GIVEN", "--data", "mnist", "--folder", "HERE"], "it should hold mnist's IDX files"),
        (["search", "GIVEN", "--data", "cifar"], "unknown data set 'cifar'"),
        (["search", "GIVEN", "--out", "GIVEN"], "given.safetensors"),
        (["sensitivity", "GIVEN", "--dask", "nowhere"], "missing port number in address 'nowhere'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(given: Path, words: list[str], message: str, tmp_path: Path) -> None:
    told = [word.replace("GIVEN", str(given)).replace("HERE", str(tmp_path)) for word in words]
    if "--out" not in words and words[0] == "search":
        told += ["--out", str(tmp_path / "out")]
    done = inside(*told)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1) and message in done.stderr, done.stderr


def test_two_searches_do_not_share_a_folder(given: Path, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"):
        done = nncomp("search", given, "--out", tmp_path, *QUICK)
    assert done.returncode == 2 and done.stderr == f"nncomp: another search is at work in {tmp_path}\n"


def test_a_missing_package_is_told_with_its_extra(given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'optuna'", name="optuna")

    monkeypatch.setattr(searching.Search, "__call__", missing)
    done = inside("search", given, "--out", tmp_path, *QUICK)
    assert done.exit_code == 2 and done.stderr == "nncomp: No module named 'optuna'; pip install 'nncomp[search]'\n"
