"""Networks of torch: state dicts there and back, and one trained, imported, compressed, exported."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.activations import Activation, Identity, ReLU, SiLU, Tanh
from nncomp.data import load_data
from nncomp.interchange import from_state_dict, to_state_dict
from nncomp.network import MLP
from nncomp.report import Report
from nncomp.steps import FineTune, Prune, Quantize, stages

torch = pytest.importorskip("torch")
nn = torch.nn

from tests.crosscheck.torch_graph import assert_close  # noqa: E402

MODULES: dict[Activation, type] = {ReLU(): nn.ReLU, Tanh(): nn.Tanh, SiLU(): nn.SiLU, Identity(): nn.Identity}


def sequential(sizes: list[int], activation: type, norm: bool, bias: bool, dtype: "torch.dtype") -> "nn.Sequential":
    """Linear, batch norm where asked, activation, and so on; the last is linear alone."""
    modules: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        modules.append(nn.Linear(inputs, outputs, bias=bias, dtype=dtype))
        if i < len(sizes) - 2:
            modules += [nn.BatchNorm1d(outputs, dtype=dtype)] * norm + [activation()]
    return nn.Sequential(*modules)


@settings(max_examples=40)
@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=4), st.sampled_from(list(MODULES)), st.booleans(), st.booleans(),
    st.integers(0, 2**31),
)  # fmt: skip
def test_a_sequential_is_the_same_network(
    sizes: list[int], activation: Activation, norm: bool, bias: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    model = sequential(sizes, MODULES[activation], norm, bias, torch.float64)
    x = torch.randn(8, sizes[0], dtype=torch.float64)
    model(3 * x + 1)  # in training: the running statistics move
    model.eval()
    network = from_state_dict(model.state_dict(), activation)
    assert network.sizes == sizes and network.dtype == np.float64
    assert_close(network(x.numpy()), model(x))
    other = sequential(sizes, MODULES[activation], norm, True, torch.float64).eval()
    keys = other.load_state_dict({key: torch.from_numpy(a) for key, a in to_state_dict(network).items()}, strict=False)
    assert not keys.unexpected_keys and all(key.endswith("num_batches_tracked") for key in keys.missing_keys)
    assert_close(network(x.numpy()), other(x))


def test_half_precision_is_widened_exactly() -> None:
    model = sequential([4, 3, 2], nn.ReLU, False, True, torch.bfloat16)
    network = from_state_dict(model.state_dict())
    for key, a in to_state_dict(network).items():
        np.testing.assert_array_equal(a, model.state_dict()[key].float().numpy())


def test_a_model_is_imported_compressed_exported_and_predicts_as_reported() -> None:
    data = load_data("digits")
    torch.manual_seed(0)
    model = sequential([64, 32, 10], nn.ReLU, True, True, torch.float32)
    x, y = torch.from_numpy(data.train.x), torch.from_numpy(data.train.y)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(20):
        for chosen in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[chosen]), y[chosen]).backward()
            optimizer.step()
    model.eval()

    def predicted(module: "nn.Module") -> np.ndarray:
        with torch.no_grad():
            return module(torch.from_numpy(data.test.x)).argmax(dim=1).numpy()  # type: ignore[union-attr]

    imported: MLP = from_state_dict(model.state_dict())
    done = list(stages(imported, (Prune(0.8, during=FineTune(epochs=10)), Quantize(inputs=None)), data))
    report = Report.of([("imported", imported), *done], data)
    labels = data.test.y  # type: ignore[union-attr]
    assert report.rows[0].accuracy == np.mean(predicted(model) == labels) > 0.93
    exported = sequential([64, 32, 10], nn.ReLU, False, True, torch.float32)
    exported.load_state_dict({key: torch.from_numpy(a) for key, a in to_state_dict(done[-1][1]).items()})
    assert np.mean(predicted(exported) == labels) == report.rows[-1].accuracy > 0.9
    assert np.mean(predicted(exported) == predicted(model)) == report.rows[-1].agreement
    assert report.rows[-1].disk < report.rows[0].disk / 3
