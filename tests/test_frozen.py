"""Nothing changes under its user: settings are values, equal by their fields; what holds arrays equals only itself."""

from copy import copy
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from nncomp.formats import Grid, PerGroup, PerRow, PerTensor, Uniform
from nncomp.layer import Linear
from nncomp.learning_rate import Constant, Cosine, OneCycle, Step
from nncomp.network import MLP
from nncomp.norm import BatchNorm
from nncomp.optim import SGD, Adam, AdamW
from nncomp.transforms import Masked
from nncomp.weights import Dense, Latent, LowRank, Quantized, Shared, Sparse, Sum
from tests import test_activations

SETTINGS = [
    SGD(), Adam(), AdamW(), Constant(), Step(), Cosine(), OneCycle(), Uniform(), PerTensor(), PerRow(), PerGroup(2),
    *test_activations.EACH,
]  # fmt: skip

W = np.eye(2)
GRID = Grid(Uniform(), np.ones((1, 1)))
LAYER = Linear(Dense(W), np.ones(2))
HOLDERS = [
    GRID, Dense(W), Sparse.from_dense(W), Quantized(W.astype(np.int8), GRID), Latent.of(Masked(W > 0), W), LAYER,
    MLP((LAYER,)), BatchNorm.init(2), Shared.of(W.astype(np.uint8), np.ones(2)), LowRank.of(W, W), Sum((Dense(W),)),
]  # fmt: skip


@pytest.mark.parametrize("value", SETTINGS, ids=repr)
def test_settings_are_values(value: Any) -> None:
    assert value == replace(value) and hash(value) == hash(replace(value))


def test_settings_that_differ_are_not_equal() -> None:
    assert len({repr(value) for value in SETTINGS}) == len(set(SETTINGS)) == len(SETTINGS)


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_what_holds_arrays_equals_only_itself(holder: Any) -> None:
    assert holder == holder and holder != copy(holder) and len({holder, holder, copy(holder)}) == 2


@pytest.mark.parametrize("part", [*SETTINGS, *HOLDERS], ids=lambda part: type(part).__name__)
def test_no_field_can_be_set(part: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        part.anything = 1
