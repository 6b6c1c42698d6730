"""Steps written as the TOML of a recipe: what reading a recipe does, the other way round."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np

from nncomp.files import kinds
from nncomp.shown import word
from nncomp.steps.choices import CHOICES, STEPS
from nncomp.steps.step import CompressionStep


def written(steps: Sequence[CompressionStep]) -> str:
    """The TOML that `Recipe.read` reads as these steps; a ValueError for one that holds what has no word there.

    >>> from nncomp.steps import Prune, Recipe
    >>> print(written([Prune(0.5)]))
    steps = [
        { step = "Prune", sparsity = 0.5 },
    ]
    >>> Recipe.read(written([Prune(0.5)])).steps
    (Prune(sparsity=0.5),)
    """
    lines = [f"    {_step(step)},\n" for step in steps]
    return f"steps = [\n{''.join(lines)}]"


def _step(step: CompressionStep) -> str:
    name = type(step).__name__
    if STEPS.get(name) is not type(step):
        raise ValueError(f"{word(step)} is no step that recipes know")
    return _table({"step": json.dumps(name)} | _told(step))


def _told(value: Any) -> dict[str, str]:
    """The fields of a dataclass that are not at their defaults."""
    kind = type(value).__name__
    changed = ((f.name, getattr(value, f.name), f.default) for f in fields(value))
    return {name: _value(now, f"{kind}.{name}") for name, now, default in changed if _differ(now, default)}


def _differ(now: Any, default: Any) -> bool:
    return now is not default and (type(now) is not type(default) or bool(np.any(now != default)))


def _value(value: Any, place: str) -> str:
    """A value as it is written at a place, `Class.field` or `function.argument`."""
    choices = CHOICES.get(place, ())
    match value:
        case None:
            return '"none"'
        case bool() | int() | float() | str() if not isinstance(value, np.generic):
            return json.dumps(value, allow_nan=False)
        case tuple() | list():
            return f"[{', '.join(_value(item, place) for item in value)}]"
        case partial(func=function, args=(), keywords=told) if function in choices:
            name = function.__name__
            return _table({"is": json.dumps(name)} | {key: _value(v, f"{name}.{key}") for key, v in told.items()})
    for choice in choices:
        if value is choice:
            return json.dumps(kinds.word(choice))
    if is_dataclass(value) and type(value) in choices:
        told = _told(value)
        name = json.dumps(type(value).__name__)
        return _table({"is": name} | told) if told else name
    raise ValueError(f"{place}: {word(value)} has no word in a recipe")


def _table(told: Mapping[str, str]) -> str:
    return f"{{ {', '.join(f'{key} = {value}' for key, value in told.items())} }}"
