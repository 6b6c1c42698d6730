"""What a distillation minimizes, caught before anything is trained."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nncomp.data import Data
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.objective import Batch, Objective
from nncomp.steps import Distill, FineTune
from tests.steps.examples import DATA


@dataclass(frozen=True, repr=False)
class Caught(FineTune):
    """A training that does nothing but show what it would have minimized."""

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = (), objective: Objective | None = None) -> MLP:
        assert objective is not None
        caught.append((objective, data))
        return network


caught: list[tuple[Objective, Data]] = []


def objective(step: Distill, network: MLP, data: Data = DATA) -> Objective:
    caught.clear()
    replace(step, during=Caught(smoothing=step.during.smoothing, augment=step.during.augment))(network, data)
    return caught[0][0]


def batch_of(index: np.ndarray, progress: float = 0.0) -> Batch:
    return Batch(DATA.train.x[index], DATA.train.y[index], index, progress)


INDEX = np.array([7, 3, 250, 11, 12, 13])
