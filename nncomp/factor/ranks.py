"""How large a rank is: by what it keeps, by what it costs, and over layers that share a budget."""

from collections.abc import Sequence

import numpy as np

from nncomp.allocation import allocate
from nncomp.layerwise import described


def rank_by_energy(S: np.ndarray, energy: float) -> int:
    """The least k with `S_1^2 + ... + S_k^2 >= energy ||S||^2`, 1 at least.

    `S`: singular values, falling; `energy`: a fraction, above 0. Of a matrix whose S are these, `svd` at this rank
    keeps so much of `||W||^2`; of a layer's outputs, `activation_svd` does.

    >>> rank_by_energy(np.array([3.0, 2.0, 1.0]), energy=0.9)
    2
    """
    _check_values(S)
    if not 0 < energy <= 1:
        raise ValueError(f"an energy is a fraction, above 0 and at most 1, not {energy}")
    if S[0] == 0:
        return 1
    kept = np.cumsum((S / S[0]) ** 2)
    return int(np.searchsorted(kept, energy * kept[-1])) + 1


def rank_by_budget(shape: tuple[int, int], budget: float, itemsize: int = 1) -> int:
    """The largest rank with `rank (out + in) itemsize <= budget`, at most `min(out, in)`; 0 where not even 1 fits.

    The budget is of numbers, or, with the `itemsize` of a number, of bytes.

    >>> rank_by_budget((300, 784), budget=100_000), rank_by_budget((300, 784), budget=100_000, itemsize=4)
    (92, 23)
    """
    if len(shape) != 2 or min(shape) < 1 or itemsize < 1:
        raise ValueError(f"a pair is of a matrix (out, in), its numbers of 1 byte at least, not {shape}, {itemsize}")
    if not 0 <= budget < np.inf:
        raise ValueError(f"a budget is finite and at least 0, not {budget}")
    return int(min(budget // (sum(shape) * itemsize), *shape))


def allocate_ranks(spectra: Sequence[np.ndarray], shapes: Sequence[tuple[int, int]], budget: float) -> list[int]:
    """A rank for each layer: the least sum of the squares of all singular values left out, within `budget`, exactly.

    `spectra`: each layer's singular values, falling. A rank k costs `k (out + in)` numbers; a layer at its full rank,
    `min(out, in)`, stays the matrix it is and costs `out in`; between them lies what costs more and is no better. The
    budget is of the numbers of all layers. The ranks with the largest gain for what they cost, taken one by one, are
    not always the best, since what is left over may be too little for the next: this is `allocate`'s optimum.

    >>> spectra = [np.array([9.0, 5.0, 1.0, 1.0, 0.0, 0.0]), np.array([8.0, 2.0, 1.0, 1.0, 0.0, 0.0])]
    >>> allocate_ranks(spectra, [(6, 6), (6, 6)], budget=36)
    [2, 1]
    """
    if len(spectra) != len(shapes):
        raise ValueError(f"each layer has singular values and a shape, not {len(spectra)} and {len(shapes)}")
    losses, sizes, ranks = [], [], []
    for S, (out, inputs) in zip(spectra, shapes):
        _check_values(S)
        if len(S) != min(out, inputs):
            raise ValueError(f"a matrix {(out, inputs)} has {min(out, inputs)} singular values, not {len(S)}")
        thin = np.arange(1, rank_by_budget((out, inputs), out * inputs - 1) + 1)
        left = np.cumsum(np.append(S.astype(np.float64) ** 2, 0.0)[::-1])[::-1]  # from the smallest: none is lost
        losses.append([*left[thin], 0.0])
        sizes.append([*thin * (out + inputs), out * inputs])
        ranks.append([*thin.tolist(), len(S)])
    return [row[k] for row, k in zip(ranks, allocate(losses, sizes, budget))]


def _check_values(S: np.ndarray) -> None:
    if not isinstance(S, np.ndarray) or S.ndim != 1 or not S.size or not np.issubdtype(S.dtype, np.floating):
        raise ValueError(f"singular values are floats, one at least, not {described(S)}")
    if not (np.isfinite(S).all() and (S >= 0).all() and (S[1:] <= S[:-1]).all()):
        raise ValueError(f"singular values are finite, at least 0 and falling, not {S}")
