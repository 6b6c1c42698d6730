"""Two functions on the same cases: where they agree to the bit, how far apart they are, the smallest input to show it.

`theirs` is another framework's function made one of plain arrays; `ours` says what it should be.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from nncomp.crosscheck.comparison import Comparison, Failure, Outcome
from nncomp.crosscheck.difference import difference, same_bits
from nncomp.crosscheck.shrink import Case, shrink

Function = Callable[..., Any]
LAYOUT: dict[str, Callable[[tuple[np.ndarray, ...]], Any]] = {
    "numbers of outputs": len,
    "shapes": lambda outputs: [a.shape for a in outputs],
    "dtypes": lambda outputs: [a.dtype for a in outputs],
}


def compare(
    theirs: Function, ours: Function, cases: Iterable[Case], *, tolerance: float = 0, unit: Function | None = None
) -> Comparison:
    """Call both with the arguments of each case, in copies of their own, and compare what they return.

    Both return an array, a number, or a tuple of them; the dtypes are booleans, integers or floats of at most 64 bits.
    A case fails where one raises and the other does not (both raising is agreement), where the outputs differ in
    number, shape or dtype, or where an element's `difference` exceeds `tolerance` units: units in the last place, or
    what `unit` makes of the case's arguments, such as the step of a grid or a bound derived for the error, broadcasting
    with the outputs, or a tuple of one for each. The smallest failing case is shrunk as long as it fails for the same
    reason. A ValueError if there are no cases.

    >>> def half_up(x):
    ...     return np.floor(x + 0.5)
    >>> compare(half_up, np.rint, [(np.array([[0.4, 0.5], [1.5, -0.3]]),)])
    disagree on 1 of 1 cases, both refuse 0
    4 elements: 2 equal bit for bit, 1 but for the sign of zero
    largest difference: 4.5036e+15 ulp, 0 allowed
    smallest failing input: values differ
    argument    array([[0.5]])
    theirs      array([[1.]])
    ours        array([[0.]])
    """
    none = Comparison(tolerance, "ulp" if unit is None else getattr(unit, "__name__", "units"))

    def judge(case: Case) -> Comparison:
        return _judge(none, case, _outcome(theirs, case), _outcome(ours, case), unit)

    total = reduce(Comparison.__add__, map(judge, cases), none)
    if total.cases == 0:
        raise ValueError("no cases: nothing was compared")
    if total.failure is None:
        return total
    reason = total.failure.reason
    smallest = shrink(total.failure.case, lambda case: (f := judge(case).failure) is not None and f.reason == reason)
    return replace(total, failure=judge(smallest).failure or total.failure)  # a function may fail only now and then


def _outcome(function: Function, case: Case) -> Outcome:
    try:
        returned = function(*(a.copy() if isinstance(a, np.ndarray) else a for a in case))
    except Exception as refusal:
        return refusal
    arrays = tuple(np.asarray(v) for v in (returned if isinstance(returned, tuple) else (returned,)))
    for a in arrays:
        if a.dtype.kind not in "biuf" or a.dtype.itemsize > 8:
            raise TypeError(f"outputs are booleans, integers or floats of at most 64 bits, not {a.dtype}: {returned!r}")
    return arrays


def _judge(none: Comparison, case: Case, theirs: Outcome, ours: Outcome, unit: Function | None) -> Comparison:
    """The comparison of one case, with the tolerance and unit of that of `none`."""

    def failed(counted: Comparison, reason: str) -> Comparison:
        return replace(counted, failing=1, failure=Failure(reason, case, theirs, ours))

    one = replace(none, cases=1)
    if isinstance(theirs, Exception):
        both = isinstance(ours, Exception)
        return replace(one, refused=1) if both else failed(one, f"theirs raises {type(theirs).__name__}")
    if isinstance(ours, Exception):
        return failed(one, f"ours raises {type(ours).__name__}")
    for what, of in LAYOUT.items():
        if of(theirs) != of(ours):
            return failed(one, f"{what} differ")
    units = unit(*case) if unit else None
    units = units if isinstance(units, tuple) else (units,) * len(ours)
    counted = reduce(Comparison.__add__, (_count(none, *each) for each in zip(theirs, ours, units, strict=True)), one)
    return failed(counted, "values differ") if counted.largest > none.tolerance else counted


def _count(none: Comparison, a: np.ndarray, b: np.ndarray, unit: Any) -> Comparison:
    """The comparison of one output."""
    same, apart = same_bits(a, b), difference(a, b, unit)
    exact, zeros = int(same.sum()), int(((a == b) & ~same).sum())
    return replace(none, elements=a.size, exact=exact, zeros=zeros, largest=float(apart.max(initial=0)))
