"""Another framework's function against a reference, case by case: `compare`, and cases that are hard on purpose."""

from nncomp.crosscheck.compare import compare
from nncomp.crosscheck.comparison import Comparison, Failure
from nncomp.crosscheck.grid_cases import grid_cases
from nncomp.crosscheck.kl_cases import kl_cases

__all__ = ["Comparison", "Failure", "compare", "grid_cases", "kl_cases"]
