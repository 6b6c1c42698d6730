"""A network as a tree of names, numbers and arrays, and back.

Every part of a network is a frozen dataclass, so its fields are the tree: `{"is": class name, field: value, ...}`,
those at their defaults left out (to change a default is to change the version), an array as `{"array": its name in the
file}`, a function as `{"function": its name}`, a tuple as a list. Only the names in `kinds` exist; whatever else a
file says is refused, and every class checks its own fields.
"""

from dataclasses import Field, fields, is_dataclass
from typing import Any

import numpy as np

from nncomp.files.kinds import CLASSES, FUNCTIONS


def to_tree(part: Any, arrays: dict[str, np.ndarray], path: str = "") -> Any:
    """The tree of `part`; its arrays are put into `arrays`, each under the path of fields that leads to it."""
    if part is None or isinstance(part, bool | int | float | str):
        return part
    if isinstance(part, np.generic):  # a NumPy scalar says no more than the Python number it holds
        return part.item()
    if isinstance(part, np.ndarray):
        arrays[path] = part
        return {"array": path}
    if isinstance(part, tuple):
        return [to_tree(item, arrays, f"{path}.{i}") for i, item in enumerate(part)]
    name = type(part).__name__
    if is_dataclass(part) and CLASSES.get(name) is type(part):
        told = ((f.name, getattr(part, f.name)) for f in fields(part) if not _is_default(f, getattr(part, f.name)))
        return {"is": name, **{field: to_tree(value, arrays, f"{path}.{field}".lstrip(".")) for field, value in told}}
    name = getattr(part, "__name__", name)
    if FUNCTIONS.get(name) is part:
        return {"function": name}
    raise TypeError(f"a file has no word for {path} = {part!r}")


def _is_default(field: Field, value: Any) -> bool:
    return value is field.default or (not isinstance(value, np.ndarray) and value == field.default)


def from_tree(tree: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The part that `tree` describes; a KeyError, TypeError or ValueError where it describes none."""
    if isinstance(tree, list):
        return tuple(from_tree(item, arrays) for item in tree)
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return arrays[tree["array"]]
    if "function" in tree:
        return FUNCTIONS[tree["function"]]
    values = {name: from_tree(value, arrays) for name, value in tree.items() if name != "is"}
    return CLASSES[tree["is"]](**values)
