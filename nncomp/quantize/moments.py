"""Ranges from a mean and a mean deviation: so many standard deviations, or the best clip of an assumed density."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import erfc, lambertw

from nncomp.fields import check_whole
from nncomp.formats.granularity import Granularity
from nncomp.quantize.blocks import fit_blocks
from nncomp.shown import shown


def laplace(deviations: np.ndarray, bits: int) -> float:
    """`alpha = b W(3 4^M)`, b the mean of `|deviations|` and W Lambert's function: the best clip of a Laplace density.

    The root of `alpha / (3 4^M) = b exp(-alpha / b)`, where the derivative of the expected squared error
    `2 b^2 exp(-alpha / b) + alpha^2 / (3 4^M)` is 0 (Banner et al. 2019, section 3).

    >>> [round(laplace(np.ones(1), bits), 2) for bits in (2, 3, 4)]
    [2.83, 3.9, 5.03]
    """
    return float(np.abs(deviations).mean() * lambertw(3 * 4.0**bits).real)


def gauss(deviations: np.ndarray, bits: int) -> float:
    """`alpha = sd a`, a the best clip of a standard normal density, of which no formula is known.

    The root of `a erfc(a / sqrt 2) - sqrt(2 / pi) exp(-a^2 / 2) + a / (3 4^M) = 0`, half the derivative of the expected
    squared error `(1 + a^2) erfc(a / sqrt 2) - sqrt(2 / pi) a exp(-a^2 / 2) + a^2 / (3 4^M)` (Banner et al. 2019,
    section 3 and its appendix).

    >>> [round(gauss(np.array([-1.0, 1.0]), bits), 2) for bits in (2, 3, 4)]
    [1.71, 2.15, 2.56]
    """

    def slope(a: float) -> float:
        return a * erfc(a / 2**0.5) - (2 / np.pi) ** 0.5 * np.exp(-(a**2) / 2) + a / (3 * 4.0**bits)

    return _sd(deviations) * brentq(slope, 0, 40, xtol=1e-14)


@dataclass(frozen=True)
class Deviations:
    """`mean - n sd` to `mean + n sd` of each block, sd the standard deviation of its values, not of a sample.

    >>> from nncomp.formats import PerRow
    >>> Deviations(2.0)(np.array([[1.0, 3.0, 1.0, 3.0]]), PerRow())
    (array([[0.]]), array([[4.]]))
    """

    n: float

    def __post_init__(self) -> None:
        if not 0 < self.n < np.inf:
            raise ValueError(f"a range is so many standard deviations to each side, above 0, not {self.n}")

    def __call__(
        self, x: np.ndarray, per: Granularity, kept: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        return fit_blocks(x, per, kept, lambda x, importance: _about_the_mean(x, lambda d: self.n * _sd(d)))


@dataclass(frozen=True, repr=False)
class ACIQ:
    """`mean - alpha` to `mean + alpha`, of least squared error if values have a `density` (Banner et al. 2019).

    `bits` M: 2^M levels lie between the ends, so values inside err by `alpha^2 / (3 4^M)` in the mean square (section
    3). `density`: `laplace` or `gauss`, which say what values beyond the ends cost, and solve for alpha. Nothing holds
    the range within the values: a clip beyond the largest is what the density says.

    >>> from nncomp.formats import PerRow
    >>> [end.round(2) for end in ACIQ(bits=4)(np.array([[-1.0, 1.0]]), PerRow())]
    [array([[-5.03]]), array([[5.03]])]
    """

    bits: int
    density: Callable[[np.ndarray, int], float] = laplace

    def __post_init__(self) -> None:
        check_whole(self, bits=1)

    __repr__ = shown

    def __call__(
        self, x: np.ndarray, per: Granularity, kept: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        return fit_blocks(x, per, kept, lambda x, importance: _about_the_mean(x, lambda d: self.density(d, self.bits)))


def _sd(deviations: np.ndarray) -> float:
    return float(np.sqrt((deviations**2).mean()))


def _about_the_mean(x: np.ndarray, reach: Callable[[np.ndarray], float]) -> tuple[float, float]:
    mean = x.mean(dtype=np.float64)
    to_each_side = reach(x - mean)
    return mean - to_each_side, mean + to_each_side
