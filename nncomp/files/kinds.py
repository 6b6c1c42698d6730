"""The grammar of a network file: which classes and functions may stand at which field.

Numbers, arrays and lists are told by the fields' own annotations; here stands what these leave open, a protocol or a
function. A new form joins by its name at one line, and by one more with its own fields.
"""

from collections.abc import Callable

from nncomp import activations, formats, norm, quantize, transforms, weights
from nncomp.layer import Linear
from nncomp.network import MLP

UNIFORM = (formats.Uniform,)
PER_INPUT = (formats.PerTensor, formats.PerRow)
PER_WEIGHT = (*PER_INPUT, formats.PerGroup)
RANGES = (quantize.minmax, quantize.Percentile)
ACTIVATIONS = (
    activations.Identity, activations.ReLU, activations.LeakyReLU, activations.Tanh, activations.Sigmoid,
    activations.SiLU, activations.GELU, activations.GELUTanh, activations.Softmax, activations.LogSoftmax,
)  # fmt: skip

CHOICES: dict[str, tuple[Callable, ...]] = {
    "network": (MLP,),
    "MLP.layers": (Linear,),
    "Linear.weight": (weights.Dense, weights.Sparse, weights.Quantized, weights.Latent, weights.Nested),
    "Linear.activation": ACTIVATIONS,
    "Linear.norm": (norm.BatchNorm,),
    "Linear.input": (formats.Grid, quantize.Dynamic),
    "Quantized.codes": (weights.Sparse,),
    "Quantized.grid": (formats.Grid,),
    "Latent.transform": (
        transforms.FakeQuantize,
        transforms.Masked,
        transforms.SoftThreshold,
        transforms.Powerpropagation,
        transforms.Supermask,
        transforms.NofM,
        transforms.Movement,
        transforms.SoftMovement,
        transforms.HardConcrete,
        transforms.Variational,
    ),
    "FakeQuantize.format": UNIFORM,
    "FakeQuantize.per": PER_WEIGHT,
    "FakeQuantize.ranges": RANGES,
    "Dynamic.format": UNIFORM,
    "Dynamic.per": PER_INPUT,
    "Dynamic.ranges": RANGES,
    "Grid.format": UNIFORM,
    "Uniform.rounding": (formats.nearest_even, formats.nearest_away),
    "Uniform.scale_rule": (formats.largest_code, formats.half_range, formats.lowest_code),
}


def choices(place: str) -> dict[str, Callable]:
    """The classes and functions that may stand at `place`, written `Class.field`, by their names."""
    return {choice.__name__: choice for choice in CHOICES.get(place, ())}
