"""Pruning on plain arrays: weights -> scores -> mask, or straight to pruned weights. Masks: boolean, True = kept."""

from nncomp.prune.alps import alps
from nncomp.prune.budgets import erdos_renyi, lamp
from nncomp.prune.gradients import fisher, fisher_inverse, grasp, snip, squared_gradients, taylor
from nncomp.prune.inputs import input_norms, ria, wanda
from nncomp.prune.masks import keep_above, keep_each, keep_globally, keep_largest
from nncomp.prune.obc import obc
from nncomp.prune.obs import obd, obs, obs_update
from nncomp.prune.patterns import keep_blocks, keep_each_row, keep_n_of_m
from nncomp.prune.refit import gram, output_error, refit
from nncomp.prune.schedules import constant, cubic
from nncomp.prune.scores import magnitude, row_l1
from nncomp.prune.sparsegpt import sparsegpt
from nncomp.prune.synflow import synflow, synflow_masks

__all__ = [
    "alps",
    "constant",
    "cubic",
    "erdos_renyi",
    "fisher",
    "fisher_inverse",
    "gram",
    "grasp",
    "input_norms",
    "keep_above",
    "keep_blocks",
    "keep_each",
    "keep_each_row",
    "keep_globally",
    "keep_largest",
    "keep_n_of_m",
    "lamp",
    "magnitude",
    "obc",
    "obd",
    "obs",
    "obs_update",
    "output_error",
    "refit",
    "ria",
    "row_l1",
    "snip",
    "sparsegpt",
    "squared_gradients",
    "synflow",
    "synflow_masks",
    "taylor",
    "wanda",
]
