"""Quantization on plain arrays: values -> range -> grid -> codes."""

from nncomp.quantize.adaround import adaround
from nncomp.quantize.descent import coordinate_descent
from nncomp.quantize.dynamic import Dynamic
from nncomp.quantize.gptq import gptq
from nncomp.quantize.lattice import k_best, nearest_plane
from nncomp.quantize.ldlq import Incoherent, ldlq
from nncomp.quantize.nearest import round_to_nearest
from nncomp.quantize.obq import obq
from nncomp.quantize.precision import allocate, hawq
from nncomp.quantize.ranges import Percentile, minmax

__all__ = [
    "Dynamic",
    "Incoherent",
    "Percentile",
    "adaround",
    "allocate",
    "coordinate_descent",
    "gptq",
    "hawq",
    "k_best",
    "ldlq",
    "minmax",
    "nearest_plane",
    "obq",
    "round_to_nearest",
]
