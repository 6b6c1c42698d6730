"""Differentiable functions of a latent weight, each with its surrogate gradient stated."""

from nncomp.transforms.fake_quantize import FakeQuantize
from nncomp.transforms.masking import Masked
from nncomp.transforms.n_of_m import NofM
from nncomp.transforms.powerpropagation import Powerpropagation
from nncomp.transforms.soft_threshold import SoftThreshold
from nncomp.transforms.supermask import Supermask

__all__ = ["FakeQuantize", "Masked", "NofM", "Powerpropagation", "SoftThreshold", "Supermask"]
