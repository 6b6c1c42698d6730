"""The safetensors format: named arrays and metadata in one file, read strictly and without trust.

The layout is eight bytes of header length, a JSON header, the arrays' bytes. The writer is the format's own library.
The reader is ours: it knows the whole layout before it allocates anything, refuses what the library lets pass (a name
twice, bytes that are no booleans), and gives arrays that are aligned, native and read-only.
"""

import json
import math
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import safetensors.numpy

from nncomp.fields import brief

LARGEST_HEADER = 2**20
"""Bytes; the objects that a hostile header can make are thereby some tens of MB at most, however large the file."""

MOST_DIMENSIONS = 8

DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
    "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


class Entry(NamedTuple):
    """Where an array lies in the part of the file after the header."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    start: int
    stop: int


def pack(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """The content of a file; a ValueError where its header would be too large to read again."""
    # safetensors writes the memory of an array in whatever order it lies: make that order the rows'.
    contiguous = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    content = safetensors.numpy.save(contiguous, metadata)
    length = int.from_bytes(content[:8], "little")
    if length > LARGEST_HEADER:
        raise ValueError(f"a header of {length:,} bytes is more than the {LARGEST_HEADER:,} a file may have")
    return content


def unpack_file(path: str | Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Metadata and arrays of the file at `path`; a ValueError for what is no such file."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("it is not a regular file")
    with open(path, "rb") as file:
        return unpack(file, os.fstat(file.fileno()).st_size)


def unpack(file: BinaryIO, size: int) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Metadata and arrays of an open file of `size` bytes."""
    if size < 8:
        raise ValueError(f"it has {size} bytes, and the length of a header alone has 8")
    length = int.from_bytes(file.read(8), "little")
    if length > min(size - 8, LARGEST_HEADER):
        raise ValueError(f"it announces a header of {length:,} bytes in a file of {size:,}; at most {LARGEST_HEADER:,}")
    header = parse_json(file.read(length).decode())
    if not isinstance(header, dict):
        raise ValueError(f"its header is no table of arrays but {brief(header)}")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError(f"its metadata is no table of strings but {brief(metadata)}")
    entries = sorted((_entry(name, told) for name, told in header.items()), key=lambda e: (e.start, e.stop))
    end = 0
    for entry in entries:
        if entry.start != end:
            gap = "overlaps the array before it" if entry.start < end else "leaves a gap before it"
            raise ValueError(f"{brief(entry.name)} starts at byte {entry.start:,} and not {end:,}: it {gap}")
        end = entry.stop
    if end != size - 8 - length:
        raise ValueError(f"its arrays end at byte {end:,}, and {size - 8 - length:,} bytes follow the header")
    return metadata, {entry.name: _array(entry, file) for entry in entries}


def _entry(name: str, told: Any) -> Entry:
    if not isinstance(told, dict) or set(told) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{brief(name)} needs dtype, shape and data_offsets, not {brief(told)}")
    if told["dtype"] not in list(DTYPES):
        raise ValueError(f"{brief(name)} has the unknown dtype {brief(told['dtype'])}")
    shape, offsets = told["shape"], told["data_offsets"]
    if not counts(shape) or len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"{brief(name)} has the impossible shape {brief(shape)}")
    if not counts(offsets) or len(offsets) != 2:
        raise ValueError(f"{brief(name)} has the impossible data_offsets {brief(offsets)}")
    dtype = np.dtype(DTYPES[told["dtype"]])
    needed = math.prod(shape) * dtype.itemsize  # Python's integers: no product wraps
    if offsets[1] - offsets[0] != needed:
        raise ValueError(f"{brief(name)} needs {brief(needed)} bytes for its shape and has {brief(offsets)}")
    return Entry(name, dtype, tuple(shape), *offsets)


def counts(values: Any) -> bool:
    """Whether a JSON value is a list of sizes."""
    return isinstance(values, list) and all(type(n) is int and 0 <= n < 2**63 for n in values)


def _array(entry: Entry, file: BinaryIO) -> np.ndarray:
    array = np.empty(entry.shape, entry.dtype)
    if file.readinto(array.reshape(-1).view(np.uint8).data) != array.nbytes:  # type: ignore[attr-defined]
        raise ValueError(f"it ends inside {brief(entry.name)}")
    if entry.dtype == bool and array.size and array.view(np.uint8).max() > 1:
        raise ValueError(f"{brief(entry.name)} holds bytes that are neither true nor false")
    array = array.astype(entry.dtype.newbyteorder("="), copy=False)
    array.flags.writeable = False
    return array


def parse_json(text: str) -> Any:
    """JSON without what JSON leaves open: a key twice, NaN and infinity, nesting without end."""
    try:
        return json.loads(text, object_pairs_hook=_table, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("its header is nested too deeply") from error


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, value in pairs:
        if name in table:
            raise ValueError(f"{brief(name)} is there twice")
        table[name] = value
    return table


def _no_constant(name: str) -> None:
    raise ValueError(f"its header holds {name}")
