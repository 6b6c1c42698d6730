"""What the largest value is divided by to give a symmetric grid's scale: the codes' two ends go in."""


def largest_code(low: int, high: int) -> float:
    """Divide the range's size by the largest code: 127. The value of that size is a code exactly (NNCF, ModelOpt).

    >>> largest_code(-128, 127)
    127
    """
    return high


def half_range(low: int, high: int) -> float:
    """Divide by half the distance of the end codes: 127.5 in full range (torch.ao qint8, torchao SYMMETRIC).

    >>> half_range(-128, 127)
    127.5
    """
    return (high - low) / 2


def lowest_code(low: int, high: int) -> float:
    """Divide by the lowest code's size: 128 in full range; the scale of a power of two is one too.

    >>> lowest_code(-128, 127)
    128
    """
    return -low
