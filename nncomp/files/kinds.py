"""The words of a file: which class or function each name in a header stands for. A new form joins by one line here."""

from nncomp import activations, formats, norm, quantize, transforms, weights
from nncomp.layer import Linear
from nncomp.network import MLP

CLASSES = {
    cls.__name__: cls
    for cls in (
        MLP, Linear, norm.BatchNorm,
        weights.Dense, weights.Sparse, weights.Quantized, weights.Latent,
        transforms.FakeQuantize, transforms.Masked,
        formats.Grid, formats.Uniform, formats.PerTensor, formats.PerRow, formats.PerGroup,
        quantize.Dynamic, quantize.Percentile,
        activations.Identity, activations.ReLU, activations.LeakyReLU, activations.Tanh, activations.Sigmoid,
        activations.SiLU, activations.GELU, activations.GELUTanh, activations.Softmax, activations.LogSoftmax,
    )
}  # fmt: skip

FUNCTIONS = {
    function.__name__: function
    for function in (
        formats.nearest_even, formats.nearest_away,
        formats.largest_code, formats.half_range, formats.lowest_code,
        quantize.minmax,
    )
}  # fmt: skip
"""All exact names of functions that a format or an input quantizer may refer to."""
