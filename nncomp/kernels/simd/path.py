"""Which of four ways the kernels are compiled: what Numba will generate code for on this processor.

    avx512    64-byte registers and vpdpbusd       (uint8 x int8, four at a time)
    avx2      32-byte registers and vpmaddwd       (codes widened to 16 bits, two at a time)
    generic   16-byte registers, in LLVM's portable operations: sdot on an aarch64 that has it
    scalar    no registers: each kernel's plain loops, which also run with the JIT off and under bounds checks

`NNCOMP_SIMD` forces one of them.
"""

import os

from numba.core.registry import cpu_target

from nncomp.kernels.jit import config

PATHS = ("avx512", "avx2", "generic", "scalar")
NEEDS = {"avx512": ("avx512f", "avx512bw", "avx512vl", "avx512vnni"), "avx2": ("avx2", "fma")}


def _choose(forced: str | None, features: str) -> str:
    """The path for a processor with LLVM's `features` ("+avx2,-sse4a,..."); a ValueError if `forced` cannot be."""
    able = [p for p in PATHS if all(f"+{need}" in features.split(",") for need in NEEDS.get(p, ()))]
    if forced is not None and forced not in able:
        missing = f"it lacks one of {', '.join(NEEDS[forced])}" if forced in NEEDS else f"one of {', '.join(PATHS)}"
        raise ValueError(f"NNCOMP_SIMD={forced} is not for this processor: {missing}")
    return forced or able[0]


def _features() -> str:
    """What Numba generates code for, which `NUMBA_CPU_FEATURES` may narrow; a private name, so it may be gone."""
    return getattr(cpu_target.target_context.codegen(), "_tm_features", "")


# Intrinsics need the compiler, and bounds checks do not see through pointers.
_FEATURES = _features()
PATH = "scalar" if config.DISABLE_JIT or config.BOUNDSCHECK else _choose(os.environ.get("NNCOMP_SIMD"), _FEATURES)
SDOT = "+dotprod" in _FEATURES.split(",")
BITS = {"avx512": 512, "avx2": 256, "generic": 128, "scalar": 32}[PATH]
LANES = BITS // 32
ROWS, VECTORS = {"avx512": (6, 4), "avx2": (6, 2), "generic": (6, 2), "scalar": (1, 1)}[PATH]
"""The register tile of a matrix product: accumulators, a row and a broadcast fill 29 of 32 registers, or 15 of 16."""
GROUP = {"avx512": 4, "avx2": 2, "generic": 4, "scalar": 1}[PATH]
"""How many neighbouring products of codes one lane of `dot` sums."""


TAKES = {"avx512": "B", "generic": "b"}.get(PATH)
"""The one kind of code that `dot` takes for activations (uint8 or int8), or None where it takes either."""
