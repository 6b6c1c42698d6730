"""Number formats: what codes stand for which real numbers, with every convention a named value."""

from nncomp.formats.arithmetic import (
    divide_add_round,
    divide_round_add,
    fused_add_round,
    multiply_add_round,
    multiply_round_add,
)
from nncomp.formats.block_scaled import (
    BlockScaled,
    ceil_scale,
    even_scale,
    floor_scale,
    mxfp4,
    mxfp6_e2m3,
    mxfp6_e3m2,
    mxfp8_e4m3,
    mxfp8_e5m2,
    mxint8,
    ratio_ceil_scale,
)
from nncomp.formats.codebook import (
    Codebook,
    additive_powers_of_two,
    binary,
    nf4,
    normal_float,
    powers_of_two,
    ternary,
)
from nncomp.formats.fixed_point import FixedPoint, saturate, wrap
from nncomp.formats.floats import (
    Float,
    bfloat16,
    float4_e2m1fn,
    float6_e2m3fn,
    float6_e3m2fn,
    float8_e4m3fn,
    float8_e4m3fnuz,
    float8_e5m2,
    float8_e5m2fnuz,
    float16,
)
from nncomp.formats.format import Format
from nncomp.formats.gguf import GGUF, q4_0, q4_1, q5_0, q5_1, q8_0, tq1_0, tq2_0
from nncomp.formats.granularity import PerColumn, PerGroup, PerRow, PerTensor
from nncomp.formats.grid import Grid
from nncomp.formats.multiplier import (
    multiply_once_rounded,
    multiply_twice_rounded,
    multiply_twice_upward,
    quantize_multiplier,
)
from nncomp.formats.noise import sqnr
from nncomp.formats.requantize import (
    round_away_then_zero,
    round_then_zero,
    tflite_double,
    tflite_single,
    tflite_upward,
    zero_then_round,
)
from nncomp.formats.rounding import half_up, nearest_away, nearest_even, stochastic
from nncomp.formats.saturation import accumulate16, pair_sums, wrap_sums
from nncomp.formats.scale_rules import half_range, largest_code, lowest_code
from nncomp.formats.two_scales import NVFP4, nvfp4
from nncomp.formats.uniform import Uniform

__all__ = [
    "GGUF", "NVFP4", "BlockScaled", "Codebook", "FixedPoint", "Float", "Format", "Grid", "PerColumn", "PerGroup",
    "PerRow", "PerTensor", "Uniform", "accumulate16", "additive_powers_of_two", "bfloat16", "binary", "ceil_scale",
    "divide_add_round", "divide_round_add", "even_scale", "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn",
    "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float16", "floor_scale", "fused_add_round",
    "half_range", "half_up", "largest_code", "lowest_code", "multiply_add_round", "multiply_once_rounded",
    "multiply_round_add", "multiply_twice_rounded", "multiply_twice_upward", "mxfp4", "mxfp6_e2m3", "mxfp6_e3m2",
    "mxfp8_e4m3", "mxfp8_e5m2", "mxint8", "nearest_away", "nearest_even", "nf4", "normal_float", "nvfp4", "pair_sums",
    "powers_of_two", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "quantize_multiplier", "ratio_ceil_scale",
    "round_away_then_zero", "round_then_zero", "saturate", "sqnr", "stochastic", "ternary", "tflite_double",
    "tflite_single", "tflite_upward", "tq1_0", "tq2_0", "wrap", "wrap_sums", "zero_then_round",
]  # fmt: skip
