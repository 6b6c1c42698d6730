"""A hash of values that says whether two runs, or two networks, are the same."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np


def fingerprint(*parts: Any) -> str:
    """SHA-256 over every array, number, function and dataclass field in `parts`, in hexadecimal.

    Functions count by their qualified name, dataclasses by class and fields, arrays by dtype, shape and bytes. What has
    no content of its own to hash raises a TypeError: an address in memory would differ from run to run.

    >>> fingerprint(np.arange(3), 0.5)[:8], fingerprint(np.arange(3.0), 0.5)[:8]
    ('387144a0', '7d0c019e')
    """
    digest = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype} {part.shape} ".encode())
            digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        elif isinstance(part, tuple | list):
            digest.update(f"items {len(part)} ".encode())
            for item in part:
                add(item)
        elif isinstance(part, Mapping):
            add(list(part.items()))
        elif is_dataclass(part) and not isinstance(part, type):
            digest.update(f"{type(part).__qualname__} ".encode())
            add([(f.name, getattr(part, f.name)) for f in fields(part)])
        elif isinstance(part, partial):
            add((part.func, part.args, part.keywords))
        elif isinstance(part, np.generic):
            add(part.item())
        elif part is None or isinstance(part, bool | int | float | str):
            digest.update(f"{part!r} ".encode())
        elif hasattr(part, "__qualname__"):
            digest.update(f"{part.__module__}.{part.__qualname__} ".encode())
        else:
            raise TypeError(f"{type(part).__name__} has no content to tell it from another")

    for part in parts:
        add(part)
    return digest.hexdigest()
