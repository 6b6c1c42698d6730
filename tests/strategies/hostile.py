"""Files made to break a reader: good ones to start from, tampering with their parts, and random mutations."""

import json
import random
import struct
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nncomp.activations import LeakyReLU, ReLU
from nncomp.files import FileError, from_bytes, to_bytes
from nncomp.formats import PerColumn, PerGroup, PerRow, PerTensor, Uniform, mxfp4, nvfp4, q4_0
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.norm import BatchNorm
from nncomp.quantize import Dynamic, Percentile
from nncomp.quantize.nearest import fit_grid
from nncomp.transforms import (
    A2Q,
    DSQ,
    EWGS,
    LSQ,
    PARQ,
    TQT,
    TTQ,
    TWN,
    XNOR,
    BinaryConnect,
    BinaryRelax,
    DoReFa,
    FakeQuantize,
    HardConcrete,
    Masked,
    Movement,
    NofM,
    Powerpropagation,
    QuantizationNoise,
    Rounded,
    SoftMovement,
    SoftThreshold,
    StochasticBinaryConnect,
    Supermask,
    TrainedDSQ,
    TrainedEWGS,
    Variational,
    learned_offset,
    learned_step,
    pact,
)
from nncomp.weights import Dense, Encoded, Latent, LowRank, Nested, Quantized, Shared, Sparse, Sum
from nncomp.weights.latent import Transform


def good_networks() -> list[MLP]:
    """Small networks that hold every form, transform and input quantizer a file can name, and every kind of field."""
    rng = np.random.default_rng(0)
    w = rng.standard_normal((3, 4)).astype(np.float32)
    mask = rng.random(w.shape) < 0.5
    grid = fit_grid(np.array([[-1.0, 2.0]], np.float32), Uniform(signed=False, symmetric=False), PerTensor())
    sparse, indices = Sparse.from_dense(w, mask), np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    factors = LowRank.of(w[:, :2].copy(), w[:2].copy())
    codes = Quantized.encoded(Dense(w[:, :3].copy()), fit_grid(w[:, :3], Uniform(4), PerRow()))
    forms = [
        Dense(w), sparse, Quantized.encoded(Dense(w), fit_grid(w, Uniform(4, narrow=True), PerGroup(2))),
        Quantized.encoded(sparse, fit_grid(w, Uniform(symmetric=False), PerRow())),
        Latent.of(FakeQuantize(mask=mask), w), Latent.of(Masked(mask), w),
        Encoded.of(mxfp4, w), Encoded.of(nvfp4, w), Encoded.of(q4_0, w),
        Shared.of(indices, w[0, :3]), Shared.of(indices, w[0], mask), factors,
        Sum((Quantized.encoded(Dense(w), fit_grid(w, Uniform(), PerRow())), sparse, factors)),
        LowRank(codes, sparse), LowRank(codes, Shared.of(indices, w[0, :3])),
        LowRank(Encoded.of(mxfp4, w[:, :3].copy()), Latent.of(FakeQuantize(mask=mask), w)),
    ]  # fmt: skip
    inputs = [None, None, grid, Dynamic(Uniform()), *12 * [None]]
    first = [network(form, LeakyReLU(0.1), x) for form, x in zip(forms, inputs)]
    trained = [network(Latent.of(by, w)) for by in transforms(mask)]
    learned = [network(Dense(w), ReLU(), start(grid)) for start in (pact, learned_step, learned_offset)]
    others = [network(Nested.within(w, mask, 2)), network(Latent.of(XNOR(), w).store(), input=grid)]
    return [*first, *trained, *learned, *others]


def network(form: Any, activation: Any = ReLU(), input: Any = None) -> MLP:
    """Two layers, the first with a batch norm and all of what is given."""
    last = Linear(Dense(np.ones((1, 3), np.float32)), np.ones(1, np.float32))
    return MLP((Linear(form, np.zeros(3, np.float32), activation, BatchNorm.init(3), input), last))


def transforms(mask: np.ndarray) -> list[Transform]:
    """Each transform, none of which is all at its defaults where it has fields, and some with a mask."""
    few = Uniform(3)
    return [
        LSQ(few, PerRow(), mask=mask), TQT(few, ranges=Percentile(99.0)), EWGS(few, PerColumn(), delta=0.1),
        DSQ(few, alpha=0.3, mask=mask), QuantizationNoise(few, PerGroup(2), rate=0.3, block=2),
        A2Q(few, accumulator=12, strength=2.0, mask=mask), DoReFa(3), BinaryConnect(False),
        StochasticBinaryConnect(mask=mask), XNOR(PerTensor(), exact=True), TWN(0.5), TTQ(0.1, mask),
        BinaryRelax(TWN(0.5), 2.0), PARQ(FakeQuantize(few), 4.0, mask=mask), TrainedEWGS(3, 0.1),
        TrainedDSQ(3, 0.4, mask), Rounded(mxfp4, mask), SoftThreshold(-2.0), Powerpropagation(1.5, mask),
        Supermask(0.4), NofM(1, 2, 0.1),
        Movement(0.4, mask=mask), SoftMovement(2.0), HardConcrete(2.0, by_input=True, mask=mask), Variational(0.5),
    ]  # fmt: skip


def parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON header of a container and the bytes after it."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def container(header: Any, body: bytes = b"") -> bytes:
    """The file with this header, given as bytes or to be written as JSON."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def with_layout(change: Callable[[dict[str, Any]], object], network: MLP) -> bytes:
    """A good file whose table of arrays was tampered with."""
    header, body = parts(to_bytes(network))
    change(header)
    return container(header, body)


def with_tree(change: Callable[[dict[str, Any]], object], network: MLP) -> bytes:
    """A good file whose description of the network was tampered with."""
    header, body = parts(to_bytes(network))
    told = json.loads(header["__metadata__"]["nncomp"])
    change(told)
    header["__metadata__"]["nncomp"] = json.dumps(told)
    return container(header, body)


NUMBERS: tuple[Any, ...]
NUMBERS = (0, 1, -1, 127, 128, 255, 2**31, 2**32, 2**53, 2**62, 2**63, 2**64, 1e308, -0.5, True, None, "", [], {})


def refused(good: Sequence[bytes], mutate: Callable[..., bytes], times: int, memory: Callable[[int], int]) -> int:
    """How many mutations are refused, in one line; the others are networks; for either `memory(size)` bytes suffice."""
    rng, count = random.Random(0), 0
    tracemalloc.start()
    try:
        for _ in range(times):
            content = mutate(rng.choice(good), rng)
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            try:
                again = from_bytes(content)
                assert from_bytes(to_bytes(again)).fingerprint() == again.fingerprint()
            except FileError as error:
                count += 1
                assert "\n" not in str(error) and len(str(error)) < 500
            assert tracemalloc.get_traced_memory()[1] - before < memory(len(content))
    finally:
        tracemalloc.stop()
    return count


def mutated(content: bytes, rng: random.Random) -> bytes:
    """One to three random changes: of bytes, of the header's length, of the layout, or of the description."""
    for _ in range(rng.randint(1, 3)):
        content = rng.choice((_flip, _numbers, _numbers, _cut, _length, _json, _json, _json))(content, rng)
    return content


def _flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.choice((0, 255, 34, 123, rng.randrange(256)))
    return bytes(changed)


def _numbers(content: bytes, rng: random.Random) -> bytes:
    start = 8 + int.from_bytes(content[:8], "little")
    return content[:start] + _flip(content[start:], rng)


def _cut(content: bytes, rng: random.Random) -> bytes:
    start, stop = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    middle = content[start:stop]
    return content[:start] + rng.choice((b"", middle * 2, bytes(len(middle)), b"[" * len(middle))) + content[stop:]


def _length(content: bytes, rng: random.Random) -> bytes:
    return (
        struct.pack("<Q", rng.choice((0, 1, 7, max(len(content) - 8, 0), len(content), 2**20, 2**62, 2**64 - 1)))
        + content[8:]
    )


def _json(content: bytes, rng: random.Random) -> bytes:
    try:
        header, body = parts(content)
        told = json.loads(header["__metadata__"]["nncomp"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return content[::-1]
    alter(rng.choice((header, told, told)), rng)
    if isinstance(header.get("__metadata__"), dict):
        header["__metadata__"]["nncomp"] = json.dumps(told)
    return container(header, body)


def alter(table: Any, rng: random.Random) -> None:
    """Somewhere in a tree of tables and lists, put another value, take one away, or swap two."""
    places = []

    def walk(part: Any) -> None:
        for key in part if isinstance(part, dict) else range(len(part)):
            places.append((part, key))
            if isinstance(part[key], dict | list):
                walk(part[key])

    walk(table)
    if not places:
        return
    (part, key), (other, its) = rng.choice(places), rng.choice(places)
    kind = rng.randrange(4)
    if kind == 0:
        part[key] = rng.choice(NUMBERS)
    elif kind == 1:
        del part[key]
    elif kind == 2 and not isinstance(part[key], dict | list) and not isinstance(other[its], dict | list):
        part[key], other[its] = other[its], part[key]
    elif isinstance(part, dict):
        part[f"{key}x"] = part[key]
    else:
        part.append(part[key])
