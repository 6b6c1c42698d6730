"""NVFP4: blocks of sixteen 4-bit floats, an 8-bit float as each one's scale, a float32 over all (NVIDIA 2025)."""

from dataclasses import dataclass

import numpy as np

from nncomp.formats.floats import float4_e2m1fn, float8_e4m3fn
from nncomp.shown import shown


@dataclass(frozen=True, repr=False)
class NVFP4:
    """`x = c s t`: c in e2m1, s in e4m3 for each `size` neighbours in a row, t in float32 for the tensor.

    `s = e4m3(amax / 6 / t)`, limited to what e4m3 holds and at least `least`, its smallest normal number. `reciprocal`:
    x is multiplied by `1 / t / s` in float32, as torchao and its kernels do; else divided by `s t`.

    >>> x = np.array([[0.5, -6.0, 3.0, 0.1] * 4], np.float32)
    >>> codes, scales = NVFP4().encode(x, t=np.float32(1.0))
    >>> NVFP4().decode(codes, scales, np.float32(1.0))[0, :4], NVFP4().bits
    (array([ 0.5, -6. ,  3. ,  0. ], dtype=float32), 4.5)
    """

    size: int = 16
    least: float = 2.0**-6
    reciprocal: bool = True

    __repr__ = shown

    def __post_init__(self) -> None:
        if self.size < 1 or not 0 < self.least <= 448:
            raise ValueError(f"blocks of at least 1 and scales from above 0 to 448, not {self.size} and {self.least}")

    @property
    def bits(self) -> float:
        """Of a weight, its share of the block's scale included; the tensor's 32 come once."""
        return 4 + 8 / self.size

    def tensor_scale(self, x: np.ndarray) -> np.float32:
        """`t = amax / (448 * 6)`, float32: the largest block's scale is then the largest e4m3; 1 for zeros."""
        amax = np.float32(np.abs(x).max(initial=0))
        return np.float32(1) if amax == 0 else np.float32(amax / np.float32(448 * 6))

    def encode(self, x: np.ndarray, t: np.float32) -> tuple[np.ndarray, np.ndarray]:
        """Codes (rows, columns) and scales (rows, blocks), both in uint8, of whole blocks of floats, in float32."""
        if x.ndim != 2 or x.shape[1] % self.size or not np.isfinite(x).all() or not (np.isfinite(t) and t > 0):
            raise ValueError(
                f"rows are finite and of whole blocks of {self.size}, t positive, not {x.dtype} {x.shape}, {t}"
            )
        blocks = x.astype(np.float32).reshape(len(x), x.shape[1] // self.size, self.size)
        scales = np.abs(blocks).max(axis=2) / np.float32(6) / t
        scales = float8_e4m3fn.encode(np.clip(scales, np.float32(self.least), np.float32(448)))
        s = float8_e4m3fn.decode(scales)[:, :, None]
        scaled = blocks * (np.float32(1) / t / s) if self.reciprocal else blocks / (s * t)
        return float4_e2m1fn.encode(scaled).reshape(x.shape), scales

    def decode(self, codes: np.ndarray, scales: np.ndarray, t: np.float32) -> np.ndarray:
        """The numbers, in float32."""
        if codes.ndim != 2 or codes.shape[1] != self.size * scales.shape[1] or len(codes) != len(scales):
            raise ValueError(f"codes {codes.shape} in blocks of {self.size} do not fit scales {scales.shape}")
        s = float8_e4m3fn.decode(scales) * np.float32(t)
        return float4_e2m1fn.decode(codes) * np.repeat(s, self.size, axis=1)
