"""How the sparsity grows while a network trains: from progress t, 0 to 1, and the final sparsity s to the one at t.

Systems mean different curves by the same word. To s = 0.9, at a quarter, a half and three quarters:

    linear               s t                               0.225  0.450  0.675
    cubic                s (1 - (1 - t)^3)                 0.520  0.787  0.886   Zhu & Gupta; TFMOT, NNI, SparseML
    exponential          1 - (1 - s)^t                     0.438  0.684  0.822   Neural Compressor's "exp"
    cosine               s (1 - cos(pi t / 2))             0.069  0.264  0.556   Neural Compressor's "cos"
    inc_cube             s t^3                             0.014  0.113  0.380   Neural Compressor's "cube"
    nncf_polynomial      s (1 - (1 - t)^0.9)               0.205  0.418  0.642   NNCF
    sparseml_polynomial  s ((t - 1)^2 + 1), from 2 s down  1.406  1.125  0.956   SparseML, llm-compressor: broken
"""

from math import cos, floor, pi

from nncomp.prune.checks import check_sparsity


def constant(t: float, s: float) -> float:
    """All at once: one-shot pruning.

    >>> constant(0.0, 0.9)
    0.9
    """
    _progress(t, s)
    return s


def linear(t: float, s: float) -> float:
    """`s t`: as many in every update.

    >>> linear(0.5, 0.9)
    0.45
    """
    return s * _progress(t, s)


def cubic(t: float, s: float) -> float:
    """`s (1 - (1 - t)^3)`: fast while weights are redundant, slow at the end (Zhu & Gupta 2017, equation 1).

    >>> [round(cubic(t, 0.9), 3) for t in (0, 0.25, 0.5, 0.75, 1)]
    [0.0, 0.52, 0.787, 0.886, 0.9]
    """
    return s * (1 - (1 - _progress(t, s)) ** 3)


def exponential(t: float, s: float) -> float:
    """`1 - (1 - s)^t`: of what is left, the same fraction in every update.

    >>> round(exponential(0.5, 0.75), 3)
    0.5
    """
    t = _progress(t, s)
    return 1 - (1 - s) ** t if t < 1 else s


def cosine(t: float, s: float) -> float:
    """`s (1 - cos(pi t / 2))`: slow at first, fast at the end.

    >>> round(cosine(0.5, 0.9), 3)
    0.264
    """
    t = _progress(t, s)
    return s * (1 - cos(pi / 2 * t)) if t < 1 else s


def iterative(t: float, s: float, rounds: int = 10) -> float:
    """`exponential` in so many equal steps, the first at once: prune, train, prune, train (Han et al. 2015).

    >>> [round(iterative(t, 0.75, rounds=2), 3) for t in (0.0, 0.4, 0.5, 1.0)]
    [0.5, 0.5, 0.75, 0.75]
    """
    if rounds < 1:
        raise ValueError(f"at least 1 round, not {rounds}")
    return exponential(min(floor(_progress(t, s) * rounds) + 1, rounds) / rounds, s)


def alternating(t: float, s: float, periods: int = 5) -> float:
    """0 in the first half of each period, s in the second: compressed and decompressed in turn (Peste et al. 2021).

    AC/DC: what a compressed phase pruned comes back at 0 in the dense one after it, and can grow. The end is sparse.

    >>> [alternating(t / 8, 0.9, periods=2) for t in range(9)]
    [0.0, 0.0, 0.9, 0.9, 0.0, 0.0, 0.9, 0.9, 0.9]
    """
    if periods < 1:
        raise ValueError(f"at least 1 period, not {periods}")
    t = _progress(t, s)
    return s if t == 1 or t * periods % 1 >= 0.5 else 0.0


def inc_cube(t: float, s: float) -> float:
    """`s t^3`.

    >>> round(inc_cube(0.5, 0.9), 4)
    0.1125
    """
    return s * _progress(t, s) ** 3


def nncf_polynomial(t: float, s: float, power: float = 0.9) -> float:
    """`s (1 - (1 - t)^power)`.

    >>> round(nncf_polynomial(0.5, 0.9), 3)
    0.418
    """
    return s * (1 - (1 - _progress(t, s)) ** power)


def sparseml_polynomial(t: float, s: float, power: float = 2.0) -> float:
    """`s ((t - 1)^power + 1)`, as it stands in their code: right for odd powers, above 1 at the default.

    >>> sparseml_polynomial(0.0, 0.9)
    1.8
    """
    return float(s * ((_progress(t, s) - 1) ** power + 1))


def _progress(t: float, s: float) -> float:
    """t within 0 and 1."""
    check_sparsity(s)
    return min(max(t, 0.0), 1.0)
