"""Number formats: what integers stand for which real numbers, with every convention a named value."""

from nncomp.formats.granularity import PerGroup, PerRow, PerTensor
from nncomp.formats.noise import sqnr
from nncomp.formats.rounding import nearest_away, nearest_even
from nncomp.formats.scale_rules import half_range, largest_code, lowest_code
from nncomp.formats.uniform import Grid, Uniform

__all__ = [
    "Grid", "PerGroup", "PerRow", "PerTensor", "Uniform",
    "half_range", "largest_code", "lowest_code", "nearest_away", "nearest_even", "sqnr",
]  # fmt: skip
