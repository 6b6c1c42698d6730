"""A recipe rehearsed finds what a distillation would stumble on in its last batch."""

from dataclasses import replace

import pytest

from nncomp.data import Data, Split
from nncomp.distill import dist, rkd_distance
from nncomp.network import MLP
from nncomp.steps import Distill, Original, Recipe
from nncomp.steps.match import Match
from nncomp.steps.rehearsal import rehearse
from nncomp.steps.tables import RecipeError
from tests.steps.examples import DATA, SHORT
from tests.strategies.data import blobs

BETWEEN_SAMPLES = [Distill(teacher=Original(), match=(Match(rkd_distance),)), Distill(teacher=Original(), soft=dist)]


@pytest.mark.parametrize("step", BETWEEN_SAMPLES, ids=["match", "soft"])
def test_a_rehearsal_finds_samples_that_are_alone_in_the_last_batch(dense: MLP, step: Distill) -> None:
    taught = Recipe(dense, None, (replace(step, during=replace(SHORT, batch=50)),))
    rehearse(taught, DATA)
    alone = Data(Split(DATA.train.x[:251], DATA.train.y[:251]), DATA.validation)
    with pytest.raises(RecipeError, match=r"^step 1 \(Distill\): .*(not 1|constant)"):
        rehearse(taught, alone)


def test_a_rehearsal_counts_the_samples_that_are_learned(dense: MLP) -> None:
    student = MLP.init([12, 6, 4], norm=True)
    x = blobs(500, 7).x
    odd = Data(Split(DATA.train.x[:251], DATA.train.y[:251]), DATA.validation)
    transfer = Distill(student=student, alpha=1.0, transfer=x, during=replace(SHORT, batch=50))
    rehearse(Recipe(dense, None, (transfer,)), odd)
    with pytest.raises(RecipeError, match="501 samples leave a last batch of one"):
        rehearse(Recipe(dense, None, (replace(transfer, transfer=blobs(501, 7).x),)), odd)
