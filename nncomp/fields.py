"""What a field of a frozen value may hold, read from its annotation: files and recipes are checked by it, whole."""

import json
import math
from collections.abc import Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np


class NotFinite(ValueError):
    """NaN or infinity where there should be a number: a training diverged, or the data were broken."""


@cache
def annotations(kind: Any) -> dict[str, Any]:
    """The annotation of each field of a dataclass, or of each argument of a function."""
    return {name: hint for name, hint in get_type_hints(kind).items() if name != "return"}


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The members of a union; of anything else, itself.

    >>> alternatives(int | None)
    (<class 'int'>, <class 'NoneType'>)
    """
    return get_args(hint) if isinstance(hint, UnionType) else (hint,)


def items(hint: Any) -> Any:
    """What the items of a list are where `hint` allows one, else None."""
    for one in alternatives(hint):
        if get_origin(one) in (tuple, list) or getattr(get_origin(one), "__name__", "") == "Sequence":
            return get_args(one)[0]
    return None


def length(hint: Any) -> int | None:
    """How many items a list has that is of a fixed number of them.

    >>> length(tuple[int, int]), length(tuple[int, ...])
    (2, None)
    """
    for one in alternatives(hint):
        if get_origin(one) is tuple and Ellipsis not in get_args(one):
            return len(get_args(one))
    return None


def plain(value: Any, hint: Any) -> bool:
    """Whether a number, truth value, string or None is what `hint` allows; True is no number, and no number NaN.

    >>> plain(3, float), plain(True, float), plain(2.5, int), plain(None, int | None)
    (True, False, False, True)
    """
    allowed = alternatives(hint)
    if isinstance(value, int) and not isinstance(value, bool):
        return int in allowed or (float in allowed and abs(value) < 2**63)
    return type(value) in allowed and not (isinstance(value, float) and not math.isfinite(value))


def check_whole(settings: Any, **least: int) -> None:
    """A ValueError unless each of these fields is a whole number of at least that.

    >>> from types import SimpleNamespace
    >>> check_whole(SimpleNamespace(samples=0), samples=1)
    Traceback (most recent call last):
    ValueError: samples is a whole number of at least 1, not 0
    """
    for name, bound in least.items():
        value = getattr(settings, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < bound:
            raise ValueError(f"{name} is a whole number of at least {bound}, not {value}")


WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a string", np.ndarray: "an array"}


def expected(hint: Any, names: Sequence[str] = (), none: str = "nothing") -> str:
    """In words, what a field with this annotation may hold; `names` are the classes and functions that may stand there.

    >>> expected(tuple[float, ...]), expected(str | tuple[int, int] | None)
    ('a list, each item a number', 'a string or a list of 2, each item a whole number or nothing')
    """
    item = items(hint)
    words = [WORDS[one] for one in alternatives(hint) if one in WORDS]
    if names and (item is None or len(alternatives(hint)) > 1 + (NoneType in alternatives(hint))):
        words.append(names[0] if len(names) == 1 else f"one of {', '.join(names)}")
    if item is not None:
        n = length(hint)
        words.append(f"a list{'' if n is None else f' of {n}'}, each item {expected(item, names, none)}")
    if NoneType in alternatives(hint):
        words.append(none)
    return " or ".join(words)


def brief(value: Any) -> str:
    """A value as an error message shows it: on one line, and cut where it is long.

    >>> brief({"a": [1, 2]}), brief("x" * 100)[-5:]
    ('{"a": [1, 2]}', 'xx...')
    """
    told = json.dumps(value, default=str) if isinstance(value, dict | list) else repr(value)
    return told if len(told) <= 60 else f"{told[:57]}..."
