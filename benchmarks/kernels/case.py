"""One task that several do: verified, then timed in turns, and compared with the best rival and with the machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks.timing import interleaved

Task = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """What `ours` does in one call, the `rivals` too, in their fastest spelling.

    `check(result)` raises unless the result of ours is right. `work`: of the unit `peak` (operations, or bytes) in one
    call. Packing that can be done once for a weight is done before; whatever depends on the input is inside.
    """

    kernel: str
    case: str
    ours: Task
    rivals: Mapping[str, Task]
    check: Callable[[Any], None]
    work: float
    peak: str
    exact: bool = True

    def measure(self, peaks: Mapping[str, float], rounds: int, least: float) -> dict[str, Any]:
        """The record of the case: medians over the rounds."""
        self.check(self.ours())
        seconds = interleaved({"ours": self.ours, **self.rivals}, rounds, least)
        ours = median(seconds.pop("ours"))
        rivals = {name: median(times) for name, times in seconds.items()}
        return {
            "kernel": self.kernel,
            "case": self.case,
            "ours_s": ours,
            "rivals": rivals,
            "ratio": min(rivals.values()) / ours,
            "peak_fraction": self.work / ours / peaks[self.peak],
            "exact": self.exact,
        }


def equals(expected: np.ndarray) -> Callable[[np.ndarray], None]:
    """A check of integers, or of floats that are defined to the bit."""

    def check(result: np.ndarray) -> None:
        if not np.array_equal(result, expected):
            raise AssertionError(f"{np.sum(result != expected)} of {expected.size} values are wrong")

    return check


def sums(x: np.ndarray, w: np.ndarray) -> Callable[[np.ndarray], None]:
    """A check of float32 `x @ w.T`: within `(n + 2) eps sum |products|` of it in float64 (Higham 2002, section 3.1)."""
    wide = x.astype(np.float64), w.astype(np.float64)
    terms = np.maximum((x != 0).astype(np.float32) @ (w != 0).T.astype(np.float32), 1)

    def check(result: np.ndarray) -> None:
        bound = (terms + 2) * np.finfo(np.float32).eps * (abs(wide[0]) @ abs(wide[1]).T)
        if result.dtype != np.float32 or not (abs(result - wide[0] @ wide[1].T) <= bound).all():
            raise AssertionError("sums leave the bound of their rounding")

    return check
