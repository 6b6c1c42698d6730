"""Distillation losses on plain arrays: outputs of student and teacher in, loss and explicit gradients out.

Every loss returns `(loss, gradient at the student)`; one that has arrays of its own, which train along, takes them
after the teacher's and returns their gradients third, a tuple in that order. Nothing flows to the teacher. Logarithms
are natural: divergences are in nats. What does not fit gets a ValueError that shows it: other shapes, an empty batch,
NaN and infinity, labels that are no class, a setting out of its range, a result beyond its dtype's.

    outputs     `kl_divergence`, `soft_cross_entropy`, `kd`, `reverse_kl`, `jensen_shannon`, `alpha_divergence`,
                `total_variation`, `logit_regression`, `dkd`, `dist`, `nkd`, `logit_standardization`, `label_smoothing`;
                `correct_prior` and `best_bias` for logits learned under other class priors;
                `geometric_mean` and `arithmetic_mean` of several teachers
    features    `hint`, `attention_transfer`, `activation_boundaries`, `margin_relu`, `neuron_selectivity`, `vid`,
                `paraphrase` and `factor_transfer`, `pkd`
    relations   `rkd_distance`, `rkd_angle`, `similarity_preserving`, `correlation_congruence`, `pkt`, `contrastive`
"""

from nncomp.distill.alpha_divergence import alpha_divergence
from nncomp.distill.attention import attention_transfer
from nncomp.distill.boundaries import activation_boundaries
from nncomp.distill.class_prior import best_bias, correct_prior
from nncomp.distill.contrastive import contrastive
from nncomp.distill.correlation import dist
from nncomp.distill.correlation_congruence import correlation_congruence
from nncomp.distill.decoupled import dkd
from nncomp.distill.divergences import jensen_shannon, reverse_kl, total_variation
from nncomp.distill.ensemble import arithmetic_mean, geometric_mean
from nncomp.distill.factor_transfer import factor_transfer, factors, paraphrase
from nncomp.distill.hints import hint
from nncomp.distill.label_smoothing import label_smoothing
from nncomp.distill.logit_regression import logit_regression
from nncomp.distill.margin_relu import margin_relu, margins
from nncomp.distill.neuron_selectivity import neuron_selectivity
from nncomp.distill.normalized import nkd
from nncomp.distill.patient import pkd
from nncomp.distill.probabilistic_transfer import pkt
from nncomp.distill.reductions import batchmean, elementmean, summed
from nncomp.distill.relational import rkd_angle, rkd_distance
from nncomp.distill.similarity import gaussian_kernel, linear_kernel, polynomial_kernel, taylor_kernel
from nncomp.distill.similarity_preserving import similarity_preserving
from nncomp.distill.soft_targets import kd, kl_divergence, soft_cross_entropy
from nncomp.distill.standardization import logit_standardization
from nncomp.distill.variational import vid

__all__ = [
    "activation_boundaries",
    "alpha_divergence",
    "arithmetic_mean",
    "attention_transfer",
    "batchmean",
    "best_bias",
    "contrastive",
    "correct_prior",
    "correlation_congruence",
    "dist",
    "dkd",
    "elementmean",
    "factor_transfer",
    "factors",
    "gaussian_kernel",
    "geometric_mean",
    "hint",
    "jensen_shannon",
    "kd",
    "kl_divergence",
    "label_smoothing",
    "linear_kernel",
    "logit_regression",
    "logit_standardization",
    "margin_relu",
    "margins",
    "neuron_selectivity",
    "nkd",
    "paraphrase",
    "pkd",
    "pkt",
    "polynomial_kernel",
    "reverse_kl",
    "rkd_angle",
    "rkd_distance",
    "similarity_preserving",
    "soft_cross_entropy",
    "summed",
    "taylor_kernel",
    "total_variation",
    "vid",
]
