"""Arrays from anywhere: the same numbers, a read-only view where memory can be shared, the source never changed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nncomp import to_numpy
from nncomp.interchange.small_floats import NAMES

DTYPES = st.one_of(hnp.boolean_dtypes(), hnp.integer_dtypes(), hnp.floating_dtypes())


class OnlyDLPack:
    """An array of a library that NumPy knows nothing of."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


class OnlyArray:
    """Another one, older."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self._array


@given(hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)), st.booleans())
def test_arrays_keep_values_shape_and_dtype_in_the_machines_byte_order(x: np.ndarray, reversed: bool) -> None:
    x = x[::-2].T if reversed and x.ndim else x
    before, bytes_before = x.copy(), x.tobytes()
    y = to_numpy(x)
    np.testing.assert_array_equal(y, before)
    assert y.shape == x.shape and y.dtype == x.dtype.newbyteorder("=") and y.dtype.isnative
    assert not y.flags.writeable and x.flags.writeable and x.tobytes() == bytes_before
    if x.dtype.isnative and x.size:
        assert np.shares_memory(x, y)


@pytest.mark.parametrize("wrap", [lambda a: a, OnlyDLPack, OnlyArray, np.asfortranarray], ids=lambda f: f.__name__)
def test_memory_is_shared_and_cannot_be_written_through(wrap: Any) -> None:
    source = np.arange(6.0).reshape(2, 3)
    held = wrap(source)
    y = to_numpy(held)
    np.testing.assert_array_equal(y, source)
    assert type(y) is np.ndarray and (wrap is np.asfortranarray or np.shares_memory(y, source))
    with pytest.raises(ValueError, match="read-only"):
        y[0, 0] = 7
    with pytest.raises(ValueError, match="WRITEABLE"):
        y.flags.writeable = True
    source[1, 2] = -1.0
    assert wrap is np.asfortranarray or y[1, 2] == -1.0


def test_a_mapped_file_is_not_read_into_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(1000.0))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.shares_memory(to_numpy(mapped), mapped)


@pytest.mark.parametrize("x", [3, 2.5, True, [[1, 2], [3, 4]], (1.0, np.float32(2)), np.float16(0.5), []])
def test_numbers_and_lists(x: Any) -> None:
    np.testing.assert_array_equal(to_numpy(x), np.array(x))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        ("text", "str is no numeric array: <U4 is neither"),
        (b"bytes", "bytes is no numeric array"),
        (None, "NoneType is no numeric array: object is neither"),
        (object(), "object is no numeric array"),
        ({"a": 1}, "dict is no numeric array"),
        ([[1], [1, 2]], "list is no numeric array: .*inhomogeneous"),
        ([1, "2"], "list is no numeric array: <U"),
        (1j, "complex128 is neither boolean nor a real number"),
        (np.ones(2, complex), "ndarray of complex128 is no numeric array"),
        (np.array([None]), "ndarray of object is no numeric array"),
        (np.zeros(2, "M8[s]"), r"datetime64\[s\] is neither"),
        (np.zeros(2, [("a", float)]), "no numeric array"),
        (SimpleNamespace(dtype="float32"), "SimpleNamespace of float32 is no numeric array"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_anything_else_is_a_type_error_of_one_line(x: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words) as error:
        to_numpy(x)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", NAMES)
def test_small_floats_are_decoded_as_ml_dtypes_does_it(name: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    dtype = np.dtype(getattr(ml_dtypes, name))
    codes = np.arange(2 ** (8 * dtype.itemsize)).astype(f"u{dtype.itemsize}")
    expected, y = codes.view(dtype).astype(np.float32), to_numpy(codes.view(dtype))
    assert y.dtype == np.float32 and not y.flags.writeable
    np.testing.assert_array_equal(y, expected)
    finite = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(y[finite]), np.signbit(expected[finite]))
