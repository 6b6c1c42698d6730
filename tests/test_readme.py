"""The README's Python runs as it stands, and its two set-up lines are there, each alone in its block."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for word, text in fenced if word == language]


def test_the_first_screen_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    exec(code, {})
    printed = capsys.readouterr().out
    # Errors and times differ between machines; names and sizes do not depend on how well it learned.
    told = [line.split()[0] for line in blocks("")[0].splitlines() if line]
    assert told == [line.split()[0] for line in printed.splitlines() if line]
    assert (tmp_path / "small.safetensors").stat().st_size < 20_000


def test_each_set_up_line_stands_alone() -> None:
    lines = blocks("sh")
    assert len(lines) == 2 and all(line.count("\n") == 1 and not line.startswith("$") for line in lines)
    assert lines[0].rstrip().endswith("nncomp demo") and lines[1].rstrip().endswith("-m pytest")
