"""Which way the kernels are compiled: the best that the processor allows, or the one that is asked for."""

import re
from pathlib import Path

import pytest

from nncomp.kernels.simd.path import ABLE, NEEDS, PATHS, _able, _choose
from tests.kernels.processes import compiled_only, run

SHOW = "from nncomp.kernels.simd.path import CHOSEN; print(CHOSEN)"


def features(*paths: str, without: str = "") -> str:
    """What LLVM says of a processor with all that the `paths` need."""
    needs = [need for p in paths for need in NEEDS[p]]
    return ",".join(f"{'-' if need == without else '+'}{need}" for need in needs)


@pytest.mark.parametrize(
    ("processor", "able"),
    [
        ("", ("generic", "scalar")),
        ("+neon,+dotprod", ("generic", "scalar")),
        (features("avx2"), ("avx2", "generic", "scalar")),
        (features("avx512", "avx2"), ("avx512", "avx2", "generic", "scalar")),
        (features("amx", "avx512", "avx2"), PATHS),
        (features("avx512", "avx2", without="avx512vnni"), ("avx2", "generic", "scalar")),
        (features("amx", "avx2", without="amx-int8"), ("avx512", "avx2", "generic", "scalar")),
    ],
)
def test_a_path_needs_all_of_its_features(processor: str, able: tuple[str, ...]) -> None:
    assert _able(processor) == able
    assert _choose(None, able) == able[0]
    assert [_choose(p, able) for p in able] == list(able)
    for p in set(PATHS) - set(able):
        with pytest.raises(
            ValueError, match=f"NNCOMP_SIMD={p} is not for this processor: it lacks one of {NEEDS[p][0]}"
        ):
            _choose(p, able)


def test_a_word_that_is_no_path() -> None:
    with pytest.raises(ValueError, match=re.escape("NNCOMP_SIMD=sse is not for this processor: one of amx, avx512")):
        _choose("sse", ABLE)


@compiled_only
def test_the_environment_chooses_and_numba_s_own_settings_are_obeyed(tmp_path: Path) -> None:
    assert run(SHOW, tmp_path, NNCOMP_SIMD="") == ABLE[0], "an empty word is none"
    assert [run(SHOW, tmp_path, NNCOMP_SIMD=p) for p in ABLE] == list(ABLE)
    assert run(SHOW, tmp_path, NNCOMP_SIMD="", NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == "generic"
    assert run(SHOW, tmp_path, NNCOMP_SIMD="generic", NUMBA_DISABLE_JIT="1") == "scalar"
    assert run(SHOW, tmp_path, NNCOMP_SIMD="generic", NUMBA_BOUNDSCHECK="1") == "scalar"
    with pytest.raises(RuntimeError, match="NNCOMP_SIMD=avx512 is not for this processor"):
        run(SHOW, tmp_path, NNCOMP_SIMD="avx512", NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")
