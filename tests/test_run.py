"""Runs in a folder: resumed anywhere with the same bytes, never mixed up, rehearsed before they start."""

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncomp.data import Data, Split
from nncomp.files import FileError, save
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.prune import cubic
from nncomp.steps import Distill, FineTune, Prune, Quantize, stages
from nncomp.steps.compress import step_names
from nncomp.steps.recipe import Recipe, presets
from nncomp.steps.rehearsal import rehearse
from nncomp.steps.run import run
from nncomp.steps.tables import RecipeError
from tests.test_checkpoint import DATA, NETWORK, Stop, X

TRAIN = FineTune(epochs=3, batch=8, optimizer=Adam(rate=0.02))
STEPS = (Prune(0.5, schedule=cubic, interval=2, during=TRAIN), Quantize(), FineTune(epochs=2, batch=8))
RECIPE = Recipe(NETWORK, TRAIN, STEPS)


def prints(networks: Any) -> list[tuple[str, str]]:
    return [(name, network.fingerprint()) for name, network in networks]


def test_a_run_is_the_recipe_step_by_step(tmp_path: Path) -> None:
    trained = TRAIN(NETWORK, DATA)
    expected = [("Train", trained), *stages(trained, STEPS, DATA)]
    assert prints(run(RECIPE, DATA, tmp_path / "new" / "run")) == prints(expected)


@pytest.mark.parametrize("stage", ["Train", "Prune", "FineTune"])
@pytest.mark.parametrize("update", [1, 5, 6])
def test_stopped_in_any_training_and_gone_on_with_it_gives_the_same(tmp_path: Path, stage: str, update: int) -> None:
    names = []

    def watch(name: str) -> tuple[Stop, ...]:
        names.append(name)
        return (Stop(update),) if name == stage and names.count(stage) == 1 else ()

    with suppress(KeyboardInterrupt):
        list(run(RECIPE, DATA, tmp_path, watch, every=0))
    assert names[-1] == stage
    again = prints(run(RECIPE, DATA, tmp_path, watch, every=0))
    assert again == prints(run(RECIPE, DATA, tmp_path / "whole"))
    order = ["Train", "Prune", "Quantize", "FineTune"]
    assert names == [*order[: order.index(stage) + 1], *order[order.index(stage) :]], "no stage is done twice"
    assert sorted(os.listdir(tmp_path)) == [
        *(f"{i}-{n}.{suffix}" for i, n in enumerate(order) for suffix in ("json", "safetensors")), "run.json", "whole"
    ]  # fmt: skip


def test_leftovers_of_killed_writers_are_swept(tmp_path: Path) -> None:
    (tmp_path / ".0123.partial").touch()
    list(run(replace(RECIPE, steps=()), DATA, tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["0-Train.json", "0-Train.safetensors", "run.json"]


@pytest.mark.parametrize(
    "other",
    [
        (replace(RECIPE, steps=STEPS[:1]), DATA),
        (replace(RECIPE, train=replace(TRAIN, seed=1)), DATA),
        (replace(RECIPE, network=MLP.init([6, 5, 3])), DATA),
        (RECIPE, Data(DATA.train, DATA.train)),
    ],
    ids=["steps", "training", "network", "data"],
)
def test_another_runs_folder_is_left_alone(tmp_path: Path, other: tuple[Recipe, Data]) -> None:
    next(run(RECIPE, DATA, tmp_path))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(RecipeError, match="holds an unfinished run of another recipe, network, data or seed"):
        next(run(*other, tmp_path))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RecipeError, match="or remove the folder"):
        next(run(RECIPE, DATA, tmp_path))


def test_steps_alone_start_from_the_network_given(tmp_path: Path) -> None:
    given = Recipe(NETWORK, None, (Quantize(),))
    (name, first), (_, last) = run(given, DATA, tmp_path)
    assert (name, first) == ("Given", NETWORK) and last.fingerprint() == Quantize()(NETWORK, DATA).fingerprint()
    for call in (lambda r: next(run(r, DATA, tmp_path / "none")), lambda r: rehearse(r, DATA)):
        with pytest.raises(RecipeError, match="its steps need a network to start from"):
            call(replace(given, network=None))


MISTAKES: dict[str, tuple[Recipe, Data, str]] = {
    "features": (replace(RECIPE, network=MLP.init([7, 3])), DATA, r"^the network takes 7 features, and the data has 6"),
    "classes": (replace(RECIPE, network=MLP.init([6, 2])), DATA, "^the network has 2 outputs, .* data has a class 2"),
    "one high label": (
        RECIPE, Data(Split(np.tile(X, (9, 1)), np.r_[np.zeros(150, int), 9, np.zeros(56, int)]), DATA.validation),
        "^the network has 3 outputs, and the data has a class 9",
    ),
    "dropout": (
        replace(RECIPE, steps=(Quantize(during=FineTune(dropout=(0.1,))),)), DATA,
        r"^step 1 \(Quantize\): dropout has a rate per layer: 2",
    ),
    "student": (
        replace(RECIPE, steps=(*STEPS, Distill(student=MLP.init([6, 4])))), DATA,
        r"^step 4 \(Distill\): a student \[6, 4\] and a teacher \[6, 5, 3\]",
    ),
    "pruning codes while they train": (
        replace(RECIPE, steps=(Quantize(), STEPS[0])), DATA, r"^step 2 \(Prune\): codes are fixed while",
    ),
    "a last batch of one": (
        replace(RECIPE, train=FineTune(batch=22)), DATA, "^train: 23 samples leave a last batch of one",
    ),
    "given": (Recipe(NETWORK, None, (FineTune(dropout=(0.1,)),)), DATA, r"^step 1 \(FineTune\): dropout"),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_a_rehearsal_finds_what_would_fail_late(what: str) -> None:
    recipe, data, message = MISTAKES[what]
    with pytest.raises(RecipeError, match=message):
        rehearse(recipe, data)


def test_a_rehearsal_changes_nothing_and_is_quick() -> None:
    long = replace(RECIPE, train=FineTune(epochs=10**9, patience=3), steps=(Distill(student=MLP.init([6, 2, 3])),))
    before = NETWORK.fingerprint()
    rehearse(RECIPE, DATA)
    rehearse(replace(long, steps=()), DATA)
    assert NETWORK.fingerprint() == before


def test_presets_pass_their_rehearsal() -> None:
    from nncomp.data import load_data

    rehearse(Recipe.load("digits"), load_data("digits"))
    pixels = np.random.default_rng(0).random((120, 784), np.float32)
    split = Split(pixels, np.arange(120) % 10)
    for name in presets():
        if Recipe.load(name).data == "mnist":
            rehearse(Recipe.load(name), Data(split, split))


def test_a_teacher_in_a_file_counts_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text('[[steps]]\nstep = "Distill"\nteacher = "t.safetensors"\n')
    recipes = []
    for seed in (0, 0, 1):
        save(tmp_path / "t.safetensors", MLP.init([6, 9, 3], seed=seed))
        recipes.append(replace(Recipe.load(tmp_path / "r.toml"), network=NETWORK))
    next(run(recipes[0], DATA, tmp_path / "run"))
    next(run(recipes[1], DATA, tmp_path / "run"))
    with pytest.raises(RecipeError, match="another"):
        next(run(recipes[2], DATA, tmp_path / "run"))


def test_a_stage_that_was_damaged_is_told_with_a_way_out(tmp_path: Path) -> None:
    run_ = run(RECIPE, DATA, tmp_path)
    next(run_)
    (stage,) = tmp_path.glob("0-*.safetensors")
    stage.write_bytes(stage.read_bytes()[:-1])
    with pytest.raises(FileError, match="remove it, and the stage is done anew"):
        next(run(RECIPE, DATA, tmp_path))


def test_steps_of_one_kind_are_told_apart() -> None:
    assert step_names([Quantize(), FineTune(), Quantize(), Quantize()]) == [
        "Quantize", "FineTune", "Quantize 2", "Quantize 3",
    ]  # fmt: skip
