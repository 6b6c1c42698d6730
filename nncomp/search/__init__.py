"""How far to compress: what each layer minds, the exact allocation, and the search over whole recipes."""

from nncomp.search.choosing import Chosen, choose
from nncomp.search.executors import Workers, workers
from nncomp.search.found import Found
from nncomp.search.searching import Search
from nncomp.search.sensitivity import Sensitivity, layer_sensitivity
from nncomp.search.space import PruneAndShare

__all__ = [
    "Chosen",
    "Found",
    "PruneAndShare",
    "Search",
    "Sensitivity",
    "Workers",
    "choose",
    "layer_sensitivity",
    "workers",
]
