"""Another framework's function against a reference, case by case: cases that are hard on purpose."""

from nncomp.crosscheck.grid_cases import grid_cases
from nncomp.crosscheck.kl_cases import kl_cases

__all__ = ["grid_cases", "kl_cases"]
