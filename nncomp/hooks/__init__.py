"""What can be done in the middle of a training, and what prunes there."""

from nncomp.hooks.deep_rewiring import DeepR
from nncomp.hooks.hook import Gradients, Hook
from nncomp.hooks.learned_masks import Penalized, Timed
from nncomp.hooks.norms import ClipGradients, MaxNorm
from nncomp.hooks.proximal import L1, GroupLasso
from nncomp.hooks.regrowing import SET, SNFS, RigL
from nncomp.hooks.surgery import Surgery
from nncomp.hooks.top_kast import TopKAST

__all__ = [
    "L1",
    "SET",
    "SNFS",
    "ClipGradients",
    "DeepR",
    "Gradients",
    "GroupLasso",
    "Hook",
    "MaxNorm",
    "Penalized",
    "RigL",
    "Surgery",
    "Timed",
    "TopKAST",
]
