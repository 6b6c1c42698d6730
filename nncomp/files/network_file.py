"""One safetensors file per network: the arrays by name, and a versioned JSON header that says what they are."""

import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from nncomp.coding import Decoder, Encoder
from nncomp.fields import brief
from nncomp.files.atomic import write_atomically
from nncomp.files.condensed import condense, expand
from nncomp.files.container import LARGEST_HEADER, pack, parse_json, unpack, unpack_file
from nncomp.files.lineage import Lineage
from nncomp.files.tree import from_tree, to_tree
from nncomp.network import MLP

VERSION = 1
Found = TypeVar("Found")
CODED, DESCRIPTION = "coded", "nncomp"
"""The arrays of a coded file that hold its coded values and its JSON header, deflated; in others that is metadata."""


class FileError(ValueError):
    """A file that is not what it should be, or not one this version can read."""


def to_bytes(network: MLP, lineage: Lineage | None = None, coded: bool = False) -> bytes:
    """The content of the file that holds `network`, and where it comes from if that is known.

    `coded`: integers entropy-coded, if that makes it smaller.

    >>> to_bytes(MLP.init([2, 1])) == to_bytes(MLP.init([2, 1]))
    True
    """
    arrays: dict[str, np.ndarray] = {}
    header = {"version": VERSION, "network": to_tree(network, arrays)}
    if lineage is not None:
        header["lineage"] = lineage.told()
    plain = pack(arrays, {DESCRIPTION: _text(header)})
    if not coded:
        return plain
    encoder = Encoder()
    text = _text(header | {"network": condense(header["network"], arrays, encoder.offer)})
    arrays |= {DESCRIPTION: np.frombuffer(zlib.compress(text.encode(), 9), np.uint8), CODED: encoder.content()}
    return min(plain, pack(arrays, {}), key=len)


def _text(header: dict[str, Any]) -> str:
    return json.dumps(header, separators=(",", ":"))


def save(path: str | Path, network: MLP, lineage: Lineage | None = None, coded: bool = False) -> int:
    """Write `network` and return the bytes on disk: at most 4 KiB and 256 bytes an array more than what it stores.

    The file appears whole or not at all: whatever was at `path` stays until then. A `lineage` takes its bytes besides,
    and `read_lineage` gives it back. `coded`: integers (codes, indices, masks, the gaps between kept weights) are
    entropy-coded wherever that makes them smaller, which takes the extra `coding`; `load` reads either, and
    `entropy_bytes` says how small that can get.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "network.safetensors"
    >>> save(file, MLP.init([2, 1], seed=3)) < 4096, load(file).sizes
    (True, [2, 1])
    """
    return write_atomically(path, to_bytes(network, lineage, coded))


def load(path: str | Path) -> MLP:
    """The network in a file, bit for bit as it was saved; a FileError for anything that is not one.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "network.safetensors"
    >>> _ = save(file, MLP.init([2, 1], seed=3))
    >>> load(file).fingerprint() == MLP.init([2, 1], seed=3).fingerprint()
    True
    """
    return _of_file(path, lambda metadata, arrays: _network(*_header(metadata, arrays)))


def read_lineage(path: str | Path) -> Lineage | None:
    """Where the network in a file comes from, None if the file does not say; a FileError if it is no network file.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "network.safetensors"
    >>> _ = save(file, MLP.init([2, 1]), Lineage("steps = []", 0, 0, "digits", "ab12"))
    >>> read_lineage(file).recipe
    'steps = []'
    """

    def lineage(metadata: dict[str, str], arrays: dict[str, np.ndarray]) -> Lineage | None:
        header, _ = _header(metadata, arrays)
        return Lineage.read(header["lineage"]) if "lineage" in header else None

    return _of_file(path, lineage)


def is_coded(path: str | Path) -> bool:
    """Whether the integers in a network's file are entropy-coded.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "network.safetensors"
    >>> _ = save(file, MLP.init([2, 1]))
    >>> is_coded(file)
    False
    """
    return _of_file(path, lambda _, arrays: CODED in arrays)


def _of_file(path: str | Path, found: Callable[[dict[str, str], dict[str, np.ndarray]], Found]) -> Found:
    """What is found in a file's metadata and arrays; a FileError with its path for what is no network file."""
    try:
        return found(*unpack_file(path))
    except ValueError as error:
        raise FileError(f"{path} is not a network file: {error}") from error


def from_bytes(content: bytes) -> MLP:
    """The network that `to_bytes` gave `content` for; a FileError for anything else.

    >>> from_bytes(to_bytes(MLP.init([2, 1]))).sizes
    [2, 1]
    """
    try:
        return _network(*_header(*unpack(io.BytesIO(content), len(content))))
    except ValueError as error:
        raise FileError(f"not a network: {error}") from error


def _header(metadata: dict[str, str], arrays: dict[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What the file says of its arrays, and the arrays."""
    if DESCRIPTION in metadata:
        text = metadata[DESCRIPTION]
    elif DESCRIPTION in arrays:
        text = _inflated(arrays.pop(DESCRIPTION))
    else:
        raise ValueError(f"its metadata has no entry {DESCRIPTION!r}")
    header = parse_json(text)
    if not isinstance(header, dict) or set(header) - {"lineage"} != {"version", "network"}:
        raise ValueError(f"its header has a version and a network, not {brief(header)}")
    if header["version"] != VERSION:
        raise ValueError(f"it has version {brief(header['version'])}, and this nncomp reads version {VERSION}")
    return header, arrays


def _network(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> MLP:
    if CODED in arrays:
        return from_tree(expand(header["network"], arrays, Decoder(arrays.pop(CODED))), arrays)
    return from_tree(header["network"], arrays)


def _inflated(content: np.ndarray) -> str:
    """The text that was deflated; a ValueError for what is none, or too long."""
    inflator = zlib.decompressobj()
    try:
        text = inflator.decompress(content.tobytes(), LARGEST_HEADER)
    except zlib.error as error:
        raise ValueError(f"its description is damaged: {error}") from error
    if not inflator.eof or inflator.unused_data:
        raise ValueError(f"its description does not end where it should, within {LARGEST_HEADER:,} bytes")
    return text.decode()
