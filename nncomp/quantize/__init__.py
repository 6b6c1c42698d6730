"""Quantization on plain arrays: values -> range -> grid -> codes."""

from nncomp.quantize.dynamic import Dynamic
from nncomp.quantize.nearest import round_to_nearest
from nncomp.quantize.ranges import Percentile, minmax

__all__ = ["Dynamic", "Percentile", "minmax", "round_to_nearest"]
