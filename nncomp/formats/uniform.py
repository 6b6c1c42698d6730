"""The conventions of a uniform grid: which codes there are, and how a scale and a zero point are chosen for values."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nncomp.formats.arithmetic import Arithmetic, Rounding, divide_add_round, divide_round_add, multiply_add_round
from nncomp.formats.rounding import nearest_even
from nncomp.formats.scale_rules import largest_code
from nncomp.shown import shown


@dataclass(frozen=True, repr=False)
class Uniform:
    """The conventions of a uniform grid; the defaults are ONNX's arithmetic on symmetric int8.

    `bits`: 1 to 16. `signed`: codes start at -2^(bits-1), else at 0. `narrow`: leave the lowest code out. `symmetric`:
    the zero point is the middle code and the scale is `max |x| / scale_rule(codes)`; else the range of values, widened
    to hold 0, is spread over all codes and `zero_point = round(qmin - low / scale)`. `integer_zero`: a zero point is a
    code, so that 0 is exact; else the range is not widened and `zero_point = qmin - low / scale`. `rounding`: of values
    and zero points. `arithmetic`: how values are scaled, rounded and moved. A range of nothing but zeros gets scale 1.

    >>> format = Uniform(bits=4, signed=False, symmetric=False)
    >>> format.qmin, format.qmax, format.fit(np.array([[-1.0]]), np.array([[2.0]]))
    (0, 15, (array([[0.2]]), array([[5]], dtype=uint8)))
    """

    bits: int = 8
    signed: bool = True
    symmetric: bool = True
    narrow: bool = False
    rounding: Rounding = nearest_even
    scale_rule: Callable[[int, int], float] = largest_code
    arithmetic: Arithmetic = divide_round_add
    integer_zero: bool = True

    def __post_init__(self) -> None:
        if type(self.bits) is not int or not 1 <= self.bits <= 16:
            raise ValueError(f"a uniform grid has 1 to 16 bits, not {self.bits!r}")
        if self.bits == 1 and (self.symmetric or self.narrow):
            raise ValueError("a grid of 1 bit has two codes and no middle: symmetric=False, narrow=False")
        if not self.integer_zero and (self.symmetric or self.arithmetic not in (divide_add_round, multiply_add_round)):
            raise ValueError("a zero point that is no code is fitted (symmetric=False), and added before rounding")

    __repr__ = shown

    @property
    def qmin(self) -> int:
        """The lowest code."""
        return (-(2 ** (self.bits - 1)) if self.signed else 0) + self.narrow

    @property
    def qmax(self) -> int:
        """The highest code."""
        return 2 ** (self.bits - self.signed) - 1

    @property
    def middle(self) -> int:
        """The zero point of a symmetric grid: 0, or 2^(bits-1) where codes are unsigned."""
        return 0 if self.signed else 2 ** (self.bits - 1)

    @property
    def dtype(self) -> np.dtype:
        """The smallest NumPy integer that holds every code."""
        return np.dtype(f"{'int' if self.signed else 'uint'}{8 if self.bits <= 8 else 16}")

    def fit(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Scales and zero points for values from `low` to `high`, all of one shape; None for the middle code."""
        if low.shape != high.shape or low.dtype != high.dtype or low.dtype.kind != "f":
            raise ValueError(
                f"a range is floats of one shape, not {low.dtype} {low.shape} and {high.dtype} {high.shape}"
            )
        if (low > high).any():
            raise ValueError(f"a range runs from low to high, not from {low.max()} to {high.min()}")
        if self.integer_zero:
            low, high = np.minimum(low, 0), np.maximum(high, 0)
        with np.errstate(over="ignore"):  # caught below
            if self.symmetric:
                steps = self.scale_rule(self.qmin - self.middle, self.qmax - self.middle)
                scale = np.maximum(-low, high) / low.dtype.type(steps)
            else:
                scale = (high - low) / low.dtype.type(self.qmax - self.qmin)
        if not np.isfinite(scale).all():
            raise ValueError(f"no finite scale for values from {low.min()} to {high.max()} ({low.dtype})")
        flat = np.where(low == 0, low.dtype.type(1), np.abs(low))  # a block of one value, that is no 0, is its own step
        scale = np.where(scale == 0, low.dtype.type(1) if self.integer_zero else flat, scale)
        if self.symmetric:
            return scale, None
        if not self.integer_zero:
            return scale, self.qmin - low / scale
        zero_point = np.clip(self.rounding(self.qmin - low / scale), self.qmin, self.qmax)
        return scale, zero_point.astype(self.dtype)
