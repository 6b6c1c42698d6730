"""How far to compress: what each layer minds, the exact allocation, and the search over whole recipes."""

from nncomp.search.choosing import Chosen, choose
from nncomp.search.executors import Workers, workers
from nncomp.search.sensitivity import Sensitivity, layer_sensitivity

__all__ = ["Chosen", "Sensitivity", "Workers", "choose", "layer_sensitivity", "workers"]
