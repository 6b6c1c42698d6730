"""bfloat16 and the 8-bit floats, decoded from their bits to float32, which holds every one of their values exactly."""

from functools import cache
from typing import NamedTuple

import numpy as np


class Float8(NamedTuple):
    """`(-1)^s 2^(e - bias) (1 + m / 2^mantissa)`, with s, e, m the bits from the top; subnormal where e = 0.

    `nan`: the codes that are not a number, s = 0 or 1; where it is empty the largest e holds infinity (m = 0) and NaN,
    as in IEEE 754.
    """

    exponent: int
    mantissa: int
    bias: int
    nan: tuple[int, ...] = ()


FLOAT8 = {
    "float8_e3m4": Float8(3, 4, 3),
    "float8_e4m3": Float8(4, 3, 7),
    "float8_e4m3fn": Float8(4, 3, 7, (0x7F, 0xFF)),
    "float8_e4m3fnuz": Float8(4, 3, 8, (0x80,)),
    "float8_e4m3b11fnuz": Float8(4, 3, 11, (0x80,)),
    "float8_e5m2": Float8(5, 2, 15),
    "float8_e5m2fnuz": Float8(5, 2, 16, (0x80,)),
    "float8_e8m0fnu": Float8(8, 0, 127, (0xFF,)),
}
"""By the name that PyTorch and ml_dtypes both use: OCP's (OFP8 and MX 1.0), Noune et al.'s (2022, fnuz), IEEE's."""

NAMES = ("bfloat16", *FLOAT8)


def decode(bits: np.ndarray, name: str) -> np.ndarray:
    """The float32 values of `bits`, 16-bit integers of bfloat16 or bytes of one of `FLOAT8`; any shape.

    >>> decode(np.array([0x3FC0], np.uint16), "bfloat16"), decode(np.array([0x3C], np.uint8), "float8_e4m3fn")
    (array([1.5], dtype=float32), array([1.5], dtype=float32))
    """
    if name == "bfloat16":
        wide = bits.view(np.uint16).astype(np.uint32)
        wide <<= 16
        return wide.view(np.float32)
    return np.asarray(values(name)[bits.view(np.uint8)])


@cache
def values(name: str) -> np.ndarray:
    """The 256 values of an 8-bit float, by code.

    >>> np.nanmax(values("float8_e4m3fn")), values("float8_e8m0fnu")[128]
    (np.float32(448.0), np.float32(2.0))
    """
    kind = FLOAT8[name]
    code = np.arange(256)
    m = code & (1 << kind.mantissa) - 1
    e = code >> kind.mantissa & (1 << kind.exponent) - 1
    sign = np.where(code >> kind.mantissa + kind.exponent, -1.0, 1.0)
    subnormal = (e == 0) & (kind.mantissa > 0)  # without a mantissa the leading 1 is all there is
    fraction = np.where(subnormal, 0, 1) + m / 2.0**kind.mantissa
    value = sign * np.ldexp(fraction, e - kind.bias + subnormal)
    if kind.nan:
        value[list(kind.nan)] = np.nan
    else:
        top = e == (1 << kind.exponent) - 1
        value = np.where(top, np.where(m, np.nan, sign * np.inf), value)
    table = value.astype(np.float32)
    table.flags.writeable = False
    return table
