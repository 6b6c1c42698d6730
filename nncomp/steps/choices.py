"""The words of recipes: what may stand where, by name."""

from inspect import signature
from typing import Any

from nncomp import distill, factor, init, learning_rate, optim, prune, quantize, transforms
from nncomp.augment import Jitter
from nncomp.files import kinds
from nncomp.formats.names import NAMES
from nncomp.hooks import L1, SET, SNFS, DeepR, GroupLasso, RigL, Surgery, TopKAST
from nncomp.network import MLP
from nncomp.steps.distill import Distill
from nncomp.steps.equalize import Equalize
from nncomp.steps.factor import Factor
from nncomp.steps.fine_tune import FineTune
from nncomp.steps.guard import halve, stop, undo
from nncomp.steps.match import Match
from nncomp.steps.mixed_precision import MixedPrecision
from nncomp.steps.original import Original
from nncomp.steps.preprocess import Preprocess
from nncomp.steps.prune import Prune
from nncomp.steps.quantize import Quantize
from nncomp.steps.reconstruct import Reconstruct
from nncomp.steps.regrow import Regrow
from nncomp.steps.rescale import Rescale
from nncomp.steps.rewind import Rewind
from nncomp.steps.share import Share
from nncomp.steps.shrink import Shrink
from nncomp.steps.sparsify import Sparsify
from nncomp.steps.update import Update

TRAINING = (FineTune, Distill)
ROWS = (
    prune.row_l1, prune.row_l2, prune.geometric_median, prune.mean_activation, prune.nonzero_activation,
)  # fmt: skip
SCORES = (
    prune.magnitude, prune.random, prune.lamp, prune.wanda, prune.ria, prune.snip, prune.taylor, prune.fisher,
    prune.obd, prune.grasp, prune.synflow, prune.column_l2, prune.input_fisher,
)  # fmt: skip
KEEP = (
    prune.keep_globally, prune.keep_largest, prune.keep_each_row, prune.keep_each_group, prune.keep_blocks,
    prune.keep_erdos_renyi, prune.keep_in_proportion, prune.keep_floored, prune.keep_tfmot, prune.keep_nncf,
    prune.keep_sparsegpt,
)  # fmt: skip
RATES = (learning_rate.Constant, learning_rate.Step, learning_rate.Cosine, learning_rate.OneCycle)
SOFT = (
    distill.kl_divergence, distill.reverse_kl, distill.jensen_shannon, distill.alpha_divergence,
    distill.total_variation, distill.logit_regression, distill.dkd, distill.dist, distill.nkd,
    distill.logit_standardization,
)  # fmt: skip
FEATURES = (
    distill.hint, distill.attention_transfer, distill.activation_boundaries, distill.margin_relu,
    distill.neuron_selectivity, distill.vid, distill.factor_transfer, distill.pkd, distill.rkd_distance,
    distill.rkd_angle, distill.similarity_preserving, distill.correlation_congruence, distill.pkt, distill.contrastive,
)  # fmt: skip
REDUCTIONS = (distill.batchmean, distill.elementmean, distill.summed)
KERNELS = (distill.linear_kernel, distill.polynomial_kernel, distill.gaussian_kernel, distill.taylor_kernel)
SCHEDULES = (
    prune.constant, prune.linear, prune.cubic, prune.exponential, prune.cosine, prune.iterative, prune.inc_cube,
    prune.nncf_polynomial, prune.alternating,
)  # fmt: skip

CHOICES: dict[str, tuple[Any, ...]] = kinds.CHOICES | {
    "init.activation": kinds.ACTIVATIONS,
    "init.init": (init.he, init.glorot),
    "FineTune.optimizer": (optim.SGD, optim.Adam, optim.AdamW),
    "FineTune.schedule": RATES,
    "FineTune.augment": (Jitter,),
    "Guard.then": (stop, undo, halve),
    "Prune.scores": (*SCORES, *ROWS),
    "Prune.keep": KEEP,
    "Prune.schedule": SCHEDULES,
    "Prune.during": TRAINING,
    "Quantize.weights": (*kinds.UNIFORM, *NAMES.values()),
    "Quantize.per": kinds.PER_WEIGHT,
    "Quantize.weight_ranges": kinds.RANGES,
    "Quantize.inputs": (*kinds.UNIFORM, kinds.quantize.Dynamic),
    "Quantize.first_inputs": kinds.UNIFORM,
    "Quantize.input_ranges": kinds.RANGES,
    "Quantize.during": TRAINING,
    "Quantize.through": (kinds.transforms.FakeQuantize, *kinds.TRAINED_THROUGH),
    "Quantize.train_inputs": (transforms.pact, transforms.learned_step, transforms.learned_offset),
    "Quantize.method": (
        quantize.gptq,
        quantize.ldlq,
        quantize.obq,
        quantize.nearest_plane,
        quantize.k_best,
        quantize.coordinate_descent,
        quantize.adaround,
        quantize.signround,
        quantize.gpfq,
        quantize.hqq,
        quantize.spqr,
    ),
    "Quantize.low_rank": (quantize.lqer, quantize.l2qer, quantize.qera, quantize.svdquant),
    "MixedPrecision.choices": (Quantize,),
    "MixedPrecision.sensitivity": (quantize.hawq,),
    "Preprocess.by": (quantize.magr,),
    "magr.per": kinds.PER_WEIGHT,
    "Rescale.by": (quantize.smoothquant,),
    "Reconstruct.method": (prune.alps, prune.obc, prune.sparsegpt, prune.woodfisher),
    "Regrow.by": (RigL, SET, SNFS, DeepR),
    "Regrow.during": TRAINING,
    "Factor.by": (factor.svd, factor.activation_svd),
    "Factor.during": TRAINING,
    "Share.by": (quantize.kmeans, quantize.optimal_kmeans),
    "Share.importance": (quantize.fisher_importance, quantize.hessian_importance),
    "Share.during": TRAINING,
    "kmeans.init": (quantize.linear, quantize.density, quantize.random, quantize.kmeans_plus_plus),
    "Shrink.scores": ROWS,
    "Rewind.to": (MLP.init,),
    "Sparsify.by": (
        transforms.SoftThreshold,
        transforms.Supermask,
        transforms.NofM,
        transforms.Powerpropagation,
        transforms.Movement,
        transforms.SoftMovement,
        transforms.HardConcrete,
        transforms.Variational,
        L1,
        GroupLasso,
        Surgery,
        TopKAST,
    ),
    "Sparsify.during": TRAINING,
    "TopKAST.keep": KEEP,
    "Update.during": TRAINING,
    "Distill.student": (MLP.init,),
    "Distill.teacher": (Original,),
    "Distill.soft": SOFT,
    "Distill.match": (Match,),
    "Match.loss": FEATURES,
    "hint.activation": kinds.ACTIVATIONS,
    "factor_transfer.activation": kinds.ACTIVATIONS,
    "neuron_selectivity.kernel": KERNELS,
    "correlation_congruence.kernel": KERNELS,
    "Distill.ensemble": (distill.geometric_mean, distill.arithmetic_mean),
    "Distill.T_schedule": RATES,
    "Distill.alpha_schedule": RATES,
    "Distill.during": (FineTune,),
    **{f"{f.__name__}.reduction": REDUCTIONS for f in (*SOFT, *FEATURES) if "reduction" in signature(f).parameters},
}
"""What may stand at which key, where its annotation leaves it open."""

STEPS: dict[str, Any] = {
    step.__name__: step
    for step in (
        Prune,
        Reconstruct,
        Shrink,
        Regrow,
        Rewind,
        Sparsify,
        Equalize,
        Rescale,
        Preprocess,
        Quantize,
        MixedPrecision,
        Share,
        Factor,
        FineTune,
        Distill,
        Update,
    )
}
