"""How each method that prunes while training is run, on a network that has learned nothing yet.

All train by SGD with momentum and weight decay, unless gates or masks have parameters of their own, which want Adam;
rates fall as a cosine, and a tenth of the pixels is dropped. What is sparse from the start costs less and goes on for
longer; what was dense goes on sparse in the end. How long, how fast and how much is dropped was chosen by errors on the
validation split, which these networks had not seen, of seed 0, some of seed 1 too; strengths by the weights they leave.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from nncomp.data import Data
from nncomp.hooks import L1, SET, SNFS, DeepR, GroupLasso, RigL, Surgery, TopKAST
from nncomp.learning_rate import Constant, Cosine, Schedule
from nncomp.network import MLP
from nncomp.optim import SGD, Adam, Optimizer
from nncomp.prune import alternating, cubic, exponential, keep_erdos_renyi, random
from nncomp.steps import CompressionStep, FineTune, Prune, Regrow, Rewind, Sparsify
from nncomp.transforms import HardConcrete, Movement, Powerpropagation, SoftMovement, SoftThreshold, Variational


class Setting(NamedTuple):
    """The untrained network, its data and seed, and how many times as long as usual each training goes on."""

    start: MLP
    data: Data
    seed: int
    longer: float

    def training(self, epochs: int, optimizer: Optimizer = SGD(0.2, weight_decay=5e-5)) -> FineTune:
        many = max(1, round(epochs * self.longer))
        return FineTune(many, optimizer=optimizer, schedule=Cosine(), dropout=(0.1, 0.0, 0.0), seed=self.seed)

    @property
    def dense(self) -> FineTune:
        """Until a network has learned; always of one length."""
        return replace(self.training(20, Adam(2e-3)), epochs=20)


Way = Callable[[float, Setting], list[CompressionStep]]


def gradual(s: float, at: Setting) -> list[CompressionStep]:
    """Zhu & Gupta 2017."""
    return [Prune(s, schedule=cubic, ramp=0.9, during=at.training(30)), at.training(60)]


def gradual_moving(s: float, at: Setting) -> list[CompressionStep]:
    """The same, and weights go on moving in the sparse network, a tenth at a time: after GraNet (Liu et al. 2021)."""
    return [gradual(s, at)[0], Regrow(RigL(fraction=0.1, interval=200), at.training(60))]


def in_turn(s: float, at: Setting) -> list[CompressionStep]:
    """AC/DC."""
    return [Prune(s, schedule=partial(alternating, periods=8), ramp=0.9, during=at.training(30)), at.training(60)]


def static(s: float, at: Setting) -> list[CompressionStep]:
    """The control: sparse from the start, at random, by Erdos-Renyi budgets, and no move."""
    return [Prune(s, scores=partial(random, seed=at.seed), keep=keep_erdos_renyi), at.training(120)]


def moving(by: RigL | DeepR) -> Way:
    """Such a start, and its weights move."""
    return lambda s, at: [static(s, at)[0], Regrow(by, at.training(120))]


def ticket(s: float, at: Setting) -> list[CompressionStep]:
    """Lottery tickets in five rounds, rewound to two epochs of training (Frankle et al. 2020); the last is long."""
    learning = at.training(15, SGD(0.1, weight_decay=5e-5))
    early = replace(learning, epochs=2, schedule=Constant())(at.start, at.data)
    rounds = [exponential(k / 5, s) for k in range(1, 6)]
    return [*(step for left in rounds for step in (learning, Prune(left), Rewind(early))), at.training(60)]


def explored(s: float, at: Setting) -> list[CompressionStep]:
    """Top-KAST: five times as many weights learn as take part."""
    return [Sparsify(TopKAST(s, backward=max(0.0, 1 - 5 * (1 - s))), at.training(60)), at.training(60)]


def by_movement(s: float, at: Setting) -> list[CompressionStep]:
    """Of a trained network, as it is meant for."""
    return [at.dense, Sparsify(Movement(s), at.training(30)), at.training(60)]


def powers(s: float, at: Setting) -> list[CompressionStep]:
    """Powerpropagation, then pruned at once."""
    return [Sparsify(Powerpropagation(2.0), at.dense), Prune(s), at.training(60)]


BY_BUDGET: dict[str, Way] = {
    "gradual": gradual, "gradual, moving": gradual_moving, "AC/DC": in_turn, "movement": by_movement,
    "powerpropagation": powers, "ticket": ticket, "RigL": moving(RigL(interval=200)), "SET": moving(SET(interval=600)),
    "SNFS": moving(SNFS(interval=200)), "deep rewiring": moving(DeepR(interval=20)), "Top-KAST": explored,
    "random": static,
}  # fmt: skip
"""The dial is how many times fewer weights are left."""


def priced(by: Callable[[float], Any], optimizer: Optimizer, schedule: Schedule = Cosine()) -> Way:
    """Of a trained network; how many weights are left is what training makes of the strength."""

    def way(strength: float, at: Setting) -> list[CompressionStep]:
        during = replace(at.training(30, optimizer), schedule=schedule)
        return [at.dense, Sparsify(by(strength), during), at.training(60)]

    return way


def thresholds(decay: float, at: Setting) -> list[CompressionStep]:
    """STR, from the start on; it is the weight decay that makes it sparse."""
    return [Sparsify(SoftThreshold(), at.training(30, SGD(0.1, weight_decay=decay))), at.training(60)]


BY_PRICE: dict[str, tuple[Way, tuple[float, ...]]] = {
    "variational dropout": (priced(lambda x: Variational(x, warm=0.3), Adam(2e-3)), (1.0, 3.0, 5.0)),
    "L0 gates": (priced(HardConcrete, Adam(2e-3)), (10.0, 30.0, 60.0)),
    "soft movement": (priced(SoftMovement, Adam(2e-3)), (10.0, 30.0, 60.0)),
    "soft threshold": (thresholds, (2e-3, 4e-3, 8e-3)),
    "surgery": (priced(Surgery, SGD(0.02)), (2.0, 2.5)),
    "L1": (priced(L1, SGD(0.1), Constant()), (5e-5, 1e-4, 2e-4)),  # what a step takes does not fall with the rate
    "group lasso": (priced(GroupLasso, SGD(0.1), Constant()), (1e-3, 3e-3)),
}
"""The dial is the strength, or what else decides how many weights are left."""
