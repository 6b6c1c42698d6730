"""Distillation losses on plain arrays: outputs of student and teacher in, loss and explicit gradients out."""

from nncomp.distill.soft_targets import batchmean, elementmean, kd, kl_divergence, summed

__all__ = ["batchmean", "elementmean", "kd", "kl_divergence", "summed"]
