"""How the frozen values of a recipe print: as the expression that makes them again."""

from dataclasses import fields
from functools import partial
from typing import Any

import numpy as np


def shown(value: Any) -> str:
    """`Class(field=value, ...)` of a dataclass, fields at their defaults left out, functions by name.

    Assigned as `__repr__`, so that the `repr` of a recipe reproduces the run.
    """
    told = ((f.name, getattr(value, f.name), f.default) for f in fields(value) if f.repr)
    words = (f"{name}={word(now)}" for name, now, default in told if now is not default and np.any(now != default))
    return f"{type(value).__name__}({', '.join(words)})"


def word(value: Any) -> str:
    """A value as in source code: a function by its name.

    >>> word(len), word(partial(round, ndigits=2)), word(0.5)
    ('len', 'partial(round, ndigits=2)', '0.5')
    """
    if isinstance(value, partial):
        told = (f"{name}={word(argument)}" for name, argument in value.keywords.items())
        return f"partial({', '.join([word(value.func), *map(word, value.args), *told])})"
    return value.__qualname__ if callable(value) and hasattr(value, "__qualname__") else repr(value)


def aligned(lines: list[list[str]]) -> str:
    """Columns of equal width, the first to the left, numbers to the right, a rule below the head.

    >>> print(aligned([["name", "bytes"], ["a", "12"]]))
    name  bytes
    -----------
    a        12
    """
    widths = [max(len(cell) for cell in column) for column in zip(*lines)]
    rows = [
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths)))
        for line in lines
    ]
    return "\n".join([rows[0], "-" * len(rows[0]), *rows[1:]])
