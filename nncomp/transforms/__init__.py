"""Differentiable functions of a latent weight, each with its surrogate gradient stated."""

from nncomp.transforms.fake_quantize import FakeQuantize
from nncomp.transforms.hard_concrete import HardConcrete
from nncomp.transforms.masking import Masked
from nncomp.transforms.movement import Movement, SoftMovement
from nncomp.transforms.n_of_m import NofM
from nncomp.transforms.powerpropagation import Powerpropagation
from nncomp.transforms.rounded import Rounded
from nncomp.transforms.soft_threshold import SoftThreshold
from nncomp.transforms.supermask import Supermask
from nncomp.transforms.variational import Variational

__all__ = [
    "FakeQuantize",
    "HardConcrete",
    "Masked",
    "Movement",
    "NofM",
    "Powerpropagation",
    "Rounded",
    "SoftMovement",
    "SoftThreshold",
    "Supermask",
    "Variational",
]
