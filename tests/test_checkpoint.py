"""A training stopped at any update and gone on with gives the same bytes as one that never stopped."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from nncomp.data import Data, Split
from nncomp.files import Checkpoint, FileError, from_bytes, to_bytes
from nncomp.formats import Uniform, mxfp4
from nncomp.hooks import SNFS, ClipGradients, DeepR, Hook, MaxNorm, RigL, Surgery, TopKAST
from nncomp.learning_rate import Cosine
from nncomp.losses import cross_entropy
from nncomp.network import MLP
from nncomp.objective import Batch, Loss, Passed, Supervised
from nncomp.optim import SGD, Adam, AdamW
from nncomp.prune import cubic
from nncomp.quantize import spqr
from nncomp.steps import Distill, Factor, FineTune, Prune, Quantize, Regrow, Sparsify, Update
from nncomp.training import train
from nncomp.transforms import (
    A2Q,
    LSQ,
    PARQ,
    TWN,
    BinaryRelax,
    HardConcrete,
    Movement,
    SoftThreshold,
    StochasticBinaryConnect,
    TrainedDSQ,
    Variational,
    learned_offset,
)
from tests.strategies.weights import seeds
from tests.test_rewiring import Wander, sparse

RNG = np.random.default_rng(5)
X = RNG.standard_normal((23, 6)).astype(np.float32)
DATA = Data(Split(X, RNG.integers(0, 3, 23)), Split(X[:7], RNG.integers(0, 3, 7)))
NETWORK = MLP.init([6, 5, 3], norm=True)


class Stop(Hook):
    """Interrupts a training in the middle of update `at`, arrays half changed."""

    def __init__(self, at: int) -> None:
        self.at = at

    def after_update(self, t: int, network: MLP) -> None:
        if t == self.at:
            for layer in network.params:
                layer[0][...] = np.nan
            raise KeyboardInterrupt


@dataclass(frozen=True, eq=False)
class Scaled:
    """A loss with an array of its own that trains along."""

    scale: np.ndarray

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        return (self.scale,)

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        return replace(self, scale=params[0])

    def __call__(self, layers: Sequence[Passed], batch: Batch) -> Loss:
        z = layers[-1].a
        loss, gradient = cross_entropy(z * self.scale, batch.y)
        dparams = (np.sum(gradient * z, keepdims=True)[0],)
        return Loss(loss, {len(layers) - 1: gradient * self.scale}, dparams=dparams)


def quantized() -> MLP:
    """Scales whose mantissas have moved past a power of two would start elsewhere if read back."""
    codes = Quantize()(NETWORK, DATA)
    return FineTune(epochs=5, batch=8, optimizer=Adam(rate=0.2))(codes, DATA)


def summed() -> MLP:
    """Scales, outliers and factors that have moved already."""
    codes = Quantize(Uniform(3), method=spqr, rank=2)(NETWORK, DATA)
    return FineTune(epochs=5, batch=8, optimizer=Adam(rate=0.2))(codes, DATA)


def coded_factors() -> MLP:
    """Scales of both factors that have moved already."""
    codes = Quantize(Uniform(4))(Factor(rank=1)(NETWORK, DATA), DATA)
    return FineTune(epochs=5, batch=8, optimizer=Adam(rate=0.2))(codes, DATA)


MEANWHILE = FineTune(epochs=4, batch=8, optimizer=AdamW(rate=0.02), dropout=(0.1, 0.2), seed=3)
PATIENT = replace(MEANWHILE, patience=1, optimizer=SGD(0.3, nesterov=True), smoothing=0.1)
TRAININGS: dict[str, Any] = {
    "patience": lambda hooks: PATIENT(NETWORK, DATA, hooks),
    "quantized": lambda hooks: MEANWHILE(quantized(), DATA, hooks),
    "codes, outliers and factors": lambda hooks: MEANWHILE(summed(), DATA, hooks),
    "gradual pruning": lambda hooks: Prune(0.6, schedule=cubic, interval=2, during=MEANWHILE)(NETWORK, DATA, hooks),
    "through quantization": lambda hooks: Quantize(during=MEANWHILE)(NETWORK, DATA, hooks),
    "through blocks": lambda hooks: Quantize(mxfp4, inputs=None, during=MEANWHILE)(NETWORK, DATA, hooks),
    "learned steps": lambda hooks: Quantize(through=LSQ(Uniform(3)), during=MEANWHILE)(NETWORK, DATA, hooks),
    "signs by chance": lambda hooks: Quantize(through=StochasticBinaryConnect(), inputs=None, during=MEANWHILE)(
        NETWORK, DATA, hooks
    ),
    "trained ranges": lambda hooks: Quantize(through=LSQ(), train_inputs=learned_offset, during=MEANWHILE)(
        NETWORK, DATA, hooks
    ),
    "drawn onto codes": lambda hooks: Quantize(through=BinaryRelax(TWN()), during=MEANWHILE)(NETWORK, DATA, hooks),
    "drawn by a prox": lambda hooks: Quantize(through=PARQ(), during=MEANWHILE)(NETWORK, DATA, hooks),
    "trained intervals": lambda hooks: Quantize(through=TrainedDSQ(), during=MEANWHILE)(NETWORK, DATA, hooks),
    "in an accumulator": lambda hooks: Quantize(
        through=A2Q(Uniform(4), accumulator=9, inputs=4, strength=20.0, warm=0.5), inputs=None, during=MEANWHILE
    )(NETWORK, DATA, hooks),
    "around blocks": lambda hooks: MEANWHILE(Quantize(mxfp4, inputs=None)(NETWORK, DATA), DATA, hooks),
    "update": lambda hooks: Update(MEANWHILE)(quantized(), DATA, hooks),
    "factors": lambda hooks: Factor(rank=1, during=MEANWHILE)(NETWORK, DATA, hooks),
    "factors beside a sparse part": lambda hooks: Factor(rank=1, sparsity=0.9, during=MEANWHILE)(NETWORK, DATA, hooks),
    "factors in codes": lambda hooks: MEANWHILE(coded_factors(), DATA, hooks),
    "factors through quantization": lambda hooks: Quantize(Uniform(3), during=MEANWHILE)(
        Factor(rank=1)(NETWORK, DATA), DATA, hooks
    ),
    "distillation": lambda hooks: Distill(student=MLP.init([6, 4, 3]), during=MEANWHILE)(NETWORK, DATA, hooks),
    "patterns that change": lambda hooks: MEANWHILE(sparse(sizes=(6, 5, 3)), DATA, (Wander(), *hooks)),
    "patterns, the best of them": lambda hooks: PATIENT(sparse(sizes=(6, 5, 3)), DATA, (Wander(), *hooks)),
    "regrowing": lambda hooks: Regrow(RigL(interval=2), MEANWHILE)(sparse(sizes=(6, 5, 3)), DATA, hooks),
    "growing by momentum": lambda hooks: Regrow(SNFS(interval=2), MEANWHILE)(sparse(sizes=(6, 5, 3)), DATA, hooks),
    "deep rewiring": lambda hooks: Regrow(DeepR(1e-2, 1e-2), MEANWHILE)(sparse(sizes=(6, 5, 3)), DATA, hooks),
    "Top-KAST": lambda hooks: Sparsify(TopKAST(0.6, 0.3, 1.0, 2), MEANWHILE)(MLP.init([6, 5, 3]), DATA, hooks),
    "variational dropout": lambda hooks: Sparsify(Variational(), MEANWHILE)(NETWORK, DATA, hooks),
    "gates": lambda hooks: Sparsify(HardConcrete(warm=0.5), MEANWHILE)(NETWORK, DATA, hooks),
    "movement": lambda hooks: Sparsify(Movement(0.6), MEANWHILE)(NETWORK, DATA, hooks),
    "through a soft threshold": lambda hooks: Sparsify(SoftThreshold(), MEANWHILE)(NETWORK, DATA, hooks),
    "surgery": lambda hooks: Sparsify(Surgery(0.0, 0.0, 1, 1.0), MEANWHILE)(NETWORK, DATA, hooks),
    "a loss that trains": lambda hooks: train(
        MLP.init([6, 3]), DATA.train, Scaled(np.ones(3, np.float32)[:1]), epochs=4, batch=8, hooks=hooks,
        schedule=Cosine(),
    ),
    "regularizers": lambda hooks: MEANWHILE(NETWORK, DATA, (ClipGradients(0.5), MaxNorm(1.0), *hooks)),
}  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=8)
@pytest.mark.parametrize("kind", TRAININGS)
@given(seed=seeds)
def test_stopped_anywhere_and_gone_on_with_it_gives_the_same_bytes(tmp_path: Path, kind: str, seed: int) -> None:
    file, training = tmp_path / "training", TRAININGS[kind]
    file.unlink(missing_ok=True)
    for at in np.random.default_rng(seed).integers(1, 13, 3):
        with suppress(KeyboardInterrupt):
            training((Checkpoint(file, every=0), Stop(int(at))))
    assert training((Checkpoint(file, every=0),)).fingerprint() == training(()).fingerprint()


def test_a_training_starts_the_same_from_a_network_and_from_its_file() -> None:
    network = quantized()
    mantissas = np.frexp(network.layers[0].weight.grid.scale)[1]  # type: ignore[attr-defined]
    start = np.frexp(Quantize()(NETWORK, DATA).layers[0].weight.grid.scale)[1]  # type: ignore[attr-defined]
    assert (mantissas != start).any(), "some scale has moved past a power of two"
    read = from_bytes(to_bytes(network))
    assert MEANWHILE(read, DATA).fingerprint() == MEANWHILE(network, DATA).fingerprint()


def test_it_really_goes_on(tmp_path: Path) -> None:
    epochs = []

    class Count(Hook):
        def after_epoch(self, epoch: int, network: MLP, loss: float) -> None:
            epochs.append(epoch)

    for hooks in ((Stop(8),), (), ()):
        with suppress(KeyboardInterrupt):
            MEANWHILE(NETWORK, DATA, (Checkpoint(tmp_path / "training", every=0), Count(), *hooks))
    assert epochs == [1, 2, 3, 4], "none twice, and one that had ended returns at once"


def test_written_at_the_end_however_seldom(tmp_path: Path) -> None:
    file = tmp_path / "training"
    for at, there in ((8, False), (99, True)):
        with suppress(KeyboardInterrupt):
            MEANWHILE(NETWORK, DATA, (Checkpoint(file, every=1e9), Stop(at)))
        assert file.exists() == there
    assert os.listdir(tmp_path) == ["training"]


OTHERS: dict[str, Any] = {
    "network": lambda hooks: MEANWHILE(MLP.init([6, 5, 3], norm=True, seed=1), DATA, hooks),
    "data": lambda hooks: MEANWHILE(NETWORK, Data(Split(X[::-1], DATA.train.y), DATA.validation), hooks),
    "hook": lambda hooks: MEANWHILE(NETWORK, DATA, (MaxNorm(1.0), *hooks)),
    "loss": lambda hooks: train(NETWORK, DATA.train, Supervised(cross_entropy), epochs=4, batch=8, hooks=hooks),
    **{
        name: lambda hooks, change={name: value}: replace(MEANWHILE, **change)(NETWORK, DATA, hooks)
        for name, value in {
            "epochs": 5, "batch": 9, "optimizer": AdamW(rate=0.03), "schedule": Cosine(), "dropout": (), "seed": 4,
            "smoothing": 0.2, "patience": 9, "threads": 2,
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERS)
def test_another_training_is_told_and_left_alone(tmp_path: Path, what: str) -> None:
    file = tmp_path / "training"
    MEANWHILE(NETWORK, DATA, [Checkpoint(file)])
    before = file.read_bytes()
    with pytest.raises(FileError, match="training does not go on with this training: it is of another network, other"):
        OTHERS[what]([Checkpoint(file)])
    assert file.read_bytes() == before


def test_what_cannot_be_read_is_told_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "training"
    MEANWHILE(NETWORK, DATA, [Checkpoint(file)])
    good = file.read_bytes()
    for content, message in (
        (b"", "it has 0 bytes"),
        (good[:-1], "bytes follow the header"),
        (good.replace(b'"version', b'"versiom'), "holds no training of version 1"),
        (good.replace(b"PCG64", b"PCG65"), "PCG64"),
        (good.replace(b'\\"since\\"', b'\\"sincf\\"'), "since"),
        (good.replace(b'"live.0"', b'"live.9"'), "arrays are not those of this training"),
    ):
        assert content != good
        file.write_bytes(content)
        with pytest.raises(FileError, match=f"{message}.*; remove it to start anew") as error:
            MEANWHILE(NETWORK, DATA, [Checkpoint(file)])
        assert file.read_bytes() == content and "\n" not in str(error.value)
