"""Pruning on plain arrays: weights -> scores -> mask. Masks are boolean, True = kept."""

from nncomp.prune.masks import keep_above, keep_each, keep_globally, keep_largest
from nncomp.prune.schedules import constant, cubic
from nncomp.prune.scores import magnitude, row_l1

__all__ = ["constant", "cubic", "keep_above", "keep_each", "keep_globally", "keep_largest", "magnitude", "row_l1"]
