"""What a comparison of two functions found, and how it prints."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncomp.crosscheck.shrink import Case, elements

Outcome = tuple[np.ndarray, ...] | Exception


@dataclass(frozen=True, eq=False, repr=False)
class Failure:
    """A case that the two disagree on: why, its arguments, and what each made of them, arrays or an exception.

    >>> Failure("values differ", (np.array([0.5]),), (np.array([1.0]),), (np.array([0.0]),))
    values differ
    argument    array([0.5])
    theirs      array([1.])
    ours        array([0.])
    """

    reason: str
    case: Case
    theirs: Outcome
    ours: Outcome

    def __repr__(self) -> str:
        told = [*_named("argument", self.case), *_named("theirs", self.theirs), *_named("ours", self.ours)]
        with np.printoptions(floatmode="unique", threshold=100):  # all the digits that tell a float from its neighbours
            lines = [f"{name:<12}" + repr(value).replace("\n", "\n" + 12 * " ") for name, value in told]
        return "\n".join([self.reason, *lines])


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What `compare` found; the findings of several sets of cases add up.

    `tolerance`: the largest difference allowed, in `unit`s. `cases`: how many were run; `failing`: of them, those the
    two disagree on; `refused`: of them, those in which both raised, which is agreement. `elements`: outputs compared;
    `exact`: of them, those equal bit for bit, any NaN to any NaN; `zeros`: those that differ in the sign of zero alone,
    a difference of 0. `largest`: the largest difference. `failure`: the smallest failing input, if there is one.

    >>> Comparison(0, "ulp", cases=2, elements=8, exact=8) + Comparison(0, "ulp", cases=1, elements=2, exact=2)
    agree on 3 of 3 cases, both refuse 0
    10 elements: 10 equal bit for bit, 0 but for the sign of zero
    largest difference: 0 ulp, 0 allowed
    """

    tolerance: float
    unit: str
    cases: int = 0
    failing: int = 0
    refused: int = 0
    elements: int = 0
    exact: int = 0
    zeros: int = 0
    largest: float = 0.0
    failure: Failure | None = None

    @property
    def agree(self) -> bool:
        """No case fails."""
        return self.failing == 0

    def __add__(self, other: "Comparison") -> "Comparison":
        """Both as one; a ValueError unless they have one tolerance and unit."""
        if (self.tolerance, self.unit) != (other.tolerance, other.unit):
            raise ValueError(f"{self.tolerance} {self.unit} allowed here and {other.tolerance} {other.unit} there")
        failures = [f for f in (self.failure, other.failure) if f is not None]
        return Comparison(
            self.tolerance,
            self.unit,
            self.cases + other.cases,
            self.failing + other.failing,
            self.refused + other.refused,
            self.elements + other.elements,
            self.exact + other.exact,
            self.zeros + other.zeros,
            max(self.largest, other.largest),
            min(failures, key=lambda failure: elements(failure.case), default=None),
        )

    def __repr__(self) -> str:
        verdict = f"agree on {self.cases:,}" if self.agree else f"disagree on {self.failing:,}"
        lines = [
            f"{verdict} of {self.cases:,} cases, both refuse {self.refused:,}",
            f"{self.elements:,} elements: {self.exact:,} equal bit for bit, {self.zeros:,} but for the sign of zero",
            f"largest difference: {self.largest:.6g} {self.unit}, {self.tolerance:.6g} allowed",
        ]
        return "\n".join(lines if self.failure is None else [*lines, f"smallest failing input: {self.failure}"])


def _named(name: str, values: Case | Exception) -> list[tuple[str, Any]]:
    if isinstance(values, Exception):
        return [(name, values)]
    return [(name if len(values) == 1 else f"{name} {i}", value) for i, value in enumerate(values)]
