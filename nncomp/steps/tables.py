"""Tables of TOML -> steps and other frozen values, each error with the place where it is."""

from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import partial
from inspect import signature
from pathlib import Path
from types import NoneType
from typing import Any

from nncomp.fields import alternatives, annotations, brief, expected, items, length, plain
from nncomp.files import kinds, load
from nncomp.network import MLP
from nncomp.steps.choices import CHOICES, STEPS
from nncomp.steps.fine_tune import FineTune
from nncomp.steps.step import CompressionStep


class RecipeError(ValueError):
    """A recipe that cannot be followed, with the place and what was expected there."""


@dataclass(frozen=True)
class Reader:
    """Tables of TOML -> frozen values, each error with the place where it is."""

    seed: int
    folder: Path

    def step(self, table: Any, where: str) -> CompressionStep:
        if not isinstance(table, dict) or not isinstance(name := table.get("step"), str) or name not in STEPS:
            found = table.get("step", table) if isinstance(table, dict) else table
            raise RecipeError(f"{where}: needs step = one of {', '.join(STEPS)}, not {brief(found)}")
        return self.made(STEPS[name], {k: v for k, v in table.items() if k != "step"}, f"{where} ({name})")

    def made(self, kind: Callable[..., Any], table: Any, where: str) -> Any:
        """What `kind` makes of a table whose keys are its fields or arguments."""
        hints = {name: hint for name, hint in annotations(kind).items() if name != "dtype"}
        needed = [f.name for f in fields(kind) if f.default is MISSING] if is_dataclass(kind) else ["sizes"]
        arguments = self.arguments(kind, hints, needed, table, where)
        for name, hint in hints.items():  # a default training has a seed as well
            if FineTune in alternatives(hint) and NoneType not in alternatives(hint):
                arguments.setdefault(name, FineTune(seed=self.seed))
        try:
            return kind(**arguments)
        except ValueError as error:
            raise RecipeError(f"{where}: {error}") from error

    def chosen(self, choice: Callable[..., Any], table: dict[str, Any], where: str) -> Any:
        """A value of a class, or a function."""
        return (self.made if isinstance(choice, type) else self.with_options)(choice, table, where)

    def with_options(self, function: Callable[..., Any], table: Any, where: str) -> Callable[..., Any]:
        """`function` with those of its arguments that have a default set by a table."""
        defaults = {p.name: p.default for p in signature(function).parameters.values() if p.default is not p.empty}
        hints = {name: hint for name, hint in annotations(function).items() if name in defaults}
        told = self.arguments(function, hints, [], table, where)
        told = {name: value for name, value in told.items() if value != defaults[name]}
        return partial(function, **told) if told else function

    def arguments(
        self, kind: Callable[..., Any], hints: dict[str, Any], needed: Sequence[str], table: Any, where: str
    ) -> dict[str, Any]:
        """A table read as arguments of these types; a seed among them is added to the recipe's."""
        if not isinstance(table, dict):
            raise RecipeError(f"{where}: expected a table with some of {', '.join(hints)}, not {brief(table)}")
        check_keys(table, hints, where)
        for name in needed:
            if name not in table:
                raise RecipeError(f"{where}: needs {name}, {expected(hints[name])}")
        arguments = {
            key: self.value(value, hints[key], f"{kind.__name__}.{key}", f"{where}.{key}")
            for key, value in table.items()
        }
        if "seed" in hints:
            arguments["seed"] = arguments.get("seed", 0) + self.seed
        return arguments

    def value(self, value: Any, hint: Any, place: str, where: str) -> Any:
        choices = {kinds.word(choice): choice for choice in CHOICES.get(place, ())}
        match value:
            case list() if items(hint) is not None and length(hint) in (None, len(value)):
                return tuple(self.value(item, items(hint), place, f"{where}[{i}]") for i, item in enumerate(value))
            case {"is": str(name)} if callable(choices.get(name)):
                return self.chosen(choices[name], {k: v for k, v in value.items() if k != "is"}, where)
            case dict() if "is" not in value and (kind := _implied(list(choices.values()))) is not None:
                return self.made(kind, value, where)
            case "none" if NoneType in alternatives(hint):
                return None
            case str() if MLP in alternatives(hint) and value.endswith(".safetensors"):
                return self.network(value, where)
            case str() if value in choices:
                return self.chosen(choices[value], {}, where) if callable(choices[value]) else choices[value]
            case dict() | list():
                pass
            case _ if plain(value, hint):
                return value
        words = ["{ sizes = [inputs, ..., classes] }" if one is MLP.init else word for word, one in choices.items()]
        if MLP in alternatives(hint):
            words.append("the path of a .safetensors file")
        wanted = expected(hint, words, none='"none"')
        if isinstance(value, dict) and "is" not in value and len(choices) > 1:
            wanted += f', as in {{ is = "{words[0]}", ... }}'
        raise RecipeError(f"{where}: expected {wanted}, not {brief(value)}")

    def network(self, name: str, where: str) -> MLP:
        """The network in a file, named as seen from the recipe's folder."""
        try:
            return load(self.folder / name)
        except (OSError, ValueError) as error:
            raise RecipeError(f"{where}: {error}") from error


def _implied(choices: list[Any]) -> Any:
    """What a table without `is` stands for: the only class or function there is, or a training."""
    kinds = [choice for choice in choices if callable(choice)]
    return kinds[0] if (len(kinds) == 1 and annotations(kinds[0])) or kinds[:1] == [FineTune] else None


def check_keys(table: dict[str, Any], allowed: Any, where: str) -> None:
    for key in table:
        if key not in allowed:
            raise RecipeError(f"{where}: unknown key {brief(key)}; expected {', '.join(allowed) or 'none'}")
