"""The network that a recipe's steps begin with, as a teacher: what it was before anything was taken from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from nncomp.data import Data
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.steps.step import CompressionStep


@dataclass(frozen=True)
class Original:
    """In `Distill(teacher=Original())` the network that `compress`, or a recipe, began its steps with.

    >>> from nncomp.data import load_data
    >>> from nncomp.steps import Distill, FineTune, Prune, compress
    >>> taught = Distill(teacher=Original(), T=2.0, during=FineTune(epochs=1))
    >>> small = compress(MLP.init([64, 16, 10]), [Prune(0.5, during=taught), taught], load_data("digits"))
    >>> small.sizes
    [64, 16, 10]
    """


def taken(step: CompressionStep, network: MLP, original: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
    """The network after the step, as one of several that began with `original`, without a look at the test split."""
    return _taught(step, original)(network, data.without_test(), hooks)


def _taught(step: Any, original: MLP) -> Any:
    """With the network in the place of `Original`, in what the step does meanwhile too."""
    found = {name: getattr(step, name) for name in ("teacher", "during") if getattr(step, name, None) is not None}
    told = {name: _of(value, original) for name, value in found.items()}
    return replace(step, **told) if any(told[name] is not found[name] for name in told) else step


def _of(value: Any, original: MLP) -> Any:
    if isinstance(value, tuple):
        each = tuple(_of(one, original) for one in value)
        return each if any(a is not b for a, b in zip(each, value)) else value
    return original if isinstance(value, Original) else _taught(value, original)
