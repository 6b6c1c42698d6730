"""What each step did to size, accuracy and speed: as a table, as JSON, as a picture.

Only the report looks at the test split.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from nncomp.chart import draw
from nncomp.data import Data
from nncomp.files import entropy_bytes, to_bytes
from nncomp.measure import Cost, accuracy, agreement, check_fit, form, latency, layer_cost, network_cost
from nncomp.network import MLP
from nncomp.shown import aligned


@dataclass(frozen=True)
class Layer:
    """One layer of a measured network: how its weight is kept, (out, in), and what it costs."""

    form: str
    shape: tuple[int, int]
    cost: Cost


@dataclass(frozen=True)
class Row:
    """One network: cost, bytes of its file (lineage aside), accuracy, agreement with the first one, seconds a call.

    `bound`: bytes below which entropy coding does not take it; None where the file is not a coded one.
    """

    name: str
    cost: Cost
    disk: int
    accuracy: float
    agreement: float
    latency_1: float
    latency_256: float
    layers: tuple[Layer, ...]
    bound: float | None = None


@dataclass(frozen=True)
class Report:
    """Networks side by side, the first being what the others are compared with.

    >>> from nncomp.data import load_data
    >>> report = Report.of([("random", MLP.init([64, 10]))], load_data("digits"))
    >>> report.rows[0].cost.stored, report.rows[0].agreement
    (2600, 1.0)
    """

    data: str
    split: str
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, networks: Iterable[tuple[str, MLP]], data: Data, coded: bool | Sequence[bool] = False) -> Self:
        """Measure named networks on the test split, or on the validation split of data that has none.

        `coded`: their files' integers are entropy-coded, of all of them or of each.
        """
        split = data.test or data.validation
        rows, first = [], None
        for i, (name, network) in enumerate(networks):
            try:
                check_fit(network, split, data.name)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            first = first or network
            of_codes = coded if isinstance(coded, bool) else coded[i]
            layers = (Layer(form(layer.weight), layer.weight.shape, layer_cost(layer)) for layer in network.layers)
            rows.append(
                Row(
                    name,
                    network_cost(network),
                    len(to_bytes(network, coded=of_codes)),
                    accuracy(network, split),
                    agreement(network, first, split.x),
                    latency(network, 1),
                    latency(network, 256),
                    tuple(layers),
                    entropy_bytes(network) if of_codes else None,
                )
            )
        if not rows:
            raise ValueError("a report needs at least one network")
        return cls(data.name, "test" if data.test else "validation", tuple(rows))

    def __str__(self) -> str:
        """Two tables: the networks, then the layers of the last one."""
        bounds = ["bound kB"] if any(row.bound is not None for row in self.rows) else []
        head = ["network", "error %", "agree %", "file kB", *bounds, "ratio"]
        lines = [[*head, "resident kB", "nonzeros", "bits/w", "mult-adds", "batch 1", "batch 256"]]
        for row in self.rows:
            c, bound = row.cost, "" if row.bound is None else f"{row.bound / 1e3:.1f}"
            lines.append(
                [
                    row.name,
                    f"{100 - 100 * row.accuracy:.2f}",
                    f"{100 * row.agreement:.2f}",
                    f"{row.disk / 1e3:.1f}",
                    *[bound for _ in bounds],
                    f"{self.rows[0].disk / row.disk:.1f}x",
                    f"{c.resident / 1e3:.1f}",
                    f"{c.nonzeros:,}",
                    f"{c.bits_per_weight:.2f}",
                    f"{c.multiply_adds:,}",
                    f"{1e6 * row.latency_1:.0f} us",
                    f"{1e6 * row.latency_256:.0f} us",
                ]
            )
        layers = [[f"layers of {self.rows[-1].name}", "out x in", "stored kB", "nonzeros", "bits/w", "mult-adds"]]
        for layer in self.rows[-1].layers:
            c = layer.cost
            shape = f"{layer.shape[0]} x {layer.shape[1]}"
            numbers = [f"{c.stored / 1e3:.1f}", f"{c.nonzeros:,}", f"{c.bits_per_weight:.2f}", f"{c.multiply_adds:,}"]
            layers.append([layer.form, shape, *numbers])
        return f"{self.data}, {self.split} split\n{aligned(lines)}\n\n{aligned(layers)}"

    def to_json(self) -> str:
        """Everything measured, in bytes, fractions and seconds; `ratio` is to the first network's file."""
        told = asdict(self)
        for row, out in zip(self.rows, told["rows"]):
            out |= {"ratio": self.rows[0].disk / row.disk, "bits_per_weight": row.cost.bits_per_weight}
        return json.dumps(told, indent=1)

    def plot(self, path: str | Path) -> None:
        """Draw the networks' file size against their error, joined in order; the suffix says the image format."""
        points = [(row.name, row.disk, 100 - 100 * row.accuracy) for row in self.rows]
        draw(path, points, self.data, self.split)
