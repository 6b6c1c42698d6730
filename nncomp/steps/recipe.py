"""Recipes: a network, how to train it, and the steps to compress it by, as a TOML file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from nncomp.data import NAMES, Data
from nncomp.fields import brief
from nncomp.files import Lineage, read_lineage
from nncomp.fingerprint import fingerprint
from nncomp.network import MLP
from nncomp.shown import shown
from nncomp.steps.compress import compress, step_names
from nncomp.steps.fine_tune import FineTune
from nncomp.steps.guard import Guard
from nncomp.steps.step import CompressionStep
from nncomp.steps.tables import Reader, RecipeError, check_keys


@dataclass(frozen=True, repr=False)
class Recipe:
    """A fresh network, the training it gets, and the steps that compress it.

    `network` and `train` are None in a recipe of steps alone, to be followed from a network that is given. `guard`: how
    far its steps may take the network. `text` and `seed`: the TOML that it was read from, and what was added to every
    seed there; empty where it was not. `as_read`: what was read.

    >>> from nncomp.data import load_data
    >>> Recipe(MLP.init([64, 10]), FineTune(epochs=1), ())(load_data("digits")).sizes
    [64, 10]
    """

    network: MLP | None
    train: FineTune | None
    steps: tuple[CompressionStep, ...]
    data: str = "digits"
    guard: Guard | None = None
    text: str = field(default="", repr=False, compare=False)
    seed: int = field(default=0, repr=False, compare=False)
    as_read: "Recipe | None" = field(default=None, repr=False, compare=False)

    __repr__ = shown

    def __call__(self, data: Data, network: MLP | None = None) -> MLP:
        """The network it leads to: from its own, trained, or from the one that is given, whose training is passed over.

        `steps.run.run` does the same in a folder, where it can be stopped at any moment.
        """
        start = network or self.started()
        if network is None and self.train is not None:
            start = self.train(start, data.without_test())
        return compress(start, self.steps, data, guard=self.guard)

    @classmethod
    def load(cls, name: str | Path, seed: int = 0) -> "Recipe":
        """From a TOML file, or a preset by its name; `seed` is added to every seed in it.

        From a network's file: the recipe that the network was made by, with the same seeds, to be followed once more;
        network files that it names are looked for beside that file.

        >>> Recipe.load("lenet-300-100").steps[-1]
        Quantize()
        """
        preset = files("nncomp") / "recipes" / f"{name}.toml"
        path, lineage = Path(name), None
        if seed < 0:
            raise RecipeError(f"a seed is at least 0, not {seed}")
        if path.suffix.lower() == ".safetensors":
            lineage = read_lineage(path)
            if lineage is None:
                raise RecipeError(f"{name}: the file does not say by what recipe its network was made")
            seed, text = seed + lineage.seed, lineage.recipe
        else:
            source = path if path.suffix.lower() == ".toml" else preset
            if not source.is_file():
                raise RecipeError(
                    f"{str(name)!r}: no such recipe; name a .toml file, a network's file, or a preset: "
                    f"{', '.join(presets())}"
                )
            try:
                text = source.read_text(encoding="utf-8-sig")
            except UnicodeDecodeError as error:
                raise RecipeError(f"{name}: not TOML: {error}") from error
        recipe = cls.read(text, str(name), path.parent, seed)
        return recipe if lineage is None else recipe._as_followed(lineage)

    @classmethod
    def read(cls, text: str, name: str = "recipe", folder: str | Path = ".", seed: int = 0) -> "Recipe":
        """From the text of a TOML file; network files in it are named as seen from `folder`.

        >>> Recipe.read('steps = [{ step = "Prune", sparsity = 0.5 }]').steps
        (Prune(sparsity=0.5),)
        """
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{name}: not TOML: {error}") from error
        except RecursionError as error:
            raise RecipeError(f"{name}: not a recipe: nested too deeply") from error
        recipe = cls(**_parts(Reader(seed, Path(folder)), table, name), text=text, seed=seed)
        return replace(recipe, as_read=recipe)

    def started(self) -> MLP:
        """The network that it begins with."""
        if self.network is None:
            raise RecipeError("its steps need a network to start from: [network] and [train], or --network FILE")
        return self.network

    def stages(self) -> list[tuple[str, CompressionStep]]:
        """What it does in turn, each with a name: its training, if it has one, and its steps."""
        first: list[tuple[str, CompressionStep]] = [("Train", self.train)] if self.train is not None else []
        return [*first, *zip(step_names(self.steps), self.steps)]

    def _as_followed(self, lineage: Lineage) -> "Recipe":
        """With as many steps as were to be taken, from a given network if it was."""
        data = lineage.data if lineage.data in NAMES else self.data
        taken = replace(self, steps=self.steps[: lineage.steps], data=data)
        return taken if lineage.parent is None else replace(taken, network=None, train=None)

    def lineage(self, data: Data, metrics: Mapping[str, float]) -> Lineage | None:
        """Of the network that it led to on `data`; None where no TOML says how: other steps than were read there."""
        read = self.as_read
        if read is None or self.steps != read.steps[: len(self.steps)] or self.guard != read.guard:
            return None
        if self.train is not None and (self.train != read.train or self.network is not read.network):
            return None
        parent = self.network.fingerprint() if self.network is not None and self.train is None else None
        return Lineage(self.text, len(self.steps), self.seed, data.name, fingerprint(data), parent, metrics)


def presets() -> list[str]:
    """The names of the recipes that come with the library.

    >>> "lenet-300-100" in presets()
    True
    """
    return sorted(
        p.name.removesuffix(".toml") for p in (files("nncomp") / "recipes").iterdir() if p.name.endswith("toml")
    )


def _parts(reader: Reader, table: dict[str, Any], where: str) -> dict[str, Any]:
    """The fields of a recipe in a table of TOML."""
    check_keys(table, ("data", "network", "train", "steps", "guard"), where)
    if not isinstance(table.get("steps"), list):
        raise RecipeError(f"{where}: needs [[steps]], a list of tables, or steps = [] for none")
    if ("network" in table) != ("train" in table):
        raise RecipeError(f"{where}: [network] and [train] come together: a fresh network has to be trained")
    if table.get("data", "digits") not in NAMES:
        raise RecipeError(f"{where}: data is one of {', '.join(NAMES)}, not {brief(table['data'])}")
    steps = tuple(reader.step(step, f"{where}: step {i}") for i, step in enumerate(table["steps"], 1))
    made = {
        name: reader.made(kind, table[name], f"{where}: {name}") if name in table else None
        for name, kind in (("network", MLP.init), ("train", FineTune), ("guard", Guard))
    }
    return {"steps": steps, "data": table.get("data", "digits"), **made}
