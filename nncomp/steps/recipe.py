"""Recipes: a network, how to train it, and the steps to compress it by, as a TOML file."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from nncomp import activations, formats, init, optim, prune, quantize
from nncomp.network import MLP
from nncomp.shown import shown
from nncomp.steps.compress import CompressionStep
from nncomp.steps.distill import Distill
from nncomp.steps.fine_tune import FineTune
from nncomp.steps.prune import Prune
from nncomp.steps.quantize import Quantize

STEPS = {step.__name__: step for step in (Prune, Quantize, FineTune, Distill)}

VALUES = {
    value.__name__: value
    for value in (
        optim.SGD, optim.Adam, optim.AdamW, optim.Constant, optim.Step, optim.Cosine, optim.OneCycle,
        formats.Uniform, formats.PerTensor, formats.PerRow, formats.PerGroup, quantize.Dynamic, quantize.Percentile,
        activations.ReLU, activations.LeakyReLU, activations.Tanh, activations.Sigmoid, activations.SiLU,
        activations.GELU, activations.GELUTanh,
    )
}  # fmt: skip
"""What `{ is = "Name", field = value }` may make in a recipe."""

FUNCTIONS: dict[str, Callable] = {
    function.__name__: function
    for function in (
        prune.magnitude, prune.row_l1, prune.keep_globally, prune.keep_each, prune.constant, prune.cubic,
        quantize.minmax, formats.nearest_even, formats.nearest_away,
        formats.largest_code, formats.half_range, formats.lowest_code, init.he, init.glorot,
    )
}  # fmt: skip
"""What a plain word may name in a recipe."""


class RecipeError(ValueError):
    """A recipe that cannot be followed, with the place and what was expected there."""


@dataclass(frozen=True, repr=False)
class Recipe:
    """A fresh network, the training it gets, and the steps that compress it."""

    network: MLP
    train: FineTune
    steps: tuple[CompressionStep, ...]
    data: str = "digits"

    __repr__ = shown

    @classmethod
    def load(cls, name: str | Path, seed: int = 0) -> "Recipe":
        """From a TOML file, or a preset by its name; `seed` is added to every seed in it.

        >>> Recipe.load("lenet-300-100").steps[-1]
        Quantize()
        """
        preset = files("nncomp") / "recipes" / f"{name}.toml"
        source = Path(name) if Path(name).suffix == ".toml" else preset
        if not source.is_file():
            raise RecipeError(f"{name}: no such recipe; name a .toml file or a preset: {', '.join(presets())}")
        try:
            table = tomllib.loads(source.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RecipeError(f"{name}: not TOML: {error}") from error
        if seed < 0:
            raise RecipeError(f"a seed is at least 0, not {seed}")
        return cls._of(table, str(name), seed)

    @classmethod
    def _of(cls, table: dict[str, Any], where: str, seed: int) -> "Recipe":
        _check_keys(table, ("data", "network", "train", "steps"), where)
        for key in ("network", "train", "steps"):
            if key not in table:
                raise RecipeError(f"{where}: a recipe needs [{key}]" if key != "steps" else f"{where}: needs [[steps]]")
        network = _network(table["network"], f"{where}: network", seed)
        if not isinstance(table["steps"], list) or not isinstance(table.get("data", ""), str):
            raise RecipeError(f"{where}: steps are [[steps]] tables, and data is the name of a data set")
        steps = []
        for i, step in enumerate(table["steps"], 1):
            place = f"{where}: step {i}"
            if not isinstance(step, dict) or step.get("step") not in list(STEPS):
                raise RecipeError(f"{place}: needs step = one of {', '.join(STEPS)}")
            arguments = {key: value for key, value in step.items() if key != "step"}
            steps.append(_made(STEPS[step["step"]], arguments, f"{place} ({step['step']})", seed))
        return cls(
            network, _made(FineTune, table["train"], f"{where}: train", seed), tuple(steps), table.get("data", "digits")
        )


def presets() -> list[str]:
    """The names of the recipes that come with the library.

    >>> "lenet-300-100" in presets()
    True
    """
    return sorted(
        p.name.removesuffix(".toml") for p in (files("nncomp") / "recipes").iterdir() if p.name.endswith("toml")
    )


def _network(table: Any, where: str, seed: int) -> MLP:
    if not isinstance(table, dict):
        raise RecipeError(f"{where}: a table with sizes = [inputs, ..., classes]")
    if not isinstance(table.get("sizes"), list) or not all(isinstance(n, int) for n in table["sizes"]):
        raise RecipeError(f"{where}.sizes: a list of whole numbers, from inputs to classes, not {table.get('sizes')!r}")
    allowed = ("sizes", "activation", "init", "norm", "seed")
    _check_keys(table, allowed, where)
    arguments = {key: _value(value, f"{where}.{key}", seed) for key, value in table.items()}
    arguments["seed"] = table.get("seed", 0) + seed
    return _called(MLP.init, arguments, where)


def _made(kind: type, table: Any, where: str, seed: int) -> Any:
    """A frozen value from its table; keys are its fields."""
    if not isinstance(table, dict):
        raise RecipeError(f"{where}: expected a table of {kind.__name__}'s fields, not {table!r}")
    names = [f.name for f in fields(kind)]
    _check_keys(table, names, where)
    arguments = {}
    for key, value in table.items():
        place = f"{where}.{key}"
        if key == "during":
            arguments[key] = _made(FineTune, value, place, seed)
        elif key in ("student", "teacher"):
            arguments[key] = _network(value, place, seed)
        else:
            arguments[key] = _value(value, place, seed)
    made = _called(kind, arguments, where)
    return replace(made, seed=made.seed + seed) if "seed" in names else made


def _value(value: Any, where: str, seed: int) -> Any:
    if isinstance(value, dict):
        kind = VALUES.get(str(value.get("is")))
        if kind is None:
            raise RecipeError(f'{where}: expected {{ is = "...", ... }} with one of {", ".join(VALUES)}')
        return _made(kind, {key: v for key, v in value.items() if key != "is"}, where, seed)
    if isinstance(value, list):
        return tuple(_value(item, where, seed) for item in value)
    if isinstance(value, str):
        if value not in FUNCTIONS:
            raise RecipeError(f"{where}: unknown word {value!r}; expected a number, or one of {', '.join(FUNCTIONS)}")
        return FUNCTIONS[value]
    return value


def _called(kind: Callable[..., Any], arguments: dict[str, Any], where: str) -> Any:
    try:
        return kind(**arguments)
    except (TypeError, ValueError, AttributeError) as error:
        raise RecipeError(f"{where}: {error}") from error


def _check_keys(table: dict[str, Any], allowed: Any, where: str) -> None:
    for key in table:
        if key not in allowed:
            raise RecipeError(f"{where}: unknown key {key!r}; expected {', '.join(allowed)}")
