"""The generic path on an aarch64, which is compiled for, not run: portable, and at its best in the innermost loop."""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncomp.kernels.pack import NO_ZEROS, int8_pack
from tests.kernels.processes import compiled_only, run

TRIPLE = "aarch64-unknown-linux-gnu"


def print_assembly(features: str) -> None:
    """The int8 kernel's, as Numba writes it where LLVM has these `features`."""
    from llvmlite import binding
    from numba import typeof
    from numba.core.compiler import Flags, compile_extra
    from numba.core.registry import cpu_target

    from nncomp.kernels import int8

    sys.modules["nncomp.kernels.simd.codes"].SDOT = "+dotprod" in features  # type: ignore[attr-defined]
    a, b = np.zeros((3, 8), np.int8), int8_pack(np.ones((9, 8), np.int8))
    arguments: tuple[Any, ...] = (a, 0, *b[:3], NO_ZEROS, np.zeros((3, 9), np.int32), (), 0, 3, 0, 9)
    flags = Flags()
    flags.nrt, flags.no_compile, flags.error_model = True, True, "numpy"
    types, contexts = tuple(map(typeof, arguments)), (cpu_target.typing_context, cpu_target.target_context)
    text = compile_extra(*contexts, int8._int8_matmul_py, types, None, flags, {}).library.get_llvm_str()
    assert "llvm.x86" not in text
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    target = binding.Target.from_triple(TRIPLE).create_target_machine(features=features, opt=3)
    module = binding.parse_assembly(re.sub(r"target (datalayout|triple) = .*\n", "", text))
    module.triple, module.data_layout = TRIPLE, str(target.target_data)
    print(target.emit_assembly(module))


@compiled_only
@pytest.mark.parametrize(("features", "each"), [("+neon,+dotprod", ("sdot",)), ("+neon", ("smull", "mla"))])
def test_the_dot_product_is_the_processor_s_own(features: str, each: tuple[str, ...], tmp_path: Path) -> None:
    show = f"from tests.kernels.test_aarch64 import print_assembly; print_assembly({features!r})"
    blocks = [re.findall(r"^\t(\w+)\t(.*)", block, re.M) for block in
              re.split(r"^\S+:.*$", run(show, tmp_path, NNCOMP_SIMD="generic"), flags=re.M)]  # fmt: skip
    most = max(blocks, key=lambda block: sum(name in each for name, _ in block))
    assert sum(name in each for name, _ in most) >= 24 * len(each), "six rows of four registers"
    if "sdot" in each:
        names = {name for name, _ in most}
        assert names <= {"prfm", "ldr", "ld1r", "add", "sub", "subs", "cmp", "sdot", "b"}, "loads, products, a count"
        assert not any("sp" in operands for _, operands in most), "all sums stay in registers"
