"""torch's tensors as arrays: with gradients, of every layout, in floats that NumPy does not have."""

import numpy as np
import pytest

from nncomp import to_numpy
from nncomp.interchange.small_floats import FLOAT8

torch = pytest.importorskip("torch")


def test_parameters_are_detached_views() -> None:
    x = torch.nn.Parameter(torch.randn(3, 4))
    y = to_numpy(x)
    assert np.shares_memory(y, x.detach().numpy()) and not y.flags.writeable and x.requires_grad
    np.testing.assert_array_equal(y, x.tolist())


def test_results_of_a_graph_are_detached() -> None:
    x = torch.ones(2, requires_grad=True)
    np.testing.assert_array_equal(to_numpy(x * 3), [3.0, 3.0])


@pytest.mark.parametrize("name", ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float64"])
def test_dtypes_carry_over(name: str) -> None:
    y = to_numpy(torch.arange(6).to(getattr(torch, name)).reshape(2, 3).T)
    assert y.dtype == name and y.shape == (3, 2)
    np.testing.assert_array_equal(y, np.arange(6).astype(name).reshape(2, 3).T)


@pytest.mark.parametrize("name", ["bfloat16", *(name for name in FLOAT8 if hasattr(torch, name))])
def test_small_floats_of_every_layout(name: str) -> None:
    bits = torch.arange(256).to(torch.uint8)
    x = bits.view(getattr(torch, name))
    for part in (x, x[::3], x.reshape(2, -1).T, x[:0], x[5], x.reshape(4, -1)[1::2, ::3].T):
        y = to_numpy(part)
        assert y.dtype == np.float32 and y.shape == tuple(part.shape)
        np.testing.assert_array_equal(y, part.to(torch.float32).numpy())


@pytest.mark.parametrize("make", ["to_sparse", "to_complex", "to_meta"])
def test_what_has_no_array_is_refused(make: str) -> None:
    x = torch.eye(2)
    odd = {
        "to_sparse": lambda: x.to_sparse(),
        "to_complex": lambda: x.to(torch.complex64),
        "to_meta": lambda: x.to("meta"),
    }[make]()
    with pytest.raises(TypeError, match="Tensor of torch.* is no numeric array"):
        to_numpy(odd)
