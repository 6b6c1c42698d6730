"""No edit of a kernel's sources, and no setting, ever meets machine code of another."""

import os
import shutil
from pathlib import Path

import pytest

import nncomp
from tests.kernels.processes import compiled_only, run

HELPER = """
from nncomp.kernels.jit import compiled
FACTOR = 2
def _scaled(x):
    return FACTOR * x
scaled = compiled(_scaled)
"""
USER = """
from nncomp.kernels.helper import scaled
from nncomp.kernels.jit import compiled
def _moved(x):
    return scaled(x) + 1
moved = compiled(_moved)
"""
USE = """
import numpy as np
from nncomp.kernels.elementwise import _sgd
from nncomp.kernels.user import moved
{first}
w = np.ones(1)
_sgd(w, np.full(1, 0.5), np.ones(1), 0.25, 0.5, False)
print(moved(10), w[0], sum(_sgd.stats.cache_hits.values()) + sum(moved.stats.cache_hits.values()))
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the package to edit, with a kernel that calls another file's kernel."""
    kernels = tmp_path / "nncomp" / "kernels"
    shutil.copytree(Path(nncomp.__file__).parent, kernels.parent, ignore=shutil.ignore_patterns("__pycache__"))
    (kernels / "helper.py").write_text(HELPER)
    (kernels / "user.py").write_text(USER)
    return tmp_path


def edit(source: Path, old: str, new: str) -> None:
    """Without a trace in the file's size and date."""
    text, date = source.read_text(), source.stat().st_mtime_ns
    assert text.count(old) == 1 and len(old) == len(new)
    source.write_text(text.replace(old, new))
    os.utime(source, ns=(date, date))


@compiled_only
def test_a_stale_kernel_is_impossible(house: Path) -> None:
    """Both edits leave the user's bytecode as it was: what changes is a name, or a number in another file."""
    cache, kernels = house / "cache", house / "nncomp" / "kernels"

    def use() -> str:
        return run(USE.format(first=""), cache, house)

    assert use() == "21 0.75 0"
    assert use() == "21 0.75 2"
    edit(kernels / "helper.py", "FACTOR = 2", "FACTOR = 3")
    assert use() == "31 0.75 0"
    edit(kernels / "elementwise.py", "v[i] + g[i]", "v[i] - g[i]")
    assert use() == "31 1.0 0"
    edit(kernels / "elementwise.py", "v[i] - g[i]", "v[i] + g[i]")
    assert use() == "31 0.75 2", "what was compiled of these very sources"


@compiled_only
def test_an_edit_between_import_and_first_call_is_no_trap(house: Path) -> None:
    source = house / "nncomp" / "kernels" / "elementwise.py"
    first = f"p = __import__('pathlib').Path({str(source)!r})\n"
    first += "p.write_text(p.read_text().replace('v[i] + g[i]', 'v[i] - g[i]'))"
    assert run(USE.format(first=first), house / "cache", house) == "21 0.75 0"
    assert run(USE.format(first=""), house / "cache", house) == "21 1.0 0"


@compiled_only
def test_an_edit_between_two_imports_is_no_trap(house: Path) -> None:
    """Public names load lazily, so that a file may be edited after its neighbour's import, and be put back."""
    source = house / "nncomp" / "kernels" / "elementwise.py"
    text = source.read_text()
    early = f"import pathlib, nncomp.kernels.int8\npathlib.Path({str(source)!r}).write_text("
    early += f"{text.replace('v[i] + g[i]', 'v[i] - g[i]')!r})\n"
    assert run(early + USE.format(first=""), house / "cache", house) == "21 1.0 0"
    source.write_text(text)
    assert run(USE.format(first=""), house / "cache", house).startswith("21 0.75 ")


@compiled_only
def test_settings_that_change_the_code_are_part_of_an_entry_s_name(tmp_path: Path) -> None:
    code = """
import numpy as np
from nncomp.kernels import elementwise
elementwise.sgd(*np.ones((3, 5)), rate=0.1, momentum=0.9, nesterov=True)
print(sum(elementwise._sgd.stats.cache_hits.values()))
"""
    assert [run(code, tmp_path), run(code, tmp_path)] == ["0", "1"]
    assert run(code, tmp_path, NUMBA_OPT="1") == "0"
    assert run(code, tmp_path, NUMBA_LOOP_VECTORIZE="0") == "0"
