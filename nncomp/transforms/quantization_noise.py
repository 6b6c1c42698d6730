"""Quantization noise: each batch meets some of the weights quantized and the others as they are (Fan et al. 2021)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncomp.shown import shown
from nncomp.transforms.fake_quantize import FakeQuantize
from nncomp.transforms.masking import DrawnWeights, within


@dataclass(frozen=True, eq=False, repr=False)
class QuantizationNoise(DrawnWeights, FakeQuantize):
    """`FakeQuantize` of a random share `rate` of the weights in each batch; all of them are quantized when it ships.

    Blocks of `block` neighbours in a row are drawn together. Those that are drawn get the clipped straight-through
    gradient of `FakeQuantize`, the others the exact one, g (section 4). A rate of 1 is `FakeQuantize`.

    >>> noise, w, x = QuantizationNoise(rate=0.0), np.array([[0.3, 127.0]]), np.eye(2)
    >>> noise.sample((), w, x, np.random.default_rng(0))[0].T, noise.forward((), w)[0]
    (array([[  0.3, 127. ]]), array([[  0., 127.]]))
    """

    rate: float = 0.5
    block: int = 1

    __repr__ = shown

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1 or not isinstance(self.block, int) or self.block < 1:
            raise ValueError(f"a rate from 0 to 1 and blocks of at least one weight, not {self.rate} and {self.block}")

    def sample(
        self, p: tuple[np.ndarray, ...], w: np.ndarray, x: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, Any]:
        effective, inside = self.forward(p, w)
        rows, columns = w.shape
        blocks = rng.random((rows, -(-columns // self.block)), np.float32) < self.rate
        drawn = np.repeat(blocks, self.block, axis=1)[:, :columns]
        effective = np.where(drawn, effective, within(w, self.mask))
        return x @ effective.T, (x, effective, inside | within(~drawn, self.mask))
