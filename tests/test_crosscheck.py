"""`compare` and its cases: differences against exact arithmetic, planted faults found and shrunk, hazards present."""

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncomp.crosscheck import compare, grid_cases, kl_cases
from nncomp.crosscheck.difference import difference, same_bits
from nncomp.crosscheck.grid_cases import HAZARDS as GRID_HAZARDS
from nncomp.crosscheck.kl_cases import HAZARDS as KL_HAZARDS
from nncomp.crosscheck.shrink import Case, elements, shrink
from nncomp.distill import kl_divergence
from nncomp.formats import Grid, Uniform, nearest_away

floats = st.floats(allow_nan=False, allow_infinity=False)
matrices = st.tuples(st.integers(1, 6), st.integers(1, 6)).map(lambda shape: np.arange(math.prod(shape)).reshape(shape))


def constant(*outputs: object) -> Callable[..., object]:
    return lambda *arguments: outputs if len(outputs) > 1 else outputs[0]


def one(*arguments: object) -> int:
    return 1


# Differences


@given(floats, floats)
@example(1.7e308, -1.7e308)
@example(5e-324, 0.0)
def test_ulps_are_the_exact_difference_by_the_larger_ulp(a: float, b: float) -> None:
    exact = abs(Fraction(a) - Fraction(b)) / Fraction(math.ulp(max(abs(a), abs(b))))
    # Dividing the smaller by an ulp may round, by half an ulp of 2^53, and so may the subtraction.
    assert abs(Fraction(difference(np.array(a), np.array(b)).item()) - exact) <= exact * Fraction(2, 2**53)


@given(
    st.sampled_from([np.float16, np.float32, np.float64]), st.floats(1, 1.5), st.integers(-10, 10), st.integers(0, 20)
)
def test_ulps_are_steps_to_the_next_float(dtype: type, mantissa: float, exponent: int, steps: int) -> None:
    a = b = dtype(mantissa * 2.0**exponent)
    for _ in range(steps):
        b = np.nextafter(b, dtype(np.inf))
    for x, y in ((a, b), (b, a), (-a, -b)):
        assert difference(np.array(x), np.array(y)) == steps


@given(st.sampled_from([np.int8, np.uint8, np.int32, np.int64, np.uint64]), st.data())
def test_integers_differ_by_their_difference(dtype: type, data: st.DataObject) -> None:
    info = np.iinfo(dtype)
    a, b = (data.draw(st.integers(int(info.min), int(info.max)) | st.sampled_from([info.min, info.max])) for _ in "ab")
    assert difference(np.array(a, dtype), np.array(b, dtype)) == float(abs(int(a) - int(b)))


def test_booleans_differ_by_one() -> None:
    assert difference(np.array([True, False]), np.array([True, True])).tolist() == [0, 1]


def test_what_is_no_number_is_infinitely_far() -> None:
    values = np.array([0.0, -0.0, 1.0, np.inf, -np.inf, np.nan])
    for unit in (None, 0.5):
        apart = difference(values[:, None], values[None], unit)
        finite = np.isfinite(values)
        assert np.isinf(apart).tolist() == (~(finite[:, None] & finite) & ~np.eye(6, dtype=bool)).tolist()
        assert not np.diag(apart).any() and apart[0, 1] == 0
    same = same_bits(values[:, None], values[None])
    assert same.tolist() == np.eye(6, dtype=bool).tolist(), "zeros of either sign are two numbers here, NaN is one"
    assert same_bits(np.uint32([0x7FC00000]).view("f4"), np.uint32([0xFFC00001]).view("f4")).all()


def test_units() -> None:
    a, b = np.array([[1.0, 2.0], [1.0, 2.0]], np.float32), np.array([[1.0, 3.0], [1.5, 2.0]], np.float32)
    assert difference(a, b, np.array([[0.5], [0.25]])).tolist() == [[0, 2], [2, 0]]
    assert difference(a, b, 0.0).tolist() == [[0, np.inf], [np.inf, 0]]
    for unit in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="at least 0"):
            difference(a, b, unit)


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

FORMATS = [Uniform(), Uniform(signed=False, symmetric=False), Uniform(2, narrow=True), Uniform(16, symmetric=False)]


def missing(cases: list[Case], hazards: Callable[..., dict[str, object]]) -> set[str]:
    """The hazards that no case has."""
    told = [hazards(*case) for case in cases]
    return {name for name in told[0] if not any(np.any(each[name]) for each in told)}


def assert_seeded(cases: Callable[..., object]) -> None:
    """A seed gives its own cases, the same each time."""
    bits = [[[np.asarray(a).tobytes() for a in case] for case in cases(seed=seed)] for seed in (0, 0, 1)]
    assert bits[0] == bits[1] != bits[2]


def grid_hazards(format: Uniform, x: np.ndarray, scale: np.ndarray, zero_point: np.ndarray) -> dict[str, object]:
    info, grid = np.finfo(x.dtype), Grid(format, scale, zero_point)
    codes, decoded, finite = grid.encode(x), grid.decode(grid.encode(x)), np.isfinite(x)
    quotient, product, power = x / scale, x * (1 / scale), np.frexp(scale)[0] == 0.5
    tie = np.abs(quotient) % 1 == 0.5
    below, above = (np.abs(np.nextafter(x, x.dtype.type(end)) / scale) % 1 == 0.5 for end in (np.inf, -np.inf))
    return {
        "ties at even zero points": tie & power & (zero_point % 2 == 0),
        "ties at odd zero points": tie & power & (zero_point % 2 == 1),
        "an ulp below a tie": below & power & ~tie,
        "an ulp above a tie": above & power & ~tie,
        "another mode of rounding": np.rint(quotient) != nearest_away(quotient),
        "other codes by the reciprocal": finite & np.isfinite(1 / scale) & (np.rint(quotient) != np.rint(product)),
        "other codes with the zero point first": np.rint(quotient) + zero_point != np.rint(quotient + zero_point),
        "below the lowest code": (codes == format.qmin) & (decoded > x) & finite,
        "above the highest code": (codes == format.qmax) & (decoded < x) & finite,
        "the lowest code itself": (codes == format.qmin) & (decoded == x),
        "the highest code itself": (codes == format.qmax) & (decoded == x),
        "a tie with the code below the lowest": tie & (np.rint(quotient + 0.25) + zero_point == format.qmin),
        "a tie with the code above the highest": tie & (np.rint(quotient - 0.25) + zero_point == format.qmax),
        "zeros": (x == 0) & ~np.signbit(x),
        "negative zeros": (x == 0) & np.signbit(x),
        "subnormals": (x != 0) & (np.abs(x) < info.tiny),
        "infinities": x == np.inf,
        "negative infinities": x == -np.inf,
        "quotients that overflow": finite & np.isinf(quotient),
        "quotients beyond 32 bits": np.isfinite(quotient) & (np.abs(quotient) > 2**31),
        "quotients beyond 64 bits": np.isfinite(quotient) & (np.abs(quotient) > 2**63),
        "one element": x.size == 1,
        "one scale for several rows": len(x) > 1 == len(scale),
        "a scale per row": len(np.unique(scale)) > 1,
        "scales that are powers of two": power,
        "scales that are not": ~power,
        "tiny scales": (info.tiny == scale).any(),
        "scales without a reciprocal": np.isinf(1 / scale),
        "huge scales": scale > float(info.max) / 2**18,
    }


OF_GRIDS = {
    "ties": ["ties at even zero points", "ties at odd zero points", "another mode of rounding",
             "a tie with the code below the lowest", "a tie with the code above the highest"],
    "beside_ties": ["an ulp below a tie", "an ulp above a tie", "other codes with the zero point first"],
    "reciprocals": ["other codes by the reciprocal"],
    "codes": ["the lowest code itself", "the highest code itself", "below the lowest code", "above the highest code"],
    "wrapping": ["quotients beyond 32 bits", "quotients beyond 64 bits"],
    "zeros": ["zeros", "negative zeros", "subnormals"],
    "huge": ["quotients that overflow"],
    "infinities": ["infinities", "negative infinities"],
    "anything": [],
}  # fmt: skip


@np.errstate(over="ignore", invalid="ignore")
def test_each_function_makes_its_hazard_of_a_grid() -> None:
    format, rng = Uniform(symmetric=False), np.random.default_rng(0)
    assert len(GRID_HAZARDS) == len(OF_GRIDS)
    for hazard in GRID_HAZARDS:
        cases = []
        for scale, zero_point in product((0.25, 0.1), (-2, 1)):
            grid = Grid(format, np.array([[scale]], np.float32), np.array([[zero_point]], np.int8))
            cases.append((hazard(grid, rng)[None], grid.scale, grid.zero_point))
        assert not set(OF_GRIDS[hazard.__name__]) & missing(cases, partial(grid_hazards, format)), hazard


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("format", FORMATS, ids=str)
@np.errstate(over="ignore", invalid="ignore")
def test_the_grids_hazards_are_there(format: Uniform, dtype: type) -> None:
    cases = list(grid_cases(format, dtype))
    absent = {"ties at odd zero points", "other codes with the zero point first"} if format.symmetric else set()
    assert missing(cases, partial(grid_hazards, format)) == absent
    assert_seeded(partial(grid_cases, format, dtype))
    for x, scale, zero_point in cases:
        assert x.dtype == scale.dtype == dtype and zero_point.dtype == format.dtype
        assert np.isfinite(x).all() or np.isinf(x).all()
        assert (zero_point == format.middle).all() or not format.symmetric


def divergence_hazards(student: np.ndarray, teacher: np.ndarray, T: float) -> dict[str, object]:
    several = student.shape[1] > 1
    ordered = np.sort(teacher, axis=1)
    return {
        "one class": not several,
        "many classes": student.shape[1] >= 1000,
        "one sample": len(student) == 1,
        "no temperature": T == 1,
        "tiny temperatures": T < 1e-5,
        "huge temperatures": T > 1e5,
        "a student who is the teacher": np.array_equal(student, teacher),
        "students of equal logits": several and (student == student[:, :1]).all(axis=1),
        "teachers of two favourites": several and ordered[:, -1] == ordered[:, -2],
        "teachers who are certain": several and (np.exp(ordered[:, -2] - ordered[:, -1]) == 0),
        "1e4": np.abs(student) == 1e4,
        "1e30": student == student.dtype.type(1e30),
        "-1e30": student == student.dtype.type(-1e30),
        "negative zeros": (student == 0) & np.signbit(student),
        "subnormals": (student != 0) & (np.abs(student) < np.finfo(student.dtype).tiny),
    }


OF_DIVERGENCES = {
    "shapes": ["one class", "many classes", "one sample"],
    "equals": ["a student who is the teacher"],
    "ties": ["students of equal logits", "teachers of two favourites"],
    "zeros": ["negative zeros", "subnormals"],
    "shifted": [],
    "extremes": ["1e4", "1e30", "-1e30", "teachers who are certain"],
    "one_hot": ["teachers who are certain", "1e30"],
}


def test_each_function_makes_its_hazard_of_a_divergence() -> None:
    assert len(KL_HAZARDS) == len(OF_DIVERGENCES)
    for hazard in KL_HAZARDS:
        cases = [(*pair, 1.0) for pair in hazard(np.random.default_rng(0))]
        assert not set(OF_DIVERGENCES[hazard.__name__]) & missing(cases, divergence_hazards), hazard


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_divergences_hazards_are_there(dtype: type) -> None:
    cases = list(kl_cases(dtype))
    assert missing(cases, divergence_hazards) == set()
    assert_seeded(partial(kl_cases, dtype))
    for student, teacher, T in cases:
        assert student.dtype == teacher.dtype == dtype and student.shape == teacher.shape
        loss, gradient = kl_divergence(student, teacher, T)
        assert math.isfinite(loss) and np.isfinite(gradient).all()
