"""The cases hold the hazards they promise, and each function makes its own."""

import math
from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
import pytest

from nncomp.crosscheck import grid_cases, kl_cases
from nncomp.crosscheck.grid_cases import HAZARDS as GRID_HAZARDS
from nncomp.crosscheck.kl_cases import HAZARDS as KL_HAZARDS
from nncomp.crosscheck.shrink import Case
from nncomp.distill import kl_divergence
from nncomp.formats import Grid, Uniform, nearest_away

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
