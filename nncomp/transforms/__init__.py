"""Differentiable functions of a latent weight, or of a layer's inputs, each with its surrogate gradient stated."""

from nncomp.transforms.accumulator import A2Q
from nncomp.transforms.binary import XNOR, BinaryConnect, StochasticBinaryConnect
from nncomp.transforms.dorefa import DoReFa
from nncomp.transforms.fake_quantize import FakeQuantize
from nncomp.transforms.gradient_rules import DSQ, EWGS
from nncomp.transforms.hard_concrete import HardConcrete
from nncomp.transforms.learned_input import LearnedOffset, LearnedStep, learned_offset, learned_step
from nncomp.transforms.learned_step import LSQ
from nncomp.transforms.masking import Masked
from nncomp.transforms.movement import Movement, SoftMovement
from nncomp.transforms.n_of_m import NofM
from nncomp.transforms.piecewise_affine import PARQ, shrink_onto
from nncomp.transforms.powerpropagation import Powerpropagation
from nncomp.transforms.quantization_noise import QuantizationNoise
from nncomp.transforms.relaxed import BinaryRelax, Relaxed
from nncomp.transforms.rounded import Rounded
from nncomp.transforms.soft_threshold import SoftThreshold
from nncomp.transforms.supermask import Supermask
from nncomp.transforms.ternary import TTQ, TWN
from nncomp.transforms.trained_input import PACT, TrainedInput, pact
from nncomp.transforms.trained_interval import TrainedDSQ, TrainedEWGS
from nncomp.transforms.trained_threshold import TQT
from nncomp.transforms.variational import Variational

__all__ = [
    "A2Q",
    "DSQ",
    "EWGS",
    "LSQ",
    "PACT",
    "PARQ",
    "TQT",
    "TTQ",
    "TWN",
    "XNOR",
    "BinaryConnect",
    "BinaryRelax",
    "DoReFa",
    "FakeQuantize",
    "HardConcrete",
    "LearnedOffset",
    "LearnedStep",
    "Masked",
    "Movement",
    "NofM",
    "Powerpropagation",
    "QuantizationNoise",
    "Relaxed",
    "Rounded",
    "SoftMovement",
    "SoftThreshold",
    "StochasticBinaryConnect",
    "Supermask",
    "TrainedDSQ",
    "TrainedEWGS",
    "TrainedInput",
    "Variational",
    "learned_offset",
    "learned_step",
    "pact",
    "shrink_onto",
]
