"""Numbers from a table: each value becomes the nearest entry, times the largest size in its block."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtri

from nncomp.formats.format import Format
from nncomp.formats.granularity import block_sizes, spread


@dataclass(frozen=True, repr=False)
class Codebook(Format):
    """`x = values[q] a`: q the index of the nearest of `values`, which rise; a = max |x| of each `size` neighbours.

    Halfway between two, the lower one, or the higher with `up`. Blocks run along rows, the last one may be shorter; a
    is float32. A block of zeros has a = 0, and every x is 0.

    >>> codes, sizes = nf4.encode(np.array([[0.5, -2.0, 0.0]], np.float32))
    >>> nf4.decode(codes, sizes).round(3), len(nf4.values), nf4.bits
    (array([[ 0.492, -2.   ,  0.   ]], dtype=float32), 16, 4.5)
    """

    values: tuple[float, ...]
    size: int = 64
    up: bool = False

    beside = 1

    def __post_init__(self) -> None:
        table = np.array(self.values)
        if not 2 <= table.size <= 65536 or not np.isfinite(table).all() or (np.diff(table) <= 0).any():
            raise ValueError(f"a table has 2 to 65536 finite values that rise, not {table.size} of them")
        if self.size < 1:
            raise ValueError(f"a block has at least one value, not {self.size}")

    @cached_property
    def table(self) -> np.ndarray:
        """The values in float32."""
        return np.array(self.values, np.float32)

    @property
    def dtype(self) -> np.dtype:
        """Of the codes."""
        return np.dtype(np.uint8 if len(self.values) <= 256 else np.uint16)

    @property
    def bits(self) -> float:
        """Of a weight, its share of a float32 size included; a table that is the format's own is stored nowhere."""
        return self.code_bits + 32 / self.size

    @property
    def code_bits(self) -> int:
        """As many as tell its values apart."""
        return int(np.ceil(np.log2(len(self.values))))

    @property
    def zero_code(self) -> int:
        """The index of 0; a ValueError where the table has none."""
        if 0 not in self.values:
            raise ValueError(f"a table of {len(self.values)} values without 0 has no code for what is pruned")
        return self.values.index(0)

    def encode(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes (rows, columns), and sizes (rows, blocks) in float32."""
        sizes = block_sizes(x, self.size).astype(np.float32)
        each = spread(sizes, self.size, x.shape[1]).astype(np.float64)
        relative = np.divide(x, each, out=np.zeros(x.shape), where=each > 0)
        wide = self.table.astype(np.float64)
        middles = (wide[1:] + wide[:-1]) / 2
        return np.searchsorted(middles, relative, side="right" if self.up else "left").astype(self.dtype), sizes

    def decode(self, codes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """The numbers, in float32."""
        blocks = len(codes), -(-codes.shape[-1] // self.size)
        if codes.ndim != 2 or sizes.shape != blocks or sizes.dtype != np.float32:
            raise ValueError(
                f"codes {codes.shape} in blocks of {self.size} do not fit sizes {sizes.dtype} {sizes.shape}"
            )
        if codes.size and codes.max() >= len(self.values):
            raise ValueError(f"code {codes.max()} of a table of {len(self.values)}")
        return self.table[codes] * spread(sizes, self.size, codes.shape[1])


def normal_float(bits: int) -> tuple[float, ...]:
    """Quantiles of the normal distribution from -1 to 1, 0 among them (Dettmers et al. 2023, equation 4; its code).

    Half of them, `2^(bits-1)` up to 0 and one more from 0 on, are `ndtri` at equal steps of probability, from
    `(1/32 + 1/30) / 2` away from the ends for 4 bits, over the largest.

    >>> [round(v, 4) for v in normal_float(4)][:3], normal_float(4)[7], normal_float(4)[-1]
    ([-1.0, -0.6962, -0.5251], 0.0, 1.0)
    """
    half = 1 << (bits - 1)
    end = 1 - (1 / (4 * half) + 1 / (4 * half - 2)) / 2
    above = ndtri(np.linspace(end, 0.5, half + 1)[:-1])
    below = -ndtri(np.linspace(end, 0.5, half)[:-1])
    values = np.sort(np.concatenate([above, [0.0], below])) / above.max()
    return tuple(values.tolist())


def powers_of_two(bits: int) -> tuple[float, ...]:
    """`0` and `+-2^-k`, k from 0 to `2^(bits-1) - 2`: products become shifts (Miyashita et al. 2016).

    >>> powers_of_two(3)
    (-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0)
    """
    sizes = [2.0**-k for k in range((1 << (bits - 1)) - 1)]
    return tuple(sorted([*(-s for s in sizes), 0.0, *sizes]))


def additive_powers_of_two(bits: int, k: int = 2) -> tuple[float, ...]:
    """Sums of n powers of two, over the largest, of either sign (Li, Dong & Wang 2020, equation 3).

    With `n k = bits - 1`: the i-th of the n is one of 0 and `2^-i, 2^-(i+n), ..., 2^-(i + (2^k - 2) n)`.

    >>> [round(v, 3) for v in additive_powers_of_two(5) if v >= 0][-4:]
    [0.667, 0.688, 0.75, 1.0]
    """
    n, rest = divmod(bits - 1, k)
    if rest or n < 1:
        raise ValueError(f"{bits - 1} bits beside the sign are no multiple of k = {k}")
    sums = {0.0}
    for i in range(n):
        sums = {s + p for s in sums for p in (0.0, *(2.0 ** -(i + j * n) for j in range((1 << k) - 1)))}
    top = max(sums)
    return tuple(sorted({s / top for s in sums} | {-s / top for s in sums}))


NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""As bitsandbytes ships them: `normal_float(4)` computed in float32 somewhere, up to 2e-7 away."""

nf4 = Codebook(NF4)
ternary = Codebook((-1.0, 0.0, 1.0))
binary = Codebook((-1.0, 1.0), up=True)
