"""A tree whose integers are entropy-coded, and back: codes unpacked, places of sparse weights as the gaps between them.

Instead of `{"array": name}` stands `{"coded": dtype, "shape": sizes}`. In a `PackedCodes` the stream is `{"coded":
"codes"}`, in a `Sparse` the columns are `{"coded": "gaps", "rows": out, "kept": n}`, and row starts are left out. The
coded values stand in the order of the tree, those of a weight's places before those of its other fields.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.coding import Decoder, entropy_bits, from_gaps, gaps
from nncomp.fields import brief
from nncomp.files.container import DTYPES, MOST_DIMENSIONS, counts
from nncomp.files.tree import to_tree
from nncomp.formats.packing import stream
from nncomp.network import MLP
from nncomp.weights import PackedCodes

INTEGERS = {name: np.dtype(said).newbyteorder("=") for name, said in DTYPES.items() if np.dtype(said).kind in "biu"}
CHUNK = 2**16
NAMES = {dtype: name for name, dtype in INTEGERS.items()}
Offer = Callable[[np.ndarray, int, int], bool]
"""Values, the bytes they take now, how many numbers are made of them besides -> whether they are coded."""


def condense(tree: Any, arrays: dict[str, np.ndarray], offer: Offer) -> Any:
    """The tree without the arrays that `offer` takes; they are taken out of `arrays`."""
    match tree:
        case list():
            return [condense(item, arrays, offer) for item in tree]
        case {"array": name}:
            a = arrays[name]
            if a.dtype in NAMES and offer(a, a.nbytes, 0):
                del arrays[name]
                return {"coded": NAMES[a.dtype], "shape": list(a.shape)}
            return tree
        case {"is": "PackedCodes", "stream": {"array": name}, "shape": shape, "bits": bits}:
            codes = PackedCodes(arrays[name], tuple(shape), bits, tree.get("signed", True)).codes
            if offer(codes, arrays[name].nbytes, 0):
                del arrays[name]
                return tree | {"stream": {"coded": "codes"}}
            return tree
        case {"is": _, "columns": {"array": columns}, "row_start": {"array": starts}, "inputs": inputs}:
            return _without_places(tree, arrays, offer, columns, starts, inputs)
        case dict():
            return {field: condense(value, arrays, offer) for field, value in tree.items()}
    return tree


def _without_places(
    tree: dict[str, Any], arrays: dict[str, np.ndarray], offer: Offer, columns: str, starts: str, inputs: int
) -> dict[str, Any]:
    """A sparse weight's tree; its places are coded only if they come back in the dtypes that they have."""
    kept, start = arrays[columns], arrays[starts]
    rows = start.size - 1
    smallest = kept.dtype == np.min_scalar_type(inputs - 1) and start.dtype == np.min_scalar_type(kept.size)
    if smallest and rows * inputs <= 2**31 and offer(gaps(kept, start, inputs), kept.nbytes + start.nbytes, rows):
        del arrays[columns], arrays[starts]
        told = {"columns": {"coded": "gaps", "rows": rows, "kept": kept.size}}
    else:
        told = {"columns": tree["columns"], "row_start": tree["row_start"]}
    return {
        field: told[field] if field in told else condense(value, arrays, offer)
        for field, value in tree.items()
        if field != "row_start" or field in told
    }


def expand(tree: Any, arrays: dict[str, np.ndarray], decoder: Decoder) -> Any:
    """The tree that `condense` was given; what it took is put into `arrays`. A ValueError for any other tree."""
    try:
        expanded = _expanded(tree, arrays, decoder)
    except RecursionError as error:
        raise ValueError("its description is nested too deeply") from error
    decoder.close()
    return expanded


def _expanded(tree: Any, arrays: dict[str, np.ndarray], decoder: Decoder) -> Any:
    match tree:
        case list():
            return [_expanded(item, arrays, decoder) for item in tree]
        case {"coded": name, "shape": shape} if name in list(INTEGERS) and counts(shape):
            if len(shape) > MOST_DIMENSIONS:
                raise ValueError(f"coded values have the impossible shape {brief(shape)}")
            return _put(decoder.take(math.prod(shape), INTEGERS[name]).reshape(shape), arrays)
        case {"stream": {"coded": "codes"}, "shape": list(shape), "bits": bits} if counts([*shape, bits]):
            kind = "i" if tree.get("signed", True) is True else "u"
            codes = decoder.take(math.prod(shape), np.dtype(f"{kind}{1 if bits <= 8 else 2}"))
            return tree | {"stream": _put(_packed(codes, bits), arrays)}
        case {"columns": {"coded": "gaps", "rows": rows, "kept": kept}, "inputs": inputs, **others} if (
            counts([rows, kept, inputs]) and "row_start" not in others
        ):
            columns, starts = from_gaps(decoder.take(kept, np.int32, beside=rows), rows, inputs)
            places = {"columns": _put(columns, arrays), "row_start": _put(starts, arrays), "inputs": inputs}
            return places | {field: _expanded(value, arrays, decoder) for field, value in others.items()}
        case dict():
            return {field: _expanded(value, arrays, decoder) for field, value in tree.items()}
    return tree


def _put(array: np.ndarray, arrays: dict[str, np.ndarray]) -> dict[str, str]:
    """What stands in a tree for an array, which joins the others."""
    name = f"coded.{len(arrays)}"
    if name in arrays:
        raise ValueError(f"it holds an array {name!r} beside coded ones")
    array.flags.writeable = False
    arrays[name] = array
    return {"array": name}


def _packed(codes: np.ndarray, bits: int) -> np.ndarray:
    """The stream of many codes, without all their bits in memory at once."""
    if not 1 <= bits <= 16:
        raise ValueError(f"packed codes have 1 to 16 bits, not {bits}")
    parts = range(0, codes.size, CHUNK)  # each whole bytes, since CHUNK is a multiple of 8
    return np.concatenate([stream(codes[start : start + CHUNK], bits) for start in parts])


def entropy_bytes(network: MLP) -> float:
    """The bound of a coded file: `n H / 8` of codes, indices, masks and gaps, and all other arrays as they are.

    H is the entropy of an array's values in bits, n their number (`coding.entropy_bits`). Gaps are those between the
    places of kept weights, and tell columns and row starts. An array of more bytes than it takes as it is counts as
    that. Neither tables of frequencies nor the description of the network are in it.

    >>> network = MLP.init([3, 2])
    >>> entropy_bytes(network) == 4 * (6 + 2)
    True
    """
    arrays: dict[str, np.ndarray] = {}
    coded = 0.0

    def count(values: np.ndarray, instead: int, beside: int) -> bool:
        nonlocal coded
        coded += min(entropy_bits(values) / 8, instead)
        return True

    condense(to_tree(network, arrays), arrays, count)
    return coded + sum(a.nbytes for a in arrays.values())
