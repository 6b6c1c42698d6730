"""How far apart two arrays of one shape and dtype are: in bits, and in units."""

import numpy as np


def same_bits(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """True where the bits are equal or both are NaN; +0 and -0 are not the same.

    >>> same_bits(np.array([0.0, 0.0, np.nan]), np.array([0.0, -0.0, np.nan]))
    array([ True, False,  True])
    """
    if not np.issubdtype(a.dtype, np.floating):
        return a == b
    return ((a == b) & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b))


def difference(a: np.ndarray, b: np.ndarray, unit: np.ndarray | float | None = None) -> np.ndarray:
    """`|a - b| / unit` in float64; 0 for zeros of either sign and for two NaNs, inf for NaN or infinity against else.

    `unit`: finite, at least 0 (of which only equals are 0 apart), broadcasting with a. None is the unit in the last
    place (ulp) of the larger magnitude, which for integers is 1: neighbouring floats are 1 apart, or 1/2 where the
    larger is a power of two.

    >>> difference(np.array([1.0, 1.0, np.inf]), np.array([1 + 2**-52, 1 - 2**-53, 1.0]))
    array([1. , 0.5, inf])
    >>> difference(np.array([-128], np.int8), np.array([127], np.int8))
    array([255.])
    """
    if unit is not None and not (np.isfinite(unit) & (np.asarray(unit) >= 0)).all():
        raise ValueError(f"units are finite and at least 0, not {np.min(unit)} to {np.max(unit)}")
    if not np.issubdtype(a.dtype, np.floating):
        high, low = np.maximum(a, b).astype(np.uint64), np.minimum(a, b).astype(np.uint64)
        with np.errstate(over="ignore"):  # modulo 2^64 the difference is exact
            return _in_units((high - low).astype(np.float64), 1.0 if unit is None else unit)
    finite = np.isfinite(a) & np.isfinite(b)
    x, y = (np.where(finite, v, 0).astype(np.float64) for v in (a, b))
    if unit is None:
        ulp = _ulp(np.maximum(np.abs(x), np.abs(y)), np.finfo(a.dtype))
        apart = np.abs(x / ulp - y / ulp)  # a power of two divides without rounding, and nothing overflows
    else:
        with np.errstate(over="ignore"):  # farther apart than float64 can say
            apart = _in_units(np.abs(x - y), unit)
    return np.where(finite, apart, np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.inf))


def _ulp(magnitude: np.ndarray, info: np.finfo) -> np.ndarray:
    """The distance to the next larger float of that dtype, also of the largest, which has none."""
    exponent = np.frexp(magnitude)[1] - 1
    return np.ldexp(1.0, np.maximum(exponent, info.minexp) - info.nmant)


def _in_units(apart: np.ndarray, unit: np.ndarray | float) -> np.ndarray:
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # 0 / 0 is no difference
        return np.where(apart == 0, 0.0, apart / unit)
