"""Factorization on plain arrays: a matrix -> a pair of thin ones, the rank it needs, and what stays beside it."""

from nncomp.factor.ranks import allocate_ranks, rank_by_budget, rank_by_energy
from nncomp.factor.sparse_plus_low_rank import sparse_plus_low_rank
from nncomp.factor.svd import activation_svd, singular_values, svd

__all__ = [
    "activation_svd",
    "allocate_ranks",
    "rank_by_budget",
    "rank_by_energy",
    "singular_values",
    "sparse_plus_low_rank",
    "svd",
]
