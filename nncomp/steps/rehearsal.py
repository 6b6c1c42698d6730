"""A recipe followed in a hurry, to know before hours of training what would fail in them."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from nncomp.data import Data, Split
from nncomp.fields import NotFinite
from nncomp.measure import check_fit
from nncomp.steps.distill import Distill
from nncomp.steps.fine_tune import FineTune
from nncomp.steps.original import taken
from nncomp.steps.recipe import Recipe
from nncomp.steps.step import CompressionStep
from nncomp.steps.tables import RecipeError
from nncomp.training import check_last_batch


def rehearse(recipe: Recipe, data: Data) -> None:
    """Follow the recipe on a few samples, one epoch a training: a RecipeError now for what would fail after hours."""
    few = Data(_few(data.train), _few(data.validation))
    network = recipe.started()
    original = network if recipe.train is None else None
    try:
        check_fit(network, data.train, data.name)
    except ValueError as error:
        raise RecipeError(str(error)) from error
    for i, (name, step) in enumerate(recipe.stages(), recipe.train is None):
        try:
            training, before, tried = _training(step), network, len(_learned(step, few.train))
            with suppress(*[NotFinite] * (recipe.guard is not None and i > 0)):  # it will be undone
                network = taken(_hasty(step, tried), before, original or network, few)
                if training is not None:
                    samples = len(_learned(step, data.train))
                    check_last_batch(network, samples, training.batch)
                    if samples % training.batch == 1 < tried:  # and other losses between samples meet one alone
                        taken(_hasty(step, tried - 1), before, original or network, few)
            original = original or network
        except ValueError as error:
            raise RecipeError(f"{f'step {i} ({name})' if i else 'train'}: {error}") from error


def _few(split: Split) -> Split:
    """Some fifty samples, the lowest and the highest label among them."""
    index = np.arange(min(50, len(split)))
    if split.y.ndim == 1:
        index = np.unique([*index, split.y.argmin(), split.y.argmax()])
    return Split(split.x[index], split.y[index])


def _training(step: Any) -> FineTune | None:
    """What trains in it, and in what it does meanwhile."""
    return step if isinstance(step, FineTune | None) else _training(getattr(step, "during", None))


def _learned(step: Any, split: Split) -> Split:
    """What is learned of it in the step, and in what it does meanwhile."""
    if isinstance(step, FineTune | Distill):
        return step.learned(split)
    during = getattr(step, "during", None)
    return split if during is None else _learned(during, split)


def _hasty(step: CompressionStep, batch: int) -> CompressionStep:
    if isinstance(step, FineTune):
        return replace(step, epochs=1, batch=batch)
    during = getattr(step, "during", None)
    return step if during is None else replace(step, during=_hasty(during, batch))  # type: ignore[type-var]
