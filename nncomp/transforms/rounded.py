"""A number format in training: every pass sees the weight as the format would store it."""

from dataclasses import dataclass

import numpy as np

from nncomp.formats.format import Format
from nncomp.transforms.masking import Maskable, within
from nncomp.weights import Encoded
from nncomp.weights.encoded import check_decoded, check_finite


@dataclass(frozen=True, eq=False)
class Rounded(Maskable):
    """`w' = decode(encode(w))` in any `format`; ships as `Encoded`.

    The gradient is the straight-through estimator that passes everything, `dw = g` (Bengio et al. 2013): the true
    derivative of the surrogate `w + r`, the residue `r = w' - w` held constant. `mask`: True where a weight is kept;
    the others are 0, which the format must have a code for, and get no gradient.

    >>> from nncomp.formats import mxfp4
    >>> Rounded(mxfp4).forward((), np.array([[0.2, -6.0, 0.4]]))[0]
    array([[ 0. , -6. ,  0.5]])
    """

    format: Format
    mask: np.ndarray | None = None

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        within(w, self.mask)
        if self.mask is not None:
            self.format.zero_code  # noqa: B018  # raises where there is none
        return ()

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, None]:
        w = within(w, self.mask)
        check_finite(self.format, w)
        with np.errstate(invalid="ignore", over="ignore"):
            effective = self.format.rounded(w).astype(w.dtype)
        check_decoded(self.format, effective)
        return effective, None

    def vjp(self, p: tuple[np.ndarray, ...], saved: None, g: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        return (), within(g, self.mask)

    def store(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> Encoded:
        weight = Encoded.of(self.format, within(w, self.mask))
        return weight if self.mask is None else weight.masked(self.mask)
