"""Which of five ways the kernels are compiled: what Numba will generate code for on this processor.

    amx        as avx512, and matrix registers for products of codes, where the system lets the process use them
    avx512     64-byte registers and vpdpbusd       (uint8 x int8, four at a time)
    avx2       32-byte registers and vpmaddwd       (codes widened to 16 bits, two at a time)
    generic    16-byte registers, in LLVM's portable operations: sdot on an aarch64 that has it
    scalar     no registers: each kernel's plain loops, which also run with the JIT off and under bounds checks

`NNCOMP_SIMD` forces one of them.
"""

import ctypes
import os
import platform
import sys

import numba
import numpy as np
from numba.core.registry import cpu_target

PATHS = ("amx", "avx512", "avx2", "generic", "scalar")
_AVX512 = ("avx512f", "avx512bw", "avx512vl", "avx512vnni")
NEEDS = {"amx": (*_AVX512, "amx-tile", "amx-int8"), "avx512": _AVX512, "avx2": ("avx2", "fma")}


def _able(features: str) -> tuple[str, ...]:
    """The paths that LLVM's `features` ("+avx2,-sse4a,...") allow, the best first."""
    has = set(features.split(","))
    return tuple(p for p in PATHS if all(f"+{need}" in has for need in NEEDS.get(p, ())))


def _choose(forced: str | None, able: tuple[str, ...]) -> str:
    """The best of the paths, or the one that is `forced`; a ValueError if that cannot be."""
    if forced is not None and forced not in able:
        words = f"it lacks one of {', '.join(NEEDS[forced])}" if forced in NEEDS else f"one of {', '.join(PATHS)}"
        raise ValueError(f"NNCOMP_SIMD={forced} is not for this processor: {words}")
    return forced or able[0]


def _may_use_matrix_registers() -> bool:
    """Ask Linux for the process's leave: their state takes 8 kB at every switch of threads that use them."""
    ask, number, matrix_data = 158, 0x1023, 18  # arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    return bool(ctypes.CDLL(None).syscall(ask, number, matrix_data) == 0)


def _features() -> str:
    """What Numba generates code for, which `NUMBA_CPU_FEATURES` may narrow; a private name, so it may be gone."""
    return getattr(cpu_target.target_context.codegen(), "_tm_features", "")


_FEATURES = _features()
ABLE = _able(_FEATURES)
if "amx" in ABLE and not _may_use_matrix_registers():
    ABLE = ABLE[1:]
# Intrinsics need the compiler, and bounds checks do not see through pointers.
_plain = numba.config.DISABLE_JIT or numba.config.BOUNDSCHECK  # type: ignore[attr-defined]
CHOSEN = "scalar" if _plain else _choose(os.environ.get("NNCOMP_SIMD") or None, ABLE)
"""The path in words."""
MATRIX = CHOSEN == "amx"
"""Whether there are matrix registers."""
PATH = "avx512" if MATRIX else CHOSEN
"""The path of all that does not use them."""
SDOT = "+dotprod" in _FEATURES.split(",")
BITS = {"avx512": 512, "avx2": 256, "generic": 128, "scalar": 32}[PATH]
LANES = BITS // 32
ROWS, VECTORS = {"avx512": (6, 4), "avx2": (6, 2), "generic": (6, 2), "scalar": (1, 1)}[PATH]
"""The register tile of a matrix product: accumulators, a row and a broadcast fill 29 of 32 registers, or 15 of 16."""
GROUP = {"avx512": 4, "avx2": 2, "generic": 4, "scalar": 1}[PATH]
"""How many neighbouring products of codes one lane of `dot` sums."""
_TAKES = {"avx512": "B", "generic": "b"}.get(PATH)


def to_take(dtype: np.dtype) -> int:
    """What to add to activations' codes (int8 or uint8), modulo 256, for `dot` to take them.

    vpdpbusd takes uint8 alone, sdot int8 alone, vpmaddwd either.
    """
    return 0 if _TAKES in (None, dtype.char) else 128 if _TAKES == "B" else -128
