"""ONNX's own test cases for operators we have: which pass is written down, and may only grow.

`onnx_cases.txt` is the list. Where a case is out of scope, `OUT` says why.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
node_cases = pytest.importorskip("onnx.backend.test.case.node")

from tests.crosscheck.onnx_backend import OPERATORS, WIDE, numbers, run, tensor  # noqa: E402

PASSED = Path(__file__).with_name("onnx_cases.txt").read_text().split()
OUT = {
    "test_cast_FLOAT_to_FLOAT4E2M1": "NaN has no code there, and raises",
    "test_cast_FLOAT16_to_FLOAT4E2M1": "NaN has no code there, and raises",
    "test_castlike_FLOAT_to_FLOAT4E2M1_expanded": "NaN has no code there, and raises",
    "test_castlike_FLOAT16_to_FLOAT4E2M1_expanded": "NaN has no code there, and raises",
    "test_cast_e8m0_FLOAT_to_FLOAT8E8M0": "powers of two are scales, made by the rules of `block_scaled`",
    "test_cast_e8m0_FLOAT16_to_FLOAT8E8M0": "powers of two are scales, made by the rules of `block_scaled`",
}


@cache
def cases() -> dict:
    """Those of one node of an operator we have, by name."""
    with np.errstate(all="ignore"):
        found = node_cases.collect_testcases(None)
    return {
        case.name: case
        for case in found
        if len(case.model.graph.node) == 1 and case.model.graph.node[0].op_type in OPERATORS
    }


@pytest.mark.filterwarnings("ignore")
def test_the_list_is_complete() -> None:
    assert sorted(cases()) == sorted([*PASSED, *OUT]), "a case is new, or gone"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PASSED)
def test_case(name: str) -> None:
    case = cases()[name]
    given, expected = case.data_sets[0]
    wanted = [tensor(value) for value in expected]
    found = run(case.model.graph.node[0], [tensor(value) for value in given], wanted[0][1])
    for (array, element), result in zip(wanted, found, strict=True):
        assert result.shape == array.shape and result.dtype == array.dtype
        if element in WIDE:
            np.testing.assert_allclose(result, array, rtol=1e-5, atol=1e-6)  # the suite itself allows 1e-3
        else:
            np.testing.assert_array_equal(numbers(result, element), numbers(array, element))
