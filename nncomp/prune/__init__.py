"""Pruning on plain arrays: weights -> scores -> mask, or straight to pruned weights. Masks: boolean, True = kept."""

from nncomp.prune.alps import alps
from nncomp.prune.inputs import input_norms, ria, wanda
from nncomp.prune.masks import keep_above, keep_each, keep_globally, keep_largest
from nncomp.prune.obc import obc
from nncomp.prune.obs import obd, obs, obs_update
from nncomp.prune.patterns import keep_blocks, keep_each_row, keep_n_of_m
from nncomp.prune.refit import gram, output_error, refit
from nncomp.prune.schedules import constant, cubic
from nncomp.prune.scores import magnitude, row_l1
from nncomp.prune.sparsegpt import sparsegpt

__all__ = [
    "alps",
    "constant",
    "cubic",
    "gram",
    "input_norms",
    "keep_above",
    "keep_blocks",
    "keep_each",
    "keep_each_row",
    "keep_globally",
    "keep_largest",
    "keep_n_of_m",
    "magnitude",
    "obc",
    "obd",
    "obs",
    "obs_update",
    "output_error",
    "refit",
    "ria",
    "row_l1",
    "sparsegpt",
    "wanda",
]
