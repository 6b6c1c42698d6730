"""Blocks of small numbers under one scale that is a power of two: the MX formats (OCP Microscaling Formats 1.0)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nncomp.formats.fixed_point import FixedPoint
from nncomp.formats.floats import Float, float4_e2m1fn, float6_e2m3fn, float6_e3m2fn, float8_e4m3fn, float8_e5m2
from nncomp.formats.format import Format
from nncomp.formats.granularity import block_sizes, spread

Element = Float | FixedPoint


def floor_scale(amax: np.ndarray, element: Element) -> np.ndarray:
    """`floor(log2 amax) - e_max`, e_max the exponent of the element's largest number: the specification (section 6.3).

    A block's largest values saturate where amax over the scale lies beyond the largest number.

    >>> floor_scale(np.array([150.0, 500.0]), float8_e4m3fn).tolist()  # 500 / 1 saturates to 448
    [-1, 0]
    """
    return _floor_log2(amax) - _floor_log2(np.array(element.largest))


def ceil_scale(amax: np.ndarray, element: Element) -> np.ndarray:
    """`ceil(log2 amax) - e_max`: nothing saturates that need not, and up to a bit of every value is lost.

    >>> ceil_scale(np.array([150.0, 500.0]), float8_e4m3fn).tolist()
    [0, 1]
    """
    return _ceil_log2(amax) - _floor_log2(np.array(element.largest))


def ratio_ceil_scale(amax: np.ndarray, element: Element) -> np.ndarray:
    """`ceil(log2(amax / largest))`: the least scale by which nothing saturates (NVIDIA's, torchao's RCEIL).

    >>> ratio_ceil_scale(np.array([150.0, 500.0]), float8_e4m3fn).tolist()
    [-1, 1]
    """
    return _ceil_log2(amax / amax.dtype.type(element.largest))


def even_scale(amax: np.ndarray, element: Element) -> np.ndarray:
    """`floor(log2 r) - e_max`, r the amax rounded to the element's mantissa, halves up (torchao's EVEN, AMD Quark's).

    >>> even_scale(np.array([150.0, 500.0]), float8_e4m3fn).tolist()  # 500 rounds to 512
    [-1, 1]
    """
    mantissa = element.mantissa if isinstance(element, Float) else element.bits - 2
    m, e = np.frexp(amax)
    carried = np.floor(m * 2.0 ** (mantissa + 1) + 0.5) >= 2.0 ** (mantissa + 1)
    return e - 1 + carried - _floor_log2(np.array(element.largest))


def _floor_log2(v: np.ndarray) -> np.ndarray:
    return np.frexp(v)[1] - 1


def _ceil_log2(v: np.ndarray) -> np.ndarray:
    m, e = np.frexp(v)
    return e - (m == 0.5)


@dataclass(frozen=True, repr=False)
class BlockScaled(Format):
    """Codes of `element`, and for every `size` neighbours in a row a scale `2^(s - 127)`, s in uint8 (E8M0).

    `scale_rule(amax, element)` gives the exponent from the largest |x| of a block; it is limited to what E8M0 holds. A
    block of zeros has s = 0. The last block of a row may be shorter.

    >>> codes, scales = mxfp4.encode(np.array([[0.1, -0.5, 6.0, 0.0]]))
    >>> mxfp4.decode(codes, scales), mxfp4.bits
    (array([[ 0. , -0.5,  6. ,  0. ]], dtype=float32), 4.25)
    """

    element: Element
    size: int = 32
    scale_rule: Callable[[np.ndarray, Element], np.ndarray] = floor_scale

    beside = 1

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"a block has at least one value, not {self.size}")

    @property
    def bits(self) -> float:
        """Of a weight, its share of the scale included."""
        return self.element.bits + 8 / self.size

    @property
    def code_bits(self) -> int:
        """Of an element."""
        return self.element.bits

    @property
    def dtype(self) -> np.dtype:
        """Of the codes."""
        return self.element.dtype

    def encode(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes (rows, columns), and scales (rows, blocks) in uint8."""
        amax = block_sizes(x, self.size)
        amax = amax.astype(np.result_type(amax, np.float32), copy=False)  # a quotient of halves can vanish
        exponent = np.where(amax == 0, -127, np.clip(self.scale_rule(amax, self.element), -127, 127))
        scaled = np.ldexp(x.astype(np.float64), -spread(exponent, self.size, x.shape[1]))
        return self.element.encode(scaled), (exponent + 127).astype(np.uint8)

    def decode(self, codes: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """The numbers, in float32; those of a block whose scale is 255 are NaN."""
        if codes.ndim != 2 or scales.shape != (len(codes), -(-codes.shape[1] // self.size)) or scales.dtype != np.uint8:
            raise ValueError(f"codes {codes.shape} in blocks of {self.size} do not fit {scales.dtype} {scales.shape}")
        exponent = spread(scales.astype(np.int64) - 127, self.size, codes.shape[1])
        values = np.ldexp(self.element.decode(codes).astype(np.float64), exponent)
        with np.errstate(over="ignore"):
            return np.where(exponent == 128, np.nan, values).astype(np.float32)


mxfp8_e4m3 = BlockScaled(float8_e4m3fn)
mxfp8_e5m2 = BlockScaled(float8_e5m2)
mxfp6_e2m3 = BlockScaled(float6_e2m3fn)
mxfp6_e3m2 = BlockScaled(float6_e3m2fn)
mxfp4 = BlockScaled(float4_e2m1fn)
mxint8 = BlockScaled(FixedPoint(8, fraction=6, narrow=True))
