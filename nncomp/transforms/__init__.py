"""Differentiable functions of a latent weight, each with its surrogate gradient stated."""

from nncomp.transforms.fake_quantize import FakeQuantize
from nncomp.transforms.masking import Masked

__all__ = ["FakeQuantize", "Masked"]
