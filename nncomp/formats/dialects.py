"""What each system makes of a weight: the scale, the division, the zero point, the rounding, the range; by name.

Proved bit for bit against the installed package by `tests/crosscheck/test_dialects*.py`, which are skipped where it is
absent, scales, codes and, where it makes them, values or codes of sums of products:

- among the peers: `onnx`, `onnxruntime`, the three of PyTorch, `torchao`; `brevitas` (0.13.4); `nncf` (3.4.0), by
  whole models in ONNX; of TFLite (ai-edge-litert 2.3.0) `tflite_twice`, `tflite_reference`, `tflite_ruy` and `xnnpack`,
  save the scale of weights, which comes from elsewhere, as from `ai_edge_quantizer`;
- by hand, as they drag in too much to be peers, or ask for one version of one: `compressed_tensors` (0.20.0, with
  transformers), `aimet` (aimet-torch 2.42.0, with torchvision and what draws in notebooks), `ai_edge_quantizer`
  (0.10.0).

By the formula in their sources: `tflite_once`, since no package of TFLite is built with TFLITE_SINGLE_ROUNDING; how
`gemmlowp` encodes floats, and its scale. It has no package; how it requantizes is proved by MUL and CONV_2D of TFLite,
which call it. GGUF's formats are in `gguf.py`, proved against its package.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

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
from nncomp.formats.weight_scales import (
    at_least_epsilon,
    at_least_normal,
    epsilon_for_zero,
    one_for_subnormal,
    one_for_zero,
    size_at_least,
    size_of_largest,
    widest_of_halves,
)
from nncomp.shown import shown


@dataclass(frozen=True, repr=False)
class Dialect:
    """`weights`: the grid of symmetric int8 weights, with the system's range, scale, arithmetic and rounding.

    `requantize`: from sums of products to codes, where the system does that. `scale`: of the ends of weights.

    >>> x, one = np.array([0.5, 1.5], np.float32), np.float32(1)
    >>> onnxruntime.encode(x, one, 1, -128, 127), torch_per_channel.encode(x, one, 1, -128, 127)
    (array([1, 3], dtype=int32), array([2, 2], dtype=int32))
    """

    weights: Uniform = Uniform()
    requantize: Callable[..., np.ndarray] | None = None
    scale: Callable[[np.ndarray, np.ndarray, Uniform], np.ndarray] = one_for_zero

    __repr__ = shown

    def fit(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Scales of float32 weights from `low` to `high`, to the last bit the system's own; ValueError if infinite.

        `weights.fit` may be one rounding off, and has 1 where all are zero.

        >>> compressed_tensors.fit(np.float32([-1, 0]), np.float32([255, 0]))
        array([2.0000000e+00, 1.1920929e-07], dtype=float32)
        """
        if low.shape != high.shape or low.dtype != np.float32 or high.dtype != np.float32 or not (low <= high).all():
            raise ValueError(
                "ends are float32 of one shape, low <= high, "
                f"not {low.dtype} {low.shape} and {high.dtype} {high.shape}, from {low.max()} to {high.min()}"
            )
        with np.errstate(over="ignore"):  # caught below
            scale = self.scale(low, high, self.weights)
        if not np.isfinite(scale).all():
            raise ValueError(f"no finite scale for weights from {low.min()} to {high.max()}")
        return scale

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
onnxruntime = Dialect(NARROW, round_then_zero, one_for_subnormal)
torch_fake_quantize = Dialect(HALF_PRODUCT, scale=at_least_epsilon)
"""`torch.fake_quantize_per_tensor_affine`."""
torch_per_channel = Dialect(replace(HALF, arithmetic=multiply_add_round), round_then_zero, at_least_epsilon)
"""`torch.quantize_per_channel`."""
torch_per_tensor = Dialect(replace(HALF, arithmetic=fused_add_round), round_then_zero, at_least_epsilon)
"""`torch.quantize_per_tensor`, on processors with fused multiply-add. Both requantize as FBGEMM does."""
torchao = Dialect(HALF_PRODUCT, scale=at_least_normal)
"""`quantize_affine`, mapping SYMMETRIC."""
compressed_tensors = Dialect(replace(HALF, arithmetic=divide_add_round), scale=epsilon_for_zero)
nncf = Dialect(NARROW, scale=size_of_largest)
"""`nncf.quantize` of an ONNX model; `size_of_largest` is of all the scales that are fitted at once."""
aimet = Dialect(NARROW, scale=widest_of_halves)
"""`Quantize`, strictly symmetric; `QuantizeDequantize` has the same scale and rounds as `torch_fake_quantize`."""
brevitas = Dialect(replace(NARROW, arithmetic=divide_add_round), scale=partial(size_at_least, least=1e-10))
"""`Int8WeightPerTensorFloat`, `Int8WeightPerChannelFloat`."""
ai_edge_quantizer = Dialect(replace(NARROW, arithmetic=divide_add_round), scale=partial(size_at_least, least=1e-9))
"""What makes weights of TFLite's today."""
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
