"""Fixed point: integers that stand for themselves over a power of two."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nncomp.formats.format import Format
from nncomp.formats.rounding import nearest_even


def saturate(q: np.ndarray, low: int, high: int) -> np.ndarray:
    """What lies beyond a range becomes its end (AP_SAT of high-level synthesis).

    >>> saturate(np.array([130.0, -129.0, 5.0]), -128, 127)
    array([ 127., -128.,    5.])
    """
    return np.clip(q, low, high)


def wrap(q: np.ndarray, low: int, high: int) -> np.ndarray:
    """What lies beyond a range comes in at its other end, as in two's complement (AP_WRAP).

    >>> wrap(np.array([130.0, -129.0, 5.0]), -128, 127)
    array([-126.,  127.,    5.])
    """
    codes = high - low + 1
    return (np.fmod(q, codes) - low) % codes + low  # fmod is exact, where a large q - low is not


@dataclass(frozen=True, repr=False)
class FixedPoint(Format):
    """Codes q of `bits` that stand for `q / 2^fraction`: `q = overflow(rounding(x 2^fraction))`.

    Qm.n is written in two ways: `bits = m + n` with the sign counted in m (ARM), `m + n + 1` with the sign beside it
    (Texas Instruments). So here the bits of a code are named, sign included if it is `signed`.
    `narrow`: the lowest code is left out. `fraction` may be
    negative or more than `bits`. NaN has no code and raises; infinities saturate, and have none where codes wrap.

    >>> FixedPoint(8, fraction=4).encode(np.array([0.1, 3.99, 100.0]))
    array([  2,  64, 127], dtype=int8)
    """

    bits: int = 8
    fraction: int = 0
    signed: bool = True
    narrow: bool = False
    overflow: Callable[[np.ndarray, int, int], np.ndarray] = saturate
    rounding: Callable[[np.ndarray], np.ndarray] = nearest_even

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 32:
            raise ValueError(f"fixed point has 1 to 32 bits, not {self.bits}")

    @property
    def low(self) -> int:
        """The lowest code."""
        return (-(1 << (self.bits - 1)) if self.signed else 0) + self.narrow

    @property
    def high(self) -> int:
        """The highest code."""
        return (1 << (self.bits - self.signed)) - 1

    @property
    def code_bits(self) -> int:
        """As many."""
        return self.bits

    @property
    def dtype(self) -> np.dtype:
        """Of the codes: the smallest that holds them."""
        width = 8 if self.bits <= 8 else 16 if self.bits <= 16 else 32
        return np.dtype(f"{'int' if self.signed else 'uint'}{width}")

    @property
    def largest(self) -> float:
        """The largest number."""
        return self.high / 2.0**self.fraction

    def encode(self, x: np.ndarray) -> np.ndarray:
        """The codes of floats x."""
        bad = np.isnan(x) | (np.isinf(x) & (self.overflow is not saturate))
        if bad.any():
            where = tuple(np.argwhere(bad)[0].tolist())
            raise ValueError(f"{x[where]} at {where} has no code of {self}")
        steps = self.rounding(np.ldexp(x.astype(np.float64), self.fraction))
        return self.overflow(steps, self.low, self.high).astype(self.dtype)

    def decode(self, q: np.ndarray) -> np.ndarray:
        """The numbers of codes, in float64, which holds them all exactly."""
        return np.ldexp(q.astype(np.float64), -self.fraction)
