"""`compare` and its cases: differences against exact arithmetic, planted faults found and shrunk, hazards present."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.crosscheck import compare, grid_cases, kl_cases
from nncomp.crosscheck.shrink import elements, shrink
from nncomp.distill import kl_divergence
from nncomp.formats import Grid, Uniform

matrices = st.tuples(st.integers(1, 6), st.integers(1, 6)).map(lambda shape: np.arange(math.prod(shape)).reshape(shape))


def constant(*outputs: object) -> Callable[..., object]:
    return lambda *arguments: outputs if len(outputs) > 1 else outputs[0]


def one(*arguments: object) -> int:
    return 1


# Differences


# Counts


def test_what_is_the_same_agrees() -> None:
    cases = list(grid_cases(Uniform(symmetric=False)))
    found = compare(lambda x, *_: x / 3, lambda x, *_: x / 3, cases)
    assert repr(found).startswith(f"agree on {len(cases)} of {len(cases)} cases, both refuse 0\n")
    assert found.agree and found.failure is None and found.largest == found.failing == found.zeros == 0
    assert found.cases == len(cases) and found.elements == found.exact == sum(case[0].size for case in cases)


def test_every_count() -> None:
    theirs = np.array([1.0, 0.0, np.nan, 1.0, 2.0]), np.array([3, 4], np.int8)
    ours = np.array([1.0, -0.0, -np.nan, 1.0 + 2**-52, 2.0]), np.array([3, 7], np.int8)
    found = compare(constant(*theirs), constant(*ours), [(), ()], tolerance=2)
    assert (found.cases, found.failing, found.elements, found.exact, found.zeros) == (2, 2, 14, 8, 2)
    assert found.largest == 3 and not found.agree and found.unit == "ulp"
    assert compare(constant(*theirs), constant(*ours), [()], tolerance=3).agree


def test_zeros_of_either_sign_agree_and_are_told() -> None:
    found = compare(np.abs, np.negative, [(np.array([0.0, -0.0]),)])
    assert found.agree and (found.exact, found.zeros, found.largest) == (1, 1, 0)
    assert "1 equal bit for bit, 1 but for the sign of zero" in repr(found)


def test_a_unit_of_the_arguments() -> None:
    def steps(x: np.ndarray, scale: np.ndarray) -> tuple[float, np.ndarray]:
        return 1, scale

    case = np.array([[1.0, 2.0]]), np.array([[0.25]])
    found = compare(lambda x, s: (x, x), lambda x, s: (x, x + s), [case], unit=steps)
    assert found.largest == 1 and found.unit == "steps" and "largest difference: 1 steps, 0 allowed" in repr(found)
    assert compare(lambda x, s: (x, x), lambda x, s: (x, x + s), [case], unit=steps, tolerance=1).agree
    with pytest.raises(ValueError, match="zip"):
        compare(lambda x, s: x, lambda x, s: x, [case], unit=steps)


def test_comparisons_add_up() -> None:
    cases = list(kl_cases())

    def theirs(student: np.ndarray, teacher: np.ndarray, T: float) -> np.ndarray:
        if T > 5:
            raise ValueError(T)
        return kl_divergence(student, teacher, T)[1] * np.float32(1.001)

    def ours(student: np.ndarray, teacher: np.ndarray, T: float) -> np.ndarray:
        return kl_divergence(student, teacher, T)[1]

    whole = compare(theirs, ours, cases)
    parts = compare(theirs, ours, cases[:70]) + compare(theirs, ours, cases[70:])
    for name in ("cases", "failing", "refused", "elements", "exact", "zeros", "largest", "tolerance", "unit"):
        assert getattr(whole, name) == getattr(parts, name)
    assert elements(whole.failure.case) == elements(parts.failure.case)
    assert repr(whole).startswith(f"disagree on {whole.failing} of {len(cases)} cases, both refuse 0\n")
    with pytest.raises(ValueError, match="0 ulp allowed here and 1 ulp there"):
        whole + compare(ours, ours, cases[:1], tolerance=1)


# Failures


def test_one_wrong_element_of_one_case_is_found_and_shrunk_to() -> None:
    cases = [(x, scale, zero) for x, scale, zero in grid_cases(Uniform(symmetric=False)) if np.isfinite(x).all()]
    x, scale, zero = max(cases, key=lambda case: case[0].size * (len(case[1]) > 1))
    wanted = x[-1, x.shape[1] // 2]

    def encode(x: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
        return Grid(Uniform(symmetric=False), scale, zero).encode(x)

    def wrong(x: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
        q = encode(x, scale, zero)
        q[(x == wanted) & (np.broadcast_to(scale, x.shape) == scale[-1])] ^= 1
        return q

    found = compare(wrong, encode, [(x, scale, zero)])
    assert found.failing == 1 and found.elements - found.exact >= 1
    assert [a.tolist() for a in found.failure.case] == [[[wanted]], [scale[-1].tolist()], [zero[-1].tolist()]]
    assert found.failure.theirs[0].item() == found.failure.ours[0].item() ^ 1
    assert f"argument 0  {np.array([[wanted]])!r}" in repr(found) and "theirs      array([[" in repr(found)


@given(matrices, st.data())
def test_shrinking_keeps_what_the_failure_needs_and_no_line_more(x: np.ndarray, data: st.DataObject) -> None:
    wanted = data.draw(st.sets(st.sampled_from(x.ravel().tolist()), min_size=1, max_size=3))
    scale, bias = np.arange(len(x))[:, None], np.arange(x.shape[1])[None] + 100
    kept, scales, biases, word = shrink((x, scale, bias, "word"), lambda case: wanted <= set(case[0].ravel().tolist()))
    rows, columns = ({int(np.argwhere(x == w)[0, axis]) for w in wanted} for axis in (0, 1))
    assert kept.tolist() == x[sorted(rows)][:, sorted(columns)].tolist() and word == "word"
    assert scales.ravel().tolist() == sorted(rows)
    assert biases.ravel().tolist() == [100 + column for column in sorted(columns)]


def test_rows_are_shrunk_before_columns() -> None:
    assert shrink((np.zeros((4, 4)),), lambda case: max(case[0].shape) == 4)[0].shape == (1, 4)


def test_shrinking_goes_on_only_as_long_as_it_fails_for_the_same_reason() -> None:
    def theirs(x: np.ndarray) -> np.ndarray:
        if x.size < 4:
            raise RuntimeError("too short for theirs")
        return x + 1

    found = compare(theirs, np.positive, [(np.arange(64)[None],)])
    assert found.failure.reason == "values differ" and found.failure.case[0].shape == (1, 4)


@pytest.mark.parametrize("sizes", [(7, 5, 1), (1, 5, 7)])
def test_the_smallest_failing_case_and_the_largest_difference_are_told(sizes: tuple[int, ...]) -> None:
    # What is left of 7 lines, less half of them or fewer, is never 5.
    found = compare(lambda x: x, lambda x: x + (x.size in (5, 7)) * x.size, [(np.zeros(n),) for n in sizes], unit=one)
    assert found.failing == 2 and found.largest == 7 and found.failure.ours[0].tolist() == [5] * 5


@pytest.mark.parametrize(
    ("theirs", "ours", "reason"),
    [
        (np.zeros((1, 2)), np.zeros((2, 1)), "shapes differ"),
        (np.zeros(()), np.zeros(1), "shapes differ"),
        (np.zeros(2, np.float32), np.zeros(2), "dtypes differ"),
        (np.zeros(2, np.int8), np.zeros(2, np.uint8), "dtypes differ"),
        ((np.zeros(2), np.zeros(2)), np.zeros(2), "numbers of outputs differ"),
        (np.zeros(2), np.array([0.0, np.inf]), "values differ"),
        (np.zeros(2), np.array([0.0, np.nan]), "values differ"),
    ],
)
def test_what_differs_is_said(theirs: object, ours: object, reason: str) -> None:
    found = compare(lambda: theirs, lambda: ours, [()], tolerance=1e300)
    assert not found.agree and found.failing == 1 and found.failure.reason == reason
    assert f"smallest failing input: {reason}\n" in repr(found)
    assert found.largest == (np.inf if reason == "values differ" else 0)


def refuse_negatives(x: np.ndarray) -> np.ndarray:
    if (x < 0).any():
        raise ValueError(f"negative: {x.min()}")
    return x


def test_who_raises_alone_fails_and_both_refuse_together() -> None:
    cases = [(np.array([[1.0, -2.0], [3.0, 4.0]]),), (np.array([[1.0]]),)]
    alone = compare(refuse_negatives, np.positive, cases)
    assert alone.failing == 1 and alone.failure.reason == "theirs raises ValueError"
    assert alone.failure.case[0].tolist() == [[-2.0]] and "theirs      ValueError('negative: -2.0')" in repr(alone)
    assert compare(np.positive, refuse_negatives, cases).failure.reason == "ours raises ValueError"
    both = compare(refuse_negatives, refuse_negatives, cases)
    assert both.agree and both.refused == 1 and both.elements == 1 and "both refuse 1" in repr(both)


def test_neither_sees_what_the_other_does_to_the_arguments() -> None:
    def doubling(x: np.ndarray) -> np.ndarray:
        x *= 2
        return x

    case = (np.array([1.0, 2.0]),)
    assert compare(doubling, lambda x: 2 * x, [case]).agree and case[0].tolist() == [1, 2]


def test_a_function_that_fails_now_and_then_is_told_all_the_same() -> None:
    calls: list[int] = []

    def flaky(x: np.ndarray) -> np.ndarray:
        calls.append(1)
        return x + (len(calls) == 1)

    found = compare(flaky, np.positive, [(np.zeros((2, 2)),)])
    assert found.failing == 1 and found.failure.case[0].shape == (2, 2)


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="no cases"):
        compare(np.abs, np.abs, [])
    for output in (None, 1j, "word", np.longdouble(1)):
        with pytest.raises(TypeError, match="booleans, integers or floats"):
            compare(lambda output=output: output, lambda: 1.0, [()])


# Cases
