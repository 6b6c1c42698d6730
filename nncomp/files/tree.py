"""A network as a tree of names, numbers and arrays, and back.

Every part of a network is a frozen dataclass, so its fields are the tree: `{"is": class name, field: value, ...}`,
those at their defaults left out (to change a default is to change the version), an array as `{"array": its name in the
file}`, a function as `{"function": its name}`, a format that has a name as `{"format": it}`, a tuple as a list. What
may stand where is told by the fields' annotations and by `kinds`; whatever else a file says is refused, and every class
checks its own values.
"""

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

import numpy as np

from nncomp.fields import alternatives, annotations, brief, expected, items, plain
from nncomp.files.kinds import choices
from nncomp.formats import Format
from nncomp.network import MLP


def to_tree(part: Any, arrays: dict[str, np.ndarray], place: str = "network", path: str = "") -> Any:
    """The tree of `part`; its arrays are put into `arrays`, each under the path of fields that leads to it."""
    if part is None or isinstance(part, bool | int | float | str):
        return part
    if isinstance(part, np.generic):  # a NumPy scalar says no more than the Python number it holds
        return part.item()
    if isinstance(part, np.ndarray):
        arrays[path] = part
        return {"array": path}
    if isinstance(part, tuple):
        return [to_tree(item, arrays, place, f"{path}.{i}") for i, item in enumerate(part)]
    words, name = choices(place), type(part).__name__
    if isinstance(part, Format) and (named := next((n for n, f in words.items() if f == part), None)):
        return {"format": named}
    if is_dataclass(part) and words.get(name) is type(part):
        told = ((f.name, getattr(part, f.name)) for f in fields(part) if not _is_default(f, getattr(part, f.name)))
        tree = {f: to_tree(value, arrays, f"{name}.{f}", f"{path}.{f}".lstrip(".")) for f, value in told}
        return {"is": name, **tree}
    name = getattr(part, "__name__", name)
    if words.get(name) is part:
        return {"function": name}
    raise TypeError(f"a file has no word for {path} = {part!r}")


def _is_default(field: Field, value: Any) -> bool:
    value = value.item() if isinstance(value, np.generic) else value
    return type(value) is type(field.default) and value == field.default  # 1 is told where the default is 1.0


def from_tree(tree: Any, arrays: dict[str, np.ndarray]) -> MLP:
    """The network that `tree` describes, each of `arrays` used once; a ValueError that names the field otherwise."""
    unused = dict(arrays)
    network = _value(tree, MLP, unused, "network", "network")
    if unused:
        raise ValueError(f"nothing in it refers to the array {brief(next(iter(unused)))}")
    return network


def _value(tree: Any, hint: Any, arrays: dict[str, np.ndarray], place: str, path: str) -> Any:
    words = choices(place)
    match tree:
        case list() if items(hint) is not None:
            return tuple(_value(item, items(hint), arrays, place, f"{path}.{i}") for i, item in enumerate(tree))
        case {"array": str(name), **others} if not others and np.ndarray in alternatives(hint):
            if name not in arrays:
                raise ValueError(f"{path}: the array {brief(name)} is not there, or is somebody else's")
            return arrays.pop(name)
        case {"function": str(name), **others} if not others and callable(word := words.get(name)):
            if not isinstance(word, type):
                return word
        case {"format": str(name), **others} if not others and isinstance(word := words.get(name), Format):
            return word
        case {"is": str(name), **told} if is_dataclass(words.get(name)):
            return _part(words[name], {str(field): value for field, value in told.items()}, arrays, path)
        case dict() | list():
            pass
        case _ if plain(tree, hint):
            return tree
    raise ValueError(f"{path} is {expected(hint, list(words))}, not {brief(tree)}")


def _part(kind: Any, told: dict[str, Any], arrays: dict[str, np.ndarray], path: str) -> Any:
    hints = annotations(kind)
    for name in told:
        if name not in hints:
            raise ValueError(f"{path}: a {kind.__name__} has no {brief(name)}; it has {', '.join(hints)}")
    for field in fields(kind):
        if field.default is MISSING and field.name not in told:
            raise ValueError(f"{path}: a {kind.__name__} needs {field.name}")
    values = {
        name: _value(value, hints[name], arrays, f"{kind.__name__}.{name}", f"{path}.{name}".removeprefix("network."))
        for name, value in told.items()
    }
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
