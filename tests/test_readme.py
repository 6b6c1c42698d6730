"""The README's Python runs as it stands, and its two set-up lines are there, each alone in its block."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nncomp
from nncomp.cli.program import app
from nncomp.steps.recipe import Recipe, presets

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WHICH = (ROOT / "WHICH-METHOD.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for word, text in fenced if word == language]


def test_the_first_screen_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    first, *others = blocks("python")
    names: dict[str, object] = {}
    exec(first, names)
    printed = capsys.readouterr().out
    for code in others:
        exec(code, names)
    # Errors and times differ between machines; names and sizes do not depend on how well it learned.
    told = [line.split()[0] for line in blocks("")[0].splitlines() if line]
    assert told == [line.split()[0] for line in printed.splitlines() if line]
    assert (tmp_path / "small.safetensors").stat().st_size < 20_000


def test_each_set_up_line_stands_alone() -> None:
    lines = blocks("sh")
    assert len(lines) == 2 and all(line.count("\n") == 1 and not line.startswith("$") for line in lines)
    assert lines[0].rstrip().endswith("nncomp demo") and lines[1].rstrip().endswith("-m pytest -n auto")


def test_its_recipe_can_be_followed(tmp_path: Path) -> None:
    (recipe,) = blocks("toml")
    (tmp_path / "recipe.toml").write_text(recipe)
    assert [type(step).__name__ for step in Recipe.load(tmp_path / "recipe.toml").steps] == ["Prune", "Quantize"]


def test_its_commands_are_there_with_their_options() -> None:
    (text,) = blocks("text")
    for line in text.splitlines():
        words = line.split("  ")[0].split()
        told = CliRunner().invoke(app, [words[1], "--help"]).stdout
        assert words[0] == "nncomp" and all(option in told for option in words if option.startswith("--")), line


def test_its_names_are_public() -> None:
    table = re.findall(r"^\|.*\|$", README, re.MULTILINE)
    names = set(re.findall(r"`((?:from|to)_\w+|load|save)`", "\n".join(table)))
    assert len(names) == 10 and names <= set(dir(nncomp))


def test_what_the_page_of_methods_names_is_there() -> None:
    named = set(re.findall(r"nncomp compress ([a-z0-9-]+)", WHICH))
    assert named and named <= set(presets())
    for package, question in set(re.findall(r"`benchmarks\.(\w+) ([\w-]+)`", WHICH)):
        told = (ROOT / "benchmarks" / package / "__main__.py").read_text(encoding="utf-8")
        assert f'"{question}": ' in told, f"{package} {question}"
    for name in set(re.findall(r"`([A-Z]\w+)`", WHICH)):
        assert hasattr(nncomp, name) or hasattr(nncomp.transforms, name), name
    for name in set(re.findall(r"`([a-z]\w+)`", WHICH)):
        assert any(hasattr(part, name) for part in (nncomp.prune, nncomp.quantize, nncomp.factor, nncomp)), name
