"""Runs that are stopped, diverge or have nobody to print to: a line, and nothing lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from nncomp.cli.program import making
from nncomp.steps import FineTune, Quantize
from tests.test_cli import FILES, TINY, inside, nncomp


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path / "tiny.toml"


def test_an_unwritable_out_is_refused_before_any_training(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "run", lambda *_: pytest.fail("trained first"))
    for out in (tiny, tiny / "below a file"):
        done = inside("compress", tiny, "--out", out)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert str(tiny) in done.stderr


def test_progress_goes_to_a_terminal_and_never_into_the_json(tiny: Path) -> None:
    pty = pytest.importorskip("pty", reason="no pseudo-terminals here")
    ours, theirs = pty.openpty()
    code = "from nncomp.cli import main; main()"
    words = ["compress", str(tiny), "--json", "--out", str(tiny.parent / "out")]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=theirs, timeout=200, check=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    assert b"Train" in os.read(ours, 100_000)
    os.close(ours)
    assert len(json.loads(done.stdout)["rows"]) == 3


def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("compress", tiny, "--out", tiny.parent / "out")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(making, "rehearse", lambda *_: None)
        patch.setattr(Quantize, "__call__", interrupted)
        stopped = inside(*words)
    assert (stopped.exit_code, stopped.stdout) == (130, "")
    kept = tiny.parent / "out" / "unfinished"
    assert stopped.stderr == f"nncomp: stopped; the same command goes on from here, or remove {kept} to start anew\n"
    assert {"0-Train.safetensors", "1-Prune.safetensors"} <= set(os.listdir(kept))

    other = inside(*words, "--seed", 1)
    assert other.exit_code == 2 and "unfinished run of another recipe, network, data or seed" in other.stderr
    monkeypatch.setattr(making, "rehearse", lambda *_: None)
    monkeypatch.setattr(FineTune, "__call__", lambda *_: pytest.fail("trained again"))
    assert inside(*words).exit_code == 0
    assert sorted(os.listdir(tiny.parent / "out")) == FILES


def test_two_runs_do_not_share_a_folder(tiny: Path) -> None:
    kept = tiny.parent / "out" / "unfinished"
    kept.mkdir(parents=True)
    with FileLock(kept / ".lock"):
        done = nncomp("compress", tiny, "--out", tiny.parent / "out")
    assert done.returncode == 2 and done.stderr == f"nncomp: another run is at work in {tiny.parent / 'out'}\n"


def test_a_training_that_diverges_is_one_line(tiny: Path) -> None:
    tiny.write_text(TINY.replace("epochs = 2", "epochs = 9\noptimizer = { is = 'SGD', rate = 1e30 }"))
    done = nncomp("train", tiny, "--out", tiny.parent / "out")
    assert done.returncode == 2 and "training diverged" in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_files_that_cannot_be_written_are_told_before_any_training(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "run", lambda *_: pytest.fail("trained first"))
    (tiny.parent / "out" / "report.json").mkdir(parents=True)
    done = inside("compress", tiny, "--out", tiny.parent / "out")
    assert done.exit_code == 2 and "report.json is a folder" in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["compress", "nothing"], ["train", "digits", "--bad"]])
def test_output_that_nobody_takes_is_no_traceback(words: list[str], tmp_path: Path) -> None:
    code = "from nncomp.cli import main; main()"
    for redirection in (">&-", ">/dev/full", "| true", "2>&-"):
        line = f"{sys.executable} -c '{code}' {' '.join(words)} {redirection}"
        done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=200)
        assert "Traceback" not in done.stderr and "Exception" not in done.stderr, (redirection, done.stderr)


def test_ctrl_c_while_it_starts_is_one_line() -> None:
    code = "import nncomp.steps, sys; sys.modules['nncomp.cli.app'] = None\n"
    code += "class Finder:\n def find_spec(*_): raise KeyboardInterrupt\nsys.meta_path.insert(0, Finder)\n"
    words = [sys.executable, "-c", f"from nncomp.cli import main\n{code}main()"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "nncomp: stopped\n")
