"""What each system makes of a weight: the scale, the division, the zero point, the rounding, the range; by name.

Proved bit for bit against the installed package (`tests/crosscheck`): `onnxruntime`, the three of PyTorch, `torchao`.
The others follow the formula in their sources.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nncomp.formats.requantize import round_then_zero, tflite_double, tflite_single, zero_then_round
from nncomp.formats.rounding import nearest_away, nearest_even
from nncomp.formats.scale_rules import half_range
from nncomp.formats.uniform import Uniform
from nncomp.shown import shown


@dataclass(frozen=True, repr=False)
class Dialect:
    """`q = clip(round(x / scale) + zero)`, and all that differs from it.

    `weights`: the range of symmetric int8 weights, and what their largest size is divided by for a scale. `rounding`:
    at ties. `reciprocal`: x is multiplied by `1 / scale` instead of divided by scale. `zero`: the zero point is added
    `after` rounding, `before` it, or `fused` with that product, both rounded to float32 as one. `requantize`: from sums
    of products to codes, where the system does that.

    >>> x, one = np.array([0.5, 1.5], np.float32), np.float32(1)
    >>> onnxruntime.encode(x, one, 1, -128, 127), torch_per_channel.encode(x, one, 1, -128, 127)
    (array([1, 3], dtype=int32), array([2, 2], dtype=int32))
    """

    weights: Uniform = Uniform()
    rounding: Callable[[np.ndarray], np.ndarray] = nearest_even
    reciprocal: bool = False
    zero: Literal["after", "before", "fused"] = "after"
    requantize: Callable[..., np.ndarray] | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        if self.zero not in ("after", "before", "fused"):
            raise ValueError(f"a zero point is added after, before or fused, not {self.zero!r}")
        if self.zero == "fused" and not self.reciprocal:
            raise ValueError("a zero point is fused with a product, and x / scale is none")

    def encode(self, x: np.ndarray, scale: np.ndarray, zero: np.ndarray | int, low: int, high: int) -> np.ndarray:
        """Codes in int32 of float32 x; scale and zero broadcast with it. NaN raises, infinities saturate."""
        if x.dtype != np.float32 or np.isnan(x).any():
            raise ValueError(f"float32 without NaN is encoded, not {x.dtype}")
        scale, z = np.asarray(scale, np.float32), np.asarray(zero, np.float32)
        with np.errstate(over="ignore"):
            if self.zero == "fused":
                product = x.astype(np.float64) * (np.float32(1) / scale)  # exact
                q = self.rounding((product + z).astype(np.float32))
            else:
                v = x * (np.float32(1) / scale) if self.reciprocal else x / scale
                q = self.rounding(v + z) if self.zero == "before" else self.rounding(v) + z
        return np.clip(q, low, high).astype(np.int32)


FULL, HALF, NARROW = Uniform(), Uniform(scale_rule=half_range), Uniform(narrow=True)

onnx = Dialect(FULL, requantize=zero_then_round)
"""The operators' reference evaluator."""
onnxruntime = Dialect(NARROW, requantize=round_then_zero)
torch_fake_quantize = Dialect(HALF, reciprocal=True)
"""`torch.fake_quantize_per_tensor_affine`."""
torch_per_channel = Dialect(HALF, reciprocal=True, zero="before")
"""`torch.quantize_per_channel`."""
torch_per_tensor = Dialect(HALF, reciprocal=True, zero="fused")
"""`torch.quantize_per_tensor`, on processors with fused multiply-add."""
torchao = Dialect(HALF, reciprocal=True)
"""`quantize_affine`, mapping SYMMETRIC."""
compressed_tensors = Dialect(HALF)
nncf = Dialect(FULL)
aimet = Dialect(NARROW)
brevitas = Dialect(NARROW)
tflite_once = Dialect(NARROW, nearest_away, requantize=tflite_single)
tflite_twice = Dialect(NARROW, nearest_away, requantize=tflite_double)
gemmlowp = Dialect(NARROW, nearest_away, zero="before", requantize=tflite_double)
