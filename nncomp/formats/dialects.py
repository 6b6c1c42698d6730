"""What each system makes of a weight: the scale, the division, the zero point, the rounding, the range; by name.

Proved bit for bit against the installed package (`tests/crosscheck`): `onnxruntime`, the three of PyTorch, `torchao`;
of TFLite `tflite_twice`, `tflite_reference`, `tflite_ruy` and `xnnpack` (ai-edge-litert 2.3.0), whose MUL and CONV_2D
prove how `gemmlowp` requantizes, too. The others follow the formula in their sources; so does `tflite_once`, since no
package of TFLite is built with TFLITE_SINGLE_ROUNDING.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nncomp.formats.arithmetic import divide_add_round, fused_add_round, multiply_add_round, multiply_round_add
from nncomp.formats.requantize import (
    round_away_then_zero,
    round_then_zero,
    tflite_double,
    tflite_single,
    tflite_upward,
    zero_then_round,
)
from nncomp.formats.rounding import nearest_away
from nncomp.formats.scale_rules import half_range
from nncomp.formats.uniform import Uniform
from nncomp.shown import shown


@dataclass(frozen=True, repr=False)
class Dialect:
    """`weights`: the grid of symmetric int8 weights, with the system's range, scale, arithmetic and rounding.

    `requantize`: from sums of products to codes, where the system does that.

    >>> x, one = np.array([0.5, 1.5], np.float32), np.float32(1)
    >>> onnxruntime.encode(x, one, 1, -128, 127), torch_per_channel.encode(x, one, 1, -128, 127)
    (array([1, 3], dtype=int32), array([2, 2], dtype=int32))
    """

    weights: Uniform = Uniform()
    requantize: Callable[..., np.ndarray] | None = None

    __repr__ = shown

    def encode(self, x: np.ndarray, scale: np.ndarray, zero: np.ndarray | int, low: int, high: int) -> np.ndarray:
        """Codes in int32 of float32 x; scale and zero broadcast with it. NaN raises, infinities saturate."""
        if x.dtype != np.float32 or np.isnan(x).any():
            raise ValueError(f"float32 without NaN is encoded, not {x.dtype}")
        w = self.weights
        with np.errstate(over="ignore"):
            q = w.arithmetic(x, np.asarray(scale, np.float32), np.asarray(zero, np.float32), w.rounding)
        return np.clip(q, low, high).astype(np.int32)


FULL, NARROW, NARROW_AWAY = Uniform(), Uniform(narrow=True), Uniform(narrow=True, rounding=nearest_away)
HALF = Uniform(scale_rule=half_range)
HALF_PRODUCT = replace(HALF, arithmetic=multiply_round_add)

onnx = Dialect(FULL, requantize=zero_then_round)
"""The operators' reference evaluator."""
onnxruntime = Dialect(NARROW, requantize=round_then_zero)
torch_fake_quantize = Dialect(HALF_PRODUCT)
"""`torch.fake_quantize_per_tensor_affine`."""
torch_per_channel = Dialect(replace(HALF, arithmetic=multiply_add_round))
"""`torch.quantize_per_channel`."""
torch_per_tensor = Dialect(replace(HALF, arithmetic=fused_add_round))
"""`torch.quantize_per_tensor`, on processors with fused multiply-add."""
torchao = Dialect(HALF_PRODUCT)
"""`quantize_affine`, mapping SYMMETRIC."""
compressed_tensors = Dialect(HALF)
nncf = Dialect(FULL)
aimet = Dialect(NARROW)
brevitas = Dialect(NARROW)
tflite_once = Dialect(NARROW_AWAY, requantize=tflite_single)
"""TFLite's reference QUANTIZE; requantized as where it is built with TFLITE_SINGLE_ROUNDING."""
tflite_twice = Dialect(NARROW_AWAY, requantize=tflite_double)
"""The same; requantized as otherwise by MUL, and by the reference CONV_2D and BATCH_MATMUL."""
tflite_reference = Dialect(NARROW_AWAY, requantize=round_away_then_zero)
"""The same; requantized as by the reference FULLY_CONNECTED."""
tflite_ruy = Dialect(NARROW_AWAY, requantize=tflite_upward)
"""The same; requantized as by FULLY_CONNECTED and CONV_2D on ruy: without a delegate."""
xnnpack = Dialect(replace(NARROW, arithmetic=multiply_round_add), requantize=round_then_zero)
"""TFLite's delegate for processors, which is on unless turned off."""
gemmlowp = Dialect(replace(NARROW_AWAY, arithmetic=divide_add_round), requantize=tflite_double)
