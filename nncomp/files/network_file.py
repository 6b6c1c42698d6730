"""One safetensors file per network: the arrays by name, and a versioned JSON header that says what they are."""

import json
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from nncomp.files.tree import from_tree, to_tree
from nncomp.network import MLP

VERSION = 1


class FileError(ValueError):
    """A file that is not a network, or not one this version can read."""


def to_bytes(network: MLP) -> bytes:
    """The content of the file that holds `network`."""
    arrays: dict[str, np.ndarray] = {}
    header = {"version": VERSION, "network": to_tree(network, arrays)}
    # safetensors writes the memory of an array in whatever order it lies: make that order the rows'.
    contiguous = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    return safetensors.numpy.save(contiguous, {"nncomp": json.dumps(header, separators=(",", ":"))})


def save(path: str | Path, network: MLP) -> int:
    """Write `network` and return the bytes on disk: at most 4 KiB and 256 bytes an array more than what it stores.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "network.safetensors"
    >>> save(file, MLP.init([2, 1], seed=3)) < 4096, load(file).sizes
    (True, [2, 1])
    """
    return Path(path).write_bytes(to_bytes(network))


def load(path: str | Path) -> MLP:
    """The network in a file, bit for bit as it was saved; a FileError for anything that is not one."""
    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.offset_keys()}
        return _network(metadata, arrays)
    except (
        safetensors.SafetensorError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
        ArithmeticError,
    ) as error:
        told = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise FileError(f"{path} is not a network file: {told}") from error


def _network(metadata: dict[str, str], arrays: dict[str, np.ndarray]) -> MLP:
    if "nncomp" not in metadata:
        raise ValueError("its metadata has no entry 'nncomp'")
    header = json.loads(metadata["nncomp"])
    if header["version"] != VERSION:
        raise ValueError(f"it has version {header['version']}, and this nncomp reads version {VERSION}")
    network = from_tree(header["network"], arrays)
    if not isinstance(network, MLP):
        raise ValueError(f"it holds a {type(network).__name__}")
    return network
