"""The compressed rows of a sparse weight: every pattern that is one, nothing else, in the smallest indices."""

import re

import numpy as np
import pytest

from nncomp.weights import Sparse

GOOD = dict(values=[1.0, 2.0, 3.0], columns=[0, 3, 1], row_start=[0, 2, 2, 3])


def weight(inputs: int = 4, **changes: object) -> Sparse:
    """`GOOD` with some of its arrays changed."""
    parts = {k: np.array(v, None if k == "values" else np.uint8) for k, v in GOOD.items()}
    parts |= {k: v if isinstance(v, np.ndarray) else np.array(v, parts[k].dtype) for k, v in changes.items()}
    return Sparse(**parts, inputs=inputs)


@pytest.mark.parametrize(
    ("columns", "row_start", "dense"),
    [
        ([0, 3, 1], [0, 2, 2, 3], [[1, 0, 0, 2], [0, 0, 0, 0], [0, 3, 0, 0]]),
        ([3, 2, 1], [0, 1, 2, 3], [[0, 0, 0, 1], [0, 0, 2, 0], [0, 3, 0, 0]]),
        ([0, 1, 2], [0, 0, 0, 3], [[0, 0, 0, 0], [0, 0, 0, 0], [1, 2, 3, 0]]),
        ([1, 2, 3], [0, 3, 3, 3], [[0, 1, 2, 3], [0, 0, 0, 0], [0, 0, 0, 0]]),
    ],
)
def test_rows_may_be_empty_or_begin_anywhere(columns: list[int], row_start: list[int], dense: list) -> None:
    w = weight(columns=columns, row_start=row_start)
    assert w.dense().tolist() == dense and w.mask.tolist() == (np.array(dense) != 0).tolist()
    assert w.shape == (3, 4) and w.multiply_adds == 3 and w.nbytes == 3 * 8 + 3 + 4


def test_nothing_kept_is_a_weight_of_zeros() -> None:
    empty = Sparse.from_dense(np.zeros((2, 3)))
    assert empty.multiply_adds == 0 and not empty.dense().any() and empty.dense().shape == (2, 3)


BAD = {
    "values in two dimensions": (dict(values=np.ones((1, 3))), "(1, 3) (3,) (4,)"),
    "columns in two dimensions": (dict(columns=np.zeros((1, 3), np.uint8)), "(3,) (1, 3) (4,)"),
    "row starts in two dimensions": (dict(row_start=np.zeros((4, 1), np.uint8)), "(3,) (3,) (4, 1)"),
    "both in two dimensions": (dict(values=np.ones((1, 3)), columns=np.ones((1, 3), np.uint8)), "(1, 3) (1, 3) (4,)"),
    "all in two dimensions": (
        dict(values=np.ones((1, 1)), columns=np.ones((1, 1), np.uint8), row_start=np.zeros((2, 1), np.uint8)),
        "(1, 1) (1, 1) (2, 1)",
    ),
    "a value alone": (dict(values=np.array(1.0), columns=[0], row_start=[0, 1]), "() (1,) (2,)"),
    "a column alone": (dict(values=np.ones(1), columns=np.array(0, np.uint8), row_start=[0, 1]), "(1,) () (2,)"),
    "both alone": (dict(values=np.array(1.0), columns=np.array(0, np.uint8), row_start=[0, 1]), "() () (2,)"),
    "too few columns": (dict(columns=[0, 3]), "(3,) (2,) (4,)"),
    "too many columns": (dict(columns=[0, 3, 0, 1]), "(3,) (4,) (4,)"),
    "signed columns": (dict(columns=np.array([0, 3, 1])), "unsigned, values numbers: int64 uint8 float64"),
    "signed row starts": (dict(row_start=np.array([0, 2, 2, 3])), "unsigned, values numbers: uint8 int64 float64"),
    "signed columns and row starts": (
        dict(columns=np.array([0, 3, 1]), row_start=np.array([0, 2, 2, 3])),
        "values numbers: int64 int64 float64",
    ),
    "columns of bytes": (dict(columns=np.zeros(3, "V1")), "values numbers: |V1 uint8 float64"),
    "columns and row starts of bytes": (
        dict(columns=np.zeros(3, "V1"), row_start=np.zeros(4, "V1")),
        "values numbers: |V1 |V1 float64",
    ),
    "one input more than bytes can tell": (dict(inputs=257), "columns of uint8 cannot tell 257 inputs apart"),
    "wide codes": (dict(values=np.ones(3, np.int32)), "unsigned, values numbers: uint8 uint8 int32"),
    "half a float": (dict(values=np.ones(3, np.float16)), "unsigned, values numbers: uint8 uint8 float16"),
    "foreign values": (dict(values=np.ones(3, ">f8")), "4 inputs is not a whole number, or an array has a foreign"),
    "foreign columns": (dict(columns=np.array([0, 3, 1], ">u2")), "foreign byte order"),
    "foreign row starts": (dict(row_start=np.array([0, 2, 2, 3], ">u2")), "foreign byte order"),
    "half an input": (dict(inputs=4.5), "4.5 inputs is not a whole number"),
    "a first row that starts late": (dict(row_start=[1, 2, 2, 3]), "the 3 values, not 1 to 3"),
    "a last row that ends early": (dict(row_start=[0, 2, 2, 2]), "the 3 values, not 0 to 2"),
    "a last row that ends late": (dict(row_start=[0, 2, 2, 4]), "the 3 values, not 0 to 4"),
    "a row that ends before it starts": (dict(row_start=[0, 3, 2, 3]), "must rise from 0 to the 3 values"),
    "the first column outside": (dict(columns=[0, 4, 1]), "column 4 in a weight of 4 inputs"),
    "a column far outside": (dict(columns=[0, 200, 1]), "column 200 in a weight of 4 inputs"),
    "a column twice": (dict(columns=[3, 3, 1]), "rise within a row; they do not at value 1"),
    "columns that fall": (dict(row_start=[0, 0, 3, 3]), "rise within a row; they do not at value 2"),
    "columns that fall twice": (dict(columns=[2, 1, 0], row_start=[0, 3, 3, 3]), "they do not at value 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_breaks_the_pattern_is_named(case: str) -> None:
    changes, message = BAD[case]
    with pytest.raises(ValueError, match=re.escape(message)):
        weight(**changes)


def test_hundreds_of_inputs_and_values() -> None:
    w = Sparse.from_dense(np.ones((2, 400), np.float32))
    assert w.values.size == w.columns.size == 800 and w.apply(np.ones((1, 400), np.float32)).tolist() == [[400, 400]]
    Sparse(w.values, w.columns, w.row_start, 400)


@pytest.mark.parametrize(("inputs", "width"), [(1, 1), (256, 1), (257, 2)])
def test_columns_take_the_smallest_dtype(inputs: int, width: int) -> None:
    assert Sparse.from_dense(np.eye(1, inputs)).columns.itemsize == width


@pytest.mark.parametrize(("kept", "width"), [(255, 1), (256, 2)])
def test_row_starts_take_the_smallest_dtype(kept: int, width: int) -> None:
    assert Sparse.from_dense(np.ones((kept, 1))).row_start.itemsize == width


def test_without_a_mask_whatever_is_not_zero_is_kept() -> None:
    w = Sparse.from_dense(np.array([[-1.0, 0.0, np.nan, 1e-300]]))
    assert w.mask.tolist() == [[True, False, True, True]]


def test_a_kept_weight_may_be_zero() -> None:
    w = Sparse.from_dense(np.zeros((1, 3)), np.array([[True, False, True]]))
    assert w.mask.tolist() == [[True, False, True]] and w.multiply_adds == 2


def test_a_pattern_cannot_be_written_to() -> None:
    w = weight()
    for name in ("columns", "row_start"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(w, name)[0] = 1


@pytest.mark.parametrize("kept", [2, 4])
def test_other_params_are_as_many(kept: int) -> None:
    with pytest.raises(ValueError, match=rf"3 kept values, not \({kept},\)"):
        weight().with_params((np.ones(kept),))


def test_a_block_of_columns_is_numbered_anew() -> None:
    w = weight()
    assert w.column_block(1, 4).dense().tolist() == w.dense()[:, 1:4].tolist()
    assert w.column_block(1, 4).inputs == 3 and w.column_block(1, 2).mask.tolist() == [[False], [False], [True]]


def test_other_values_multiply_at_once() -> None:
    w, x = weight(), np.ones((1, 4))
    assert w.apply(x).tolist() == [[3.0, 0.0, 3.0]]
    other = w.with_params((2 * w.values,))
    assert other.apply(x).tolist() == [[6.0, 0.0, 6.0]] and other.pattern is w.pattern
