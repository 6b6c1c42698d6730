"""Where the network in a file comes from: enough to make it again, or one like it from other data."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from nncomp.fields import brief


@dataclass(frozen=True)
class Lineage:
    """What a network was made from, by what, and how good it was then.

    `parent`: the fingerprint of the network that its recipe was followed from; None where the recipe has a fresh one
    trained. `recipe`: the text of the TOML file; `steps`: how many of its steps were to be taken; `seed`: what was
    added to its seeds. `data`: name of the data set; `samples`: its fingerprint. `metrics`: what was measured, by name.

    >>> Lineage.read(Lineage("steps = []", 0, 3, "digits", "ab12").told()).seed
    3
    """

    recipe: str
    steps: int
    seed: int
    data: str
    samples: str
    parent: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        words, counts = (self.recipe, self.data, self.samples), (self.steps, self.seed)
        if not (
            all(isinstance(word, str) for word in words)
            and all(type(count) is int and count >= 0 for count in counts)
            and isinstance(self.parent, str | None)
            and isinstance(self.metrics, Mapping)
            and all(_number(value) for value in self.metrics.values())
        ):
            raise ValueError(f"a lineage is words, counts and finite metrics, and not {brief(vars(self))}")

    def __str__(self) -> str:
        """What, on what, how good, by what recipe."""
        began = "a network that it trained" if self.parent is None else f"network {self.parent[:8]}"
        measured = ", ".join(f"{name} {value:.4f}" for name, value in self.metrics.items())
        head = f"made by {self.steps} steps of this recipe, seed {self.seed}, from {began}"
        data = f"on {self.data} ({self.samples[:8]}){measured and f': {measured}'}"
        return "\n".join([head, data, *(f"  {line}".rstrip() for line in self.recipe.splitlines())])

    def told(self) -> dict[str, Any]:
        """As it stands in a file's header."""
        return asdict(self)

    @classmethod
    def read(cls, told: Any) -> Self:
        """What `told` gave; a ValueError for anything else."""
        if not isinstance(told, dict) or set(told) != set(cls.__dataclass_fields__):
            raise ValueError(f"a lineage has {', '.join(cls.__dataclass_fields__)}, and is not {brief(told)}")
        return cls(**told)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
