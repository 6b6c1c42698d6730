"""The house: light to enter, one way to each name, imports that only go down."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nncomp

ROOT = Path(nncomp.__file__).parent
STUB = ast.parse((ROOT / "__init__.pyi").read_text())
NAMES = {a.asname: (n.module or "", a.name) for n in STUB.body if isinstance(n, ast.ImportFrom) for a in n.names}


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_is_light() -> None:
    loaded = python("import sys, nncomp; print(*(m for m in ('numba', 'scipy', 'numpy', 'typer') if m in sys.modules))")
    assert loaded == ""


@pytest.mark.parametrize("name", sorted(NAMES))  # type: ignore[type-var]
def test_every_public_name_is_there(name: str) -> None:
    module, original = NAMES[name]
    expected = __import__(f"nncomp.{module or original}", fromlist=["x"])
    assert getattr(nncomp, name) is (getattr(expected, original) if module else expected)
    assert name in dir(nncomp)


def test_no_public_name_equals_a_module_but_the_modules_themselves() -> None:
    modules = {p.stem for p in ROOT.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert not {name for name, (module, _) in NAMES.items() if module} & modules
    with pytest.raises(AttributeError, match="nothing_like_it"):
        nncomp.nothing_like_it  # noqa: B018


@pytest.mark.parametrize(
    "first", ["import nncomp.report, nncomp.steps.prune", "import nncomp; nncomp.Report; nncomp.Prune"]
)
def test_both_orders_of_import_give_the_same(first: str) -> None:
    code = f"{first}\nimport nncomp, nncomp.report, nncomp.steps.prune\n"
    code += "print(nncomp.Report is nncomp.report.Report, nncomp.Prune is nncomp.steps.prune.Prune)"
    assert python(code) == "True True"


def test_imports_only_go_down() -> None:
    contract = ROOT.parent / ".importlinter"
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=contract.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert "2 kept, 0 broken" in done.stdout, done.stdout + done.stderr


def test_files_are_small() -> None:
    lines = {p: p.read_text().count("\n") for p in ROOT.rglob("*.py")}
    assert {str(p): n for p, n in lines.items() if n > 200} == {}
