"""Steps written as TOML are read as the same steps; what has no word there is told."""

from functools import partial

import numpy as np
import pytest
from optuna.trial import FixedTrial

from nncomp.augment import Jitter
from nncomp.fingerprint import fingerprint
from nncomp.formats import PerGroup, Uniform, nf4
from nncomp.hooks import RigL
from nncomp.learning_rate import Cosine, Step
from nncomp.network import MLP
from nncomp.optim import SGD, Adam
from nncomp.prune import keep_in_proportion, keep_largest, wanda
from nncomp.quantize import MeanSquared, gptq, magr
from nncomp.search.space import PruneAndShare
from nncomp.steps import (
    CompressionStep,
    Distill,
    FineTune,
    Original,
    Preprocess,
    Prune,
    Quantize,
    Recipe,
    Regrow,
    Rewind,
    Share,
    Sparsify,
)
from nncomp.steps.recipe import presets
from nncomp.steps.written import written
from nncomp.transforms import LSQ, SoftThreshold, learned_step
from tests.steps.examples import STEPS

LONG = FineTune(7, 32, SGD(0.2, weight_decay=5e-5), Cosine(), (0.1, 0.0), Jitter(1), smoothing=0.1, seed=3)
MORE: list[CompressionStep] = [
    LONG,
    FineTune(schedule=Step((0.5, 0.75), 0.1), patience=3),
    Prune(0.9, scores=wanda, keep=partial(keep_in_proportion, relative=(0.9, 0.5)), during=LONG),
    Prune(1 / 3, keep=keep_largest),
    Prune(0, interval=50, ramp=1),
    Regrow(RigL(fraction=0.1, interval=200), LONG),
    Share(16, during=LONG),
    Quantize(nf4, inputs=None),
    Quantize(
        Uniform(4, narrow=True), PerGroup(32), MeanSquared(Uniform(4)), inputs=None, method=partial(gptq, damp=0.1)
    ),
    Quantize(through=LSQ(Uniform(2)), first_inputs=Uniform(), train_inputs=learned_step, during=LONG),
    Preprocess(partial(magr, alpha=0.01, per=PerGroup(8))),
    Sparsify(SoftThreshold(), during=FineTune(2, optimizer=Adam(1e-5))),
    Prune(0.5, during=Distill(teacher=Original(), T=2.0, during=LONG)),
    Distill(teacher=(Original(),)),
]


def held(step: CompressionStep) -> bool:
    """Whether it holds a network."""
    return any(isinstance(getattr(step, name, None), MLP) for name in ("teacher", "student", "to"))


@pytest.mark.parametrize("step", [*STEPS, *MORE], ids=lambda s: type(s).__name__)
def test_what_is_written_is_read_as_the_same(step: CompressionStep) -> None:
    if held(step):
        with pytest.raises(ValueError, match=r"Distill.(student|teacher): .*has no word in a recipe"):
            written([step])
        return
    text = written([step, step])
    read = Recipe.read(text).steps
    assert [repr(one) for one in read] == [repr(step)] * 2
    assert fingerprint(read) == fingerprint((step, step))
    assert written(read) == text


@pytest.mark.parametrize("name", [name for name in presets() if name not in ("digits", "distil-prune-int8")])
def test_steps_of_presets_are_written(name: str) -> None:
    steps = Recipe.load(name).steps
    assert fingerprint(Recipe.read(written(steps)).steps) == fingerprint(steps)


def test_what_a_search_tries_is_written() -> None:
    trial = FixedTrial({"kept": 0.03, "values": 8})
    for classes in (True, False):
        steps = PruneAndShare()._steps([[0.0] * 15] * 2, [640, 80], 5, classes, trial, 7)  # type: ignore[arg-type]
        assert fingerprint(Recipe.read(written(steps)).steps) == fingerprint(steps)


def test_what_has_no_word_is_told() -> None:
    def mine(W: np.ndarray) -> np.ndarray:
        return W

    for step, message in (
        (Prune(0.5, scores=mine), r"Prune.scores: .*mine has no word in a recipe"),
        (Prune(0.5, scores=partial(mine)), r"Prune.scores: .* has no word in a recipe"),
        (Rewind(MLP.init([4, 2])), r"Rewind.to: MLP\(\[4, 2\].* has no word"),
        (Distill(teacher=MLP.init([4, 2]), alpha=1.0, transfer=np.ones((2, 4))), "Distill.teacher: .*no word"),
        (lambda network, data, hooks=(): network, "is no step that recipes know"),
    ):
        with pytest.raises(ValueError, match=message):
            written([step])  # type: ignore[list-item]
