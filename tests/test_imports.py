"""The house: light to enter, one way to each name, imports that only go down."""

import ast
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path
from types import FunctionType

import pytest

import nncomp

ROOT = Path(nncomp.__file__).parent
STUB = ast.parse((ROOT / "__init__.pyi").read_text())
NAMES = {a.asname: (n.module or "", a.name) for n in STUB.body if isinstance(n, ast.ImportFrom) for a in n.names}


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_is_light() -> None:
    loaded = python(
        "import sys, nncomp; print(*(m for m in ('numba', 'scipy', 'numpy', 'torch', 'typer') if m in sys.modules))"
    )
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


EVERY_MODULE = """
import importlib, pkgutil, sys, nncomp
modules = [m.name for m in pkgutil.walk_packages(nncomp.__path__, 'nncomp.')]
"""


def test_every_module_can_be_the_first() -> None:
    """What a package loads itself needs no trial of its own: its package is loaded before it, whoever is asked for."""
    code = """
done = set()
for module in modules:
    if module not in done:
        for loaded in [m for m in sys.modules if m.partition('.')[0] == 'nncomp']:
            del sys.modules[loaded]
        importlib.import_module(module)
        done |= {m for m in sys.modules if m == module or m.startswith(module + '.')}
print(len(done))
"""
    files = [p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py"]
    assert python(EVERY_MODULE + code) == str(len(files))


@pytest.mark.parametrize("order", ["modules first", "names first"])
def test_every_name_is_one_object_whatever_was_imported_before(order: str) -> None:
    """A submodule that is imported becomes an attribute of its package, where it could hide a name."""
    loop = "for module in modules: importlib.import_module(module)\n"
    names = f"before = {{n: getattr(nncomp, n) for n in {sorted(NAMES)!r}}}\n"
    check = f"""
for name, (module, original) in {NAMES!r}.items():
    defined = importlib.import_module('nncomp.' + (module or original))
    defined = getattr(defined, original) if module else defined
    if not (before[name] is getattr(nncomp, name) is defined): print(name)
"""
    code = loop + names if order == "modules first" else names + loop
    assert python(EVERY_MODULE + code + check) == ""


def test_all_is_the_stub_and_the_version_is_the_projects() -> None:
    assert sorted(nncomp.__all__) == sorted(NAMES)  # type: ignore[type-var]
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
    assert nncomp.__version__ == project["version"]


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


def public() -> list[tuple[str, object]]:
    """Every public function and class: what nncomp names, and what the modules that it names do."""
    found: dict[str, object] = {}
    for name in NAMES:
        value = getattr(nncomp, name)
        parts = vars(value) if inspect.ismodule(value) else {name: value}
        found |= {f"{name}.{part}": o for part, o in parts.items() if not part.startswith(("_", "check_"))}
    return [(name, o) for name, o in found.items() if inspect.isfunction(o) or inspect.isclass(o)]


@pytest.mark.parametrize(("name", "thing"), public(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_public_name_is_documented_with_an_example(name: str, thing: object) -> None:
    if not getattr(thing, "__module__", "").startswith("nncomp") or getattr(thing, "_is_protocol", False):
        pytest.skip("another's, or a protocol, of which there is no example but what keeps it")
    texts = [inspect.getdoc(thing) or ""]
    if inspect.isclass(thing):
        methods = (m for m in vars(thing).values() if isinstance(m, FunctionType | classmethod | property))
        texts += [inspect.getdoc(method) or "" for method in methods]
    exempt = inspect.isclass(thing) and issubclass(thing, Exception)
    assert texts[0] and (exempt or any(">>>" in text for text in texts)), name
