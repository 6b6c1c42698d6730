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


def save(path: str | Path, network: MLP) -> int:
    """Write `network` and return the bytes on disk: at most 4 KiB and 256 bytes an array more than what it stores.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "network.safetensors"
    >>> save(file, MLP.init([2, 1], seed=3)) < 4096, load(file).sizes
    (True, [2, 1])
    """
    arrays: dict[str, np.ndarray] = {}
    header = {"version": VERSION, "network": to_tree(network, arrays)}
    # safetensors writes the memory of an array in whatever order it lies: make that order the rows'.
    contiguous = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    content = safetensors.numpy.save(contiguous, {"nncomp": json.dumps(header, separators=(",", ":"))})
    Path(path).write_bytes(content)
    return len(content)


def load(path: str | Path) -> MLP:
    """The network in a file, bit for bit as it was saved; a FileError for anything that is not one."""
    try:
        with safetensors.safe_open(path, "numpy") as file:
            text = (file.metadata() or {}).get("nncomp")
            if text is None:
                raise FileError(f"{path} is a safetensors file, but holds no nncomp network")
            header = json.loads(text)
            if header["version"] != VERSION:
                raise FileError(f"{path} has version {header['version']}; this nncomp reads version {VERSION}")
            network = from_tree(header["network"], {name: file.get_tensor(name) for name in file.keys()})
    except FileNotFoundError:
        raise
    except FileError:
        raise
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise FileError(f"{path} is not a network: {type(error).__name__}: {error}") from error
    if not isinstance(network, MLP):
        raise FileError(f"{path} holds a {type(network).__name__}, not a network")
    return network
