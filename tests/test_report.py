"""Measures by hand-counted bytes, and a report that says what was measured."""

import json
from pathlib import Path

import numpy as np
import pytest

from nncomp.data import Data, Split
from nncomp.files import save
from nncomp.layer import Linear
from nncomp.measure import Cost, accuracy, agreement, form, latency, layer_cost, network_cost
from nncomp.network import MLP
from nncomp.norm import BatchNorm
from nncomp.quantize import round_to_nearest
from nncomp.report import Report
from nncomp.weights import Dense, Quantized, Sparse

W = np.array([[1, 0, -2, 0], [0, 0, 3, 4]], np.float32)
BIAS = np.array([0, 1], np.float32)
MASK = W != 0


def test_costs_by_hand() -> None:
    codes, grid = round_to_nearest(W)
    sparse = Sparse.from_dense(W)
    both = Quantized.encoded(sparse, grid)
    cases = [
        # weight: parameters, nonzeros, stored = weight + 8 of bias, resident, multiply-adds
        (Dense(W), Cost(10, 5, 32 + 8, 40, 8)),
        (sparse, Cost(10, 5, 4 * 4 + 4 + 3 + 8, 31, 4)),
        (Quantized(codes, grid), Cost(10, 5, 8 + 2 * 4 + 8, 24 + 32, 8)),
        (both, Cost(10, 5, 4 + 4 + 3 + 2 * 4 + 8, 27 + 23, 4)),
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


def test_without_a_test_split_the_validation_split_is_reported(network: MLP, data: Data) -> None:
    report = Report.of([("only", network)], data.without_test())
    assert report.split == "validation" and report.rows[0].accuracy == 0.25
