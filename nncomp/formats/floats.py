"""Small floating-point numbers: sign, exponent and mantissa, and what each format makes of the largest exponent."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nncomp.formats.format import Format
from nncomp.formats.rounding import nearest_even

SPECIALS = ("ieee", "fn", "fnuz", "finite")


@dataclass(frozen=True, repr=False)
class Float(Format):
    """`(-1)^s 2^(E - bias) (1 + m / 2^mantissa)`, and `(-1)^s 2^(1 - bias) m / 2^mantissa` where E is 0.

    `specials`, by the letters in the formats' names (Micikevicius et al. 2022; Noune et al. 2022; OCP MX 1.0, 5.3).
    `ieee`: the largest exponent is for infinities and NaN. `fn`: finite, all ones are NaN. `fnuz`: the code of -0 is
    the one NaN, and there is no -0. `finite`: every code is a number.

    `saturate`: what is too large, infinities too, becomes the largest number; else infinity, or NaN where there is
    none. Without NaN it always saturates, and NaN raises. Codes are the bits, in uint8 or uint16.

    >>> float8_e4m3fn.encode(np.array([0.3, 448.0, 1e9])), float8_e4m3fn.largest
    (array([ 42, 126, 126], dtype=uint8), 448.0)
    """

    exponent: int
    mantissa: int
    bias: int
    specials: str = "ieee"
    saturate: bool = True
    rounding: Callable[[np.ndarray], np.ndarray] = nearest_even

    def __post_init__(self) -> None:
        whole = all(type(n) is int for n in (self.exponent, self.mantissa, self.bias))
        least = 1 if self.specials == "ieee" else 0  # a mantissa of nothing cannot tell NaN from infinity
        if not (
            whole
            and 1 <= self.exponent <= 8
            and self.mantissa >= least
            and self.bits <= 16
            and self.specials in SPECIALS
        ):
            raise ValueError(
                f"floats have at most 16 bits and specials of {', '.join(SPECIALS)}, not {self.exponent} + "
                f"{self.mantissa} + 1 and {self.specials!r}"
            )

    @property
    def bits(self) -> int:
        """Of a number: sign, exponent, mantissa."""
        return 1 + self.exponent + self.mantissa

    @property
    def code_bits(self) -> int:
        """The same."""
        return self.bits

    @property
    def dtype(self) -> np.dtype:
        """Of the codes."""
        return np.dtype(np.uint8 if self.bits <= 8 else np.uint16)

    @property
    def top(self) -> int:
        """The code of the largest number."""
        codes = 1 << (self.bits - 1)
        return codes - 1 - {"ieee": 1 << self.mantissa, "fn": 1, "fnuz": 0, "finite": 0}[self.specials]

    @property
    def largest(self) -> float:
        """The largest number."""
        return float(self.values[self.top])

    @cached_property
    def values(self) -> np.ndarray:
        """What every code stands for, in float32, which holds them all exactly."""
        codes = np.arange(1 << self.bits)
        sign, rest = codes >> (self.bits - 1), codes & ((1 << (self.bits - 1)) - 1)
        E, m = rest >> self.mantissa, rest & ((1 << self.mantissa) - 1)
        size = np.ldexp(
            np.where(E > 0, m + (1 << self.mantissa), m) * 1.0, np.maximum(E, 1) - self.bias - self.mantissa
        )
        if self.specials == "ieee":
            size[rest > self.top] = np.nan
            size[rest == self.top + 1] = np.inf
        elif self.specials == "fn":
            size[rest > self.top] = np.nan
        values = np.where(sign == 1, -size, size).astype(np.float32)
        if self.specials == "fnuz":
            values[1 << (self.bits - 1)] = np.nan
        values.flags.writeable = False
        return values

    def encode(self, x: np.ndarray) -> np.ndarray:
        """The codes of floats x, each rounded once."""
        if not np.issubdtype(x.dtype, np.floating):
            raise ValueError(f"floats are encoded, not {x.dtype}")
        nan = np.isnan(x)
        wide = np.where(nan, 0, x).astype(np.float64)
        if self.specials == "finite" and nan.any():
            raise ValueError(f"NaN at {tuple(np.argwhere(nan)[0].tolist())} has no code among {1 << self.bits} numbers")
        finite = np.where(np.isfinite(wide), wide, 0)
        lowest = 1 - self.bias
        E = np.where(finite == 0, lowest, np.maximum(np.frexp(finite)[1] - 1, lowest))
        steps = np.abs(self.rounding(np.ldexp(finite, self.mantissa - E))).astype(np.int64)
        code = np.minimum(((E - lowest).astype(np.int64) << self.mantissa) + steps, self.top + 1)  # 1 more is too large
        code[np.isinf(wide)] = self.top + 1
        beyond = code > self.top
        no_number = self._code_of_nan
        if self.saturate or self.specials == "finite":
            code[beyond] = self.top
        elif self.specials != "ieee":
            code[beyond] = no_number
        sign = np.signbit(x) & ~((self.specials == "fnuz") & ((code == 0) | (code == no_number)))
        code = np.where(nan, no_number, code)
        return (code | (sign.astype(np.int64) << (self.bits - 1))).astype(self.dtype)

    @property
    def _code_of_nan(self) -> int:
        """Without a sign: the quiet one, whose mantissa begins with 1."""
        if self.specials == "fnuz":
            return 1 << (self.bits - 1)
        return self.top + 1 + ((1 << self.mantissa) >> 1 if self.specials == "ieee" else 0)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The numbers of codes, in float32."""
        if codes.dtype != self.dtype or (codes.size and codes.max() >> self.bits):
            raise ValueError(f"codes are {self.dtype} below {1 << self.bits}, not {codes.dtype} up to {codes.max()}")
        return self.values[codes]


float16 = Float(5, 10, 15)
bfloat16 = Float(8, 7, 127)
float8_e4m3fn = Float(4, 3, 7, "fn")
float8_e5m2 = Float(5, 2, 15)
float8_e4m3fnuz = Float(4, 3, 8, "fnuz")
float8_e5m2fnuz = Float(5, 2, 16, "fnuz")
float6_e2m3fn = Float(2, 3, 1, "finite")
float6_e3m2fn = Float(3, 2, 3, "finite")
float4_e2m1fn = Float(2, 1, 1, "finite")
