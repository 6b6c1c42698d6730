"""One array out of whatever holds numbers: NumPy's, PyTorch's and JAX's arrays, anything that speaks DLPack."""

import sys
from typing import Any

import numpy as np

from nncomp.interchange import small_floats


def to_numpy(x: Any) -> np.ndarray:
    """The numbers in `x` as a read-only NumPy array: a view of the memory of `x` where there is one, else a copy.

    `x` is a NumPy array, a number or nested lists of them, or has `__array__` or `__dlpack__`; PyTorch tensors are
    detached and fetched from their device. Booleans, integers and floats keep their dtype and shape, in the machine's
    byte order; bfloat16 and the 8-bit floats become float32, exactly. `x` cannot be changed through the result, but a
    later change of `x` may show in it: copy what has to last. A TypeError for anything else: strings, objects, ragged
    lists, complex numbers, sparse tensors.

    >>> to_numpy([[1, 2], [3, 4]]).shape, to_numpy(np.array([1.5], ">f4")).dtype
    ((2, 2), dtype('float32'))
    """
    try:
        bits, name = _bits(x)
        array = small_floats.decode(bits, name) if name in small_floats.NAMES else bits
    except (TypeError, ValueError, RuntimeError, BufferError, AttributeError) as error:
        raise TypeError(f"{_described(x)} is no numeric array: {error}") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{_described(x)} is no numeric array: {array.dtype} is neither boolean nor a real number")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    # A view of a read-only buffer, which its owner cannot be made to write through: the flag alone could be set again.
    return np.asarray(memoryview(array).toreadonly())  # type: ignore[arg-type]


def _bits(x: Any) -> tuple[np.ndarray, str]:
    """The memory of `x` as NumPy can hold it, and the name of the dtype that it has there."""
    torch = sys.modules.get("torch")  # loaded by whoever made a tensor, never by us
    if torch is not None and isinstance(x, torch.Tensor):
        x = x.detach().cpu()
        name = str(x.dtype).removeprefix("torch.")
        if name in small_floats.NAMES:
            x = x.view(torch.uint8 if name in small_floats.FLOAT8 else torch.int16)
        return x.numpy(), name
    array = np.asarray(x) if hasattr(x, "__array__") or not hasattr(x, "__dlpack__") else np.from_dlpack(x)
    return array, array.dtype.name


def _described(x: Any) -> str:
    dtype = getattr(x, "dtype", None)
    return type(x).__name__ if dtype is None else f"{type(x).__name__} of {dtype}"
