"""Networks whose integers are worth coding, and coded files changed at random."""

import json
import random
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import safetensors.numpy

from nncomp.files import to_bytes
from nncomp.files.container import pack
from nncomp.formats import PerRow, Uniform
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.quantize.nearest import fit_grid
from nncomp.transforms import Masked
from nncomp.weights import Dense, Latent, Quantized, Shared, Sparse
from tests.strategies.hostile import alter, mutated

SIDE = 120


def codable() -> list[tuple[MLP, list[np.ndarray]]]:
    """Networks of one layer, one for each layout of integers, and those integers: values, then gaps between places."""
    rng = np.random.default_rng(0)
    w = rng.standard_normal((SIDE, SIDE)).astype(np.float32)
    mask = rng.random(w.shape) < 0.2 * rng.random((SIDE, 1))
    gaps = np.diff(np.flatnonzero(mask), prepend=-1) - 1
    indices, centers = rng.binomial(15, 0.4, w.shape).astype(np.uint8), np.arange(16, dtype=np.float32)
    sparse = Sparse.from_dense(w, mask)
    wide, narrow = (fit_grid(w, Uniform(bits), PerRow()) for bits in (8, 3))
    every, kept = Dense(w), mask.nonzero()
    forms = [
        (Shared.of(indices, centers), [indices]),
        (Shared.of(indices, centers, mask), [indices[kept], gaps]),
        (sparse, [gaps]),
        (Latent.of(Masked(mask), w), [mask]),
        (Quantized.encoded(every, wide), [wide.encode(w)]),
        (Quantized.encoded(every, narrow), [narrow.encode(w)]),
        (Quantized.encoded(sparse, wide), [wide.encode(w)[kept], gaps]),
        (Quantized.encoded(sparse, narrow), [narrow.encode(w)[kept], gaps]),
    ]
    return [(MLP((Linear(form, np.zeros(SIDE, np.float32)),)), integers) for form, integers in forms]


def parts_of(content: bytes) -> tuple[Any, dict[str, np.ndarray]]:
    """A coded file's description and arrays."""
    arrays = dict(safetensors.numpy.load(content))
    return json.loads(zlib.decompress(arrays.pop("nncomp").tobytes())), arrays


def whole(told: Any, arrays: dict[str, np.ndarray]) -> bytes:
    """The coded file of these; a description in bytes stands as it is."""
    deflated = told if isinstance(told, bytes) else zlib.compress(json.dumps(told).encode())
    return pack(arrays | {"nncomp": np.frombuffer(deflated, np.uint8)}, {})


def with_weight(change: Callable[[dict[str, Any]], object], network: MLP) -> bytes:
    """A coded file whose description of the first weight was tampered with."""
    told, arrays = parts_of(to_bytes(network, coded=True))
    change(told["network"]["layers"][0]["weight"])
    return whole(told, arrays)


def mutated_coded(content: bytes, rng: random.Random) -> bytes:
    """A coded file with one to three random changes of its description, of its coded values, or of anything."""
    kind = rng.randrange(3)
    if kind == 0:
        return mutated(content, rng)
    told, arrays = parts_of(content)
    for _ in range(rng.randint(1, 3)):
        if kind == 1:
            alter(told, rng)
        else:
            coded = arrays["coded"] = arrays["coded"].copy()
            coded[rng.randrange(coded.size)] = rng.randrange(256)
    return whole(told, arrays)
