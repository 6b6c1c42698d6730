"""Measures by hand-counted bytes, and a report that says what was measured."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nncomp.data import Data, Split
from nncomp.files import entropy_bytes, save
from nncomp.layer import Linear
from nncomp.measure import Cost, accuracy, agreement, form, latency, layer_cost, network_cost
from nncomp.network import MLP
from nncomp.norm import BatchNorm
from nncomp.optim import Adam
from nncomp.quantize import round_to_nearest
from nncomp.report import Layer, Report, Row
from nncomp.steps import Distill, FineTune, Prune, Quantize, stages
from nncomp.weights import Dense, Quantized, Sparse

W = np.array([[1, 0, -2, 0], [0, 0, 3, 4]], np.float32)
BIAS = np.array([0, 1], np.float32)
MASK = W != 0


def test_costs_by_hand() -> None:
    codes, grid = round_to_nearest(W)
    sparse = Sparse.from_dense(W)
    both = Quantized.encoded(sparse, grid)
    lists = 4 * 2 + 3 * 8 + 2 * 4 + 2 * 8  # columns, where rows begin, which rows, column bounds: the kernel's
    cases = [
        # weight: parameters, nonzeros, stored = weight + 8 of bias, resident, multiply-adds
        (Dense(W), Cost(10, 5, 32 + 8, 40, 8)),
        (sparse, Cost(10, 5, 4 * 4 + 4 + 3 + 8, 31 + lists, 4)),
        (Quantized(codes, grid), Cost(10, 5, 8 + 2 * 4 + 8, 24 + 32, 8)),
        (both, Cost(10, 5, 4 + 4 + 3 + 2 * 4 + 8, 27 + 16 + lists, 4)),
    ]
    for weight, expected in cases:
        assert layer_cost(Linear(weight, BIAS)) == expected
    normed = Linear(Dense(W), BIAS, norm=BatchNorm.init(2))
    assert layer_cost(normed).stored == 40 + 4 * 2 * 4
    assert network_cost(MLP((normed, Linear(Dense(W.T.copy()), np.zeros(4, np.float32))))).parameters == 10 + 12
    assert layer_cost(Linear(Dense(W), BIAS)).bits_per_weight == 32
    assert [form(w) for w, _ in cases] == ["dense float32", "sparse float32", "dense int8", "sparse int8"]


@pytest.fixture
def data() -> Data:
    x = np.eye(4, dtype=np.float32)
    return Data(Split(x, np.zeros(4, int)), Split(x, np.zeros(4, int)), Split(x, np.array([0, 0, 1, 1])), "eye")


@pytest.fixture
def network() -> MLP:
    return MLP((Linear(Dense(W), BIAS),))  # on the unit vectors: classes 0 (1 > 1 is a tie, the first wins), 1, 1, 1


def test_accuracy_and_agreement_by_hand(network: MLP, data: Data) -> None:
    assert data.test is not None
    assert accuracy(network, data.test) == 0.75
    other = MLP((Linear(Dense(-W), BIAS),))  # classes 1, 1, 0, 0
    assert agreement(network, other, data.test.x) == 0.25
    assert latency(network, 3, runs=2) > 0


def test_report_says_what_was_measured(network: MLP, data: Data, tmp_path: Path) -> None:
    quantized = MLP((Linear(Quantized(*round_to_nearest(W)), BIAS),))
    report = Report.of([("first", network), ("second", quantized)], data)
    assert [row.disk for row in report.rows] == [save(tmp_path / "a", network), save(tmp_path / "b", quantized)]
    assert [row.agreement for row in report.rows] == [1.0, 1.0] and report.rows[0].accuracy == 0.75
    table = str(report)
    assert table.startswith("eye, test split\n") and "25.00" in table and "dense int8" in table
    assert len({len(line) for line in table.split("\n\n")[0].splitlines()[1:]}) == 1, "columns line up"
    told = json.loads(report.to_json())
    assert told["rows"][1]["cost"]["stored"] == 24 and told["rows"][1]["layers"][0]["shape"] == [2, 4]
    report.plot(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"


def test_a_report_of_coded_files_has_their_bounds_beside_their_sizes(data: Data, tmp_path: Path) -> None:
    first = MLP.init([4, 400, 2])
    codes = (Quantized(*round_to_nearest(layer.weight.dense())) for layer in first.layers)
    networks = [first, MLP(tuple(replace(layer, weight=w) for layer, w in zip(first.layers, codes)))]
    report = Report.of([(str(i), network) for i, network in enumerate(networks)], data, coded=True)
    for i, (row, network) in enumerate(zip(report.rows, networks)):
        assert row.disk == save(tmp_path / str(i), network, coded=True)
        assert row.bound == entropy_bytes(network) < row.disk
    head, _, *lines = str(report).splitlines()[1:5]
    assert cells(head)[3:6] == ["file kB", "bound kB", "ratio"]
    for line, row in zip(lines, report.rows, strict=True):
        assert cells(line)[3:5] == [f"{row.disk / 1e3:.1f}", f"{row.bound / 1e3:.1f}"]


def test_without_a_test_split_the_validation_split_is_reported(network: MLP, data: Data) -> None:
    report = Report.of([("only", network)], data.without_test())
    assert report.split == "validation" and report.rows[0].accuracy == 0.25


def rows() -> tuple[Row, ...]:
    """Numbers that a table has to round, group and divide."""
    layers = (
        Layer("dense float32", (300, 784), Cost(235_500, 235_200, 942_000, 942_000, 235_200)),
        Layer("sparse int8", (10, 300), Cost(3_010, 310, 1_505, 1_605, 300)),
    )
    total = layers[0].cost + layers[1].cost
    first = Row("Train", total, 1_000_049, 0.98765, 1.0, 12.4e-6, 1234.4e-6, layers)
    return first, replace(first, name="Prune", disk=40_000, accuracy=1.0, agreement=0.5, latency_1=0.9e-6)


def cells(line: str) -> list[str]:
    return re.split(r"\s{2,}", line)


def test_every_cell_of_the_table() -> None:
    networks, layers = str(Report("mnist", "test", rows())).split("\n\n")
    title, head, rule, train, prune = networks.splitlines()
    assert title == "mnist, test split" and set(rule) == {"-"}
    assert cells(head) == [
        "network", "error %", "agree %", "file kB", "ratio", "resident kB", "nonzeros", "bits/w", "mult-adds",
        "batch 1", "batch 256",
    ]  # fmt: skip
    costs = ["943.6", "235,510", f"{8 * 943_505 / 238_510:.2f}", "235,500"]
    assert cells(train) == ["Train", "1.23", "100.00", "1000.0", "1.0x", *costs, "12 us", "1234 us"]
    assert cells(prune) == ["Prune", "0.00", "50.00", "40.0", "25.0x", *costs, "1 us", "1234 us"]
    head, rule, dense, sparse = layers.splitlines()
    assert cells(head) == ["layers of Prune", "out x in", "stored kB", "nonzeros", "bits/w", "mult-adds"]
    assert cells(dense) == ["dense float32", "300 x 784", "942.0", "235,200", "32.00", "235,200"]
    assert cells(sparse) == ["sparse int8", "10 x 300", "1.5", "310", "4.00", "300"]


def test_json_holds_everything() -> None:
    report = Report("mnist", "test", rows())
    told = json.loads(report.to_json(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    again = tuple(
        Row(**{
            **{key: value for key, value in row.items() if key not in ("ratio", "bits_per_weight")},
            "cost": Cost(**row["cost"]),
            "layers": tuple(Layer(l["form"], tuple(l["shape"]), Cost(**l["cost"])) for l in row["layers"]),
        })
        for row in told["rows"]
    )  # fmt: skip
    assert Report(told["data"], told["split"], again) == report


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("accuracy", [0.0, 0.9, 1.0])
def test_plots_whatever_the_errors(tmp_path: Path, count: int, accuracy: float) -> None:
    report = Report("mnist", "test", tuple(replace(row, accuracy=accuracy) for row in rows()[:count]))
    report.plot(tmp_path / "picture.png")
    head = (tmp_path / "picture.png").read_bytes()[:24]
    assert head[:4] == b"\x89PNG" and int.from_bytes(head[16:20], "big") == 1200, "8 inches of 150 dots"
    report.plot(tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").read_text(encoding="utf-8").startswith("<?xml")


class Sealed(Split):
    """A split that nobody may look at."""

    def __init__(self) -> None:
        pass

    def _looked(self) -> np.ndarray:
        raise AssertionError("looked at the test split")

    x = y = property(_looked)  # type: ignore[assignment]


def test_what_cannot_be_reported_is_named(data: Data) -> None:
    with pytest.raises(ValueError, match="at least one network"):
        Report.of([], data)
    narrow = Data(data.train, data.validation, name="tiny")
    with pytest.raises(ValueError, match="wide: the network takes 99 features, and tiny has "):
        Report.of([("wide", MLP.init([99, 2]))], narrow)


def test_only_the_report_looks_at_the_test_split() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 4), dtype=np.float32), rng.integers(0, 2, 40)
    data = Data(Split(x[:30], y[:30]), Split(x[30:], y[30:]), Sealed())
    short = FineTune(epochs=2, batch=10, optimizer=Adam(rate=1e-2))
    steps = [
        replace(short, patience=1),
        Prune(0.5, during=short),
        Quantize(),
        Distill(student=MLP.init([4, 2]), during=short),
        Quantize(during=short),
    ]
    network = MLP.init([4, 3, 2])
    done = list(stages(network, steps, data))
    for step in steps:
        network = step(network, data)
    assert network.fingerprint() == done[-1][1].fingerprint()
    with pytest.raises(AssertionError, match="looked at the test split"):
        Report.of(done, data)


def test_the_first_network_is_the_measure_of_the_others(network: MLP, data: Data) -> None:
    opposite = MLP((Linear(Dense(-W), BIAS),))
    named = (pair for pair in [("first", network), ("second", opposite), ("third", network)])
    report = Report.of(named, data)
    assert [row.agreement for row in report.rows] == [1.0, 0.25, 1.0]
    assert [row.name for row in report.rows] == ["first", "second", "third"]
    assert report.rows[1].layers == (Layer("dense float32", (2, 4), layer_cost(opposite.layers[0])),)
