"""NVFP4: blocks of sixteen 4-bit floats, an 8-bit float as each one's scale, a float32 over all (NVIDIA 2025)."""

from dataclasses import dataclass

import numpy as np

from nncomp.formats.floats import float4_e2m1fn, float8_e4m3fn
from nncomp.formats.format import Format
from nncomp.formats.granularity import block_sizes, spread


@dataclass(frozen=True, repr=False)
class NVFP4(Format):
    """`x = c s t`: c in e2m1, s in e4m3 for each `size` neighbours in a row, t in float32 for the tensor.

    `s = e4m3(amax / 6 / t)`, limited to what e4m3 holds and at least `least`, its smallest normal number. `reciprocal`:
    x is multiplied by `1 / t / s` in float32, as torchao and its kernels do; else divided by `s t`. The last block of a
    row may be shorter.

    >>> x = np.array([[0.5, -6.0, 3.0, 0.1] * 4], np.float32)
    >>> codes, scales, t = nvfp4.encode(x, t=np.ones(1, np.float32))
    >>> nvfp4.decode(codes, scales, t)[0, :4], nvfp4.bits
    (array([ 0.5, -6. ,  3. ,  0. ], dtype=float32), 4.5)
    """

    size: int = 16
    least: float = 2.0**-6
    reciprocal: bool = True

    code_bits = 4
    dtype = np.dtype(np.uint8)
    beside = 2

    def __post_init__(self) -> None:
        if self.size < 1 or not 0 < self.least <= 448:
            raise ValueError(f"blocks of at least 1 and scales from above 0 to 448, not {self.size} and {self.least}")

    @property
    def bits(self) -> float:
        """Of a weight, its share of the block's scale included; the tensor's 32 come once."""
        return 4 + 8 / self.size

    def tensor_scale(self, x: np.ndarray) -> np.ndarray:
        """`t = amax / (448 * 6)`, float32 (1,): the largest block's scale is then the largest e4m3; 1 for zeros."""
        with np.errstate(over="ignore"):
            amax = np.float32(np.abs(x).max(initial=0))
            t = np.float32(1) if amax == 0 and not x.any() else amax / np.float32(448 * 6)
            if not (np.isfinite(t) and t > 0 and np.isfinite(1 / t)):
                raise ValueError(f"values up to {np.abs(x).max()} have no float32 that scales them, and no reciprocal")
        return np.full(1, t, np.float32)

    def encode(self, x: np.ndarray, t: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Codes (rows, columns) and scales (rows, blocks), both in uint8, and t (1,) in float32: `tensor_scale(x)`."""
        sizes = block_sizes(x, self.size)
        t = self.tensor_scale(x) if t is None else t
        if t.shape != (1,) or t.dtype != np.float32 or not (np.isfinite(t).all() and (t > 0).all()):
            raise ValueError(f"t is one positive float32 of shape (1,), not {t.dtype} {t.shape}: {t}")
        scales = float8_e4m3fn.encode(
            np.clip(sizes.astype(np.float32) / np.float32(6) / t, np.float32(self.least), np.float32(448))
        )
        s = spread(float8_e4m3fn.decode(scales), self.size, x.shape[1])
        scaled = x.astype(np.float32) * (np.float32(1) / t / s) if self.reciprocal else x.astype(np.float32) / (s * t)
        return float4_e2m1fn.encode(scaled), scales, t

    def decode(self, codes: np.ndarray, scales: np.ndarray, t: np.ndarray) -> np.ndarray:
        """The numbers, in float32."""
        if (
            codes.ndim != 2
            or scales.shape != (len(codes), -(-codes.shape[1] // self.size))
            or t.shape != (1,)
            or t.dtype != np.float32
        ):
            raise ValueError(
                f"codes {codes.shape} in blocks of {self.size} do not fit {scales.shape} and {t.dtype} {t.shape}"
            )
        return float4_e2m1fn.decode(codes) * spread(float8_e4m3fn.decode(scales) * t, self.size, codes.shape[1])


nvfp4 = NVFP4()
