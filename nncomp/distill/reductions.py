"""What a loss divides its sum by: the convention that differs most between systems, as a function to pass."""

from collections.abc import Callable

Reduction = Callable[[int, int], int]


def batchmean(batch: int, classes: int) -> int:
    """Divide the sum over everything by the batch: the divergence's mean, which is what the paper means.

    >>> batchmean(8, 10)
    8
    """
    return batch


def elementmean(batch: int, classes: int) -> int:
    """Divide by batch x classes: `reduction="mean"` of PyTorch's KLDivLoss, its default, too small by the classes.

    Of features it divides by batch x width, of relations by how many there are.

    >>> elementmean(8, 10)
    80
    """
    return batch * classes


def summed(batch: int, classes: int) -> int:
    """Divide by nothing.

    >>> summed(8, 10)
    1
    """
    return 1
