"""How the sparsity grows while a network trains: progress from 0 to 1 in, the fraction of the final sparsity out."""


def cubic(progress: float) -> float:
    """`s(t) / s_f = 1 - (1 - t)^3`: fast while weights are redundant, slow at the end (Zhu & Gupta 2017, equation 1).

    >>> [round(0.9 * cubic(t), 3) for t in (0, 0.25, 0.5, 0.75, 1)]
    [0.0, 0.52, 0.787, 0.886, 0.9]
    """
    return 1 - (1 - min(max(progress, 0.0), 1.0)) ** 3


def constant(progress: float) -> float:
    """All at once: one-shot pruning.

    >>> constant(0.0)
    1.0
    """
    return 1.0
