"""The grammar of a network file: which classes and functions may stand at which field.

Numbers, arrays and lists are told by the fields' own annotations; here stands what these leave open, a protocol or a
function. A new form joins by its name at one line, and by one more with its own fields. Formats stand by their names.
"""

from typing import Any

from nncomp import activations, formats, norm, quantize, transforms, weights
from nncomp.formats.names import NAMES, name_of
from nncomp.layer import Linear
from nncomp.network import MLP

UNIFORM = (formats.Uniform,)
PER_INPUT = (formats.PerTensor, formats.PerRow)
PER_WEIGHT = (*PER_INPUT, formats.PerColumn, formats.PerGroup)
RANGES = (
    quantize.minmax, quantize.Percentile, quantize.MeanSquared, quantize.Entropy, quantize.EntropyOnnxRuntime,
    quantize.Deviations, quantize.ACIQ, quantize.OCTAV,
)  # fmt: skip
ACTIVATIONS = (
    activations.Identity, activations.ReLU, activations.LeakyReLU, activations.Tanh, activations.Sigmoid,
    activations.SiLU, activations.GELU, activations.GELUTanh, activations.Softmax, activations.LogSoftmax,
)  # fmt: skip

FORMAT = (*NAMES.values(), formats.BlockScaled, formats.Codebook, formats.NVFP4, formats.FixedPoint, formats.Float)
FLOATS = tuple(value for value in NAMES.values() if isinstance(value, formats.Float))
ROUNDINGS = (formats.nearest_even, formats.nearest_away, formats.half_up)
CODED = (transforms.DoReFa, transforms.BinaryConnect, transforms.XNOR, transforms.TWN)
TRAINED_THROUGH = (
    *CODED, transforms.LSQ, transforms.TQT, transforms.EWGS, transforms.DSQ, transforms.QuantizationNoise,
    transforms.StochasticBinaryConnect, transforms.TTQ, transforms.A2Q, transforms.BinaryRelax, transforms.PARQ,
    transforms.TrainedEWGS, transforms.TrainedDSQ,
)  # fmt: skip
TRAINED_INPUTS = (transforms.PACT, transforms.LearnedStep, transforms.LearnedOffset)

FACTORS = (weights.Dense, weights.Sparse, weights.Quantized, weights.Shared, weights.Encoded)
SUMMANDS = (*FACTORS, weights.LowRank)

CHOICES: dict[str, tuple[Any, ...]] = {
    "network": (MLP,),
    "MLP.layers": (Linear,),
    "Linear.weight": (*SUMMANDS, weights.Sum, weights.Latent, weights.Nested),
    "Sum.parts": SUMMANDS,
    "LowRank.A": (*FACTORS, weights.Latent),
    "LowRank.B": (*FACTORS, weights.Latent),
    "Linear.activation": ACTIVATIONS,
    "Linear.norm": (norm.BatchNorm,),
    "Linear.input": (formats.Grid, quantize.Dynamic, *TRAINED_INPUTS),
    "Quantized.codes": (weights.Sparse, weights.PackedCodes),
    "Quantized.grid": (formats.Grid,),
    "Shared.indices": (weights.Sparse, weights.PackedCodes),
    "Latent.transform": (
        transforms.FakeQuantize,
        transforms.Rounded,
        transforms.Masked,
        transforms.SoftThreshold,
        transforms.Powerpropagation,
        transforms.Supermask,
        transforms.NofM,
        transforms.Movement,
        transforms.SoftMovement,
        transforms.HardConcrete,
        transforms.Variational,
        *TRAINED_THROUGH,
    ),
    "FakeQuantize.format": UNIFORM,
    "FakeQuantize.per": PER_WEIGHT,
    "FakeQuantize.ranges": RANGES,
    "LSQ.format": UNIFORM,
    "LSQ.per": PER_WEIGHT,
    "TQT.format": UNIFORM,
    "TQT.per": PER_WEIGHT,
    "TQT.ranges": RANGES,
    "EWGS.format": UNIFORM,
    "EWGS.per": PER_WEIGHT,
    "EWGS.ranges": RANGES,
    "DSQ.format": UNIFORM,
    "DSQ.per": PER_WEIGHT,
    "DSQ.ranges": RANGES,
    "QuantizationNoise.format": UNIFORM,
    "QuantizationNoise.per": PER_WEIGHT,
    "QuantizationNoise.ranges": RANGES,
    "XNOR.per": PER_WEIGHT,
    "A2Q.format": UNIFORM,
    "BinaryRelax.onto": (transforms.FakeQuantize, *CODED),
    "PARQ.onto": (transforms.FakeQuantize, transforms.BinaryConnect, transforms.XNOR, transforms.TWN),
    "TWN.per": PER_WEIGHT,
    "Dynamic.format": UNIFORM,
    "PACT.format": UNIFORM,
    "LearnedStep.format": UNIFORM,
    "LearnedOffset.format": UNIFORM,
    "Dynamic.per": PER_INPUT,
    "Dynamic.ranges": RANGES,
    "MeanSquared.format": UNIFORM,
    "ACIQ.density": (quantize.laplace, quantize.gauss),
    "Grid.format": UNIFORM,
    "Uniform.rounding": ROUNDINGS,
    "Uniform.arithmetic": (
        formats.divide_round_add,
        formats.multiply_round_add,
        formats.divide_add_round,
        formats.multiply_add_round,
        formats.fused_add_round,
    ),
    "Uniform.scale_rule": (formats.largest_code, formats.half_range, formats.lowest_code),
    "Encoded.format": FORMAT,
    "Rounded.format": FORMAT,
    "BlockScaled.element": (*FLOATS, formats.FixedPoint, formats.Float),
    "Float.rounding": ROUNDINGS,
    "BlockScaled.scale_rule": (
        formats.floor_scale,
        formats.ceil_scale,
        formats.ratio_ceil_scale,
        formats.even_scale,
    ),
    "FixedPoint.overflow": (formats.saturate, formats.wrap),
    "FixedPoint.rounding": ROUNDINGS,
}


def choices(place: str) -> dict[str, Any]:
    """The classes, functions and formats that may stand at `place`, written `Class.field`, by their names."""
    return {word(choice): choice for choice in CHOICES.get(place, ())}


def word(choice: Any) -> str:
    """A class's or function's name, or that of a format."""
    return choice.__name__ if hasattr(choice, "__name__") else str(name_of(choice))
