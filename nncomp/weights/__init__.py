"""The linear map of a matrix, kept in different forms: the network never learns which."""

from nncomp.weights.dense import Dense
from nncomp.weights.encoded import Encoded
from nncomp.weights.latent import Latent
from nncomp.weights.low_rank import LowRank
from nncomp.weights.nested import Nested
from nncomp.weights.packed import PackedCodes
from nncomp.weights.protocol import Weight
from nncomp.weights.quantized import Quantized
from nncomp.weights.shared import Shared
from nncomp.weights.sparse import Sparse
from nncomp.weights.sum import Sum

__all__ = [
    "Dense",
    "Encoded",
    "Latent",
    "LowRank",
    "Nested",
    "PackedCodes",
    "Quantized",
    "Shared",
    "Sparse",
    "Sum",
    "Weight",
]
