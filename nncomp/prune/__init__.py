"""Pruning on plain arrays: weights -> scores -> mask, or straight to pruned weights. Masks: boolean, True = kept."""

from nncomp.prune.alps import alps
from nncomp.prune.budgets import erdos_renyi, keep_erdos_renyi, keep_in_proportion, lamp
from nncomp.prune.counting import keep_floored, keep_nncf, keep_sparsegpt, keep_tfmot
from nncomp.prune.gradients import fisher, grasp, snip, squared_gradients, taylor
from nncomp.prune.inputs import input_norms, ria, wanda
from nncomp.prune.masks import keep_above, keep_globally, keep_largest
from nncomp.prune.neurons import (
    column_l2,
    compensate,
    geometric_median,
    input_fisher,
    mean_activation,
    nonzero_activation,
    row_l1,
    row_l2,
)
from nncomp.prune.obc import obc
from nncomp.prune.obs import obd, obs, obs_update
from nncomp.prune.patterns import keep_blocks, keep_each_group, keep_each_row, keep_n_of_m, prune_n_of_m
from nncomp.prune.refit import refit
from nncomp.prune.regrow import regrow
from nncomp.prune.schedules import (
    alternating,
    constant,
    cosine,
    cubic,
    exponential,
    inc_cube,
    iterative,
    linear,
    nncf_polynomial,
    sparseml_polynomial,
)
from nncomp.prune.scores import deviation_threshold, magnitude, random
from nncomp.prune.sparsegpt import sparsegpt
from nncomp.prune.synflow import synflow, synflow_masks
from nncomp.prune.woodfisher import fisher_inverse, woodfisher

__all__ = [
    "alps",
    "alternating",
    "column_l2",
    "compensate",
    "constant",
    "cosine",
    "cubic",
    "deviation_threshold",
    "erdos_renyi",
    "exponential",
    "fisher",
    "fisher_inverse",
    "geometric_median",
    "grasp",
    "inc_cube",
    "input_fisher",
    "input_norms",
    "iterative",
    "keep_above",
    "keep_blocks",
    "keep_each_group",
    "keep_each_row",
    "keep_erdos_renyi",
    "keep_floored",
    "keep_globally",
    "keep_in_proportion",
    "keep_largest",
    "keep_n_of_m",
    "keep_nncf",
    "keep_sparsegpt",
    "keep_tfmot",
    "lamp",
    "linear",
    "magnitude",
    "mean_activation",
    "nncf_polynomial",
    "nonzero_activation",
    "obc",
    "obd",
    "obs",
    "obs_update",
    "prune_n_of_m",
    "random",
    "refit",
    "regrow",
    "ria",
    "row_l1",
    "row_l2",
    "snip",
    "sparsegpt",
    "sparseml_polynomial",
    "squared_gradients",
    "synflow",
    "synflow_masks",
    "taylor",
    "wanda",
    "woodfisher",
]
