"""The smallest part of a failing case that still fails."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Case = tuple[Any, ...]


def elements(case: Case) -> int:
    """How many elements the arrays of a case hold."""
    return sum(a.size for a in case if isinstance(a, np.ndarray))


def shrink(case: Case, fails: Callable[[Case], bool]) -> Case:
    """`case` less the rows, then the columns, that it fails without: first half of them at once, last one at a time.

    What is left out of one array is left out of every array as long in that axis: students' rows with their teachers',
    rows with their scales. No row or column of the outcome can be spared. Arguments that are no arrays stay.

    >>> shrink((np.array([[1, 2, 3], [4, 5, 6]]), 7), lambda case: 5 in case[0])
    (array([[5]]), 7)
    """
    while (smaller := next(filter(fails, _parts(case)), None)) is not None:
        case = smaller
    return case


def _parts(case: Case) -> Iterator[Case]:
    shapes = [a.shape for a in case if isinstance(a, np.ndarray)]
    for axis, length in sorted({(axis, n) for shape in shapes for axis, n in enumerate(shape) if n > 1}):
        cut = length // 2
        while cut:
            for start in range(0, length, cut):
                yield tuple(_without(a, axis, length, slice(start, start + cut)) for a in case)
            cut //= 2


def _without(a: Any, axis: int, length: int, lines: slice) -> Any:
    shared = isinstance(a, np.ndarray) and a.ndim > axis and a.shape[axis] == length
    return np.delete(a, lines, axis) if shared else a
